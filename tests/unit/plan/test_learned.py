"""By which way each node may have what it learns: rows of prefixes, nodes that hold the network together, reserves, containers, restricted neighbors."""

from __future__ import annotations

import random
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.prefix_rows import of_rows
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.learned import Rows
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.propagation import Propagation
from ansible_collections.xuegao.net.plugins.plugin_utils.render.yaml_text import yaml_text

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NETWORKS = sorted(path.parent.name for path in GOLDEN.glob("*/intent.yml"))


def plan_of(*links: tuple[str, str], reserve: int = 0, **more: Any) -> Plan:
    """Plan nodes with a network each, joined by WireGuard links; the last one may be the reserve of another."""
    names = sorted({name for pair in links for name in pair})
    raw: dict[str, Any] = {
        "xgn_pools": {
            "links": {"ipv4": "10.254.0.0/16"},
            "loopbacks": {"ipv4": "10.255.0.0/16"},
            "networks": {"ipv4": "10.64.0.0/16", "ipv4_prefix": 24},
        },
        "xgn_nodes": {
            name: {
                "id": number,
                "asn": 65000 + number,
                "uplink": {"device": "eth0", "address": f"192.0.2.{number}/24"},
                "networks": {"br0": {"kind": "bridge"}},
            }
            for number, name in enumerate(names, 1)
        },
        "xgn_links": [{"id": number, "type": "wireguard", "ends": list(pair)} for number, pair in enumerate(links, 1)],
    }
    if reserve:
        raw["xgn_links"][-1]["reserve_of"] = reserve
        raw["xgn_links"][-1]["type"] = "openvpn"
    for name, values in more.items():
        raw["xgn_nodes"][name] |= values
    return make_plan(raw)


def learned(plan: Plan, host: str) -> dict[tuple[str, ...], list[str]]:
    """Return what a host learns by interfaces; a reserve has a sign."""
    return {
        (*entry["interfaces"], *(f"({name})" for name in entry.get("reserves", []))): entry["prefixes"]
        for entry in plan.hosts[host].get("verify_learned", [])
    }


def test_a_chain_falls_apart_at_each_inner_node() -> None:
    plan = plan_of(("a", "b"), ("b", "c"), ("c", "d"))
    assert learned(plan, "a") == {("wg1",): ["10.64.2.0/24-10.64.4.0/24"]}
    assert learned(plan, "b") == {("wg1",): ["10.64.1.0/24"], ("wg2",): ["10.64.3.0/24-10.64.4.0/24"]}
    assert learned(plan, "c") == {("wg2",): ["10.64.1.0/24-10.64.2.0/24"], ("wg3",): ["10.64.4.0/24"]}


def test_in_a_ring_everything_may_come_from_either_side() -> None:
    plan = plan_of(("a", "b"), ("b", "c"), ("c", "a"))
    assert learned(plan, "b") == {("wg1", "wg2"): ["10.64.1.0/24", "10.64.3.0/24"]}


def test_a_ring_that_hangs_on_a_node() -> None:
    plan = plan_of(("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"))
    assert learned(plan, "b") == {("wg1",): ["10.64.1.0/24"], ("wg2", "wg4"): ["10.64.3.0/24-10.64.4.0/24"]}
    assert learned(plan, "c") == {("wg2", "wg3"): ["10.64.1.0/24-10.64.2.0/24", "10.64.4.0/24"]}


def test_a_reserve_is_another_way() -> None:
    plan = plan_of(("a", "b"), ("b", "c"), ("a", "b"), reserve=1)
    assert learned(plan, "a") == {("wg1", "(ovpn3)"): ["10.64.2.0/24-10.64.3.0/24"]}
    assert learned(plan, "b") == {("wg1", "(ovpn3)"): ["10.64.1.0/24"], ("wg2",): ["10.64.3.0/24"]}


