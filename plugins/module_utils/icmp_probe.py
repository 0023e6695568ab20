# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Echo requests at a fixed spacing, inside a VRF, with every answer accounted for: what ping(8) cannot do below 2 ms nor tell in full.

The far end's kernel answers (RFC 792, RFC 4443), so nothing has to run there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Sequence

_ECHO_REQUEST = {4: 8, 6: 128}
_ECHO_REPLY = {4: 0, 6: 129}
_FILTER_LEVEL, _FILTER_NAME = 58, 1  # IPPROTO_ICMPV6, ICMP6_FILTER (linux/icmpv6.h)
# IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, and their value PROBE: set the bit that forbids fragments (linux/in.h, linux/in6.h).
_DISCOVER = {4: (10, 3), 6: (23, 3)}
_HEADER_BYTES = {4: 20, 6: 40}
_TOKEN_BYTES = 8
_SEQUENCES = 65536


class Prober:
    """Sends echo requests until it is stopped, and remembers when each was sent and answered."""

    def __init__(
        self, destination: str, source: str | None = None, vrf: str | None = None, spacing: float = 0.01, whole: int | None = None
    ) -> None:
        """Open the socket.

        destination, source: addresses of one family. vrf: device the socket is bound to. spacing: seconds between requests. whole: size of each packet
        in bytes, headers included, which nobody on the way may cut into fragments; the shortest, and any way, without it. Raises OSError when the socket
        cannot be had or the source is not an address of this host.
        """
        self.version = 6 if ":" in destination else 4
        self.destination, self.spacing = destination, spacing
        family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if self.version == 6 else (socket.AF_INET, socket.IPPROTO_ICMP)
        self.socket = socket.socket(family, socket.SOCK_RAW, protocol)
        if vrf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vrf.encode() + b"\0")
        if source:
            self.socket.bind((source, 0))
        if self.version == 6:
            # Bit set: do not pass. Only echo replies are let through.
            passed = [0xFFFFFFFF] * 8
            passed[_ECHO_REPLY[6] >> 5] &= ~(1 << (_ECHO_REPLY[6] & 31)) & 0xFFFFFFFF
            self.socket.setsockopt(_FILTER_LEVEL, _FILTER_NAME, struct.pack("8I", *passed))
        self.filling = b""
        if whole is not None:
            # Whatever the kernel thinks that the path takes (ip(7), ipv6(7)).
            level, name, probe = (socket.IPPROTO_IPV6, *_DISCOVER[6]) if self.version == 6 else (socket.IPPROTO_IP, *_DISCOVER[4])
            self.socket.setsockopt(level, name, probe)
            self.filling = bytes(max(0, whole - _HEADER_BYTES[self.version] - 8 - _TOKEN_BYTES - 4))
        self.socket.settimeout(0.2)
        self.token = os.urandom(_TOKEN_BYTES)
        self.identifier = struct.unpack("!H", self.token[:2])[0]
        self.sent: list[float] = []
        self.answered: dict[int, float] = {}
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """Send no more, and wait ``patience`` seconds for the answers to the last requests."""
        self._stopped.set()
        self._threads[0].join()
        time.sleep(patience)
        self.socket.close()
        self._threads[1].join(2)

    def _send(self) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            number = len(self.sent)
            body = self.token + struct.pack("!I", number) + self.filling
            header = struct.pack("!BBHHH", _ECHO_REQUEST[self.version], 0, 0, self.identifier, number % _SEQUENCES)
            if self.version == 4:
                check = checksum(header + body)
                header = struct.pack("!BBHHH", _ECHO_REQUEST[4], 0, check, self.identifier, number % _SEQUENCES)
            self.sent.append(time.monotonic())
            # No route, or refused by a filter: this one is lost, which is what is being counted.
            with contextlib.suppress(OSError):
                self.socket.sendto(header + body, (self.destination, 0))
            due += self.spacing
            # A host that was held up goes on at the spacing, and does not catch up with a burst.
            due = max(due, time.monotonic() - self.spacing)
            time.sleep(max(0.0, due - time.monotonic()))

    def _receive(self) -> None:
        while True:
            try:
                packet = self.socket.recv(65535)
            except TimeoutError:
                if self._stopped.is_set() and self.socket.fileno() < 0:
                    return
                continue
            except OSError:
                return
            now = time.monotonic()
            # IPv4's raw sockets hand over the IP header, IPv6's do not.
            message = packet[(packet[0] & 15) * 4 :] if self.version == 4 else packet
            if (
                len(message) < 8 + _TOKEN_BYTES + 4
                or message[0] != _ECHO_REPLY[self.version]
                or message[8 : 8 + _TOKEN_BYTES] != self.token
            ):
                continue
            number = struct.unpack("!I", message[8 + _TOKEN_BYTES : 12 + _TOKEN_BYTES])[0]
            self.answered.setdefault(number, now)

    def answered_in_a_row(self, seconds: float, since: float) -> bool:
        """Tell whether all that was sent in a period, which ended a quarter of a second ago, was answered.

        seconds: length of the period. since: monotonic time before which it does not begin.
        """
        end = time.monotonic() - 0.25
        begin = end - seconds
        if begin < since:
            return False
        numbers = [number for number, sent in enumerate(list(self.sent)) if begin <= sent <= end]
        return bool(numbers) and all(number in self.answered for number in numbers)

    def times(self) -> list[tuple[float, float | None]]:
        """Return time sent (monotonic, s) and round trip (s, None for a lost one) of every request."""
        return [(sent, self.answered[number] - sent if number in self.answered else None) for number, sent in enumerate(self.sent)]


def checksum(data: bytes) -> int:
    """The checksum of RFC 1071."""
    total: int = sum(struct.unpack("!%dH" % (len(data) // 2), data[: len(data) // 2 * 2]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def longest_silence(times: Sequence[tuple[float, float | None]], begin: float, end: float) -> float:
    """Return the longest time without an answer, in seconds, within a period.

    times: as `Prober.times` gives it. begin, end: the period, monotonic. A packet that was held back and came late ends a silence when it comes,
    not when it was sent. At least about the spacing of the requests.
    """
    arrivals = sorted(sent + trip for sent, trip in times if trip is not None)
    within = [time for time in arrivals if begin <= time <= end]
    last = max((time for time in arrivals if time < begin), default=begin)
    moments = [last, *within, end] if not within or within[-1] < end - 1 else [last, *within]
    return max((after - before for before, after in zip(moments, moments[1:])), default=0.0)


def lost_between(times: Sequence[tuple[float, float | None]], begin: float, end: float) -> int:
    """Return how many requests sent in a period were never answered."""
    return sum(trip is None for sent, trip in times if begin <= sent <= end)
