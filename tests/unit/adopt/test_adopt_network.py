"""Several hosts as the beginning of an intent: a plan of it has the same interfaces with the same addresses, ports and peers."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from adopt_samples import GOLDEN, address, conf_of, link, made_from
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.host import describe
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.network import Router, contradictions, describe_network, router_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan


def key_of(host: str, interface: str) -> str:
    return base64.b64encode(hashlib.sha256(f"{host} {interface}".encode()).digest()).decode()


def hosts_of(network: str) -> dict[str, Any]:
    """The planned variables of a golden network, each peer with its key."""
    found = {}
    for path in sorted((GOLDEN / network / "expected").glob("*/variables.yml")):
        variables = found[path.parent.name] = read_yaml(path.read_text(encoding="utf-8"))
        for entry in variables.get("wireguard_interfaces", []):
            for peer in entry["peers"]:
                peer.setdefault("public_key", key_of(peer["name"], peer.get("interface", entry["name"])))
    return found


def routers_of(network: str) -> dict[str, Router]:
    intent = read_yaml((GOLDEN / network / "intent.yml").read_text(encoding="utf-8"))
    routers = {}
    for host, variables in hosts_of(network).items():
        state = made_from(variables)
        for name, live in state["wireguard"]["data"].items():
            live["public_key"] = key_of(host, name)
        state["frr_configuration"]["data"] = {"running": conf_of(network, host), "daemons": []}
        uplink = intent["xgn_nodes"][host].get("uplink")
        if uplink:
            nic = link(
                90, addresses=[address(uplink[key]) for key in ("address", "address6") if key in uplink], mtu=uplink.get("mtu", 1500)
            )
            state["links"]["data"][uplink["device"]] = nic
            route = {"prefix": "0.0.0.0/0", "type": "unicast", "protocol": "dhcp", "dev": [uplink["device"]], "via": ["192.0.2.254"]}
            state["routes"]["data"] += [{**route, "table": 254}, {**route, "table": 255, "dev": ["lo"]}]
        routers[host] = router_of(state, describe(state))
    return routers


def told(variables: Any) -> Any:
    """What a description can bring back of a plan: interfaces, their addresses, ports and peers, AS and tables."""
    tunnels = {
        entry["name"]: (entry.get("listen_port"), entry["mtu"], [peer["name"] for peer in entry["peers"]])
        for entry in variables.get("wireguard_interfaces", [])
    }
    addresses = {entry["name"]: entry["addresses"] for entry in variables.get("frr_interfaces", [])}
    instances = [(instance["asn"], instance.get("vrf"), instance["router_id"]) for instance in variables.get("frr_bgp", [])]
    neighbors = {(item["address"], item["remote_as"]) for instance in variables.get("frr_bgp", []) for item in instance["neighbors"]}
    return tunnels, addresses, instances, neighbors, variables.get("vrf_vrfs")


@pytest.mark.parametrize("network", ["t1_t2", "full_mesh", "slash31", "two_vrfs", "ecmp", "ipv6_only", "dual_stack"])
def test_a_plan_of_what_is_described_has_the_same_interfaces(network: str) -> None:
    plan = make_plan(describe_network(routers_of(network)))
    for host, variables in hosts_of(network).items():
        assert told(plan.hosts[host]) == told(variables), host


def test_of_several_links_between_two_nodes_the_first_carries_the_session_of_the_loopbacks() -> None:
    links = describe_network(routers_of("gre"))["xgn_links"]
    between = [item for item in links if [end["node"] for end in item["ends"]] == ["a", "b"]]
    assert [item.get("session") for item in between if item["routing"] == "bgp"].count("loopback") == 1
    assert any(item["type"] == "gre" and item["key"] == 4294967295 and item["ends"][0]["interface"] == "gre1" for item in between)


def router(**variables: Any) -> Router:
    return Router(variables, {}, {})


def test_a_host_that_says_little_makes_a_node_of_its_own() -> None:
    alone = router(
        frr_interfaces=[
            {"name": "lo", "addresses": ["192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128"]},
            {"name": "eth1", "addresses": ["198.51.100.1/24", "198.51.100.2/24", "fe80::1/64"]},
            {"name": "eth2", "addresses": ["fe80::2/64", "300.1.1.1/24"]},
        ],
        frr_bgp=[{"asn": 65001, "router_id": "192.0.2.9", "neighbors": []}],
    )
    assert describe_network({"r1": alone, "r2": router()}) == {
        "xgn_nodes": {
            # Of two loopbacks nobody knows which one it is.
            "r1": {
                "id": 1,
                "asn": 65001,
                "router_id": "192.0.2.9",
                "loopback": {"ipv6": "2001:db8::1"},
                "networks": {"eth1": {"address": "198.51.100.1/24"}},
            },
            "r2": {"id": 2},
        }
    }
    assert describe_network({}) == {}


def test_what_hosts_say_differently_and_an_intent_says_once_is_named() -> None:
    one, other = ({"vrf_vrfs": [{"name": "CORE", "table": table}, {"name": "NFV", "table": 7}]} for table in (10, 200))
    assert contradictions({"a": router(**one), "b": router(**other), "c": router(**one)}) == [
        "VRF CORE has table 10 on a and 200 on b; an intent has one, so describe these hosts without"
    ]
    assert contradictions({"a": router(**one), "b": router()}) == []


def test_tunnels_that_do_not_know_each_other_are_no_link() -> None:
    one, other = routers_of("t1_t2").values()
    stranger = Router(other.variables, {"wg0": key_of("somebody", "wg0")}, other.uplink)
    assert "xgn_links" not in describe_network({"T1": one, "T2": stranger})
    (entry,) = one.variables["wireguard_interfaces"]
    crowded = {**one.variables, "wireguard_interfaces": [{**entry, "peers": entry["peers"] * 2}]}
    assert "xgn_links" not in describe_network({"T1": Router(crowded, one.public_keys, one.uplink), "T2": other})
