"""Action failover_wire: it cuts beside the one remote call, restores whatever becomes of that, and says what is wrong with a command."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.action import failover_wire
from ansible_collections.xuegao.net.plugins.action.failover_wire import ActionModule, cut_and_restore, execute

Act = Callable[..., dict[str, Any]]
MEASUREMENT = {"limit": 3600, "destination": "192.0.2.1"}


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover_wire, "SETTLE_SECONDS", 0.05)


class Controller:
    """What the controller runs, instead of running it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, problem: str = "") -> None:
        self.ran: list[tuple[str, str | None]] = []
        self.cut = threading.Event()
        self.problem = problem
        monkeypatch.setattr(failover_wire, "execute", self.execute)

    def execute(self, command: str, directory: str | None) -> str:
        self.ran.append((command, directory))
        self.cut.set()
        return self.problem if command == "cut it" else ""

    def measured(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer for the module, once the wire is cut."""
        assert (name, arguments) == ("xuegao.net.failover_cut", MEASUREMENT)
        assert self.cut.wait(60)
        return {"changed": True, "lost": 20}


def arguments(tmp_path: Path) -> dict[str, Any]:
    return {"cut": "cut it", "restore": "restore it", "chdir": str(tmp_path), "measurement": MEASUREMENT}


def test_the_wire_is_cut_while_the_host_measures(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = Controller(monkeypatch)
    result = act(ActionModule, arguments(tmp_path), answer=controller.measured)
    assert result == {"changed": True, "lost": 20}
    assert controller.ran == [("cut it", str(tmp_path)), ("restore it", str(tmp_path))]


def test_a_cut_that_fails_fails_the_task(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = Controller(monkeypatch, problem="no such port")
    result = act(ActionModule, arguments(tmp_path), answer=controller.measured)
    assert (result["failed"], result["msg"], result["lost"]) == (True, "no such port", 20)
    assert controller.ran[-1] == ("restore it", str(tmp_path))


def test_it_is_restored_when_the_measurement_breaks_off(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = Controller(monkeypatch)

    def lost(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        controller.measured(name, arguments)
        raise RuntimeError("connection lost")

    with pytest.raises(RuntimeError, match="connection lost"):
        act(ActionModule, arguments(tmp_path), answer=lost)
    assert controller.ran[-1] == ("restore it", str(tmp_path))


def test_check_mode_cuts_nothing(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = Controller(monkeypatch)
    assert act(ActionModule, arguments(tmp_path), check=True) == {"changed": True}
    assert controller.ran == []


# ---- cut and restore -------------------------------------------------------------------------------------------------


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
        ("false", "true", "the command 'false' of the cut failed: exit status 1"),
        ("true", "sh -c 'exit 4'", "exit status 4"),
        ("no-such-program", "true", "no-such-program"),
        ("an 'open quote", "true", "No closing quotation"),
    ],
)
def test_a_command_that_fails_is_named(tmp_path: Path, cut: str, restore: str, words: str) -> None:
    assert words in cut_and_restore(cut, restore, str(tmp_path), 0, threading.Event())
