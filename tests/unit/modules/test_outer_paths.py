"""What a host says of the paths to its tunnels' other ends. That echo requests of a size are answered or not is seen on live hosts."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import outer_paths, sysfs


class Prober:
    """Answers of a path that takes so many bytes; nothing answers where it takes none."""

    takes = 0
    asked: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, destination: str, source: str | None, vrf: str | None, spacing: float, whole: int | None) -> None:
        Prober.asked.append((destination, source, vrf, whole))
        self.answered = {0: spacing, 1: spacing} if (whole or 28) <= self.takes else {}

    def start(self) -> None:
        """Send."""

    def stop(self, patience: float) -> None:
        """Send no more."""
        assert patience == 0


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with one NIC of 1500 bytes."""
    monkeypatch.setattr(sysfs, "NET", str(tmp_path))
    monkeypatch.setattr(outer_paths, "Prober", Prober)
    monkeypatch.setattr(outer_paths, "PATIENCE_S", 0.0)
    monkeypatch.setattr(Prober, "asked", [])
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0" / "mtu").write_text("1500\n", encoding="ascii")
    return tmp_path


def look(*paths: dict[str, Any], metrics: Any = (), status: int = 0, device: str = "eth0") -> tuple[list[dict[str, Any]], list[list[str]]]:
    commands: list[list[str]] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        commands.append(command)
        return status, json.dumps([{"dst": command[4], "dev": device, "metrics": list(metrics)}]), ""

    return outer_paths.look(run, list(paths)), commands


PATH = {"interface": "wg1", "to": "198.51.100.2", "bytes": {"ipv4": 1480}}
FOUND = {"interface": "wg1", "to": "198.51.100.2", "address": "198.51.100.2", "device": "eth0", "mtu": 1500}


@pytest.mark.parametrize(("takes", "passes"), [(1500, "yes"), (1479, "no"), (0, "unknown")])
def test_whether_the_planned_size_passes(net: Path, monkeypatch: pytest.MonkeyPatch, takes: int, passes: str) -> None:
    monkeypatch.setattr(Prober, "takes", takes)
    assert look(PATH)[0] == [{**FOUND, "passes": passes}]
    assert [whole for *_more, whole in Prober.asked] == [None, 1480]


def test_a_route_that_takes_less_is_not_tried(net: Path) -> None:
    assert look(PATH, metrics=[{"mtu": 1400}])[0] == [{**FOUND, "mtu": 1400, "passes": "unknown"}]
    assert Prober.asked == []


def test_packets_leave_as_the_tunnels_do(net: Path) -> None:
    ways = {"from": "192.0.2.1", "vrf": "WAN"}
    assert look({**PATH, **ways})[1] == [["ip", "-json", "route", "get", "198.51.100.2", "from", "192.0.2.1", "vrf", "WAN"]]
    assert {asked[1:3] for asked in Prober.asked} == {("192.0.2.1", "WAN")}
    Prober.asked.clear()
    found, commands = look({**PATH, "mark": 7})
    assert (commands[0][-2:], found[0]["passes"], Prober.asked) == (["mark", "7"], "unknown", [])


def test_of_a_hub_only_some_paths_are_tried(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The route of each is told all the same."""
    monkeypatch.setattr(Prober, "takes", 1500)
    many = [{**PATH, "to": f"198.51.100.{number}"} for number in range(1, outer_paths.TOGETHER + 3)]
    found = look(*many)[0]
    assert [way["passes"] for way in found] == ["yes"] * outer_paths.TOGETHER + ["unknown"] * 2
    assert [way["to"] for way in found] == [path["to"] for path in many]


def test_a_living_tunnel_is_left_alone(net: Path) -> None:
    (net / "wg1").mkdir()
    assert look(PATH) == ([], [])


@pytest.mark.parametrize("more", [{"status": 2}, {"device": "lo"}, {"device": "gone"}])
def test_a_path_without_a_route_is_none(net: Path, more: dict[str, Any]) -> None:
    (net / "lo").mkdir()
    (net / "lo" / "mtu").write_text("65536\n", encoding="ascii")
    assert look(PATH, **more)[0] == []


def test_a_name_is_asked_for_in_the_families_of_the_tunnel(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {socket.AF_INET6: "2001:db8::2"}

    def resolve(name: str, _port: None, family: socket.AddressFamily, _kind: int) -> Any:
        if family not in known:
            raise socket.gaierror
        return [(family, 0, 0, "", (known[family], 0, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    both = {"interface": "ovpn1", "to": "hq.example", "bytes": {"ipv4": 1478, "ipv6": 1498}}
    assert [way["address"] for way in look(both)[0]] == ["2001:db8::2"]
    assert look({**both, "bytes": {"ipv4": 1478}}) == ([], [])


def test_a_resolver_that_is_silent_holds_nothing_up(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is left to itself, and the program need not wait for it to end. What else is asked is answered as ever."""
    answered, waiting = threading.Event(), list[threading.Thread]()

    def resolve(name: str, _port: None, family: socket.AddressFamily, _kind: int) -> Any:
        if name == "silent.example":
            waiting.append(threading.current_thread())
            answered.wait(60)
        if name == "\xfc" * 64:
            raise UnicodeError("label too long")
        return [(family, 0, 0, "", ("198.51.100.2", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(outer_paths, "NAMES_S", 0.3)
    begun = time.monotonic()
    found, _commands = look(*({**PATH, "interface": name, "to": name} for name in ("silent.example", "hq.example", "\xfc" * 64)))
    assert ([way["to"] for way in found], time.monotonic() - begun < 10) == (["hq.example"], True)
    assert [thread.daemon for thread in waiting] == [True]
    answered.set()
    waiting[0].join(10)
