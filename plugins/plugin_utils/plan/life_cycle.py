# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan means for a network that lives: who leaves it, what becomes something else, and whether the plan may be applied."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Problem, sentences
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.departures import Departures, departures, farewell
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.identity import Changes, identity_changes, unreachable_after
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan

Purpose = Literal["plan", "apply", "retire", "look"]
"""What a plan is made for: to be shown, to be applied, to be applied by the run that retires nodes, or to compare with what lives."""


@dataclass(frozen=True, slots=True)
class Run:
    """The run that a plan is made for.

    Attributes:
        purpose: what for.
        interrupt: somebody has said yes to interruptions.
        hosts: those of the inventory.
        taking_part: those that this run takes.
        reached_by: address by which Ansible reaches each host, where it is known.
    """

    purpose: Purpose = "plan"
    interrupt: bool = False
    hosts: Collection[str] = ()
    taking_part: Collection[str] = ()
    reached_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Judgement:
    """What comes of it.

    Attributes:
        refused: why the plan may not be applied.
        warnings: what is to be said in any case.
        told: what changes its identity, before anything else.
        together: hosts that have to make a change in one run, by the change.
        retired: nodes that leave, and containers on them: what is to be said of each, nothing where all is done.
        retirement: of the run that retires nodes, for those whose retirement it brings to its end: whether it has a host
            (``managed``), the nodes that meet it (``peers``), and what it means (``lines``).
        elsewhere: hosts of which a record is kept, and of which all is said here.
    """

    refused: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    together: dict[str, list[str]] = field(default_factory=dict)
    retired: dict[str, str] = field(default_factory=dict)
    retirement: dict[str, dict[str, Any]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)


def former_records(plan: Plan, records: Mapping[str, Record]) -> dict[str, Record]:
    """Return what the hosts of a plan applied, by their names in it: of one that is renamed, what is recorded under its former name."""
    found = {host: records[host] for host in plan.hosts if host in records}
    renamed = {node.name: node.was for node in plan.intent.nodes.values() if node.was}
    return {**{name: records[was] for name, was in renamed.items() if was in records and name in plan.hosts}, **found}


def judge(plan: Plan, records: Mapping[str, Record], run: Run) -> Judgement:
    """Judge a plan by what the hosts applied before.

    Parameters:
        plan: the plan.
        records: what every host applied that has a record.
        run: what the plan is made for.
    """
    former, retired = former_records(plan, records), plan.intent.retired
    gone = departures(plan, records)
    changes = identity_changes(plan, former, run.interrupt)
    # One that has left already is out of reach, whatever its address.
    leaving = {name: records[name] for name in retired.nodes if name in records and records[name].left is None}
    refused = [*gone.refused, *changes.refused, *unreachable_after(plan, {**former, **leaving}, run.reached_by)]
    if run.purpose != "look" and run.purpose != "plan":
        refused += _partial(changes, run)
    pending = list(gone.pending.values())
    if run.purpose == "apply":
        refused += pending
    found = Judgement(told=[*gone.told, *changes.told], warnings=list(gone.left.values()))
    found.together = {change: sorted(hosts) for change, hosts in changes.together.items()}
    found.elsewhere = {
        *gone.pending,
        *gone.left,
        *gone.vanished,
        *retired.containers,
        *(node.was for node in plan.intent.nodes.values() if node.was),
    }
    if run.purpose == "look":
        found.warnings += sentences([*refused, *pending])
    else:
        found.refused = refused
        found.warnings += sentences(pending) if run.purpose == "plan" else []
    _note_retired(plan, gone, found)
    for name, node in retired.nodes.items() if run.purpose == "retire" else ():
        # One that Ansible never managed, or that is neither here nor recorded, has no host to clean; its peers may have something to take out all the same.
        if not node.managed or name in run.hosts or name in records:
            lines = farewell(name, plan, records.get(name))
            peers = sorted(retired.peers[name] & plan.hosts.keys())
            found.retirement[name] = {"managed": node.managed, "peers": peers, "lines": lines}
    return found


def _note_retired(plan: Plan, gone: Departures, found: Judgement) -> None:
    retired = plan.intent.retired
    for name in retired.nodes:
        found.retired[name] = gone.left.get(name) or (str(gone.pending[name]) if name in gone.pending else "")
    found.retired.update((container, found.retired[node]) for container, node in retired.containers.items())


def _partial(changes: Changes, run: Run) -> Iterator[Problem]:
    """Changes of which a run would make one half: what lies between the two is down until somebody makes the other."""
    taking_part = set(run.taking_part)
    for change, hosts in changes.together.items():
        absent = sorted((hosts & set(run.hosts)) - taking_part)
        if absent and hosts & taking_part:
            what = f"{change}: {', '.join(sorted(hosts))} have to make this change in one run, and this one leaves out {', '.join(absent)}"
            yield Problem(EVERYTHING, what, hint="run without --limit, or with all of them")
