# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.run_note: what a run is about to change on a host is noted beside the inventory, since the run may not come to its end there."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import note_later, this_moment
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, host_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs


class ActionModule(ControllerAction):
    """Note what begins."""

    OPTIONS: ClassVar[Options] = {"begun": {"type": "dict", "required": True}, "directory": {"type": "path"}}
    # It writes on the controller.
    VARIABLES = own_role_specs().options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return a result that is never changed: nothing was changed on the host."""
        host, what = host_name(known), str(options["begun"].get("begins") or "")
        if not what or self.check_mode:
            return {}
        try:
            note_later(applied_of_run(known, options["directory"]), host, this_moment(known), what, former_name(host, known))
        except (OSError, ValueError) as error:
            return {"warnings": [f"{host}: that this run changes it cannot be noted beside the inventory: {error}"]}
        return {}
