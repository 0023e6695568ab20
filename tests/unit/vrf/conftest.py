"""What the tests of the interface layer share."""

from __future__ import annotations

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_managers


@pytest.fixture(autouse=True)
def _no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the host have no network manager, whatever the machine has that the tests run on."""
    monkeypatch.setattr(interface_managers, "ROOT", "/nonexistent")
