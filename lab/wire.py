"""The process that carries Ethernet frames between the NICs of a lab: one learning switch for each wire.

Each NIC is a pair of unix datagram sockets: QEMU binds one and sends to ours. Nothing here needs root.
Run as ``python -m lab.wire CONFIG``; `lab.wire_client` writes the configuration and talks to the control socket.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import heapq
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from lab.conditions import Conditions
from lab.errors import LabError
from lab.frames import TCP, UDP, ip_length, transport_ports

FRAME_BYTES = 65536 + 64
# Frames taken from one socket before the others get their turn.
BURST = 64
# Frames that wait for a NIC whose guest does not take them; more are dropped, as a switch does.
QUEUE_FRAMES = 1000
# Frames on a wire with delay; a bound for the memory, far above what an emulated guest can send.
IN_FLIGHT_FRAMES = 20_000
# A rate-limited NIC may be this far behind before its frames are dropped.
SHAPER_BACKLOG_S = 0.2
LEARNED_ADDRESSES = 4096
CONTROL_BYTES = 65536
PCAP_MAGIC_NS = 0xA1B23C4D
PCAP_ETHERNET = 1


@dataclass
class Counters:
    """What happened to the frames of a wire since its start; each dropped frame is counted once."""

    received: int = 0
    received_bytes: int = 0
    delivered: int = 0
    dropped_cut: int = 0
    dropped_loss: int = 0
    dropped_mtu: int = 0
    dropped_port: int = 0
    dropped_rate: int = 0
    dropped_full: int = 0
    dropped_down: int = 0


class Port:
    """One NIC on a wire."""

    def __init__(self, wire: Wire, receive_path: str, send_path: str, watch: Callable[[Port, bool], None]) -> None:
        self.wire = wire
        self.queue: deque[bytes] = deque()
        self.free_at = 0.0
        self._send_path = send_path
        self._watch = watch
        self.receiver = _datagram_socket()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(receive_path)
        self.receiver.bind(receive_path)
        # A socket of its own for sending: connected, it tells when the peer's queue has room again.
        self.sender = _datagram_socket()

    def transmit(self, frame: bytes | memoryview) -> None:
        """Hand ``frame`` to the NIC, or queue it while the NIC takes none."""
        if self.queue:
            self._enqueue(frame)
        elif not self._send(frame):
            self._enqueue(frame)
            self._watch(self, True)

    def flush(self) -> None:
        """Send from the queue what the NIC takes now."""
        queue = self.queue
        while queue:
            if not self._send(queue[0]):
                return
            queue.popleft()
        self._watch(self, False)

    def _enqueue(self, frame: bytes | memoryview) -> None:
        if len(self.queue) >= QUEUE_FRAMES:
            self.wire.counters.dropped_full += 1
        else:
            self.queue.append(bytes(frame))

    def _send(self, frame: bytes | memoryview) -> bool:
        """Send one frame; False means that the peer's queue is full. A frame to a dead peer is gone."""
        for _ in range(2):
            try:
                self.sender.send(frame)
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return False
                # Not connected yet, or QEMU was restarted and has a new socket at the same place.
                try:
                    self.sender.connect(self._send_path)
                except OSError:
                    break
            else:
                self.wire.counters.delivered += 1
                return True
        self.wire.counters.dropped_down += 1
        return True


