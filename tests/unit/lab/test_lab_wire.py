"""The wires, with real sockets: what one NIC sends, the right others get, under each condition."""

from __future__ import annotations

import json
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import wire
from lab.errors import LabError
from lab.wire import QUEUE_FRAMES, Switchboard
from lab.wire_client import request

BROADCAST = b"\xff" * 6
MACS = [bytes([0x52, 0x54, 0, 0, 0, i]) for i in range(3)]
# Nothing is expected to arrive; long enough for a frame that should not have passed.
SILENCE_S = 0.1
# A deadline for what hangs; a busy machine takes its time.
ARRIVAL_LIMIT_S = 60.0


class Bench:
    """A switchboard in a thread, with NICs that the test itself plays, all of the class ``kind``."""

    def __init__(self, directory: Path, wires: dict[str, dict[str, Any]], kind: type[Nic]) -> None:
        self.directory = directory
        self.control = directory / "control"
        self.nics: dict[str, list[Nic]] = {}
        config: dict[str, Any] = {"control": str(self.control), "wires": {}}
        for name, entry in wires.items():
            nics = [kind(directory / f"{name}{i}q", directory / f"{name}{i}w") for i in range(entry.pop("count", 3))]
            self.nics[name] = nics
            config["wires"][name] = {
                "conditions": entry,
                "ports": [nic.entry() for nic in nics],
            }
        self.board = Switchboard(config)
        for nics in self.nics.values():
            for nic in nics:
                nic.open()
        self.thread = threading.Thread(target=self.board.run)
        self.thread.start()

    def set(self, wire: str = "w", **conditions: object) -> dict[str, Any]:
        return request(self.control, {"wire": wire, "set": conditions})

    def frames(self, wire: str = "w") -> dict[str, int]:
        counters: dict[str, int] = request(self.control, {"wire": wire})["frames"]
        return counters

    def settled(self, received: int) -> dict[str, int]:
        """Return the counters of wire w as soon as it has taken so many frames."""
        deadline = time.monotonic() + ARRIVAL_LIMIT_S
        while (counters := self.frames())["received"] < received and time.monotonic() < deadline:
            time.sleep(0.01)
        assert counters["received"] == received
        return counters

    def close(self) -> None:
        self.board.stop()
        self.thread.join(ARRIVAL_LIMIT_S)
        assert not self.thread.is_alive()
        for nics in self.nics.values():
            for nic in nics:
                nic.close()


class Nic:
    """QEMU's side of a port: one datagram socket."""

    def __init__(self, path: Path, port: Path) -> None:
        self.path, self.port = path, port

    def entry(self) -> dict[str, str]:
        return {"socket": str(self.port), "peer": str(self.path)}

    def open(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))

    def close(self) -> None:
        self.socket.close()
        self.path.unlink(missing_ok=True)

    def send(self, frame: bytes) -> None:
        self.socket.sendto(frame, str(self.port))

    def receive(self) -> bytes:
        self.socket.settimeout(ARRIVAL_LIMIT_S)
        return self.socket.recv(65536)

    def silent(self) -> bool:
        self.socket.settimeout(SILENCE_S)
        try:
            self.socket.recv(65536)
        except TimeoutError:
            return True
        return False


