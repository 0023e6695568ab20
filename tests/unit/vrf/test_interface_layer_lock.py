"""At a boot every tunnel that comes up calls xgn-interface: they must not make the same VRF twice."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer


def test_one_waits_for_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interface_layer, "LOCK_FILE", str(tmp_path / "lock"))
    read = threading.Event()

    def links(_kernel: interface_layer.Kernel) -> dict[str, Any]:
        read.set()
        return {}

    monkeypatch.setattr(interface_layer.Kernel, "links", links)
    second = threading.Thread(target=interface_layer.apply, args=({},))
    with interface_layer.exclusive():
        second.start()
        assert not read.wait(0.3), "it reads while the first may change what it reads"
        # Who only looks needs no right to write a lock.
        interface_layer.apply({}, dry_run=True)
        assert read.is_set()
        read.clear()
    second.join(10)
    assert read.is_set()
    assert not second.is_alive()
