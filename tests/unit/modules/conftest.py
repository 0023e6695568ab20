"""A managed host for every test of a module."""

from __future__ import annotations

from pathlib import Path

import pytest

from .managed_host import Host


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Host:
    """A host without programs, and with a directory for temporary files."""
    temporary = tmp_path / "ansible-tmp"
    temporary.mkdir()
    return Host(monkeypatch, capsys, temporary)
