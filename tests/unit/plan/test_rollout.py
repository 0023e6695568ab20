"""Rollout: who goes first, who never goes together, and who is looked at meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rollout import (
    Batch,
    Rollout,
    Vertex,
    Wish,
    batches_of,
    make_rollout,
    neighbors,
    paths,
    read_wish,
    services,
    torn_apart,
)
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden"
NAMES = "abcdefgh"
ALL = Wish(None, ("100%",))
Links = Iterable[tuple[str, str]]


def graph(links: Links, vrf: str = "") -> dict[Vertex, set[Vertex]]:
    found: dict[Vertex, set[Vertex]] = {}
    for first, second in links:
        found.setdefault((vrf, first), set()).add((vrf, second))
        found.setdefault((vrf, second), set()).add((vrf, first))
    return found


def batches(hosts: Iterable[str], links: Links, wish: Wish = ALL, alike: Iterable[str] = ()) -> list[str]:
    return ["".join(batch) for batch in batches_of(list(hosts), graph(links), [frozenset(alike)] if alike else [], wish)]


# ---- what is written -------------------------------------------------------------------------------------------------


def test_what_is_left_out_has_a_default() -> None:
    assert read_wish({}, ["a"]) == (Wish(None, ("25%", "100%"), 10), [])
    assert read_wish({"canary": "a", "batches": [1, "5", "33%"], "settle_seconds": 0}, ["a", "b"]) == (Wish("a", ("1", "5", "33%"), 0), [])


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("25%", "xgn_rollout: is a string, not a dictionary"),
        (True, "xgn_rollout: is a boolean, not a dictionary"),
        ({"batches": "25%"}, "xgn_rollout.batches: is a string, not a list"),
        ({"batches": []}, "xgn_rollout.batches: has 0 entries; it needs at least 1"),
        ({"batch": ["25%"]}, "xgn_rollout.batch: unknown key; did you mean 'batches'? Valid keys: batches, canary, settle_seconds"),
        ({"settle_seconds": 3601}, "xgn_rollout.settle_seconds: 3601 is out of range; valid: 0 to 3600"),
        ({"canary": ""}, "xgn_rollout.canary: is empty"),
        ({"canary": "edge"}, "xgn_rollout.canary: 'edge' is no host that can go first; did you mean 'edge1'? Valid hosts: core, edge1"),
    ],
)
def test_what_is_written_wrong(written: Any, told: str) -> None:
    _wish, problems = read_wish(written, ["edge1", "core"])
    (problem,) = problems
    assert str(problem).startswith(told)


@pytest.mark.parametrize("size", ["0%", "101%", "many", "-1", 0, -3, True, 2.5, None, "", "010%", "1 %", [1], {"a": 1}, "²", "9999999999"])
def test_sizes_that_are_none(size: Any) -> None:
    """All of them are told at once, each with its place and what is valid."""
    _wish, problems = read_wish({"canary": "x", "batches": ["25%", size]}, ["a"])
    assert [str(problem.path) for problem in problems] == ["xgn_rollout.batches[1]", "xgn_rollout.canary"]
    assert "valid: a whole number from 1, or 1% to 100%" in problems[0].hint


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_two_hubs_are_never_away_together() -> None:
    """Each spoke has both of them as its way to the others, also one that is changed with one of them."""
    assert batches("HK12345", [(hub, spoke) for hub in "HK" for spoke in "12345"]) == ["1", "H2345", "K"]
    assert batches("12345HK", [(hub, spoke) for hub in "HK" for spoke in "12345"]) == ["1", "2345H", "K"]


def test_one_end_of_each_of_two_redundant_links() -> None:
    """Between two sites there are two links, a-c and b-d. Without a and d neither is left, nor without b and c."""
    links = [("a", "b"), ("c", "d"), ("a", "c"), ("b", "d"), ("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")]
    assert batches("abcdxy", links) == ["x", "acy", "bd"]


def test_a_chain_has_no_other_way_anyway() -> None:
    """Where one host alone is all that joins two others, holding others back would not help."""
    assert batches("abc", [("a", "b"), ("b", "c")], Wish("b", ("100%",))) == ["b", "ac"]


def test_a_ring_goes_in_pairs() -> None:
    """Three that follow each other would leave the one between them nobody, and two others would cut the ring in two."""
    assert batches("aebfcgdh", list(itertools.pairwise("abcdefgha"))) == ["a", "ef", "bc", "gh", "d"]


def test_a_full_mesh_has_a_link_for_each_pair() -> None:
    assert batches("abcde", itertools.combinations("abcde", 2), Wish(None, ("50%", "100%"))) == ["a", "bc", "de"]


def test_a_path_in_another_vrf_is_none() -> None:
    """a and d have two paths in VRF X, over b and over c. That all four are one wire's neighbors in VRF Y does not help them."""
    square = graph([("a", "b"), ("b", "d"), ("a", "c"), ("c", "d")], "X")
    assert batches_of(list("bcad"), square, [], Wish("a", ("100%",))) == [["a"], ["b", "d"], ["c"]]
    both = {**square, **graph(itertools.combinations("abcd", 2), "Y")}
    assert batches_of(list("bcad"), both, [], Wish("a", ("100%",))) == [["a"], ["b", "d"], ["c"]]


