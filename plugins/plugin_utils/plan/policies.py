# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be advertised to whom: the prefix lists and route maps of the plan. Link prefixes are in none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict
from zlib import crc32

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrPrefixList,
    FrrPrefixListEntry,
    FrrRouteMap,
    FrrRouteMapEntry,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, EVERYTHING, FAMILIES, FAMILY, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    PUBLISHED_RELATIONS,
    Container,
    Intent,
    Node,
    PrefixRange,
    Route,
    Segment,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import Steering

PUBLISHED = "PUBLISHED"
LOOPBACKS = "LOOPBACKS"
IGP = "IGP"
BGP_TO_OSPF = "BGP-TO-OSPF"
OSPF_TO_BGP = "OSPF-TO-BGP"
STEERING = "STEERING-{name}"
# PUBLISHED without what is steered at the moment.
UNSTEERED = "UNSTEERED"
NOTHING = "NOTHING"
ANYCAST = "ANYCAST"
# What another border of the site brings.
BORDER = "BORDER"
CONTAINER = "CONTAINER-{name}"
# What is accepted from, and advertised to, the neighbor behind an interface, where it is not all that is published.
FROM, TO = "FROM-{interface}", "TO-{interface}"
# Behind OSPF (110), before iBGP (200).
ANYCAST_DISTANCE = 115
# Of eBGP, for iBGP from beyond the site.
OUTER_DISTANCE = 20
# Marks in OSPF what came from BGP (its port), so that no border of the site takes it for the site's own and advertises it back.
BGP_TAG = 179
# What a route got from a GoBGP box carries, through BGP, the table and OSPF.
STEERING_TAG = 1000
# What a person's static routes bring into OSPF in a VRF, and what the default route of an exit brings into BGP.
ROUTES = "ROUTES-{vrf}"
EXITS, RESERVE_EXITS = "EXITS", "EXITS-IN-RESERVE"
# Behind eBGP (20), OSPF (110) and iBGP (200): the default route of an exit in reserve waits until no other one is heard of.
RESERVE_DISTANCE = 210
# Less than anything that is heard of from others, so that a node whose own exit is in reserve believes them.
_YIELDS = ["local-preference 0", "weight 0"]
# Sequence numbers of PUBLISHED come from ids, so that a network more or less moves no other line.
_POOL, _ANYCAST, _EXIT = 1, 2, 3
_MANY_NETWORKS, _STEERED, _SEGMENTS, _CONTAINERS, _VRF_POOLS = 1_000_000, 1_000_000_000, 2_000_000_000, 2_500_000_000, 3_000_000_000
_NEIGHBORS, _ROUTES = 2_700_000_000, 2_850_000_000


def network_sequence(node_id: int, network_id: int) -> int:
    """Return the number of the line for a node's network: ten lines a node, and a thousand more further up."""
    return 10 * node_id + network_id if network_id < 10 else _MANY_NETWORKS + 1000 * node_id + network_id


@dataclass(frozen=True, slots=True)
class Origin:
    """A prefix that comes into the network at a node: its own, or of what hangs on it.

    Attributes:
        vrf: where it is advertised.
        number: that of its line, or, with `by_prefix`, where the numbers of lines like it begin.
        by_prefix: the prefix decides the number, since nothing else about it is lasting.
        in_pool: the line of a network pool may stand for it.
        parts: any part of it may be advertised as well.
        lengths: of the parts that may be advertised instead, shortest and longest, where a person has chosen them.
        brought_by: the relation of the external neighbor that may bring it; empty for what the plan itself has.
    """

    vrf: str
    prefix: Prefix
    number: int
    by_prefix: bool = False
    in_pool: bool = False
    parts: bool = False
    lengths: tuple[int, int] | None = None
    brought_by: str = ""


Lines = dict[str, list[FrrPrefixListEntry]]


