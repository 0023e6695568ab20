"""Trees of variables lie over one another: associative, the same once more changes nothing, and nothing is lost that is not removed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.merge import (
    Branch,
    Leaf,
    Node,
    Removed,
    Shape,
    contradictions,
    key_path,
    merge,
    part_at,
    spec_of,
    tree_of,
    value_of,
    written_at,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from hypothesis import example, given
from hypothesis import strategies as st

# One of each: a plain value, a dictionary with known keys and one with free ones, lists of plain values, a list of arguments, lists of entries in entries.
OPTIONS: dict[str, Any] = {
    "frr_log_level": {"type": "str"},
    "firewall_tcp_mss": {"type": "dict", "options": {"ipv4": {"type": "int"}, "ipv6": {"type": "int"}}},
    "sysctl_settings": {"type": "dict"},
    "firewall_ssh_from": {"type": "list", "elements": "str"},
    "command": {"type": "list", "elements": "str"},
    "frr_bgp": {
        "type": "list",
        "elements": "dict",
        "options": {
            "asn": {"type": "int"},
            "vrf": {"type": "str"},
            "networks": {"type": "list", "elements": "str"},
            "neighbors": {
                "type": "list",
                "elements": "dict",
                "options": {"address": {"type": "str"}, "holdtime": {"type": "int"}, "password": {"type": "str", "no_log": True}},
            },
        },
    },
    "frr_prefix_lists": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str"},
            "family": {"type": "str"},
            "entries": {"type": "list", "elements": "dict", "options": {"seq": {"type": "int"}, "prefix": {"type": "str"}}},
        },
    },
}
SPEC = {"type": "dict", "options": OPTIONS}

texts = st.sampled_from(["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32", "2001:DB8:0::/32"])
numbers = st.integers(1, 3)


def optional(**keys: Any) -> Any:
    return st.fixed_dictionaries({}, optional=keys)


def listed(entries: Any, name: str) -> Any:
    return st.lists(entries, max_size=3, unique_by=lambda item: ENTRIES[name].key_of(item))


neighbors = listed(st.fixed_dictionaries({"address": st.sampled_from(["::1", "192.0.2.1"])}, optional={"holdtime": numbers}), "neighbors")
lines = listed(st.fixed_dictionaries({"seq": numbers}, optional={"prefix": texts}), "entries")
values = optional(
    frr_log_level=st.sampled_from(["errors", "debugging"]),
    firewall_tcp_mss=optional(ipv4=numbers, ipv6=numbers),
    sysctl_settings=st.dictionaries(
        st.sampled_from("ab"), st.none() | numbers | st.dictionaries(st.sampled_from("cd"), numbers), max_size=2
    ),
    firewall_ssh_from=st.lists(texts, max_size=3),
    command=st.lists(texts, max_size=3),
    frr_bgp=listed(
        optional(vrf=st.sampled_from(["CORE", "GUEST"]), asn=numbers, networks=st.lists(texts, max_size=2), neighbors=neighbors), "frr_bgp"
    ),
    frr_prefix_lists=listed(
        st.fixed_dictionaries({"name": st.sampled_from("pq")}, optional={"family": st.sampled_from(["ipv4", "ipv6"]), "entries": lines}),
        "frr_prefix_lists",
    ),
)


@st.composite
def overrides(draw: st.DrawFn) -> Node:
    """The tree of some variables in which parts are removed, or stand in place of all that was there."""

    def changed(node: Node) -> Node:
        if draw(st.integers(0, 9)) == 0:
            return Removed(Place.of("removed"))
        if not isinstance(node, Branch):
            return Leaf(node.value, Place.of("written")) if isinstance(node, Leaf) else node
        parts = {key: changed(part) for key, part in node.parts.items()}
        return Branch(node.shape, parts, Place.of("written"), draw(st.integers(0, 9)) == 0, node.name)

    tree = tree_of(draw(values), SPEC)
    assert isinstance(tree, Branch)
    return Branch(tree.shape, {key: changed(part) for key, part in tree.parts.items()}, Place.of("layer"))


@given(values)
def test_a_value_is_the_same_after_it_was_a_tree(value: dict[str, Any]) -> None:
    ordered = {**value}
    if "frr_prefix_lists" in value:
        ordered["frr_prefix_lists"] = [
            {**item, **({"entries": sorted(item["entries"], key=lambda line: line["seq"])} if "entries" in item else {})}
            for item in value["frr_prefix_lists"]
        ]
    assert value_of(tree_of(value, SPEC)) == ordered


@given(values, overrides(), overrides())
def test_merging_is_associative(plan: dict[str, Any], one: Node, other: Node) -> None:
    base = tree_of(plan, SPEC)
    assert value_of(merge(merge(base, one), other)) == value_of(merge(base, merge(one, other)))


@given(overrides(), overrides(), overrides())
def test_merging_overrides_alone_is_associative(one: Node, two: Node, three: Node) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(values, overrides())
def test_the_same_once_more_changes_nothing(plan: dict[str, Any], over: Node) -> None:
    base = tree_of(plan, SPEC)
    assert value_of(merge(merge(base, over), over)) == value_of(merge(base, over))
    assert value_of(merge(base, merge(over, over))) == value_of(merge(base, over))
    assert list(contradictions(over, over)) == []


@given(values)
def test_nothing_over_a_plan_is_the_plan(plan: dict[str, Any]) -> None:
    base = tree_of(plan, SPEC)
    assert value_of(merge(base, Branch(Shape.KEYS))) == value_of(base)
    assert value_of(merge(Branch(Shape.KEYS), base)) == value_of(base)


def leaves(node: Node, keys: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """Return every whole value of a tree by the keys that lead to it, and the keys of what is removed or stands alone.

    In what stands alone there is nothing that could be removed.
    """
    if isinstance(node, Branch):
        found: dict[tuple[Any, ...], Any] = {}
        for key, part in node.parts.items():
            if not (node.alone and isinstance(part, Removed)):
                found.update(leaves(part, (*keys, key)))
        return found
    return {keys: node}


def is_decided(over: Node, keys: tuple[Any, ...]) -> bool:
    """Tell whether an override says something of a place: of itself, or of what holds it."""
    node: Node | None = over
    for key in keys:
        if not isinstance(node, Branch) or node.alone:
            return True
        node = node.parts.get(key)
        if node is None:
            return False
    return True


@example(
    {"sysctl_settings": {"b": None}},
    Branch(Shape.KEYS, {"sysctl_settings": Branch(Shape.KEYS, {"b": Branch(Shape.KEYS, {"c": Removed()})})}),
)
@given(values, overrides())
def test_nothing_is_lost(plan: dict[str, Any], over: Node) -> None:
    """What an override says nothing of stays, and all that it says is there."""
    base = tree_of(plan, SPEC)
    merged = leaves(merge(base, over))
    for keys, node in leaves(base).items():
        if not is_decided(over, keys):
            assert merged[keys] == node
    for keys, node in leaves(over).items():
        # Where the plan has one value, there is nothing in it that could be removed.
        if not (isinstance(node, Removed) and any(keys[:length] in leaves(base) for length in range(len(keys)))):
            assert merged[keys] == node
    assert set(merged) <= set(leaves(base)) | set(leaves(over))


@example(
    Branch(Shape.KEYS, {"firewall_tcp_mss": Branch(Shape.KEYS, {"ipv4": Removed()}, alone=True)}),
    Branch(Shape.KEYS, {"firewall_tcp_mss": Branch(Shape.KEYS, alone=True)}),
)
@given(overrides(), overrides())
def test_what_does_not_contradict_may_lie_in_any_order(one: Node, other: Node) -> None:
    if not list(contradictions(one, other)):
        # But for the order of lists.
        assert leaves(merge(one, other)).keys() == leaves(merge(other, one)).keys()
        assert {key: value_of(node) for key, node in leaves(merge(one, other)).items()} == {
            key: value_of(node) for key, node in leaves(merge(other, one)).items()
        }


def over(value: Any, name: str, place: str = "xgn_overrides") -> Branch:
    """A whole override of one variable."""
    return Branch(Shape.KEYS, {name: placed(tree_of(value, OPTIONS[name], name), Place.of(place, name))}, Place.of(place))


def placed(node: Node, place: Place) -> Node:
    if isinstance(node, Branch):
        keys = range(len(node.parts)) if node.shape is not Shape.KEYS else list(node.parts)
        parts = {key: placed(part, place.at(at)) for at, (key, part) in zip(keys, node.parts.items())}
        return Branch(node.shape, parts, place, node.alone, node.name)
    return Leaf(value_of(node), place)


def test_entries_are_found_by_what_tells_them_apart_however_it_is_spelled() -> None:
    base = tree_of(
        {"frr_bgp": [{"asn": 1, "vrf": "CORE", "neighbors": [{"address": "2001:db8::1", "holdtime": 9}, {"address": "192.0.2.1"}]}]}, SPEC
    )
    merged = merge(
        base, over([{"vrf": "CORE", "neighbors": [{"address": "2001:DB8::0:1", "holdtime": 30}, {"address": "192.0.2.9"}]}], "frr_bgp")
    )
    (instance,) = value_of(merged)["frr_bgp"]
    assert [(item["address"], item.get("holdtime")) for item in instance["neighbors"]] == [
        ("2001:DB8::0:1", 30),
        ("192.0.2.1", None),
        ("192.0.2.9", None),
    ]
    assert instance["asn"] == 1


def test_a_family_that_is_not_named_is_ipv4_and_lines_stand_by_their_numbers() -> None:
    base = tree_of({"frr_prefix_lists": [{"name": "P", "entries": [{"seq": 5, "prefix": "a"}, {"seq": 20, "prefix": "b"}]}]}, SPEC)
    merged = merge(base, over([{"name": "P", "family": "ipv4", "entries": [{"seq": 10, "prefix": "c"}]}], "frr_prefix_lists"))
    (found,) = value_of(merged)["frr_prefix_lists"]
    assert [line["seq"] for line in found["entries"]] == [5, 10, 20]


def test_entries_that_cannot_be_told_apart_are_all_kept() -> None:
    twice = [{"address": "::1", "holdtime": 1}, {"address": "0::1", "holdtime": 2}]
    base = tree_of({"frr_bgp": [{"neighbors": twice}], "firewall_ssh_from": ["::/0", "::/0"]}, SPEC)
    assert value_of(base) == {"frr_bgp": [{"neighbors": twice}], "firewall_ssh_from": ["::/0", "::/0"]}


def test_arguments_of_a_command_are_one_value() -> None:
    assert tree_of(["a", "a"], OPTIONS["command"], "command") == Leaf(["a", "a"])
    assert value_of(merge(tree_of({"command": ["a"]}, SPEC), over(["b"], "command"))) == {"command": ["b"]}


def test_what_has_another_shape_takes_the_place_of_all() -> None:
    base = tree_of({"sysctl_settings": {"a": {"c": 1}}}, SPEC)
    one, other = over({"a": 2}, "sysctl_settings"), over({"a": {"d": 3}}, "sysctl_settings")
    assert value_of(merge(merge(base, one), other)) == value_of(merge(base, merge(one, other))) == {"sysctl_settings": {"a": {"d": 3}}}


def test_each_part_knows_where_it_was_written() -> None:
    base = tree_of({"frr_bgp": [{"asn": 1, "neighbors": [{"address": "::1", "holdtime": 9}]}], "frr_log_level": "errors"}, SPEC)
    merged = merge(base, over([{"neighbors": [{"address": "::2"}, {"address": "::1", "holdtime": 3}]}], "frr_bgp"))

    def at(*keys: Any) -> str | None:
        found = written_at(merged, Place.of(*keys))
        return None if found is None else str(found)

    assert at("frr_bgp", 0, "neighbors", 0, "holdtime") == "xgn_overrides.frr_bgp[0].neighbors[1].holdtime"
    assert at("frr_bgp", 0, "neighbors", 1) == "xgn_overrides.frr_bgp[0].neighbors[0]"
    assert at("frr_bgp", 0, "neighbors", 1, "remote_as") == "xgn_overrides.frr_bgp[0].neighbors[0].remote_as", "a key that is missing"
    assert at("frr_bgp", 0, "asn") is None and at("frr_log_level") is None and at("no_such", 3, "thing") is None
    assert key_path(merged, Place.of("frr_bgp", 0, "neighbors", 0, "holdtime")) == ("frr_bgp", ("",), "neighbors", ("::1", ""), "holdtime")
    assert key_path(merged, Place.of("frr_bgp", 0, "neighbors", 7)) == ("frr_bgp", ("",), "neighbors", "7")


def test_contradictions_are_the_smallest_parts() -> None:
    one = over([{"vrf": "CORE", "asn": 1, "networks": ["10.0.0.0/8"]}], "frr_bgp", "xgn_overrides_a")
    other = over([{"vrf": "CORE", "asn": 2, "networks": ["192.0.2.0/24"]}], "frr_bgp", "xgn_overrides_b")
    ((keys, first, second),) = contradictions(one, other)
    assert keys == ("frr_bgp", ("CORE",), "asn")
    assert (str(first.place), str(second.place)) == ("xgn_overrides_a.frr_bgp[0].asn", "xgn_overrides_b.frr_bgp[0].asn")
    assert part_at(one, keys) == first and part_at(one, ("frr_bgp", ("GUEST",))) is None
    removed = Branch(Shape.KEYS, {"frr_bgp": Removed(Place.of("xgn_overrides_c", "remove"))})
    assert len(list(contradictions(one, removed))) == 1
    assert part_at(removed, keys) == removed.parts["frr_bgp"], "it decides all that it holds"
    alone = Branch(Shape.KEYS, {"frr_bgp": Branch(Shape.ENTRIES, {}, Place.of("x"), True, "frr_bgp")})
    assert part_at(alone, keys) == alone.parts["frr_bgp"] and len(list(contradictions(one, alone))) == 1


@pytest.mark.parametrize(("name", "key", "secret"), [("frr_bgp", "neighbors", False), ("docker", "env", True)])
def test_what_stands_in_a_secret_is_one(name: str, key: str, secret: bool) -> None:
    spec = {"type": "dict", "no_log": True} if secret else OPTIONS[name]
    assert bool(spec_of(spec, key).get("no_log")) == secret
