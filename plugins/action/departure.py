# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.departure: what is kept beside the inventory of hosts that leave the network, or have left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import (
    Moment,
    Record,
    forget,
    known_record,
    recorded_hosts,
    this_moment,
    write_record,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, refused
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import forget_keys, registry_file
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.departures import identity
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs


class ActionModule(ControllerAction):
    """Note that hosts are left as they are, or strike out what is noted of them."""

    OPTIONS: ClassVar[Options] = {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["left", "cleaned", "gone"], "required": True},
        "directory": {"type": "path"},
        "key_registries": {"type": "list", "elements": "path", "default": []},
    }
    # It writes on the controller.
    VARIABLES = own_role_specs().options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return C(changed) when something was noted or struck out, and C(msg)."""
        hosts, state = list(dict.fromkeys(options["hosts"])), options["state"]
        directory = applied_of_run(known, options["directory"])
        if state == "gone" and (refusal := _refusal(hosts, directory, known)):
            return refused(refusal)
        moment = this_moment(known)
        try:
            if state == "left":
                done = [host for host in hosts if self._leave(directory, host, moment)]
            else:
                registries = [Path(path) for path in options["key_registries"]]
                done = [host for host in hosts if self._strike_out(directory, host, registries)]
        except OSError as error:
            return refused(f"what is kept of {', '.join(hosts)} beside the inventory cannot be changed: {error}")
        words = {"left": "left as it is", "cleaned": "cleaned", "gone": "gone for good"}[state]
        return {"changed": bool(done), "msg": f"{', '.join(hosts) or 'no host'}: noted as {words}" if done else "nothing to note"}

    def _leave(self, directory: Path, host: str, moment: Moment) -> bool:
        """Note since when the network goes on without a host; the first time counts. Returns whether that is new."""
        record = known_record(directory, host)
        if record.left is not None:
            return False
        if not self.check_mode:
            write_record(directory, host, replace(record, left=moment))
        return True

    def _strike_out(self, directory: Path, host: str, registries: list[Path]) -> bool:
        """Remove what is kept of a host, and of the routers in containers that it ran. Returns whether there was something."""
        names = [host, *(name for name in recorded_hosts(directory) if identity(known_record(directory, name)).get("runs_on") == host)]
        there = any(known_record(directory, name) != Record() for name in names)
        there = there or any(registry_file(registry, name).exists() for registry in registries for name in names)
        for name in [] if self.check_mode else names:
            forget(directory, name)
            for registry in registries:
                forget_keys(registry, name)
        return there


def _refusal(hosts: list[str], directory: Path, known: Mapping[str, Any]) -> str:
    """Return why somebody cannot say that these hosts are gone; empty when that is possible."""
    nodes = known.get("xgn_nodes")
    nodes = nodes if isinstance(nodes, Mapping) else {}
    still = [host for host in hosts if host in nodes and not (isinstance(nodes[host], Mapping) and nodes[host].get("retired"))]
    if still:
        return f"xgn_gone: {', '.join(still)} belongs to the network. Remedy: write retired: true to its entry in xgn_nodes first. Nothing was changed."
    recorded = [name for name in recorded_hosts(directory) if name not in nodes or name in hosts]
    unknown = [host for host in hosts if known_record(directory, host) == Record()]
    if unknown:
        others = f"Recorded of hosts that are no nodes: {', '.join(recorded) or 'none'}."
        return f"xgn_gone: nothing is recorded of {', '.join(unknown)}. {others} Nothing was changed."
    return ""
