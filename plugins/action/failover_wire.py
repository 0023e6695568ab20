# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.failover_wire: the controller cuts something between the hosts while module failover_cut measures on one of them."""

from __future__ import annotations

import shlex
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import HostAction, Options, refused
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs

# The measurement has begun by then, and has seen the network whole.
SETTLE_SECONDS = 5
COMMAND_SECONDS = 60


class ActionModule(HostAction):
    """One remote call, for the measurement."""

    OPTIONS: ClassVar[Options] = {
        "cut": {"type": "str", "required": True},
        "restore": {"type": "str", "required": True},
        "chdir": {"type": "path"},
        "measurement": {"type": "dict", "required": True},
    }
    # The commands run on the controller.
    VARIABLES = own_role_specs().options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Measure and cut at the same time; what was cut is restored whatever happens to the measurement."""
        if self.check_mode:
            return {"changed": True}
        measurement = options["measurement"]
        over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            cut = pool.submit(cut_and_restore, options["cut"], options["restore"], options["chdir"], float(measurement["limit"]), over)
            try:
                answer = self.call("failover_cut", measurement, known)
            finally:
                over.set()
        problem = cut.result()
        return refused(problem, **answer) if problem else answer


def cut_and_restore(cut: str, restore: str, directory: str | None, seconds: float, over: threading.Event) -> str:
    """Cut for some seconds, or until the measurement is over; returns what went wrong, or nothing. Nothing is cut where nobody measures any more."""
    if over.wait(SETTLE_SECONDS):
        return ""
    try:
        problem = execute(cut, directory)
        if not problem:
            over.wait(seconds)
    finally:
        restored = execute(restore, directory)
    return problem or restored


def execute(command: str, directory: str | None) -> str:
    """Run a command on the controller; returns why it failed, or nothing."""
    try:
        run = subprocess.run(
            shlex.split(command),
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"the command {command!r} of the cut could not be run: {error}"
    said = (run.stderr or run.stdout).strip() or f"exit status {run.returncode}"
    return "" if run.returncode == 0 else f"the command {command!r} of the cut failed: {said}"
