# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which order a change is rolled out: a canary, then batches that never hold two ways between the same two nodes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

Graph = Mapping[str, set[str]]

SIZE = re.compile(r"^(?:(?P<percent>100|[1-9]?\d)%|(?P<count>[1-9]\d*))$")


def rollout_batches(
    hosts: Sequence[str], links: Iterable[tuple[str, str]], sizes: Sequence[str | int], canary: str | None = None
) -> list[list[str]]:
    """Divide hosts into batches.

    Parameters:
        hosts: the hosts of the run, in the order in which they are to be taken where nothing else speaks.
        links: pairs of nodes that are joined, those outside of hosts among them.
        sizes: how many hosts may be in each batch, as a number or as ``25%`` of all; the last one holds for all that follow.
        canary: the host that goes first, alone. When not given, the one whose loss the network feels least: with the fewest links, and no cut of the network.

    Returns:
        The batches, the canary's first. No host is left out, and none comes twice. While a batch is away, two other nodes that are joined through
        any one of its members have another way, unless one member alone is the only one.

    Raises:
        ValueError: a size is neither a number nor a percentage, or the canary is none of the hosts.
    """
    if canary is not None and canary not in hosts:
        raise ValueError(f"canary {canary} is none of the hosts of this run: {', '.join(hosts)}")
    limits = [_limit(size, len(hosts)) for size in sizes] or [len(hosts)]
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for a, b in links:
        graph[a].add(b)
        graph[b].add(a)
    for host in hosts:
        graph.setdefault(host, set())
    if not hosts:
        return []
    alone = {host: _parts(graph, {host}) for host in hosts}
    whole = len(set(_parts(graph, set()).values()))
    first = canary or min(hosts, key=lambda host: (len(set(alone[host].values())) > whole, len(graph[host]), hosts.index(host)))
    batches, left = [[first]], [host for host in hosts if host != first]
    while left:
        limit = limits[min(len(batches) - 1, len(limits) - 1)]
        batch: list[str] = []
        # Nodes of one class stay joined whichever member is away.
        classes = dict.fromkeys(graph, 0)
        for host in left:
            if len(batch) == limit:
                break
            finer = _finer(classes, alone[host])
            if not batch or _keeps_together(finer, _parts(graph, {*batch, host})):
                batch.append(host)
                classes = finer
        batches.append(batch)
        left = [host for host in left if host not in batch]
    return batches


def _limit(size: str | int, hosts: int) -> int:
    match = SIZE.match(str(size))
    if match is None or match["percent"] == "0":
        raise ValueError(f"{size}: a batch is a number of hosts or a percentage of them, such as 25%")
    return int(match["count"]) if match["count"] else max(1, hosts * int(match["percent"]) // 100)


def _finer(classes: Mapping[str, int], parts: Mapping[str, int]) -> dict[str, int]:
    """Divide classes of nodes further by the parts they are in; nodes that have no part have no class."""
    numbers: dict[tuple[int, int], int] = {}
    return {node: numbers.setdefault((classes[node], part), len(numbers)) for node, part in parts.items() if node in classes}


def _keeps_together(classes: Mapping[str, int], parts: Mapping[str, int]) -> bool:
    """Whether the nodes of each class are in one part."""
    part_of: dict[int, int] = {}
    return all(part_of.setdefault(classes[node], part) == part for node, part in parts.items())


def _parts(graph: Graph, without: set[str]) -> dict[str, int]:
    """Number the parts of the network that are joined inside, without some of its nodes; each other node with the number of its part."""
    found: dict[str, int] = {}
    for number, start in enumerate(graph):
        if start in found or start in without:
            continue
        found[start] = number
        reach = [start]
        while reach:
            for node in graph[reach.pop()]:
                if node not in found and node not in without:
                    found[node] = number
                    reach.append(node)
    return found
