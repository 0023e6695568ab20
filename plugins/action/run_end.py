# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.run_end: what a host applied is recorded beside the inventory and on the host, which is given back to other runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import (
    Moment,
    Record,
    digests,
    known_record,
    seal_of,
    write_record,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_directory, inventory_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, now, operator, partly, told
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.sealed_variables import sealed_variables

# Read when Ansible loads the plugin, before it forks a worker for each host: what a worker reads is lost with it.
SPECS = load_role_specs(Path(__file__).resolve().parents[2] / "roles")


class ActionModule(ActionBase):
    """Leave a host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return C(changed) when something was recorded, and C(msg)."""
        known = task_vars or {}
        result: dict[str, Any] = super().run(tmp, known)
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "begun": {"type": "dict", "default": {}},
                "complete": {"type": "bool", "required": True},
                "directory": {"type": "path"},
            }
        )
        begun: Mapping[str, Any] = options["begun"]
        result["token"] = begun.get("token")
        left_out = partly(known.get("ansible_run_tags") or [], known.get("ansible_skip_tags") or [], context.CLIARGS.get("start_at_task"))
        if not options["complete"] or left_out:
            why = f"only a part was applied ({left_out})" if left_out else "the run did not come to its end"
            answer = self._leave(begun, None, known)
            return {**result, "changed": False, "msg": f"not recorded as applied: {why}", **answer, **_lost(begun, answer)}
        sources = known.get("ansible_inventory_sources") or []
        inventory = inventory_name(sources, Path.cwd()) or str(Path.cwd())
        moment = Moment(now(), RUN.run, operator(known), inventory)
        directory = Path(options["directory"] or applied_directory(sources, Path.cwd()))
        return {**result, **self._record(begun, directory, moment, known)}

    def _leave(self, begun: Mapping[str, Any], record: Mapping[str, Any] | None, known: dict[str, Any]) -> dict[str, Any]:
        """Make the remote call where there is a reason for it."""
        arguments = {**({"run": RUN.run} if begun.get("taken") else {}), **({"record": record} if record else {})}
        if not arguments or self._task.check_mode:
            return {}
        answer: dict[str, Any] = self._execute_module(module_name="xuegao.net.host_leave", module_args=arguments, task_vars=known)
        return {**answer, "taken_by": told(answer.get("taken_by"))}

    def _record(self, begun: Mapping[str, Any], directory: Path, moment: Moment, known: dict[str, Any]) -> dict[str, Any]:
        host = str(known["inventory_hostname"])
        here = known_record(directory, host)
        warnings: list[str] = []
        try:
            seal = seal_of(directory, make=not self._task.check_mode)
        except OSError as error:
            seal = seal_of(directory, make=False)
            warnings.append(_unwritten(host, error))
        wanted = sealed_variables(host, known, lambda value: plain(self._templar.template(value)), SPECS, seal)
        asked = digests(wanted, seal.id)
        kept = begun.get("applied")
        if kept is None:
            kept = {**asdict(digests(here.variables, here.key)), **asdict(here.applied)} if here.applied else {}
        news = not asked.same_as(kept)
        answer = self._leave(begun, {**asdict(asked), **asdict(moment)} if news else None, known)
        if answer.get("failed") or answer.get("unreachable"):
            return answer
        if answer.get("taken_by"):
            return {**answer, "msg": "not recorded as applied: another run has taken the host", **_lost(begun, answer)}
        if not news:
            # What it applies already it applied when it says.
            moment = Moment(**{name: str(kept.get(name)) for name in asdict(moment)})
        record = Record(moment, seal.id, wanted)
        changed = news or record != here
        if self._task.check_mode:
            return {"changed": changed, "msg": "not written: check mode"}
        try:
            if record != here:
                write_record(directory, host, record)
        except OSError as error:
            warnings.append(_unwritten(host, error))
        said = {"changed": changed, "msg": "recorded as applied" if changed else "recorded as applied before"}
        return {**answer, **said, **({"warnings": warnings} if warnings else {})}


def _lost(begun: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the warning that another run has taken the host in the meantime."""
    other = answer.get("taken_by")
    if not other or not begun.get("taken"):
        return {}
    return {
        "warnings": [f"{other.get('by')} has taken this host meanwhile (run {other.get('run')}): two runs worked on it at once. Run again."]
    }


def _unwritten(host: str, error: OSError) -> str:
    return f"{host}: what it applied cannot be recorded beside the inventory, so a plan cannot be compared with it: {error}"
