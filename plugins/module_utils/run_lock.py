# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One run at a time on a host: a note of the run that works on it, which a reboot clears and which expires by itself unless the run goes on."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

LOCK = "/run/xgn/lock"
# In the note: when it expires, in seconds after the boot, in which no change of the clock shows; for how long it was given; and that boot, as there are
# hosts whose /run outlives one.
UNTIL = "until"
SECONDS = "seconds"
BOOT = "boot"


def seconds_after_boot() -> float:
    """Seconds since the host was booted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """What no two boots share; empty where that cannot be told."""
    try:
        return read_text("/proc/sys/kernel/random/boot_id").strip()
    except OSError:
        return ""


def look(run: str) -> dict[str, Any] | None:
    """Give the note of another run that works here, or None. run: name of this run."""
    try:
        with open(LOCK, encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
            return _at_work(_other(_read(stream), run))
    except FileNotFoundError:
        return None


def take(note: Mapping[str, Any], seconds: int, instead_of: str = "", by_force: bool = False) -> tuple[bool, dict[str, Any] | None]:
    """Take this host for a run, or renew what it has.

    Parameters:
        note: what others are to know of the run; C(run) is its name.
        seconds: after that time without a word of the run anybody may take the host.
        instead_of: name of a run that is known to be over.
        by_force: take it from any other run.

    Returns:
        Whether the run has the host now, and the note of the other run that had it, or still has it: with C(left), the seconds until it expires, 0 or
        less when it had expired.
    """
    with _opened() as stream:
        other = _other(_read(stream), note["run"])
        if other is not None and other["left"] > 0 and not by_force and other["run"] != instead_of:
            return False, other
        _write(stream, {**note, SECONDS: seconds, UNTIL: seconds_after_boot() + seconds, BOOT: boot_id()})
        return True, other


def renew(run: str, seconds: float = 0) -> None:
    """Say that a run goes on here; nothing where the host is not its own. Whoever cannot say so goes on all the same.

    Parameters:
        run: its name; empty for none.
        seconds: how long it is to last at least; what it was taken for when that is longer.
    """
    if not run:
        return
    try:
        with open(LOCK, "r+", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            found = _read(stream)
            if found is not None and found["run"] == run:
                until = seconds_after_boot() + max(seconds, found.get(SECONDS) or 0)
                _write(stream, {**found, UNTIL: max(until, found[UNTIL])})
    except OSError:
        return


@contextmanager
def leaving(run: str) -> Iterator[tuple[bool, dict[str, Any] | None]]:
    """End the work of a run here, after a last piece of it and whatever becomes of that. What another run has taken meanwhile stays.

    Gives whether the host has been the run's until now, and the note of another one that works here.
    """
    with _opened() as stream:
        found = _read(stream)
        other = _other(found, run)
        try:
            yield found is not None and other is None, _at_work(other)
        finally:
            if other is None:
                _write(stream, None)


@contextmanager
def _opened() -> Iterator[IO[str]]:
    os.makedirs(os.path.dirname(LOCK), mode=0o755, exist_ok=True)
    # Never removed: another process may wait for this very file.
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


def _read(stream: IO[str]) -> dict[str, Any] | None:
    """Read the note; one that was half written is none, since whoever wrote it was killed over it, and so is one of an earlier boot."""
    try:
        # Behind its end may be the rest of a longer one.
        found = json.loads(stream.readline())
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("run"), str) or not isinstance(found.get(UNTIL), (int, float)):
        return None
    # An older collection did not write down the boot.
    return found if found.get(BOOT) in (None, boot_id()) else None


def _other(found: dict[str, Any] | None, run: str) -> dict[str, Any] | None:
    if found is None or found["run"] == run:
        return None
    return {**found, "left": round(found[UNTIL] - seconds_after_boot())}


def _at_work(other: dict[str, Any] | None) -> dict[str, Any] | None:
    return other if other is not None and other["left"] > 0 else None


def _write(stream: IO[str], note: Mapping[str, Any] | None) -> None:
    # In this order, so that one that is killed over it leaves a whole note.
    text = json.dumps(note) + "\n" if note else ""
    stream.seek(0)
    stream.write(text)
    stream.flush()
    stream.truncate(len(text))
