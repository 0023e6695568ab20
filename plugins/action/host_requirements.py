# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.host_requirements: judge on the controller whether a host brings what its variables ask for."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import refuse_facts_as_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import ASKED, archive_problems, host_requirements
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.others_filters import filter_warnings
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.outer_paths import path_warnings


class ActionModule(ActionBase):
    """Judge the host at hand."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: failed when a requirement is not met."""
        known = task_vars or {}
        result: dict[str, Any] = super().run(tmp, known)
        refuse_facts_as_variables(known, ASKED)
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "host": {"type": "dict", "required": True},
                "candidates": {"type": "dict", "default": {}},
                "archives_error": {"type": "str", "default": ""},
            }
        )
        given = {name: plain(self._templar.template(known[name])) for name in sorted(ASKED) if name in known}
        unmet = host_requirements(options["host"], given)
        unmet += archive_problems(options["candidates"], options["archives_error"])
        result.update(changed=False, msg="Kernel and tools are as the variables ask for.")
        # Nothing is refused for it: a rule is read only as far as it can be judged from here, and a network may live with fragments.
        warnings = [*filter_warnings(options["host"], given), *path_warnings(options["host"], given)]
        if warnings:
            result["warnings"] = [f"{known['inventory_hostname']}: {sentence}" for sentence in warnings]
        if unmet:
            begin = f"{known['inventory_hostname']} does not meet {len(unmet)} requirement(s). Nothing was changed on it."
            result.update(failed=True, msg="".join(f"{line}\n" for line in (begin, *(f"- {sentence}" for sentence in unmet))))
        return result
