"""The table of damages: well-formed, whole, and the same sample for the same seed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "vm"))
from damages import ALONE, AT_ONCE, damages, name_of, objects, sample

KINDS = {"interface", "rule", "route", "filter", "unit", "file", "setting", "daemon", "docker"}
INTERFACES = {"wireguard", "tun", "ppp", "vrf", "vxlan", "vlan", "bridge", "macvlan", "dummy"}


def test_every_row_says_how_it_heals() -> None:
    rows = damages()
    assert {row.kind for row in rows} == KINDS
    assert len({row.name for row in rows}) == len(rows) >= 60
    for row in rows:
        assert row.host in ("hq-core", "hq-nfv", "cloud-edge", "cloud-node")
        assert (row.heals is None) == (row.until is None), row.name


def test_every_kind_of_interface_is_deleted_and_all_that_stay_are_renamed() -> None:
    names = {row.name for row in damages()}
    assert {f"{kind} deleted" for kind in INTERFACES} <= names
    # pppd names its interface itself.
    assert {f"{kind} renamed" for kind in INTERFACES - {"ppp"}} <= names


def test_a_sample_is_the_same_for_a_seed() -> None:
    groups = sample("", 7)
    assert [name_of(group) for group in groups] == [name_of(group) for group in sample("", 7)]
    assert [len(group) for group in groups[:ALONE]] == [1] * ALONE
    assert len(groups) == ALONE + AT_ONCE
    assert all(2 <= len(group) <= 3 for group in groups[ALONE:])


def test_what_is_done_at_once_does_not_name_the_same() -> None:
    for seed in range(50):
        for group in sample("", seed)[ALONE:]:
            named = [objects(damage) for damage in group]
            assert sum(map(len, named)) == len(set().union(*named))


def test_all_of_them_or_some_by_name_or_kind() -> None:
    assert len(sample("all", 0)) == len(damages())
    assert {group[0].kind for group in sample("docker", 0)} >= {"docker"}
    assert all("renamed" in group[0].name for group in sample("renamed", 0))
