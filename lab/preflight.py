"""Everything the lab needs from the controller, checked before anything starts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from lab import qemu, uml
from lab.bootstrap import KEYRING
from lab.errors import LabError
from lab.image import ARCHIVE_DISK_MIB, BUILD_DISK_MIB

# The first version with datagram sockets as a network backend.
QEMU_MINIMUM = (7, 2)
PROGRAMS = ("ssh", "ssh-keygen")
QEMU_PROGRAMS = (qemu.PROGRAM, "qemu-img")
BUILD_PROGRAMS = ("mmdebstrap", "mke2fs")
ARCHIVE_PROGRAMS = ("mmdebstrap", "zstd")
REMEDY = "run tools/system-packages lab"
# What the program that runs a machine takes beside the guest's memory: code buffer of the emulation, disk and network buffers.
VM_OVERHEAD_MIB = 384
MEMORY_MARGIN_MIB = 512
# What a machine writes in a day of tests.
OVERLAY_MIB = 1024


def qemu_version(text: str) -> tuple[int, int] | None:
    """Return (major, minor) from the output of ``qemu-system-x86_64 --version``."""
    match = re.search(r"version (\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def available_memory_mib(meminfo: str) -> int:
    """Return MemAvailable from the text of /proc/meminfo, MiB."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match[1]) // 1024 if match else 0


def existing_parent(path: Path) -> Path:
    """Return ``path`` or its nearest ancestor that exists."""
    while not path.exists():
        path = path.parent
    return path


def check(
    start_mib: list[int], missing_images: int, cache: Path, state: Path, missing_archives: int = 0, accelerator: str | None = None
) -> None:
    """Check programs, memory and disk space.

    Parameters:
        start_mib: memory of each machine that will be started, MiB.
        missing_images: how many images have to be built.
        cache: directory of the images.
        state: directory of the lab's state.
        missing_archives: how many archives for containers have to be built.
        accelerator: the way to run machines that is asked for; QEMU's programs are needed for any other than "uml".

    Raises:
        LabError: names everything that is lacking, each with the remedy.
    """
    run = uml.PROGRAMS if accelerator == "uml" else QEMU_PROGRAMS
    programs = [*PROGRAMS, *run, *(BUILD_PROGRAMS if missing_images else ()), *(ARCHIVE_PROGRAMS if missing_archives else ())]
    problems = [f"{name} is missing; {REMEDY}" for name in dict.fromkeys(programs) if _which(name) is None]
    if (missing_images or missing_archives) and not KEYRING.is_file():
        problems.append(f"{KEYRING} (package debian-archive-keyring) is missing; {REMEDY}")
    if accelerator != "uml" and shutil.which(qemu.PROGRAM):
        output = subprocess.run([qemu.PROGRAM, "--version"], capture_output=True, text=True, check=False).stdout
        version = qemu_version(output)
        if version is None or version < QEMU_MINIMUM:
            found = ".".join(map(str, version)) if version else "an unknown version"
            problems.append(f"{qemu.PROGRAM} is {found}; at least {'.'.join(map(str, QEMU_MINIMUM))} is needed")
    problems += memory_problems(start_mib, available_memory_mib(Path("/proc/meminfo").read_text(encoding="ascii")))
    built_mib = missing_images * BUILD_DISK_MIB + missing_archives * ARCHIVE_DISK_MIB
    problems += _disk_problems([(cache, built_mib, "images"), (state, len(start_mib) * OVERLAY_MIB, "machines' disks")])
    if problems:
        raise LabError(*problems)


def memory_problems(start_mib: list[int], available_mib: int) -> list[str]:
    """Return what is wrong with starting machines of ``start_mib`` MiB each while ``available_mib`` are free."""
    if not start_mib:
        return []
    needed = sum(start_mib) + len(start_mib) * VM_OVERHEAD_MIB + MEMORY_MARGIN_MIB
    if available_mib >= needed:
        return []
    return [
        (
            f"{available_mib} MiB of memory are available, {needed} MiB are needed for {len(start_mib)} machines: "
            "end other programs or labs (python -m lab down --all), or lower memory_mib in the topology"
        )
    ]


def _disk_problems(wants: list[tuple[Path, int, str]]) -> list[str]:
    """Return what is wrong with the disk space; wants on the same file system add up."""
    by_device: dict[int, tuple[Path, int, list[str]]] = {}
    for path, mib, what in wants:
        if mib:
            place = existing_parent(path)
            device = place.stat().st_dev
            first, total, names = by_device.get(device, (place, 0, []))
            by_device[device] = (first, total + mib, [*names, what])
    problems = []
    for place, total, names in by_device.values():
        free = shutil.disk_usage(place).free // (1024 * 1024)
        if free < total:
            problems.append(
                f"{free} MiB are free on the file system of {place}, {total} MiB are needed for {' and '.join(names)}: "
                "make room, or set XDG_CACHE_HOME to another file system"
            )
    return problems


def _which(name: str) -> str | None:
    """Find a program; the administrator's directories are not on every user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
