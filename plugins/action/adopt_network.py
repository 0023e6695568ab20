# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.adopt_network: the beginning of an intent from what several hosts are. Nothing is a remote call."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.action.adopt import directory_of, written
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.network import Router, contradictions, describe_network
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import refuse_facts_as_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.yaml_text import yaml_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs

HEADING = "The beginning of an intent, as xuegao.net.adopt found it: what hosts are, and not what the network is to be. Read it and go on writing."
FILE = "intent.yml"
VARIABLES = own_role_specs().options


class ActionModule(ActionBase):
    """Describe the network of the hosts at hand."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: the intent, and what the plan says of it."""
        known = task_vars or {}
        result: dict[str, Any] = super().run(tmp, known)
        # It writes on the controller.
        refuse_facts_as_variables(known, VARIABLES)
        _checked, options = self.validate_argument_spec(
            argument_spec={"routers": {"type": "dict", "required": True}, "directory": {"type": "path"}}
        )
        routers = {str(host): Router(**router) for host, router in plain(options["routers"]).items()}
        intent, mistakes = describe_network(routers), contradictions(routers)
        try:
            make_plan(intent)
        except IntentError as error:
            mistakes += [str(problem) for problem in error.problems]
        path = directory_of(options["directory"], known) / FILE
        changed, where = written(path, yaml_text(intent, HEADING), write=not self._task.check_mode)
        counts = f"{len(intent.get('xgn_nodes', {}))} nodes, {len(intent.get('xgn_links', []))} links"
        result.update(changed=changed, msg=f"{counts}; {where}", path=str(path), intent=intent, mistakes=mistakes)
        return result
