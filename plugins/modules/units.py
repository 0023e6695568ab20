#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: systemd's units as they are wanted, whatever happened to them
version_added: 0.1.0
description:
  - Unmasks, enables and starts units, lets systemd read definitions that it has not read, and restarts or reloads a daemon that has read other files
    than those that are there. A run that was killed between a file and what makes it live is made up for by the next.
  - What a daemon has read is compared with what its unit recorded below C(/run/xgn-loaded) when it started or reloaded.
author: xuegao.net maintainers (@xuegao)
options:
  units:
    description: The units, in the order in which they are brought in line.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit.
        type: str
        required: true
      state:
        description: Whether it runs.
        type: str
        choices: [started, stopped]
        required: true
      enabled:
        description: Whether it starts at boot.
        type: bool
        required: true
      restart_on:
        description: Files that the unit records, and that its daemon reads at a start only.
        type: list
        elements: path
        default: []
      reload_on:
        description: Files that the unit records, and that its daemon reads at a reload, too.
        type: list
        elements: path
        default: []
      interrupts:
        description: Interfaces of links over which nothing comes through while the unit is restarted or reloaded.
        type: list
        elements: str
        default: []
  drain_seconds:
    description:
      - FRR sends traffic another way before links are interrupted, and this is how long that may take at most; then how long their sessions may take to come
        back. Needs a session over the link, and is left out where something is drained already. V(0) does not drain.
    type: int
    default: 0
  definitions:
    description: More units whose definition systemd is to have read.
    type: list
    elements: str
    default: []
  changed:
    description: Files that this run has written (in check mode, would write) before.
    type: list
    elements: path
    default: []
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
"""

EXAMPLES = r"""
- name: Run unbound, with the zones that are on disk
  xuegao.net.units:
    units:
      - name: unbound.service
        state: started
        enabled: true
        restart_on: [/etc/systemd/system/unbound.service]
        reload_on: [/etc/unbound/unbound.conf.d/xgn.conf]
    changed: "{{ written.changed_paths }}"
"""

RETURN = r"""
actions:
  description: What was (or would be) done, in words.
  returned: always
  type: list
  elements: str
  sample: ["unbound.service: reload (it has read another /etc/unbound/unbound.conf.d/xgn.conf)"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.loaded import read_otherwise
from ansible_collections.xuegao.net.plugins.module_utils.systemd import RUNNING, Systemd, has_systemd
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK
from ansible_collections.xuegao.net.plugins.module_utils.way_back import unit_note
from ansible_collections.xuegao.net.plugins.module_utils.way_back_program import SERVICES

DEFINITIONS = ("/etc/systemd/", "/run/systemd/")


class Units:
    """What this module asks of the service manager, and does to it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.check = module.check_mode
        self.systemd = Systemd(module.run_command)
        self.change = HostChange(module)
        self.actions: list[str] = []

    def do(self, unit: str, verb: str, why: str = "") -> None:
        """Do something to a unit, or only say so. Raises CommandError."""
        self.actions.append("%s: %s" % (unit, verb) + (" (%s)" % why if why else ""))
        if self.check:
            return
        self.change.about_to(unit_note(unit, SERVICES))
        try:
            self.systemd.do(verb, *(["--quiet"] if verb in ("enable", "disable") else []), unit)
        except CommandError as error:
            raise CommandError([str(error)], self.systemd.journal(unit, 10)) from error

    def settled(self) -> dict[str, dict[str, str]]:
        """The states of the units, once systemd has their definitions as they are; nothing on a host without systemd. Raises CommandError."""
        if not has_systemd(self.module.get_bin_path):
            return {}
        params = self.module.params
        wanted = [unit["name"] for unit in params["units"] if unit["enabled"] or unit["state"] == "started"]
        others = [unit["name"] for unit in params["units"] if unit["name"] not in wanted] + params["definitions"]
        written = any(path.startswith(DEFINITIONS) for path in params["changed"])
        states, done = self.systemd.settled(wanted, written, self.check, others)
        self.actions += done
        return states

    def otherwise(self, unit: dict[str, Any], paths: list[str]) -> list[str]:
        """Those of a unit's files that its daemon has not read. A prediction knows what would be written."""
        found = read_otherwise(unit["name"], paths)
        return [path for path in paths if path in found or (self.check and path in self.module.params["changed"])]

    def interrupted(self, states: dict[str, dict[str, str]]) -> list[str]:
        """Give the links that units which run are about to interrupt, since their daemons have read other files than those that are there."""
        found = set[str]()
        for unit in self.module.params["units"]:
            active = states.get(unit["name"], {}).get("ActiveState") in RUNNING
            if active and unit["interrupts"] and self.otherwise(unit, unit["restart_on"] + unit["reload_on"]):
                found.update(unit["interrupts"])
        return sorted(found)

    def ensure(self, unit: dict[str, Any], state: dict[str, str]) -> None:
        """Bring one unit in line. Raises CommandError."""
        name, active = unit["name"], state.get("ActiveState", "inactive")
        enabled = state.get("UnitFileState") == "enabled"
        if unit["enabled"] != enabled:
            self.do(name, "enable" if unit["enabled"] else "disable")
        if unit["state"] == "stopped" and active in RUNNING:
            self.do(name, "stop")
        if unit["state"] != "started":
            return
        if active not in RUNNING:
            if active == "failed" and not self.check:
                # Or it would be refused as one that failed too often.
                self.systemd.attempt("reset-failed", name)
            self.do(name, "start")
            if self.check:
                return
        other = self.otherwise(unit, unit["restart_on"])
        verb = "restart" if other else "reload"
        other = other or self.otherwise(unit, unit["reload_on"])
        if not other:
            return
        self.do(name, verb, "it has read another %s" % ", ".join(other))
        left = [] if self.check else self.otherwise(unit, other)
        if left:
            self.module.fail_json(
                msg="%s has not recorded that it read %s. Its definition in force is not that of this collection: see `systemctl cat %s`."
                % (name, ", ".join(left), name),
                actions=self.actions,
            )


def main() -> None:
    paths = {"type": "list", "elements": "path", "default": []}
    options = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
        "enabled": {"type": "bool", "required": True},
        "restart_on": paths,
        "reload_on": paths,
        "interrupts": {"type": "list", "elements": "str", "default": []},
    }
    module = host_module(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "required": True, "options": options},
            "definitions": {"type": "list", "elements": "str", "default": []},
            "changed": paths,
            "drain_seconds": {"type": "int", "default": 0},
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    host = Units(module)
    try:
        states = host.settled()
        with frr_drain.drained(module, host.interrupted(states), module.params["drain_seconds"]) as told:
            host.actions += told
            for unit in module.params["units"]:
                # Others may come and go with the one before.
                if host.actions and not module.check_mode:
                    states = host.systemd.properties([unit["name"]], "ActiveState", "UnitFileState")
                host.ensure(unit, states.get(unit["name"], {}))
    except CommandError as error:
        module.fail_json(msg=str(error), actions=host.actions)
    module.exit_json(
        changed=bool(host.actions), actions=host.actions, diff=[{"prepared": "".join(action + "\n" for action in host.actions)}]
    )


if __name__ == "__main__":
    main()
