"""An OCI runtime that asks for no more capabilities than this machine has, then becomes runc.

``docker run --privileged`` asks for every capability the kernel knows. Where the machine's own bounding set lacks one,
as in a sandbox, runc fails. Started by the file that `engine` writes: ``oci_runtime.py RUNC ARGUMENTS…``; standard
library only, since dockerd calls it for every container and every ``exec``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
# Linux's capabilities in the order of their numbers (capability.h).
# fmt: off
NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND",
    "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)
# fmt: on


def available(status: str) -> frozenset[str]:
    """Return the names of the capabilities in the bounding set of ``/proc/PID/status``."""
    mask = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))
    return frozenset(f"CAP_{name}" for number, name in enumerate(NAMES) if mask >> number & 1)


def reduce(process: dict[str, Any], allowed: frozenset[str]) -> bool:
    """Take what is not allowed out of an OCI process; return whether that changed anything."""
    changed = False
    for kind, names in (process.get("capabilities") or {}).items():
        kept = [name for name in names or [] if name in allowed]
        if kept != (names or []):
            process["capabilities"][kind] = kept
            changed = True
    return changed


def process_files(arguments: list[str]) -> list[tuple[Path, bool]]:
    """Return the files of a runc call that hold a process, each with whether it is a whole bundle configuration."""
    files: list[tuple[Path, bool]] = []
    bundle = "."
    for position, argument in enumerate(arguments):
        name, has_value, value = argument.partition("=")
        if not has_value and position + 1 < len(arguments):
            value = arguments[position + 1]
        if name in {"--bundle", "-b"}:
            bundle = value
        elif name in {"--process", "-p"}:
            files.append((Path(value), False))
    if {"create", "run"} & set(arguments):
        files.append((Path(bundle, "config.json"), True))
    return files


def main(runc: str, arguments: list[str]) -> None:
    """Reduce what the call asks for and become runc."""
    allowed = available(STATUS.read_text(encoding="ascii"))
    for path, is_bundle in process_files(arguments):
        content = json.loads(path.read_text(encoding="utf-8"))
        if reduce(content["process"] if is_bundle else content, allowed):
            path.write_text(json.dumps(content), encoding="utf-8")
    os.execv(runc, [runc, *arguments])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
