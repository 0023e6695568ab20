"""The resolved model: a default is applied once, when the intent is read, and what only follows from a mistake is found by data."""

from __future__ import annotations

import runpy
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, LinkType
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Findings, Pair, Place, Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent import settings
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    Intent,
    LinkOptions,
    Neighbor,
    NeighborOptions,
    Rpki,
    SegmentOptions,
    Site,
    WrittenEnd,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent, make_plan

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"
NETWORKS = sorted(path.parent.name for path in GOLDEN.glob("*/intent.yml"))
OF_A_TYPE = runpy.run_path(str(Path(__file__).parents[1] / "common" / "test_link_types.py"))["intent_with"]


def names(kind: type[Any]) -> set[str]:
    return {field.name for field in fields(kind)}


def golden(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = read_yaml((GOLDEN / name / "intent.yml").read_text(encoding="utf-8"))
    return raw


def resolved(raw: dict[str, Any]) -> list[object]:
    """Return all objects of an intent."""
    intent: Intent = check_intent(raw)[0]
    return [intent.vrfs, intent.nodes, intent.links, intent.segments, intent.settings, intent.sites, intent.containers]


def said(raw: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in check_intent(raw)[1]]


# ---- defaults ------------------------------------------------------------------------------------------------------------------------------


def spelled_out(raw: dict[str, Any], kind: LinkType) -> dict[str, Any]:
    """Return an intent with one link, with every default of its schema and of its type written down."""
    spelled = with_defaults(raw, intent_options())
    (link,) = spelled["xgn_links"]
    if kind.number_option and not kind.number_required:
        link[kind.number_option] = link["id"]
    if kind.ports.number_option:
        link[kind.ports.number_option] = kind.ports.number
    if kind.ports.protocol_option:
        link[kind.ports.protocol_option] = kind.ports.protocol
    if kind.variant:
        link[kind.variant] = next(iter(kind.layers))
    return spelled


@pytest.mark.parametrize("kind", LINK_TYPES.values(), ids=lambda kind: kind.name)
def test_a_default_of_a_type_is_the_value_it_stands_for(kind: LinkType) -> None:
    raw = OF_A_TYPE(kind)
    spelled = spelled_out(raw, kind)
    assert spelled["xgn_links"] != raw["xgn_links"]
    (short,), (long,) = (check_intent(item)[0].links for item in (raw, spelled))
    assert short == long
    assert make_plan(raw).hosts == make_plan(spelled).hosts


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_the_same_with_its_defaults_spelled_out(name: str) -> None:
    raw = golden(name)
    spelled = with_defaults({**raw, "xgn_links": _with_nodes(raw.get("xgn_links", []))}, intent_options())
    assert resolved(raw) == resolved(spelled)
    assert make_plan(raw).hosts == make_plan(spelled).hosts


def _with_nodes(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**link, "ends": [{"node": end} if isinstance(end, str) else end for end in link["ends"]]} for link in links]


def test_what_was_decided_does_not_change() -> None:
    intent = check_intent(golden("segment"))[0]
    with pytest.raises(FrozenInstanceError):
        intent.links[0].options.mtu = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        intent.segments[0].options.port = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        intent.links[0].ends[0].written.mac = ""  # type: ignore[misc]


def test_every_key_of_a_link_has_its_field() -> None:
    """A key of the schema without a field would be read by nobody, in silence."""
    schema = intent_options()["xgn_links"]["options"]
    of_the_link = {"id", "ends", "type", "reserve_of", "vrf", "routing", "session"}
    of_the_type = {name for kind in LINK_TYPES.values() for name in (kind.variant, kind.number_option, kind.ports.number_option)}
    derived = {"told_apart_by", "encapsulation", "variant", "protocol", "open_ports"}
    assert set(schema) - of_the_link - of_the_type == names(LinkOptions) - derived
    ends = {"families" if key in FAMILIES else key for key in schema["ends"]["options"]}
    assert ends - {"node", "uplink"} == names(WrittenEnd)
    segments = set(intent_options()["xgn_segments"]["options"])
    assert segments - {"id", "members", "gateway", "ipv4", "ipv6", "vrf"} == names(SegmentOptions)
    assert set(intent_options()["xgn_sites"]["values"]["options"]) == names(Site)


