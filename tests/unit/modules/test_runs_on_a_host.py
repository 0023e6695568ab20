"""The first and the last call of a run: a host is one run's at a time, and keeps what it last applied."""

from __future__ import annotations

import grp
import json
import multiprocessing
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import applied, loaded, run_lock
from ansible_collections.xuegao.net.plugins.modules import config_files, host_facts, host_leave, way_back

from .managed_host import Host

HOUR = 3600
OWNER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
RECORD = {"variables": "d1", "secrets": "d2", "key": "k", "at": "2026-11-29T03:12:05Z", "by": "alice@noc", "run": "a", "inventory": "mine"}


@pytest.fixture(autouse=True)
def boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The places on the host, and its clock: seconds after the boot, in a list of one."""
    monkeypatch.setattr(run_lock, "LOCK", str(tmp_path / "run" / "xgn" / "lock"))
    monkeypatch.setattr(applied, "APPLIED", str(tmp_path / "lib" / "xgn" / "applied.json"))
    seconds = [1000.0]
    monkeypatch.setattr(run_lock, "seconds_after_boot", lambda: seconds[0])
    monkeypatch.setattr(run_lock, "boot_id", lambda: "first boot")
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
    assert begin("bob", check=True)["other"] is None
    boot[0] += 60
    late = begin("bob")
    assert late["taken"]
    assert (late["other"]["run"], late["other"]["left"]) == ("dead", -60), "it may be alive: whoever takes the host is told"
    assert begin("bob")["other"] is None


def test_each_change_says_that_the_run_goes_on(begin: Callable[..., dict[str, Any]], host: Host, boot: list[float], tmp_path: Path) -> None:
    """As long as something is heard of a run its host is its own, however long the run takes; the note of another is left alone."""
    begin("alice")

    def change(run: str, check: bool = False) -> None:
        files = [{"path": str(tmp_path / "a.conf"), "content": f"{boot[0]}\n", "owner": OWNER, "group": GROUP}]
        assert not host.run(config_files, {"files": files, "lock_run": run}, check=check).get("failed")

    for _time in range(4):
        boot[0] += HOUR - 1
        change("alice")
        change("bob")
    assert not begin("carol")["taken"]
    before = Path(run_lock.LOCK).read_text(encoding="utf-8")
    boot[0] += 60
    for run, check in (("bob", False), ("", False), ("alice", True)):
        change(run, check)
        assert Path(run_lock.LOCK).read_text(encoding="utf-8") == before
    host.run(way_back, {"hold_seconds": 5 * HOUR, "lock_run": "alice"})
    boot[0] += 5 * HOUR - 1
    assert begin("carol")["other"]["left"] == 1
    host.run(host_leave, {"run": "alice"})
    change("alice")
    assert begin("carol")["taken"], "what it has given back it does not take again"


def test_a_note_is_whole_whatever_was_there_before(begin: Callable[..., dict[str, Any]], boot: list[float]) -> None:
    """One that is killed between writing and cutting off leaves the end of a longer note behind a whole one."""
    begin("alice")
    lock = Path(run_lock.LOCK)
    lock.write_text(lock.read_text(encoding="utf-8") + 'an older one", "until": 9}', encoding="utf-8")
    assert begin("bob")["other"]["run"] == "alice"
    run_lock.renew("alice")
    assert lock.read_text(encoding="utf-8").count("\n") == 1 and lock.read_text(encoding="utf-8").endswith("}\n")


def test_a_note_of_an_earlier_boot_is_none(begin: Callable[..., dict[str, Any]], host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are hosts whose /run outlives a boot, and seconds after it begin anew."""
    begin("alice")
    monkeypatch.setattr(run_lock, "boot_id", lambda: "second boot")
    left = host.run(host_leave, {"run": "alice", "record": RECORD})
    assert (left["changed"], left["lost"], left["taken_by"]) == (False, True, None)
    taken = begin("bob")
    assert (taken["taken"], taken["other"]) == (True, None)


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
    assert (late["changed"], late["lost"], late["taken_by"]["run"]) == (False, True, "bob")
    assert applied.read_applied() == {}
    assert not begin("carol")["taken"], "bob's note stays"
    # And when that run is over already: what it has left there is newer.
    newer = {**RECORD, "variables": "d9", "run": "bob"}
    assert not host.run(host_leave, {"run": "bob", "record": newer})["lost"]
    late = host.run(host_leave, {"run": "alice", "record": RECORD})
    assert (late["changed"], late["lost"], late["taken_by"], late["applied"]) == (False, True, None, newer)


