"""Find out how machines can run here: with KVM, under User Mode Linux, or emulated."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.hypervisor import Hypervisor
from lab.image import Image
from lab.kernel import Kernel, find_kernel
from lab.qemu import KVM, PROGRAM, Qemu
from lab.uml import Uml, missing_programs

KVM_DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
VARIABLE = "XGN_ACCEL"
NAMES = ("kvm", "uml", "tcg")
# The first that works of those with the distribution's own kernel.
QEMU = "qemu"
KVM_LIMIT_S = 15.0
# It takes a tenth of that; the rest is for a busy controller.
UML_LIMIT_S = 10.0
POLL_S = 0.02
# The kernel says so when its first user program has run and ended with status 1.
PROBE_INIT = "/bin/false"
PROBE_MARKER = b"exitcode=0x00000100"
NO_KERNEL = "there is no kernel for it; `.venv/bin/python -m lab kernel` builds one in 10 to 20 minutes, once; machines are 4 to 10 times faster then"


@dataclass(frozen=True)
class Accelerator:
    """How machines run, and the reason in words."""

    hypervisor: Hypervisor
    reason: str

    def __str__(self) -> str:
        return f"{self.hypervisor.name.upper()}, {self.hypervisor.kernel}; {self.reason}"


def forced() -> str | None:
    """Return the way that XGN_ACCEL asks for, or None; "qemu" is KVM or emulation, both with the distribution's kernel.

    Raises:
        LabError: there is no such way.
    """
    name = os.environ.get(VARIABLE) or None
    if name is not None and name not in (*NAMES, QEMU):
        raise LabError(f"{VARIABLE}: {name!r}: there are: {', '.join((*NAMES, QEMU))}")
    return name


def choose(image: Image, cache: Path, kernels: Path) -> Accelerator:
    """Return the first way that works here, of KVM, User Mode Linux and emulation; or the one that XGN_ACCEL asks for.

    Parameters:
        image: one of the images that machines stand on.
        cache: where the answer about KVM is remembered until the controller reboots.
        kernels: cache of the kernels for User Mode Linux.

    Raises:
        LabError: XGN_ACCEL asks for what does not work, or does not exist.
    """
    problems: dict[str, Callable[[], str | None]] = {
        "kvm": lambda: _kvm_problem(image, cache),
        "uml": lambda: _uml_problem(image, kernels),
        "tcg": lambda: None,
    }
    name = forced()
    if name == QEMU:
        del problems["uml"]
    elif name is not None:
        if problem := problems[name]():
            raise LabError(f"{VARIABLE}={name}: {problem}")
        return Accelerator(hypervisor(name, kernels), f"{VARIABLE} asks for it")
    reasons: list[str] = []
    for candidate, find in problems.items():
        problem = find()
        if problem is None:
            return Accelerator(hypervisor(candidate, kernels), "; ".join(reasons) or "it works here")
        reasons.append(f"{candidate}: {problem}")
    raise AssertionError("emulation always works")


def hypervisor(name: str, kernels: Path) -> Hypervisor:
    """Return the way to run machines that has this name.

    Raises:
        LabError: there is no kernel for User Mode Linux.
    """
    if name != "uml":
        return Qemu(name)
    kernel = find_kernel(kernels)
    if kernel is None:
        raise LabError(f"uml: {NO_KERNEL}")
    return Uml(kernel)


def _kvm_problem(image: Image, cache: Path) -> str | None:
    """Return why KVM does not serve. The answer is remembered in ``cache`` until the controller reboots."""
    if not KVM_DEVICE.exists():
        return f"there is no {KVM_DEVICE}"
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return f"no permission for {KVM_DEVICE} (group kvm)"
    record = cache / "kvm.json"
    key = f"{BOOT_ID.read_text(encoding='ascii').strip()} {image.identity}"
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["key"] == key:
            problem: str | None = known["problem"]
            return problem
    except (FileNotFoundError, ValueError, KeyError):
        pass
    problem = None if kvm_boots(image) else f"{KVM_DEVICE} opens but boots no kernel within {KVM_LIMIT_S:.0f} s"
    fresh = record.with_name(f"{record.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"key": key, "problem": problem}), encoding="utf-8")
    fresh.rename(record)
    return problem


def _uml_problem(image: Image, kernels: Path) -> str | None:
    """Return why User Mode Linux does not serve."""
    kernel = find_kernel(kernels)
    if kernel is None:
        return NO_KERNEL
    if missing := missing_programs():
        return f"{' and '.join(missing)} missing; run tools/system-packages lab"
    if not uml_boots(kernel, image):
        return f"{kernel.binary} runs no program within {UML_LIMIT_S:.0f} s"
    return None


def kvm_boots(image: Image, accelerator: Sequence[str] = KVM, limit_s: float = KVM_LIMIT_S) -> bool:
    """Tell whether the image's kernel reaches user space within ``limit_s`` seconds with these QEMU options."""
    command = [
        PROGRAM, "-M", "q35", *accelerator, "-m", "256", "-smp", "1",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", str(image.kernel), "-initrd", str(image.initrd),
        "-append", f"console=ttyS0 panic=-1 rdinit={PROBE_INIT}",
    ]  # fmt: skip
    return _reaches_user_space(command, limit_s)


def uml_boots(kernel: Kernel, image: Image, limit_s: float = UML_LIMIT_S) -> bool:
    """Tell whether a program of the image runs under User Mode Linux within ``limit_s`` seconds; the image is only read."""
    with tempfile.TemporaryDirectory(prefix="xgn-uml-") as directory:
        command = [
            str(kernel.binary), "mem=64M", "umid=probe", f"uml_dir={directory}{os.sep}", f"ubd0r={image.disk}", "root=/dev/ubda", "ro",
            "rootfstype=ext4", "con0=null,fd:1", "con=null", "ssl=null", "seccomp=on", "panic=5", f"init={PROBE_INIT}",
        ]  # fmt: skip
        return _reaches_user_space(command, limit_s)


def _reaches_user_space(command: Sequence[str], limit_s: float) -> bool:
    """Run a kernel whose first program is PROBE_INIT, and tell whether it ran in time."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        assert child.stdout is not None
        read: Callable[[], bytes | None] = child.stdout.read
        os.set_blocking(child.stdout.fileno(), False)
        seen = b""
        deadline = time.monotonic() + limit_s
        try:
            while time.monotonic() < deadline:
                ended = child.poll() is not None
                seen += read() or b""
                if PROBE_MARKER in seen:
                    return True
                if ended:
                    return False
                time.sleep(POLL_S)
            return False
        finally:
            child.kill()
