"""Send unbound's main process a signal, wait for what has to follow, and print as JSON how long that took by this host's own clock.

Usage: hurt.py STOP|KILL

After STOP: `gone` is when no anycast address was set any longer, `turned` when the kernel sent questions to the other instance. After KILL: `back` is
when another process answered for unbound's unit. `guard` is how long of it the guard was ready to run and had no processor: a busy machine does not count
as a slow guard. All in s; 0 where the kernel does not count it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ADDRESSES = ("1.1.1.1/32", "fd11::1/128")
LIMIT_S, POLL_S = 120, 0.05
GUARD = "system.slice/xgn-anycast.service"


def output(*command: str) -> str:
    """Return what a command prints; it may fail."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def stalled(group: str) -> float:
    """Return for how many seconds so far something in a control group waited for a processor (PSI, "some")."""
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        path = Path(root, group, "cpu.pressure")
        if path.exists():
            return int(path.read_text(encoding="ascii").splitlines()[0].rpartition("total=")[2]) / 1e6
    return 0.0


def main_pid() -> int:
    """Return unbound's main process; 0 without one."""
    return int(output("systemctl", "show", "--property=MainPID", "--value", "unbound.service"))


def gone() -> bool:
    """Return whether no anycast address is set any longer."""
    return not set(ADDRESSES) & set(output("ip", "-brief", "address", "show", "dev", "lo").split())


def turned() -> bool:
    """Return whether the kernel sends questions elsewhere."""
    return " via " in output("ip", "route", "get", "1.1.1.1")


def main() -> None:
    """Hurt, wait, print."""
    victim = main_pid()
    steps: dict[str, Callable[[], bool]] = (
        {"gone": gone, "turned": turned} if sys.argv[1] == "STOP" else {"back": lambda: main_pid() not in (0, victim)}
    )
    found: dict[str, float] = {}
    before = stalled(GUARD)
    began = time.monotonic()
    os.kill(victim, signal.Signals[f"SIG{sys.argv[1]}"])
    for name, done in steps.items():
        while not done():
            if time.monotonic() - began > LIMIT_S:
                raise SystemExit(f"after {LIMIT_S} s, still waiting for: {name}; so far: {found}")
            time.sleep(POLL_S)
        found[name] = time.monotonic() - began
        if name == "gone":
            found["guard"] = stalled(GUARD) - before
    print(json.dumps({name: round(seconds, 2) for name, seconds in found.items()}))


if __name__ == "__main__":
    main()
