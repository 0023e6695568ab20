# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which batches a change comes to the hosts: a canary, then batches that never hold two paths between one pair of nodes.

A host that is changed may be away with all its links for a while. So for any two nodes, changed or not: where no single host of a batch is all that
joins them, they must be joined by nodes that are not in the batch.

Two nodes of one biconnected component are joined whatever single other node is away, and every path between them stays inside of it. So a batch is
right if in each of these components the nodes that it leaves hang together, and each that it takes has one of them beside it; or if all of the
component's nodes are joined with each other. Who cannot be taken any more cannot be taken later either: what hangs on it would have nothing else.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, nearest, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check_value, with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import LOOPBACK, Intent, Node

VARIABLE = Place.of("xgn_rollout")
OPTIONS: dict[str, dict[str, Any]] = {
    "canary": {"type": "str", "min_length": 1},
    "batches": {"type": "list", "elements": "raw", "min_items": 1, "default": ["25%", "100%"]},
    # bgpd lets a changed route map count 5 s later (bgp route-map delay-timer), and what it takes back from neighbors is gone some moments after that.
    "settle_seconds": {"type": "int", "minimum": 0, "maximum": 3600, "default": 10},
}
_PERCENT = re.compile(r"([1-9]\d?|100)%")
# Of two names, one of them a slip of the pen.
_ALIKE = 0.85
_COUNT = re.compile(r"[1-9]\d{0,8}")

# A VRF, and a node in it: what joins two nodes in one VRF joins them in no other.
Vertex = tuple[str, str]
Graph = Mapping[Vertex, set[Vertex]]


@dataclass(frozen=True)
class Wish:
    """What ``xgn_rollout`` says.

    Attributes:
        canary: host that goes first, alone; none for the one whose absence the network feels least.
        sizes: how many hosts may be in each batch behind it, as a number or a percentage of all; the last one holds for all that follow.
        settle_seconds: from the last change of a batch until it is looked at.
    """

    canary: str | None
    sizes: tuple[str, ...]
    settle_seconds: int = 0


@dataclass
class Batch:
    """Hosts that are changed at the same time.

    Attributes:
        hosts: machines.
        containers: routers in containers that these machines carry.
    """

    hosts: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)


@dataclass
class Rollout:
    """The turns of a run.

    Attributes:
        batches: in order; no host of the run is left out, and none comes twice.
        neighbors: the neighbors of each batch, which are looked at before and after it: hosts of other batches, and such that are not in this run. They
            are divided among the hosts of the batch.
        settle_seconds: from the last change of a batch until it is looked at.
    """

    batches: list[Batch] = field(default_factory=list)
    neighbors: dict[str, list[str]] = field(default_factory=dict)
    settle_seconds: int = 0


def read_wish(written: object, hosts: Iterable[str]) -> tuple[Wish, list[Problem]]:
    """Read ``xgn_rollout``.

    Parameters:
        written: its value; any type.
        hosts: those that can be the canary.

    Returns:
        What it says, and its mistakes; with any, what it says is of no use.
    """
    problems = check_value(written, {"type": "dict", "options": OPTIONS}, VARIABLE)
    if problems or not isinstance(written, Mapping):
        return Wish(None, ()), problems
    given = with_defaults(written, OPTIONS)
    for index, size in enumerate(given["batches"]):
        text = str(size)
        if isinstance(size, bool) or not (_PERCENT.fullmatch(text) or _COUNT.fullmatch(text)):
            hint = "valid: a whole number from 1, or 1% to 100% of the hosts of the run, for example 25%"
            problems.append(Problem(VARIABLE.at("batches", index), "is no size of a batch", show(size), hint))
    canary, known = given.get("canary"), sorted(hosts)
    if canary is not None and canary not in known:
        problems.append(unknown(VARIABLE.at("canary"), f"{show(canary)} is no host that can go first", canary, known, "valid hosts"))
    return Wish(canary, tuple(map(str, given["batches"])), given["settle_seconds"]), problems


