# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is accepted from which neighbor: a router that is not trusted is held to what lies behind it, whatever links are down."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan, make_plan
from hypothesis import given, settings
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden"
KINDS = ("managed", "trusted", "restricted", "managed but restricted")
# What a liar would like to bring: another site's network, the anycast address, a part of what is steered, everything, more than was planned.
LIES = (
    "10.4.0.0/24",
    "1.1.1.1/32",
    "10.4.0.77/32",
    "10.1.0.1/32",
    "0.0.0.0/0",
    "10.10.0.0/25",
    "10.0.0.0/9",
    "10.99.0.0/24",
    "10.254.0.0/30",
)


def golden(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = read_yaml((GOLDEN / name / "intent.yml").read_text(encoding="utf-8"))
    return raw


def accepts(variables: Mapping[str, Any], route_map: str, prefix: str) -> bool:
    """Tell whether a route map of the plan lets a prefix pass, as FRR reads it: the first entry that matches decides, and none is a refusal."""
    wanted = ip_network(prefix)
    family, words = ("ipv4", "ip") if wanted.version == 4 else ("ipv6", "ipv6")
    lists = {(item["name"], item.get("family", "ipv4")): item["entries"] for item in variables.get("frr_prefix_lists", [])}
    (found,) = [item for item in variables["frr_route_maps"] if item["name"] == route_map]
    for entry in found["entries"]:
        conditions = entry.get("match", [])
        if all(
            condition.startswith(f"{words} address prefix-list ") and _in_list(lists[condition.rpartition(" ")[2], family], wanted)
            for condition in conditions
        ):
            return bool(entry["action"] == "permit")
    return False


def _in_list(entries: list[dict[str, Any]], wanted: Any) -> bool:
    for entry in entries:
        outer = ip_network(entry["prefix"])
        low, high = (
            entry.get("ge", outer.prefixlen),
            entry.get("le", entry.get("ge", outer.prefixlen) if "ge" not in entry else wanted.max_prefixlen),
        )
        if outer.version == wanted.version and wanted.subnet_of(outer) and low <= wanted.prefixlen <= high:
            return bool(entry["action"] == "permit")
    return False


def sessions(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]]:
    """Yield host, its variables, neighbor and family of every session."""
    for host, variables in {**plan.hosts, **plan.peers}.items():
        for instance in variables.get("frr_bgp", []):
            for neighbor in instance["neighbors"]:
                for family in neighbor["families"]:
                    yield host, variables, neighbor, family


PLAN = make_plan(golden("inbound_filters"))


def from_partner(prefix: str) -> set[bool]:
    """Tell what the managed routers do with a prefix over the sessions with the partner in the VRF of both."""
    return {
        accepts(variables, family["route_map_in"], prefix)
        for host, variables, neighbor, family in sessions(PLAN)
        if host in ("hq", "cloud") and neighbor["description"] == "partner" and family["route_map_in"] != "FROM-gre10"
    }


@pytest.mark.parametrize("lie", LIES)
def test_a_partner_that_lies_is_refused(lie: str) -> None:
    assert from_partner(lie) == {False}


@pytest.mark.parametrize("truth", ["10.10.0.0/24", "10.11.0.0/24", "10.12.0.0/24"])
def test_what_is_behind_a_partner_comes_over_each_of_its_sessions_and_over_the_reserve(truth: str) -> None:
    assert from_partner(truth) == {True}
    by_map = {
        family["route_map_in"]: accepts(variables, family["route_map_in"], truth)
        for host, variables, neighbor, family in sessions(PLAN)
        if host in ("hq", "cloud") and neighbor["description"] == "partner" and family["family"] == "ipv4"
    }
    assert by_map == {"FROM-gre3": True, "FROM-gre4": True, "FROM-gre5": True, "FROM-gre10": False}


def test_what_the_partner_has_in_another_vrf_or_does_not_publish_is_not_accepted() -> None:
    assert from_partner("10.10.1.0/24") == from_partner("192.168.0.0/24") == {False}
    assert accepts(PLAN.hosts["hq"], "FROM-gre10", "10.10.1.0/24")
    assert not accepts(PLAN.hosts["hq"], "FROM-gre10", "10.10.0.0/24")


def test_a_trusted_router_and_a_managed_one_may_bring_the_network() -> None:
    for name in ("ours", "cloud"):
        maps = {
            family["route_map_in"]
            for host, _variables, neighbor, family in sessions(PLAN)
            if host == "hq" and neighbor["description"] == name and family["family"] == "ipv4"
        }
        assert all(accepts(PLAN.hosts["hq"], one, "1.1.1.1/32") and accepts(PLAN.hosts["hq"], one, "10.11.0.0/24") for one in maps), name
        assert not any(accepts(PLAN.hosts["hq"], one, "0.0.0.0/0") for one in maps)


