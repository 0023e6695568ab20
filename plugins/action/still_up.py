# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.still_up: what of a host's planned state is up, and whether what was up before still is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, cast

from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import (
    WRONG_FORM,
    HostAction,
    Options,
    another_form,
    refused,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import COMPARED
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Check

SPECS = own_role_specs()
COMPARED_OPTIONS = SPECS.options_of(*(role.name for role in COMPARED), "verify")
# Nothing that others could take away; what is not read counts as not up, before and after.
NOT_READ: dict[str, Any] = {
    "sysctls": [],
    "units": [],
    "verify_units": [],
    "wireguard_files": [],
    "docker": None,
    "frr_config": False,
    "gobgp": False,
    "filter": "",
    "anycast": False,
    "listening": False,
    "boot_plot": False,
    "wait": 0,
    "expect": {},
}
# Of a hub with a thousand spokes. They are sent a few at a time, and each that is not answered takes seconds.
PINGS = 64
# It passes with the time, whatever happens; a tunnel that is down takes its session with it.
AGING = " handshake"
# Between two calls, while something lacks.
PAUSE_S = 2.0


class ActionModule(HostAction):
    """One remote call, more of them only while something that was up is not."""

    OPTIONS: ClassVar[Options] = {
        "host": {"type": "str", "required": True},
        "directory": {"type": "path", "required": True},
        "before": {"type": "list", "elements": "str"},
        "seconds": {"type": "int", "default": 60},
    }
    VARIABLES = SPECS.options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return C(up) and C(reached); with C(before), fail and return C(lost) when some of it is not up in the end."""
        host, before = options["host"], options["before"]
        try:
            written = read_yaml((Path(options["directory"]) / host / "variables.yml").read_text(encoding="utf-8")) or {}
        except FileNotFoundError:
            # It has variables of its own, and no plan says what of them others see.
            written = {}
        variables = cast(
            HostVariables, with_defaults({name: value for name, value in written.items() if name in COMPARED_OPTIONS}, COMPARED_OPTIONS)
        )
        if before is None:
            checks, problem = self._look(host, variables, known)
            return {"reached": not problem, "msg": problem, "up": sorted(passed(checks))}
        wanted = set(before)

        def lost() -> list[str]:
            checks, problem = self._look(host, variables, known)
            if problem:
                return [problem]
            details = {check.name: check.detail for check in checks}
            return [f"{name}: {details.get(name, 'not found')}" for name in sorted(wanted - passed(checks))]

        missing = wait_until(lost, lambda found: not found, options["seconds"], PAUSE_S)
        if missing:
            return refused(f"On {host} this was up before the batch, and is not {options['seconds']} s after it:", missing, lost=missing)
        return {}

    def _look(self, host: str, variables: HostVariables, known: dict[str, Any]) -> tuple[list[Check], str]:
        """Make the remote call; returns the checks, or none and why it could not be made."""
        asked = {**gather_arguments(variables), **NOT_READ}
        # Whether a packet is too large says nothing of what is up.
        asked["pings"] = [ping for ping in asked["pings"] if not ping["id"].startswith("over ")][:PINGS]
        state, problem = self.live_state(asked, known, f"{host} cannot be reached", f"the live state of {host} cannot be read")
        if problem:
            return [], problem
        try:
            return host_checks(host, variables, state), ""
        except WRONG_FORM as error:
            return [], another_form(host, error)


def passed(checks: list[Check]) -> set[str]:
    """Return the names of the checks that passed and do not fail by themselves later."""
    return {check.name for check in checks if check.status == "passed" and not check.name.endswith(AGING)}
