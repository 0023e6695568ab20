"""Start, stop and recognise the virtual machines."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import process
from lab.accel import Accelerator
from lab.errors import LabError
from lab.image import Image
from lab.paths import VmPaths
from lab.seed import MANAGEMENT_GUEST, MANAGEMENT_HOST, MANAGEMENT_NETWORK
from lab.topology import Vm

START_LIMIT_S = 20.0
START_ATTEMPTS = 3
POLL_S = 0.05
LOG_LINES = 15
# A wrong port is chosen if another program takes it between our look and QEMU's start.
PORT_TAKEN = "Could not set up host forwarding rule"
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


@dataclass(frozen=True)
class Definition:
    """What a machine is made from.

    Parameters:
        image: identity of the image.
        seed: hash of the seed archive. If this or the image changes, the disk is made anew.
        hardware: hash of QEMU's command line. If it changes, the machine is started again with its disk.
    """

    image: str
    seed: str
    hardware: str

    @classmethod
    def of(cls, vm: Vm, files: VmPaths, image: Image, seed: bytes, accelerator: Accelerator) -> Definition:
        """Return the definition of ``vm`` with these parts."""
        # Any port will do: it is the same each time, and which one the machine gets is not part of what it is.
        command = "\n".join(qemu_command(vm, files, image, accelerator, ssh_port=0))
        return cls(image.identity, hashlib.sha256(seed).hexdigest(), hashlib.sha256(command.encode()).hexdigest())

    def same_disk(self, other: Definition) -> bool:
        """Tell whether a disk made for ``other`` serves this, too."""
        return (self.image, self.seed) == (other.image, other.seed)


@dataclass(frozen=True)
class Record:
    """What is written down about a machine: its definition and the port that leads to its ssh."""

    definition: Definition
    ssh_port: int


def read_record(files: VmPaths) -> Record | None:
    """Return what is recorded about a machine, or None if it was never created or the record is unreadable."""
    try:
        data = json.loads(files.definition.read_text(encoding="utf-8"))
        return Record(Definition(**data["definition"]), data["ssh_port"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_record(files: VmPaths, record: Record) -> None:
    """Write down what is known about a machine."""
    fresh = files.definition.with_name(files.definition.name + ".new")
    fresh.write_text(json.dumps(asdict(record), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    fresh.rename(files.definition)


def is_running(files: VmPaths) -> bool:
    """Tell whether the machine's QEMU runs."""
    return process.is_running(files.pid_file, str(files.overlay))


def power_off(files: VmPaths) -> bool:
    """End the machine as if its plug was pulled; return whether it ran."""
    return process.stop(files.pid_file, str(files.overlay))


def create(files: VmPaths, image: Image, seed: bytes) -> None:
    """Give the machine a fresh disk over ``image`` and its seed; what an earlier one wrote is gone.

    Raises:
        LabError: qemu-img failed.
    """
    files.directory.mkdir(parents=True, exist_ok=True)
    for old in (files.definition, files.overlay, files.console, files.qemu_log):
        old.unlink(missing_ok=True)
    files.seed.write_bytes(seed)
    files.seed.chmod(0o600)
    result = subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image.disk), str(files.overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise LabError(f"{files.name}: qemu-img failed: {result.stderr.strip()}")


def remove(files: VmPaths) -> bool:
    """Power the machine off and delete all of it; return whether it ran."""
    ran = power_off(files)
    shutil.rmtree(files.directory, ignore_errors=True)
    for path in files.runtime.glob(f"{files.name}.*"):
        path.unlink(missing_ok=True)
    return ran


def free_port(taken: Iterable[int]) -> int:
    """Return a TCP port of 127.0.0.1 that is free now and not in ``taken``."""
    refused = set(taken)
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in refused:
            return port


def qemu_command(vm: Vm, files: VmPaths, image: Image, accelerator: Accelerator, ssh_port: int) -> list[str]:
    """Return the command line of the machine's QEMU."""
    command = [
        "qemu-system-x86_64", "-name", vm.name, "-M", MACHINE, *accelerator.arguments,
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
    return [
        *command,
        "-netdev",
        (f"user,id=management,restrict=on,ipv6=off,net={MANAGEMENT_NETWORK},host={MANAGEMENT_HOST},"
        f"hostfwd=tcp:127.0.0.1:{ssh_port}-{MANAGEMENT_GUEST}:22"),
        "-device",
        f"virtio-net-pci,netdev=management,mac={vm.management_mac},addr={MANAGEMENT_SLOT:#x},romfile=",
        "-chardev", f"file,id=console,append=on,path={_escaped(files.console)}", "-serial", "chardev:console",
        "-qmp", f"unix:{_escaped(files.qmp)},server=on,wait=off",
        "-pidfile", str(files.pid_file),
    ]  # fmt: skip


def start(vm: Vm, files: VmPaths, image: Image, accelerator: Accelerator, record: Record, taken: Iterable[int]) -> int:
    """Start the machine and return the port that leads to its ssh; the recorded one if it is free.

    Parameters:
        vm: the topology's entry.
        files: its files; `create` has made the disk.
        image: what the disk stands on.
        accelerator: how to execute it.
        record: what is recorded, with the wanted port.
        taken: ports of other machines.

    Raises:
        LabError: QEMU does not start; with its own words.
    """
    refused = set(taken)
    port = record.ssh_port
    for _ in range(START_ATTEMPTS):
        write_record(files, Record(record.definition, port))
        files.qemu_log.unlink(missing_ok=True)
        child = process.start_detached(qemu_command(vm, files, image, accelerator, port), files.qemu_log)
        if _came_up(child, files):
            return port
        if PORT_TAKEN not in process.tail(files.qemu_log, LOG_LINES):
            break
        refused.add(port)
        port = free_port(refused)
    raise LabError(f"{vm.name}: QEMU does not start:", process.tail(files.qemu_log, LOG_LINES))


def _came_up(child: subprocess.Popen[bytes], files: VmPaths) -> bool:
    """Wait until QEMU has written its process id, which it does when its devices are complete, or has ended."""
    deadline = time.monotonic() + START_LIMIT_S
    while child.poll() is None:
        if is_running(files):
            return True
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            return False
        time.sleep(POLL_S)
    return False


def _escaped(path: Path) -> str:
    """Return ``path`` for a QEMU option list, in which a comma must be doubled."""
    return str(path).replace(",", ",,")
