"""Routes that a person wants, exits and leaks: what the plan makes of them."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

GATEWAY = "198.51.100.254"


def intent(**more: Any) -> dict[str, Any]:
    """Return two sites in a VRF with a second one for guests, and what a test adds."""
    site = {"networks": {"br0": {"kind": "bridge"}, "br9": {"id": 1, "kind": "bridge", "vrf": "GUEST"}}}
    uplink = {"device": "eth0", "gateway": GATEWAY}
    nodes = {
        name: {"id": number, "vrf": "CORE", "uplink": {**uplink, "address": f"198.51.100.{number}/24"}, **site}
        for number, name in enumerate(("a", "b"), 1)
    }
    return {
        "xgn_pools": {
            "links": {"ipv4": "10.254.0.0/20"},
            "loopbacks": {"ipv4": "10.255.0.0/24"},
            "networks": {"ipv4": "10.0.0.0/16", "ipv4_prefix": 24, "per_node": 2},
        },
        "xgn_vrfs": {"CORE": {"table": 200}, "GUEST": {"table": 210}},
        "xgn_bgp": {"asn_base": 64512},
        "xgn_nodes": nodes,
        "xgn_links": [{"id": 1, "type": "wireguard", "ends": ["a", "b"]}],
        **more,
    }


def host(name: str, **more: Any) -> HostVariables:
    """Return the variables of a host of that network."""
    return make_plan(intent(**more)).hosts[name]


def maps(variables: HostVariables) -> dict[str, Any]:
    """Return the route maps by name."""
    return {item["name"]: item["entries"] for item in variables["frr_route_maps"]}


def sources(variables: HostVariables, vrf: str) -> list[tuple[str, str]]:
    """Return source and route map of what a BGP instance takes from elsewhere."""
    instance = next(item for item in variables["frr_bgp"] if item.get("vrf") == vrf)
    return [(item["source"], item["route_map"]) for item in instance.get("redistribute", [])]


def test_an_exit_leads_from_its_vrf_into_that_of_the_uplink_and_back_by_a_mark() -> None:
    found = host("a", xgn_exits={"first": {"node": "a"}})
    default = {"vrf": "CORE", "prefix": "0.0.0.0/0", "next_hop": GATEWAY, "interface": "eth0", "next_hop_vrf": "default"}
    assert default in found["frr_static_routes"]
    assert sources(found, "CORE") == [("static", "EXITS")]
    assert [entry.get("set") for entry in maps(found)["EXITS"]] == [None, None]
    assert found["firewall_nat"] == [{"vrf": "CORE", "interface": "eth0", "mark": 200}]
    assert {"name": "CORE", "table": 200, "fwmark": 200} in found["vrf_vrfs"]
    assert "eth0" in next(item["to"] for item in found["firewall_forward"] if item.get("vrf") == "CORE")
    assert "CORE" not in found.get("firewall_loose_vrfs", [])


def test_an_exit_of_another_vrf_over_the_same_uplink_translates_only_what_it_is_told_to() -> None:
    found = host("a", xgn_exits={"first": {"node": "a"}, "guests": {"node": "a", "vrf": "GUEST", "nat": ["ipv6"]}})
    assert found["firewall_nat"] == [
        {"vrf": "CORE", "interface": "eth0", "mark": 200},
        {"vrf": "GUEST", "interface": "eth0", "mark": 210, "families": ["ipv6"]},
    ]


def test_a_reserve_believes_whoever_else_has_an_exit() -> None:
    found = host("b", xgn_exits={"first": {"node": "a"}, "second": {"node": "b", "reserve_of": "first"}})
    assert [item["distance"] for item in found["frr_static_routes"] if item["prefix"] == "0.0.0.0/0"] == [210]
    assert sources(found, "CORE") == [("static", "EXITS-IN-RESERVE")]
    assert [entry["set"] for entry in maps(found)["EXITS-IN-RESERVE"]] == [["local-preference 0", "weight 0"]] * 2


def test_the_reserve_of_a_nodes_own_exit_stands_behind_it_alone() -> None:
    nodes = intent()["xgn_nodes"]
    nodes["a"]["uplinks"] = {"lte": {"device": "ppp0", "address": "203.0.113.1/32"}}
    exits = {"first": {"node": "a"}, "second": {"node": "a", "uplink": "lte", "reserve_of": "first"}}
    found = host("a", xgn_nodes=nodes, xgn_exits=exits)
    defaults = [item for item in found["frr_static_routes"] if item["prefix"] == "0.0.0.0/0"]
    assert [(item.get("next_hop"), item["interface"], item.get("distance")) for item in defaults] == [
        (GATEWAY, "eth0", None),
        (None, "ppp0", 210),
    ]
    assert sources(found, "CORE") == [("static", "EXITS")]


def test_a_leak_leads_through_the_device_of_the_other_vrf_and_is_advertised_there() -> None:
    leaks = [
        {"node": "a", "from": "CORE", "to": "GUEST", "prefixes": ["10.0.2.0/24"]},
        {"node": "a", "from": "GUEST", "to": "CORE", "prefixes": ["10.0.3.0/24"]},
    ]
    found = host("a", xgn_leaks=leaks)
    assert {"vrf": "GUEST", "prefix": "10.0.2.0/24", "interface": "CORE", "next_hop_vrf": "CORE"} in found["frr_static_routes"]
    assert "10.0.3.0/24" in next(item["networks"] for item in found["frr_bgp"] if item.get("vrf") == "CORE")
    assert {item.get("vrf"): item["to"][-1] for item in found["firewall_forward"]} == {"CORE": "GUEST", "GUEST": "CORE"}


def test_a_published_route_comes_into_ospf_by_a_route_map_of_its_own() -> None:
    sites: dict[str, Any] = {"xgn_sites": {"hq": {"igp": "ospf"}}}
    nodes = intent()["xgn_nodes"]
    for node in nodes.values():
        node["site"] = "hq"
    routes = [
        {"node": "a", "prefix": "192.0.2.0/24", "blackhole": True, "published": True},
        {"node": "a", "prefix": "203.0.113.0/24", "blackhole": True},
    ]
    found = host("a", **sites, xgn_nodes=nodes, xgn_routes=routes)
    assert [item["redistribute"] for item in found["frr_ospf"]] == [[{"source": "static", "route_map": "ROUTES-CORE"}]]
    lines = {item["name"]: [line["prefix"] for line in item["entries"]] for item in found["frr_prefix_lists"]}
    assert lines["ROUTES-CORE"] == ["192.0.2.0/24"]
    assert "192.0.2.0/24" in lines["PUBLISHED"]
    assert "203.0.113.0/24" not in lines["PUBLISHED"]


def test_what_a_restricted_node_has_of_its_own_includes_its_routes() -> None:
    nodes = intent()["xgn_nodes"]
    nodes["a"]["trusted"] = False
    found = host("b", xgn_nodes=nodes, xgn_routes=[{"node": "a", "prefix": "192.0.2.0/24", "blackhole": True, "published": True}])
    lines = {item["name"]: [line["prefix"] for line in item["entries"]] for item in found["frr_prefix_lists"]}
    assert "192.0.2.0/24" in lines["FROM-wg1"]
