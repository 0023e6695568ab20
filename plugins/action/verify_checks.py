# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.verify_checks: one remote call for the live state of a host, then the comparison on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import (
    WRONG_FORM,
    HostAction,
    Options,
    another_form,
    host_name,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import HostAnswerError, refuse_facts_as_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import in_use, read_accepted
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import COMPARED
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import drawn_without_result, host_summary
from ansible_collections.xuegao.net.plugins.plugin_utils.report.form import refuse_cuts, refuse_summary
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.failover_test import FACT as FAILOVER_FACT
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.failover_test import failover_checks
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import (
    gather_arguments,
    host_checks,
    redact,
    retired,
    unreachable,
)

SPECS = own_role_specs()
# Of preflight: whether NetworkManager may run.
COMPARED_OPTIONS = SPECS.options_of(*(role.name for role in COMPARED), "preflight", "verify")
FACT = "xgn_verify"


class ActionModule(HostAction):
    """Leaves the checks of a host in fact C(xgn_verify); never fails because of the host, so that the report is complete."""

    OPTIONS: ClassVar[Options] = {
        "key_registry": {"type": "path", "required": True},
        "openvpn_key_registry": {"type": "path"},
        "error": {"type": "str"},
        "retired": {"type": "str"},
    }
    # Facts that are refused become a failed check.
    VARIABLES = None

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Gather, compare, and return the checks as a fact."""
        host = host_name(known)
        groups = [str(name) for name in known.get("group_names", [])]
        if options["error"]:
            # Wrong variables: nothing can be compared, and the report has to say so.
            checks, summary = unreachable(host, options["error"]), host_summary(host, groups, drawn_without_result(known), {})
            return self._answer([check.as_dict() for check in checks], host, summary)
        if options["retired"] is not None:
            checks, summary = [retired(host, options["retired"])], host_summary(host, groups, HostVariables(), {})
            return self._answer([check.as_dict() for check in checks], host, summary)
        given = {name: value for name, value in self.templated(COMPARED_OPTIONS, known).items() if value is not None}
        # The roles' own task has checked them.
        variables = cast(HostVariables, with_defaults(given, COMPARED_OPTIONS))
        peers = [peer["name"] for item in variables.get("wireguard_interfaces", []) for peer in item.get("peers", [])]
        accepted = self._registry(options["key_registry"], "wireguard", [host, *peers], known)
        registry = {name: in_use(keys) for name, keys in accepted.items()}
        others = [item["peer"] for item in variables.get("openvpn_tunnels", [])]
        fingerprints = self._registry(options["openvpn_key_registry"], "openvpn", [host, *others], known)
        state, problem = self.live_state(gather_arguments(variables), known, "not reachable", "the live state could not be read")
        cuts = plain(known.get(FAILOVER_FACT) or [])
        checks = []
        try:
            refuse_facts_as_variables(known, SPECS.options)
            refuse_cuts(host, cuts)
            checks = [] if problem else host_checks(host, variables, state, registry, fingerprints)
            summary = host_summary(host, groups, variables, state, registry, cuts)
            refuse_summary(host, summary)
        except HostAnswerError as error:
            problem = error.message
        except WRONG_FORM as error:
            # The other reports go on.
            problem = another_form(host, error)
        if problem:
            checks, cuts = unreachable(host, problem), []
            summary = host_summary(host, groups, variables, {}, registry)
        checks = redact(checks, secrets_of(variables, COMPARED_OPTIONS)) + failover_checks(host, cuts)
        return self._answer([check.as_dict() for check in checks], host, summary)

    @staticmethod
    def _registry(directory: str | None, kind: str, names: list[str], task_vars: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
        """Read the public keys of some hosts; a file that cannot be read is as good as none."""
        if directory is None:
            return {}
        path = Path(directory).expanduser()
        registry: dict[str, dict[str, list[str]]] = {}
        for name in dict.fromkeys(names):
            try:
                registry[name] = read_accepted(path, name, kind, former_name(name, task_vars))
            except (OSError, ValueError):
                registry[name] = {}
        return registry

    @staticmethod
    def _answer(checks: list[dict[str, str]], host: str, summary: dict[str, Any]) -> dict[str, Any]:
        failed = sum(check["status"] == "failed" for check in checks)
        return {
            "msg": f"{len(checks)} checks, {failed} failed",
            "ansible_facts": {FACT: {"host": host, "checks": checks, "summary": summary}},
        }


def secrets_of(variables: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of all secrets in the variables, by value: options with C(no_log) at any depth."""
    found: dict[str, str] = {}
    for name, spec in options.items():
        value = variables.get(name)
        if spec.get("no_log") is True and isinstance(value, str):
            found[value] = name
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and spec.get("options"):
                found.update(secrets_of(item, spec["options"]))
    return found
