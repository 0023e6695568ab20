"""Machines under User Mode Linux: a current kernel as an ordinary process, without KVM and without root."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from lab import cow, process
from lab.errors import LabError
from lab.hypervisor import DESCRIPTOR, Hypervisor, Part
from lab.image import Image
from lab.kernel import Kernel
from lab.paths import VmPaths
from lab.seed import MANAGEMENT_GUEST, MANAGEMENT_HOST
from lab.topology import Vm

PROGRAMS = ("vde_plug", "taskset")
# Program in the image that unpacks the seed and becomes systemd, as there is no initrd.
INIT = "/usr/lib/xgn-lab/init"
# Buffers of the NICs are made for this MTU, bytes; what the guest sets lies below it.
LARGEST_MTU = 9216
MANAGEMENT_MTU = 1500
# Frames that are read or written in one system call.
DEPTH = 64
# Interfaces that a driver would make as soon as it is there, since it is not a module: a bare host has none of them.
BARE = ("dummy.numdummies=0", "bonding.max_bonds=0", "ifb.numifbs=0", "fb_tunnels=none")
KERNEL_ARGUMENTS = (
    "root=/dev/ubda", "rw", "rootfstype=ext4", f"init={INIT}", "net.ifnames=0", "fsck.mode=skip", "panic=5", "loglevel=4",
    "systemd.show_status=true", "con0=null,fd:1", "con=null", "ssl=null", "seccomp=on", *BARE,
)  # fmt: skip
# Characters that end a value on the kernel's command line.
RESERVED = (",", "=", " ")


class Uml(Hypervisor):
    """User Mode Linux.

    Parameters:
        kernel: the kernel to run.
        processors: numbers of the processors that machines may run on. Each machine stays on one: spread over two, a system call takes
            five times as long.
    """

    name = "uml"
    outlives_wires = False

    def __init__(self, kernel: Kernel, processors: Sequence[int] | None = None) -> None:
        self.built = kernel
        self.kernel = f"Linux {kernel.release} ({kernel.origin})"
        self.processors = sorted(os.sched_getaffinity(0)) if processors is None else list(processors)

    def parts(self, vm: Vm, files: VmPaths, image: Image, ssh_port: int) -> tuple[Part, ...]:
        """Return the management network, which needs neither root nor a device of the controller, and the kernel."""
        for path in (files.directory, files.runtime, image.disk):
            if reserved := [character for character in RESERVED if character in str(path)]:
                raise LabError(f"{path}: User Mode Linux takes no path with {reserved[0]!r}; set XGN_ACCEL=tcg, or move the directory")
        # Its network is a /24, which it takes as given.
        slirp = f"slirp:///v4/addr={MANAGEMENT_HOST}/disable_host_loopback/tcpfwd=127.0.0.1:{ssh_port}:{MANAGEMENT_GUEST}:22"
        # Not vde_plug's own sockets between two programs (ptp): they do not always survive that the machine boots again.
        plug = ("vde_plug", "--pidfile", str(files.management_pid_file), slirp, f"seqpacket://{DESCRIPTOR}")
        nics = [
            f"vec{index}:transport=bess,dst={socket},depth={DEPTH},mtu={mtu},mac={mac}"
            for index, (socket, mtu, mac) in enumerate(
                [
                    *((files.port_socket(index), LARGEST_MTU, nic.mac) for index, nic in enumerate(vm.nics)),
                    (files.management_socket("machine"), MANAGEMENT_MTU, vm.management_mac),
                ]
            )
        ]
        command = (
            "taskset", "--cpu-list", str(self.processors[vm.position % len(self.processors)]),
            str(self.built.binary), f"mem={vm.memory_mib}M", f"umid={vm.name}", f"uml_dir={files.runtime}{os.sep}",
            f"ubd0={files.cow},{image.disk}", f"ubd1r={files.seed}", *KERNEL_ARGUMENTS, *nics,
        )  # fmt: skip
        return (
            Part("the management network", plug, files.management_pid_file, writes_pid=True, socket=files.management_socket("network")),
            Part("User Mode Linux", command, files.pid_file, output=files.console),
        )

    def disk(self, files: VmPaths) -> Path:
        """Return the copy-on-write file."""
        return files.cow

    def make_disk(self, files: VmPaths, image: Image) -> None:
        """Do nothing: the kernel makes its copy-on-write file at the first start."""

    def to_raw(self, files: VmPaths, image: Image, target: Path) -> None:
        """Copy the image, and write over it what the machine wrote, if it ever started."""
        process.copy_sparse(image.disk, target)
        if files.cow.is_file():
            cow.merge(files.cow, target)

    def from_raw(self, files: VmPaths, image: Image, source: Path) -> None:
        """Make a copy-on-write file of what differs from the image."""
        cow.split(source, image.disk, files.cow)

    def pause(self, files: VmPaths) -> None:
        """Stop the process; what it has handed to the controller's kernel is in the file."""
        self._signal(files, signal.SIGSTOP)

    def resume(self, files: VmPaths) -> None:
        """Let the process go on."""
        self._signal(files, signal.SIGCONT)

    def wire_port(self, files: VmPaths, index: int) -> dict[str, str]:
        """Return a socket that the kernel connects to."""
        return {"socket": str(files.port_socket(index))}

    def management_ports(self, files: VmPaths) -> list[dict[str, str]]:
        """Return a port for the machine, and one for the program that leads to its ssh."""
        return [{"socket": str(files.management_socket(end))} for end in ("machine", "network")]

    def _signal(self, files: VmPaths, number: signal.Signals) -> None:
        running = process.find(files.pid_file, files.marker)
        if running is None:
            raise LabError(f"{files.name} does not run")
        with running:
            running.send(number)


def missing_programs() -> list[str]:
    """Return the programs that User Mode Linux's machines need and this controller lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]
