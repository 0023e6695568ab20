"""Rollout: who goes first, and who never goes together."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rollout import rollout_batches
from hypothesis import given
from hypothesis import strategies as st

NAMES = "abcdefgh"


def test_two_hubs_are_never_away_together() -> None:
    """Each spoke has both of them as its way to the others; the spokes may go at once."""
    hosts = ["hub1", "hub2", "s1", "s2", "s3"]
    links = [(hub, spoke) for hub in ("hub1", "hub2") for spoke in ("s1", "s2", "s3")]
    batches = rollout_batches(hosts, links, ["100%"])
    assert batches == [["s1"], ["hub1", "s2", "s3"], ["hub2"]]


def test_a_chain_has_no_other_way_anyway() -> None:
    """Where one host alone is a cut, holding others back would not help."""
    assert rollout_batches(["a", "b", "c"], [("a", "b"), ("b", "c")], ["100%"], canary="b") == [["b"], ["a", "c"]]


def test_sizes() -> None:
    """A percentage of all hosts, one at least; the last size goes on; the canary does not count."""
    hosts = [f"h{number}" for number in range(9)]
    assert [len(batch) for batch in rollout_batches(hosts, [], ["25%", 3])] == [1, 2, 3, 3]
    assert [len(batch) for batch in rollout_batches(hosts[:2], [], ["1%"])] == [1, 1]
    assert rollout_batches([], [], ["25%"]) == []


@pytest.mark.parametrize("size", ["0%", "101%", "many", "-1", 0])
def test_sizes_that_are_none(size: str | int) -> None:
    with pytest.raises(ValueError, match="such as 25%"):
        rollout_batches(["a"], [], [size])


def test_a_canary_from_elsewhere() -> None:
    with pytest.raises(ValueError, match="canary x is none of the hosts of this run: a, b"):
        rollout_batches(["a", "b"], [], ["25%"], canary="x")


def joined(links: set[tuple[str, str]], away: set[str], start: str, end: str) -> bool:
    """Whether two nodes are joined without some others, found the slow way."""
    reach, seen = [start], {start}
    while reach:
        node = reach.pop()
        for a, b in links:
            for here, there in ((a, b), (b, a)):
                if here == node and there not in seen | away:
                    seen.add(there)
                    reach.append(there)
    return end in seen


@given(st.sets(st.sampled_from(list(itertools.combinations(NAMES, 2))), max_size=16), st.integers(1, 8))
def test_no_pair_loses_its_last_way_by_two_hosts_at_once(links: set[tuple[str, str]], size: int) -> None:
    """Any network: all hosts once, and who would stay joined without any single member stays joined without the batch."""
    batches = rollout_batches(list(NAMES), links, [size])
    assert sorted(host for batch in batches for host in batch) == list(NAMES)
    assert all(0 < len(batch) <= size for batch in batches)
    for batch in batches:
        rest = [name for name in NAMES if name not in batch]
        for start, end in itertools.combinations(rest, 2):
            if all(joined(links, {host}, start, end) for host in batch):
                assert joined(links, set(batch), start, end), (batch, start, end)