class Wire:
    """A learning switch with conditions."""

    def __init__(self, name: str, initial: Conditions, schedule: Callable[[float, Port, bytes], bool]) -> None:
        self.name = name
        self.initial = initial
        self.ports: list[Port] = []
        self.counters = Counters()
        self.learned: dict[bytes, Port] = {}
        self.capture: BinaryIO | None = None
        self.capture_path = ""
        self._schedule = schedule
        self.set_conditions(initial)

    def set_conditions(self, conditions: Conditions) -> None:
        """Apply ``conditions`` to all frames from now on."""
        self.conditions = conditions
        self._udp = frozenset(conditions.drop_udp)
        self._tcp = frozenset(conditions.drop_tcp)
        # A perfect wire skips every check.
        self._perfect = conditions == Conditions()

    def forward(self, source: Port, frame: memoryview) -> None:
        """Carry one frame that came from ``source``."""
        counters = self.counters
        counters.received += 1
        counters.received_bytes += len(frame)
        if self.capture is not None:
            self._write_capture(frame)
        if self._perfect:
            for port in self._targets(source, frame):
                port.transmit(frame)
            return
        if not self._passes(frame):
            return
        conditions = self.conditions
        due = now = time.monotonic()
        if conditions.rate_kbit:
            due = max(now, source.free_at)
            if due - now > SHAPER_BACKLOG_S:
                counters.dropped_rate += 1
                return
            due += len(frame) * 8 / (conditions.rate_kbit * 1000)
            source.free_at = due
        due += conditions.delay_ms / 1000
        targets = self._targets(source, frame)
        if due <= now:
            for port in targets:
                port.transmit(frame)
            return
        copy = bytes(frame)
        for port in targets:
            if not self._schedule(due, port, copy):
                counters.dropped_full += 1

    def _passes(self, frame: memoryview) -> bool:
        conditions, counters = self.conditions, self.counters
        if conditions.cut:
            counters.dropped_cut += 1
            return False
        if conditions.mtu and ip_length(frame) > conditions.mtu:
            counters.dropped_mtu += 1
            return False
        if self._udp or self._tcp:
            protocol, source, destination = transport_ports(frame)
            ports = self._udp if protocol == UDP else self._tcp if protocol == TCP else ()
            if source in ports or destination in ports:
                counters.dropped_port += 1
                return False
        if conditions.loss_percent and random.random() * 100 < conditions.loss_percent:
            counters.dropped_loss += 1
            return False
        return True

    def _targets(self, source: Port, frame: memoryview) -> list[Port]:
        """Learn where the sender is, and return where the frame goes."""
        learned = self.learned
        sender = bytes(frame[6:12])
        if learned.get(sender) is not source and not sender[0] & 1 and len(learned) < LEARNED_ADDRESSES:
            learned[sender] = source
        target = learned.get(bytes(frame[:6]))
        if target is None:
            return [port for port in self.ports if port is not source]
        return [] if target is source else [target]

    def state(self) -> dict[str, Any]:
        """Return conditions, counters and capture for a person or a test to read."""
        return {
            "wire": self.name,
            "nics": len(self.ports),
            "conditions": asdict(self.conditions),
            "frames": asdict(self.counters),
            "capture": self.capture_path or None,
        }

    def start_capture(self, path: str) -> None:
        """Write every frame that enters the wire, dropped or not, to a pcap file."""
        self.stop_capture()
        self.capture = open(path, "wb")  # noqa: SIM115 - it stays open until stop_capture
        self.capture_path = path
        self.capture.write(struct.pack("=IHHiIII", PCAP_MAGIC_NS, 2, 4, 0, 0, FRAME_BYTES, PCAP_ETHERNET))
        self.capture.flush()

    def stop_capture(self) -> None:
        """End a capture, if there is one."""
        if self.capture is not None:
            self.capture.close()
        self.capture, self.capture_path = None, ""

    def _write_capture(self, frame: memoryview) -> None:
        assert self.capture is not None
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        try:
            self.capture.write(struct.pack("=IIII", seconds, nanoseconds, len(frame), len(frame)))
            self.capture.write(frame)
            self.capture.flush()
        except OSError as error:
            # A full disk must not stop the lab.
            print(f"capture {self.capture_path} ended: {error}", flush=True)
            self.stop_capture()


