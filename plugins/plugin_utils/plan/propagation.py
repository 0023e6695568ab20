# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which node learns which published prefix, once every link is up and every session has told what it knows.

Most networks need no computation. Where each AS of a connected part speaks in full with itself (each of its BGP speakers with each other one, or each as
a client with a route reflector, and the reflectors with each other), every member learns everything: an AS that has a prefix has it at every border, and a
neighboring AS refuses it only when its own number is in the path (RFC 4271, 9), so that it had it before. A router that is not trusted changes nothing of
that, since what its neighbors do not take from it reaches them over others (`inbound`). Of what is left, each prefix is followed from router to router, as
BGP chooses (RFC 4271, 9.1) and hands on (RFC 4456).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES, FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.inbound import Inbound
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import (
    PLAIN_PREFERENCE,
    border_sessions,
    ospf_parts,
    preference,
    reflects,
    session_families,
)

Reason = Literal["session", "reflector", "loop", "borders", "filter"]
"""Why a prefix goes no further: no session; iBGP that is not passed on; the own number in the AS path; borders of a site without a session; a filter."""
# So often each session may change what it says about a prefix before that counts as never coming to rest.
_CHANGES = 50


@dataclass(frozen=True, slots=True)
class Route:
    """A published prefix that a node learns.

    Attributes:
        origins: names of the nodes and containers at which it may come into the network.
        protocol: ``bgp``, ``ospf`` or ``ospf6``; none where BGP and OSPF both bring it and what is up decides.
    """

    origins: tuple[str, ...]
    protocol: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A published prefix that a node never learns although links with routing join it to where the prefix comes from.

    Attributes:
        origins: where it comes from.
        learner: who never learns it.
        holder, beyond: the last on the way that has it, and the next one, who does not.
        source: from whom the holder has it; empty if that says nothing.
        link: between the two; none for a session that is not that of a link.
    """

    vrf: str
    prefix: Prefix
    origins: tuple[str, ...]
    learner: str
    reason: Reason
    holder: str
    beyond: str
    source: str
    link: Link | None


class _Hop(NamedTuple):
    """One direction of a session, seen from who sends.

    Attributes:
        internal: both ends are of one AS.
        client: the neighbor is a client of the sender, a route reflector.
        preference: the local preference that the neighbor gives; 0 for what comes with the route, or else the usual one.
    """

    neighbor: str
    internal: bool
    client: bool
    preference: int


class _Path(NamedTuple):
    """A route in the BGP table of a router; the fields in the order in which they decide (RFC 4271, 9.1.2).

    Attributes:
        local: it begins here.
        preference: local preference.
        shortness: number of ASes, negative.
        external: it came over eBGP, or begins here.
        sender: from whom it came.
        asns: AS path.
        passed: who has reflected it, and who brought it into the AS.
    """

    local: bool
    preference: int
    shortness: int
    external: bool
    sender: str
    asns: tuple[int, ...]
    passed: frozenset[str]


_OWN = _Path(True, PLAIN_PREFERENCE, 0, True, "", (), frozenset())


@dataclass(slots=True)
class _Table:
    """One VRF and family: who speaks with whom.

    Attributes:
        asns: AS numbers of the BGP speakers, containers among them.
        hops: their sessions.
        igp: OSPF routers, with the number of the part of the network that OSPF connects.
        parts: the members of each such part.
        joined: by name, those that a link with routing leads to, with that link; none between a gateway and its container.
        members: the connected parts of all that, and the number of each router's.
        broken: numbers of connected parts in which something may not reach everybody.
        origins: by prefix, where it comes into the network.
        connected: by prefix, who has it on an interface of its own.
    """

    asns: dict[str, int] = field(default_factory=dict)
    hops: dict[str, list[_Hop]] = field(default_factory=lambda: defaultdict(list))
    igp: dict[str, int] = field(default_factory=dict)
    parts: list[list[str]] = field(default_factory=list)
    joined: dict[str, dict[str, Link | None]] = field(default_factory=lambda: defaultdict(dict))
    members: list[list[str]] = field(default_factory=list)
    number: dict[str, int] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    origins: dict[Prefix, list[str]] = field(default_factory=lambda: defaultdict(list))
    connected: dict[Prefix, set[str]] = field(default_factory=lambda: defaultdict(set))

    def speaks(self, name: str) -> bool:
        """Tell whether a router advertises what it has: by BGP or OSPF."""
        return name in self.asns or name in self.igp


class Propagation(Mapping[tuple[str, str], Mapping[Prefix, Route]]):
    """What each node learns in each VRF: by the name of the node, or of a container, and that of the VRF, the routes by prefix.

    Of nodes of which the plan does not know everything, such as unmanaged ones, it is what they learn if they do what the plan says. What a GoBGP box may
    steer is no published prefix, and what a node has on an interface of its own it learns from nobody. Routes are made when they are asked for: in a large
    network they are many.

    Parameters:
        intent: the numbered intent, without mistakes in nodes and links.
    """

    def __init__(self, intent: Intent) -> None:
        self._intent = intent
        self._containers = {item.name: item for item in intent.containers}
        self._tables = {(vrf, family): _Table() for vrf in intent.vrfs for family in FAMILIES}
        self._add_links()
        self._add_borders()
        self._add_containers()
        self._add_origins()
        for (vrf, family), table in self._tables.items():
            self._add_ospf(table, vrf, family)
            _connect(table)
            table.broken = {index for index, names in enumerate(table.members) if not self._complete(table, names)}
        self._settled: dict[tuple[str, str, int, frozenset[str]], dict[str, _Path]] = {}

    def __getitem__(self, key: tuple[str, str]) -> dict[Prefix, Route]:
        name, vrf = key
        if key not in self._keys:
            raise KeyError(key)
        inside = self._containers[name].segment.vrf if name in self._containers else vrf
        return {prefix: route for family in FAMILIES for prefix, route in self.routes(name, inside, family)}

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @cached_property
    def _keys(self) -> dict[tuple[str, str], None]:
        """Those that learn anything: whoever speaks a protocol in a VRF."""
        names = {(name, vrf) for (vrf, _family), table in self._tables.items() for name in table.number if table.speaks(name)}
        return {(name, "" if name in self._containers else vrf): None for name, vrf in sorted(names)}

    def routes(self, name: str, vrf: str, family: str) -> Iterator[tuple[Prefix, Route]]:
        """Yield what a node, or a container in the VRF of its gateway, learns of a family."""
        for prefix in self._tables[vrf, family].origins:
            route = self._route(name, vrf, family, prefix)
            if route is not None:
                yield prefix, route

    def route(self, name: str, vrf: str, prefix: Prefix) -> Route | None:
        """Return what a node learns of one prefix in a VRF; none if it does not learn it."""
        return self._route(name, vrf, FAMILY[prefix.version], prefix)

    def _route(self, name: str, vrf: str, family: str, prefix: Prefix) -> Route | None:
        table = self._tables[vrf, family]
        part = table.number.get(name)
        if part is None or name in table.connected.get(prefix, ()):
            return None
        near = tuple(origin for origin in table.origins.get(prefix, ()) if table.number.get(origin) == part and table.speaks(origin))
        if not near or name not in self._reached(vrf, family, part, near):
            return None
        return Route(near, _protocol(table, name, near, family))

    def _reached(self, vrf: str, family: str, part: int, origins: Iterable[str]) -> Iterable[str]:
        """Return who has a prefix of some origins in a connected part in the end."""
        table = self._tables[vrf, family]
        if part not in table.broken:
            return table.number
        best = self._follow(vrf, family, part, frozenset(origins))
        areas = {table.igp[name] for name in (*best, *origins) if name in table.igp}
        return {*best, *origins, *(name for area in areas for name in table.parts[area])}

    def _follow(self, vrf: str, family: str, part: int, origins: frozenset[str]) -> dict[str, _Path]:
        key = (vrf, family, part, origins)
        if key not in self._settled:
            self._settled[key] = self._settle(self._tables[vrf, family], vrf, origins)
        return self._settled[key]

    def _settle(self, table: _Table, vrf: str, origins: frozenset[str]) -> dict[str, _Path]:
        """Follow a prefix through BGP. Returns the best path of each speaker that has one.

        What OSPF brings without a tag begins anew at each border, so OSPF hands nothing from one BGP speaker to the next.
        """
        areas = {table.igp[name] for name in origins if name in table.igp}
        starts = [name for name in table.asns if name in origins or table.igp.get(name) in areas]
        best: dict[str, _Path] = dict.fromkeys(starts, _OWN)
        heard: dict[str, dict[str, _Path]] = defaultdict(dict)
        queue, left = deque(starts), _CHANGES * sum(map(len, table.hops.values()))
        while queue and left > 0:
            name = queue.popleft()
            for hop in table.hops[name]:
                left -= 1
                offer = self._offer(table, vrf, name, best.get(name), hop, origins)
                if offer == heard[hop.neighbor].get(name):
                    continue
                if offer is None:
                    del heard[hop.neighbor][name]
                else:
                    heard[hop.neighbor][name] = offer
                own = [_OWN] if hop.neighbor in starts else []
                chosen = max([*own, *heard[hop.neighbor].values()], default=None)
                if chosen != best.get(hop.neighbor):
                    if chosen is None:
                        del best[hop.neighbor]
                    else:
                        best[hop.neighbor] = chosen
                    queue.append(hop.neighbor)
        return best

    def _offer(self, table: _Table, vrf: str, name: str, path: _Path | None, hop: _Hop, origins: frozenset[str]) -> _Path | None:
        """Return what a neighbor makes of a router's best path; none if that is not sent, or refused."""
        if path is None or path.sender == hop.neighbor or not self._accepts(hop.neighbor, name, vrf, origins):
            return None
        if hop.internal:
            passed = path.passed
            if not path.external:
                if not (hop.client or _is_client(table, name, path.sender)):
                    return None
                passed = passed | {name, path.sender}
            if hop.neighbor in passed:
                return None
            return _Path(False, hop.preference or path.preference, path.shortness, False, name, path.asns, passed)
        asns = (table.asns[name], *path.asns)
        if table.asns[hop.neighbor] in asns:
            return None
        return _Path(False, hop.preference or PLAIN_PREFERENCE, -len(asns), True, name, asns, frozenset())

    def _accepts(self, node: str, neighbor: str, vrf: str, origins: frozenset[str]) -> bool:
        """Tell whether a node accepts a prefix from a neighbor, who may be held to what lies behind it."""
        if neighbor in self._containers:
            return neighbor in origins
        nodes = self._intent.nodes
        if node in self._containers or not nodes[neighbor].restricted:
            return True
        behind = self._behind.get((node, neighbor, vrf))
        if behind is None:
            found = self._inbound.behind(nodes[node], nodes[neighbor], vrf)
            behind = self._behind[node, neighbor, vrf] = {item.name for item in found}
        return any((self._containers[name].segment.gateway.name if name in self._containers else name) in behind for name in origins)

    @cached_property
    def _inbound(self) -> Inbound:
        return Inbound(self._intent)

    @cached_property
    def _behind(self) -> dict[tuple[str, str, str], set[str]]:
        return {}

    def by_all(self, name: str, vrf: str, family: str) -> Mapping[Prefix, tuple[str, ...]] | None:
        """Return what everybody in the connected part of a router has of a family, with its origins; one object for all of them.

        None where something does not reach everybody.
        """
        table = self._tables[vrf, family]
        part = table.number.get(name, -1)
        if part in table.broken:
            return None
        key = (vrf, family, part)
        if key not in self._by_all:
            near = ((prefix, tuple(one for one in origins if table.number.get(one) == part)) for prefix, origins in table.origins.items())
            self._by_all[key] = {prefix: origins for prefix, origins in near if origins}
        return self._by_all[key]

    def connected(self, name: str, vrf: str) -> Collection[Prefix]:
        """Return the published prefixes that a router has on an interface of its own in a VRF."""
        return self._connected.get((name, vrf), ())

    @cached_property
    def _by_all(self) -> dict[tuple[str, str, int], dict[Prefix, tuple[str, ...]]]:
        return {}

    @cached_property
    def _connected(self) -> dict[tuple[str, str], list[Prefix]]:
        found: dict[tuple[str, str], list[Prefix]] = defaultdict(list)
        for (vrf, _family), table in self._tables.items():
            for prefix, names in table.connected.items():
                for name in sorted(names):
                    found[name, vrf].append(prefix)
        return dict(found)

    def gaps(self) -> Iterator[Gap]:
        """Yield what does not reach everybody whom links with routing join to where it comes from."""
        for (vrf, family), table in self._tables.items():
            for prefix, origins in table.origins.items() if table.broken else ():
                for part in sorted({table.number[name] for name in origins if name in table.number} & table.broken):
                    near = tuple(name for name in origins if table.number.get(name) == part and table.speaks(name))
                    has = set(self._reached(vrf, family, part, near)) if near else set()
                    missing = [name for name in table.members[part] if name not in has and name not in table.connected[prefix]]
                    if near and missing:
                        yield from self._gaps_of(vrf, family, prefix, near, has)

    def _gaps_of(self, vrf: str, family: str, prefix: Prefix, origins: tuple[str, ...], has: set[str]) -> Iterator[Gap]:
        """Yield a gap for each that lacks a prefix, with the nearest place where it goes no further."""
        table = self._tables[vrf, family]
        best = self._follow(vrf, family, table.number[origins[0]], frozenset(origins))
        part = table.members[table.number[origins[0]]]
        queue = deque((holder, name, name) for holder in part if holder in has for name in table.joined[holder] if name not in has)
        seen: set[str] = set()
        while queue:
            holder, beyond, learner = queue.popleft()
            if learner in seen:
                continue
            seen.add(learner)
            if learner not in table.connected[prefix]:
                reason, source = _reason(table, holder, beyond, best)
                yield Gap(vrf, prefix, origins, learner, reason, holder, beyond, source, table.joined[holder][beyond])
            queue += ((holder, beyond, name) for name in table.joined[learner] if name not in has and name not in seen)

    def unheard(self) -> Iterator[tuple[str, str, Prefix]]:
        """Yield node, VRF and prefix of what is published where its node speaks neither BGP nor OSPF, so that nobody ever learns it."""
        for (vrf, _family), table in self._tables.items():
            for prefix, origins in table.origins.items():
                yield from ((name, vrf, prefix) for name in origins if not table.speaks(name))

    def _add_links(self) -> None:
        settings = self._intent.settings.bgp
        for link in self._intent.links:
            if link.routing not in ("bgp", "ospf"):
                continue
            first, second = (end.node for end in link.ends)
            spoken = session_families(link)
            given = preference(link, settings.reserve_preference)
            for family in link.families:
                table = self._tables[link.vrf, family]
                table.joined[first.name].setdefault(second.name, link)
                table.joined[second.name].setdefault(first.name, link)
                if family in spoken:
                    _speak(table, first, second, 0 if given == PLAIN_PREFERENCE else given)

    def _add_borders(self) -> None:
        for session in border_sessions(self._intent):
            for family in session.families:
                _speak(self._tables[session.vrf, family], session.first, session.second, 0, borders=True)

    def _add_containers(self) -> None:
        for container in self._intent.containers:
            gateway = container.segment.gateway
            for family in container.addresses:
                table = self._tables[container.segment.vrf, family]
                table.joined[gateway.name][container.name] = table.joined[container.name][gateway.name] = None
                table.asns[container.name], table.asns[gateway.name] = container.asn, gateway.asn or 0
                table.hops[gateway.name].append(_Hop(container.name, internal=False, client=False, preference=0))
                table.hops[container.name].append(_Hop(gateway.name, internal=False, client=False, preference=0))

    def _add_origins(self) -> None:
        intent = self._intent
        for node in intent.nodes.values():
            for network in node.networks:
                for address in network.addresses.values() if network.published else ():
                    self._add_origin(network.vrf, address.prefix, node.name, [node.name])
        for segment in intent.segments:
            there = [node.name for node in segment.members] + [item.name for item in intent.containers if item.segment is segment]
            for prefix in segment.prefixes.values() if segment.options.published else ():
                self._add_origin(segment.vrf, prefix, segment.gateway.name, there)
        for container in intent.containers:
            for address, _path in container.networks:
                self._add_origin(container.segment.vrf, address.prefix, container.name, [container.name])
        dns = intent.settings.services.dns
        for name in sorted(intent.dns_nodes):
            for text in dns.addresses().values() if dns is not None else ():
                self._add_origin(intent.nodes[name].vrf, parse_address(text).prefix, name, [name])

    def _add_origin(self, vrf: str, prefix: Prefix, name: str, there: Iterable[str]) -> None:
        table = self._tables[vrf, FAMILY[prefix.version]]
        if name not in table.origins[prefix]:
            table.origins[prefix].append(name)
        table.connected[prefix].update(there)

    def _add_ospf(self, table: _Table, vrf: str, family: str) -> None:
        table.parts = [[node.name for node in part] for part in ospf_parts(self._intent, vrf, family)]
        table.igp = {name: index for index, names in enumerate(table.parts) for name in names}

    def _complete(self, table: _Table, names: list[str]) -> bool:
        """Tell whether everybody in a connected part learns everything, for the reasons that the head of this module gives."""
        groups: dict[int, list[str]] = defaultdict(list)
        for name in names:
            if name in table.asns:
                groups[table.asns[name]].append(name)
            elif name not in table.igp:
                return False
            neighbors = {hop.neighbor for hop in table.hops.get(name, ())}
            if any(other not in neighbors and table.igp.get(name, -1) != table.igp.get(other, -2) for other in table.joined[name]):
                return False
        for area in {table.igp[name] for name in names if name in table.igp}:
            if len({table.asns[name] for name in table.parts[area] if name in table.asns}) > 1:
                return False
        return all(self._in_full(table, group) for group in groups.values() if len(group) > 1)

    def _in_full(self, table: _Table, group: list[str]) -> bool:
        """Tell whether the speakers of an AS tell each other everything: each speaks with each, or reflectors do, and each other one is a client of one."""
        if any(name in self._containers or self._intent.nodes[name].restricted for name in group):
            return False
        core = {name for name in group if any(hop.client for hop in table.hops[name])} or set(group)
        meshed = all(core <= {hop.neighbor for hop in table.hops[name] if hop.internal} | {name} for name in core)
        return meshed and core | {hop.neighbor for name in core for hop in table.hops[name] if hop.client} >= set(group)