def misspelt(names: Iterable[object]) -> Iterator[Problem]:
    """Yield the problem of each variable that is meant to be ``xgn_rollout``: what is not read would change all hosts at once."""
    for name in names:
        if isinstance(name, str) and name.startswith("xgn_") and name != str(VARIABLE) and nearest(name, [str(VARIABLE)], _ALIKE):
            yield Problem(Place.of(str(name)), "unknown variable", hint=f"did you mean {str(VARIABLE)!r}?")


def make_rollout(wish: Wish, intent: Intent, hosts: Sequence[str], containers: Iterable[str] = ()) -> Rollout:
    """Divide the hosts of a run into batches.

    Parameters:
        wish: without mistakes.
        intent: without mistakes.
        hosts: inventory names of this run, in the order in which they are to be taken where nothing else speaks. One that is no node has no links.
        containers: those among them that are routers in containers. Each goes with the node that carries it, even where that is not in this run.
    """
    carrier = {container.name: container.node.name for container in intent.containers}
    inside = set(containers)
    machines = {host for host in hosts if host not in inside}
    turns = list(dict.fromkeys(carrier.get(host, host) if host in inside else host for host in hosts))
    rollout = Rollout(settle_seconds=wish.settle_seconds)
    place: dict[str, Batch] = {}
    for names in batches_of(turns, paths(intent), services(intent), wish):
        rollout.batches.append(Batch([name for name in names if name in machines]))
        place.update(dict.fromkeys(names, rollout.batches[-1]))
    for host in hosts:
        if host in inside:
            place[carrier.get(host, host)].containers.append(host)
    near = neighbors(intent)
    for batch in rollout.batches:
        for group in (batch.hosts, batch.containers):
            rollout.neighbors.update(_shared_out(group, near))
    return rollout


