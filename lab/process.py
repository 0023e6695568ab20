"""Background processes: start them detached, find them again, and never touch one of somebody else."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from lab.errors import LabError

# Names the process with which a verb ends.
OWNER = "XGN_LAB_OWNER"
TERMINATE_LIMIT_S = 5.0
KILL_LIMIT_S = 5.0
# Colours and cursor movements, which systemd writes to the console.
TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-9;?!]*[A-Za-z]")


class Running:
    """A running process, held by a pidfd so that a reused process id cannot be mistaken for it."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._pidfd)

    def ended(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` seconds and tell whether the process has ended."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def stop(self) -> None:
        """End the process: politely first, then by force.

        Raises:
            LabError: it lives on.
        """
        for number, limit_s in ((signal.SIGTERM, TERMINATE_LIMIT_S), (signal.SIGKILL, KILL_LIMIT_S)):
            self.send(number)
            if self.ended(limit_s):
                return
        raise LabError(f"process {self.pid} does not end, not even by SIGKILL")


def end_with(owner: str) -> None:
    """Have this process get SIGTERM as soon as another one has ended, such as the program of the tests: a verb that nobody waits for would hold the lab.

    Parameters:
        owner: id of that process.

    Raises:
        LabError: it has ended already, or is none.
    """
    try:
        pidfd = os.pidfd_open(int(owner))
    except (OSError, ValueError, OverflowError):
        raise LabError(f"{OWNER} is {owner}, and no such process runs: what asked for this has ended") from None

    def watch() -> None:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def find(pid_file: Path, marker: str) -> Running | None:
    """Return the process recorded in ``pid_file``, if it runs and one of its arguments contains ``marker``.

    Parameters:
        pid_file: holds a decimal process id; it may be missing or stale.
        marker: text that only this very process has on its command line, such as the path of its own disk.
    """
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        pidfd = os.pidfd_open(pid)
    except (OSError, ValueError, OverflowError):
        return None
    # The check comes after the pidfd is open: from now on this process id cannot pass to another process unnoticed.
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        arguments = []
    if any(marker.encode() in argument for argument in arguments):
        running = Running(pid, pidfd)
        if not running.ended(0):
            return running
    os.close(pidfd)
    return None


def is_running(pid_file: Path, marker: str) -> bool:
    """Tell whether `find` finds the process."""
    running = find(pid_file, marker)
    if running is None:
        return False
    with running:
        return True


def stop(pid_file: Path, marker: str) -> bool:
    """Stop the recorded process, if it is the one that ``marker`` tells; return whether there was one.

    Raises:
        LabError: it does not end.
    """
    running = find(pid_file, marker)
    if running is not None:
        with running:
            running.stop()
    pid_file.unlink(missing_ok=True)
    return running is not None


def start_detached(
    command: Sequence[str],
    log: Path,
    cwd: Path | None = None,
    output: Path | None = None,
    pid_file: Path | None = None,
    descriptors: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it.

    Parameters:
        command: the program and its arguments.
        log: where its errors go, and its output if ``output`` is not given.
        cwd: its working directory.
        output: where its standard output is appended.
        pid_file: where the process id is to be written, by the process itself, so that it is known even if this program is killed now.
        descriptors: file descriptors that it inherits.
    """
    # The shell becomes the program, so its process id is the program's.
    wrapper = [] if pid_file is None else ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(pid_file)]
    with log.open("ab") as errors, (output or log).open("ab") as stream:
        return subprocess.Popen(
            [*wrapper, *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=errors,
            start_new_session=True,
            cwd=cwd,
            pass_fds=descriptors,
        )


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file with its holes. Raises `LabError`."""
    result = subprocess.run(["cp", "--sparse=always", "--", str(source), str(target)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LabError(f"{source} cannot be copied: {result.stderr.strip()}")


def tail(path: Path, lines: int) -> str:
    """Return the last ``lines`` lines of a log file, without control characters; "" if there is none."""
    try:
        text = path.read_bytes()[-65536:].decode(errors="replace").replace("\r", "")
    except FileNotFoundError:
        return ""
    text = TERMINAL_SEQUENCE.sub("", text)
    clean = "".join(char for char in text if char == "\n" or char.isprintable())
    return "\n".join(clean.splitlines()[-lines:])
