"""The probe of failover tests, with a network that the test plays: what it sends, what it takes for an answer, and what it counts as lost."""

from __future__ import annotations

import queue
import socket
import struct
import time
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import icmp_probe
from ansible_collections.xuegao.net.plugins.module_utils.icmp_probe import Prober, checksum

ENOUGH = 30
LIMIT_S = 60


class Network:
    """A raw socket whose other end is the test: it answers every third request, refuses the one after it, and loses the next."""

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        assert kind == socket.SOCK_RAW
        assert (family, protocol) in {(socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6)}
        self.version = 4 if family == socket.AF_INET else 6
        self.options: list[tuple[int, int, bytes]] = []
        self.bound: tuple[str, int] | None = None
        self.targets: set[str] = set()
        self.requests: list[bytes] = []
        self.answers: queue.Queue[bytes | None] = queue.Queue()

    def setsockopt(self, level: int, name: int, value: bytes) -> None:
        self.options.append((level, name, value))

    def bind(self, address: tuple[str, int]) -> None:
        self.bound = address

    def settimeout(self, _seconds: float) -> None:
        """Nothing here takes longer than the test wants."""

    def sendto(self, packet: bytes, address: tuple[str, int]) -> None:
        number = len(self.requests)
        self.requests.append(packet)
        self.targets.add(address[0])
        if number % 3 == 1:
            raise OSError("Network is unreachable")
        if number % 3 == 0:
            reply = bytes([{4: 0, 6: 129}[self.version]]) + packet[1:]
            for noise in (b"", packet, reply[:10], reply[:8] + b"\0" * 8 + reply[16:]):
                self.answers.put(self.with_header(noise) if noise else self.with_header(b"\3\1"))
            self.answers.put(self.with_header(reply))
            self.answers.put(self.with_header(reply))

    def with_header(self, message: bytes) -> bytes:
        # 0x46: a header of 24 bytes, so that a reader which assumes 20 fails.
        return b"\x46" + bytes(23) + message if self.version == 4 else message

    def recv(self, _size: int) -> bytes:
        try:
            packet = self.answers.get(timeout=0.01)
        except queue.Empty:
            raise TimeoutError from None
        if packet is None:
            raise OSError("Bad file descriptor")
        return packet

    def fileno(self) -> int:
        return 3

    def close(self) -> None:
        self.answers.put(None)


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", Network)


def probed(destination: str, **named: Any) -> tuple[Prober, Network]:
    """Send some requests; returns the prober and its network."""
    prober = Prober(destination, spacing=0.001, **named)
    found: Any = prober.socket
    prober.start()
    deadline = time.monotonic() + LIMIT_S
    while (len(found.requests) < ENOUGH or len(prober.answered) * 3 < ENOUGH) and time.monotonic() < deadline:
        time.sleep(0.005)
    prober.stop(patience=0)
    return prober, found


@pytest.mark.parametrize("destination", ["192.0.2.1", "2001:db8::1"])
def test_every_request_is_answered_or_lost(destination: str) -> None:
    prober, network = probed(destination)
    times = prober.times()
    assert len(times) == len(network.requests) >= ENOUGH
    answered = [number for number, (_sent, trip) in enumerate(times) if trip is not None]
    # What stop() came before may be missing at the end.
    assert answered == [number for number in range(len(times)) if number % 3 == 0][: len(answered)]
    assert all(trip is None or trip >= 0 for _sent, trip in times)
    assert [sent for sent, _trip in times] == sorted(sent for sent, _trip in times)
    assert network.targets == {destination}


def test_requests_are_whole() -> None:
    prober, network = probed("192.0.2.1")
    for number, packet in enumerate(network.requests):
        kind, code, _sum, identifier, sequence = struct.unpack("!BBHHH", packet[:8])
        assert (kind, code, identifier, sequence) == (8, 0, prober.identifier, number)
        assert packet[8:16] == prober.token and packet[16:] == struct.pack("!I", number)
        # RFC 1071: with its checksum in it, a message sums up to nothing.
        assert checksum(packet) == 0
    _, six = probed("2001:db8::1")
    # The kernel adds the checksum of ICMPv6, since it has the pseudo header.
    assert all(packet[:4] == b"\x80\0\0\0" for packet in six.requests)


def test_the_vrf_and_the_source_are_asked_for() -> None:
    _, network = probed("192.0.2.1", source="192.0.2.9", vrf="CORE")
    assert network.bound == ("192.0.2.9", 0)
    assert network.options == [(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"CORE\0")]


def test_of_icmpv6_only_answers_come_through() -> None:
    _, network = probed("2001:db8::1")
    ((level, name, mask),) = network.options
    assert (level, name) == (socket.IPPROTO_ICMPV6, 1)
    passed = [kind for kind in range(256) if not struct.unpack("8I", mask)[kind >> 5] >> (kind & 31) & 1]
    assert passed == [129]


def test_a_period_counts_when_all_of_it_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    prober = Prober("192.0.2.1")
    prober.sent = [number / 10 for number in range(100)]
    prober.answered = {number: number / 10 + 0.01 for number in range(100) if number != 50}
    now = 5.0
    monkeypatch.setattr(icmp_probe, "time", SimpleNamespace(monotonic=lambda: now))
    assert prober.answered_in_a_row(2, since=0)
    assert not prober.answered_in_a_row(2, since=4)
    now = 6.0
    assert not prober.answered_in_a_row(2, since=0)
    now = 20.0
    assert not prober.answered_in_a_row(2, since=0), "nothing was sent"
