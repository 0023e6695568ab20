# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ids: which are missing, which is the next free one, which stand twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent, Link, Segment


@dataclass(frozen=True)
class MissingId:
    """An entry without an id.

    Attributes:
        section: its variable.
        key: node name, or index in the list.
        proposal: the next free id.
    """

    section: str
    key: str | int
    proposal: int

    @property
    def path(self) -> Place:
        """The entry."""
        return Place.of(self.section, self.key)


def missing_ids(raw: Mapping[str, Any], taken: Iterable[int] = (), taken_by_nodes: Iterable[int] = ()) -> list[MissingId]:
    """Return the nodes, links and segments without an id, each with a proposal.

    A proposal is one more than the largest id of its section, never the id of something that was removed in between, unless it was the
    largest.

    Parameters:
        raw: the intent.
        taken: ids of links that come from patterns, or that a host carries which is no node any more.
        taken_by_nodes: ids of such hosts.
    """
    found = _missing("xgn_nodes", _named(raw.get("xgn_nodes")), 1, set(taken_by_nodes))
    found += _missing("xgn_links", _listed(raw.get("xgn_links")), 1, set(taken))
    found += _missing("xgn_segments", _listed(raw.get("xgn_segments")), 1000, set())
    return found


def _named(value: object) -> list[tuple[str | int, object]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _listed(value: object) -> list[tuple[str | int, object]]:
    return list(enumerate(value)) if isinstance(value, list) else []


def _missing(section: str, entries: list[tuple[str | int, object]], first: int, taken: set[int]) -> list[MissingId]:
    ids = [entry["id"] for _key, entry in entries if isinstance(entry, Mapping) and isinstance(entry.get("id"), int)]
    proposal = max(ids, default=first - 1)
    found = []
    for key, entry in entries:
        if isinstance(entry, Mapping) and "id" not in entry:
            proposal += 1
            while proposal in taken:
                proposal += 1
            found.append(MissingId(section, key, proposal))
    return found


def id_problems(raw: Mapping[str, Any], intent: Intent) -> Findings:
    """Return missing and duplicate ids of nodes, links and segments, retired ones among them. Entries concerned are marked as broken."""
    # Those that leave come first: it is the other one that has to take another id.
    nodes, links = [*intent.retired.nodes.values(), *intent.nodes.values()], [*intent.retired.links, *intent.links]
    taken = [link.id for link in links if link.pattern]
    problems = Findings()
    for missing in missing_ids(raw, taken):
        hint = f"the next free one is {missing.proposal}; playbook xuegao.net.assign_ids writes it into the file"
        problems.add(Problem(missing.path.at("id"), "is required", hint=hint))
    for node in nodes:
        node.broken = node.id < 1
    owners: dict[int, Place] = {}
    free = max((node.id for node in nodes), default=0) + 1
    for node in nodes:
        if not node.broken:
            # Everything else that such a node has twice follows from the id.
            node.broken = _claim(owners, node.id, node.path, node.path.at("id"), "node", problems, free)
    if intent.settings.bgp.asn_base is not None:
        for node in nodes:
            node.unsure |= {"asn"} if node.broken else set()
    _duplicates(links, "link", intent.lost_links, problems)
    _duplicates(intent.segments, "segment", intent.lost_segments, problems)
    for item in links:
        item.broken = item.broken or item.id < 0
    return problems


def _duplicates(items: Sequence[Link] | Sequence[Segment], noun: str, lost: dict[int | None, Place], problems: Findings) -> None:
    """Add an id that two entries have, one of which may be one that could not be read. Which of them others mean by it cannot be known."""
    listed = [item for item in items if item.id >= 0]
    owners = {number: place for number, place in lost.items() if number is not None}
    free = max([*(item.id for item in listed), *owners], default=0) + 1
    for item in listed:
        where = item.path if isinstance(item, Link) and item.pattern else item.path.at("id")
        if _claim(owners, item.id, item.path, where, noun, problems, free):
            item.broken = True
            lost[item.id] = item.path


def _claim(owners: dict[int, Place], number: int, owner: Place, path: Place, noun: str, problems: Findings, free: int) -> bool:
    """Note the owner of an id. Return whether it had one already, which is a problem."""
    if number not in owners:
        owners[number] = owner
        return False
    problems.add(
        Problem(path, f"is also the id of {owners[number]}", str(number), f"every {noun} has its own; the next free one is {free}")
    )
    return True
