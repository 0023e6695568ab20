# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which of its interfaces each node may have what it learns, once something between is down, too.

A prefix may come over a link when a chain of links with routing leads from its far end to where the prefix comes from, without the node itself. Which nodes
those are is asked only of nodes that hold parts of the network together (articulation points); to any other node everything may come over every link.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.module_utils.prefix_rows import LONGEST
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Container, End, Intent, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.inbound import Inbound
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.propagation import Propagation
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import ospf_parts, session_families

_Origins = Mapping[Prefix, Collection[str]]


class Way(NamedTuple):
    """How a node may have a prefix.

    Attributes:
        interfaces: over which.
        reserves: over which as well: its ends of reserve links.
        next_hops: to which addresses there, where an interface leads to more than one router.
    """

    interfaces: tuple[str, ...]
    reserves: tuple[str, ...]
    next_hops: tuple[str, ...] = ()


class Rows:
    """Prefixes in as few words as can be: subnets of one length that follow each other are one item, their first and last.

    Parameters:
        prefixes: in any order.
    """

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._first: list[Prefix] = []
        self._last: list[Prefix] = []
        for prefix in sorted(prefixes, key=_by_length):
            if self._first and prefix == _next(self._last[-1]) and _number(self._first[-1], prefix) < LONGEST:
                self._last[-1] = prefix
            else:
                self._first.append(prefix)
                self._last.append(prefix)
        self._keys = list(map(_by_length, self._first))
        self.texts = list(map(_row, self._first, self._last))

    def without(self, taken: Iterable[Prefix]) -> list[str]:
        """Return them without some prefixes."""
        split: dict[int, list[Prefix]] = defaultdict(list)
        for prefix in sorted(set(taken), key=_by_length):
            index = bisect_right(self._keys, _by_length(prefix)) - 1
            if index >= 0 and _number(self._first[index], prefix) in range(_number(self._first[index], self._last[index]) + 1):
                split[index].append(prefix)
        if not split:
            return self.texts
        found: list[str] = []
        for index, text in enumerate(self.texts):
            found += _parts(self._first[index], self._last[index], split[index]) if index in split else [text]
        return found


def _by_length(prefix: Prefix) -> tuple[int, int, int]:
    return prefix.version, prefix.length, prefix.value


def _next(prefix: Prefix) -> Prefix:
    return prefix._replace(value=prefix.value + prefix.size)


def _number(first: Prefix, prefix: Prefix) -> int:
    """Return how many subnets after the first one a prefix is; -1 when it is of another family or length."""
    if (first.version, first.length) != (prefix.version, prefix.length):
        return -1
    return (prefix.value - first.value) // first.size


def _row(first: Prefix, last: Prefix) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _parts(first: Prefix, last: Prefix, taken: list[Prefix]) -> Iterator[str]:
    """Yield what is left of a row. taken: in their order."""
    for prefix in taken:
        if first.value < prefix.value:
            yield _row(first, prefix._replace(value=prefix.value - prefix.size))
        first = _next(prefix)
    if first.value <= last.value:
        yield _row(first, last)


@dataclass(slots=True)
class _Graph:
    """One VRF and family.

    Attributes:
        edges: by name, the links with routing of a node, with its own end.
        cuts: names of the nodes that hold parts of it together.
        loopbacks: by name, what OSPF brings of the loopbacks of all nodes that it connects with this one; one object for all of them.
    """

    edges: dict[str, list[tuple[Link, End]]]
    cuts: set[str]
    loopbacks: dict[str, dict[Prefix, tuple[str, ...]]]


