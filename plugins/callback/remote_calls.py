# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Counts the module calls that went to each host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: remote_calls
type: aggregate
short_description: Number of module calls each host cost
version_added: 0.1.0
description:
  - Prints at the end of a run how many module calls went to each host. Over a slow line that number is the run time.
  - A step that runs on the controller only does not count; a delegated one counts for the host it went to.
author: xuegao.net maintainers (@xuegao)
requirements:
  - "C(callbacks_enabled = xuegao.net.remote_calls) in C(ansible.cfg)"
"""

from collections import Counter
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Ansible's entry point."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "xuegao.net.remote_calls"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._calls: Counter[str] = Counter()

    def _count(self, result: Any) -> None:
        delegated = result._result.get("_ansible_delegated_vars", {}).get("ansible_delegated_host")
        host = delegated or result._host.get_name()
        outcomes = result._result.get("results") or [result._result]
        # Only a module that was sent somewhere reports how it was invoked.
        self._calls[host] += sum(1 for outcome in outcomes if isinstance(outcome, dict) and "invocation" in outcome)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Count a step that went well."""
        self._count(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Count a step that failed: it was sent all the same."""
        self._count(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the numbers."""
        calls = ", ".join(f"{host} {number}" for host, number in sorted(self._calls.items()) if number)
        if calls:
            self._display.display(f"remote module calls: {calls}")
