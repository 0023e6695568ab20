# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Run the steps of a build as an unprivileged user, one build at a time, and leave none of its processes behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import signal
import subprocess
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

TAIL_LINES = 30
END_LIMIT_S = 10


class BuildError(Exception):
    """A step that failed. The text says which, why, and what to do."""


class Builder:
    """One build directory, its user, its log.

    Parameters:
        directory: where logs and records lie; belongs to root.
        user: account that runs every step.
        nice: priority, 0 to 19.
    """

    def __init__(self, directory: str, user: str, nice: int) -> None:
        self.account = pwd.getpwnam(user)
        self.nice = nice
        self.log = os.path.join(directory, "build.log")
        self._lock = os.path.join(directory, "lock")
        self._session = os.path.join(directory, "session")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the directory's lock; end what a killed build left running.

        Raises:
            BuildError: another build holds it.
        """
        # The lock ends with this process; its children do not inherit it.
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BuildError("another build runs in %s. Remedy: wait until it has ended." % os.path.dirname(self._lock)) from None
            self._end_session()
            yield
        finally:
            os.close(descriptor)

    def run(self, command: list[str], directory: str, environment: dict[str, str]) -> int:
        """Run a command in a session of its own, with its output appended to the log; return its status.

        The session ends with this process: by the signals that end a module, or by the next build.
        """
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                ["nice", "-n", str(self.nice), *command],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.account.pw_uid,
                group=self.account.pw_gid,
                extra_groups=[],
                umask=0o022,
                start_new_session=True,
            )
            with open(self._session, "w", encoding="ascii") as stream:
                stream.write("%d\n" % process.pid)
            try:
                return process.wait()
            finally:
                self._end_session()

    def tail(self) -> str:
        """The end of the log."""
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return "\n".join(stream.read().splitlines()[-TAIL_LINES:])

    def phase(self) -> str:
        """The last step that the build said it began."""
        found = ""
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if line.startswith("xgn-phase: "):
                    found = line.partition(": ")[2].strip()
        return found

    def _end_session(self) -> None:
        """End all processes of the recorded session that belong to the build user."""
        try:
            with open(self._session, encoding="ascii") as stream:
                session = int(stream.read())
        except (FileNotFoundError, ValueError):
            return

        def kill() -> list[int]:
            members = self._members(session)
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return members

        left = wait_until(kill, lambda members: not members, END_LIMIT_S, 0.1)
        if left:
            raise BuildError(
                "processes of a former build do not end: %s. Remedy: end them, or restart the build host." % ", ".join(map(str, left))
            )
        os.unlink(self._session)

    def _members(self, session: int) -> list[int]:
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as stream:
                    # Behind the name, which may hold anything: state, parent, group, session (proc(5)).
                    state, _parent, _group, member = stream.read().rpartition(")")[2].split()[:4]
                if int(member) == session and state != "Z" and os.stat("/proc/" + name).st_uid == self.account.pw_uid:
                    found.append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found


def end_on_signal() -> None:
    """Let the signals of a lost connection end this process by an exception, so that the steps end with it."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
