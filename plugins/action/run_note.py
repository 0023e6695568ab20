# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.run_note: what a run is about to change on a host is noted beside the inventory, since the run may not come to its end there."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import note_later, this_moment
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import refuse_facts_as_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs

VARIABLES = own_role_specs().options


class ActionModule(ActionBase):
    """Note what begins."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a result that is never changed: nothing was changed on the host."""
        known = task_vars or {}
        result: dict[str, Any] = super().run(tmp, known)
        # It writes on the controller.
        refuse_facts_as_variables(known, VARIABLES)
        _checked, options = self.validate_argument_spec(
            argument_spec={"begun": {"type": "dict", "required": True}, "directory": {"type": "path"}}
        )
        host, what = str(known["inventory_hostname"]), str(options["begun"].get("begins") or "")
        result["changed"] = False
        if not what or self._task.check_mode:
            return result
        try:
            note_later(applied_of_run(known, options["directory"]), host, this_moment(known), what, former_name(host, known))
        except (OSError, ValueError) as error:
            result["warnings"] = [f"{host}: that this run changes it cannot be noted beside the inventory: {error}"]
        return result