class ConnectedNic(Nic):
    """User Mode Linux's side of a port."""

    def entry(self) -> dict[str, str]:
        return {"socket": str(self.port)}

    def open(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(str(self.port))

    def send(self, frame: bytes) -> None:
        self.socket.send(frame)


class Clock:
    """The wires' clock, which stands still until the test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
        self.now = 0.0
        self.bench = bench
        monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: self.now))

    def advance(self, now: float) -> None:
        self.now = now
        # A request wakes the switchboard, which then delivers what has become due.
        self.bench.frames()


def ethernet(destination: bytes, source: bytes, payload: bytes = b"x" * 46, kind: int = 0x88B5) -> bytes:
    return destination + source + struct.pack(">H", kind) + payload


def ipv4(protocol: int, sport: int, dport: int, length: int = 60, offset: int = 0, tag: bytes = b"") -> bytes:
    header = struct.pack(">BBHHHBBH4s4s", 0x46, 0, length, 0, offset, 64, protocol, 0, b"\n\0\0\1", b"\n\0\0\2")
    # 0x46: a header of 24 bytes, so that a parser which assumes 20 fails.
    body = header + b"\1" * 4 + struct.pack(">HH", sport, dport)
    return BROADCAST + MACS[0] + tag + b"\x08\x00" + body.ljust(length, b"\0")


def ipv6(next_header: int, payload: bytes) -> bytes:
    header = struct.pack(">IHBB16s16s", 6 << 28, len(payload), next_header, 64, b"\xfd" + bytes(15), b"\xfd" + bytes(15))
    return BROADCAST + MACS[0] + b"\x86\xdd" + header + payload


@pytest.fixture
def directory() -> Iterator[Path]:
    # pytest's own temporary directories may be too deep for a socket's path.
    with tempfile.TemporaryDirectory(prefix="w", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(params=[Nic, ConnectedNic], ids=["qemu", "uml"])
def bench(directory: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    built = Bench(directory, {"w": {}, "other": {"count": 1}}, request.param)
    yield built
    built.close()


def test_a_broadcast_reaches_all_others_on_its_wire_and_no_other_wire(bench: Bench) -> None:
    a, b, c = bench.nics["w"]
    frame = ethernet(BROADCAST, MACS[0])
    a.send(frame)
    assert b.receive() == frame
    assert c.receive() == frame
    assert a.silent()
    assert bench.nics["other"][0].silent()
    assert bench.frames() == bench.frames() | {"received": 1, "received_bytes": len(frame), "delivered": 2}


def test_a_known_address_gets_its_frames_alone(bench: Bench) -> None:
    a, b, c = bench.nics["w"]
    b.send(ethernet(BROADCAST, MACS[1]))
    assert a.receive() == c.receive()
    frame = ethernet(MACS[1], MACS[0])
    a.send(frame)
    assert b.receive() == frame
    assert c.silent()


def test_an_address_that_moves_is_followed(bench: Bench) -> None:
    a, b, c = bench.nics["w"]
    for holder in (b, c):
        holder.send(ethernet(BROADCAST, MACS[1]))
        a.receive()
    b.receive(), c.receive()
    a.send(ethernet(MACS[1], MACS[0]))
    assert c.receive()[:6] == MACS[1]
    assert b.silent()


def test_cut_is_silent_and_restore_brings_the_wire_back(bench: Bench) -> None:
    a, b, _ = bench.nics["w"]
    bench.set(cut=True)
    a.send(ethernet(BROADCAST, MACS[0]))
    assert bench.settled(1)["dropped_cut"] == 1
    assert b.silent()
    bench.set(cut=False)
    a.send(ethernet(BROADCAST, MACS[0]))
    b.receive()


def test_loss_drops_the_share_it_says(bench: Bench) -> None:
    a = bench.nics["w"][0]
    for nic in bench.nics["w"][1:]:
        nic.close()
    bench.set(loss_percent=30)
    sent = 3000
    for _ in range(sent):
        a.send(ethernet(BROADCAST, MACS[0]))
    lost = bench.settled(sent)["dropped_loss"]
    # 30 % of 3000 are 900, the standard deviation is 25: eight of them are beyond chance.
    assert 700 < lost < 1100
    bench.set(loss_percent=100)
    a.send(ethernet(BROADCAST, MACS[0]))
    counters = bench.settled(sent + 1)
    assert counters["dropped_loss"] == lost + 1
    assert counters["dropped_down"] == 2 * (sent - lost)


def test_a_duplicate_arrives_at_everybody_twice(bench: Bench) -> None:
    a, b, c = bench.nics["w"]
    bench.set(duplicate_percent=100)
    frame = ethernet(BROADCAST, MACS[0])
    a.send(frame)
    assert [nic.receive() for nic in (b, b, c, c)] == [frame] * 4
    assert b.silent() and c.silent()
    assert bench.frames()["duplicated"] == 1
    bench.set(duplicate_percent=0)
    a.send(frame)
    b.receive()
    assert b.silent()


def test_what_is_held_back_arrives_behind_later_frames(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _ = bench.nics["w"]
    clock = Clock(monkeypatch, bench)
    early, late = (ethernet(BROADCAST, MACS[0], bytes([i]) * 46) for i in range(2))
    bench.set(reorder_percent=100)
    a.send(early)
    bench.settled(1)
    bench.set(reorder_percent=0)
    a.send(late)
    assert b.receive() == late
    clock.advance(wire.REORDER_S - 0.001)
    assert b.silent()
    clock.advance(wire.REORDER_S + 0.001)
    assert b.receive() == early
    assert bench.frames()["reordered"] == 1


@pytest.mark.parametrize("tag", [b"", b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05\x81\x00\x00\x06"])
def test_mtu_counts_the_ip_packet_without_ethernet_and_vlan_tags(bench: Bench, tag: bytes) -> None:
    a, b, _ = bench.nics["w"]
    bench.set(mtu=1400)
    a.send(ipv4(17, 1, 2, length=1401, tag=tag))
    fits = ipv4(17, 1, 2, length=1400, tag=tag)
    a.send(fits)
    assert b.receive() == fits
    assert bench.frames()["dropped_mtu"] == 1


def test_mtu_counts_ipv6_with_its_header(bench: Bench) -> None:
    a, b, _ = bench.nics["w"]
    bench.set(mtu=1400)
    a.send(ipv6(17, bytes(1361)))
    fits = ipv6(17, bytes(1360))
    a.send(fits)
    assert b.receive() == fits
    assert bench.frames()["dropped_mtu"] == 1


def test_ports_are_dropped_in_either_direction_and_per_protocol(bench: Bench) -> None:
    a, b, _ = bench.nics["w"]
    bench.set(drop_udp=[3784, 51820], drop_tcp=[179])
    ports = struct.pack(">HH", 40000, 51820)
    dropped = [
        ipv4(17, 40000, 51820),
        ipv4(17, 51820, 40000),
        ipv4(6, 179, 40000),
        ipv4(17, 1, 3784, tag=b"\x81\x00\x00\x05"),
        ipv6(17, ports + bytes(4)),
        ipv6(0, bytes([17, 0]) + bytes(6) + ports + bytes(4)),
        ipv6(44, bytes([17, 0, 0, 1]) + bytes(4) + ports + bytes(4)),
    ]
    passing = [
        ipv4(6, 40000, 51820),
        ipv4(17, 179, 40000),
        ipv4(17, 51820, 51820, offset=1),  # a later fragment: what looks like ports is payload
        ipv6(44, bytes([17, 0, 0, 8]) + bytes(4) + ports + bytes(4)),
        ipv6(58, ports + bytes(4)),
        ethernet(BROADCAST, MACS[0], b"\x46"),
    ]
    for frame in dropped + passing:
        a.send(frame)
    for frame in passing:
        assert b.receive() == frame
    assert bench.frames()["dropped_port"] == len(dropped)


def test_delay_holds_frames_back_and_keeps_their_order(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _ = bench.nics["w"]
    clock = Clock(monkeypatch, bench)
    bench.set(delay_ms=80)
    frames = [ethernet(BROADCAST, MACS[0], bytes([i]) * 46) for i in range(20)]
    for frame in frames:
        a.send(frame)
    bench.settled(len(frames))
    clock.advance(0.0799)
    assert b.silent()
    clock.advance(0.0801)
    assert [b.receive() for _ in frames] == frames


def test_rate_limit_spaces_frames_and_bounds_the_backlog(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _ = bench.nics["w"]
    clock = Clock(monkeypatch, bench)
    # 1000 bytes at 80 kbit/s take 100 ms; with 200 ms of backlog allowed, three of ten that come at once get through.
    bench.set(rate_kbit=80)
    frames = [ethernet(BROADCAST, MACS[0], bytes([i]) * 986) for i in range(10)]
    for frame in frames:
        a.send(frame)
    assert bench.settled(len(frames))["dropped_rate"] == 7
    for i in range(3):
        clock.advance(0.1 * i + 0.0999)
        assert b.silent()
        clock.advance(0.1 * i + 0.1001)
        assert b.receive() == frames[i]
    # What has drained makes room.
    a.send(frames[3])
    assert bench.settled(len(frames) + 1)["dropped_rate"] == 7


def test_a_nic_that_restarts_is_found_again(bench: Bench) -> None:
    a, b, c = bench.nics["w"]
    a.send(ethernet(BROADCAST, MACS[0]))
    b.receive()
    b.close()
    a.send(ethernet(BROADCAST, MACS[0]))
    c.receive(), c.receive()
    assert bench.frames()["dropped_down"] == 1
    b.open()
    a.send(ethernet(BROADCAST, MACS[0]))
    b.receive()


def test_a_machine_that_boots_again_takes_its_port_over(directory: Path) -> None:
    """Its old connection may still be there when the new one comes; what had waited for the old one is gone with it."""
    bench = Bench(directory, {"w": {}}, ConnectedNic)
    try:
        a, b, c = bench.nics["w"]
        old = b.socket
        b.open()
        deadline = time.monotonic() + ARRIVAL_LIMIT_S
        old.settimeout(ARRIVAL_LIMIT_S)
        assert old.recv(1) == b"" and time.monotonic() < deadline
        a.send(ethernet(BROADCAST, MACS[0]))
        assert b.receive() == c.receive() == ethernet(BROADCAST, MACS[0])
        b.send(ethernet(MACS[0], MACS[1]))
        assert a.receive() == ethernet(MACS[0], MACS[1])
        assert c.silent()
        old.close()
    finally:
        bench.close()


def test_a_nic_that_does_not_read_neither_blocks_nor_grows_without_end(bench: Bench) -> None:
    a, b, c = bench.nics["w"]
    total = QUEUE_FRAMES + 600
    for i in range(total):
        a.send(ethernet(BROADCAST, MACS[0], struct.pack(">I", i) * 12))
        assert struct.unpack(">I", c.receive()[14:18]) == (i,)
    dropped = bench.frames()["dropped_full"]
    assert 0 < dropped < 600
    # What was queued arrives in order once the NIC reads.
    got = [struct.unpack(">I", b.receive()[14:18])[0] for _ in range(total - dropped)]
    assert got == list(range(total - dropped))


def test_clear_goes_back_to_the_topologys_conditions(directory: Path) -> None:
    bench = Bench(directory, {"w": {"mtu": 1400}}, Nic)
    try:
        assert bench.set(cut=True, delay_ms=5)["conditions"]["mtu"] == 1400
        conditions = request(bench.control, {"wire": "w", "clear": True})["conditions"]
        assert conditions == conditions | {"cut": False, "delay_ms": 0, "mtu": 1400}
    finally:
        bench.close()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"wire": "x"}, "there is no wire 'x'; there are: other, w"),
        ({"wire": "w", "set": {"loss_percent": 200}}, "loss_percent: 200: must be a number from 0 to 100"),
        ({"wire": "w", "set": {"drop_udp": [0]}}, "drop_udp: .* must be a list of ports"),
        ({"wire": "w", "capture": "/nonexistent/file"}, "No such file or directory"),
        ({}, "wire"),
    ],
)
def test_bad_requests_are_answered_and_change_nothing(bench: Bench, message: dict[str, Any], error: str) -> None:
    before = request(bench.control, {"wire": "w"})
    with pytest.raises(LabError, match=error):
        request(bench.control, message)
    assert request(bench.control, {"wire": "w"}) == before


def test_nobody_listening_is_a_clear_error(directory: Path) -> None:
    with pytest.raises(LabError, match="is the lab up"):
        request(directory / "control", {"wire": "w"})


def test_capture_is_a_readable_pcap_with_dropped_frames_too(bench: Bench, tmp_path: Path) -> None:
    a, b, _ = bench.nics["w"]
    file = tmp_path / "out.pcap"
    bench.set(cut=True)
    request(bench.control, {"wire": "w", "capture": str(file)})
    frames = [ethernet(BROADCAST, MACS[0], os.urandom(60)) for _ in range(3)]
    for frame in frames:
        a.send(frame)
    bench.settled(len(frames))
    request(bench.control, {"wire": "w", "capture": None})
    a.send(frames[0])
    bench.settled(len(frames) + 1)
    data = file.read_bytes()
    magic, major, minor, _, _, _, link = struct.unpack("=IHHiIII", data[:24])
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 1)
    position, seen = 24, []
    while position < len(data):
        seconds, nanoseconds, length, _ = struct.unpack("=IIII", data[position : position + 16])
        assert abs(seconds + nanoseconds / 1e9 - time.time()) < 60
        seen.append(data[position + 16 : position + 16 + length])
        position += 16 + length
    assert seen == frames


def test_a_client_that_says_nothing_does_not_stop_the_others(bench: Bench) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(str(bench.control))
        assert json.dumps(bench.frames())
        a, b, _ = bench.nics["w"]
        a.send(ethernet(BROADCAST, MACS[0]))
        b.receive()
