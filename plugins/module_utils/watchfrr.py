# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Processes that watchfrr has started and not noticed the end of.

watchfrr takes in one ended process for each SIGCHLD, and of two that end at once Linux delivers one signal (signal(7): standard signals do not queue). From
then on it is one behind: it takes a daemon's restart for unfinished, so that it never starts that daemon again, and who asks it to write the configuration,
as frr-reload.py does at its end, waits for ever. One more signal and it catches up.
"""

from __future__ import annotations

import os
import signal

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

PID_FILE = "/run/frr/watchfrr.pid"
PROC = "/proc"
# A process that has just ended is taken in within this time.
NOTICE_SECONDS = 2.0
POLL_SECONDS = 0.2


def unnoticed() -> list[int]:
    """Give the process ids of watchfrr's children that have ended and stay; none while watchfrr does not run."""
    watchfrr = read_text(PID_FILE).strip()
    if not watchfrr.isdigit():
        return []
    seen = set(_ended(watchfrr))
    if not seen:
        return []
    return sorted(wait_until(lambda: seen.intersection(_ended(watchfrr)), lambda left: not left, NOTICE_SECONDS, POLL_SECONDS))


def catch_up() -> list[int]:
    """Let watchfrr take in what has ended; returns what it had not noticed. Raises ValueError when it goes on not noticing."""
    found = unnoticed()
    for _child in found:
        os.kill(int(read_text(PID_FILE)), signal.SIGCHLD)
        left = unnoticed()
        if not left:
            return found
    if found:
        raise ValueError("watchfrr does not notice that processes of its own have ended: %s" % ", ".join(map(str, found)))
    return found


def fields_of(process: str) -> list[str]:
    """The fields of a process from its state on, none where there is no such process; proc_pid_stat(5). Raises ProcessLookupError when it goes meanwhile."""
    # They follow the name, which is in parentheses and may hold anything.
    return read_text(os.path.join(PROC, process, "stat")).rpartition(")")[2].split()


def _ended(parent: str) -> list[int]:
    """Children of a process that have ended and were not waited for; proc_pid_stat(5)."""
    found = []
    for name in filter(str.isdigit, os.listdir(PROC)):
        try:
            words = fields_of(name)
        except ProcessLookupError:
            # It has gone since.
            continue
        if words[:2] == ["Z", parent]:
            found.append(int(name))
    return found
