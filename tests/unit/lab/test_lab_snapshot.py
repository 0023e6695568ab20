"""Snapshots keep the disks and the public keys of a lab, and fit the machines that they were taken of, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import snapshot, vm
from lab.errors import LabError
from lab.kernel import Kernel
from lab.lab import _forget
from lab.paths import RECORDS, LabPaths
from lab.uml import Uml

DEFINITION = vm.Definition("image", "seed", "uml", "hardware")


@pytest.fixture
def lab(tmp_path: Path) -> tuple[LabPaths, dict[str, Uml]]:
    """A lab of two machines that are off."""
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (kernel / "kernel.json").write_text('{"release": "7.2.12-xgn", "origin": "built here"}')
    paths = LabPaths(tmp_path / "state", tmp_path / "run")
    for variable in RECORDS:
        paths.record(variable).mkdir(parents=True)
    for name in ("r1", "r2"):
        paths.vm(name).directory.mkdir(parents=True)
        vm.write_record(paths.vm(name), vm.Record(DEFINITION, 2222))
        write(paths, name, f"{name} as it was")
    return paths, dict.fromkeys(("r1", "r2"), Uml(Kernel(kernel)))


def write(paths: LabPaths, name: str, text: str) -> None:
    paths.vm(name).cow.write_text(text)
    (paths.record("wireguard_key_registry") / f"{name}.txt").write_text(text)


def test_disks_and_what_is_recorded_of_the_hosts_come_back(lab: tuple[LabPaths, dict[str, Uml]]) -> None:
    paths, machines = lab
    snapshot.save(paths, "before", machines)
    for name in machines:
        write(paths, name, "changed since")
    (paths.record("xgn_applied_directory") / "new.txt").write_text("made since")
    snapshot.put_back(paths, "before", machines)
    assert [paths.vm(name).cow.read_text() for name in machines] == ["r1 as it was", "r2 as it was"]
    assert (paths.record("wireguard_key_registry") / "r1.txt").read_text() == "r1 as it was"
    assert list(paths.record("xgn_applied_directory").iterdir()) == []


def test_a_machine_with_a_new_disk_is_another_host(lab: tuple[LabPaths, dict[str, Uml]]) -> None:
    """It has other keys: what is recorded of the former one would stop the next run."""
    paths, _machines = lab
    _forget(paths, "r1")
    _forget(paths, "r1")
    assert [path.name for path in paths.record("wireguard_key_registry").iterdir()] == ["r2.txt"]


def test_a_second_of_the_same_name_replaces_the_first(lab: tuple[LabPaths, dict[str, Uml]]) -> None:
    paths, machines = lab
    snapshot.save(paths, "a", machines)
    write(paths, "r1", "later")
    snapshot.save(paths, "b", machines)
    snapshot.save(paths, "a", machines)
    assert snapshot.names(paths) == ["b", "a"]
    write(paths, "r1", "changed since")
    snapshot.put_back(paths, "a", machines)
    assert paths.vm("r1").cow.read_text() == "later"


def test_an_unknown_one_is_refused_with_those_there_are(lab: tuple[LabPaths, dict[str, Uml]]) -> None:
    paths, machines = lab
    with pytest.raises(LabError, match="no snapshot 'x' of the lab state; there are: none"):
        snapshot.definitions(paths, "x")
    snapshot.save(paths, "before", machines)
    with pytest.raises(LabError, match="there are: before"):
        snapshot.put_back(paths, "x", machines)


@pytest.mark.parametrize("other", [{"image": "rebuilt"}, {"seed": "readdressed"}])
def test_one_of_other_machines_is_refused_and_nothing_is_changed(lab: tuple[LabPaths, dict[str, Uml]], other: dict[str, str]) -> None:
    paths, machines = lab
    snapshot.save(paths, "before", machines)
    write(paths, "r1", "changed since")
    vm.write_record(paths.vm("r2"), vm.Record(replace(DEFINITION, **other), 2222))
    with pytest.raises(LabError, match="of other machines than there are now: r2; take it anew"):
        snapshot.put_back(paths, "before", machines)
    assert paths.vm("r1").cow.read_text() == "changed since"


def test_a_machine_runs_again_as_it_did_then(lab: tuple[LabPaths, dict[str, Uml]]) -> None:
    """Since then it was started with another kernel, on a disk of another form, and with more memory."""
    paths, machines = lab
    snapshot.save(paths, "before", machines)
    files = paths.vm("r2")
    vm.write_record(files, vm.Record(replace(DEFINITION, hypervisor="tcg", hardware="more memory"), 3333))
    files.cow.rename(files.overlay)
    snapshot.put_back(paths, "before", machines)
    assert vm.read_record(files) == vm.Record(DEFINITION, 3333)
    assert (files.cow.read_text(), files.overlay.exists()) == ("r2 as it was", False)
