# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.run_begin: the first remote call of a run, which also takes the host; and whether the run has something to change there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from ansible import context
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Digests, Record, digests, read_record, seal_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import HostAction, Options, host_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_values import HostValues
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, claim, is_over, partly, shown, told
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.sealed_variables import sealed_variables

SPECS = own_role_specs()
BEGAN = "began to change it and has not come to its end"
PART = "changed a part of it"


class ActionModule(HostAction):
    """Take a host."""

    OPTIONS: ClassVar[Options] = {
        "commands": {"type": "list", "elements": "str", "default": []},
        "units": {"type": "list", "elements": "str", "default": []},
        "look": {"type": "bool", "default": True},
        "lock": {"type": "bool", "default": True},
        "break_lock": {"type": "bool", "default": False},
        "lock_minutes": {"type": "int", "default": 15},
        "applies": {"type": "str", "choices": ["everything", "part", "nothing"], "default": "everything"},
        "directory": {"type": "path"},
    }
    VARIABLES = SPECS.options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return what module host_facts returned, and C(held): why the play has to stop; empty when it may go on."""
        host = host_name(known)
        directory = applied_of_run(known, options["directory"])
        # What run_end gives back, so that a later step knows which beginning it ended.
        result: dict[str, Any] = {"taken": False, "held": "", "begins": "", "run": RUN.run, "token": uuid4().hex}
        # Before the host is taken: a variable that cannot be resolved ends the task.
        applies = options["lock"] and options["applies"] != "nothing"
        record = Record()
        asked: Digests | None = None
        warnings: list[str] = []
        if applies:
            record, asked, warnings = self._asked(host, directory, known)
        if options["look"]:
            answer = self._look(options, known)
            result.update(answer)
            warnings = [*(answer.get("warnings") or []), *warnings]
            if answer.get("failed") or answer.get("unreachable"):
                return result
            result["held"], about_others = self._others(host, answer)
            warnings += about_others
        if asked and not result["held"]:
            here = asdict(digests(record.variables, record.key)) if record.applied else {}
            kept: Mapping[str, Any] = result["applied"] if options["look"] else here
            if not asked.same_as(kept):
                result["begins"] = _what(options["applies"], known)
                warnings += self._replaced(host, record, kept)
        return {**result, "warnings": warnings}

    def _asked(self, host: str, directory: Path, known: dict[str, Any]) -> tuple[Record, Digests, list[str]]:
        """Return what is recorded of the host here, digests of what it is to apply, and what is to be said of the record."""
        warnings = []
        try:
            record = read_record(directory, host, former_name(host, known)) or Record()
        except (OSError, ValueError) as error:
            warnings.append(f"{host}: what it last applied cannot be read: {error}")
            record = Record()
        # No key is made: where there is none, secrets cannot be compared, and what a held host applied is no matter of this run.
        seal = seal_of(directory, make=False)
        wanted = sealed_variables(host, known, HostValues(known, self._templar.template), SPECS, seal)
        return record, digests(wanted, seal.id), warnings

    def _others(self, host: str, answer: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Return why the play has to stop, and what is to be said where it may go on."""
        other = answer["other"]
        if not other:
            return "", []
        sentence, left = _who(host, other), other.get("left")
        if answer["taken"] and isinstance(left, int) and left <= 0:
            return "", [
                f"{sentence}. Its note expired {_minutes(-left)} ago, so this run has taken it over. Look whether that one is still at work."
            ]
        if answer["taken"]:
            return "", [f"{sentence}. This run has taken it over."]
        if self.check_mode:
            return "", [f"{sentence}. Without --check this run would stop here."]
        return f"{sentence}. {_remedy(other)}", []

    def _replaced(self, host: str, record: Record, kept: Mapping[str, Any]) -> list[str]:
        """Return what is said of a state of the host that this run replaces and that is not the one recorded here."""
        run = kept.get("run")
        if not kept.get("at") or (record.applied and run == record.applied.run):
            return []
        last = f"{kept.get('by')} applied something else there at {shown(str(kept['at']))} (run {run}, inventory {kept.get('inventory')})"
        verb = "would replace" if self.check_mode else "replaces"
        return [f"{host}: {last}, which is not recorded beside this inventory. This run {verb} it."]

    def _look(self, options: Mapping[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Make the remote call; a second one where the first finds the note of a run of this controller whose process is gone."""
        # Only what applies everything ends with a confirmation.
        confirms = options["applies"] == "everything"
        arguments = {"commands": options["commands"], "units": options["units"], "confirms": confirms}
        if options["lock"]:
            arguments["lock"] = {
                "run": RUN.run,
                "note": claim(known),
                "seconds": options["lock_minutes"] * 60,
                "by_force": options["break_lock"],
            }
        answer = self._call(arguments, known)
        if is_over(answer["other"]) and not answer["taken"] and not self.check_mode:
            arguments["lock"]["instead_of"] = answer["other"]["run"]
            answer = self._call(arguments, known)
        if is_over(answer["other"]):
            # Nobody has to be told: that run's own output said how it ended.
            answer["other"] = {}
        return answer

    def _call(self, arguments: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        answer = self.look_at_host(arguments, known)
        taken = answer.get("taken") is True
        return {**answer, "taken": taken, "other": told(answer.get("other")), "applied": told(answer.get("applied"))}


def _what(applies: str, known: Mapping[str, Any]) -> str:
    """Return what the run is about to do, the words after "a run"."""
    left_out = partly(known, context.CLIARGS.get("start_at_task"))
    return f"{PART} ({left_out})" if left_out else {"everything": BEGAN, "part": PART}[applies]


def _who(host: str, other: Mapping[str, Any]) -> str:
    since = shown(str(other.get("since")))
    return f"{host} is taken: {other.get('by')} has worked there since {since} (run {other.get('run')}, inventory {other.get('inventory')})"


def _minutes(seconds: int) -> str:
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} {'minute' if minutes == 1 else 'minutes'}"


def _remedy(other: Mapping[str, Any]) -> str:
    left = other.get("left")
    return (
        "This run stops, and changes nothing more there. Remedy: wait for the end of that run. If it is dead, its note expires in "
        f"{_minutes(left if isinstance(left, int) else 60)}; to take the host over now: --extra-vars xgn_break_lock=true"
    )