class Learned:
    """By which way each node learns what it learns.

    Parameters:
        intent: the numbered intent.
        inbound: what is accepted from which neighbor.
    """

    def __init__(self, intent: Intent, inbound: Inbound) -> None:
        self.propagation = Propagation(intent)
        self._intent, self._inbound = intent, inbound
        self._containers = {item.name: item for item in intent.containers}
        # Prefixes that many nodes share, by the identity of the object, which is kept so that no other one has it.
        self._rows: dict[int, tuple[_Origins, Rows]] = {}
        self._spread: dict[tuple[str, str, frozenset[str], frozenset[int]], set[str]] = {}
        self._graphs = {(vrf, family): self._graph(vrf, family) for vrf in intent.vrfs for family in FAMILIES}

    def _graph(self, vrf: str, family: str) -> _Graph:
        edges: dict[str, list[tuple[Link, End]]] = defaultdict(list)
        for link in sorted(self._intent.links, key=lambda item: item.id):
            if link.vrf == vrf and (family in session_families(link) or (link.routing == "ospf" and family in link.families)):
                for end in link.ends:
                    edges[end.node.name].append((link, end))
        loopbacks: dict[str, dict[Prefix, tuple[str, ...]]] = {}
        for part in ospf_parts(self._intent, vrf, family):
            own: dict[Prefix, tuple[str, ...]] = {
                node.loopback[family].prefix: (node.name,) for node in part if node.vrf == vrf and family in node.loopback
            }
            self._rows[id(own)] = (own, Rows(own))
            loopbacks.update((node.name, own) for node in part)
        return _Graph(dict(edges), _cuts(edges), loopbacks)

    def of_node(self, node: Node, vrf: str, statics: Collection[Prefix] = ()) -> dict[Way, list[str]]:
        """Return what a node learns in a VRF: published prefixes, and the loopbacks that OSPF brings, as `Rows` writes them.

        Parameters:
            statics: prefixes of its static routes there, which it prefers to what it learns.
        """
        found: dict[Way, list[str]] = defaultdict(list)
        for family in FAMILIES:
            own = [*self.propagation.connected(node.name, vrf), *statics]
            if node.vrf == vrf and family in node.loopback:
                own.append(node.loopback[family].prefix)
            for origins in (self._published(node.name, vrf, family), self._graphs[vrf, family].loopbacks.get(node.name, {})):
                for way, rows in self._by_way(node, vrf, family, origins, own):
                    found[way] += rows
        return {way: rows for way, rows in found.items() if rows}

    def of_container(self, container: Container, interface: str) -> dict[Way, list[str]]:
        """Return what a container learns from its gateway. interface: its only one."""
        segment = container.segment
        hops = tuple(segment.addresses[segment.gateway.name][family].bare for family in container.addresses)
        own = self.propagation.connected(container.name, segment.vrf)
        rows = [row for family in container.addresses for row in self._left(self._published(container.name, segment.vrf, family), own)]
        return {Way((interface,), (), hops): rows} if rows else {}

    def _published(self, name: str, vrf: str, family: str) -> _Origins:
        everything = self.propagation.by_all(name, vrf, family)
        if everything is not None:
            if id(everything) not in self._rows:
                self._rows[id(everything)] = (everything, Rows(everything))
            return everything
        return {prefix: route.origins for prefix, route in self.propagation.routes(name, vrf, family)}

    def _left(self, origins: _Origins, taken: Iterable[Prefix]) -> list[str]:
        """Return prefixes without some, as `Rows` writes them."""
        shared = self._rows.get(id(origins))
        return (shared[1] if shared else Rows(origins)).without(taken)

    def _by_way(self, node: Node, vrf: str, family: str, origins: _Origins, own: Collection[Prefix]) -> Iterator[tuple[Way, list[str]]]:
        """Yield prefixes of one family by the way that a node may have them. own: those that it does not learn."""
        graph = self._graphs[vrf, family]
        edges = graph.edges.get(node.name, [])
        hangs = {item.name: item for item in self._intent.containers if item.segment.gateway is node and item.segment.vrf == vrf}
        if not hangs and node.name not in graph.cuts and not any(link.other(end).node.restricted for link, end in edges):
            yield _way(edges), self._left(origins, own)
            return
        over = _Over(node, graph, lambda neighbor: {item.name for item in self._inbound.behind(node, neighbor, vrf)})
        ways: dict[tuple[str, ...], Way] = {}
        found: dict[Way, list[Prefix]] = defaultdict(list)
        left_out = set(own)
        for prefix, names in origins.items():
            if prefix in left_out:
                continue
            key = tuple(names)
            if key not in ways:
                ways[key] = self._way_to(node, key, over, hangs)
            found[ways[key]].append(prefix)
        yield from ((way, Rows(prefixes).texts) for way, prefixes in found.items())

    def _way_to(self, node: Node, origins: Collection[str], over: _Over, hangs: Mapping[str, Container]) -> Way:
        """Return by which way a node may have what comes from one of some origins. hangs: containers that hang on the node."""
        near = [hangs[name] for name in sorted(origins) if name in hangs]
        far = {self._containers[name].segment.gateway.name if name in self._containers else name for name in origins if name not in hangs}
        edges = over.edges_to(far)
        way = _way(edges)
        if not near:
            return way
        hops = tuple(address.bare for item in near for address in item.addresses.values())
        return Way((*dict.fromkeys(item.segment.interface_of(node) for item in near), *way.interfaces), way.reserves, () if edges else hops)

    def towards(self, node: Node, vrf: str, origins: set[str], without: Collection[int] = ()) -> Way:
        """Return over which links a node may have what comes from one of some nodes, whatever its neighbors are held to.

        Parameters:
            without: ids of the links over which it is not advertised.
        """
        edges = []
        for family in FAMILIES:
            graph = self._graphs[vrf, family]
            key = (vrf, family, frozenset(origins), frozenset(without))
            if key not in self._spread:
                self._spread[key] = _spread(graph.edges, origins, without)
            found = _Over(node, graph, lambda neighbor: origins).edges_to(origins)
            edges += [(link, end) for link, end in found if link.id not in without and link.other(end).node.name in self._spread[key]]
        return _way(edges)


