"""The watch of L2TP sessions: silent while all is well, patient with xl2tpd, ever more seldom, and never two sessions for one."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import l2tp_watch
from ansible_collections.xuegao.net.plugins.module_utils.l2tp_watch import LONGEST_S, PATIENCE_S, Session, wait


def test_nothing_is_done_while_all_is_well() -> None:
    sessions = [Session("l2tp3"), Session("l2tp4")]
    assert [session.look(True, 0.0) for session in sessions] == [False, False]
    # As long as the kernel says nothing.
    assert wait(sessions, 0.0) is None


def test_xl2tpd_gets_its_time_and_then_it_is_initiated_ever_more_seldom() -> None:
    session, now = Session("l2tp3"), 100.0
    initiated: list[float] = []
    while len(initiated) < 7:
        if session.look(False, now):
            session.tried(True, now)
            initiated.append(now - 100)
        step = wait([session], now)
        assert step
        now += step
    assert initiated[0] == PATIENCE_S
    gaps = [later - earlier for earlier, later in itertools.pairwise(initiated)]
    assert gaps == [90, 180, 360, LONGEST_S, LONGEST_S, LONGEST_S]


def test_one_that_comes_back_is_forgotten() -> None:
    session = Session("l2tp3")
    session.look(False, 0.0)
    assert session.look(False, PATIENCE_S)
    session.tried(True, PATIENCE_S)
    assert not session.look(True, 60.0)
    assert (wait([session], 60.0), session.look(False, 70.0), wait([session], 70.0)) == (None, False, PATIENCE_S)


def test_one_that_has_yet_to_end_is_asked_again_soon() -> None:
    session = Session("l2tp3")
    session.look(False, 0.0)
    session.tried(False, PATIENCE_S)
    assert wait([session], PATIENCE_S) == l2tp_watch.CLOSING_S


# What Debian's xl2tpd-control does: it prints nothing, and ends with the number that xl2tpd's answer begins with.
CONTROL = """#!/bin/sh
echo "$1" >>"$0.asked"
case $1 in disconnect-lac) exit {disconnect} ;; connect-lac) exit {connect} ;; esac
"""


@pytest.mark.parametrize(
    ("disconnect", "connect", "initiated", "asked"),
    [
        (1, 0, True, ["disconnect-lac", "connect-lac"]),
        (0, 0, False, ["disconnect-lac"]),
        (255, 0, False, ["disconnect-lac"]),
        (1, 253, False, ["disconnect-lac", "connect-lac"]),
    ],
    ids=["gone", "closing", "no xl2tpd", "no answer"],
)
def test_a_session_is_initiated_once_nothing_is_left_of_the_former(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disconnect: int, connect: int, initiated: bool, asked: list[str]
) -> None:
    naps: list[tuple[float, list[str]]] = []
    sleep = time.sleep

    def nap(seconds: float) -> None:
        # Shorter ones are of subprocess, which waits for the program.
        if seconds >= 1:
            naps.append((seconds, log.read_text(encoding="utf-8").split()))
        else:
            sleep(seconds)

    log = tmp_path / "xl2tpd-control.asked"
    program = tmp_path / "xl2tpd-control"
    program.write_text(CONTROL.format(disconnect=disconnect, connect=connect), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("time.sleep", nap)
    assert l2tp_watch.initiate("l2tp3") is initiated
    assert log.read_text(encoding="utf-8").split() == asked
    # What xl2tpd had planned by itself is over before it is told anew: 5 s, as roles/l2tp_ipsec/templates/xl2tpd.conf.j2 has it.
    assert naps == ([(6.0, ["disconnect-lac"])] if len(asked) > 1 else [])


def test_a_host_without_the_program_has_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert l2tp_watch.control("connect-lac", "l2tp3") is None


def test_an_interface_whose_ends_have_not_agreed_is_no_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(l2tp_watch, "NET", str(tmp_path))
    assert not l2tp_watch.is_up("l2tp3")
    (tmp_path / "l2tp3").mkdir()
    found = []
    for flags in ("0x1090", "0x10d1"):
        (tmp_path / "l2tp3" / "flags").write_text(f"{flags}\n", encoding="ascii")
        found.append(l2tp_watch.is_up("l2tp3"))
    assert found == [False, True]