def test_a_run_whose_note_expired_and_that_nobody_replaced_has_the_host(
    begin: Callable[..., dict[str, Any]], host: Host, boot: list[float]
) -> None:
    begin("alice")
    boot[0] += 2 * HOUR
    left = host.run(host_leave, {"run": "alice", "record": RECORD})
    assert (left["changed"], left["lost"], left["applied"]) == (True, False, RECORD)


def test_the_same_from_another_key_or_at_another_time_is_no_news(host: Host) -> None:
    assert host.run(host_leave, {"record": RECORD})["changed"]
    for more in ({"at": "later"}, {"key": "k2", "secrets": "d7"}):
        again = host.run(host_leave, {"record": {**RECORD, **more}})
        assert (again["changed"], again["applied"]) == (False, RECORD)
    assert host.run(host_leave, {"record": {**RECORD, "secrets": "d7"}})["changed"]


def test_the_host_is_given_back_also_when_nothing_can_be_kept(
    host: Host, begin: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begin("alice")
    (tmp_path / "file").touch()
    monkeypatch.setattr(applied, "APPLIED", str(tmp_path / "file" / "applied.json"))
    refused = host.run(host_leave, {"run": "alice", "record": RECORD})
    assert refused["failed"] and refused["released"] and "Remedy: " in refused["msg"]
    assert begin("bob")["taken"]


def test_a_host_that_cannot_be_noted_on_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host_facts, "read_text", lambda _path: "ID=arch\n")
    (tmp_path / "file").touch()
    monkeypatch.setattr(run_lock, "LOCK", str(tmp_path / "file" / "lock"))
    refused = host.run(host_facts, {"lock": {"run": "alice", "seconds": HOUR}})
    assert refused["failed"] and refused["msg"].startswith("this host cannot be taken for the run: ") and "Remedy: " in refused["msg"]
    refused = host.run(host_leave, {"run": "alice"})
    assert refused["failed"] and refused["msg"].startswith("this host cannot be given back: ") and "released" not in refused
    monkeypatch.setattr(applied, "APPLIED", str(tmp_path / "file" / "applied.json"))
    refused = host.run(host_leave, {"record": RECORD})
    assert refused["failed"] and refused["msg"].startswith("what this host applied cannot be kept: ")


UNIT = "ActiveState=%s\nUnitFileState=%s\nNeedDaemonReload=%s\n"


def test_units_for_which_there_is_nothing_to_do(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of those that record what their daemons have read, only one whose files are the same still: a killed run may have left another."""
    monkeypatch.setattr(loaded, "RECORDS", str(tmp_path))
    (tmp_path / "daemons").write_text("bgpd=yes\n", encoding="utf-8")
    for name, digest in (("read", loaded.digest_of_text("bgpd=yes\n")), ("otherwise", "other")):
        (tmp_path / name).write_text(f"{digest}  {tmp_path}/daemons\n", encoding="utf-8")
    monkeypatch.setattr(host_facts, "read_text", lambda _path: "ID=arch\n")
    monkeypatch.setattr(os.path, "isdir", lambda _path: True)
    states = {
        "well": ("active", "enabled", "no"),
        "read": ("active", "enabled", "no"),
        "otherwise": ("active", "enabled", "no"),
        "stopped": ("inactive", "enabled", "no"),
        "disabled": ("active", "disabled", "no"),
        "stale": ("active", "enabled", "yes"),
        "none": ("inactive", "", "no"),
    }
    host.prints("systemctl", {"show": "\n".join(UNIT % state for state in states.values())})
    result = host.run(host_facts, {"units": list(states)})
    assert result["ansible_facts"]["xgn_host"]["settled"] == ["well", "read"]
    host.prints("systemctl", {"show": (1, "Failed to connect to bus")})
    assert host.run(host_facts, {"units": ["well"]})["ansible_facts"]["xgn_host"]["settled"] == []
