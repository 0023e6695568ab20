# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather whether FRR's processes are those that are installed, and whether watchfrr knows which of them live."""

from __future__ import annotations

import glob
import os
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import watchfrr
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import part

PID_FILES = "/run/frr/*.pid"
UNIT_FILE = "/etc/systemd/system/frr.service"
# What the kernel writes behind the name of a program whose file is another one by now: proc_pid_exe(5).
REPLACED = " (deleted)"


def gather_frr_processes() -> dict[str, Any]:
    """Give part ``frr_processes``.

    Its data: ``daemons``, by name, each with whether its program was ``replaced`` since it started, and whether it is ``older`` than the unit's file;
    ``unnoticed``, process ids that watchfrr takes for living.
    """
    booted = _boot_time(read_text(os.path.join(watchfrr.PROC, "stat")))
    daemons = {}
    for path in sorted(glob.glob(PID_FILES)):
        process = read_text(path).strip() or "none"
        try:
            program = os.readlink(os.path.join(watchfrr.PROC, process, "exe"))
            started = booted + _start(watchfrr.fields_of(process))
        except (OSError, IndexError):
            # It has ended; whoever looks for its sessions misses it.
            continue
        older = os.path.exists(UNIT_FILE) and started < os.stat(UNIT_FILE).st_mtime
        daemons[os.path.basename(path)[: -len(".pid")]] = {"replaced": program.endswith(REPLACED), "older": older}
    return part("ls -l /proc/[0-9]*/exe", data={"daemons": daemons, "unnoticed": watchfrr.unnoticed()})


def _boot_time(text: str) -> int:
    """Give the boot in seconds since 1970, by today's clock: proc_stat(5)."""
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("btime ")), 0)


def _start(fields: list[str]) -> float:
    """Give when a process started, in seconds since the boot: field 22, of those that begin with the third. Raises IndexError when there is no such process."""
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
