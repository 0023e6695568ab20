"""A managed host for every test of a module."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program

from .managed_host import Host


@pytest.fixture
def way_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a way back is kept."""
    for name, place in (("BASE", "way-back"), ("RUN", "run"), ("UNITS", "units")):
        monkeypatch.setattr(way_back_program, name, str(tmp_path / place))
    return tmp_path / "way-back"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, way_back: Path) -> Host:
    """A host without programs, and with a directory for temporary files."""
    temporary = tmp_path / "ansible-tmp"
    temporary.mkdir()
    return Host(monkeypatch, capsys, temporary)
