# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts that belonged to the network and no longer do, by what they last applied: retired, renamed, or gone from the intent without a word.

What a host applied stays on it until somebody takes it away. So its record is the note of that, and goes when the host has been cleaned, or when somebody says
that it is gone for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import shown
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.changes import IDENTITY, things
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan


@dataclass(slots=True)
class Departures:
    """What is known of hosts that are in the plan no more.

    Attributes:
        refused: why the plan may not be applied.
        pending: what to do about each retired node whose host has yet to be drained and cleaned.
        left: a sentence for each host without which the network goes on, though what it applied is still there.
        told: what else is to be said.
        vanished: hosts of nodes that are gone from the intent without a word.
    """

    refused: list[Problem] = field(default_factory=list)
    pending: dict[str, Problem] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    vanished: set[str] = field(default_factory=set)


def identity(record: Record | None) -> Mapping[str, Any]:
    """Return what a host was in the plan that it applied; empty when nothing is known of it, as of a host that is no node."""
    found = record.variables.get(IDENTITY) if record is not None else None
    return found if isinstance(found, Mapping) else {}


def departures(plan: Plan, records: Mapping[str, Record]) -> Departures:
    """Return what is known of hosts that are in the plan no more.

    Parameters:
        plan: the plan.
        records: what every host applied that has a record, also one of a former name.
    """
    found, intent = Departures(), plan.intent
    renamed = {node.was for node in intent.nodes.values() if node.was}
    for host, record in records.items():
        # One that Ansible manages no more is its owner's; a container goes with its node, or by its node.
        if host in plan.hosts or host in plan.peers or host in renamed:
            continue
        if record.left is not None:
            found.left[host] = _left(host, record)
        elif host in intent.retired.nodes:
            hint = "run xuegao.net.retire, which sends its traffic another way, has its peers take their ends out, and cleans the host"
            node = intent.retired.nodes[host]
            found.pending[host] = Problem(
                node.path.at("retired"), f"is true, and the host still has what it applied{_at(record)}", hint=hint
            )
        elif "id" in identity(record):
            found.refused.append(_vanished(host, record, plan, records))
            found.vanished.add(host)
    found.refused += [*_renames(intent, records, found.told), *_taken(intent, records, found.left)]
    return found


def carried_ids(records: Mapping[str, Record], hosts: Mapping[str, Any]) -> tuple[set[int], set[int]]:
    """Return the ids of nodes and of links that hosts still carry which are nodes no more.

    Parameters:
        records: what every host applied that has a record.
        hosts: the nodes there are, by name.
    """
    gone = [identity(record) for host, record in records.items() if host not in hosts]
    return {item["id"] for item in gone if "id" in item}, {link["id"] for item in gone for link in item.get("links", [])}


def _at(record: Record) -> str:
    return f" at {shown(record.applied.at)}" if record.applied else ""


def _left(host: str, record: Record) -> str:
    since = f"since {shown(record.left.at)} (run {record.left.run}, {record.left.by})" if record.left else ""
    return (
        f"{host} has left the network {since}, and its host could not be cleaned: what it applied{_at(record)} is still there. Remedy: run "
        f"xuegao.net.retire again when it can be reached; when it is gone for good, with --extra-vars xgn_gone={host}"
    )


def _vanished(host: str, record: Record, plan: Plan, records: Mapping[str, Record]) -> Problem:
    number = identity(record)["id"]
    alike = next((node for node in plan.intent.nodes.values() if node.id == number and node.name not in records), None)
    renamed = (
        f"if {alike.path}, which has its id, is its new name: write was: {host} there. Else "
        if alike
        else "if it was renamed: write its former name there (was). Else "
    )
    what = f"is no node any more, and the host still has what it applied{_at(record)}"
    gone = f"or, when the host is gone for good, run that with --extra-vars xgn_gone={host}"
    hint = f"{renamed}bring it back with retired: true and run xuegao.net.retire; {gone}"
    return Problem(Place.of("xgn_nodes"), what, show(host), hint)