def test_a_restricted_neighbor_brings_only_what_lies_behind_it() -> None:
    """b and d join a and c; of d nothing is accepted but its own."""
    plan = plan_of(("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), d={"trusted": False})
    assert learned(plan, "a") == {("wg1",): ["10.64.2.0/24-10.64.3.0/24"], ("wg1", "wg4"): ["10.64.4.0/24"]}


def test_a_hub_says_each_site_in_a_few_words_and_each_site_all_others_in_one_row() -> None:
    size = 200
    plan = plan_of(*(("hub", f"site{number}") for number in range(1, size)))
    hub, site = plan.hosts["hub"]["verify_learned"], plan.hosts["site7"]["verify_learned"]
    assert len(hub) == size - 1
    assert len(yaml_text({"verify_learned": hub})) < 70 * size
    assert len(site) == 1
    assert len(yaml_text({"verify_learned": site})) < 200
    assert len(list(of_rows(site[0]["prefixes"]))) == size - 1


@pytest.mark.parametrize("network", NETWORKS)
def test_every_published_prefix_is_asked_for_once_at_everybody_who_learns_it(network: str) -> None:
    """What is told by way is what `Propagation` says, with the loopbacks that OSPF brings, and without what static routes hold."""
    plan = make_plan(read_yaml((GOLDEN / network / "intent.yml").read_text(encoding="utf-8")))
    propagation = Propagation(plan.intent)
    for host, variables in plan.hosts.items():
        asked = [(entry.get("vrf", ""), prefix) for entry in variables.get("verify_learned", []) for prefix in of_rows(entry["prefixes"])]
        assert len(asked) == len(set(asked)), host
        statics = {(item.get("vrf", ""), item["prefix"]) for item in variables.get("frr_static_routes", [])}
        published = {(vrf, str(prefix)) for (name, vrf), routes in propagation.items() if name == host for prefix in routes} - statics
        assert published <= set(asked), host
        loopbacks = {str(item.prefix) for node in plan.intent.nodes.values() for item in node.loopback.values()}
        assert {prefix for _vrf, prefix in set(asked) - published} <= loopbacks, host
        assert all(entry["interfaces"] or entry.get("reserves") for entry in variables.get("verify_learned", [])), host


def test_rows_without_some() -> None:
    rows = Rows(
        map(parse_prefix, ["10.0.3.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.5.0/24", "10.0.0.0/25", "fd00:1::/64", "fd00:1:0:1::/64"])
    )
    assert rows.texts == ["10.0.1.0/24-10.0.3.0/24", "10.0.5.0/24", "10.0.0.0/25", "fd00:1::/64-fd00:1:0:1::/64"]
    assert rows.without([]) == rows.texts
    assert rows.without(map(parse_prefix, ["10.0.2.0/24", "10.0.2.0/24", "10.0.4.0/24", "10.0.1.0/25"])) == [
        *("10.0.1.0/24", "10.0.3.0/24", "10.0.5.0/24", "10.0.0.0/25", "fd00:1::/64-fd00:1:0:1::/64")
    ]
    assert rows.without(map(parse_prefix, ["10.0.1.0/24", "10.0.3.0/24", "10.0.5.0/24", "fd00:1:0:1::/64"])) == [
        *("10.0.2.0/24", "10.0.0.0/25", "fd00:1::/64")
    ]


def test_rows_lose_nothing_and_invent_nothing() -> None:
    chance = random.Random(16)
    pool = list(ip_network("10.0.0.0/20").subnets(new_prefix=26)) + list(ip_network("fd00::/58").subnets(new_prefix=64))
    for _try in range(50):
        some = chance.sample(pool, chance.randrange(1, len(pool)))
        taken = chance.sample(pool, chance.randrange(len(pool)))
        rows = Rows(parse_prefix(str(item)) for item in some).without(parse_prefix(str(item)) for item in taken)
        assert sorted(of_rows(rows)) == sorted(str(item) for item in set(some) - set(taken))
        assert {FAMILY[parse_prefix(row.partition("-")[0]).version] for row in rows} <= set(FAMILY.values())
