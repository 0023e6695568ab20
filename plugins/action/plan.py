# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.plan: compute the whole plan once, on the controller, and write it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import MissingLibraryError
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import read_keys
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, counted, sentences
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.inventory_hosts import unmatched
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.named_variables import named_variables, undefined
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures, intent_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.changes import plan_changes
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, Plan, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import secret
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import previous_hosts, write_drawing, write_plan

FAILURES = Failures(AnsibleError, AnsibleUndefinedVariable)


class ActionModule(ActionBase):
    """Plan the network."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: failed with the report when the intent has mistakes."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "directory": {"type": "path", "default": "build/plan"},
                "rendered": {"type": "bool", "default": True},
                "vyos": {"type": "bool", "default": True},
                "drawing": {"type": "bool", "default": True},
                "key_registry": {"type": "path"},
                "needs_secrets": {"type": "bool", "default": False},
            }
        )
        variables = task_vars or {}
        result["changed"] = False
        try:
            intent, unread = intent_of(variables, self._templar.template, FAILURES)
            plan = make_plan(intent, unread)
        except IntentError as error:
            # Who uses them cannot be known without a plan.
            needed, others = _undefined_names(intent, {}, variables)
            return {**result, **_refused(error.problems), "warnings": sentences([*needed, *others])}
        except MissingLibraryError as error:
            return {**result, "failed": True, "msg": str(error)}
        needed, others = _undefined_names(intent, plan.hosts, variables)
        if needed and options["needs_secrets"]:
            return {**result, **_refused(needed)}
        known = variables.get("hostvars")
        warnings = sentences([*needed, *others, *(unmatched(plan.hosts, known, variables) if known else ())])
        directory = Path(options["directory"]).absolute()
        changes = plan_changes(previous_hosts(directory), {**plan.hosts, **plan.peers})
        result["changes"] = changes
        if self._task.diff:
            result["diff"] = {"prepared": _in_words(changes)}
        if self._task.check_mode:
            result["changed"] = bool(changes)
        else:
            keys = self._public_keys(options["key_registry"], plan, variables)
            try:
                written = write_plan(plan, directory, keys, rendered=options["rendered"], vyos=options["vyos"])
                reason = write_drawing(plan, directory) if options["drawing"] else ""
            except OSError as error:
                raise AnsibleError(f"cannot write the plan to {directory}: {error.strerror or error}") from None
            result["changed"] = bool(written)
            if reason:
                warnings.append(f"no drawing: {reason}")
        if warnings:
            result["warnings"] = warnings
        result.update(directory=str(directory), hosts=list(plan.hosts), peers=list(plan.peers), tcp_mss=plan.tcp_mss)
        result["msg"] = f"{len(plan.hosts)} hosts, {len(plan.intent.links)} links; written to {directory}"
        return result

    def _public_keys(self, registry: str | None, plan: Plan, variables: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Return the public keys the hosts told so far, for the other side's configuration."""
        beside = Path(str(variables.get("inventory_dir") or ".")) / "wireguard_keys"
        path = Path(registry) if registry else beside
        if not path.is_dir():
            return {}
        try:
            return {host: read_keys(path, host) for host in plan.hosts}
        except ValueError as error:
            raise AnsibleError(str(error)) from None


def _refused(problems: Sequence[Problem]) -> dict[str, Any]:
    """Return what the task answers: the mistakes stand in ``problems`` alone, so that they are printed once."""
    lines = sentences(problems)
    return {"failed": True, "msg": counted(len(lines), "the intent"), "problems": [f"{line}\n" for line in lines]}


def _undefined_names(
    intent: Mapping[str, Any], planned: Mapping[str, Any], variables: Mapping[str, Any]
) -> tuple[list[Problem], list[Problem]]:
    """Return the problem of each variable that the intent names and no host of this run has; one that only some have is judged on each host.

    Those that a host of this run uses come first; the others, of hosts that a slice of the inventory lacks or that nobody manages, are second.
    """
    missing = [(path, name) for path, name in named_variables(intent) if name not in variables]
    if not missing:
        return [], []
    known = variables.get("hostvars") or {}
    hosts = [host for host in planned or known if host in known]
    elsewhere = {str(name) for host in hosts for name in known[host]}
    used = json.dumps([planned[host] for host in hosts if host in planned])
    found: tuple[list[Problem], list[Problem]] = [], []
    for path, name in missing:
        if name not in elsewhere:
            found[secret(name) not in used].append(undefined(path, name, {*variables, *elsewhere}))
    return found


def _in_words(changes: dict[str, list[str]]) -> str:
    lines = [f"{host}: {sentence}" for host, sentences in changes.items() for sentence in sentences]
    return "\n".join([*(lines or ["The plan is the same as before."]), ""])
