"""The way back: what is kept, what the timer would do, and who wins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import checkpoint


class Host:
    """Stands for the commands of a host; systemd is only noted, the rest is run."""

    def __init__(self, timer: int = 0) -> None:
        self.calls: list[list[str]] = []
        self.timer = timer

    def run(self, command: list[str]) -> tuple[int, str, str]:
        self.calls.append(command)
        return (self.timer, "", "no bus") if command[0] == "systemd-run" else (0, "", "")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the checkpoints of these tests are kept."""
    directory = tmp_path / "checkpoints"
    monkeypatch.setattr(checkpoint, "DIRECTORY", str(directory))
    return directory


def restore(name: str) -> None:
    """Do what the timer does."""
    subprocess.run(["/bin/sh", checkpoint.place_of(name) + "/restore"], check=True)


def test_unconfirmed_change_is_undone(tmp_path: Path, place: Path) -> None:
    kept, made, proof = tmp_path / "kept", tmp_path / "made", tmp_path / "it's done"
    kept.write_text("old", encoding="utf-8")
    kept.chmod(0o640)
    host = Host()
    checkpoint.arm("x", [str(kept), str(made)], {"note": "text"}, [["cp", f"{place}/x/note", str(proof)]], 30, host.run)
    assert checkpoint.is_pending("x")
    assert "--on-active=30s" in host.calls[-1]
    kept.write_text("new", encoding="utf-8")
    made.write_text("new", encoding="utf-8")
    restore("x")
    assert (kept.read_text(encoding="utf-8"), kept.stat().st_mode & 0o777, made.exists()) == ("old", 0o640, False)
    assert proof.read_text(encoding="utf-8") == "text"
    with pytest.raises(checkpoint.CheckpointError, match="came too late"):
        checkpoint.confirm("x", host.run)


def test_confirmed_change_stays() -> None:
    host = Host()
    checkpoint.arm("x", [], {}, [], 30, host.run)
    checkpoint.confirm("x", host.run)
    assert ["systemctl", "stop", "xgn-checkpoint-x.timer"] in host.calls
    assert not checkpoint.is_pending("x")


def test_second_change_keeps_the_last_confirmed_state(tmp_path: Path) -> None:
    path, host = tmp_path / "file", Host()
    path.write_text("confirmed", encoding="utf-8")
    checkpoint.arm("x", [str(path)], {}, [], 30, host.run)
    path.write_text("never confirmed", encoding="utf-8")
    checkpoint.arm("x", [str(path)], {}, [], 30, host.run)
    path.write_text("nor this", encoding="utf-8")
    restore("x")
    assert path.read_text(encoding="utf-8") == "confirmed"


def test_without_a_timer_nothing_is_begun() -> None:
    with pytest.raises(checkpoint.CheckpointError, match="was not changed: no bus"):
        checkpoint.arm("x", [], {}, [], 30, Host(timer=1).run)
    assert not checkpoint.is_pending("x")


def test_confirmation_while_the_timer_works_is_too_late(place: Path) -> None:
    host = Host()
    checkpoint.arm("x", [], {}, [], 30, host.run)
    (place / "x" / checkpoint.STARTED).touch()
    with pytest.raises(checkpoint.CheckpointError, match="came too late"):
        checkpoint.confirm("x", host.run)
