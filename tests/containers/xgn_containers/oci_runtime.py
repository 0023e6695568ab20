"""An OCI runtime that asks for no more capabilities than this machine has, then becomes runc.

``docker run --privileged`` asks for every capability the kernel knows. Where the machine's own bounding set lacks one, as in a sandbox, runc fails. dockerd
calls it for every container and every ``exec``, tens of thousands of times in a run of all scenarios: hence a script for sh and one sed.
"""

from __future__ import annotations

import shlex
from pathlib import Path

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
# `runc create --bundle DIRECTORY` reads config.json there, `runc exec --process FILE` that file; both hold lists of names as JSON.
SCRIPT = """#!/bin/sh
bundle=. process= whole= previous=
for word do
    case $previous in
        --bundle | -b) bundle=$word ;;
        --process | -p) process=$word ;;
    esac
    case $word in
        --bundle=*) bundle=${{word#*=}} ;;
        --process=*) process=${{word#*=}} ;;
        create | run) whole=1 ;;
    esac
    previous=$word
done
for file in ${{whole:+"$bundle/config.json"}} ${{process:+"$process"}}; do
    sed --in-place --regexp-extended {rules} "$file"
done
exec {runc} "$@"
"""


def missing(status: str) -> tuple[str, ...]:
    """Return the capabilities that the bounding set in the text of ``/proc/PID/status`` lacks."""
    mask = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))
    return tuple(f"CAP_{name}" for number, name in enumerate(NAMES) if not mask >> number & 1)


def script(runc: str, names: tuple[str, ...]) -> str:
    """Return the runtime's text: it takes ``names``, at least one, out of what a call asks for and becomes ``runc``."""
    name = f'"({"|".join(names)})"'
    # One with its comma behind, one with its comma before, and one that stands alone.
    rules = (f"s/{name}[[:space:]]*,//g", f"s/,[[:space:]]*{name}//g", f"s/{name}//g")
    return SCRIPT.format(runc=shlex.quote(runc), rules=" ".join(f"--expression={shlex.quote(rule)}" for rule in rules))