class _Over:
    """The links of a node, by what may come over them.

    Parameters:
        node: whose.
        graph: where.
        behind: returns the names of those whose prefixes the node accepts from a restricted neighbor.
    """

    def __init__(self, node: Node, graph: _Graph, behind: Callable[[Node], set[str]]) -> None:
        self._edges = graph.edges.get(node.name, [])
        # Where nothing falls apart without the node, all are on one side.
        self._sides = _sides(node.name, graph.edges) if node.name in graph.cuts else None
        self._by_side: dict[int, list[tuple[Link, End]]] = defaultdict(list)
        self._behind: dict[str, set[str]] = {}
        for link, end in self._edges:
            neighbor = link.other(end).node
            self._by_side[self._side(neighbor.name)].append((link, end))
            if neighbor.restricted and neighbor.name not in self._behind:
                self._behind[neighbor.name] = behind(neighbor)

    def _side(self, name: str) -> int:
        return 0 if self._sides is None else self._sides.get(name, -1)

    def edges_to(self, origins: set[str]) -> list[tuple[Link, End]]:
        """Return the links over which something may come that comes from one of some nodes."""
        sides = sorted({self._side(name) for name in origins})
        return [
            (link, end)
            for side in sides
            for link, end in self._by_side.get(side, ())
            if not self._behind.get(link.other(end).node.name, origins).isdisjoint(origins)
        ]


def _way(edges: Iterable[tuple[Link, End]]) -> Way:
    edges = list(edges)
    return Way(
        tuple(sorted({end.interface for link, end in edges if link.reserve_of is None}, key=natural_order)),
        tuple(sorted({end.interface for link, end in edges if link.reserve_of is not None}, key=natural_order)),
    )


def _spread(edges: Mapping[str, list[tuple[Link, End]]], origins: Iterable[str], without: Collection[int]) -> set[str]:
    """Return the names of the nodes that chains of links lead to from some nodes, of which some links are not."""
    found, left = set(origins), list(origins)
    while left:
        fresh = {link.other(end).node.name for link, end in edges.get(left.pop(), ()) if link.id not in without} - found
        found |= fresh
        left += fresh
    return found


def _sides(name: str, edges: Mapping[str, list[tuple[Link, End]]]) -> dict[str, int]:
    """Return the number of the part that each node is in when one is taken out."""
    found: dict[str, int] = {}
    for number, (link, end) in enumerate(edges.get(name, ())):
        left = [link.other(end).node.name]
        while left:
            here = left.pop()
            if here not in found and here != name:
                found[here] = number
                left += [one.other(own).node.name for one, own in edges[here]]
    return found


def _cuts(edges: Mapping[str, list[tuple[Link, End]]]) -> set[str]:
    """Return the nodes without which a connected part falls apart (Tarjan's articulation points), without recursion."""
    found: set[str] = set()
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    for root in edges:
        if root in order:
            continue
        order[root] = lowest[root] = len(order)
        branches = 0
        stack: list[tuple[str, str, Iterator[str]]] = [(root, "", _neighbors(edges, root))]
        while stack:
            here, parent, left = stack[-1]
            for name in left:
                if name not in order:
                    order[name] = lowest[name] = len(order)
                    stack.append((name, here, _neighbors(edges, name)))
                    break
                if name != parent:
                    lowest[here] = min(lowest[here], order[name])
            else:
                stack.pop()
                if parent:
                    lowest[parent] = min(lowest[parent], lowest[here])
                    if parent == root:
                        branches += 1
                    elif lowest[here] >= order[parent]:
                        found.add(parent)
        if branches > 1:
            found.add(root)
    return found


def _neighbors(edges: Mapping[str, list[tuple[Link, End]]], name: str) -> Iterator[str]:
    return iter(dict.fromkeys(link.other(end).node.name for link, end in edges[name]))
