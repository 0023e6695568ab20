"""What every build shares: kept whole or not at all, by one builder at a time, and ended without a trace."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from lab.errors import LabError
from lab.process import tail
from lab.progress import Progress

BUILD_LIMIT_S = 1800
LOG_LINES = 25
POLL_S = 0.2


def keep(
    directory: Path,
    name: str,
    subject: str,
    make: Callable[[Path, Runner], None],
    progress: Progress,
    stop: threading.Event,
    *,
    done: str = "built",
) -> None:
    """Have ``make`` fill ``result`` in a directory of work, and keep that as ``directory``. What is there already is left alone.

    Parameters:
        directory: where the result is to be; it appears by a rename, whole.
        name: what the names of all results of this kind begin with; two builds of one name wait for each other.
        subject: what progress and errors call it.
        make: gets the directory of work, and what runs commands there.
        progress: where to tell how far it is.
        stop: set it from another thread to abandon the build.
        done: what progress says in the end.

    Raises:
        LabError: a step failed, or ``stop`` was set. This, Ctrl-C and every other end leave nothing.
    """
    cache = directory.parent
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{name}.lock", progress, subject, stop) as lock:
        for leftover in cache.glob(f".building-{name}-*"):
            remove_work(leftover)
        if directory.is_dir():
            return
        work = cache / f".building-{directory.name}"
        work.mkdir()
        try:
            make(work, Runner(work, subject, progress, stop, lock))
            (work / "result").rename(directory)
        finally:
            # After a failure, the log is all that is worth keeping, and it is in the message.
            remove_work(work)
    progress.done(subject, done)


class Runner:
    """Runs the build's commands, each in a process group that can be ended as a whole."""

    def __init__(self, work: Path, subject: str, progress: Progress, stop: threading.Event, lock: int) -> None:
        self.log = work / "build.log"
        self.work = work
        self.subject = subject
        self.progress = progress
        self.stop = stop
        self.lock = lock

    def run(
        self, step: str, command: list[str], *, limit_s: float = BUILD_LIMIT_S, watch: Callable[[str], str | None] | None = None
    ) -> None:
        """Run ``command`` to its end.

        Parameters:
            step: what progress calls it.
            command: program and arguments; its output goes to the log.
            limit_s: how long it may take.
            watch: gets each line of its output, and may return what progress is to call it from now on.

        Raises:
            LabError: it failed, with the end of the log; or it took too long, or was interrupted.
        """
        self.progress.step(self.subject, step)
        with self.log.open("ab") as log, self.log.open("rb") as output:
            output.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Should this program be killed, the orphan still holds the lock until it ends.
                pass_fds=(self.lock,),
                env=build_environment(self.work),
            )
            try:
                status = self._wait(process, command[0], limit_s, output, watch)
            except BaseException as error:
                if self.stop.is_set() or isinstance(error, KeyboardInterrupt):
                    # Whoever does not know this presses Ctrl-C again, and then something is left.
                    self.progress.step(self.subject, "interrupted, removing what was begun")
                end_group(process)
                raise
        if status != 0:
            raise LabError(
                f"{self.subject}: {command[0]} failed with status {status}; the end of its log:",
                tail(self.log, LOG_LINES),
            )

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        program: str,
        limit_s: float,
        output: BinaryIO,
        watch: Callable[[str], str | None] | None,
    ) -> int:
        waited_s = 0.0
        while True:
            status = None
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(POLL_S)
            # After the end, too: what was said last explains it.
            while watch is not None and (line := output.readline()):
                if not line.endswith(b"\n"):
                    output.seek(-len(line), os.SEEK_CUR)
                    break
                if (step := watch(line.decode(errors="replace").rstrip("\n"))) is not None:
                    self.progress.step(self.subject, step)
            if status is not None:
                return status
            waited_s += POLL_S
            if self.stop.is_set():
                raise LabError(f"{self.subject}: interrupted")
            if waited_s > limit_s:
                raise LabError(f"{self.subject}: {program} took more than {limit_s:.0f} s")