class Switchboard:
    """All wires of a lab, the event loop, and the control socket.

    Parameters:
        config: ``{"control": path, "wires": {name: {"conditions": {...}, "ports": [[receive, send], ...]}}}``.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._in_flight: list[tuple[float, int, Port, bytes]] = []
        self._sequence = 0
        self._running = True
        self._buffer = memoryview(bytearray(FRAME_BYTES))
        self.wires: dict[str, Wire] = {}
        for name, entry in config["wires"].items():
            wire = Wire(name, Conditions.from_mapping(entry["conditions"]), self._schedule)
            self.wires[name] = wire
            for receive_path, send_path in entry["ports"]:
                port = Port(wire, receive_path, send_path, self._watch_sender)
                wire.ports.append(port)
                self._register(port.receiver, functools.partial(self._receive, port))
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(config["control"])
        self._control.bind(config["control"])
        self._control.listen()
        self._register(self._control, self._accept)
        # A signal alone does not end a poll without timeout: Python waits on after its handler has run.
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)

    def run(self) -> None:
        """Forward until `stop` is called."""
        while self._running:
            for descriptor, events in self._epoll.poll(self._timeout()):
                handler = self._handlers.get(descriptor)
                if handler is not None:
                    handler(events)
            self._deliver_due()
        for wire in self.wires.values():
            wire.stop_capture()

    def stop(self) -> None:
        """Let `run` return; safe to call from a signal handler or another thread."""
        self._running = False
        os.eventfd_write(self._wake, 1)

    def _register(self, sock: socket.socket, handler: Callable[[int], None]) -> None:
        self._handlers[sock.fileno()] = handler
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _watch_sender(self, port: Port, wanted: bool) -> None:
        descriptor = port.sender.fileno()
        if wanted and descriptor not in self._handlers:
            self._handlers[descriptor] = lambda events: port.flush()
            self._epoll.register(descriptor, select.EPOLLOUT)
        elif not wanted and self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _receive(self, port: Port, events: int) -> None:
        buffer, forward, receive = self._buffer, port.wire.forward, port.receiver.recv_into
        for _ in range(BURST):
            try:
                size = receive(buffer)
            except BlockingIOError:
                return
            # Shorter than its own header, it is no frame.
            if size >= 14:
                forward(port, buffer[:size])

    def _schedule(self, due: float, port: Port, frame: bytes) -> bool:
        if len(self._in_flight) >= IN_FLIGHT_FRAMES:
            return False
        self._sequence += 1
        heapq.heappush(self._in_flight, (due, self._sequence, port, frame))
        return True

    def _timeout(self) -> float | None:
        if not self._in_flight:
            return None
        return max(0.0, self._in_flight[0][0] - time.monotonic())

    def _deliver_due(self) -> None:
        in_flight = self._in_flight
        now = time.monotonic()
        while in_flight and in_flight[0][0] <= now:
            _, _, port, frame = heapq.heappop(in_flight)
            port.transmit(frame)

    def _accept(self, events: int) -> None:
        connection, _ = self._control.accept()
        connection.setblocking(False)
        self._register(connection, lambda events: self._answer(connection))

    def _answer(self, connection: socket.socket) -> None:
        descriptor = connection.fileno()
        with connection, contextlib.suppress(OSError):
            request = connection.recv(CONTROL_BYTES)
            if request:
                connection.send(json.dumps(self._reply(request)).encode())
            self._epoll.unregister(descriptor)
            del self._handlers[descriptor]

    def _reply(self, request: bytes) -> dict[str, Any]:
        try:
            message = json.loads(request)
            wire = self.wires.get(message["wire"])
            if wire is None:
                raise LabError(f"there is no wire {message['wire']!r}; there are: {', '.join(sorted(self.wires))}")
            if message.get("clear"):
                wire.set_conditions(wire.initial)
            if changes := message.get("set"):
                current = {entry.name: getattr(wire.conditions, entry.name) for entry in fields(Conditions)}
                wire.set_conditions(Conditions.from_mapping(current | changes))
            if "capture" in message:
                if message["capture"]:
                    wire.start_capture(message["capture"])
                else:
                    wire.stop_capture()
            return wire.state()
        except (LabError, OSError, ValueError, KeyError, TypeError) as error:
            return {"error": str(error)}


def _datagram_socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)


def main(arguments: list[str]) -> int:
    """Run the wires that the configuration file ``arguments[0]`` describes, until SIGTERM."""
    config = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    switchboard = Switchboard(config)
    signal.signal(signal.SIGTERM, lambda number, frame: switchboard.stop())
    pid_file = Path(config["pid_file"])
    fresh = pid_file.with_name(pid_file.name + ".new")
    fresh.write_text(f"{os.getpid()}\n", encoding="ascii")
    fresh.rename(pid_file)
    switchboard.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
