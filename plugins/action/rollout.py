# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.rollout: how far a rollout has come, and whether it may go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, host_name, refused
from ansible_collections.xuegao.net.plugins.plugin_utils.report.rollout import (
    DONE,
    LOOKED_AT,
    NOW,
    TO_COME,
    UNTOUCHED,
    Turn,
    host_state,
    rollout_table,
    states_of,
    turn_of,
    turns_of,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs


class ActionModule(ControllerAction):
    """Tell, and stop."""

    OPTIONS: ClassVar[Options] = {
        "plan": {"type": "dict", "required": True},
        "step": {"type": "str", "choices": ["plan", "begin", "stop", "end"], "required": True},
    }
    # What a host says does not let the next batch begin.
    VARIABLES = own_role_specs().options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return a result that is shown: C(msg) holds the table. Fail, with the table, when the next batch may not begin."""
        plan, step, hostvars = options["plan"], options["step"], known.get("hostvars") or {}
        turns = turns_of(plan["batches"])
        shown = {"_ansible_verbose_always": True}
        if step == "plan":
            beside = {
                (number, LOOKED_AT, name): None for number, hosts in turns for host in hosts for name in plan["neighbors"].get(host, [])
            }
            return {**shown, "msg": rollout_table([*states_of(turns, -1, str, TO_COME), *beside])}

        if step == "begin":
            place = turn_of(turns, host_name(known))
            undone = bool(place) and _undone(turns[place - 1], hostvars)
            if self.check_mode:
                # It goes on without a container that is not there yet.
                in_container = any(host_name(known) in batch["containers"] for batch in plan["batches"])
                return _ended_by(turns[place - 1], hostvars) if undone and not in_container else {}
            if not undone:
                return {**shown, "msg": rollout_table(states_of(turns, place, lambda _host: NOW, TO_COME))}
            place -= 1
        elif step == "stop":
            place = turn_of(turns, host_name(known))
        elif _undone(turns[-1], hostvars):
            place = next(index for index, turn in enumerate(turns) if _undone(turn, hostvars))
        else:
            place = len(turns)
        table = rollout_table(states_of(turns, place, lambda host: host_state(hostvars[host]), UNTOUCHED))
        if step == "stop" or place == len(turns):
            return {**shown, "msg": table}
        # A host that cannot be reached any more does not keep Ansible from the next batch.
        sentence = f"Batch {turns[place][0]} was not done on all of its hosts, so this run ends, and changes nothing more."
        return refused("\n".join([sentence, *table]), **shown)


def _ended_by(turn: Turn, hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse to go on with a prediction. turn: one that did not come to its end; a host that fails has ended the run by itself."""
    lost = ", ".join(host for host in turn[1] if host_state(hostvars[host]) != DONE)
    return refused(f"{lost} cannot be reached any more. The run would end with batch {turn[0]}, so nothing is foretold of those behind it.")


def _undone(turn: Turn, hostvars: Mapping[str, Any]) -> bool:
    return any(host_state(hostvars[host]) != DONE for host in turn[1])
