# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.host_facts: the module of this name, and of its answer what has the form of facts."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import checked_facts, with_clock_offset


class ActionModule(ActionBase):
    """Look at a host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returned, with checked facts."""
        known = task_vars or {}
        result: dict[str, Any] = super().run(tmp, known)
        asked = time.time()
        answer = self._execute_module(module_name="xuegao.net.host_facts", module_args=self._task.args, task_vars=known)
        facts = with_clock_offset(checked_facts(str(known["inventory_hostname"]), answer.get("ansible_facts")), asked, time.time())
        return {**result, **answer, **({"ansible_facts": facts} if "ansible_facts" in answer else {})}
