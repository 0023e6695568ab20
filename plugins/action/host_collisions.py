# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.host_collisions: judge on the controller whether two hosts, or a host and a neighbor, hold the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import read_record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, refused
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import refuse_facts_as_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.collisions import ASKED, Looked, collisions


class ActionModule(ControllerAction):
    """Judge all hosts of the play."""

    OPTIONS: ClassVar[Options] = {"directory": {"type": "path"}}
    VARIABLES = ASKED

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Fail when there is a collision that nobody allows."""
        directory = applied_of_run(known, options["directory"])
        hostvars = known.get("hostvars") or {}
        # Facts may be kept in a cache: those of a host that does not answer are of another run.
        answering = set(known.get("ansible_play_hosts") or ())
        found = collisions(
            [
                looked(str(host), hostvars[host], directory, answers=host in answering)
                for host in known.get("ansible_play_hosts_all") or ()
                if host in hostvars
            ]
        )
        if found:
            return refused(f"{len(found)} collision(s). Nothing was changed on any host of this batch.", found)
        return {"msg": "No two hosts hold the same, and no neighbor has what the plan gives out."}


def looked(host: str, variables: Mapping[str, Any], directory: Path, *, answers: bool) -> Looked:
    """Return what is known of a host.

    Parameters:
        host: inventory name.
        variables: all of the host, which are templated when they are read.
        directory: where it is recorded what hosts applied.
        answers: the host has been looked at in this run.

    Raises:
        HostAnswerError: a fact has the name of a variable.
    """
    refuse_facts_as_variables({"inventory_hostname": host, "ansible_facts": variables.get("ansible_facts")}, ASKED)
    facts = (variables.get("ansible_facts") or {}) if answers else {}
    try:
        record = read_record(directory, host, former_name(host, variables))
    except (OSError, ValueError):
        # Action run_begin has warned of it.
        record = None
    given = {name: plain(variables[name]) for name in sorted(ASKED) if name in variables}
    return Looked(host, plain(facts.get("xgn_host") or {}), given, record.variables if record else {})
