"""Ended processes that watchfrr has not noticed, in a /proc of files."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import files, watchfrr
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_frr_processes as processes

from .managed_host import Host


class Proc:
    """/proc with watchfrr as process 50; each signal lets it take in one child, as long as it ``notices``."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, notices: bool = True) -> None:
        self.root, self.notices, self.signals = root, notices, 0
        monkeypatch.setattr(watchfrr, "PROC", str(root))
        monkeypatch.setattr(watchfrr, "PID_FILE", str(root / "watchfrr.pid"))
        monkeypatch.setattr(os, "kill", self.kill)
        (root / "watchfrr.pid").write_text("50\n", encoding="utf-8")
        self.process(50, "S", 1, "watchfrr")

    def process(self, number: int, state: str, parent: int, name: str = "vtysh) Z 50 (") -> None:
        (self.root / str(number)).mkdir()
        (self.root / str(number) / "stat").write_text(f"{number} ({name}) {state} {parent} 0 0", encoding="utf-8")

    def kill(self, number: int, sent: int) -> None:
        assert (number, sent) == (50, signal.SIGCHLD)
        self.signals += 1
        if self.notices:
            first = min(watchfrr._ended("50"))
            (self.root / str(first) / "stat").unlink()


def test_only_its_own_ended_children_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    proc = Proc(tmp_path, monkeypatch)
    proc.process(60, "S", 50)
    proc.process(61, "Z", 1)
    assert (watchfrr.catch_up(), proc.signals) == ([], 0)
    proc.process(62, "Z", 50)
    proc.process(63, "Z", 50)
    assert watchfrr.unnoticed() == [62, 63]
    assert (watchfrr.catch_up(), proc.signals) == ([62, 63], 2)
    assert watchfrr.unnoticed() == []


def test_a_child_that_is_noticed_by_itself_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    proc = Proc(tmp_path, monkeypatch)
    proc.process(60, "Z", 50)
    looks = iter([[60], [60], []])
    monkeypatch.setattr(watchfrr, "_ended", lambda _parent: next(looks))
    assert (watchfrr.catch_up(), proc.signals) == ([], 0)


def test_processes_of_frr_that_are_not_what_is_installed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    """By what the kernel says of the program, and by the age of the unit's file."""
    proc = Proc(tmp_path, monkeypatch)
    run, unit = tmp_path / "run", tmp_path / "frr.service"
    run.mkdir()
    monkeypatch.setattr(processes, "PID_FILES", f"{run}/*.pid")
    monkeypatch.setattr(processes, "UNIT_FILE", str(unit))
    (tmp_path / "stat").write_text("cpu 1\nbtime 1000\n", encoding="utf-8")
    ticks = os.sysconf("SC_CLK_TCK")
    for name, number, program, seconds in (("bgpd", 51, "/usr/lib/frr/bgpd (deleted)", 5), ("zebra", 52, "/usr/lib/frr/zebra", 100)):
        (run / f"{name}.pid").write_text(f"{number}\n", encoding="utf-8")
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "exe").symlink_to(program)
        fields = " ".join(["S", "1", *["0"] * 17, str(seconds * ticks), "0"])
        (tmp_path / str(number) / "stat").write_text(f"{number} ({name}) {fields}", encoding="utf-8")
    for name, text in (("ospfd", "59\n"), ("staticd", "")):
        (run / f"{name}.pid").write_text(text, encoding="utf-8")
    proc.process(60, "Z", 50)
    assert processes.gather_frr_processes()["data"] == {
        "daemons": {"bgpd": {"replaced": True, "older": False}, "zebra": {"replaced": False, "older": False}},
        "unnoticed": [60],
    }
    unit.touch()
    os.utime(unit, (1050, 1050))
    found = processes.gather_frr_processes()["data"]["daemons"]
    assert {name: daemon["older"] for name, daemon in found.items()} == {"bgpd": True, "zebra": False}


def test_without_watchfrr_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchfrr, "PID_FILE", str(tmp_path / "watchfrr.pid"))
    assert watchfrr.catch_up() == []


def test_a_watchfrr_that_never_notices_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    proc = Proc(tmp_path, monkeypatch, notices=False)
    proc.process(60, "Z", 50)
    with pytest.raises(ValueError, match="processes of its own have ended: 60"):
        watchfrr.catch_up()


def test_a_process_that_goes_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc = Proc(tmp_path, monkeypatch)
    proc.process(60, "Z", 50)

    def gone(path: str) -> Any:
        if path.endswith("60/stat"):
            raise ProcessLookupError(path)
        return files.read_text(path)

    monkeypatch.setattr(watchfrr, "read_text", gone)
    assert watchfrr.unnoticed() == []
