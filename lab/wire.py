"""The process that carries Ethernet frames between the NICs of a lab: one learning switch for each wire.

A NIC of QEMU is a pair of unix datagram sockets: QEMU binds one and sends to ours. One of User Mode Linux connects to a socket of ours, and
connects again when the machine boots again. Nothing here needs root.
Run as ``python -m lab.wire CONFIG``; `lab.wire_client` writes the configuration and talks to the control socket.
"""

from __future__ import annotations

import contextlib
import errno
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
from abc import ABC, abstractmethod
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
# How long a frame is held back that is to arrive behind later ones: a sender at ten packets a second has sent the next by then.
REORDER_S = 0.15
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
    duplicated: int = 0
    reordered: int = 0


class Port(ABC):
    """One NIC on a wire.

    Parameters:
        wire: the wire.
        board: the switchboard, whose event loop it uses.
    """

    def __init__(self, wire: Wire, board: Switchboard) -> None:
        self.wire = wire
        self.board = board
        self.queue: deque[bytes] = deque()
        self.free_at = 0.0

    @abstractmethod
    def send(self, frame: bytes | memoryview) -> bool:
        """Send one frame; False means that the NIC takes none now. A frame to a dead NIC is gone."""

    @abstractmethod
    def watch(self, wanted: bool) -> None:
        """Call `flush` as soon as the NIC takes frames again, or do so no more."""

    def transmit(self, frame: bytes | memoryview) -> None:
        """Hand ``frame`` to the NIC, or queue it while the NIC takes none."""
        if self.queue:
            self._enqueue(frame)
        elif not self.send(frame):
            self._enqueue(frame)
            self.watch(True)

    def flush(self) -> None:
        """Send from the queue what the NIC takes now."""
        queue = self.queue
        while queue:
            if not self.send(queue[0]):
                return
            queue.popleft()
        self.watch(False)

    def _enqueue(self, frame: bytes | memoryview) -> None:
        if len(self.queue) >= QUEUE_FRAMES:
            self.wire.counters.dropped_full += 1
        else:
            self.queue.append(bytes(frame))

    def take(self, source: socket.socket) -> bool:
        """Forward the frames that have come on ``source``; False means that there will be no more."""
        buffer, forward = self.board.buffer, self.wire.forward
        for _ in range(BURST):
            try:
                size = source.recv_into(buffer)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if size == 0:
                return False
            # Shorter than its own header, it is no frame.
            if size >= 14:
                forward(self, buffer[:size])
        return True


class DatagramPort(Port):
    """A NIC of QEMU, bound to ``peer``."""

    def __init__(self, wire: Wire, board: Switchboard, path: str, peer: str) -> None:
        super().__init__(wire, board)
        self._peer = peer
        self._receiver = _bound(path, socket.SOCK_DGRAM)
        # A socket of its own for sending: connected, it tells when the peer's queue has room again.
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        board.register(self._receiver, lambda events: self.take(self._receiver))

    def send(self, frame: bytes | memoryview) -> bool:
        """Send one frame, see `Port`."""
        for _ in range(2):
            try:
                self._sender.send(frame)
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return False
                # Not connected yet, or QEMU was restarted and has a new socket at the same place.
                try:
                    self._sender.connect(self._peer)
                except OSError:
                    break
            else:
                self.wire.counters.delivered += 1
                return True
        self.wire.counters.dropped_down += 1
        return True

    def watch(self, wanted: bool) -> None:
        """See `Port`."""
        self.board.unregister(self._sender)
        if wanted:
            self.board.register(self._sender, lambda events: self.flush(), select.EPOLLOUT)


class ConnectedPort(Port):
    """A NIC of User Mode Linux, which connects to ``path``. A second connection is that of a machine that booted again, and takes over."""

    def __init__(self, wire: Wire, board: Switchboard, path: str) -> None:
        super().__init__(wire, board)
        self._nic: socket.socket | None = None
        self._listener = _bound(path, socket.SOCK_SEQPACKET)
        self._listener.listen()
        board.register(self._listener, self._accept)

    def send(self, frame: bytes | memoryview) -> bool:
        """Send one frame, see `Port`."""
        if self._nic is None:
            self.wire.counters.dropped_down += 1
            return True
        try:
            self._nic.send(frame)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return False
            self._close()
            self.wire.counters.dropped_down += 1
            return True
        self.wire.counters.delivered += 1
        return True

    def watch(self, wanted: bool) -> None:
        """See `Port`."""
        if self._nic is not None:
            self.board.unregister(self._nic)
            self.board.register(self._nic, self._ready, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    def _accept(self, events: int) -> None:
        connection, _ = self._listener.accept()
        self._close()
        connection.setblocking(False)
        self._nic = connection
        self.board.register(connection, self._ready)

    def _ready(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self.flush()
        if self._nic is not None and events & ~select.EPOLLOUT and not self.take(self._nic):
            self._close()

    def _close(self) -> None:
        self.queue.clear()
        if self._nic is not None:
            self.board.unregister(self._nic)
            self._nic.close()
            self._nic = None


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
        if _chosen(conditions.duplicate_percent):
            counters.duplicated += 1
            targets = targets * 2
        if _chosen(conditions.reorder_percent):
            counters.reordered += 1
            due += REORDER_S
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
        if _chosen(conditions.loss_percent):
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
        config: ``{"control": path, "wires": {name: {"conditions": {...}, "ports": [{"socket": path, "peer": path}, ...]}}, "management":
            {machine: [port, ...]}}``. A port without a peer is one that a NIC of User Mode Linux connects to. Nobody can change the wires
            of the management networks.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], object]] = {}
        self._in_flight: list[tuple[float, int, Port, bytes]] = []
        self._sequence = 0
        self._running = True
        self.buffer = memoryview(bytearray(FRAME_BYTES))
        self.wires: dict[str, Wire] = {}
        for name, entry in config["wires"].items():
            self.wires[name] = self._wire(name, Conditions.from_mapping(entry["conditions"]), entry["ports"])
        for name, ports in config.get("management", {}).items():
            self._wire(name, Conditions(), ports)
        self._control = _bound(config["control"], socket.SOCK_SEQPACKET)
        self._control.listen()
        self.register(self._control, self._accept)
        # A signal alone does not end a poll without timeout: Python waits on after its handler has run.
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)

    def _wire(self, name: str, conditions: Conditions, ports: list[dict[str, str]]) -> Wire:
        wire = Wire(name, conditions, self._schedule)
        for port in ports:
            path, peer = port["socket"], port.get("peer")
            wire.ports.append(ConnectedPort(wire, self, path) if peer is None else DatagramPort(wire, self, path, peer))
        return wire

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

    def register(self, sock: socket.socket, handler: Callable[[int], object], events: int = select.EPOLLIN) -> None:
        """Call ``handler`` with what is the matter each time one of ``events`` comes on ``sock``."""
        self._handlers[sock.fileno()] = handler
        self._epoll.register(sock.fileno(), events)

    def unregister(self, sock: socket.socket) -> None:
        """Forget ``sock``, which may be unknown."""
        if self._handlers.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

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
        self.register(connection, lambda events: self._answer(connection))

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = connection.recv(CONTROL_BYTES)
            self.unregister(connection)
            if request:
                connection.send(json.dumps(self._reply(request)).encode())

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


def _chosen(percent: float) -> bool:
    return bool(percent) and random.random() * 100 < percent


def _bound(path: str, kind: int) -> socket.socket:
    """Return a socket of our own at ``path``; what an earlier process left there goes."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    bound = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
    bound.bind(path)
    return bound


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