def _renames(intent: Intent, records: Mapping[str, Record], told: list[str]) -> Iterator[Problem]:
    """Former names that nobody had, and renamed nodes with another id."""
    for node in intent.nodes.values():
        if node.was is None or not node.managed or not records:
            continue
        number = identity(records.get(node.was)).get("id", node.id)
        if node.name in records:
            told.append(f"{node.path.at('was')}: may be taken out, since {node.name} has applied its variables under its new name")
        elif node.was not in records:
            hint = f"recorded: {', '.join(sorted(records))}"
            yield Problem(node.path.at("was"), "is no host that has applied anything", show(node.was), hint)
        elif number != node.id:
            yield Problem(
                node.path.at("id"), f"is not that of {node.was}, which has {number}", str(node.id), "a node that is renamed keeps its id"
            )
        else:
            told.append(f"{node.name}: is the new name of {node.was} ({node.path.at('was')}); keys and records follow")


def _taken(intent: Intent, records: Mapping[str, Record], left: Mapping[str, str]) -> Iterator[Problem]:
    """Ids of hosts that could not be cleaned: they may still have the addresses."""
    for host in left:
        was = identity(records[host])
        hint = f"the host may come back with its addresses; clean it with xuegao.net.retire, or say that it is gone: --extra-vars xgn_gone={host}"
        for node in intent.nodes.values():
            if node.id == was.get("id"):
                yield Problem(node.path.at("id"), f"was that of {host}, whose host could not be cleaned", str(node.id), hint)
        numbers = {link["id"] for link in was.get("links", [])}
        for link in intent.links:
            if link.id in numbers:
                path = link.path if link.pattern else link.path.at("id")
                yield Problem(path, f"was that of a link of {host}, whose host could not be cleaned", str(link.id), hint)


def farewell(name: str, plan: Plan, record: Record | None) -> list[str]:
    """Return what the network and a node's host lose when it is retired, in sentences.

    Parameters:
        name: of the retired node.
        plan: the plan without it.
        record: what its host applied.
    """
    node, retired = plan.intent.retired.nodes[name], plan.intent.retired
    found = [f"{name} (id {node.id}) leaves the network."]
    there = things(record.variables) if record else []
    found.append(
        f"From its host goes: {', '.join(there)}."
        if there
        else "What its host applied is not recorded here; its own record says what goes there."
    )
    alone = sorted(str(prefix) for prefix in _prefixes(node, record) - _carried(plan))
    if alone:
        found.append(f"No other node carries {', '.join(alone)}: that is lost.")
    if name in retired.steered:
        found.append(f"What it steers is released: {', '.join(retired.steered[name]) or 'nothing'}.")
    found += [
        f"{container}, a router in a container on it, goes with it."
        for container, where in sorted(retired.containers.items())
        if where == name
    ]
    found += [f"Tell the owner of {peer}: its links with {name} end." for peer in sorted(retired.peers[name] & plan.peers.keys())]
    return found


def _prefixes(node: Node, record: Record | None) -> set[Prefix]:
    """Return the prefixes behind a node: by what its host applied, else by what is written."""
    applied = {item["name"]: item.get("addresses", []) for item in record.variables.get("frr_interfaces", [])} if record else {}
    found = set()
    for network in node.networks:
        if network.published:
            found |= {parse_address(text).prefix for text in applied.get(network.interface, []) if not text.startswith("fe80:")}
            found |= {network.addresses[family].prefix for family in FAMILIES if family in network.addresses}
    return found


def _carried(plan: Plan) -> set[Prefix]:
    """Return the prefixes that nodes of the plan have behind them, and those of its segments."""
    found = {address.prefix for node in plan.intent.nodes.values() for network in node.networks for address in network.addresses.values()}
    return found | {prefix for segment in plan.intent.segments for prefix in segment.prefixes.values()}
