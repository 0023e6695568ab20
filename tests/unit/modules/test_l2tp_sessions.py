"""Module l2tp_sessions: it looks at interfaces, initiates what is down, and says `changed` of what came up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import l2tp_watch
from ansible_collections.xuegao.net.plugins.modules import l2tp_sessions

from .managed_host import Host


class Peer:
    """Another end. ``answers``: whether it brings up what is initiated; ``closing``: how often it must be asked before a former session has ended."""

    def __init__(self, net: Path) -> None:
        self.net = net
        self.answers, self.closing = True, 0
        self.initiated: list[str] = []

    def initiate(self, name: str) -> bool:
        if self.closing:
            self.closing -= 1
            return False
        self.initiated.append(name)
        if self.answers:
            self.bring_up(name)
        return True

    def bring_up(self, name: str) -> None:
        (self.net / name).mkdir()
        (self.net / name / "flags").write_text("0x10d1\n", encoding="ascii")


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """The other end, while no session is up."""
    (tmp_path / "net").mkdir()
    monkeypatch.setattr(l2tp_watch, "NET", str(tmp_path / "net"))
    found = Peer(tmp_path / "net")
    monkeypatch.setattr(l2tp_watch, "initiate", found.initiate)
    return found


def run(host: Host, check: bool = False) -> dict[str, Any]:
    return host.run(l2tp_sessions, {"names": ["l2tp3", "l2tp4"]}, check=check)


def test_what_is_up_is_left_alone(host: Host, peer: Peer) -> None:
    for name in ("l2tp3", "l2tp4"):
        peer.bring_up(name)
    result = run(host)
    assert (result["changed"], peer.initiated, host.naps) == (False, [], [])


def test_what_is_down_is_initiated_once_its_former_session_has_ended(host: Host, peer: Peer) -> None:
    peer.bring_up("l2tp4")
    peer.closing = 2
    assert run(host, check=True)["initiated"] == ["l2tp3"]
    assert peer.initiated == []
    result = run(host)
    assert (result["changed"], result["initiated"], result["down"], peer.initiated) == (True, ["l2tp3"], [], ["l2tp3"])
    assert run(host)["changed"] is False


def test_one_that_stays_down_is_a_warning_and_no_change(host: Host, peer: Peer) -> None:
    peer.answers = False
    result = run(host)
    assert (result["changed"], result["down"], peer.initiated) == (False, ["l2tp3", "l2tp4"], ["l2tp3", "l2tp4"])
    assert host.warnings[0].startswith("L2TP session l2tp3 is down: it was initiated")