def test_those_that_answer_one_address_are_never_all_away() -> None:
    assert batches("abc", [], alike="bc") == ["a", "b", "c"]
    assert batches("abcd", [], alike="bcd") == ["a", "bc", "d"]


def test_sizes() -> None:
    """A percentage of all hosts, one at least; the last size goes on; the canary is beside them."""
    nine = [f"h{number}" for number in range(9)]

    def sizes(hosts: list[str], *written: str) -> list[int]:
        return [len(batch) for batch in batches_of(hosts, {}, [], Wish(None, written))]

    assert sizes(nine, "25%", "3") == [1, 2, 3, 3]
    assert sizes(nine, "25%", "100%") == [1, 2, 6]
    assert sizes(nine[:2], "1%") == [1, 1]
    assert sizes(nine[:1], "25%") == [1]
    assert sizes([], "25%") == []


def test_the_canary_is_who_is_missed_least() -> None:
    """The end of a chain rather than its middle; where it is named and in this run, that one."""
    chain = [("b", "a"), ("b", "c"), ("c", "d")]
    assert batches("bcad", chain)[0] == "a"
    assert batches("bcad", chain, Wish("c", ("100%",)))[0] == "c"
    assert batches("bad", chain, Wish("c", ("100%",)))[0] == "a"


def joined(links: Links, away: set[str], start: str, end: str) -> bool:
    """Whether two nodes are joined without some others, found the slow way."""
    ahead, seen = [start], {start}
    while ahead:
        node = ahead.pop()
        for first, second in links:
            for here, there in ((first, second), (second, first)):
                if here == node and there not in seen | away:
                    seen.add(there)
                    ahead.append(there)
    return end in seen


def lost(links: Links, batch: set[str]) -> list[tuple[str, str]]:
    """Pairs of nodes that have two paths, and lose both by a batch: each of its members alone leaves one."""
    links = list(links)
    found = []
    for start, end in itertools.combinations(NAMES, 2):
        between = batch - {start, end}
        if all(joined(links, {host}, start, end) for host in between) and not joined(links, between, start, end) and between:
            found.append((start, end))
    return found


@given(
    st.sets(st.sampled_from(list(itertools.combinations(NAMES, 2))), max_size=16),
    st.lists(st.integers(1, 8), min_size=1, max_size=3),
    st.permutations(NAMES),
    st.integers(0, 8),
)
def test_no_pair_loses_two_paths_at_once(links: set[tuple[str, str]], sizes: list[int], hosts: list[str], in_this_run: int) -> None:
    """Any network, in any order, whole or in part: each host of the run once, no batch too large, no pair's two paths in one of them."""
    run = hosts[:in_this_run]
    found = batches_of(run, graph(links), [], Wish(None, tuple(map(str, sizes))))
    assert sorted(host for batch in found for host in batch) == sorted(run)
    limits = [1, *sizes, *[sizes[-1]] * len(found)]
    assert all(0 < len(batch) <= limit for batch, limit in zip(found, limits))
    assert [batch for batch in found if lost(links, set(batch))] == []


@given(st.sets(st.sampled_from(list(itertools.combinations(NAMES, 2))), max_size=16), st.permutations(NAMES))
def test_nobody_is_held_back_for_nothing(links: set[tuple[str, str]], hosts: list[str]) -> None:
    """With room for all, whoever waits for a later batch would have taken the last path of some pair with the batch before it."""
    found = batches_of(hosts, graph(links), [], ALL)
    for batch, later in itertools.pairwise(found[1:]):
        assert [host for host in later if not lost(links, {*batch, host})] == []


