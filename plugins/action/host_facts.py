# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.host_facts: the module of this name, and of its answer what has the form of facts."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import HostAction


class ActionModule(HostAction):
    """Look at a host."""

    OPTIONS = None
    # It reads nothing but its own arguments.
    VARIABLES = None

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return what the module returned, with checked facts."""
        return self.look_at_host(options, known)