def learned(intent: Intent) -> Propagation:
    """Return which node learns which published prefix. intent: the numbered intent, without mistakes in nodes and links."""
    return Propagation(intent)


def _speak(table: _Table, first: Node, second: Node, given: int, *, borders: bool = False) -> None:
    """Add both directions of a session. given: the local preference for what comes in, 0 for none. borders: it is one between borders of a site."""
    internal = first.asn == second.asn
    for node, other in ((first, second), (second, first)):
        table.asns[node.name] = node.asn or 0
        table.hops[node.name].append(_Hop(other.name, internal, internal and reflects(node, other, borders=borders), given))


def _connect(table: _Table) -> None:
    """Number the connected parts."""
    for name in table.joined:
        if name in table.number:
            continue
        found, left = {name: None}, [name]
        while left:
            fresh = {other: None for other in table.joined[left.pop()] if other not in found}
            found |= fresh
            left += fresh
        table.number |= dict.fromkeys(found, len(table.members))
        table.members.append(list(found))


def _is_client(table: _Table, name: str, neighbor: str) -> bool:
    return any(hop.client and hop.neighbor == neighbor for hop in table.hops[name])


def _protocol(table: _Table, name: str, origins: Iterable[str], family: str) -> str | None:
    """Return the protocol by which a router has a route in its table.

    A border takes what comes from its own site from OSPF; of the rest, its own eBGP wins over OSPF, which brings what another border has, and that over iBGP.
    """
    area = table.igp.get(name)
    if area is None:
        return "bgp"
    ospf = "ospf" if family == "ipv4" else "ospf6"
    if name not in table.asns:
        return ospf
    if any(table.igp.get(origin) == area for origin in origins):
        # eBGP beside OSPF, inside of the site.
        return None if any(not hop.internal and table.igp.get(hop.neighbor) == area for hop in table.hops[name]) else ospf
    return None if any(other in table.asns for other in table.parts[area] if other != name) else "bgp"


def _reason(table: _Table, holder: str, beyond: str, best: Mapping[str, _Path]) -> tuple[Reason, str]:
    """Return why a prefix does not come from one router to the next, and from whom the first one has it."""
    hop = next((item for item in table.hops.get(holder, ()) if item.neighbor == beyond), None)
    if hop is None:
        return "session", ""
    path = best.get(holder)
    if path is None:
        return "borders", next((name for name in table.parts[table.igp[holder]] if name in best), "")
    if hop.internal and not path.external:
        return "reflector", path.sender
    if not hop.internal and table.asns[beyond] in (table.asns[holder], *path.asns):
        return "loop", path.sender
    return "filter", path.sender
