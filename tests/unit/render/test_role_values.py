"""What the roles' templates print, computed from the roles' variables: real values, empty input, both families, names of the greatest length."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import put_in
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrStaticRoute,
    HostVariables,
    L2tpIpsecTunnel,
    OpenvpnTunnel,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.steering_routes import steering_routes
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import filter_text, rendered_files
from ansible_collections.xuegao.net.plugins.plugin_utils.render.templates import defaults, rendered
from ansible_collections.xuegao.net.plugins.plugin_utils.render.unit_record import record_command
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.dns_anycast import dns_anycast_values, socket_text
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.docker_macvlan import container_definition, docker_macvlan_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.failover_test import failover_test_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.firewall import (
    OWN_CHAINS,
    SSH_BURST,
    SSH_PER_MINUTE,
    firewall_values,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.frr import frr_values, static_route
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.gobgp import gobgp_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.l2tp_ipsec import identity_of, l2tp_ipsec_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.openvpn import openvpn_values, protocol_of
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.sysctl import sysctl_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.vrf import vrf_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.wireguard import wireguard_values
from jinja2 import UndefinedError

ROOT = Path(__file__).resolve().parents[3]
# IFNAMSIZ is 16 with the closing zero.
LONGEST = "vxlan-cloud-100"
assert len(LONGEST) == 15


# ---- frr -----------------------------------------------------------------------------------------------------------------------------------

NEIGHBOR: dict[str, Any] = {
    "address": "192.0.2.2",
    "remote_as": 65502,
    "password": "swordfish",
    "families": [{"family": "ipv4", "route_map_in": "IN", "route_map_out": "OUT"}],
}


def frr(**variables: Any) -> Any:
    return frr_values({f"frr_{name}": value for name, value in variables.items()})  # type: ignore[arg-type]


def bgp(**changes: Any) -> Any:
    (found,) = frr(bgp=[{"asn": 65503, "router_id": "192.0.2.1", **changes}])["bgp"]
    return found


def test_frr_without_variables() -> None:
    values = frr()
    assert values["daemons"] == ["zebra", "staticd"]
    assert set(values["optional_daemons"].values()) == {"no"}
    assert [file["path"] for file in values["own_files"]] == ["/etc/frr/zebra.conf", "/etc/frr/staticd.conf"]
    assert values["main_table"] == {"name": "", "routes": [], "install_filters": []}
    assert not any(values[key] for key in ("addresses", "secrets", "vrfs", "interfaces", "bgp", "graceful_restart"))


def test_frr_runs_what_its_configuration_speaks_of() -> None:
    values = frr(bfd_profiles=[{"name": "fast"}], ospf6=[{"router_id": "192.0.2.1", "interfaces": []}], bgp=[])
    assert values["daemons"] == ["zebra", "staticd", "ospf6d", "bfdd"]
    assert values["optional_daemons"] == {"bgpd": "no", "ospfd": "no", "ospf6d": "yes", "bfdd": "yes"}


def test_every_password_of_frr_has_a_placeholder_that_is_filled() -> None:
    ospf = [{"router_id": "192.0.2.1", "interfaces": [{"name": LONGEST, "area": "0", "password": "trout"}, {"name": "lo", "area": "0"}]}]
    instances = [
        {"asn": 65503, "router_id": "192.0.2.1", "neighbors": [NEIGHBOR]},
        {
            "asn": 65503,
            "vrf": "CORE",
            "router_id": "192.0.2.1",
            "neighbors": [{**NEIGHBOR, "address": "2001:db8::2", "password": "salmon"}],
        },
    ]
    variables: Any = {"frr_bgp": instances, "frr_ospf": ospf, "frr_interfaces": [{"name": "lo"}]}
    secrets = frr_values(variables)["secrets"]
    assert secrets == {"bgp default 192.0.2.2": "swordfish", "bgp CORE 2001:db8::2": "salmon", f"ospf {LONGEST}": "trout"}
    text = dict(rendered_files("r1", variables))["/etc/frr/frr.conf"]
    assert not any(word in text for word in secrets.values())
    filled = put_in(text, secrets)
    assert " neighbor 192.0.2.2 password swordfish\n" in filled
    assert " neighbor 2001:db8::2 password salmon\n" in filled
    assert " ip ospf message-digest-key 1 md5 trout\n" in filled
    assert "<secret" not in filled
    assert NEIGHBOR["password"] == "swordfish", "the variables stay as they are"


def test_the_table_of_interfaces_joins_addresses_and_both_versions_of_ospf() -> None:
    values = frr(
        interfaces=[{"name": "lo", "addresses": ["192.0.2.1/32"], "description": "loopback"}, {"name": "br1", "link_detect": False}],
        ospf=[{"router_id": "192.0.2.1", "interfaces": [{"name": "wg1", "area": "0"}, {"name": "lo", "area": "0", "passive": True}]}],
        ospf6=[{"router_id": "192.0.2.1", "interfaces": [{"name": "wg1", "area": "0", "cost": 5, "network": "point-to-point"}]}],
    )
    lo, bridge, tunnel = values["interfaces"]
    assert lo == {
        "name": "lo",
        "description": "loopback",
        "addresses": ["192.0.2.1/32"],
        "link_detect": True,
        "ospf": [{"word": "ip ospf", "area": "0", "passive": True}],
    }
    assert bridge == {"name": "br1", "addresses": [], "link_detect": False, "ospf": []}
    assert (tunnel["name"], tunnel["addresses"], tunnel["link_detect"]) == ("wg1", [], True)
    assert [item["word"] for item in tunnel["ospf"]] == ["ip ospf", "ipv6 ospf6"]
    assert tunnel["ospf"][1] == {"word": "ipv6 ospf6", "area": "0", "passive": False, "cost": 5, "network": "point-to-point"}
    assert values["addresses"] == {"lo": ["192.0.2.1/32"], "br1": []}


@pytest.mark.parametrize(
    ("given", "version2", "version3"),
    [
        ({}, {}, {}),
        ({"hello_interval": 10, "dead_interval": 40}, {}, {}),
        # OSPFv2 would derive a dead interval of 4 s.
        ({"hello_interval": 1}, {"hello_interval": 1, "dead_interval": 40}, {"hello_interval": 1}),
        ({"dead_interval": 4}, {"dead_interval": 4}, {"dead_interval": 4}),
        ({"hello_interval": 1, "dead_interval": 4}, *[{"hello_interval": 1, "dead_interval": 4}] * 2),
    ],
)
def test_intervals_are_printed_where_frr_would(given: Any, version2: Any, version3: Any) -> None:
    instances = [{"router_id": "192.0.2.1", "interfaces": [{"name": "wg1", "area": "0", **given}]}]
    (interface,) = frr(ospf=instances, ospf6=instances)["interfaces"]
    found = [{key: value for key, value in item.items() if key.endswith("_interval")} for item in interface["ospf"]]
    assert found == [version2, version3]


def test_an_address_family_is_there_when_it_holds_something() -> None:
    assert bgp(networks=[], neighbors=[], maximum_paths=4)["families"] == []
    found = bgp(
        networks=["192.0.2.0/24", "2001:db8::/32"],
        redistribute=[{"source": "ospf", "route_map": "A"}, {"source": "ospf6", "route_map": "B", "family": "ipv6"}],
        neighbors=[NEIGHBOR],
        maximum_paths=4,
    )["families"]
    assert [family["name"] for family in found] == ["ipv4", "ipv6"]
    assert [family["networks"] for family in found] == [["192.0.2.0/24"], ["2001:db8::/32"]]
    assert [family["redistribute"][0]["route_map"] for family in found] == ["A", "B"]
    assert [len(family["neighbors"]) for family in found] == [1, 0]
    assert [family["maximum_paths"] for family in found] == [4, 4]
    assert "maximum_paths" not in bgp(networks=["192.0.2.0/24"])["families"][0]


@pytest.mark.parametrize(
    ("client", "own", "shown"),
    [(False, False, None), (True, False, None), (False, True, "next-hop-self"), (True, True, "next-hop-self force")],
)
def test_next_hop_self_is_forced_on_what_a_reflector_passes_on(client: bool, own: bool, shown: str | None) -> None:
    families = [{**NEIGHBOR["families"][0], "route_reflector_client": client, "next_hop_self": own, "maximum_prefix": 9}]
    (activated,) = bgp(neighbors=[{**NEIGHBOR, "families": families}])["families"][0]["neighbors"]
    assert activated["next_hop_self"] == shown
    assert (activated["route_reflector_client"], activated["maximum_prefix"]) == (client, 9)


@pytest.mark.parametrize(
    ("route", "line"),
    [
        ({"prefix": "192.0.2.0/24", "next_hop": "198.51.100.1"}, "ip route 192.0.2.0/24 198.51.100.1"),
        ({"prefix": "::/0", "next_hop": "fe80::1", "interface": LONGEST}, f"ipv6 route ::/0 fe80::1 {LONGEST}"),
        ({"prefix": "192.0.2.0/24", "blackhole": True, "distance": 250}, "ip route 192.0.2.0/24 blackhole 250"),
        ({"prefix": "192.0.2.0/24", "interface": "eth0", "distance": 1, "vrf": "CORE"}, "ip route 192.0.2.0/24 eth0"),
        ({"prefix": "0.0.0.0/0", "next_hop": "192.0.2.1", "next_hop_vrf": "OUT"}, "ip route 0.0.0.0/0 192.0.2.1 nexthop-vrf OUT"),
    ],
)
def test_static_routes(route: FrrStaticRoute, line: str) -> None:
    assert static_route(route) == line


def test_routes_and_filters_stand_in_their_vrf() -> None:
    values = frr(
        vrfs=["CORE", "EMPTY"],
        static_routes=[{"prefix": "192.0.2.0/24", "interface": "a"}, {"prefix": "192.0.2.0/24", "interface": "b", "vrf": "CORE"}],
        ospf=[{"router_id": "192.0.2.1", "interfaces": [], "install_route_map": "X"}],
        ospf6=[{"router_id": "192.0.2.1", "interfaces": [], "vrf": "CORE", "install_route_map": "Y"}],
    )
    filters = [{"words": "ip protocol ospf", "route_map": "X"}]
    assert values["main_table"] == {"name": "", "routes": ["ip route 192.0.2.0/24 a"], "install_filters": filters}
    core, empty = values["vrfs"]
    filters = [{"words": "ipv6 protocol ospf6", "route_map": "Y"}]
    assert core == {"name": "CORE", "routes": ["ip route 192.0.2.0/24 b"], "install_filters": filters}
    assert empty == {"name": "EMPTY", "routes": [], "install_filters": []}


def test_graceful_restart_of_one_instance_concerns_zebra() -> None:
    assert frr(bgp=[{"asn": 1, "router_id": "192.0.2.1"}, {"asn": 1, "router_id": "192.0.2.1", "graceful_restart": True}])[
        "graceful_restart"
    ]


# ---- gobgp ---------------------------------------------------------------------------------------------------------------------------------


def test_gobgp_without_variables() -> None:
    nothing: Any = {"gobgp_health": None}
    values: Any = gobgp_values(nothing)
    (daemon, health), records = values.pop("units"), values.pop("records")
    assert (daemon["state"], daemon["reload_on"]) == ("started", ["/etc/gobgpd.conf"])
    assert (health["state"], health["enabled"]) == ("stopped", False)
    assert set(records) == {"gobgpd.service", "xgn-steering-health.service"}
    assert values == {
        "families": [],
        "neighbors": [],
        "secrets": {},
        "settings": {"prefixes": [], "next_hops": {}, "health": None},
        "health_user": "gobgp",
    }


def test_gobgp_sorts_by_family_and_fills_in() -> None:
    prefixes = ["2001:db8::/32", "192.0.2.9/32", "198.51.100.0/24"]
    values = gobgp_values(
        {
            "gobgp_prefixes": prefixes,
            "gobgp_neighbors": [{"address": "192.0.2.1", "remote_as": 65503, "password": 'sword"fish'}, {"address": "::1", "remote_as": 1}],
            "gobgp_health": {"command": "/bin/true", "rise": 7, "user": "root"},
        }
    )
    assert values["families"] == [
        {"name": "ipv4", "prefixes": [{"prefix": "192.0.2.9/32", "lengths": "32..32"}, {"prefix": "198.51.100.0/24", "lengths": "24..32"}]},
        {"name": "ipv6", "prefixes": [{"prefix": "2001:db8::/32", "lengths": "32..128"}]},
    ]
    assert values["settings"]["prefixes"] == prefixes
    assert values["settings"]["health"] == {"command": "/bin/true", "interval": 5, "timeout": 3, "fall": 2, "rise": 7, "user": "root"}
    assert values["health_user"] == "root"
    assert values["secrets"] == {"bgp 192.0.2.1": 'sword"fish'}
    assert [item.get("password") for item in values["neighbors"]] == ["<secret bgp 192.0.2.1>", None]


# ---- openvpn -------------------------------------------------------------------------------------------------------------------------------

TUNNEL: OpenvpnTunnel = {"name": LONGEST, "role": "server", "listen_port": 1194, "peer": "cloud-edge", "mtu": 1400}


def test_openvpn_without_tunnels() -> None:
    assert openvpn_values({}) == {"peers": [], "tunnels": []}
    assert openvpn_values({}, {}) == {"peers": [], "tunnels": []}


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ({}, "tcp4-server"),
        ({"role": "client", "family": "ipv6", "remote": "2001:db8::9", "remote_port": 1194}, "tcp6-client"),
        ({"transport": "udp"}, "udp4"),
        ({"transport": "udp", "family": "ipv6"}, "udp6"),
    ],
)
def test_openvpn_protocols(options: Any, protocol: str) -> None:
    tunnel: Any = {**TUNNEL, **options}
    assert protocol_of(tunnel) == protocol
    variables: HostVariables = {"openvpn_tunnels": [tunnel], "openvpn_tls_version_min": "1.3"}
    (found,) = openvpn_values(variables, {LONGEST: {"cloud-edge": ["AA:BB"]}})["tunnels"]
    lines = found["config"].splitlines()
    assert f"proto {protocol}" in lines
    assert ("socket-flags TCP_NODELAY" in lines) == protocol.startswith("tcp")
    assert {"peer-fingerprint AA:BB", "tls-version-min 1.3", "ping 5", "ping-restart 20", f"dev {LONGEST}"} <= set(lines)
    assert f"RuntimeDirectory=xgn-openvpn/{LONGEST}\n" in found["dropin"]
    assert (found["name"], found["role"], found["mtu"]) == (LONGEST, tunnel["role"], 1400)


def test_a_peer_that_rotates_its_key_may_have_either() -> None:
    """Several fingerprints stand in a block, and with one the file is what it always was: no daemon is restarted for it."""
    variables: HostVariables = {"openvpn_tunnels": [TUNNEL], "openvpn_tls_version_min": "1.3"}
    texts = {
        count: openvpn_values(variables, {LONGEST: {"cloud-edge": keys}})["tunnels"][0]["config"]
        for count, keys in ((1, ["AA"]), (2, ["AA", "BB"]))
    }
    block = "# Its key is being rotated: each is accepted.\n<peer-fingerprint>\nAA\nBB\n</peer-fingerprint>\n"
    assert texts[2] == texts[1].replace("peer-fingerprint AA\n", block)


# ---- l2tp_ipsec ----------------------------------------------------------------------------------------------------------------------------

L2TP: L2tpIpsecTunnel = {"name": "l2tp5", "role": "lns", "peer": "old-box", "preshared_key": "swordfish", "mtu": 1380}


@pytest.mark.parametrize(
    ("options", "identity"),
    [
        ({}, ""),
        ({"remote": "192.0.2.9"}, "192.0.2.9"),
        ({"remote": "peer.example.net"}, ""),
        ({"remote": "2001:db8::9"}, ""),
        ({"remote": "192.0.2.9", "remote_id": "10.0.0.9"}, "10.0.0.9"),
        ({"remote": "192.0.2.9", "remote_id": ""}, ""),
    ],
)
def test_what_the_other_end_of_ipsec_calls_itself(options: Any, identity: str) -> None:
    assert identity_of({**L2TP, **options}) == identity


def test_l2tp_values() -> None:
    nothing = l2tp_ipsec_values({})
    assert (nothing["tunnels"], nothing["secrets"], nothing["sessions"], nothing["initiated"]) == ([], {}, [], [])
    variables: HostVariables = {
        "l2tp_ipsec_tunnels": [L2TP, {**L2TP, "name": LONGEST, "role": "lac", "remote": "192.0.2.9", "local_address": "10.0.0.1",
                                      "remote_address": "10.0.0.2", "ipv6": True}],
        "l2tp_ipsec_echo_interval": 7,
        "l2tp_ipsec_echo_failure": 8,
    }  # fmt: skip
    values = l2tp_ipsec_values(variables)
    anybody, one = values["tunnels"]
    assert (anybody["initiators"], anybody["initiates"]) == ("0.0.0.1 - 255.255.255.254", False)
    assert (one["initiators"], one["initiates"]) == ("192.0.2.9 - 192.0.2.9", True)
    assert one["preshared_key"] == f"<secret {LONGEST}>"
    assert values["secrets"] == {"l2tp5": "swordfish", LONGEST: "swordfish"}
    # Only the end that initiates has a watch.
    assert (values["initiated"], values["units"][-1]["state"], nothing["units"][-1]["state"]) == ([LONGEST], "started", "stopped")
    # Where IPsec knows whom to initiate to, whichever end of L2TP that is.
    assert (nothing["forgets"], values["forgets"]) == ([], ["192.0.2.9"])
    named: Any = {
        "l2tp_ipsec_tunnels": [{**L2TP, "remote": "peer.example.org"}],
        "l2tp_ipsec_echo_interval": 7,
        "l2tp_ipsec_echo_failure": 8,
    }
    assert l2tp_ipsec_values(named)["forgets"] == []
    assert "/etc/ppp/xgn-l2tp5" in values["units"][2]["restart_on"]
    # The daemons that all tunnels share; guard and watch interrupt nothing.
    both = ["l2tp5", LONGEST]
    assert [unit.get("interrupts") for unit in values["units"]] == [None, both, both, None]
    # The guard of L2TP comes first, and has nothing that it has to read again.
    assert values["units"][0]["name"] == "xgn-l2tp-guard.service" and "xgn-l2tp-guard.service" not in values["records"]
    plain, addressed = values["sessions"]
    assert plain["path"] == "/etc/ppp/xgn-l2tp5"
    assert {"noip", "noipv6", "lcp-echo-interval 7", "lcp-echo-failure 8"} <= set(plain["content"].splitlines())
    assert {"10.0.0.1:10.0.0.2", "+ipv6", f"ifname {LONGEST}"} <= set(addressed["content"].splitlines())


# ---- docker_macvlan ------------------------------------------------------------------------------------------------------------------------

CONTAINER: Any = {"name": "edge", "image": "router:1", "network": "nfv"}


def docker(*containers: Any, version: str | None = "2", archives: Any = (), **variables: Any) -> Any:
    own: Any = {"docker_macvlan_data_root": "/data/docker", "docker_macvlan_containers": list(containers), **variables}
    return docker_macvlan_values(own, version, archives)


def test_docker_without_variables() -> None:
    assert docker(version=None) == {
        "config": {
            "bridge": "none",
            "data-root": "/data/docker",
            "ip-forward": False,
            "ip6tables": False,
            "iptables": False,
            "live-restore": True,
        },
        "parents": [],
        "record": record_command(["/etc/docker/daemon.json"]),
        "systems": [],
        "networks": [],
    }
    assert docker(docker_macvlan_daemon={"live-restore": False, "debug": True})["config"]["live-restore"] is False
    assert docker()["compared"] == {"images": [], "networks": [], "containers": []}


def container(**more: Any) -> Any:
    definition: Any = {**CONTAINER, **more}
    return container_definition(definition)


def test_a_container_gets_the_defaults() -> None:
    made = container(ipv4="192.0.2.9", ipv6="2001:db8::9", capabilities=["NET_RAW"], sysctls={"a": "1"})
    assert made["attachment"] == {"name": "nfv", "ipv4_address": "192.0.2.9", "ipv6_address": "2001:db8::9"}
    assert (made["memory"], made["memory_swap"], made["mac"], made["privileged"], made["system"]) == ("512m", "768m", "", False, True)
    assert made["capabilities"] == ["NET_RAW", "NET_ADMIN", "SYS_ADMIN"]
    assert made["sysctls"]["net.ipv4.ip_forward"] == "1" and made["sysctls"]["a"] == "1"
    plain = container(system=False, command=["sleep", "9"])
    assert (plain["capabilities"], plain["sysctls"], plain["command"], plain["attachment"]) == ([], {}, ["sleep", "9"], {"name": "nfv"})


def test_a_container_may_overrule_a_sysctl_of_system_containers() -> None:
    assert container(sysctls={"net.ipv4.ip_forward": "0"})["sysctls"]["net.ipv4.ip_forward"] == "0"


@pytest.mark.parametrize(("version", "tree"), [("1", "/sys/fs/cgroup/systemd"), ("2", "/sys/fs/cgroup")])
def test_systemd_in_a_container_begins_with_its_cgroup(version: str, tree: str) -> None:
    own, other = docker(CONTAINER, {**CONTAINER, "name": "b", "system": False}, version=version)["containers"]
    text = f"for tree in {tree}; do mount -o remount,bind,rw $tree || exit 1; done; exec /sbin/init"
    assert own["command"] == ["/bin/sh", "-c", text]
    assert other["command"] == []


def test_an_unknown_version_of_cgroups_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown version '3' of cgroups; valid: 1, 2"):
        docker(version="3")


def test_a_hash_is_that_of_the_definition() -> None:
    network = {
        "name": "nfv",
        "parent": "vxlan1",
        "subnets": [{"subnet": "192.0.2.0/24", "gateway": "192.0.2.1", "ip_range": "192.0.2.8/29"}],
    }
    values = docker(CONTAINER, docker_macvlan_networks=[network])
    (made,) = values["networks"]
    assert made == {
        "name": "nfv",
        "parent": "vxlan1",
        "subnets": [{"subnet": "192.0.2.0/24", "gateway": "192.0.2.1", "iprange": "192.0.2.8/29"}],
        "ipv6": False,
        # Living networks have it as a label: with another one they would be made anew.
        "hash": "d73cf55d69aa2bdfcd17bf0b0616090c0e843f6df725e4517f80bd05cafee6ac",
    }
    (edge,) = values["containers"]
    text = json.dumps({key: value for key, value in edge.items() if key != "hash"}, sort_keys=True)
    assert edge["hash"] == hashlib.sha256(text.encode()).hexdigest()
    changed = docker({**CONTAINER, "memory": "1g"})["containers"][0]["hash"]
    assert changed != edge["hash"]


def test_a_network_with_ipv6() -> None:
    network = {"name": "nfv", "parent": "vxlan1", "subnets": [{"subnet": "192.0.2.0/24"}, {"subnet": "2001:db8::/64"}]}
    assert docker(docker_macvlan_networks=[network])["networks"][0]["ipv6"] is True


def test_what_is_compared_with_the_living_objects() -> None:
    archives = [
        {"item": {"name": "a", "archive": "/a.tar"}, "stat": {"exists": True, "checksum": "c0ffee"}},
        {"item": {"name": "b", "archive": "/b.tar"}, "stat": {"exists": False}},
    ]
    values = docker(CONTAINER, archives=archives)
    assert values["compared"] == {
        "images": [{"name": "a", "sha256": "c0ffee"}, {"name": "b", "sha256": "missing: /b.tar"}],
        "networks": [],
        "containers": [{"name": "edge", "hash": values["containers"][0]["hash"], "image": "router:1"}],
    }


def test_parents_and_system_containers_of_the_unit() -> None:
    networks = [{"name": name, "parent": parent, "subnets": []} for name, parent in (("a", LONGEST), ("b", "eth0.100"), ("c", LONGEST))]
    containers = [{**CONTAINER, "name": name, **own} for name, own in (("x", {"system": True}), ("y", {}), ("z", {"system": False}))]
    values = docker(*containers, docker_macvlan_networks=networks, version=None)
    assert values["parents"] == [
        "sys-subsystem-net-devices-eth0.100.device",
        r"sys-subsystem-net-devices-vxlan\x2dcloud\x2d100.device",
    ]
    assert values["systems"] == ["y", "x"]
    assert "containers" not in values and "compared" not in values


# ---- dns_anycast ---------------------------------------------------------------------------------------------------------------------------


def dns(directory: str = "/etc/unbound/unbound.conf.d", **variables: Any) -> Any:
    given = {f"dns_anycast_{name}": value for name, value in variables.items()}
    return dns_anycast_values({**defaults("dns_anycast"), **given}, directory)  # type: ignore[typeddict-item]


def test_dns_without_variables() -> None:
    values = dns(vrf=None)
    assert values["addresses"] == values["zones"] == []
    assert values["ssh"] == {"main": [], "sockets": [], "files": []}
    assert values["guard"] == {
        "addresses": [],
        "interface": "lo",
        "vrf": None,
        "probe": "127.0.0.1",
        "interval": 0.5,
        "timeout": 0.5,
        "fall": 3,
        "rise": 3,
        "grace": 5,
    }


def test_the_guard_asks_elsewhere_in_a_vrf() -> None:
    guard = dns(addresses=["192.0.2.53/32", "2001:db8::53"], vrf="CORE")["guard"]
    assert (guard["vrf"], guard["probe"], guard["addresses"]) == ("CORE", "169.254.53.53", ["192.0.2.53/32", "2001:db8::53"])


@pytest.mark.parametrize(
    ("record", "own"),
    [("www A 192.0.2.1", True), ("@ IN SOA ns a 1 2 3 4 5", False), ("@\tSOA\tns a 1 2 3 4 5", False), ("SOAR A 192.0.2.1", True)],
)
def test_a_zone_without_an_soa_gets_one(record: str, own: bool) -> None:
    (zone,) = dns(addresses=["192.0.2.53/32", "2001:db8::53/128"], zones=[{"name": "example.net", "records": [record]}])["zones"]
    assert zone["path"] == "/etc/unbound/xgn-example.net.zone"
    assert zone["validate"].endswith("' sh example.net %s")
    lines = zone["content"].splitlines()
    assert lines[-1] == record
    assert ("@ SOA ns hostmaster 1 3600 600 604800 300" in lines) == own
    assert ("ns A 192.0.2.53" in lines and "ns AAAA 2001:db8::53" in lines) == own


def test_sshd_listens_in_each_vrf_by_a_socket() -> None:
    listen = [
        {"address": "192.0.2.1"},
        {"address": "10.0.0.1", "vrf": LONGEST},
        {"address": "2001:db8::1"},
        {"address": "::1", "vrf": LONGEST},
    ]
    ssh = dns(ssh_listen=listen, ssh_port=2222)["ssh"]
    assert ssh["main"] == ["192.0.2.1:2222", "[2001:db8::1]:2222"]
    assert ssh["sockets"] == [f"xgn-ssh-{LONGEST}.socket"]
    paths = {file["path"]: file["content"] for file in ssh["files"]}
    assert list(paths) == [
        "/etc/ssh/sshd_config.d/10-xgn.conf",
        f"/etc/systemd/system/xgn-ssh-{LONGEST}.socket",
        f"/etc/systemd/system/xgn-ssh-{LONGEST}@.service",
    ]
    assert "ListenAddress [2001:db8::1]:2222\n" in paths["/etc/ssh/sshd_config.d/10-xgn.conf"]
    assert "ListenStream=10.0.0.1:2222\nListenStream=[::1]:2222\n" in paths[f"/etc/systemd/system/xgn-ssh-{LONGEST}.socket"]
    # They count authenticated connections, too.
    assert "MaxConnections=64\nMaxConnectionsPerSource=48\n" in paths[f"/etc/systemd/system/xgn-ssh-{LONGEST}.socket"]
    assert not dns(ssh_listen=listen[1:2])["ssh"]["main"]


@pytest.mark.parametrize(
    ("address", "vrf", "text"),
    [("192.0.2.1", None, "192.0.2.1:22"), ("2001:db8::1", None, "[2001:db8::1]:22"), ("::1", "CORE", "[::1]%CORE:22")],
)
def test_sockets(address: str, vrf: str | None, text: str) -> None:
    assert socket_text(address, 22, vrf) == text


def test_what_each_daemon_reads_once_or_again() -> None:
    unbound, guard = dns("/etc/unbound/conf.d", vrf="CORE", zones=[{"name": "a", "records": []}])["units"]
    assert unbound["restart_on"] == [
        "/etc/systemd/system/unbound.service",
        "/etc/unbound/conf.d/xgn-interfaces.conf",
        "/etc/systemd/system/xgn-anycast.socket",
        "/sys/class/net/CORE/ifindex",
    ]
    assert unbound["reload_on"] == ["/etc/unbound/conf.d/xgn.conf", "/etc/unbound/xgn-a.zone"]
    assert guard["restart_on"] == ["/etc/systemd/system/xgn-anycast.service", "/usr/local/sbin/xgn-anycast"]
    assert guard["reload_on"] == ["/etc/xgn/anycast.json"]
    assert "/etc/systemd/system/xgn-anycast.socket" not in dns(vrf=None)["units"][0]["restart_on"]


def test_a_unit_records_what_its_daemon_reads() -> None:
    values = dns(vrf=None)
    assert values["records"]["xgn-anycast.service"] == (
        "+/bin/sh -c 'umask 077; mkdir -p /run/xgn-loaded; sha256sum /etc/systemd/system/xgn-anycast.service /usr/local/sbin/xgn-anycast "
        "/etc/xgn/anycast.json >/run/xgn-loaded/%n 2>/dev/null; :'"
    )


# ---- firewall, vrf, sysctl, failover_test --------------------------------------------------------------------------------------------------


def test_firewall_rules_by_family() -> None:
    nothing = firewall_values({})
    assert {key for key, value in nothing.items() if value} == {"inside", "ssh_memory", "proof"} and nothing["proof"] == "table inet xgn"
    assert firewall_values({"firewall_trusted_interfaces": ["wg1"], "firewall_ssh_port": 22})["fallback"] == ["tcp dport 22 accept"]
    values = firewall_values(
        {
            "firewall_ssh_port": 2222,
            "firewall_ssh_from": ["192.0.2.0/24", "::ffff:192.0.2.1/128", "198.51.100.0/24"],
            "firewall_open_ports": [
                {"protocol": "esp", "from": ["2001:db8::/32"]},
                {"protocol": "udp", "port": 51821},
                {"protocol": "gre"},
            ],
            "firewall_trusted_interfaces": ["wg1", LONGEST, "wg1"],
            "firewall_tcp_mss_interfaces": ["wg1", "wg1"],
            "firewall_tcp_mss": {"ipv6": 1340, "ipv4": 1360},
        }
    )
    assert values["accepted"] == [
        "ip saddr { 192.0.2.0/24, 198.51.100.0/24 } tcp dport 2222 accept",
        "ip6 saddr { ::ffff:192.0.2.1/128 } tcp dport 2222 accept",
        "ip6 saddr { 2001:db8::/32 } meta l4proto esp accept",
        "ip6 saddr { 2001:db8::/32 } meta ipsec exists udp dport 1701 accept",
        "udp dport 51821 accept",
        "meta l4proto gre accept",
    ]
    assert values["trusted"] == ["lo", "wg1", LONGEST]
    assert (values["tunnels"], list(values["tcp_mss"].items())) == (["wg1"], [("ipv4", 1360), ("ipv6", 1340)])


def test_ssh_from_everywhere_is_limited_where_it_is() -> None:
    def limited(*prefixes: str) -> list[str]:
        values = firewall_values({"firewall_trusted_interfaces": ["lo"], "firewall_ssh_port": 22, "firewall_ssh_from": list(prefixes)})
        rules = [rule for rule in values["accepted"] if "limit rate over" in rule]
        assert len(rules) == len(values["limited"])
        assert not any("limit" in rule for rule in values["fallback"])
        return list(values["limited"])

    assert limited() == ["ipv4", "ipv6"]
    assert limited("192.0.2.0/24") == []
    assert limited("192.0.2.0/24", "::/0") == ["ipv6"]
    assert limited("0.0.0.0/0") == ["ipv4"]


def test_a_listed_prefix_is_not_counted() -> None:
    variables: Any = {"firewall_trusted_interfaces": ["lo"], "firewall_ssh_port": 22, "firewall_ssh_from": ["0.0.0.0/0", "192.0.2.0/24"]}
    values = firewall_values(variables)
    rate = f"limit rate over {SSH_PER_MINUTE}/minute burst {SSH_BURST} packets"
    assert values["accepted"] == [
        "ip saddr { 192.0.2.0/24 } tcp dport 22 accept",
        f"tcp dport 22 ct state new update @ssh_ipv4 {{ ip saddr {rate} }} counter drop",
        "ip saddr { 0.0.0.0/0 } tcp dport 22 accept",
    ]
    assert values["fallback"] == [values["accepted"][0], values["accepted"][2]]
    # A source that is forgotten has its burst anew.
    assert int(values["ssh_memory"].removesuffix("m")) * SSH_PER_MINUTE >= SSH_BURST
    role = (ROOT / "roles/firewall/meta/argument_specs.yml").read_text(encoding="utf-8")
    assert f"{SSH_PER_MINUTE} new connections a minute, after {SSH_BURST} at once" in role


def test_a_bridge_of_somebody_sends_and_an_uplink_that_is_one_does_not() -> None:
    text = filter_text({"firewall_trusted_interfaces": ["wg1"], "firewall_loose_interfaces": ["vmbr0", "wg1"]})
    assert "oifkind" not in text
    rules = [line.strip() for line in text.splitlines() if "iifkind" in line]
    assert rules == [
        'iifname . oifname { "vmbr0" . "vmbr0" } meta iifkind "bridge" accept',
        'iifname != @trusted iifname != { "vmbr0" } oifname != @trusted meta iifkind "bridge" accept',
    ]
    alone = filter_text({"firewall_trusted_interfaces": ["wg1"]})
    assert 'iifname != @trusted oifname != @trusted meta iifkind "bridge" accept' in alone
    # Multicast is asked for in both families.
    assert "meta l4proto igmp accept" in alone and "mld-listener-report" in alone


@pytest.mark.parametrize(
    ("there", "status", "loads"),
    [((), 0, False), (("firewall.nft",), 1, True), (("firewall.nft.copy",), 1, True), (("wants",), 1, True)],
)
def test_the_fallback_closes_no_host_that_never_had_a_table(tmp_path: Path, there: tuple[str, ...], status: int, loads: bool) -> None:
    program = filter_text({"firewall_trusted_interfaces": ["wg1"]}, "xgn-firewall.j2")
    program = program.replace("/etc/systemd/system/sysinit.target.wants/xgn-firewall.service", str(tmp_path / "wants"))
    program = program.replace("/etc/xgn", str(tmp_path)).replace("/usr/sbin/nft", str(tmp_path / "nft"))
    nft = tmp_path / "nft"
    # Each file is broken; what is told on standard input loads.
    nft.write_text(f'#!/bin/sh\nif [ "$2" = - ]; then cat >{tmp_path}/loaded; else exit 1; fi\n', encoding="utf-8")
    nft.chmod(0o755)
    for name in there:
        (tmp_path / name).symlink_to("/nowhere") if name == "wants" else (tmp_path / name).touch()
    assert subprocess.run(["sh", "-c", program], check=False, capture_output=True).returncode == status
    assert (tmp_path / "loaded").exists() == loads


@pytest.mark.parametrize(
    ("result", "table", "runs"),
    [("success", False, False), ("exit-code", True, False), ("exit-code", False, True)],
    ids=["stopped", "fallback", "torn"],
)
def test_the_unit_runs_the_copy_of_its_program_where_that_left_no_table(tmp_path: Path, result: str, table: bool, runs: bool) -> None:
    """As systemd does behind each end, with its word for it (systemd.exec(5), SERVICE_RESULT)."""
    unit = (Path(__file__).resolve().parents[3] / "roles/firewall/templates/xgn-firewall.service.j2").read_text(encoding="utf-8")
    (line,) = [text for text in unit.splitlines() if text.startswith("ExecStopPost=")]
    words = shlex.split(line.removeprefix("ExecStopPost=").replace("$$", "$"))
    nft, copy = tmp_path / "nft", tmp_path / "xgn-firewall.copy"
    nft.write_text(f"#!/bin/sh\nexit {0 if table else 1}\n", encoding="utf-8")
    nft.chmod(0o755)
    copy.write_text(f"touch {tmp_path}/loaded\nexit 1\n", encoding="utf-8")
    script = words[-1].replace("/usr/sbin/nft", str(nft)).replace("/etc/xgn", str(tmp_path))
    subprocess.run(["sh", "-c", script], check=False, env={"SERVICE_RESULT": result, "PATH": "/usr/bin:/bin"})
    assert (tmp_path / "loaded").exists() == runs


def test_what_is_forwarded() -> None:
    values = firewall_values(
        {
            "firewall_trusted_interfaces": ["wg1", "lo"],
            "firewall_ssh_port": 22,
            "firewall_forward": [
                {"vrf": "CORE", "to": ["wg1", "eth1.10"]},
                {"to": ["eth0"]},
                {"vrf": "CORE", "interface": "eth2", "from": ["192.0.2.0/24", "2001:db8::/32"], "to": ["eth0"]},
            ],
        }
    )
    assert values["forwarded"] == [
        'iifname "CORE" meta sdifname @trusted oifname { "wg1", "eth1.10" } accept',
        'iifname @trusted oifname { "eth0" } accept',
        'ip saddr { 192.0.2.0/24 } iifname "CORE" meta sdifname "eth2" oifname { "eth0" } accept',
        'ip6 saddr { 2001:db8::/32 } iifname "CORE" meta sdifname "eth2" oifname { "eth0" } accept',
        'iifname . oifname { "wg1" . "wg1" } accept',
        'iifname . oifname { "eth1.10" . "eth1.10", "eth0" . "eth0", "eth2" . "eth2" } meta iifkind "bridge" accept',
    ]
    assert (values["vrfs"], values["inside"]) == (["CORE"], "@trusted iifname != @vrfs")


def test_the_fallback_is_the_filter_without_the_tunnels() -> None:
    variables: Any = {
        "firewall_trusted_interfaces": ["wg1"],
        "firewall_ssh_from": ["192.0.2.0/24"],
        "firewall_open_ports": [{"protocol": "udp", "port": 51820}],
        "firewall_own_chains": [{"chain": "public", "rules": ["tcp dport 80 accept"]}, {"chain": "forward", "rules": ["counter"]}],
    }
    program = filter_text(variables, "xgn-firewall.j2")
    assert "nft list chain inet xgn public" in program and "chain fallback {" in program
    assert "192.0.2.0/24" in program and "51820" not in program and "own_" not in program and "set trusted {" in program
    # Nothing is filtered, so nothing can be opened.
    assert "chain" not in filter_text({"firewall_own_chains": [{"chain": "output", "rules": ["counter"]}]}, "xgn-firewall.j2")


def test_the_mss_needs_interfaces_and_a_size() -> None:
    assert "mss" not in filter_text({"firewall_tcp_mss": {"ipv4": 1360}})
    assert "mss" not in filter_text({"firewall_tcp_mss_interfaces": ["wg1"]})
    assert filter_text({"firewall_tcp_mss_interfaces": ["wg1"], "firewall_tcp_mss": {"ipv6": 1340}}).count("size set 1340") == 2


def test_sources_are_looked_at_where_a_list_says_so() -> None:
    values = firewall_values(
        {"firewall_strict_interfaces": ["lan1", "lan1"], "firewall_loose_vrfs": ["CORE"], "firewall_loose_interfaces": []}
    )
    assert values["ways"] == {"strict": ["lan1"], "loose_vrfs": ["CORE"]}
    assert values["sources"] == [
        "ip6 saddr fe80::/10 accept",
        "iifname @strict fib saddr . iif oif missing counter drop",
        "iifname @loose_vrfs fib saddr . iif oif missing counter drop",
    ]
    # The default VRF is asked for any route; without a filter, too.
    alone = filter_text({"firewall_loose_interfaces": ["eth0"]})
    assert "iifname @loose fib saddr oif missing counter drop" in alone and "set strict" not in alone and "hook input" not in alone
    assert "fib" not in filter_text({"firewall_trusted_interfaces": ["lo"], "firewall_strict_interfaces": []})
    # The fallback needs as little of the kernel as can be.
    assert "fib" not in filter_text({"firewall_trusted_interfaces": ["lo"], "firewall_strict_interfaces": ["lan1"]}, "xgn-firewall.j2")


def test_vrf_values() -> None:
    assert vrf_values({}) == {"units": [], "online": False, "hooks": []}
    wg = {"name": LONGEST, "unit": f"wg-quick@{LONGEST}.service"}
    ppp = {"name": "l2tp5", "unit": "xl2tpd.service", "dynamic": True}
    interfaces: Any = [ppp, wg, {**wg, "name": "b"}]
    values = vrf_values({"vrf_interfaces": interfaces})
    assert values["units"] == [f"wg-quick@{LONGEST}.service", "xl2tpd.service"]
    assert values["hooks"][0] == {
        "path": f"/etc/systemd/system/wg-quick@{LONGEST}.service.d/90-xgn-interface.conf",
        "content": "# Written by Ansible (xuegao.net.vrf).\n[Service]\n"
        f"ExecStartPost=/usr/local/sbin/xgn-interface apply --interface {LONGEST}\n",
    }
    assert len(values["hooks"]) == 2


@pytest.mark.parametrize(
    ("variables", "online"),
    [
        ({"vrf_interfaces": [{"name": "eth0", "vrf": "CORE"}]}, False),
        ({"vrf_interfaces": [{"name": "eth0", "mtu": 1492}]}, True),
        ({"vrf_interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:01"}]}, True),
        ({"vrf_interfaces": [{"name": "eth0.9", "kind": "vlan", "mtu": 1492}, {"name": "wg1", "unit": "u", "mtu": 1420}]}, False),
        ({"vrf_default_routes": [{"gateway": "192.0.2.1", "interface": "eth0"}]}, True),
        ({"vrf_default_routes": []}, False),
    ],
)
def test_nics_that_are_waited_for(variables: HostVariables, online: bool) -> None:
    assert vrf_values(variables)["online"] == online


def test_kernel_settings() -> None:
    values = sysctl_values({})
    assert len(values) == 9
    assert values["net.ipv4.conf.all.rp_filter"] == "2" and sysctl_values({"sysctl_rp_filter": 0})["net.ipv4.conf.all.rp_filter"] == "0"
    assert (values["net.ipv4.ip_forward"], values["net.ipv6.conf.all.forwarding"], values["net.core.default_qdisc"]) == ("1", "1", "fq")
    own = {"net.ipv4.ip_forward": None, "net.ipv4.tcp_rmem": "4096\t131072  6291456", "net.ipv4.conf.all.accept_local": True}
    values = sysctl_values({"sysctl_ip_forward": False, "sysctl_multipath_hash_policy": 2, "sysctl_settings": own})
    assert "net.ipv4.ip_forward" not in values
    assert values["net.ipv6.conf.all.forwarding"] == "0"
    assert values["net.ipv4.fib_multipath_hash_policy"] == values["net.ipv6.fib_multipath_hash_policy"] == "2"
    assert (values["net.ipv4.tcp_rmem"], values["net.ipv4.conf.all.accept_local"]) == ("4096 131072 6291456", "1")


@pytest.mark.parametrize(("said", "forward"), [("false", "0"), ("no", "0"), ("True", "1"), (False, "0"), (1, "1")])
def test_a_boolean_may_come_as_a_text(said: Any, forward: str) -> None:
    """As with --extra-vars sysctl_ip_forward=false."""
    values = sysctl_values({"sysctl_ip_forward": said})
    assert (values["net.ipv4.ip_forward"], values["net.ipv6.conf.all.forwarding"]) == (forward, forward)


def test_cuts_are_made_in_turn() -> None:
    tunnels: Any = [{"name": "wg1", "port": 51821}, {"name": "ovpn2", "port": 1194}]
    paths: Any = [{"peer": "a", "tunnels": tunnels}, {"peer": "b", "tunnels": tunnels[:1]}]
    cuts = failover_test_values({"failover_test_paths": paths, "failover_test_methods": ["packets", "wire"]})["cuts"]
    assert [(cut["path"]["peer"], cut["tunnel"]["name"], cut["method"]) for cut in cuts] == [
        ("a", "wg1", "packets"),
        ("a", "wg1", "wire"),
        ("a", "ovpn2", "packets"),
        ("a", "ovpn2", "wire"),
        ("b", "wg1", "packets"),
        ("b", "wg1", "wire"),
    ]


def test_a_tunnel_without_what_a_method_takes_hold_of_is_not_cut_by_it() -> None:
    tunnels: Any = [{"name": "gre1"}, {"name": "l2tp2", "unit": "xl2tpd.service"}, {"name": "wg3", "port": 51821}]
    variables: HostVariables = {
        "failover_test_paths": [{"peer": "a", "source": "", "destination": "", "tunnels": tunnels}],
        "failover_test_methods": ["packets", "daemon", "wire"],
    }
    found = [(cut["tunnel"]["name"], cut["method"]) for cut in failover_test_values(variables)["cuts"]]
    assert found == [("gre1", "packets"), ("l2tp2", "packets"), ("l2tp2", "daemon"), ("wg3", "packets"), ("wg3", "wire")]


@pytest.mark.parametrize(
    ("profiles", "detection"),
    [
        ([], 900),
        ([{"name": "plain"}], 900),
        ([{"name": "fast", "receive_interval": 50, "transmit_interval": 100}], 300),
        (
            [
                {"name": "fast", "receive_interval": 50, "transmit_interval": 50, "detect_multiplier": 5},
                {"name": "b", "transmit_interval": 400},
            ],
            1200,
        ),
    ],
)
def test_the_slowest_profile_counts(profiles: Any, detection: int) -> None:
    assert failover_test_values({"frr_bfd_profiles": profiles})["detection_ms"] == detection


# ---- steering, templates -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefixes", ["192.0.2.0/24, 2001:db8::/32", "192.0.2.0/24\n2001:db8::/32\n", ["192.0.2.0/24", "2001:db8::/32"]])
def test_routes_of_a_survey(prefixes: Any) -> None:
    routes = steering_routes(prefixes, {"med": 1, "communities": "65503:1,65503:2", "large_communities": []})
    assert [route["prefix"] for route in routes] == ["192.0.2.0/24", "2001:db8::/32"]
    assert all(
        route["communities"] == ["65503:1", "65503:2"] and route["large_communities"] == [] and route["med"] == 1 for route in routes
    )
    assert steering_routes("", {"med": 1}) == steering_routes([]) == []


def test_what_a_template_misses_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        rendered("l2tp_ipsec", "ppp.j2", {"tunnel": L2TP})


def test_defaults_that_are_templates_are_left_out() -> None:
    found = defaults("frr")
    assert found["frr_log_level"] == "informational"
    assert "frr_hostname" not in found


def test_names_of_wireguard_peers_are_followed_and_addresses_are_not() -> None:
    def interface(name: str, *endpoints: str | None) -> Any:
        peers = [{"name": f"p{number}", **({} if text is None else {"endpoint": text})} for number, text in enumerate(endpoints)]
        return {"name": name, "peers": peers}

    listed = [
        interface("wg1", "192.0.2.1:51820", None),
        interface("wg2", "[2001:db8::1]:51820"),
        interface("wg3", "192.0.2.1:51820", "hq.example.org:51820"),
        interface(LONGEST, "localhost:1"),
        {"name": "wg5"},
    ]
    found = wireguard_values({"wireguard_interfaces": listed})
    assert found == {"named": ["wg3", LONGEST], "units": [{"name": "xgn-wireguard-endpoints.timer", "state": "started", "enabled": True}]}
    assert wireguard_values({}) == wireguard_values({"wireguard_interfaces": listed[:2]}) == {"named": [], "units": []}


# The page of verify, a program, and two whose names are put together.
NOT_NAMED = {
    "dns_anycast/xgn-ssh.service.j2",
    "dns_anycast/xgn-ssh.socket.j2",
    "verify/report.html.j2",
    "vrf/xgn-interface.j2",
}


def test_every_template_that_depends_on_variables_is_rendered_in_the_plan() -> None:
    root = Path(__file__).resolve().parents[3]
    render = root / "plugins" / "plugin_utils" / "render"
    names = "".join(path.read_text(encoding="utf-8") for path in (render / "role_files.py", *(render / "values").glob("*.py")))
    missing = set()
    for path in (root / "roles").glob("*/templates/*.j2"):
        text = path.read_text(encoding="utf-8")
        included = any(path.name in other.read_text(encoding="utf-8") for other in path.parent.glob("*.j2"))
        if ("{{" in text or "{%" in text) and not included and path.name not in names:
            missing.add(f"{path.parts[-3]}/{path.name}")
    assert missing == NOT_NAMED


def test_own_lines_stand_in_their_sections() -> None:
    values = frr_values(
        {
            "frr_lines": [
                {"lines": ["ip nht resolve-via-default"]},
                {"section": ["vrf CORE"], "lines": ["ip protocol bgp route-map X"]},
                {"section": ["router bgp 1", "address-family l2vpn evpn", "vni 100"], "lines": ["rd 1:1", "route-target both 1:1"]},
            ],
            "frr_secrets": {"lan": "spring"},
            "frr_daemons": ["pimd", "bgpd", "pimd"],
        }
    )
    assert values["own_lines"] == [
        "ip nht resolve-via-default",
        "!",
        "vrf CORE",
        " ip protocol bgp route-map X",
        "exit-vrf",
        "!",
        "router bgp 1",
        " address-family l2vpn evpn",
        "  vni 100",
        "   rd 1:1",
        "   route-target both 1:1",
        "  exit-vni",
        " exit-address-family",
        "exit",
        "!",
    ]
    assert values["secrets"] == {"lan": "spring"}
    assert values["daemons"] == ["zebra", "staticd", "bgpd", "pimd"] and values["more_daemons"] == ["pimd"]
    assert values["optional_daemons"]["bgpd"] == "yes"
    assert [item["path"] for item in values["own_files"]][-1] == "/etc/frr/pimd.conf"
    text = dict(rendered_files("r1", {"frr_lines": [{"lines": ["x"]}], "frr_daemons": ["pim6d"]}))["/etc/frr/daemons"]
    assert 'pim6d=yes\npim6d_options="-A ::1"\n' in text


def test_own_chains_stand_beside_those_of_the_role() -> None:
    chains: Any = [{"chain": "public", "rules": ["accept"]}, {"chain": "srcnat", "rules": ["masquerade"]}]
    text = filter_text({"firewall_own_chains": chains, "firewall_trusted_interfaces": ["wg1"]})
    assert text.index("jump own_public") < text.index("        counter drop\n") < text.index("chain own_public {\n        accept\n    }")
    assert "chain own_srcnat {\n        type nat hook postrouting priority srcnat; policy accept;\n        masquerade\n    }" in text
    alone = filter_text({"firewall_own_chains": chains[1:]})
    assert "own_public" not in alone and "hook input" not in alone and "chain own_srcnat" in alone
    assert set(OWN_CHAINS) == set(chain_choices())


def chain_choices() -> list[str]:
    specs = read_yaml((ROOT / "roles" / "firewall" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    found: list[str] = specs["argument_specs"]["main"]["options"]["firewall_own_chains"]["options"]["chain"]["choices"]
    return found