def torn_apart(rollout: Rollout, together: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Changes that several hosts have to make in one go, and that the batches would make one after the other.

    Parameters:
        rollout: of this run.
        together: hosts that have to make a change in one run, by the change; see `life_cycle.Judgement`.
    """
    turn: dict[str, tuple[int, bool]] = {}
    for number, batch in enumerate(rollout.batches):
        # Routers in containers come behind all machines.
        turn.update({host: (number, host in batch.containers) for host in (*batch.hosts, *batch.containers)})
    for change, hosts in together.items():
        if len({turn[host] for host in hosts if host in turn}) > 1:
            what = (
                f"{change}: {', '.join(hosts)} have to make this change at the same time, and the rollout takes them in different batches"
            )
            yield Problem(VARIABLE, what, hint=f"make it without a rollout: --extra-vars {VARIABLE}= --limit {','.join(hosts)}")


def batches_of(hosts: Sequence[str], graph: Graph, services: Sequence[frozenset[str]], wish: Wish) -> list[list[str]]:
    """Return the batches of some nodes, the canary's first; each in the order of hosts.

    Parameters:
        hosts: nodes of this run; others in the graph stay as they are.
        graph: which nodes are joined, in each VRF.
        services: groups of which one node at least must stay.
        wish: sizes, and who goes first.
    """
    if not hosts:
        return []
    order = {host: index for index, host in enumerate(hosts)}
    network = _Network(graph)
    first = wish.canary if wish.canary in order else min(hosts, key=lambda host: (*network.weight(host), order[host]))
    batches, left = [[first]], [host for host in hosts if host != first]
    while left:
        batch = network.batch(left, _limit(wish.sizes[min(len(batches), len(wish.sizes)) - 1], len(hosts)), services)
        batches.append(sorted(batch, key=order.__getitem__))
        taken = set(batch)
        left = [host for host in left if host not in taken]
    return batches


def _limit(size: str, hosts: int) -> int:
    return max(1, hosts * int(size[:-1]) // 100) if size.endswith("%") else int(size)


def paths(intent: Intent) -> dict[Vertex, set[Vertex]]:
    """Return which nodes are joined by a link, in its VRF.

    A link over which no routing protocol finds a way does not count, nor one over the loopbacks, which has no path of its own.
    """
    graph: defaultdict[Vertex, set[Vertex]] = defaultdict(set)
    for link in intent.links:
        if link.routing != "none" and link.options.over != LOOPBACK:
            first, second = ((link.vrf, end.node.name) for end in link.ends)
            graph[first].add(second)
            graph[second].add(first)
    return dict(graph)


def services(intent: Intent) -> list[frozenset[str]]:
    """Return the groups of nodes that stand in for each other though no path leads through them: those that answer one anycast address."""
    return [intent.dns_nodes] if len(intent.dns_nodes) > 1 else []


def neighbors(intent: Intent) -> dict[str, set[str]]:
    """Return the managed nodes that see what becomes of a node, by its name: the other ends of its links, the gateway or members of its segments.

    What becomes of a router in a container is seen by its gateway.
    """
    near: defaultdict[str, set[str]] = defaultdict(set)

    def join(first: Node, second: Node) -> None:
        if first.managed and second.managed and first is not second:
            near[first.name].add(second.name)
            near[second.name].add(first.name)

    for link in intent.links:
        join(link.ends[0].node, link.ends[1].node)
    for segment in intent.segments:
        for node in segment.members:
            join(segment.gateway, node)
    for container in intent.containers:
        near[container.name].add(container.segment.gateway.name)
    return dict(near)


def _shared_out(group: Sequence[str], near: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Return the neighbors of a group by host of the group: evenly, since each host looks at its own one after the other."""
    found: dict[str, list[str]] = {host: [] for host in group}
    beside = {name for host in group for name in near.get(host, ())} - found.keys()
    for index, name in enumerate(sorted(beside)):
        found[group[index % len(group)]].append(name)
    return found


class _Network:
    """Who is joined with whom in each biconnected component.

    Vertices and components have numbers here. ``around`` holds the neighbors of each vertex in each component that it belongs to; where there are
    several, it alone holds them together.
    """

    def __init__(self, graph: Graph) -> None:
        numbers = {vertex: number for number, vertex in enumerate(graph)}
        self.names = [name for _vrf, name in graph]
        self.copies: defaultdict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self.names):
            self.copies[name].append(number)
        self.around: list[dict[int, list[int]]] = [{} for _name in self.names]
        # Whether all vertices of a component are joined with each other, as the two ends of a link that nothing stands in for.
        self.complete: list[bool] = []
        for component, links in enumerate(_biconnected([sorted(numbers[other] for other in others) for others in graph.values()])):
            inside: defaultdict[int, list[int]] = defaultdict(list)
            for first, second in links:
                inside[first].append(second)
                inside[second].append(first)
            for vertex, others in inside.items():
                # In one order for all, so that two that look around themselves soon meet.
                self.around[vertex][component] = sorted(others)
            self.complete.append(2 * len(links) == len(inside) * (len(inside) - 1))

    def weight(self, host: str) -> tuple[bool, int]:
        """Return what the network feels of the absence of a host: whether it falls apart, and how many links it lacks."""
        around = [self.around[vertex] for vertex in self.copies.get(host, ())]
        return any(len(components) > 1 for components in around), sum(
            len(others) for components in around for others in components.values()
        )

    def batch(self, left: Sequence[str], limit: int, services: Sequence[frozenset[str]]) -> list[str]:
        """Return a batch: the first of the hosts that are left, and of the others, in order, those that fit to it."""
        batch: dict[str, None] = {}
        away: set[int] = set()
        # Vertices that hold a component together without those that are away.
        kept: set[int] = set()
        for host in left:
            if len(batch) == limit:
                break
            if any(group <= batch.keys() | {host} for group in services):
                continue
            copies = self.copies.get(host, ())
            if all(self._fits(component, vertex, away, kept) for vertex in copies for component in self.around[vertex]):
                batch[host] = None
                away.update(copies)
        return list(batch)

    def _fits(self, component: int, vertex: int, away: set[int], kept: set[int]) -> bool:
        """Tell whether one more vertex of a component may be away, without those that are. kept: gets those that are found to have to stay."""
        around = self.around[vertex][component]
        if self.complete[component]:
            return True
        if vertex in kept or away.issuperset(around):
            return False
        if any(other in away and not self._has_another(component, other, away, vertex) for other in around):
            return False
        if self._whole(component, vertex, away):
            return True
        # Those that wait are asked no more than once.
        kept.update(self._holding(component, vertex, away))
        return False

    def _has_another(self, component: int, vertex: int, away: set[int], but: int) -> bool:
        """Tell whether a vertex that is away keeps a neighbor in a component when one more is away."""
        return any(other != but and other not in away for other in self.around[vertex][component])

    def _holding(self, component: int, start: int, away: set[int]) -> Iterator[int]:
        """Return the vertices without which a component falls apart that hangs together without those that are away. start: any of the others."""
        numbers, found, queue = {start: 0}, [start], deque([start])
        while queue:
            for other in self.around[queue.popleft()][component]:
                if other not in away and other not in numbers:
                    numbers[other] = len(found)
                    found.append(other)
                    queue.append(other)
        times = [0] * len(found)
        for links in _biconnected([[numbers[other] for other in self.around[vertex][component] if other in numbers] for vertex in found]):
            for number in {number for link in links for number in link}:
                times[number] += 1
        return (vertex for vertex, count in zip(found, times) if count > 1)

    def _whole(self, component: int, vertex: int, away: set[int]) -> bool:
        """Tell whether a component hangs together without those that are away and one more vertex: whether that one's neighbors find each other."""
        ends = [other for other in self.around[vertex][component] if other not in away]
        if len(ends) < 2:
            return True
        # Each end looks around itself, a link at a time; those that meet go on as one. Where they are near each other, as in most networks, that takes few
        # steps; where they are not joined, about as many as the smallest part has links, for each end.
        found = {end: number for number, end in enumerate(ends)}
        group = list(range(len(ends)))
        ahead = [deque([iter(self.around[end][component])]) for end in ends]

        def root(number: int) -> int:
            while group[number] != number:
                group[number] = group[group[number]]
                number = group[number]
            return number

        left, turns = len(ends), deque(group)
        while True:
            here = turns.popleft()
            if group[here] != here:
                continue
            other = next(ahead[here][0], None)
            if other is None:
                ahead[here].popleft()
                if not ahead[here]:
                    return False
            elif other != vertex and other not in away:
                if other not in found:
                    found[other] = here
                    ahead[here].append(iter(self.around[other][component]))
                elif (there := root(found[other])) != here:
                    group[there] = here
                    ahead[here].extend(ahead[there])
                    left -= 1
                    if left == 1:
                        return True
            turns.append(here)


def _biconnected(graph: Sequence[Sequence[int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield the links of each biconnected component of a graph (Hopcroft and Tarjan, Algorithm 447, 1973), without recursion.

    Parameters:
        graph: the neighbors of each vertex.
    """
    number = [-1] * len(graph)
    low = [0] * len(graph)
    count = 0
    for start in range(len(graph)):
        if number[start] >= 0:
            continue
        number[start] = low[start] = count
        count += 1
        path = [(start, -1, iter(graph[start]))]
        links: list[tuple[int, int]] = []
        while path:
            vertex, parent, others = path[-1]
            other = next(others, -1)
            if other < 0:
                path.pop()
                if parent >= 0:
                    low[parent] = min(low[parent], low[vertex])
                    if low[vertex] >= number[parent]:
                        component = [links.pop()]
                        while component[-1] != (parent, vertex):
                            component.append(links.pop())
                        yield component
            elif number[other] < 0:
                number[other] = low[other] = count
                count += 1
                links.append((vertex, other))
                path.append((other, vertex, iter(graph[other])))
            elif other != parent and number[other] < number[vertex]:
                links.append((vertex, other))
                low[vertex] = min(low[vertex], number[other])
