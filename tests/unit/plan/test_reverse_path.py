"""Where the plan has the source of packets looked at: by their one way, routed, or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

GOLDEN = Path(__file__).parents[2] / "golden"
NETWORKS = sorted(path.parent.name for path in GOLDEN.glob("*/intent.yml"))
INTENT: dict[str, Any] = {
    "xgn_pools": {"links": {"ipv4": "10.254.0.0/24"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
    "xgn_vrfs": {"CORE": {"table": 200}, "OTHER": {"table": 201}},
    "xgn_nodes": {
        "a": {
            "id": 1,
            "asn": 65001,
            "uplink": {"device": "eth0", "address": "192.0.2.1/24"},
            "networks": {
                "lan0": {"id": 0, "address": "10.1.0.1/24", "address6": "fd01::1/64"},
                "lan1": {"id": 1, "address": "10.2.0.1/24", "vrf": "CORE", "published": False},
                "lan2": {"id": 2, "address": "10.3.0.1/24", "vrf": "OTHER", "published": False},
            },
        },
        "b": {"id": 2, "asn": 65002, "uplink": {"device": "eth0", "address": "192.0.2.2/24"}},
    },
    "xgn_links": [
        {"id": 1, "type": "wireguard", "ends": ["a", "b"]},
        {"id": 2, "type": "openvpn", "ends": ["a", "b"], "reserve_of": 1},
        {
            "id": 7,
            "type": "wireguard",
            "ends": [{"node": "a", "listen_port": 51000}, {"node": "b", "listen_port": 51000}],
            "vrf": "CORE",
            "routing": "none",
        },
    ],
}


def looked_at(raw: dict[str, Any], node: str = "a") -> tuple[list[str], list[str], list[str]]:
    """Return what is strict, what is loose, and the VRFs that are."""
    variables: Mapping[str, Any] = make_plan(raw).hosts[node]
    names = ("firewall_strict_interfaces", "firewall_loose_interfaces", "firewall_loose_vrfs")
    strict, loose, vrfs = (list(variables.get(name, [])) for name in names)
    return strict, loose, vrfs


def test_lans_have_one_way_and_the_rest_is_routed() -> None:
    assert looked_at(INTENT) == (["lan0", "lan1", "lan2"], ["wg1", "ovpn2", "eth0"], ["CORE", "OTHER"])
    assert looked_at(INTENT, "b") == ([], ["wg1", "ovpn2", "eth0"], ["CORE"])


def test_nothing_where_there_is_no_filter() -> None:
    assert looked_at({**INTENT, "xgn_firewall": {"enabled": False}}) == ([], [], [])


def test_no_tunnel_link_or_uplink_is_strict_anywhere_and_each_name_stands_once() -> None:
    for name in NETWORKS:
        plan = make_plan(read_yaml((GOLDEN / name / "intent.yml").read_text(encoding="utf-8")))
        for node in plan.hosts:
            variables: Mapping[str, Any] = plan.hosts[node]
            strict, loose, vrfs = (variables.get(f"firewall_{key}", []) for key in ("strict_interfaces", "loose_interfaces", "loose_vrfs"))
            tunnels = {entry["name"] for kind in TUNNELS for entry in entries_of(plan.hosts[node], kind.variable)}
            routes = {route.get("interface") for route in variables.get("vrf_default_routes", [])}
            assert not (tunnels | routes) & set(strict), (name, node)
            assert len({*strict, *loose, *vrfs}) == len([*strict, *loose, *vrfs]), (name, node)
            homes = {item["name"]: item.get("vrf") for item in variables.get("vrf_interfaces", [])}
            assert not any(homes.get(interface) for interface in loose), (name, node)


def test_what_may_be_steered_comes_another_way_than_it_goes() -> None:
    plan = make_plan(read_yaml((GOLDEN / "hybrid" / "intent.yml").read_text(encoding="utf-8"))).hosts
    # 10.40.0.0/24 is steered, and the return path leads from one VRF of the router into another one.
    assert "firewall_strict_interfaces" not in plan["cloud-node"]
    assert plan["hq-core"]["firewall_loose_vrfs"] == ["CORE"] and len(plan["hq-core"]["vrf_vrfs"]) == 2
    assert plan["hq-nfv"]["firewall_strict_interfaces"] == ["eth1.10"]
