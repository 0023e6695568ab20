# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One run at a time on a host: a note of the run that works on it, which a reboot clears and which expires by itself."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

LOCK = "/run/xgn/lock"
# Its place in the note: seconds after the boot, in which no change of the clock shows.
UNTIL = "until"


def seconds_after_boot() -> float:
    """Seconds since the host was booted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def look(run: str) -> dict[str, Any] | None:
    """Give the note of another run that works here, or None. run: name of this run."""
    try:
        with open(LOCK, encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
            return _other(_read(stream), run)
    except FileNotFoundError:
        return None


def take(note: Mapping[str, Any], seconds: int, instead_of: str = "", by_force: bool = False) -> tuple[bool, dict[str, Any] | None]:
    """Take this host for a run, or renew what it has.

    Parameters:
        note: what others are to know of the run; C(run) is its name.
        seconds: after that time anybody may take the host.
        instead_of: name of a run that is known to be over.
        by_force: take it from any other run.

    Returns:
        Whether the run has the host now, and the note of the other run that had it, or still has it: with C(left), the seconds until it expires.
    """
    with _opened() as stream:
        other = _other(_read(stream), note["run"])
        if other is not None and not by_force and other["run"] != instead_of:
            return False, other
        _write(stream, json.dumps({**note, UNTIL: seconds_after_boot() + seconds}))
        return True, other


def release(run: str) -> None:
    """End the work of a run here. What another run has taken meanwhile stays."""
    with _opened() as stream:
        found = _read(stream)
        if found is None or found["run"] == run:
            _write(stream, "")


@contextmanager
def _opened() -> Iterator[IO[str]]:
    os.makedirs(os.path.dirname(LOCK), mode=0o755, exist_ok=True)
    # Never removed: another process may wait for this very file.
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


def _read(stream: IO[str]) -> dict[str, Any] | None:
    """Read the note; one that was half written is none, since whoever wrote it was killed over it."""
    try:
        found = json.loads(stream.read())
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("run"), str) and isinstance(found.get(UNTIL), (int, float)) else None


def _other(found: dict[str, Any] | None, run: str) -> dict[str, Any] | None:
    if found is None or found["run"] == run:
        return None
    left = found[UNTIL] - seconds_after_boot()
    return {**found, "left": round(left)} if left > 0 else None


def _write(stream: IO[str], text: str) -> None:
    stream.seek(0)
    stream.truncate()
    stream.write(text)
    stream.flush()
