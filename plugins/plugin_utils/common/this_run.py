# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""This run of Ansible: what names it to people and to other runs, and whether another run is still under way.

Import it where Ansible loads an action plugin, which it does before it forks a worker for each host: then all workers have the same `RUN`.
"""

from __future__ import annotations

import getpass
import os
import platform
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import name_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import one_line
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES

TIME = "%Y-%m-%dT%H:%M:%SZ"
"""How times are written down: UTC, to the second."""
# States of a process that has ended and that its parent has not heard of yet: it is still listed.
_ENDED = ("Z", "X")
# Tags of tasks beside the names of roles, and those that have a meaning for Ansible. What else a run skips are tasks of somebody else's, such as those
# that molecule never runs.
_TAGS = frozenset(("all", "always", "tagged", "untagged", "configure", "install", "ssh", "validate"))
# Characters of a text that a host says.
_LONGEST = 200


@dataclass(frozen=True)
class Run:
    """A run of Ansible.

    Attributes:
        run: its name; no two runs share one.
        user: login name of who started it.
        controller: host name of where it runs.
        since: when it began, as `TIME`.
        place: kernel and process namespace it runs in, in which ``pid`` means something; empty where that cannot be told.
        pid, ticks: number of its main process, and when that began (clock ticks after the boot); 0 where that cannot be told.
    """

    run: str
    user: str
    controller: str
    since: str
    place: str
    pid: int
    ticks: int


def now() -> str:
    """Return the time, as `TIME`."""
    return datetime.now(UTC).strftime(TIME)


def shown(time: str) -> str:
    """Return a time that is written as `TIME` for people; what is no such time stays as it is."""
    try:
        return datetime.strptime(time, TIME).replace(tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return time


def began(pid: int) -> int:
    """Return when a process began, in clock ticks after the boot: no two processes of one number share it. 0 when it has ended, or that cannot be told."""
    found = _process(pid)
    return 0 if found is None or found[0] in _ENDED else found[1]


def _process(pid: int) -> tuple[str, int] | None:
    """Return the state of a process and when it began; None where that cannot be read: no such process, no /proc, or one that hides those of others."""
    try:
        # The name of the program, in parentheses, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def _place() -> str:
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _user() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        # A container whose user has no name.
        return f"uid {os.getuid()}"


def _this_run() -> Run:
    since, pid, controller = now(), os.getpid(), platform.node().partition(".")[0]
    # Two containers of one image may start a process of one number in one second.
    name = f"{since.replace('-', '').replace(':', '')}-{pid}-{controller}-{secrets.token_hex(3)}"
    return Run(name, _user(), controller, since, _place(), pid, began(pid))


RUN = _this_run()


def operator(variables: Mapping[str, Any]) -> str:
    """Return who runs this, for people: ``alice@controller``, or the AWX user and job.

    Parameters:
        variables: of any host of the run; AWX puts user and job there.
    """
    for prefix in ("awx", "tower"):
        if job := variables.get(f"{prefix}_job_id"):
            return f"{variables.get(f'{prefix}_user_name') or RUN.user} (AWX job {job})"
    return f"{RUN.user}@{RUN.controller}"


def shown_inventory(variables: Mapping[str, Any]) -> str:
    """Return the inventory of this run, for people: by its name, or by the working directory where it has none. variables: of any host of the run."""
    return name_of_run(variables) or str(Path.cwd())


def claim(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what another run is to know of this one. variables: of any host of the run."""
    process = {"place": RUN.place, "pid": RUN.pid, "ticks": RUN.ticks}
    return {"run": RUN.run, "by": operator(variables), "since": RUN.since, "inventory": shown_inventory(variables), **process}


def told(answer: object) -> dict[str, Any]:
    """Return what a host says of a run, as short and printable values: a host may have been broken into, and people and other programs read it."""
    if not isinstance(answer, Mapping):
        return {}
    return {str(name): _plain(value) for name, value in answer.items() if isinstance(value, (str, int))}


def _plain(value: str | int) -> str | int:
    if isinstance(value, int):
        return value
    return one_line(value[:_LONGEST])


def is_over(other: Mapping[str, Any]) -> bool:
    """Tell whether another run, by what its `claim` says, ran beside this one and its process is gone. False wherever that cannot be told."""
    pid, ticks = other.get("pid"), other.get("ticks")
    if not RUN.place or other.get("place") != RUN.place or not isinstance(pid, int) or not isinstance(ticks, int) or not ticks or pid <= 0:
        return False
    try:
        # Also answers for a process that /proc hides.
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        # Another user's, whom this one may not signal.
        pass
    found = _process(pid)
    return found is not None and (found[0] in _ENDED or found[1] != ticks)


def partly(variables: Mapping[str, Any], start_at: str | None) -> str:
    """Return the options by which a run leaves something of this collection out; empty when it does everything.

    Parameters:
        variables: of any host of the run; Ansible puts its tags there.
        start_at: the task that it starts at.
    """
    run_tags, skip_tags = (variables.get(f"ansible_{kind}_tags") or [] for kind in ("run", "skip"))
    found = [] if "all" in run_tags or not run_tags else [f"--tags {','.join(run_tags)}"]
    skipped = [tag for tag in skip_tags if tag in _TAGS or tag in ROLES]
    found += [f"--skip-tags {','.join(skipped)}"] if skipped else []
    found += [f"--start-at-task '{start_at}'"] if start_at else []
    return " ".join(found)
