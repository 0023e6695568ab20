"""Uplinks as they are: addresses that only the host knows, gateways anywhere, ports that differ outside, VRFs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterfacePeer
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, Plan, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.vyos import vyos_commands
from ansible_collections.xuegao.net.plugins.plugin_utils.render.tables import link_rows

STATIC = {"device": "eth0", "address": "198.51.100.1/24", "address6": "2001:db8:1::1/64"}


def intent(first: dict[str, Any], second: dict[str, Any], **link: Any) -> dict[str, Any]:
    """Return an intent of two nodes and a link."""
    return {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_bgp": {"asn_base": 64512},
        "xgn_vrfs": {"WAN": {"table": 300}, "CORE": {"table": 200}},
        "xgn_nodes": {"a": {"id": 1, "uplink": first}, "b": {"id": 2, "uplink": second}},
        "xgn_links": [{"id": 1, "type": "wireguard", "ends": ["a", "b"], **link}],
    }


def planned(first: dict[str, Any], second: dict[str, Any], **link: Any) -> Plan:
    return make_plan(deepcopy(intent(first, second, **link)))


def mistakes(first: dict[str, Any], second: dict[str, Any], **link: Any) -> list[str]:
    with pytest.raises(IntentError) as caught:
        planned(first, second, **link)
    return [str(problem) for problem in caught.value.problems]


def peer_of(plan: Plan, host: str) -> dict[str, Any]:
    """Return the one peer of a host's WireGuard interface."""
    found: WireguardInterfacePeer = plan.hosts[host]["wireguard_interfaces"][0]["peers"][0]
    return {**found}


@pytest.mark.parametrize(
    "learned", [{"address": "dhcp"}, {"address6": "slaac"}, {"address6": "dhcp"}, {"address": "dhcp", "address6": "slaac"}]
)
def test_an_end_that_only_its_host_knows_initiates(learned: dict[str, str]) -> None:
    plan = planned(STATIC, {"device": "eth0", **learned})
    assert "endpoint" not in peer_of(plan, "a")
    assert peer_of(plan, "b")["persistent_keepalive"] == 5
    assert "listen_port" not in plan.hosts["b"]["wireguard_interfaces"][0]
    # Nobody knows where it comes from.
    assert plan.hosts["a"]["firewall_open_ports"] == [{"protocol": "udp", "port": 51822}]
    assert plan.hosts["b"]["firewall_open_ports"] == []


def test_it_is_reached_over_the_family_in_which_it_is_known() -> None:
    plan = planned(
        {"device": "eth0", "address": "dhcp", "address6": "2001:db8::1/64"}, {"device": "eth0", "address": "dhcp", "address6": "slaac"}
    )
    assert peer_of(plan, "b")["endpoint"] == "[2001:db8::1]:51822"


def test_a_name_makes_it_reachable() -> None:
    plan = planned({"device": "eth0", "address": "dhcp", "public": "a.example.org"}, {"device": "eth0", "address": "dhcp"})
    assert peer_of(plan, "b")["endpoint"] == "a.example.org:51822"


def test_a_slaac_uplink_goes_on_hearing_routers() -> None:
    plan = planned(STATIC, {"device": "eth0", "address": "dhcp", "address6": "slaac"})
    assert plan.hosts["b"]["sysctl_hears_routers"] == ["eth0"]
    assert {"name": "eth0", "hears_routers": True, "asks_dhcp": True} in plan.hosts["b"]["vrf_interfaces"]
    assert "sysctl_hears_routers" not in plan.hosts["a"]


def test_vyos_asks_for_the_same_addresses() -> None:
    plan = planned(STATIC, {"device": "eth1", "address": "dhcp", "address6": "dhcp"})
    lines = vyos_commands(plan.intent.nodes["b"], plan.hosts["b"], plan.intent, {})
    assert [line for line in lines if "ethernet eth1" in line] == [
        "set interfaces ethernet eth1 address 'dhcp'",
        "set interfaces ethernet eth1 address 'dhcpv6'",
        "set interfaces ethernet eth1 ipv6 address autoconf",
    ]


@pytest.mark.parametrize(
    ("uplink", "routes"),
    [
        (
            {"address": "203.0.113.9/32", "gateway": "172.31.1.1", "address6": "2001:db8::9/64", "gateway6": "FE80::1"},
            [{"gateway": "172.31.1.1", "interface": "eth0", "onlink": True}, {"gateway": "fe80::1", "interface": "eth0"}],
        ),
        ({"address6": "2001:db8::9/128", "gateway": "2001:db8::1"}, [{"gateway": "2001:db8::1", "interface": "eth0", "onlink": True}]),
        (
            {"address": "192.0.2.33/29", "gateway": "198.51.100.254", "onlink": True, "vrf": "WAN"},
            [{"gateway": "198.51.100.254", "interface": "eth0", "vrf": "WAN", "onlink": True}],
        ),
        ({"address": "192.0.2.33/29", "gateway": "192.0.2.38", "onlink": True}, [{"gateway": "192.0.2.38", "interface": "eth0"}]),
    ],
    ids=["cloud", "ipv6", "vrf", "ordinary"],
)
def test_a_gateway_is_reached_on_its_uplink(uplink: dict[str, Any], routes: list[dict[str, Any]]) -> None:
    assert planned({"device": "eth0", **uplink}, STATIC).hosts["a"]["vrf_default_routes"] == routes


