"""What the ways to run a machine have in common; `lab.qemu` and `lab.uml` say how each of them does it."""

from __future__ import annotations

import contextlib
import socket
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from lab import process
from lab.image import Image
from lab.paths import VmPaths
from lab.topology import Vm

DESCRIPTOR = "{descriptor}"
START_LIMIT_S = 20.0
POLL_S = 0.05


@dataclass(frozen=True)
class Part:
    """One process of a machine.

    Parameters:
        title: what it is, for a person.
        command: its command line.
        pid_file: where its process id is kept.
        writes_pid: it does so itself, when it is ready.
        output: where its standard output goes, if not into the machine's log with its errors.
        socket: a socket of the wire process that it gets connected, as the descriptor whose number takes the place of ``DESCRIPTOR`` in its
            command line.
    """

    title: str
    command: tuple[str, ...]
    pid_file: Path
    writes_pid: bool = False
    output: Path | None = None
    socket: Path | None = None


class Hypervisor(ABC):
    """A way to run machines.

    Parameters:
        name: "kvm", "uml" or "tcg".
        kernel: which kernel runs in the machines, for a person.
        outlives_wires: running machines go on when the wire process is started anew; otherwise they have to be started again.
    """

    name: str
    kernel: str
    outlives_wires: bool

    @abstractmethod
    def parts(self, vm: Vm, files: VmPaths, image: Image, ssh_port: int) -> tuple[Part, ...]:
        """Return the processes of a machine in the order in which they start, the machine itself last.

        Parameters:
            vm: the topology's entry.
            files: its files.
            image: what its disk stands on.
            ssh_port: port of 127.0.0.1 that shall lead to its ssh.
        """

    @abstractmethod
    def disk(self, files: VmPaths) -> Path:
        """Return the file that holds what the machine wrote, the image below it being read only."""

    @abstractmethod
    def make_disk(self, files: VmPaths, image: Image) -> None:
        """Make the machine's disk as if it had never written. Raises `LabError`."""

    @abstractmethod
    def to_raw(self, files: VmPaths, image: Image, target: Path) -> None:
        """Write the whole disk, image included, to ``target``, byte for byte. Raises `LabError`."""

    @abstractmethod
    def from_raw(self, files: VmPaths, image: Image, source: Path) -> None:
        """Make the machine's disk from ``source``, the opposite of `to_raw`. Raises `LabError`."""

    @abstractmethod
    def pause(self, files: VmPaths) -> None:
        """Stop the running machine where it is, with all that it has written in its disk's file. Raises `LabError`."""

    @abstractmethod
    def resume(self, files: VmPaths) -> None:
        """Let a paused machine go on. Raises `LabError`."""

    @abstractmethod
    def wire_port(self, files: VmPaths, index: int) -> dict[str, str]:
        """Return how the wire process meets the wire NIC ``index``, as `lab.wire` reads it."""

    def management_ports(self, files: VmPaths) -> list[dict[str, str]]:
        """Return the ports of the wire between the machine and its management network, where that is one of the wire process's."""
        return []


def start_part(part: Part, log: Path, marker: str) -> bool:
    """Start a program, and wait until its process id is written down; tell whether it lives then.

    Parameters:
        part: the program.
        log: where its errors go.
        marker: text that only its own command line has, see `process.find`.
    """
    with contextlib.ExitStack() as stack:
        connection = None
        if part.socket is not None:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            connection.connect(str(part.socket))
        descriptor = "" if connection is None else str(connection.fileno())
        child = process.start_detached(
            [argument.replace(DESCRIPTOR, descriptor) for argument in part.command],
            log,
            output=part.output,
            pid_file=None if part.writes_pid else part.pid_file,
            descriptors=() if connection is None else (connection.fileno(),),
        )
    deadline = time.monotonic() + START_LIMIT_S
    while child.poll() is None:
        if process.is_running(part.pid_file, marker):
            return True
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            return False
        time.sleep(POLL_S)
    return False
