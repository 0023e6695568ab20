"""Counts the tasks of a run, and does something at the beginning of one of them: the fault campaign kills a run there, or what it depends on.

XGN_AT_TASK     number of the task, from 1
XGN_AT_COMMAND  what the shell then runs before the task; `kill` kills the run itself, which leaves it no time for anything
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: at_task
type: aggregate
short_description: Does something when a task of a run begins
description:
  - For the tests of this project.
"""
SECONDS = 1200


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible's entry point."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "at_task"

    def __init__(self) -> None:
        super().__init__()
        self._begun = 0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Count a task: no host has been told of it yet."""
        self._begun += 1
        if self._begun != int(os.environ.get("XGN_AT_TASK", "0")):
            return
        command = os.environ["XGN_AT_COMMAND"]
        self._display.display(f"at task {self._begun}, {task.get_name()}: {command}")
        if command == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        done = subprocess.run(
            ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        self._display.display(f"{done.stdout}{done.stderr}at task {self._begun}: exit status {done.returncode}")

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Count a handler as well."""
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Say how many there were."""
        self._display.display(f"tasks begun: {self._begun}")