# ---- of an intent ----------------------------------------------------------------------------------------------------


def hybrid() -> Intent:
    root = Path(__file__).parents[3] / "inventories" / "hybrid" / "group_vars" / "all"
    raw: dict[str, Any] = {}
    for path in root.glob("*.yml"):
        raw |= read_yaml(path.read_text(encoding="utf-8"))
    intent, problems = check_intent(raw)
    assert not list(problems)
    return intent


MACHINES = ["cloud-edge", "cloud-node", "hq-core", "hq-nfv"]


def divided(wish: Wish, hosts: list[str]) -> list[tuple[list[str], list[str]]]:
    return [(batch.hosts, batch.containers) for batch in make_rollout(wish, hybrid(), hosts, ["igp"]).batches]


def test_paths_are_links_that_routing_uses() -> None:
    """Link 5 carries steered traffic alone, so it joins nobody; three tunnels between two nodes join them once."""
    assert paths(hybrid()) == graph([("hq-core", "cloud-edge"), ("hq-core", "hq-nfv"), ("cloud-edge", "cloud-node")], "CORE")


def test_both_that_answer_the_anycast_address_stand_in_for_each_other() -> None:
    assert services(hybrid()) == [frozenset({"hq-nfv", "cloud-edge"})]


def test_a_router_in_a_container_goes_with_its_node() -> None:
    found = divided(Wish("cloud-node", ("100%",)), [*MACHINES, "igp"])
    assert found == [(["cloud-node"], ["igp"]), (["cloud-edge", "hq-core"], []), (["hq-nfv"], [])]
    assert divided(Wish(None, ("1",)), ["igp"]) == [([], ["igp"])]
    assert divided(Wish("hq-core", ("1",)), ["hq-nfv", "igp"]) == [(["hq-nfv"], []), ([], ["igp"])]


def test_a_host_that_is_no_node_goes_with_anybody() -> None:
    assert divided(Wish("cloud-node", ("100%",)), ["build1", "cloud-node"]) == [(["cloud-node"], []), (["build1"], [])]


def test_neighbors_are_those_that_see_what_becomes_of_a_node() -> None:
    found = neighbors(hybrid())
    assert found == {
        "hq-core": {"hq-nfv", "cloud-edge"},
        "hq-nfv": {"hq-core"},
        "cloud-edge": {"hq-core", "cloud-node"},
        "cloud-node": {"cloud-edge"},
        "igp": {"cloud-edge"},
    }


def test_the_neighbors_of_a_batch_are_divided_among_its_hosts() -> None:
    """Each once, none of the batch itself, and also such that are not in this run."""
    rollout: Rollout = make_rollout(Wish("cloud-node", ("100%",)), hybrid(), ["cloud-node", "hq-core", "igp"], ["igp"])
    assert rollout.neighbors == {"cloud-node": ["cloud-edge"], "igp": ["cloud-edge"], "hq-core": ["cloud-edge", "hq-nfv"]}
    both = make_rollout(Wish("hq-nfv", ("100%",)), hybrid(), ["cloud-edge", "hq-core", "hq-nfv"])
    assert both.neighbors == {"hq-nfv": ["hq-core"], "cloud-edge": ["cloud-node"], "hq-core": ["hq-nfv"]}


def test_a_change_that_both_ends_make_at_once_is_not_torn_apart() -> None:
    """As with another AS number, which its neighbors have to know at the same moment. Who is not in the run is refused elsewhere."""
    rollout = Rollout(batches=[Batch(["a"]), Batch(["b", "c"], ["igp"])])
    assert [str(problem) for problem in torn_apart(rollout, {"c: AS number 1 becomes 2": ["b", "c"], "d: table": ["a", "d"]})] == []
    # A router in a container comes behind the machines, in the same batch, too.
    assert len(list(torn_apart(rollout, {"c: AS number 1 becomes 2": ["c", "igp"]}))) == 1
    (problem,) = torn_apart(rollout, {"a: AS number 1 becomes 2": ["a", "b"]})
    assert str(problem) == (
        "xgn_rollout: a: AS number 1 becomes 2: a, b have to make this change at the same time, and the rollout takes them in different batches; "
        "make it without a rollout: --extra-vars xgn_rollout= --limit a,b"
    )