def test_a_box_steers_what_is_its_own() -> None:
    hq = PLAN.hosts["hq"]
    assert accepts(hq, "STEERING-nfv", "10.4.0.77/32")
    assert accepts(hq, "STEERING-scrub", "10.1.0.1/32")
    for box, lie in itertools.product(("nfv", "scrub"), ("1.1.1.1/32", "0.0.0.0/0", "10.10.0.0/24", "10.1.0.0/24", "10.0.0.0/8")):
        assert not accepts(hq, f"STEERING-{box}", lie), (box, lie)
    assert not accepts(hq, "STEERING-nfv", "10.1.0.1/32")
    assert not accepts(hq, "STEERING-scrub", "10.4.0.77/32")


def test_a_container_brings_what_is_its_own() -> None:
    plan = make_plan(golden("container_router"))
    found = [
        (variables, family)
        for host, variables, neighbor, family in sessions(plan)
        if host not in ("quiet", "near", "full") and neighbor["description"] in ("full", "near")
    ]
    assert found
    for variables, family in found:
        assert family["route_map_in"].startswith("CONTAINER-")
        assert not any(accepts(variables, family["route_map_in"], lie) for lie in ("0.0.0.0/0", "1.1.1.1/32", "10.1.0.0/24", "::/0"))


def test_the_anycast_address_comes_from_an_unmanaged_router_that_answers_it_and_from_no_other() -> None:
    raw = golden("inbound_filters")
    raw["xgn_services"]["dns"]["nodes"] = ["behind"]
    plan = make_plan(raw)
    hq = plan.hosts["hq"]
    assert accepts(hq, "FROM-gre3", "1.1.1.1/32")
    # Its own instance first, as from everybody: hq speaks OSPF, too.
    (found,) = [item for item in hq["frr_route_maps"] if item["name"] == "FROM-gre3"]
    assert found["entries"][0] == {
        "seq": 5,
        "action": "permit",
        "match": ["ip address prefix-list ANYCAST"],
        "set": ["distance 115"],
    }
    assert not accepts(hq, "FROM-gre10", "1.1.1.1/32")


def test_an_unmanaged_router_advertises_what_is_accepted_from_it() -> None:
    pairs = {
        (host, neighbor["description"], family["family"], variables["frr_bgp"].index(instance)): (variables, family)
        for host, variables in PLAN.peers.items()
        for instance in variables["frr_bgp"]
        for neighbor in instance["neighbors"]
        for family in neighbor["families"]
    }
    variables, family = pairs["behind", "partner", "ipv4", 0]
    assert family["route_map_out"].startswith("TO-")
    assert accepts(variables, family["route_map_out"], "10.12.0.0/24")
    assert not accepts(variables, family["route_map_out"], "10.1.0.0/24")
    # A trusted one hands on what it has.
    assert pairs["ours", "hq", "ipv4", 0][1]["route_map_out"] == "PUBLISHED"


def test_a_managed_node_that_is_not_trusted_is_held_to_its_own_at_both_ends() -> None:
    for host, variables, neighbor, family in sessions(PLAN):
        if "kiosk" not in (host, neighbor["description"]):
            continue
        policy = family["route_map_in" if neighbor["description"] == "kiosk" else "route_map_out"]
        assert accepts(variables, policy, "10.14.0.0/24")
        assert not any(accepts(variables, policy, lie) for lie in LIES), (host, policy)
    # It hears of everybody, as any managed node does.
    heard = [(variables, family["route_map_in"]) for host, variables, _neighbor, family in sessions(PLAN) if host == "kiosk"]
    assert heard and all(accepts(variables, name, "10.4.0.0/24") for variables, name in heard)


# ---- how many ------------------------------------------------------------------------------------------------------------------------------


def limits(plan: Plan) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {
        (host, neighbor["address"], family["family"]): (family["maximum_prefix"], family["maximum_prefix_restart"])
        for host, _variables, neighbor, family in sessions(plan)
    }


def test_every_session_has_a_limit_above_what_the_plan_brings() -> None:
    for (host, address, family), (most, minutes) in limits(PLAN).items():
        assert minutes == 5
        assert most >= 16, (host, address, family)
    whole = {most for (host, address, family), (most, _minutes) in limits(PLAN).items() if address == "10.255.0.4"}
    assert whole == {2048}
    of_partner = {most for (host, address, _family), (most, _minutes) in limits(PLAN).items() if (host, address) == ("hq", "10.254.0.14")}
    assert of_partner == {16}


def test_a_network_more_changes_no_limit() -> None:
    raw = golden("inbound_filters")
    raw["xgn_nodes"]["cloud"]["networks"]["br1"] = {"id": 1, "kind": "bridge", "address": "10.4.1.1/24"}
    assert limits(make_plan(raw)) == limits(PLAN)


