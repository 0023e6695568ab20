"""Machines under QEMU, with KVM or emulated, with their distribution's own kernel."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab import qmp
from lab.errors import LabError
from lab.hypervisor import Hypervisor, Part
from lab.image import Image
from lab.paths import VmPaths
from lab.seed import MANAGEMENT_GUEST, MANAGEMENT_HOST, MANAGEMENT_NETWORK
from lab.topology import Vm

PROGRAM = "qemu-system-x86_64"
# QEMU's default is 1 GiB for each machine; a quarter is enough and leaves memory for the guests.
CODE_BUFFER_MIB = 256
# QEMU 7.2 computes wrong flags for cmpxchg16b, on which Linux 6.12's memory allocator stands: the guest panics
# within minutes ("double fault" in __kmalloc). Without cx16 the kernel takes another way.
# The others cost time: five-level page tables double the work of each miss, svm makes guests load their own KVM.
EMULATED_CPU = "max,cx16=off,la57=off,svm=off"
# PCI slots on q35's root bus; 0 and 31 are the chipset's own. Guests number eth0, eth1, ... in slot order.
ROOT_DISK_SLOT = 1
SEED_DISK_SLOT = 2
FIRST_NIC_SLOT = 3
MANAGEMENT_SLOT = 30
# Without the devices that no guest here uses; each costs it modules and udev events at boot.
MACHINE = "q35,sata=off,smbus=off"
# The seed is unpacked in the initrd and the root file system is the image's, so there is nothing to check at boot. The
# kernel's self-tests of its ciphers take seconds under emulation, and are not what the lab tests.
KERNEL_ARGUMENTS = (
    "root=/dev/vda rw rootfstype=ext4 console=ttyS0 net.ifnames=0 mitigations=off fsck.mode=skip panic=5 "
    "loglevel=4 systemd.show_status=true cryptomgr.notests 8250.nr_uarts=1"
)
KVM = ("-accel", "kvm", "-cpu", "host")
TCG = ("-accel", f"tcg,thread=multi,tb-size={CODE_BUFFER_MIB}", "-cpu", EMULATED_CPU)


class Qemu(Hypervisor):
    """QEMU.

    Parameters:
        name: "kvm" or "tcg".
    """

    kernel = "the distribution's kernel"
    outlives_wires = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments = {"kvm": KVM, "tcg": TCG}[name]

    def parts(self, vm: Vm, files: VmPaths, image: Image, ssh_port: int) -> tuple[Part, ...]:
        """Return QEMU alone: the management network is part of it. The process id is written when all devices are complete."""
        command = [
            PROGRAM, "-name", vm.name, "-M", MACHINE, *self.arguments,
            "-m", str(vm.memory_mib), "-smp", "1", "-nodefaults", "-no-user-config", "-display", "none",
            "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", KERNEL_ARGUMENTS,
            # Losing the disk with the controller's power is fine for a lab, and not waiting for it is far faster.
            "-drive", f"if=none,id=root,format=qcow2,cache=unsafe,file={_escaped(files.overlay)}",
            "-device", f"virtio-blk-pci,drive=root,addr={ROOT_DISK_SLOT:#x}",
            "-drive", f"if=none,id=seed,format=raw,readonly=on,file={_escaped(files.seed)}",
            "-device", f"virtio-blk-pci,drive=seed,addr={SEED_DISK_SLOT:#x}",
        ]  # fmt: skip
        for index, nic in enumerate(vm.nics):
            command += [
                "-netdev",
                (
                    f"dgram,id=eth{index},local.type=unix,local.path={_escaped(files.nic_socket(index))},"
                    f"remote.type=unix,remote.path={_escaped(files.port_socket(index))}"
                ),
                "-device",
                f"virtio-net-pci,netdev=eth{index},mac={nic.mac},addr={FIRST_NIC_SLOT + index:#x},romfile=",
            ]
        command += [
            "-netdev",
            (f"user,id=management,restrict=on,ipv6=off,net={MANAGEMENT_NETWORK},host={MANAGEMENT_HOST},"
            f"hostfwd=tcp:127.0.0.1:{ssh_port}-{MANAGEMENT_GUEST}:22"),
            "-device",
            f"virtio-net-pci,netdev=management,mac={vm.management_mac},addr={MANAGEMENT_SLOT:#x},romfile=",
            "-chardev", f"file,id=console,append=on,path={_escaped(files.console)}", "-serial", "chardev:console",
            "-qmp", f"unix:{_escaped(files.qmp)},server=on,wait=off",
            "-pidfile", str(files.pid_file),
        ]  # fmt: skip
        return (Part("QEMU", tuple(command), files.pid_file, writes_pid=True),)

    def disk(self, files: VmPaths) -> Path:
        """Return the overlay."""
        return files.overlay

    def make_disk(self, files: VmPaths, image: Image) -> None:
        """Make an empty overlay over the image."""
        _qemu_img(files, "create", "-f", "qcow2", "-F", "raw", "-b", _below(image), str(files.overlay))

    def to_raw(self, files: VmPaths, image: Image, target: Path) -> None:
        """Write the overlay and what is below it."""
        _qemu_img(files, "convert", "-f", "qcow2", "-O", "raw", str(files.overlay), str(target))

    def from_raw(self, files: VmPaths, image: Image, source: Path) -> None:
        """Make an overlay that holds what differs from the image."""
        options = ["-f", "raw", "-O", "qcow2", "-F", "raw", "-B", _below(image)]
        _qemu_img(files, "convert", *options, str(source), str(files.overlay))

    def pause(self, files: VmPaths) -> None:
        """Stop the processor; QEMU writes its own buffers out when it does."""
        qmp.execute(files.qmp, "stop")

    def resume(self, files: VmPaths) -> None:
        """Let it run."""
        qmp.execute(files.qmp, "cont")

    def wire_port(self, files: VmPaths, index: int) -> dict[str, str]:
        """Return a pair of datagram sockets."""
        return {"socket": str(files.port_socket(index)), "peer": str(files.nic_socket(index))}


def _below(image: Image) -> str:
    """Return what an overlay's header says of the image below it: it is only read, and without a lock, which would not bear UML's own in another lab."""
    return "json:" + json.dumps({"driver": "raw", "file": {"driver": "file", "filename": str(image.disk), "locking": "off"}})


def _qemu_img(files: VmPaths, verb: str, *arguments: str) -> None:
    quiet = ["-q"] if verb == "create" else []
    result = subprocess.run(["qemu-img", verb, *quiet, *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LabError(f"{files.name}: qemu-img {verb} failed: {result.stderr.strip()}")


def _escaped(path: Path) -> str:
    """Return ``path`` for a QEMU option list, in which a comma must be doubled."""
    return str(path).replace(",", ",,")
