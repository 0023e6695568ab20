# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds for every network: disjoint, stable, symmetric, never larger than its underlay, and accepted by the roles."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import LAYERS, fit
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.ids import missing_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_links import triangle
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, Plan, check_intent, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, variable_problems
from hypothesis import given, settings
from hypothesis import strategies as st

SPECS = load_role_specs(Path(__file__).parents[3] / "roles")
QUIET = settings(max_examples=40)
# Without a key, and with the smallest and the largest.
_KEYS: tuple[dict[str, Any], ...] = ({}, {"key": 0}, {"key": 4294967295})


@st.composite
def intents(draw: st.DrawFn) -> dict[str, Any]:
    """A connected network of 2 to 7 nodes in a VRF: a tree of WireGuard links, reserves, perhaps a mesh, IPv4, IPv6 or both."""
    ids = draw(st.lists(st.integers(1, 200), min_size=2, max_size=7, unique=True))
    families = draw(st.sampled_from((("ipv4",), ("ipv6",), ("ipv4", "ipv6"))))
    pools = {
        "links": {"ipv4": "10.128.0.0/12", "ipv6": "fd00:254::/64"},
        "loopbacks": {"ipv4": "10.255.0.0/16", "ipv6": "fd00:255::/64"},
        "networks": {"ipv4": "10.64.0.0/12", "ipv6": "fd00:64::/40"},
    }
    raw: dict[str, Any] = {
        "xgn_pools": {name: {family: pool[family] for family in families} for name, pool in pools.items()},
        "xgn_vrfs": {"CORE": {"table": 200}},
        "xgn_bgp": {"asn_base": 4200000000},
        "xgn_firewall": {},
        "xgn_nodes": {},
        "xgn_links": [],
    }
    raw["xgn_pools"]["links"]["ipv4_prefix"] = draw(st.sampled_from((30, 31)))
    for position, number in enumerate(ids):
        uplink = {"device": "eth0", "address": f"198.51.{number}.1/24", "mtu": draw(st.sampled_from((1492, 1500, 2000, 9000)))}
        if position and draw(st.booleans()):
            uplink["nat"] = True
        node: dict[str, Any] = {"id": number, "vrf": "CORE", "uplink": uplink}
        if draw(st.booleans()):
            node["networks"] = {"lan0": {"kind": "bridge"}}
        raw["xgn_nodes"][f"n{number}"] = node
    names = list(raw["xgn_nodes"])
    callable_ones = [name for name in names if "nat" not in raw["xgn_nodes"][name]["uplink"]]
    link_ids = draw(st.lists(st.integers(0, 60000), min_size=2 * len(names), max_size=2 * len(names), unique=True))
    for position, name in enumerate(names[1:]):
        other = draw(st.sampled_from([item for item in callable_ones if names.index(item) <= position]))
        number = link_ids.pop()
        raw["xgn_links"].append({"id": number, "type": "wireguard", "ends": [other, name]})
        if draw(st.booleans()):
            reserve = draw(st.sampled_from(("openvpn", "vxlan", "gre")))
            extra: dict[str, Any] = {"reserve_of": number}
            own = link_ids.pop()
            if reserve == "gre" and not own:
                # The kernel has a gre0 of its own.
                reserve = "vxlan"
            if reserve != "openvpn":
                # It needs an address at both ends; inside the tunnel it has them.
                extra = {"over": number, "routing": "none"} | ({"vni": 1 + number} if reserve == "vxlan" else draw(st.sampled_from(_KEYS)))
            raw["xgn_links"].append({"id": own, "type": reserve, "ends": [other, name], **extra})
    return raw


def subnets(plan: Plan) -> list[tuple[int, int]]:
    return [
        (prefix.value, prefix.last) for link in plan.intent.links for prefix in {a.prefix for e in link.ends for a in e.addresses.values()}
    ]


def facts(plan: Plan) -> dict[int, Any]:
    """What a link is, by id."""
    return {
        link.id: (
            link.mtu,
            [(end.node.name, end.interface, end.listen_port, end.endpoint, sorted(end.addresses.items())) for end in link.ends],
        )
        for link in plan.intent.links
    }


@QUIET
@given(intents())
def test_subnets_are_disjoint_and_ends_belong_together(raw: dict[str, Any]) -> None:
    plan = make_plan(raw)
    ranges = sorted(subnets(plan))
    assert all(one[1] < two[0] for one, two in itertools.pairwise(ranges))
    for link in plan.intent.links:
        first, second = link.ends
        for family in link.families:
            assert first.addresses[family].prefix == second.addresses[family].prefix
            assert first.addresses[family] != second.addresses[family]


