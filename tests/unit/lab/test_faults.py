"""The faults of the campaign: refused where they do not fit together, whole, and the same choice for the same seed."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "vm"))
import faults
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from faults import (
    FILE,
    KINDS,
    NEXT_RUN,
    REFUSED,
    SITE,
    Case,
    Fault,
    FaultError,
    at_once,
    choose,
    in_order,
    load,
    moved,
    name_of,
    objects,
    parse,
    sample,
)

INTERFACES = {"wireguard", "tun", "ppp", "vrf", "vxlan", "vlan", "bridge", "macvlan", "dummy"}
ROW: dict[str, Any] = {"name": "x", "kind": "unit", "host": "hq-core", "do": "true", "verify": "^Unit", "heals": "site"}
ITSELF: dict[str, Any] = {"name": "y", "kind": "daemon", "host": "hq-nfv", "do": "true", "heals": 60, "until": "true"}


@pytest.fixture(scope="module")
def rows() -> list[Fault]:
    """The faults of the file."""
    return load()


# ---- the file ------------------------------------------------------------------------------------------------------------------------------


def test_the_file_is_in_order_and_has_something_of_every_kind(rows: list[Fault]) -> None:
    assert {row.kind for row in rows} == set(KINDS)
    assert len(rows) >= 150
    assert {row.heals if isinstance(row.heals, str) else "itself" for row in rows} == {"itself", SITE, NEXT_RUN, REFUSED}


def test_every_kind_of_interface_is_deleted_renamed_taken_out_and_gets_and_loses_an_address(rows: list[Fault]) -> None:
    """Or there is a reason in docs/testing.md."""
    names = {row.name for row in rows}
    assert {f"{kind} deleted" for kind in INTERFACES} <= names
    # pppd names its interface itself.
    assert {f"{kind} renamed" for kind in INTERFACES - {"ppp"}} <= names
    assert {f"{kind} out of its vrf" for kind in INTERFACES - {"vrf"}} <= names
    assert {f"address of {kind} removed" for kind in INTERFACES} <= names
    second = {name for name in names if name.startswith("second ")}
    assert {kind for kind in INTERFACES if any(name.endswith(f"on {kind}") for name in second)} == INTERFACES - {"dummy"}


@pytest.mark.parametrize(
    "daemon",
    [
        "zebra",
        "bgpd",
        "bfdd",
        "ospfd",
        "ospf6d",
        "mgmtd",
        "staticd",
        "watchfrr",
        "openvpn",
        "charon",
        "xl2tpd",
        "gobgpd",
        "unbound",
        "dockerd",
        "containerd",
    ],
)
def test_every_daemon_is_killed(rows: list[Fault], daemon: str) -> None:
    assert f"{daemon} killed" in {row.name for row in rows}


def test_what_is_looked_at_can_fail(rows: list[Fault]) -> None:
    """ip(8) succeeds for an interface that its filter leaves out, and systemctl(1) when one of several units is active."""
    asked = {row.name: f"{row.until} && {row.meanwhile}" for row in rows}
    filtered = re.compile(r"link show dev \S+ (?:up|master \S+)\b(?! \| grep)|is-active \S+ (?!&&)\S")
    assert [name for name, commands in asked.items() if filtered.search(commands)] == []


def test_the_header_names_every_key() -> None:
    header = FILE.read_text(encoding="utf-8").partition("\n\n")[0]
    keys = {key for row in read_yaml(FILE.read_text(encoding="utf-8")) for key in row}
    assert [key for key in sorted(keys) if key not in header] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "a name is needed"),
        ({"kind": "moon"}, "kind 'moon'; there are: daemon, unit, "),
        ({"host": "mars"}, "host, or several as hosts; there are: hq-core, "),
        ({"hosts": ["hq-core"]}, "host, or several as hosts"),
        ({"do": ["a"]}, "do is ['a'], expected a text"),
        ({"colour": 1}, "unknown key 'colour'; there are: name, "),
        ({"verify": "("}, "verify is no regular expression"),
        ({"heals": "soon"}, "heals is 'soon', expected seconds, site, next run or refused"),
        ({"heals": 0}, "heals is 0, expected seconds"),
        ({"heals": True}, "heals is True, expected seconds"),
        ({"heals": 60}, "until belongs to what heals by itself"),
        ({"until": "true"}, "until belongs to what heals by itself"),
        ({"heals": 60, "until": "true"}, "what heals by itself may have done so before verify looks"),
        ({"verify": ""}, "either verify, or unseen with the reason"),
        ({"unseen": "it cannot"}, "either verify, or unseen with the reason"),
        ({"heals": "refused"}, "says belongs to what is refused"),
        ({"heals": "refused", "says": "no"}, "undo is needed"),
        ({"says": "no"}, "says belongs to what is refused"),
        ({"heals": "next run", "meanwhile": "true"}, "unseen and meanwhile belong to what site repairs"),
        ({"do": ""}, "nothing is done"),
        ({"gap": -1}, "gap is -1, expected seconds"),
        ({"limit": "long"}, "limit is 'long', expected seconds"),
        ({"sessions_stay": True}, "sessions_stay belongs to what heals by itself"),
        ({"power": {"way": False}}, "power is False; there are: reset, reboot, switched off"),
        ({"power": {}}, "power is {}, expected way, perhaps seconds"),
        ({"wire": {"name": "hq", "conditions": {}, "seconds": 5}}, "a wire stands alone"),
        ({"do": "", "wire": {"name": "moon", "conditions": {}, "seconds": 5}}, "wire 'moon'; there are: internet, hq, "),
        ({"do": "", "wire": {"name": "hq", "conditions": {"loss_percent": 101}, "seconds": 5}}, "loss_percent: 101: must be a number from 0 to 100"),
        ({"do": "", "wire": {"name": "hq"}}, "wire is {'name': 'hq'}, expected name, conditions, seconds"),
        ({"controller": {"then": "dance"}}, "controller: 'dance'; there are: kill, "),
        ({"controller": {"then": "kill"}}, "controller: at is None; kill wants a share of the run"),
        ({"controller": {"then": "kill", "at": 0.5}}, "after what befalls a run, the next run is what counts"),
        ({"controller": {"then": "empty registry", "at": 0.5}}, "controller: at is 0.5; empty registry wants none"),
        ({"power": {"way": "reset"}, "controller": {"then": "empty registry"}}, "power and controller do not stand together"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(FaultError) as refused:
        parse([{**ROW, **change}])
    assert words in str(refused.value)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(FaultError) as refused:
        parse([{**ROW, "kind": "moon"}, "text", ROW, {**ROW, "heals": None}])
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["faults[0] 'x'", "faults[1]", "faults[2] 'x'", "faults[3] 'x'", "faults[3] 'x'"]
    with pytest.raises(FaultError, match="expected a list"):
        parse({})


def test_a_row_becomes_a_fault() -> None:
    one, two = parse([ROW, ITSELF])
    assert (one.hosts, one.by_itself, one.plain, one.expected) == (("hq-core",), None, True, "one run of site repairs it")
    assert (two.by_itself, two.expected, two.limit) == (60.0, "heals by itself within 60 s", faults.LIMIT_SECONDS)
    assert not parse([{**ROW, "power": {"way": "reset"}}])[0].plain


# ---- choice --------------------------------------------------------------------------------------------------------------------------------


def test_a_sample_is_the_same_for_a_seed_and_stays_on_one_host(rows: list[Fault]) -> None:
    samples = {seed: sample(rows, seed) for seed in range(30)}
    for seed, (short, several) in samples.items():
        assert [name_of(case) for case in (short, several)] == [name_of(case) for case in sample(rows, seed)]
        assert len({host for fault in (*short, *several) for host in fault.hosts}) == 1
        assert len(short) == 1 and (short[0].by_itself or 0) <= faults.SHORT_SECONDS
        assert len(several) == faults.AT_ONCE_IN_A_SAMPLE and all(fault.heals == SITE and fault.plain for fault in several)
    assert len({name_of(several) for _short, several in samples.values()}) > 20


def test_what_is_done_at_once_does_not_name_the_same(rows: list[Fault]) -> None:
    for seed in range(50):
        group = at_once(rows, 3, random.Random(seed))
        named = [objects(fault) for fault in group]
        assert len(group) == 3 and sum(map(len, named)) == len(set().union(*named))


def test_all_of_them_or_some_by_name_or_kind(rows: list[Fault]) -> None:
    everything = choose(rows, "", 7)
    assert [case[0] for case in everything if len(case) == 1] == rows
    groups = [case for case in everything if len(case) > 1]
    assert len(groups) == faults.GROUPS_AT_ONCE and all(2 <= len(group) <= 3 for group in groups)
    assert {case[0].kind for case in choose(rows, "docker", 7)} >= {"docker"}
    assert all("renamed" in case[0].name for case in choose(rows, "renamed", 7))
    assert choose(rows, "no such thing", 7) == []


def test_together_every_host_has_one_at_most_and_none_is_left_out(rows: list[Fault]) -> None:
    cases = choose(rows, "", 7, together=True)
    assert sorted(fault.name for case in cases[: -faults.GROUPS_AT_ONCE] for fault in case) == sorted(fault.name for fault in rows)
    for case in cases[: -faults.GROUPS_AT_ONCE]:
        hosts = [host for fault in case for host in fault.hosts]
        assert len(hosts) == len(set(hosts))
        assert len(case) == 1 or all(fault.plain and fault.heals == SITE for fault in case)
    assert len(cases) < len(choose(rows, "", 7)) - 50


def test_what_needs_the_lab_brought_back_comes_last(rows: list[Fault]) -> None:
    ordered = in_order(choose(rows, "", 7))
    due = [any(fault.restore for fault in case) for case in ordered]
    assert due == sorted(due) and any(due)

    def first(which: Any) -> int:
        return next(index for index, case in enumerate(ordered) if which(case))

    def itself(case: Case) -> bool:
        return case[0].by_itself is not None and case[0].plain

    assert first(itself) == 0
    assert first(lambda case: case[0].heals == SITE) < first(lambda case: len(case) > 1) < first(lambda case: case[0].wire)
    assert first(lambda case: case[0].wire) < first(lambda case: case[0].power) < first(lambda case: case[0].controller)


def test_another_seed_meets_a_run_at_another_task() -> None:
    places = {moved(0.5, "killed", seed) for seed in range(20)}
    assert len(places) == 20 and all(abs(place - 0.5) <= faults.SPREAD for place in places)
    assert moved(0.5, "killed", 3) == moved(0.5, "killed", 3) != moved(0.5, "cut", 3)
    assert moved(0.01, "x", 1) > 0 and moved(0.999, "x", 1) < 1
