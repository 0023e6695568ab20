"""The controller's side of a cut: when it cuts, that it restores, and what it says of commands that fail."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.action import failover_wire
from ansible_collections.xuegao.net.plugins.action.failover_wire import cut_and_restore, execute


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover_wire, "SETTLE_SECONDS", 0.05)


def said(directory: Path) -> list[str]:
    path = directory / "said"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def shell(text: str) -> str:
    return f"sh -c '{text}'"


def test_it_cuts_and_restores_in_its_directory(tmp_path: Path) -> None:
    assert cut_and_restore(shell("echo cut >>said"), shell("echo restored >>said"), str(tmp_path), 0.05, threading.Event()) == ""
    assert said(tmp_path) == ["cut", "restored"]


def test_nothing_is_cut_when_nobody_measures(tmp_path: Path) -> None:
    over = threading.Event()
    over.set()
    assert cut_and_restore(shell("echo cut >>said"), shell("echo restored >>said"), str(tmp_path), 5, over) == ""
    assert said(tmp_path) == []


def test_it_restores_as_soon_as_the_measurement_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def and_over(command: str, directory: str | None) -> str:
        over.set()
        return execute(command, directory)

    # The cut itself ends the measurement. Whoever waits for the limit all the same does so for an hour.
    monkeypatch.setattr(failover_wire, "execute", and_over)
    arguments = (shell("echo cut >>said"), shell("echo restored >>said"), str(tmp_path), 3600, over)
    cutting = threading.Thread(target=cut_and_restore, args=arguments, daemon=True)
    cutting.start()
    cutting.join(120)
    assert said(tmp_path) == ["cut", "restored"]


@pytest.mark.parametrize(
    ("cut", "restore", "words"),
    [
        ("sh -c 'echo no such port >&2; exit 3'", "true", "no such port"),
        ("false", "true", "false: exit status 1"),
        ("true", "sh -c 'exit 4'", "exit status 4"),
        ("no-such-program", "true", "no-such-program"),
        ("an 'open quote", "true", "No closing quotation"),
    ],
)
def test_a_command_that_fails_is_named(tmp_path: Path, cut: str, restore: str, words: str) -> None:
    assert words in cut_and_restore(cut, restore, str(tmp_path), 0, threading.Event())
