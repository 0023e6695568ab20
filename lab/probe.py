"""Find out when a guest answers."""

from __future__ import annotations

import socket
import subprocess
import threading
import time

from lab import process, vm
from lab.connection import ssh_command
from lab.errors import LabError
from lab.paths import LabPaths
from lab.progress import Progress

# An emulated guest on a loaded controller may take minutes; one that has not answered by then never will.
BOOT_LIMIT_S = 600.0
BANNER_LIMIT_S = 5.0
LOGIN_LIMIT_S = 60.0
POLL_S = 0.5
CONSOLE_LINES = 25


def wait_for_ssh(name: str, paths: LabPaths, port: int, progress: Progress, stop: threading.Event) -> None:
    """Wait until root can log in to the machine ``name``.

    Parameters:
        name: the machine.
        paths: the lab's files.
        port: the port of 127.0.0.1 that leads to its ssh.
        progress: where to tell how far it is.
        stop: set it from another thread to give up.

    Raises:
        LabError: the machine ended, or did not answer within `BOOT_LIMIT_S`; with the end of its console.
    """
    files = paths.vm(name)
    progress.step(name, "booting")
    deadline = time.monotonic() + BOOT_LIMIT_S
    login = [*ssh_command(paths, port), "true"]
    reason = "ssh never answered"
    while time.monotonic() < deadline:
        if stop.is_set():
            raise LabError(f"{name}: interrupted while it boots; the machine runs on")
        if not vm.is_running(files):
            raise LabError(f"{name}: the machine ended:", process.tail(files.log, CONSOLE_LINES), _console(paths, name))
        if banner_shows(port, BANNER_LIMIT_S):
            try:
                result = subprocess.run(login, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LOGIN_LIMIT_S, check=False)
                if result.returncode == 0:
                    progress.done(name, "ssh answers")
                    return
                reason = result.stderr.strip() or f"ssh ended with status {result.returncode}"
            except subprocess.TimeoutExpired:
                reason = f"ssh did not log in within {LOGIN_LIMIT_S:.0f} s"
        stop.wait(POLL_S)
    raise LabError(f"{name}: not reachable after {BOOT_LIMIT_S:.0f} s ({reason}):", _console(paths, name))


def banner_shows(port: int, limit_s: float) -> bool:
    """Tell whether an ssh server greets on a port of 127.0.0.1, which accepts connections before the guest does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=limit_s) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _console(paths: LabPaths, name: str) -> str:
    return f"--- end of {paths.vm(name).console}:\n{process.tail(paths.vm(name).console, CONSOLE_LINES)}"
