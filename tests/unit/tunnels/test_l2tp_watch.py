"""The watch of L2TP sessions: silent while all is well, patient with xl2tpd, ever more seldom, and never two sessions for one."""

from __future__ import annotations

import itertools
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


@pytest.mark.parametrize(
    ("answer", "initiated", "asked"),
    [
        ("01 Session 'l2tp3' not up\n", True, ["disconnect-lac", "connect-lac"]),
        ("00 OK\n", False, ["disconnect-lac"]),
        ("", False, ["disconnect-lac"]),
    ],
    ids=["gone", "closing", "no xl2tpd"],
)
def test_a_session_is_initiated_once_nothing_is_left_of_the_former(
    monkeypatch: pytest.MonkeyPatch, answer: str, initiated: bool, asked: list[str]
) -> None:
    verbs = []

    def control(verb: str, _name: str) -> str:
        verbs.append(verb)
        return answer

    monkeypatch.setattr(l2tp_watch, "control", control)
    assert (l2tp_watch.initiate("l2tp3"), verbs) == (initiated, asked)


def test_a_host_without_the_program_answers_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert l2tp_watch.control("connect-lac", "l2tp3") == ""
    program = tmp_path / "xl2tpd-control"
    program.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    assert l2tp_watch.control("connect-lac", "l2tp3") == "connect-lac l2tp3\n"
