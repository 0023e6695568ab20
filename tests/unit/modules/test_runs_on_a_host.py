"""The first and the last call of a run: a host is one run's at a time, and keeps what it last applied."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import applied, run_lock
from ansible_collections.xuegao.net.plugins.modules import host_facts, host_leave

from .managed_host import Host

HOUR = 3600
RECORD = {"variables": "d1", "secrets": "d2", "key": "k", "at": "2026-11-29T03:12:05Z", "by": "alice@noc", "run": "a", "inventory": "mine"}


@pytest.fixture(autouse=True)
def boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The places on the host, and its clock: seconds after the boot, in a list of one."""
    monkeypatch.setattr(run_lock, "LOCK", str(tmp_path / "run" / "xgn" / "lock"))
    monkeypatch.setattr(applied, "APPLIED", str(tmp_path / "lib" / "xgn" / "applied.json"))
    seconds = [1000.0]
    monkeypatch.setattr(run_lock, "seconds_after_boot", lambda: seconds[0])
    return seconds


@pytest.fixture
def begin(host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run module host_facts for a run, by its name."""
    monkeypatch.setattr(host_facts, "read_text", lambda path: "ID=arch\n" if path == "/etc/os-release" else "")

    def call(run: str, check: bool = False, **more: Any) -> dict[str, Any]:
        lock = {"run": run, "note": {"by": f"{run}@noc", "since": "then"}, "seconds": HOUR, **more}
        result = host.run(host_facts, {"lock": lock}, check=check)
        assert not result["changed"] and "xgn_host" in result["ansible_facts"]
        return result

    return call


def test_a_second_run_is_told_who_has_the_host(begin: Callable[..., dict[str, Any]], host: Host, boot: list[float]) -> None:
    first = begin("alice")
    assert (first["taken"], first["other"]) == (True, None)
    boot[0] += 60
    second = begin("bob")
    assert not second["taken"]
    assert {name: second["other"][name] for name in ("run", "by", "since", "left")} == {
        "run": "alice",
        "by": "alice@noc",
        "since": "then",
        "left": HOUR - 60,
    }
    host.run(host_leave, {"run": "alice"})
    assert begin("bob")["taken"]


def test_a_run_renews_what_it_has(begin: Callable[..., dict[str, Any]], boot: list[float]) -> None:
    begin("alice")
    boot[0] += HOUR - 1
    assert (begin("alice")["taken"], begin("alice")["other"]) == (True, None)
    boot[0] += HOUR - 1
    assert not begin("bob")["taken"]


def test_a_dead_run_does_not_block_for_ever(begin: Callable[..., dict[str, Any]], boot: list[float]) -> None:
    begin("dead")
    boot[0] += HOUR
    late = begin("bob")
    assert (late["taken"], late["other"]) == (True, None)


def test_it_is_taken_from_a_run_that_is_over_or_by_force(begin: Callable[..., dict[str, Any]]) -> None:
    begin("dead")
    assert not begin("bob", instead_of="another")["taken"]
    taken = begin("bob", instead_of="dead")
    assert (taken["taken"], taken["other"]["run"]) == (True, "dead")
    assert not begin("carol")["taken"]
    forced = begin("carol", by_force=True)
    assert (forced["taken"], forced["other"]["run"]) == (True, "bob")


def test_check_mode_looks_and_takes_nothing(begin: Callable[..., dict[str, Any]], host: Host) -> None:
    told = begin("bob", check=True)
    assert (told["taken"], told["other"]) == (False, None)
    assert not Path(run_lock.LOCK).exists()
    begin("alice")
    assert begin("bob", check=True)["other"]["run"] == "alice"
    assert not host.run(host_leave, {"run": "alice", "record": RECORD}, check=True)["taken_by"]
    assert not begin("bob")["taken"] and applied.read_applied() == {}


def test_whoever_only_looks_takes_nothing(host: Host, begin: Callable[..., dict[str, Any]]) -> None:
    begin("alice")
    result = host.run(host_facts, {})
    assert (result["taken"], result["other"]) == (False, None)


@pytest.mark.parametrize("text", ["", '{"run": "alice", "unt', "[]", '{"run": 1, "until": 2}', '{"run": "alice"}'])
def test_a_half_written_note_blocks_nobody(begin: Callable[..., dict[str, Any]], text: str) -> None:
    Path(run_lock.LOCK).parent.mkdir(parents=True)
    Path(run_lock.LOCK).write_text(text, encoding="utf-8")
    assert begin("bob")["taken"]
    assert not begin("carol")["taken"]


def race(lock: str, name: str, ready: Any, winners: Any) -> None:
    run_lock.LOCK = lock
    ready.wait()
    if run_lock.take({"run": name}, HOUR)[0]:
        winners.put(name)


def test_of_many_that_come_at_once_one_has_it(tmp_path: Path) -> None:
    forks = multiprocessing.get_context("fork")
    ready, winners = forks.Event(), forks.Queue()
    racers = [forks.Process(target=race, args=(str(tmp_path / "race" / "lock"), f"r{number}", ready, winners)) for number in range(6)]
    for racer in racers:
        racer.start()
    ready.set()
    for racer in racers:
        racer.join()
    assert isinstance(winners.get(timeout=5), str) and winners.empty()


def test_what_was_applied_is_kept_for_root_alone(host: Host, begin: Callable[..., dict[str, Any]]) -> None:
    assert begin("alice")["applied"] == {}
    first = host.run(host_leave, {"run": "alice", "record": RECORD})
    assert (first["changed"], first["taken_by"]) == (True, None)
    path = Path(applied.APPLIED)
    assert json.loads(path.read_text(encoding="utf-8")) == RECORD and path.stat().st_mode & 0o777 == 0o600
    assert begin("bob")["applied"] == RECORD
    assert not host.run(host_leave, {"run": "bob", "record": RECORD})["changed"]
    assert not host.run(host_leave, {"run": "bob"})["changed"]
    assert applied.read_applied() == RECORD
    path.write_text('{"variables"', encoding="utf-8")
    assert begin("carol")["applied"] == {}, "half written is as good as none"


def test_a_run_that_has_lost_the_host_keeps_nothing_there(host: Host, begin: Callable[..., dict[str, Any]]) -> None:
    begin("alice")
    begin("bob", by_force=True)
    late = host.run(host_leave, {"run": "alice", "record": RECORD})
    assert (late["changed"], late["taken_by"]["run"]) == (False, "bob")
    assert applied.read_applied() == {}
    assert not begin("carol")["taken"], "bob's note stays"


def test_a_host_that_cannot_be_noted_on_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host_facts, "read_text", lambda _path: "ID=arch\n")
    (tmp_path / "file").touch()
    monkeypatch.setattr(run_lock, "LOCK", str(tmp_path / "file" / "lock"))
    refused = host.run(host_facts, {"lock": {"run": "alice", "seconds": HOUR}})
    assert refused["failed"] and refused["msg"].startswith("this host cannot be taken for the run: ")
    monkeypatch.setattr(applied, "APPLIED", str(tmp_path / "file" / "applied.json"))
    refused = host.run(host_leave, {"record": RECORD})
    assert refused["failed"] and refused["msg"].startswith("what this host applied cannot be kept: ")


UNIT = "ActiveState=%s\nUnitFileState=%s\nNeedDaemonReload=%s\n"


def test_units_for_which_there_is_nothing_to_do(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_facts, "read_text", lambda _path: "ID=arch\n")
    monkeypatch.setattr(os.path, "isdir", lambda _path: True)
    states = {
        "well": ("active", "enabled", "no"),
        "stopped": ("inactive", "enabled", "no"),
        "disabled": ("active", "disabled", "no"),
        "stale": ("active", "enabled", "yes"),
        "none": ("inactive", "", "no"),
    }
    host.prints("systemctl", {"show": "\n".join(UNIT % state for state in states.values())})
    result = host.run(host_facts, {"units": list(states)})
    assert result["ansible_facts"]["xgn_host"]["settled"] == ["well"]
    host.prints("systemctl", {"show": (1, "Failed to connect to bus")})
    assert host.run(host_facts, {"units": ["well"]})["ansible_facts"]["xgn_host"]["settled"] == []
