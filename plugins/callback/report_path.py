# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Says at the end of a run where its report is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_path
type: aggregate
short_description: Where the report of a run is, as its last line
version_added: 0.1.0
description:
  - Prints the path of the report that M(xuegao.net.report) wrote, behind Ansible's recap. Without it the path stands beneath the table of checks only.
author: xuegao.net maintainers (@xuegao)
requirements:
  - "C(callbacks_enabled = xuegao.net.report_path) in C(ansible.cfg); the last of several is the last to print"
"""

from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Ansible's entry point."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "xuegao.net.report_path"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._path = ""

    def _note(self, result: Any) -> None:
        if result._task.action == "xuegao.net.report":
            self._path = result._result.get("paths", {}).get("html", self._path)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Note the report of a run whose checks passed, or which fails later."""
        self._note(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Note the report that failed because a check failed."""
        self._note(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print it."""
        if self._path:
            self._display.display(f"Report: {self._path}")