def test_every_key_of_an_external_neighbor_has_its_field() -> None:
    schema = intent_options()["xgn_neighbors"]["values"]["options"]
    # Resolved: where the neighbor is, and the communities by what they are for.
    resolved_keys = {"uplink", "interface", "source", "communities"}
    made = {"name", "path", "options", "place", "vrf", "from_loopback", "lists", "broken", "communities_add", "communities_send"}
    assert set(schema) - resolved_keys == (names(Neighbor) | names(NeighborOptions)) - made
    assert set(intent_options()["xgn_rpki"]["options"]) == names(Rpki)


def test_every_key_of_a_setting_has_its_field() -> None:
    options = intent_options()
    services = options["xgn_services"]["options"]
    container = services["docker"]["values"]["options"]["containers"]["values"]["options"]
    steering = services["steering"]["values"]["options"]
    for kind, schema in (
        (settings.Bgp, options["xgn_bgp"]["options"]),
        # The name of the timers is resolved into the intervals.
        (settings.Bfd, options["xgn_bfd"]["options"].keys() - {"timers"}),
        (settings.Ospf, options["xgn_ospf"]["options"]),
        (settings.Kernel, options["xgn_kernel"]["options"]),
        (settings.Wireguard, options["xgn_wireguard"]["options"]),
        (settings.Openvpn, options["xgn_openvpn"]["options"]),
        (settings.Vyos, options["xgn_vyos"]["options"]),
        (settings.Firewall, options["xgn_firewall"]["options"]),
        (settings.Services, services),
        (settings.Dns, services["dns"]["options"]),
        (settings.DockerNetwork, services["docker"]["values"]["options"]),
        (settings.DockerContainer, container),
        (settings.ContainerBgp, container["bgp"]["options"]),
        (settings.Steering, steering),
        (settings.Reinjection, steering["reinject"]["options"]),
    ):
        assert set(schema) == names(kind), kind
    others = {"xgn_pools", "xgn_vrfs", "xgn_sites", "xgn_nodes", "xgn_links", "xgn_patterns", "xgn_segments"}
    others |= {"xgn_neighbors", "xgn_prefix_lists", "xgn_as_path_lists", "xgn_communities", "xgn_rpki"}
    others |= {"xgn_routes", "xgn_exits", "xgn_leaks"}
    assert set(options) - others == set(settings.SECTIONS)


# ---- findings ------------------------------------------------------------------------------------------------------------------------------


def test_a_place_is_data_with_a_text() -> None:
    link = Place.of("xgn_patterns", 0, Pair("a", "b"))
    assert str(link.at("over")) == "xgn_patterns[0] (a - b).over"
    assert link == Place.of("xgn_patterns").at(0).at(Pair("a", "b"))
    assert link != Place.of("xgn_patterns", 0, Pair("b", "a"))
    assert str(Problem(EVERYTHING, "is a list, not a dictionary")) == "is a list, not a dictionary"


