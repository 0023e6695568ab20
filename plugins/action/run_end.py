# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.run_end: what a host applied is recorded beside the inventory and on the host, which is given back to other runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

from ansible import context
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import (
    Moment,
    Record,
    digests,
    forget,
    known_record,
    record_file,
    seal_of,
    this_moment,
    write_record,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import HostAction, Options, host_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_values import HostValues
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import forget_keys
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, partly, told
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.sealed_variables import sealed_variables

SPECS = own_role_specs()


# What is said where it was recorded.
_RECORDED = ("recorded as applied", "recorded as applied before")


class ActionModule(HostAction):
    """Leave a host."""

    OPTIONS: ClassVar[Options] = {
        "begun": {"type": "dict", "default": {}},
        "complete": {"type": "bool", "required": True},
        "directory": {"type": "path"},
        "key_registries": {"type": "list", "elements": "path", "default": []},
    }
    # It writes on the controller.
    VARIABLES = SPECS.options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return C(changed) when something was recorded, and C(msg)."""
        begun: Mapping[str, Any] = options["begun"]
        left_out = partly(known, context.CLIARGS.get("start_at_task"))
        if not options["complete"] or left_out:
            why = f"only a part was applied ({left_out})" if left_out else "the run did not come to its end"
            answer = self._leave(begun, None, known)
            done = {"changed": False, "msg": f"not recorded as applied: {why}", **answer, **_said(answer, _lost(answer))}
        else:
            directory = applied_of_run(known, options["directory"])
            done = self._record(begun, directory, this_moment(known), known)
            host = host_name(known)
            former = former_name(host, known)
            if former and done.get("msg") in _RECORDED and record_file(directory, host).exists():
                done.update(_forget(former, directory, options["key_registries"], done))
        # Without it the step after a failure gives the host back.
        over = done.get("released") or not (done.get("failed") or done.get("unreachable"))
        return {**done, **({"token": begun.get("token")} if over else {})}

    def _leave(self, begun: Mapping[str, Any], record: Mapping[str, Any] | None, known: dict[str, Any]) -> dict[str, Any]:
        """Make the remote call where there is a reason for it."""
        arguments = {**({"run": RUN.run} if begun.get("taken") else {}), **({"record": record} if record else {})}
        if not arguments or self.check_mode:
            return {}
        answer = self.call("host_leave", arguments, known)
        return {**answer, "taken_by": told(answer.get("taken_by")), "applied": told(answer.get("applied"))}

    def _record(self, begun: Mapping[str, Any], directory: Path, moment: Moment, known: dict[str, Any]) -> dict[str, Any]:
        host = host_name(known)
        here = known_record(directory, host, former_name(host, known))
        warnings: list[str] = []
        try:
            seal = seal_of(directory, make=not self.check_mode)
        except OSError as error:
            seal = seal_of(directory, make=False)
            warnings.append(_unwritten(host, error))
        wanted = sealed_variables(host, known, HostValues(known, self._templar.template), SPECS, seal)
        asked = digests(wanted, seal.id)
        recorded = {**asdict(digests(here.variables, here.key)), **asdict(here.applied)} if here.applied else {}
        # A host that was not looked at keeps what it was last seen to keep.
        seen = begun.get("applied")
        kept: Mapping[str, Any] = recorded if seen is None else seen
        news = not asked.same_as(kept)
        answer = self._leave(begun, {**asdict(asked), **asdict(moment)} if news else None, known)
        if answer.get("failed") or answer.get("unreachable"):
            return answer
        if answer.get("lost"):
            return {**answer, "changed": False, "msg": "not recorded as applied: the host was taken away", **_said(answer, _lost(answer))}
        if self.check_mode:
            # Of a host that nothing is known of it cannot be told.
            return {"changed": news and (bool(kept) or seen is not None), "msg": "not written: check mode"}
        changed = bool(news and answer.get("changed"))
        if not changed:
            # What it applies already it applied when it says.
            kept = (answer.get("applied") if news else None) or kept
            moment = Moment(**{name: str(kept.get(name)) for name in asdict(moment)})
        try:
            _keep(directory, host, here, Record(moment, seal.id, wanted), changed or not asked.same_as(recorded))
        except OSError as error:
            warnings.append(_unwritten(host, error))
        return {
            **answer,
            "changed": changed,
            "msg": _RECORDED[0] if changed else _RECORDED[1],
            **_said(answer, warnings),
        }


def _keep(directory: Path, host: str, here: Record, record: Record, news: bool) -> None:
    """Write the record where it says something new: one that differs in its key or its time alone is somebody else's, who has said the same."""
    if not news:
        record = replace(here, later=None, what="", left=None)
    # Of a host that was renamed the former record counts until there is one under the new name.
    if record != here or not record_file(directory, host).exists():
        write_record(directory, host, record)


def _forget(former: str, directory: Path, registries: Sequence[str], done: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what is kept under the former name of a host, now that all of it is kept under the new one. Returns what is to be said of it."""
    try:
        forget(directory, former)
        for registry in registries:
            forget_keys(Path(registry), former)
    except OSError as error:
        return _said(done, [f"what is kept under the former name {former} cannot be removed: {error}"])
    return {}


def _said(answer: Mapping[str, Any], warnings: Sequence[str]) -> dict[str, Any]:
    """Return the warnings of a module and of this step."""
    found = [*(answer.get("warnings") or []), *warnings]
    return {"warnings": found} if found else {}


def _lost(answer: Mapping[str, Any]) -> list[str]:
    """Return the warning that the host was not this run's any more."""
    if not answer.get("lost"):
        return []
    other = answer.get("taken_by")
    if other:
        return [f"{other.get('by')} has taken this host meanwhile (run {other.get('run')}): two runs worked on it at once. Run again."]
    why = "another run has taken it meanwhile and is over, or it was booted"
    return [f"the note of this run is no longer on this host: {why}. What it has now may not be what this run applied. Run again."]


def _unwritten(host: str, error: OSError) -> str:
    return f"{host}: what it applied cannot be recorded beside the inventory, so a plan cannot be compared with it: {error}"