@contextlib.contextmanager
def locked(path: Path, progress: Progress, subject: str, stop: threading.Event) -> Iterator[int]:
    """Hold an exclusive lock on ``path``; the kernel frees it when the last holder ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        take_lock(descriptor, progress, subject, "waiting for another build of it", stop)
        yield descriptor
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, progress: Progress, subject: str, text: str, stop: threading.Event) -> None:
    """Lock an open file for this process alone; while somebody else has it, say ``text``. Raises `LabError` when ``stop`` is set."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            progress.step(subject, f"{text}{held_by(descriptor)}")
            if stop.wait(POLL_S):
                raise LabError(f"{subject}: interrupted") from None


def held_by(descriptor: int) -> str:
    """Return in words who has locked a file, with a colon before it; empty where the kernel does not tell, as of a process in another namespace."""
    place = os.fstat(descriptor)
    name = f"{os.major(place.st_dev):02x}:{os.minor(place.st_dev):02x}:{place.st_ino}"
    for line in _text(Path("/proc/locks")).splitlines():
        # proc_locks(5): number, kind, how it counts, what for, process, device and inode, range.
        columns = line.split()
        if columns[1] == "FLOCK" and columns[5] == name and (command := _text(Path(f"/proc/{columns[4]}/cmdline"))):
            orphan = _text(Path(f"/proc/{columns[4]}/stat")).rpartition(")")[2].split()[1:2] == ["1"]
            words = " ".join(command.rstrip("\0").split("\0"))
            return f": {words} (process {columns[4]}{f', whose parent is gone; kill {columns[4]} ends it' if orphan else ''})"
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def build_environment(work: Path) -> dict[str, str]:
    """Return the environment of a build command."""
    # mke2fs lies in a directory that is not on every user's PATH.
    path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    return os.environ | {"LC_ALL": "C.UTF-8", "PATH": path, "TMPDIR": str(temporary_directory(work))}


def temporary_directory(work: Path) -> Path:
    """Return where a build's commands put what they remove again; removed together with ``work`` if they cannot."""
    if os.geteuid() == 0:
        return work
    # Within the user namespace of an ordinary user, mmdebstrap cannot enter a private home; /var/tmp it can, and that is on a disk.
    link = work / "temporary"
    if not link.is_symlink():
        outside = Path(tempfile.mkdtemp(prefix="xgn-lab-build-", dir=os.environ.get("TMPDIR", "/var/tmp")))
        outside.chmod(0o711)
        link.symlink_to(outside)
    return link.readlink()


def remove_work(work: Path) -> None:
    """Remove a directory of work, and what lies outside of it for an ordinary user; a file of an older version of a build, too."""
    if work.is_file():
        work.unlink()
        return
    link = work / "temporary"
    if link.is_symlink():
        remove_tree(link.readlink())
    remove_tree(work)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End ``process`` and its children: politely, so that mmdebstrap unmounts, then by force."""
    for number, limit_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit_s)


def mount_points() -> list[Path]:
    """Return where something is mounted, in the order it was mounted."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    # proc_pid_mountinfo(5): white space and backslashes are written as three octal digits.
    return [Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), line.split()[4])) for line in lines]


def remove_tree(path: Path) -> None:
    """Remove a build directory, after unmounting what a killed build left mounted in it (say /proc), never through a mount."""
    # As the kernel names it, whatever links lead there.
    place = path.parent.resolve() / path.name
    inside = [mount for mount in mount_points() if mount.is_relative_to(place)]
    # A mount lies below the one that was made before it.
    for mount in reversed(inside):
        subprocess.run(["umount", "--", str(mount)], capture_output=True, check=False)
    if left := [str(mount) for mount in mount_points() if mount.is_relative_to(place)]:
        raise LabError(f"a killed build left mounts that are in use; end what uses them, then: umount {' '.join(reversed(left))}")
    if os.geteuid() != 0:
        # Files of other owners, made in a user namespace, can only be removed in one.
        subprocess.run(["unshare", "--map-auto", "--map-root-user", "--", "rm", "-rf", "--", str(path)], check=False)
    if path.exists():
        shutil.rmtree(path)
