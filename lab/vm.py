"""Start, stop and recognise the virtual machines, whichever way they run."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from lab import process
from lab.errors import LabError
from lab.hypervisor import Hypervisor, start_part
from lab.image import Image
from lab.paths import VmPaths
from lab.ports import free_port, is_free
from lab.topology import Vm

START_ATTEMPTS = 3
LOG_LINES = 15
# QEMU's word for a port that another program took between our look and its start.
PORT_TAKEN = "Could not set up host forwarding rule"


@dataclass(frozen=True)
class Definition:
    """What a machine is made from.

    Parameters:
        image: identity of the image.
        seed: hash of the seed archive. If this or the image changes, the disk is made anew.
        hypervisor: how it runs: "kvm", "uml" or "tcg".
        hardware: hash of the command lines. If this or the hypervisor changes, the machine is started again with its disk.
    """

    image: str
    seed: str
    hypervisor: str
    hardware: str

    @classmethod
    def of(cls, vm: Vm, files: VmPaths, image: Image, seed: bytes, hypervisor: Hypervisor) -> Definition:
        """Return the definition of ``vm`` with these parts."""
        # Any port will do: it is the same each time, and which one the machine gets is not part of what it is.
        commands = "\n\n".join("\n".join(part.command) for part in hypervisor.parts(vm, files, image, ssh_port=0))
        return cls(image.identity, hashlib.sha256(seed).hexdigest(), hypervisor.name, hashlib.sha256(commands.encode()).hexdigest())

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
    """Tell whether the machine runs."""
    return process.is_running(files.pid_file, files.marker)


def power_off(files: VmPaths) -> bool:
    """End the machine as if its plug was pulled; return whether it ran."""
    ran = process.stop(files.pid_file, files.marker)
    process.stop(files.management_pid_file, files.marker)
    return ran


def create(files: VmPaths, image: Image, seed: bytes, hypervisor: Hypervisor) -> None:
    """Give the machine a fresh disk over ``image`` and its seed; what an earlier one wrote is gone.

    Raises:
        LabError: the disk cannot be made.
    """
    files.directory.mkdir(parents=True, exist_ok=True)
    for old in (files.definition, files.overlay, files.cow, files.console, files.log):
        old.unlink(missing_ok=True)
    files.seed.write_bytes(seed)
    files.seed.chmod(0o600)
    hypervisor.make_disk(files, image)


def convert(files: VmPaths, image: Image, old: Hypervisor, new: Hypervisor) -> None:
    """Let the machine, which is off, keep its disk when it runs another way from now on.

    Raises:
        LabError: the disk cannot be converted.
    """
    if old.disk(files) == new.disk(files):
        return
    if not old.disk(files).is_file() and new.disk(files).is_file():
        # An earlier conversion was interrupted when all but its record was done.
        return
    whole = files.directory / "disk.raw"
    try:
        old.to_raw(files, image, whole)
        new.from_raw(files, image, whole)
    finally:
        whole.unlink(missing_ok=True)
    old.disk(files).unlink(missing_ok=True)


def remove(files: VmPaths) -> bool:
    """Power the machine off and delete all of it; return whether it ran."""
    ran = power_off(files)
    shutil.rmtree(files.directory, ignore_errors=True)
    for path in files.runtime.glob(f"{files.name}.*"):
        path.unlink(missing_ok=True)
    # What User Mode Linux keeps while it runs.
    shutil.rmtree(files.runtime / files.name, ignore_errors=True)
    return ran


def start(vm: Vm, files: VmPaths, image: Image, hypervisor: Hypervisor, record: Record, taken: Iterable[int]) -> int:
    """Start the machine and return the port that leads to its ssh; the recorded one if it is free.

    Parameters:
        vm: the topology's entry.
        files: its files; `create` has made the disk.
        image: what the disk stands on.
        hypervisor: how to run it.
        record: what is recorded, with the wanted port.
        taken: ports of other machines.

    Raises:
        LabError: one of its programs does not start; with its own words.
    """
    refused = set(taken)
    port = record.ssh_port
    # What a machine that died alone may have left.
    power_off(files)
    for _ in range(START_ATTEMPTS):
        if not is_free(port):
            refused.add(port)
            port = free_port(refused)
        write_record(files, Record(record.definition, port))
        files.log.unlink(missing_ok=True)
        failed = next((part for part in hypervisor.parts(vm, files, image, port) if not start_part(part, files.log, files.marker)), None)
        if failed is None:
            return port
        power_off(files)
        if PORT_TAKEN not in process.tail(files.log, LOG_LINES):
            break
        refused.add(port)
        port = free_port(refused)
    raise LabError(f"{vm.name}: {failed.title if failed else ''} does not start:", process.tail(files.log, LOG_LINES))