def test_vyos_reaches_gateways_outside_of_its_subnets() -> None:
    uplink = {"device": "eth1", "address": "203.0.113.9/32", "gateway": "172.31.1.1", "address6": "2001:db8::9/64", "gateway6": "fe80::1"}
    plan = planned(uplink, STATIC)
    lines = vyos_commands(plan.intent.nodes["a"], plan.hosts["a"], plan.intent, {})
    assert [line for line in lines if "172.31.1.1" in line or "fe80::1 interface" in line] == [
        "set protocols static route 0.0.0.0/0 next-hop 172.31.1.1",
        "set protocols static route 172.31.1.1/32 interface eth1",
        "set protocols static route6 ::/0 next-hop fe80::1 interface eth1",
    ]


FORWARDED = {"device": "eth0", "address": "192.168.1.2/24", "nat": True, "public": "203.0.113.9"}


def test_a_forwarded_port_differs_outside_only() -> None:
    plan = planned(FORWARDED, STATIC, ends=[{"node": "a", "public_port": 61820}, "b"])
    assert peer_of(plan, "b")["endpoint"] == "203.0.113.9:61820"
    assert plan.hosts["a"]["wireguard_interfaces"][0]["listen_port"] == 51822
    assert plan.hosts["a"]["firewall_open_ports"][0]["port"] == 51822
    plan = planned(FORWARDED, {"device": "eth0", "address": "dhcp"}, type="openvpn", ends=[{"node": "a", "public_port": 443}, "b"])
    assert (plan.hosts["a"]["openvpn_tunnels"][0]["listen_port"], plan.hosts["b"]["openvpn_tunnels"][0]["remote_port"]) == (11942, 443)


def test_who_sets_up_the_nat_is_told_both_ports() -> None:
    plan = planned(FORWARDED, STATIC, ends=[{"node": "a", "public_port": 61820}, "b"])
    (row,) = link_rows(plan.intent)
    assert (row[6], row[10]) == ("udp/51822 (outside 61820)", "udp/51821")


IN_VRF = {"device": "eth1", "address": "203.0.113.2/24", "vrf": "WAN"}


def test_wireguard_leaves_a_vrf_by_its_mark() -> None:
    host = planned(STATIC, IN_VRF).hosts["b"]
    assert host["wireguard_interfaces"][0]["fwmark"] == 300
    assert host["vrf_vrfs"] == [{"name": "WAN", "table": 300, "fwmark": 300}]
    assert host["sysctl_udp_l3mdev_accept"] == 1


def test_openvpn_and_gre_are_bound_to_the_vrf_and_need_no_mark() -> None:
    for kind, variable in (("openvpn", "openvpn_tunnels"), ("gre", "gre_interfaces")):
        host: Any = planned(STATIC, IN_VRF, type=kind, **({"insecure": True} if kind == "gre" else {})).hosts["b"]
        assert host[variable][0]["underlay_vrf"] == "WAN"
        assert host["vrf_vrfs"] == [{"name": "WAN", "table": 300}]


def test_l2tp_in_a_vrf_is_refused() -> None:
    (told,) = mistakes(STATIC, IN_VRF, type="l2tp_ipsec", preshared_key_variable="vault_key")
    assert told.startswith(
        "xgn_links[0].ends[1]: would travel in VRF WAN, and L2TP/IPsec speaks in the default VRF alone; let it travel over an"
    )


def test_what_travels_over_a_link_in_a_vrf_is_routed_there() -> None:
    """Its outer packets are the inner ones of that link."""
    raw = intent(STATIC, {"device": "eth0", "address": "dhcp"})
    raw["xgn_links"] += [{"id": 2, "type": "openvpn", "over": 1, "ends": ["a", "b"], "session": "link"}]
    for node in raw["xgn_nodes"].values():
        node["vrf"] = "CORE"
    hosts: Any = make_plan(raw).hosts
    assert [hosts[name]["openvpn_tunnels"][0]["underlay_vrf"] for name in ("a", "b")] == ["CORE", "CORE"]
    raw["xgn_links"][1] = {
        "id": 2,
        "type": "wireguard",
        "over": 1,
        "ends": [{"node": "a", "listen_port": 7}, {"node": "b", "listen_port": 7}],
    }
    raw["xgn_links"][1]["session"] = "link"
    hosts = make_plan(raw).hosts
    assert [item.get("fwmark") for item in hosts["a"]["wireguard_interfaces"]] == [None, 200]
    assert hosts["b"]["vrf_vrfs"] == [{"name": "CORE", "table": 200, "fwmark": 200}]


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ({"address": "dhcp"}, {"address": "dhcp"}, ["address: 'dhcp'"]),
        ({"address": "198.51.100.6/30", "gateway": "198.51.100.5"}, {"address": "dhcp"}, ["address: 'dhcp'"]),
        ({"address": "dhcp"}, {"address": "198.51.100.6/30", "gateway": "198.51.100.5"}, ["gateway: '198.51.100.5'"]),
        ({"address6": "slaac"}, {"address6": "dhcp"}, ["address6: 'dhcp'"]),
        ({"address6": "slaac"}, {"address": "dhcp"}, []),
        ({"address": "dhcp"}, {"address": "dhcp", "vrf": "WAN"}, []),
        ({"address": "dhcp"}, {"address": "198.51.100.6/30"}, []),
    ],
)
def test_a_learned_address_brings_a_gateway(first: dict[str, str], second: dict[str, str], refused: list[str]) -> None:
    wanted = intent(STATIC, {"device": "eth0", **first})
    wanted["xgn_nodes"]["b"]["uplinks"] = {"second": {"device": "eth1", **second}}
    try:
        make_plan(wanted)
        found = []
    except IntentError as error:
        found = [str(problem) for problem in error.problems]
    begin = "xgn_nodes.b.uplinks.second."
    assert [line.partition(" is a second default route of the default VRF, beside xgn_nodes.b.uplink.")[0] for line in found] == [
        begin + words for words in refused
    ]
