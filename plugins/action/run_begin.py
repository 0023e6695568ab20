# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.run_begin: the first remote call of a run, which also takes the host; and the note that the run has begun to change it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from ansible import context
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Moment, digests, known_record, note_later, seal_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_directory, inventory_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, claim, is_over, now, operator, partly, shown, told
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.sealed_variables import sealed_variables

# Read when Ansible loads the plugin, before it forks a worker for each host: what a worker reads is lost with it.
SPECS = load_role_specs(Path(__file__).resolve().parents[2] / "roles")
BEGAN = "began to change it and has not come to its end"
PART = "changed a part of it"


class ActionModule(ActionBase):
    """Take a host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what module host_facts returned, and C(held): why the play has to stop; empty when it may go on."""
        known = task_vars or {}
        result: dict[str, Any] = super().run(tmp, known)
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "commands": {"type": "list", "elements": "str", "default": []},
                "units": {"type": "list", "elements": "str", "default": []},
                "look": {"type": "bool", "default": True},
                "lock": {"type": "bool", "default": True},
                "break_lock": {"type": "bool", "default": False},
                "lock_minutes": {"type": "int", "default": 60},
                "applies": {"type": "str", "choices": ["everything", "part", "nothing"], "default": "everything"},
                "directory": {"type": "path"},
            }
        )
        host = str(known["inventory_hostname"])
        sources = known.get("ansible_inventory_sources") or []
        inventory = inventory_name(sources, Path.cwd()) or str(Path.cwd())
        directory = Path(options["directory"] or applied_directory(sources, Path.cwd()))
        warnings: list[str] = []
        # What run_end gives back, so that a later step knows which beginning it ended.
        result.update(changed=False, taken=False, held="", token=uuid4().hex)
        if options["look"]:
            answer = self._look(options, inventory, known)
            result.update(answer)
            if answer.get("failed") or answer.get("unreachable"):
                return result
            if other := answer["other"]:
                sentence = _who(host, other)
                if answer["taken"]:
                    warnings.append(f"{sentence}. This run has taken it over.")
                elif self._task.check_mode:
                    warnings.append(f"{sentence}. Without --check this run would stop here.")
                else:
                    result["held"] = f"{sentence}. {_remedy(other)}"
        if options["lock"] and options["applies"] != "nothing":
            left_out = partly(
                known.get("ansible_run_tags") or [], known.get("ansible_skip_tags") or [], context.CLIARGS.get("start_at_task")
            )
            what = f"{PART} ({left_out})" if left_out else {"everything": BEGAN, "part": PART}[options["applies"]]
            may_note = not self._task.check_mode and (result["taken"] or not options["look"])
            warnings += self._note(
                host,
                directory,
                known,
                Moment(now(), RUN.run, operator(known), inventory),
                what,
                result.get("applied"),
                may_note,
            )
        if warnings:
            result["warnings"] = warnings
        return result

    def _look(self, options: Mapping[str, Any], inventory: str, known: dict[str, Any]) -> dict[str, Any]:
        """Make the remote call; a second one where the first finds the note of a run of this controller whose process is gone."""
        # Only what applies everything ends with a confirmation.
        confirms = options["applies"] == "everything"
        arguments = {"commands": options["commands"], "units": options["units"], "confirms": confirms}
        if options["lock"]:
            arguments["lock"] = {
                "run": RUN.run,
                "note": claim(known, inventory),
                "seconds": options["lock_minutes"] * 60,
                "by_force": options["break_lock"],
            }
        answer = self._call(arguments, known)
        if is_over(answer["other"]) and not answer["taken"] and not self._task.check_mode:
            arguments["lock"]["instead_of"] = answer["other"]["run"]
            answer = self._call(arguments, known)
        if is_over(answer["other"]):
            # Nobody has to be told: that run's own output said how it ended.
            answer["other"] = {}
        return answer

    def _call(self, arguments: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name="xuegao.net.host_facts", module_args=arguments, task_vars=known)
        return {**answer, "other": told(answer.get("other")), "applied": told(answer.get("applied"))}

    def _note(
        self,
        host: str,
        directory: Path,
        known: dict[str, Any],
        moment: Moment,
        what: str,
        applied: Mapping[str, Any] | None,
        may_note: bool,
    ) -> list[str]:
        """Note beside the inventory that this run may leave the host between two states. Returns what is to be said of it."""
        record = known_record(directory, host)
        try:
            seal = seal_of(directory, make=may_note)
            wanted = sealed_variables(host, known, lambda value: plain(self._templar.template(value)), SPECS, seal)
            asked, recorded = digests(wanted, seal.id), digests(record.variables, record.key)
            here = {"variables": recorded.variables, "secrets": recorded.secrets, "key": recorded.key} if record.applied else {}
            if asked.same_as(here if applied is None else applied):
                return []
            if may_note:
                note_later(directory, host, moment, what)
        except OSError as error:
            return [f"{host}: that this run changes it cannot be noted beside the inventory: {error}"]
        if record.applied and applied and applied.get("at") and not recorded.same_as(applied):
            last = f"{applied.get('by')} applied something else there at {shown(str(applied['at']))} (run {applied.get('run')})"
            verb = "would replace" if self._task.check_mode else "replaces"
            return [f"{host}: {last}, which is not recorded beside this inventory. This run {verb} it."]
        return []


def _who(host: str, other: Mapping[str, Any]) -> str:
    since = shown(str(other.get("since")))
    return f"{host} is taken: {other.get('by')} has worked there since {since} (run {other.get('run')}, inventory {other.get('inventory')})"


def _remedy(other: Mapping[str, Any]) -> str:
    left = other.get("left")
    minutes = max(round(left / 60), 1) if isinstance(left, int) else 1
    return (
        "This run stops, and has changed nothing there. Remedy: wait for the end of that run. If it is dead, its note expires in "
        f"{minutes} {'minute' if minutes == 1 else 'minutes'}; to take the host over now: --extra-vars xgn_break_lock=true"
    )
