# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which node learns which published prefix, and why one does not."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan, check_intent, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.propagation import Propagation, learned
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rules.propagation import propagation_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import parts
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.containers import container_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import context_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.frr import frr_variables
from frr_simulation import Frr
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden"
Links = list[tuple[str, str, dict[str, Any]]]


def network(nodes: Mapping[str, Mapping[str, Any]], links: Sequence[tuple[str, str, Mapping[str, Any]]], **more: Any) -> dict[str, Any]:
    """Return an intent: each node with a network 10.ID.0.0/24, links by their ends."""
    return {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_nodes": {
            name: {
                "id": number,
                "asn": 64512 + number,
                "uplink": {"device": "eth0", "address": f"198.51.100.{number}/24"},
                "networks": {"br0": {"kind": "bridge", "address": f"10.{number}.0.1/24"}},
                **extra,
            }
            for number, (name, extra) in enumerate(nodes.items(), 1)
        },
        "xgn_links": [
            {"id": number, "type": "wireguard", "ends": [one, two], **extra} for number, (one, two, extra) in enumerate(links, 1)
        ],
        **more,
    }


def of(raw: dict[str, Any]) -> Propagation:
    return learned(check_intent(raw)[0])


def table(found: Propagation, name: str, vrf: str = "") -> dict[str, tuple[tuple[str, ...], str | None]]:
    return {str(prefix): (route.origins, route.protocol) for prefix, route in found[name, vrf].items()}


def gaps(found: Propagation) -> set[tuple[str, str, str, str, str]]:
    return {(str(gap.prefix), gap.learner, gap.reason, gap.holder, gap.beyond) for gap in found.gaps()}


def test_a_chain_of_ases() -> None:
    found = of(network({"a": {}, "b": {}, "c": {}}, [("a", "b", {}), ("b", "c", {})]))
    assert table(found, "a") == {"10.2.0.0/24": (("b",), "bgp"), "10.3.0.0/24": (("c",), "bgp")}
    assert gaps(found) == set()


def test_spokes_of_one_as_need_a_reflector() -> None:
    spokes = {"hub": {"asn": 65000}, "b": {"asn": 65000}, "c": {"asn": 65000}}
    links: Links = [("hub", "b", {}), ("hub", "c", {})]
    found = of(network(spokes, links))
    assert table(found, "b") == {"10.1.0.0/24": (("hub",), "bgp")}
    assert gaps(found) == {("10.2.0.0/24", "c", "reflector", "hub", "c"), ("10.3.0.0/24", "b", "reflector", "hub", "b")}
    assert not gaps(of(network({**spokes, "hub": {"asn": 65000, "route_reflector": True}}, links)))


def test_transit_between_two_borders_of_a_site() -> None:
    """A neighbor of one border learns what a neighbor of the other advertises, through a router that speaks OSPF alone."""
    site = {"site": "hq", "asn": 65000}
    nodes = {"west": {}, "left": site, "inner": site, "right": site, "east": {}}
    links: Links = [("west", "left", {}), ("left", "inner", {}), ("inner", "right", {}), ("right", "east", {})]
    found = of(network(nodes, links, xgn_sites={"hq": {"igp": "ospf"}}))
    assert gaps(found) == set()
    assert table(found, "east") == {f"10.{number}.0.0/24": ((name,), "bgp") for number, name in enumerate(nodes, 1) if name != "east"}
    assert table(found, "inner")["10.1.0.0/24"] == (("west",), "ospf")
    assert table(found, "left")["10.5.0.0/24"] == (("east",), None)
    assert table(found, "left")["10.3.0.0/24"] == (("inner",), "ospf")


def test_two_borders_without_a_common_as() -> None:
    nodes = {"west": {}, "left": {"site": "hq"}, "right": {"site": "hq"}, "east": {}}
    found = of(network(nodes, [("west", "left", {}), ("left", "right", {}), ("right", "east", {})], xgn_sites={"hq": {"igp": "ospf"}}))
    assert gaps(found) == {("10.1.0.0/24", "east", "borders", "right", "east"), ("10.4.0.0/24", "west", "borders", "left", "west")}


