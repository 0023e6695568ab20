"""Keep the disks of a lab's machines as they are now, and bring them back: minutes of building become seconds.

A snapshot is what a power cut would leave: the guests write out what they hold, stand still for the moment of the copy, and boot when
they are brought back. What the product keeps on the controller for this lab, the public keys, goes with it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from lab import process, vm
from lab.connection import ssh_command
from lab.errors import LabError
from lab.hypervisor import Hypervisor
from lab.parallel import in_parallel
from lab.paths import RECORDS, LabPaths

SYNC_LIMIT_S = 120.0
RECORD = "snapshot.json"


def names(paths: LabPaths) -> list[str]:
    """Return the names of a lab's snapshots, the oldest first."""
    found = paths.snapshots_dir.glob(f"*/{RECORD}")
    return [path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime)]


def save(paths: LabPaths, name: str, hypervisors: Mapping[str, Hypervisor]) -> None:
    """Keep the lab as it is under ``name``; an older snapshot of that name is replaced.

    Parameters:
        paths: the lab's files.
        name: the snapshot's name.
        hypervisors: machine -> how it runs.

    Raises:
        LabError: a machine does not write its disk out, or the copy fails.
    """
    target = paths.snapshots_dir / name
    fresh = paths.snapshots_dir / f".{name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    running = [machine for machine in hypervisors if vm.is_running(paths.vm(machine))]
    in_parallel({machine: _syncer(paths, machine) for machine in running})
    with contextlib.ExitStack() as paused:
        for machine in running:
            paused.enter_context(_paused(paths, machine, hypervisors[machine]))
        in_parallel({machine: _copier(hypervisors[machine].disk(paths.vm(machine)), fresh / machine) for machine in hypervisors})
    for variable in RECORDS:
        shutil.copytree(paths.record(variable), fresh / paths.record(variable).name)
    record = {machine: asdict(_record(paths, machine).definition) for machine in hypervisors}
    (fresh / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def definitions(paths: LabPaths, name: str) -> dict[str, vm.Definition]:
    """Return machine -> what it was when the snapshot ``name`` was taken.

    Raises:
        LabError: there is no such snapshot, or it was taken of machines with other images or seeds than there are now.
    """
    if name not in names(paths):
        raise LabError(f"there is no snapshot {name!r} of the lab {paths.state.name}; there are: {', '.join(names(paths)) or 'none'}")
    data = json.loads((paths.snapshots_dir / name / RECORD).read_text(encoding="utf-8"))
    kept = {machine: vm.Definition(**definition) for machine, definition in data.items()}
    now = {path.name: record.definition for path in paths.vms_dir.iterdir() if (record := vm.read_record(paths.vm(path.name))) is not None}
    other = sorted(
        machine
        for machine in kept.keys() | now.keys()
        if machine not in kept or machine not in now or not kept[machine].same_disk(now[machine])
    )
    if other:
        raise LabError(f"the snapshot {name!r} was taken of other machines than there are now: {', '.join(other)}; take it anew")
    return kept


def put_back(paths: LabPaths, name: str, hypervisors: Mapping[str, Hypervisor]) -> None:
    """Give every machine, all of which are off, the disk it had in the snapshot ``name``, and let it run as it did then.

    Parameters:
        paths: the lab's files.
        name: the snapshot's name.
        hypervisors: machine -> how it ran, as `definitions` tells.

    Raises:
        LabError: there is no such snapshot, or it does not fit the machines, and nothing is changed then; or the copy fails.
    """
    kept = definitions(paths, name)
    source = paths.snapshots_dir / name
    for machine, definition in kept.items():
        files = paths.vm(machine)
        for disk in (files.overlay, files.cow):
            disk.unlink(missing_ok=True)
        vm.write_record(files, vm.Record(definition, _record(paths, machine).ssh_port))
    in_parallel({machine: _copier(source / machine, hypervisors[machine].disk(paths.vm(machine))) for machine in kept})
    for variable in RECORDS:
        shutil.rmtree(paths.record(variable), ignore_errors=True)
        shutil.copytree(source / paths.record(variable).name, paths.record(variable))


def _record(paths: LabPaths, machine: str) -> vm.Record:
    record = vm.read_record(paths.vm(machine))
    if record is None:
        raise LabError(f"{machine} was never started")
    return record


@contextlib.contextmanager
def _paused(paths: LabPaths, machine: str, hypervisor: Hypervisor) -> Iterator[None]:
    hypervisor.pause(paths.vm(machine))
    try:
        yield
    finally:
        hypervisor.resume(paths.vm(machine))


def _syncer(paths: LabPaths, machine: str) -> Callable[[object], None]:
    command = [*ssh_command(paths, _record(paths, machine).ssh_port), "sync"]

    def sync(stop: object) -> None:
        try:
            result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SYNC_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise LabError(f"{machine}: its disk was not written out within {SYNC_LIMIT_S:.0f} s") from None
        if result.returncode != 0:
            raise LabError(f"{machine}: sync failed: {result.stderr.strip()}")

    return sync


def _copier(source: Path, target: Path) -> Callable[[object], None]:
    return lambda stop: process.copy_sparse(source, target)