def test_findings_know_what_is_sound() -> None:
    found = Findings([Problem(Place.of("a", 1, "b"), "is wrong")])
    found.add(Problem(Place.of("x", "ends"), "unknown key", meant=Place.of("y", "end")))
    assert len(found) == 2
    assert [found.at(Place.of(*keys)) for keys in (("a",), ("a", 1), ("a", 1, "b"), ("a", 1, "b", "c"))] == [False, False, True, False]
    assert [found.within(Place.of(*keys)) for keys in (("a",), ("a", 1), ("a", 10), ("a", 1, "b", "c"))] == [True, True, False, False]
    assert [found.above(Place.of(*keys)) for keys in (("a", 1), ("a", 1, "b"), ("a", 1, "b", "c"), ("a", 1, "bc"))] == [
        False,
        True,
        True,
        False,
    ]
    # What was meant for another place is missing there, but nothing there is wrong.
    assert found.doubtful(Place.of("y")) and not found.within(Place.of("y"))
    assert found.doubtful(Place.of("z"), Place.of("x")) and not found.doubtful(Place.of("z"), Place.of("aa"))
    # Of a key that is like none any key of its dictionary may be missing, and what those would hold.
    found.add(Problem(Place.of("m", "foo"), "unknown key", meant=Place.of("m")))
    assert [found.told(Place.of(*keys)) for keys in (("a", 1, "b"), ("a", 1), ("y", "end"), ("y",), ("m", "bar"))] == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert [
        found.explains(Place.of(*keys)) for keys in (("a",), ("a", 1, "b", "c"), ("y", "end", 0), ("y",), ("m", "bar", "x"), ("n",))
    ] == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("typo", ["xgn_link", "xgn_linkss"])
def test_links_under_another_name_are_not_missed_a_second_time(typo: str) -> None:
    raw = golden("t1_t2")
    raw[typo] = raw.pop("xgn_links")
    (problem,) = said(raw)
    assert problem.startswith(f"{typo}: unknown key; did you mean 'xgn_links'?")


def test_without_any_link_the_nodes_miss_each_other() -> None:
    raw = golden("t1_t2")
    del raw["xgn_links"]
    assert [problem for problem in said(raw) if "has no path to" in problem]


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("it's", {"id": 99}),
        ("r99", {"id": 99, "foo": 1}),
        ("r99", {"vrf": "CORE", "uplink": {"device": "eth0", "address": "203.0.113.99/24"}}),
    ],
)
def test_a_node_that_cannot_be_read_or_has_no_id_is_one_mistake(name: str, node: dict[str, Any]) -> None:
    raw = golden("full_mesh")
    raw["xgn_nodes"][name] = node
    (problem,) = said(raw)
    assert problem.startswith(str(Place.of("xgn_nodes", name)))


@pytest.mark.parametrize("typo", [False, True], ids=["a list", "a typo"])
def test_networks_do_not_miss_pools_that_could_not_be_read(typo: bool) -> None:
    raw = deepcopy(OF_A_TYPE(LINK_TYPES["wireguard"]))
    raw["xgn_nodes"]["a"]["networks"] = {"lan0": {"kind": "bridge"}}
    pools = {**raw["xgn_pools"], "loopbacks": {"ipv4": "10.255.0.0/24"}}
    assert said({**raw, "xgn_pools": pools}) == [
        "xgn_nodes.a.networks.lan0: has no address; give it an address, or name xgn_pools.networks"
    ]
    (problem,) = said({**raw, "xgn_pools": {**pools, "network": {"ipv4": "10.64.0.0/12"}} if typo else []})
    assert problem.startswith("xgn_pools")


def test_a_vxlan_over_a_tunnel_between_loopbacks_is_sized_after_it() -> None:
    raw = OF_A_TYPE(LINK_TYPES["wireguard"])
    links = [
        {"id": 3, "type": "vxlan", "over": 2, "routing": "none", "ends": ["a", "b"]},
        {"id": 2, "type": "gre", "over": "loopback", "routing": "none", "ends": ["a", "b"]},
    ]
    pools = {**raw["xgn_pools"], "loopbacks": {"ipv4": "10.255.0.0/24"}}
    intent, problems = check_intent({**raw, "xgn_pools": pools, "xgn_links": [*links, *raw["xgn_links"]]})
    assert not list(problems)
    sizes = {link.type: link.mtu for link in intent.links}
    assert sizes["gre"] == sizes["wireguard"] - 24 and sizes["vxlan"] == sizes["gre"] - 50


def test_an_as_number_is_wrong_where_it_is_written() -> None:
    raw = golden("hybrid")
    raw["xgn_sites"]["cloud"]["asn"] = 64500
    (problem,) = said(raw)
    assert problem.startswith("xgn_sites.cloud.asn: 64500 is reserved")