def test_a_limit_of_the_intent_counts_everywhere() -> None:
    raw = golden("inbound_filters")
    raw["xgn_bgp"] |= {"maximum_prefix": 77, "maximum_prefix_restart": 30}
    assert set(limits(make_plan(raw)).values()) == {(77, 30)}


# ---- any network ---------------------------------------------------------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, int]]]:
    """What each of up to six routers is, and which of them have a link."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=6))
    pairs = list(itertools.combinations(range(len(kinds)), 2))
    # A tree, so that nobody is alone, and more.
    links = {(draw(st.integers(0, number - 1)), number) for number in range(1, len(kinds))}
    links |= set(draw(st.lists(st.sampled_from(pairs), max_size=4)))
    return kinds, sorted(links)


def intent_of(kinds: list[str], links: list[tuple[int, int]]) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_bgp": {"asn_base": 4200000000},
        "xgn_nodes": {},
        "xgn_links": [
            {"id": number, "type": "gre", "insecure": True, "ends": [f"n{one}", f"n{two}"]} for number, (one, two) in enumerate(links, 1)
        ],
    }
    for number, kind in enumerate(kinds):
        node: dict[str, Any] = {
            "id": number + 1,
            "uplink": {"address": f"198.51.100.{number + 1}/24"},
            "networks": {"lan0": {"address": f"10.0.{number}.1/24"}},
        }
        if kind.startswith("managed"):
            node["uplink"]["device"] = "eth0"
        else:
            node["managed"] = False
        if kind != "managed":
            node["trusted"] = kind == "trusted"
        raw["xgn_nodes"][f"n{number}"] = node
    return raw


def joined(start: int, links: list[tuple[int, int]], allowed: set[int]) -> set[int]:
    """Return whom a router is joined to by routers of a set, by trying every link until nothing more comes."""
    found = {start}
    while True:
        more = {two for one, two in itertools.chain(links, ((b, a) for a, b in links)) if one in found and two in allowed} - found
        if not more:
            return found
        found |= more


@settings(max_examples=60)
@given(networks())
def test_a_restricted_neighbor_brings_what_is_behind_it_and_nothing_else(network: tuple[list[str], list[tuple[int, int]]]) -> None:
    kinds, links = network
    plan = make_plan(intent_of(kinds, links))
    everybody = set(range(len(kinds)))
    for host, variables, neighbor, family in sessions(plan):
        own, other = int(host[1:]), int(neighbor["description"][1:])
        brings = {number for number in everybody if accepts(variables, family["route_map_in"], f"10.0.{number}.0/24")}
        if not kinds[other].endswith("restricted"):
            assert brings == everybody
            continue
        side = joined(own, links, {number for number in everybody if not kinds[number].endswith("restricted")})
        assert brings == joined(other, links, everybody - side)


@settings(max_examples=60)
@given(networks(), st.data())
def test_no_failover_needs_another_filter(network: tuple[list[str], list[tuple[int, int]]], data: st.DataObject) -> None:
    """With any links down, whoever is left on a router's own side still brings it all that a router of that side can hear."""
    kinds, links = network
    plan = make_plan(intent_of(kinds, links))
    everybody = set(range(len(kinds)))
    trusted = {number for number in everybody if not kinds[number].endswith("restricted")}
    up = [link for link in links if data.draw(st.booleans())]
    maps = {
        (int(host[1:]), int(neighbor["description"][1:])): (variables, family["route_map_in"])
        for host, variables, neighbor, family in sessions(plan)
    }
    for own in everybody:
        side, left = joined(own, links, trusted), joined(own, up, trusted)
        for target in joined(own, up, everybody - (side - left)) - side:
            # Some router that is left on this side hears it from a neighbor beyond.
            brought = [
                (near, far)
                for near, far in itertools.chain(up, ((b, a) for a, b in up))
                if near in left and far not in side and target in joined(far, up, everybody - side)
            ]
            assert brought
            assert all(accepts(maps[pair][0], maps[pair][1], f"10.0.{target}.0/24") for pair in brought)


def test_trust_changes_nothing_but_what_is_accepted() -> None:
    raw = golden("inbound_filters")
    raw["xgn_nodes"]["partner"]["trusted"] = True
    trusted = make_plan(raw)
    assert {name: len(host["frr_bgp"][0]["neighbors"]) for name, host in trusted.hosts.items() if "frr_bgp" in host} == {
        name: len(host["frr_bgp"][0]["neighbors"]) for name, host in PLAN.hosts.items() if "frr_bgp" in host
    }
    without = copy.deepcopy(trusted.hosts["hq"])
    assert not any(item["name"].startswith("FROM-gre3") for item in without["frr_prefix_lists"])
