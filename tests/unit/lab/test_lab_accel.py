"""Which way machines run: KVM if it works, then User Mode Linux, then emulation; or what XGN_ACCEL asks for. And why."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import accel
from lab.errors import LabError
from lab.image import Image
from lab.kernel import Kernel

PROBLEMS = {"kvm": "there is no /dev/kvm", "uml": accel.NO_KERNEL}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str | None]:
    """What is wrong with each way on this controller; a test changes it."""
    found: dict[str, str | None] = {"kvm": None, "uml": None}
    directory = tmp_path / "kernel"
    directory.mkdir()
    (directory / "kernel.json").write_text('{"release": "7.2.12-xgn", "origin": "built here"}')
    monkeypatch.delenv(accel.VARIABLE, raising=False)
    monkeypatch.setattr(accel, "_kvm_problem", lambda image, cache: found["kvm"])
    monkeypatch.setattr(accel, "_uml_problem", lambda image, kernels: found["uml"])
    monkeypatch.setattr(accel, "find_kernel", lambda kernels: None if found["uml"] == accel.NO_KERNEL else Kernel(directory))
    return found


def chosen(tmp_path: Path) -> accel.Accelerator:
    return accel.choose(Image(tmp_path), tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("broken", "name", "reason"),
    [
        ([], "kvm", "it works here"),
        (["kvm"], "uml", "kvm: there is no /dev/kvm"),
        (["kvm", "uml"], "tcg", "kvm: there is no /dev/kvm; uml: there is no kernel for it; `.venv/bin/python -m lab kernel` builds one"),
    ],
)
def test_the_first_that_works_is_taken_and_the_others_are_told(
    machine: dict[str, str | None], tmp_path: Path, broken: list[str], name: str, reason: str
) -> None:
    machine.update({key: PROBLEMS[key] for key in broken})
    found = chosen(tmp_path)
    assert found.hypervisor.name == name
    assert found.reason.startswith(reason)


def test_what_is_asked_for_is_taken_though_another_is_faster(
    machine: dict[str, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in accel.NAMES:
        monkeypatch.setenv(accel.VARIABLE, name)
        assert (chosen(tmp_path).hypervisor.name, chosen(tmp_path).reason) == (name, "XGN_ACCEL asks for it")


def test_the_distributions_kernel_can_be_asked_for(machine: dict[str, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(accel.VARIABLE, "qemu")
    assert chosen(tmp_path).hypervisor.name == "kvm"
    machine["kvm"] = PROBLEMS["kvm"]
    assert chosen(tmp_path).hypervisor.name == "tcg"


def test_what_is_asked_for_and_does_not_work_is_an_error(
    machine: dict[str, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine["uml"] = PROBLEMS["uml"]
    monkeypatch.setenv(accel.VARIABLE, "uml")
    with pytest.raises(LabError, match="XGN_ACCEL=uml: there is no kernel for it"):
        chosen(tmp_path)
    monkeypatch.setenv(accel.VARIABLE, "xen")
    with pytest.raises(LabError, match="XGN_ACCEL: 'xen': there are: kvm, uml, tcg, qemu"):
        chosen(tmp_path)


def test_it_is_said_which_kernel_runs(machine: dict[str, str | None], tmp_path: Path) -> None:
    machine["kvm"] = PROBLEMS["kvm"]
    assert str(chosen(tmp_path)) == "UML, Linux 7.2.12-xgn (built here); kvm: there is no /dev/kvm"
    machine["uml"] = PROBLEMS["uml"]
    assert str(chosen(tmp_path)).startswith("TCG, the distribution's kernel; ")


def test_a_kernel_that_says_what_it_should_works_and_another_does_not(tmp_path: Path) -> None:
    """The probe reads what the program prints; a program that ends, is silent or prints something else is no kernel that works."""
    kernel = Kernel(tmp_path)
    for text, works in (("echo exitcode=0x00000100; sleep 5", True), ("echo exitcode=0x00000200", False), ("sleep 5", False)):
        kernel.binary.write_text(f"#!/bin/sh\n{text}\n")
        kernel.binary.chmod(0o755)
        assert accel.uml_boots(kernel, Image(tmp_path), limit_s=0.5) is works
