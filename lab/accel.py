"""Find out whether KVM truly works here."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.image import Image

KVM_DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROBE_LIMIT_S = 15.0
# QEMU's default is 1 GiB for each machine; a quarter is enough and leaves memory for the guests.
CODE_BUFFER_MIB = 256
# QEMU 7.2 computes wrong flags for cmpxchg16b, on which Linux 6.12's memory allocator stands: the guest panics
# within minutes ("double fault" in __kmalloc). Without cx16 the kernel takes another way.
# The others cost time: five-level page tables double the work of each miss, svm makes guests load their own KVM.
EMULATED_CPU = "max,cx16=off,la57=off,svm=off"
POLL_S = 0.1
# The kernel says so when its first user program has run and ended with status 1.
PROBE_INIT = "/bin/false"
PROBE_MARKER = b"exitcode=0x00000100"


@dataclass(frozen=True)
class Accelerator:
    """How guests are executed, and the reason in words."""

    name: str
    reason: str

    @property
    def arguments(self) -> tuple[str, ...]:
        """QEMU's options for it."""
        if self.name == "kvm":
            return ("-accel", "kvm", "-cpu", "host")
        return ("-accel", f"tcg,thread=multi,tb-size={CODE_BUFFER_MIB}", "-cpu", EMULATED_CPU)


def choose(image: Image, cache: Path) -> Accelerator:
    """Return KVM if it boots the image's kernel, else emulation.

    The answer is remembered in ``cache`` until the controller reboots.
    """
    if not KVM_DEVICE.exists():
        return Accelerator("tcg", f"there is no {KVM_DEVICE}")
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return Accelerator("tcg", f"no permission for {KVM_DEVICE} (group kvm)")
    record = cache / "kvm.json"
    key = f"{BOOT_ID.read_text(encoding='ascii').strip()} {image.identity}"
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["key"] == key:
            return Accelerator(known["name"], known["reason"])
    except (FileNotFoundError, ValueError, KeyError):
        pass
    works = boots_with(image, ("-accel", "kvm", "-cpu", "host"), PROBE_LIMIT_S)
    result = (
        Accelerator("kvm", "it boots the image's kernel")
        if works
        else Accelerator("tcg", f"{KVM_DEVICE} opens but boots no kernel within {PROBE_LIMIT_S:.0f} s")
    )
    fresh = record.with_name(f"{record.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"key": key, "name": result.name, "reason": result.reason}), encoding="utf-8")
    fresh.rename(record)
    return result


def boots_with(image: Image, accelerator: tuple[str, ...], limit_s: float) -> bool:
    """Tell whether the image's kernel reaches user space within ``limit_s`` seconds with these QEMU options."""
    command = [
        "qemu-system-x86_64", "-M", "q35", *accelerator, "-m", "256", "-smp", "1",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", str(image.kernel), "-initrd", str(image.initrd),
        "-append", f"console=ttyS0 panic=-1 rdinit={PROBE_INIT}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        seen = b""
        deadline = time.monotonic() + limit_s
        try:
            while time.monotonic() < deadline:
                ended = child.poll() is not None
                seen += child.stdout.read() or b""
                if PROBE_MARKER in seen:
                    return True
                if ended:
                    return False
                time.sleep(POLL_S)
            return False
        finally:
            child.kill()