def origins(intent: Intent, *, leaks: bool = True) -> dict[str, list[Origin]]:
    """Return what comes into the network at each node, by the node's name.

    Parameters:
        leaks: what comes into a VRF out of another one, too.
    """
    found: dict[str, list[Origin]] = {
        node.name: [
            Origin(network.vrf, address.prefix, network_sequence(node.id, network.id), in_pool=True)
            for network in node.networks
            if network.published
            for address in network.addresses.values()
        ]
        for node in intent.nodes.values()
    }
    for node in intent.nodes.values():
        found[node.name] += [
            Origin(route.vrf, route.prefix, _ROUTES, by_prefix=True, in_pool=True)
            for route in node.routes
            if route.published and (leaks or route.next_hop_vrf is None)
        ]
    for item in intent.exits:
        found[item.node.name] += [Origin(item.vrf, parse_prefix(EVERYTHING[family]), _EXIT) for family in item.gateways()]
    for segment in intent.segments:
        if segment.options.published:
            number = _SEGMENTS + segment.id
            found[segment.gateway.name] += [Origin(segment.vrf, prefix, number) for prefix in segment.prefixes.values()]
    for container in intent.containers:
        found[container.segment.gateway.name] += _of_container(container)
    dns = intent.settings.services.dns
    for name in sorted(intent.dns_nodes):
        for text in dns.addresses().values() if dns is not None else ():
            found[name].append(Origin(intent.nodes[name].vrf, parse_address(text).prefix, _ANYCAST))
    for box in intent.settings.services.steering.values():
        found[box.router] += _of_box(box, intent.nodes[box.router].vrf)
    for neighbor in intent.neighbors:
        if neighbor.relation in PUBLISHED_RELATIONS:
            found[neighbor.node.name] += of_ranges(neighbor.accept or (), neighbor.vrf, neighbor.relation)
    return found


def of_ranges(ranges: Iterable[PrefixRange], vrf: str, relation: str = "") -> list[Origin]:
    """Return what an external neighbor may bring. Parameters: what is accepted from it; the VRF of its session; its relation."""
    return [
        Origin(
            vrf,
            item.prefix,
            _NEIGHBORS,
            by_prefix=True,
            lengths=None if item.lengths == (item.prefix.length, item.prefix.length) else item.lengths,
            brought_by=relation,
        )
        for item in ranges
    ]


def _of_container(container: Container) -> list[Origin]:
    prefixes = sorted({address.prefix for address, _path in container.networks})
    return [Origin(container.segment.vrf, prefix, _CONTAINERS, by_prefix=True, in_pool=True) for prefix in prefixes]


def _of_box(box: Steering, vrf: str) -> list[Origin]:
    return [Origin(vrf, parse_prefix(text), _STEERED, by_prefix=True, parts=True) for text in sorted(set(box.prefixes))]


def lines_of(found: Iterable[Origin]) -> Lines:
    """Return a line for each prefix by family, in the order of their numbers."""
    lines: dict[str, dict[int, FrrPrefixListEntry]] = {family: {} for family in FAMILIES}
    # What has a lasting number goes first: what a leak brings into another VRF is the prefix of a network.
    for origin in sorted(found, key=lambda item: item.by_prefix):
        family, longest = FAMILY[origin.prefix.version], BITS[origin.prefix.version]
        entry: FrrPrefixListEntry = {"seq": origin.number, "action": "permit", "prefix": str(origin.prefix)}
        if origin.parts and origin.prefix.length < longest:
            entry["le"] = longest
        if origin.lengths is not None:
            entry |= _lengths(origin.prefix, origin.lengths)
        if origin.by_prefix and origin.number == _ROUTES and any(_permits_alike(line, entry) for line in lines[family].values()):
            continue
        if origin.by_prefix:
            entry["seq"] = _number_by_prefix(lines[family], entry)
        lines[family][entry["seq"]] = entry
    return _in_order(lines)


def _permits_alike(one: FrrPrefixListEntry, other: FrrPrefixListEntry) -> bool:
    """Tell whether two lines permit the same but for their number."""
    return {**one, "seq": 0} == {**other, "seq": 0}