@QUIET
@given(intents())
def test_both_ends_tell_the_same_story(raw: dict[str, Any]) -> None:
    plan = make_plan(raw)
    for host, variables in plan.hosts.items():
        for interface in variables.get("wireguard_interfaces", []):
            (peer,) = interface["peers"]
            (mirror,) = [item for item in plan.hosts[peer["name"]]["wireguard_interfaces"] if item["peers"][0]["name"] == host]
            assert mirror["mtu"] == interface["mtu"]
            assert mirror["peers"][0].get("interface", mirror["name"]) == interface["name"]
            if "endpoint" in peer:
                assert peer["endpoint"].rpartition(":")[2] == str(mirror["listen_port"])
            assert "endpoint" in peer or "endpoint" in mirror["peers"][0]
        for tunnel in variables.get("gre_interfaces", []):
            (other,) = [item for item in plan.hosts[tunnel["peer"]]["gre_interfaces"] if item["name"] == tunnel["name"]]
            assert (tunnel["local"], tunnel["remote"]) == (other["remote"], other["local"])
            assert (tunnel["mtu"], tunnel.get("key"), other["peer"]) == (other["mtu"], other.get("key"), host)
        for instance in variables.get("frr_bgp", []):
            for neighbor in instance["neighbors"]:
                assert neighbor["remote_as"] == plan.hosts[neighbor["description"]]["frr_bgp"][0]["asn"]
                if "update_source" in neighbor:
                    back = plan.hosts[neighbor["description"]]["frr_bgp"][0]["neighbors"]
                    assert neighbor["update_source"] in {item["address"] for item in back}


@QUIET
@given(intents())
def test_no_mtu_exceeds_its_underlay(raw: dict[str, Any]) -> None:
    plan = make_plan(raw)
    by_id = {link.id: link for link in plan.intent.links}
    for link in plan.intent.links:
        over = link.options.over
        beneath = by_id[over].mtu if isinstance(over, int) else min(end.uplink.mtu for end in link.ends if end.uplink)
        layer = link.options.encapsulation
        assert layer is not None
        headers = sum(size for _name, size in LAYERS[layer].headers) + 20
        assert link.mtu + headers <= beneath
    smallest = min(link.mtu for link in plan.intent.links)
    assert all(mss == smallest - {"ipv4": 40, "ipv6": 60}[family] for family, mss in plan.tcp_mss.items())


@QUIET
@given(intents(), st.data())
def test_order_means_nothing(raw: dict[str, Any], data: st.DataObject) -> None:
    shuffled = copy.deepcopy(raw)
    shuffled["xgn_nodes"] = dict(data.draw(st.permutations(list(raw["xgn_nodes"].items()))))
    shuffled["xgn_links"] = data.draw(st.permutations(raw["xgn_links"]))
    one, two = make_plan(raw), make_plan(shuffled)
    assert facts(one) == facts(two)
    assert {host: json.dumps(variables) for host, variables in one.hosts.items()} == {
        host: json.dumps(variables) for host, variables in two.hosts.items()
    }


@QUIET
@given(intents(), st.data())
def test_removing_or_adding_renumbers_nothing(raw: dict[str, Any], data: st.DataObject) -> None:
    before = facts(make_plan(raw))
    smaller = copy.deepcopy(raw)
    leaf = data.draw(st.sampled_from(list(raw["xgn_nodes"])))
    del smaller["xgn_nodes"][leaf]
    smaller["xgn_links"] = [link for link in raw["xgn_links"] if leaf not in link["ends"]]
    intent, problems = check_intent(smaller)
    # Taking a node out may cut the rest apart, which is said; the numbers stand all the same.
    assert all("has no path to" in str(problem) for problem in problems)
    left = facts(Plan({}, {}, intent, {}))
    assert left == {number: before[number] for number in left}


@QUIET
@given(intents())
def test_every_host_is_accepted_by_the_roles(raw: dict[str, Any]) -> None:
    for host, variables in make_plan(raw).hosts.items():
        assert set(variables) <= set(SPECS.options), host
        assert [str(problem) for problem in variable_problems(variables, SPECS)] == [], host


@QUIET
@given(intents(), st.data())
def test_a_proposed_id_fits(raw: dict[str, Any], data: st.DataObject) -> None:
    for link in raw["xgn_links"]:
        if (
            "reserve_of" not in link
            and not any(item.get("over") == link["id"] or item.get("reserve_of") == link["id"] for item in raw["xgn_links"])
            and data.draw(st.booleans())
        ):
            del link["id"]
    missing = missing_ids(raw)
    if missing:
        with pytest.raises(IntentError) as refused:
            make_plan(raw)
        assert all(f"the next free one is {item.proposal}" in str(refused.value) for item in missing)
    for item in missing:
        raw[item.section][item.key]["id"] = item.proposal
    assert missing_ids(raw) == []
    make_plan(raw)


@given(st.integers(1, 99999), st.integers(1, 99999), st.integers(1, 99999), st.integers(1, 99999))
def test_every_pair_has_a_number_of_its_own(a: int, b: int, c: int, d: int) -> None:
    if a != b and c != d:
        assert (triangle(a, b) == triangle(c, d)) == ({a, b} == {c, d})


@given(st.integers(576, 65535), st.sampled_from(sorted(LAYERS)), st.sampled_from(("ipv4", "ipv6", None)))
def test_the_arithmetic_adds_up(underlay: int, layer: str, outer: str | None) -> None:
    found = fit(underlay, layer, outer)
    start, *rest = found.arithmetic.partition(" = ")[0].split(" - ")
    assert int(start) - sum(int(part.split()[0]) for part in rest) == found.mtu
    assert fit(underlay + 1, layer, outer).mtu >= found.mtu