def planned(raw: dict[str, Any]) -> tuple[Plan, bool]:
    """Return the plan of an intent, whatever its rules find, and whether they find nothing."""
    intent, problems = check_intent(raw)
    shared = context_of(intent)
    hosts = {node.name: {**frr_variables(node, shared)} for node in intent.nodes.values()}
    hosts |= {item.name: {**container_variables(item, shared)} for item in intent.containers}
    return Plan(hosts, {}, intent, {}), not problems  # type: ignore[arg-type]


def compare(plan: Plan) -> None:
    """Hold what the plan says of its routes to what FRR makes of its variables."""
    frr, found = Frr(plan), learned(plan.intent)
    published = {str(prefix) for key in found for prefix in found[key]}
    for host, vrf in {*frr.table, *found}:
        here = found.get((host, vrf), {})
        there = {prefix: protocol for prefix, protocol in frr.learned(host, vrf).items() if prefix in published}
        assert {str(prefix) for prefix in here} == set(there), (host, vrf)
        for prefix, route in here.items():
            if route.protocol is not None:
                assert route.protocol.removesuffix("6") == there[str(prefix)], (host, vrf, str(prefix))


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GOLDEN.glob("*/intent.yml")))
def test_golden_networks_do_what_the_plan_says(name: str) -> None:
    plan = make_plan(read_yaml((GOLDEN / name / "intent.yml").read_text(encoding="utf-8")))
    compare(plan)
    assert not list(learned(plan.intent).gaps())


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Return a network of up to seven nodes in up to three ASes and two sites, some of which speak OSPF, with some reflectors and preferences."""
    size = draw(st.integers(2, 7))
    sites = {name: {"asn": 65000 + number, "igp": "ospf"} for number, name in enumerate(("one", "two"))}
    nodes: dict[str, dict[str, Any]] = {}
    for number in range(size):
        site = draw(st.sampled_from((None, None, "one", "two")))
        own = {"site": site} if site else {"asn": draw(st.sampled_from((65000, 65002, 65010 + number)))}
        nodes[f"n{number}"] = {**own, "route_reflector": draw(st.booleans())}
    pairs = draw(st.lists(st.sampled_from(list(itertools.combinations(nodes, 2))), min_size=1, max_size=10, unique=True))
    links: Links = []
    for pair in pairs:
        extra: dict[str, Any] = draw(st.sampled_from(({}, {}, {"session": "link"}, {"preference": 150})))
        if draw(st.integers(0, 5)) == 0:
            extra = {**extra, "routing": "bgp"}
        links.append((*pair, {} if "preference" in extra else extra))
    return network(nodes, links, xgn_sites=sites)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_what_the_plan_says_of_its_routes_is_what_the_routers_make_of_it(raw: dict[str, Any]) -> None:
    plan, accepted = planned(raw)
    if accepted:
        compare(plan)
    event("accepted" if accepted else "refused")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_what_is_refused_is_broken(raw: dict[str, Any]) -> None:
    """A gap is one in FRR's tables, too, and where there is none, everybody has everything that links lead to."""
    plan, _accepted = planned(raw)
    mixed = any("both are borders" in str(problem) for problem in propagation_problems(plan.intent))
    if mixed:
        return
    frr = Frr(plan)
    told = {(gap.learner, str(gap.prefix)) for gap in learned(plan.intent).gaps()}
    joined = parts(plan.intent.nodes.values(), [(link.ends[0].node.name, link.ends[1].node.name) for link in plan.intent.links])
    for part in joined:
        prefixes = {f"10.{node.id}.0.0/24": node.name for node in part} if len(part) > 1 else {}
        for node in part:
            missing = {prefix for prefix, origin in prefixes.items() if origin != node.name} - set(frr.learned(node.name, ""))
            assert missing == {prefix for name, prefix in told if name == node.name}
