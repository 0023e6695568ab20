# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.host_requirements: judge on the controller whether a host brings what its variables ask for."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.module_utils import owners
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, host_name, refused
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import (
    ASKED,
    archive_problems,
    asked_of,
    host_requirements,
    owners_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.others_filters import filter_warnings
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.outer_paths import path_warnings


class ActionModule(ControllerAction):
    """Judge the host at hand."""

    OPTIONS: ClassVar[Options] = {
        "host": {"type": "dict", "required": True},
        "candidates": {"type": "dict", "default": {}},
        "archives_error": {"type": "str", "default": ""},
        "owners_of": {"type": "str", "choices": list(owners.ROLES)},
    }
    VARIABLES = ASKED

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Fail when a requirement is not met."""
        host, role = host_name(known), options["owners_of"]
        # Of the other roles' variables some may be of use to nobody here, and cannot be read.
        given = self.templated(sorted(asked_of(role) if role else ASKED), known)
        if role:
            unmet = owners_problems(options["host"], given, [role])
            if unmet:
                return refused(f"{host} has what role {role} would rewrite. Nothing was changed on it.", unmet)
            return {"msg": f"Nothing there is somebody else's that role {role} would rewrite."}
        unmet = host_requirements(options["host"], given)
        unmet += archive_problems(options["candidates"], options["archives_error"])
        # Nothing is refused for it: a rule is read only as far as it can be judged from here, and a network may live with fragments.
        told = [*filter_warnings(options["host"], given), *path_warnings(options["host"], given)]
        warnings = [f"{host}: {sentence}" for sentence in told]
        if unmet:
            return refused(f"{host} does not meet {len(unmet)} requirement(s). Nothing was changed on it.", unmet, warnings=warnings)
        return {"msg": "Kernel and tools are as the variables ask for.", "warnings": warnings}