def _in_order(lines: dict[str, dict[int, FrrPrefixListEntry]]) -> Lines:
    return {family: [found[number] for number in sorted(found)] for family, found in lines.items()}


class _Lengths(TypedDict, total=False):
    """The lengths of a line of a prefix list."""

    ge: int
    le: int


def _lengths(prefix: Prefix, lengths: tuple[int, int]) -> _Lengths:
    """Return the lengths of a line as FRR prints them: not those that go without saying."""
    shortest, longest = lengths
    found: _Lengths = {}
    if shortest > prefix.length:
        found["ge"] = shortest
    if longest < BITS[prefix.version] or "ge" not in found:
        found["le"] = longest
    return found


def _number_by_prefix(lines: dict[int, FrrPrefixListEntry], entry: FrrPrefixListEntry) -> int:
    said = " ".join([entry["prefix"], *(f"{key} {entry[key]}" for key in ("ge", "le") if key in entry and entry["seq"] == _NEIGHBORS)])
    number = entry["seq"] + crc32(said.encode()) % 100_000_000
    while number in lines and {**lines[number], "seq": 0} != {**entry, "seq": 0}:
        number += 1
    return number


def published_entries(intent: Intent, found: Mapping[str, list[Origin]]) -> Lines:
    """Return the lines of the prefix list PUBLISHED by family, in the order of their numbers.

    A network pool needs one line for all its subnets; networks with addresses of their own, segments and anycast addresses have one each.

    Parameters:
        intent: the intent.
        found: as `origins` returns it.
    """
    pools: dict[str, list[tuple[Prefix, int]]] = {family: [] for family in FAMILIES}
    lines: dict[str, dict[int, FrrPrefixListEntry]] = {family: {} for family in FAMILIES}
    for vrf in intent.vrfs.values():
        for family, pool in vrf.pools.networks.items():
            length = vrf.pools.network_length[family]
            number = _POOL if vrf.pools is intent.vrfs[""].pools else _VRF_POOLS + vrf.table % 1_000_000_000
            lines[family][number] = _pool_line(number, pool, length)
            pools[family].append((pool, length))

    def is_covered(origin: Origin) -> bool:
        prefix = origin.prefix
        return origin.in_pool and any(prefix.length == length and pool.holds(prefix) for pool, length in pools[FAMILY[prefix.version]])

    own = lines_of(origin for node in found.values() for origin in node if not is_covered(origin))
    for family, entries in own.items():
        lines[family].update((entry["seq"], entry) for entry in entries)
    return _in_order(lines)


def steering_entries(box: Steering) -> Lines:
    """Return the lines of the prefix list of a GoBGP box by family: what it may steer, and any part of it."""
    return lines_of(_of_box(box, ""))


def container_entries(container: Container) -> Lines:
    """Return the lines of the prefix list of a container by family: what it may advertise to its gateway."""
    return lines_of(_of_container(container))


def _add(lines: dict[int, FrrPrefixListEntry], number: int, prefix: str) -> None:
    lines[number] = {"seq": number, "action": "permit", "prefix": prefix}


def _pool_line(number: int, pool: Prefix, length: int) -> FrrPrefixListEntry:
    line: FrrPrefixListEntry = {"seq": number, "action": "permit", "prefix": str(pool)}
    if length > pool.length:
        line |= {"ge": length, "le": length}
    return line


def loopback_entries(intent: Intent) -> dict[str, list[FrrPrefixListEntry]]:
    """Return the lines of the prefix list LOOPBACKS by family: what OSPF may install besides the published networks."""
    lines: dict[str, dict[int, FrrPrefixListEntry]] = {family: {} for family in FAMILIES}
    for vrf in intent.vrfs.values():
        for family, pool in vrf.pools.loopbacks.items():
            number = _POOL if vrf.pools is intent.vrfs[""].pools else _VRF_POOLS + vrf.table % 1_000_000_000
            lines[family][number] = _pool_line(number, pool, BITS[VERSION[family]])
    for node in intent.nodes.values():
        pools = intent.vrfs[node.vrf].pools.loopbacks if node.vrf in intent.vrfs else {}
        for family, address in node.loopback.items():
            if family not in pools or not pools[family].holds(address.prefix):
                _add(lines[family], network_sequence(node.id, 0), str(address))
    return {family: [found[number] for number in sorted(found)] for family, found in lines.items()}


