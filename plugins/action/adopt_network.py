# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.adopt_network: the beginning of an intent from what several hosts are. Nothing is a remote call."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.action.adopt import directory_of, written
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.network import Router, contradictions, describe_network
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.yaml_text import yaml_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs

HEADING = "The beginning of an intent, as xuegao.net.adopt found it: what hosts are, and not what the network is to be. Read it and go on writing."
FILE = "intent.yml"


class ActionModule(ControllerAction):
    """Describe the network of the hosts at hand."""

    OPTIONS: ClassVar[Options] = {"routers": {"type": "dict", "required": True}, "directory": {"type": "path"}}
    # It writes on the controller.
    VARIABLES = own_role_specs().options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return the intent, and what the plan says of it."""
        routers = {str(host): Router(**router) for host, router in plain(options["routers"]).items()}
        intent, mistakes = describe_network(routers), contradictions(routers)
        try:
            make_plan(intent)
        except IntentError as error:
            mistakes += [str(problem) for problem in error.problems]
        path = directory_of(options["directory"], known) / FILE
        changed, where = written(path, yaml_text(intent, HEADING), write=not self.check_mode)
        counts = f"{len(intent.get('xgn_nodes', {}))} nodes, {len(intent.get('xgn_links', []))} links"
        return {"changed": changed, "msg": f"{counts}; {where}", "path": str(path), "intent": intent, "mistakes": mistakes}
