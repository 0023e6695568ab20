"""A managed host for every test of a module."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import way_back as laying
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program

from .managed_host import Host


@pytest.fixture
def way_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where a way back is kept. The threads that put its end off are over before the real places stand in the program again."""
    ends: list[threading.Event] = []
    threads: list[threading.Thread] = []

    def event() -> threading.Event:
        ends.append(threading.Event())
        return ends[-1]

    def thread(**arguments: object) -> threading.Thread:
        threads.append(threading.Thread(**arguments))  # type: ignore[arg-type]
        return threads[-1]

    monkeypatch.setattr(laying, "threading", SimpleNamespace(Event=event, Thread=thread))
    for name, place in (("BASE", "way-back"), ("RUN", "run"), ("UNITS", "units")):
        monkeypatch.setattr(way_back_program, name, str(tmp_path / place))
    yield tmp_path / "way-back"
    for end in ends:
        end.set()
    for started in threads:
        started.join()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, way_back: Path) -> Host:
    """A host without programs, and with a directory for temporary files."""
    temporary = tmp_path / "ansible-tmp"
    temporary.mkdir()
    return Host(monkeypatch, capsys, temporary)