def prefix_lists(name: str, entries: dict[str, list[FrrPrefixListEntry]]) -> list[FrrPrefixList]:
    """Return a prefix list for each family that has lines. IPv4 is the role's default family and is not named."""
    found: list[FrrPrefixList] = []
    for family, lines in entries.items():
        if lines:
            found.append({"name": name, "entries": lines} if family == "ipv4" else {"name": name, "family": family, "entries": lines})
    return found


def route_map(name: str, lists: list[FrrPrefixList], changes: list[str]) -> FrrRouteMap:
    """Return a route map that lets the given prefix lists pass. Without a list it lets nothing pass."""
    entries: list[FrrRouteMapEntry] = []
    for index, item in enumerate(lists):
        words = "ipv6 address" if item.get("family") == "ipv6" else "ip address"
        entry: FrrRouteMapEntry = {"seq": 10 * (index + 1), "action": "permit", "match": [f"{words} prefix-list {item['name']}"]}
        if changes:
            entry["set"] = changes
        entries.append(entry)
    return {"name": name, "entries": entries or [{"seq": 10, "action": "deny"}]}


def exchange_maps(lists: list[FrrPrefixList], *, steered: bool, several: bool) -> list[FrrRouteMap]:
    """Return the route maps between BGP and OSPF on a border: published networks pass, in each direction once.

    Parameters:
        lists: the prefix lists PUBLISHED.
        steered: there are GoBGP boxes, whose routes keep their own tag.
        several: the site has other borders. What comes from them they advertise in OSPF themselves.
    """
    into_igp, out_of_igp = route_map(BGP_TO_OSPF, lists, [f"tag {BGP_TAG}"]), route_map(OSPF_TO_BGP, lists, [])
    if steered:
        kept: list[FrrRouteMapEntry] = [
            {"seq": entry["seq"] // 10, "action": entry["action"], "match": [f"tag {STEERING_TAG}", *entry.get("match", [])]}
            for entry in into_igp["entries"]
        ]
        into_igp["entries"] = kept + into_igp["entries"]
    if several:
        entry: FrrRouteMapEntry = {"seq": 5, "action": "deny", "description": "from another border", "match": [f"tag {BGP_TAG}"]}
        into_igp["entries"] = sorted([entry, *into_igp["entries"]], key=lambda item: item["seq"])
    tags = [BGP_TAG, STEERING_TAG] if steered else [BGP_TAG]
    refused: list[FrrRouteMapEntry] = [
        {"seq": 5 + index, "action": "deny", "description": "came from BGP", "match": [f"tag {tag}"]} for index, tag in enumerate(tags)
    ]
    out_of_igp["entries"] = refused + out_of_igp["entries"]
    return [into_igp, out_of_igp]


def session_map(name: str, lists: list[FrrPrefixList], changes: list[str], next_hops: dict[str, str]) -> FrrRouteMap:
    """Return the route map for what comes in over a session between loopbacks.

    Parameters:
        name, lists, changes: as in `route_map`.
        next_hops: the neighbor's address on the link by family. With it as next hop a route needs no second look-up, that of the loopback.
    """
    found = route_map(name, lists, changes)
    for entry, item in zip(found["entries"], lists):
        family = item.get("family", "ipv4")
        if family in next_hops:
            words = "ip next-hop" if family == "ipv4" else "ipv6 next-hop global"
            entry["set"] = [f"{words} {next_hops[family]}", *changes]
    return found


def anycast_entries(intent: Intent) -> dict[str, list[FrrPrefixListEntry]]:
    """Return the lines of the prefix list ANYCAST by family: one for each anycast address."""
    dns = intent.settings.services.dns
    found: dict[str, list[FrrPrefixListEntry]] = {family: [] for family in FAMILIES}
    for family, text in dns.addresses().items() if dns is not None else ():
        found[family].append({"seq": _ANYCAST, "action": "permit", "prefix": str(parse_address(text))})
    return found


def nearest(route_map: FrrRouteMap, anycast: list[FrrPrefixList], lists: list[FrrPrefixList]) -> FrrRouteMap:
    """Return a route map for what comes in by BGP that leaves the site's own instance of an anycast address its place.

    eBGP's distance of 20 would let another site's instance win over the one beside the router, which OSPF brings with 110.

    Parameters:
        route_map: the map for everything.
        anycast: the prefix lists ANYCAST.
        lists: all prefix lists. An anycast address that the map does not let pass is not let pass here.
    """
    entries = list(route_map["entries"])
    for item in anycast:
        words = "ipv6 address" if item.get("family") == "ipv6" else "ip address"
        general = next((entry for entry in route_map["entries"] if _lets_pass(entry, words, item, lists)), None)
        if general is None:
            continue
        match = [f"{words} prefix-list {item['name']}"]
        near: FrrRouteMapEntry = {
            "seq": general["seq"] - 5,
            "action": "permit",
            "match": match,
            "set": [*(change for change in general.get("set", []) if not change.startswith("distance ")), f"distance {ANYCAST_DISTANCE}"],
        }
        entries.insert(entries.index(general), near)
    return {**route_map, "entries": entries}


def _lets_pass(entry: FrrRouteMapEntry, words: str, wanted: FrrPrefixList, lists: list[FrrPrefixList]) -> bool:
    """Tell whether an entry of a route map names a prefix list with the one line of another."""
    return any(
        line == f"{words} prefix-list {item['name']}" and wanted["entries"][0] in item["entries"]
        for line in entry.get("match", [])
        for item in lists
        if item.get("family") == wanted.get("family")
    )


def without_steered(route_map: FrrRouteMap) -> FrrRouteMap:
    """Return a route map that refuses what is steered before anything else."""
    deny: FrrRouteMapEntry = {"seq": 5, "action": "deny", "match": [f"tag {STEERING_TAG}"]}
    return {**route_map, "entries": [deny, *route_map["entries"]]}


def exit_map(*, reserve: bool) -> tuple[list[FrrPrefixList], FrrRouteMap]:
    """Return the prefix lists and the route map by which the default route of a node's exits comes into BGP. reserve: they wait for those of other nodes."""
    entries: dict[str, list[FrrPrefixListEntry]] = {
        family: [{"seq": _EXIT, "action": "permit", "prefix": prefix}] for family, prefix in EVERYTHING.items()
    }
    lists = prefix_lists(EXITS, entries)
    return lists, route_map(RESERVE_EXITS, lists, _YIELDS) if reserve else route_map(EXITS, lists, [])


def static_map(node: Node, vrf: str) -> tuple[list[FrrPrefixList], FrrRouteMap]:
    """Return the prefix lists and the route map by which a node's published static routes of a VRF come into OSPF."""
    name = ROUTES.format(vrf=vrf or "default")
    lines = lines_of(Origin(vrf, route.prefix, _ROUTES, by_prefix=True) for route in published_routes(node, vrf))
    lists = prefix_lists(name, lines)
    return lists, route_map(name, lists, [])


def published_routes(node: Node, vrf: str) -> list[Route]:
    """Return the static routes of a VRF that a node advertises; an aggregate is none."""
    return [route for route in node.routes if route.vrf == vrf and route.published and not route.aggregate]


def published_prefixes(node: Node, vrf: str, segments: list[Segment]) -> list[Prefix]:
    """Return what a node advertises of its own in a VRF, in the order of addresses."""
    found = {
        address.prefix for network in node.networks if network.published and network.vrf == vrf for address in network.addresses.values()
    }
    found.update(route.prefix for route in published_routes(node, vrf))
    for segment in segments:
        if segment.gateway is node and segment.vrf == vrf and segment.options.published:
            found.update(segment.prefixes.values())
    return sorted(found)
