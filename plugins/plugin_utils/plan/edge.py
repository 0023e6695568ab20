# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is accepted from an external neighbor and advertised to it, by its relation.

What comes in is marked with the relation that brought it (a large community, RFC 8092). What upstreams, peers and route servers bring is advertised to
customers and to routers of our own, never to one of them again (RFC 7908): each session out looks at the marks, wherever in the network they were set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, Prefix, outermost, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import canonical_communities
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrAsPathList,
    FrrCommunityList,
    FrrPrefixList,
    FrrPrefixListEntry,
    FrrRouteMap,
    FrrRouteMapEntry,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    PUBLISHED,
    PUBLISHED_RELATIONS,
    WHOLE_TABLE,
    Intent,
    Neighbor,
    Node,
    Uplink,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.inbound import Inbound, Maximum, most_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.policies import Lines, Origin

# Names in frr.conf, of lists and of route maps.
FROM, TO = "IN-{name}", "OUT-{name}"
BOGONS, MARTIANS, MARKS, OTHERS = "BOGONS", "MARTIANS", "MARKS", "OTHERS-ROUTES"
OWN = "OWN"
# What no host on the Internet has, or may advertise: IANA's registries of special-purpose addresses (RFC 6890 and what came after it), multicast and
# reserved addresses; 6to4 relays (RFC 7526) and the former site-local and test prefixes of IPv6 (RFC 3879, RFC 3701).
_BOGONS: Mapping[str, tuple[str, ...]] = {
    "ipv4": (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
    ),
    "ipv6": (
        *("::/8", "100::/64", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "3ffe::/16", "3fff::/20", "5f00::/16"),
        *("fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    ),
}
# What no neighbor at all may bring: "this network", loopback, link-local, multicast and reserved addresses.
_MARTIANS: Mapping[str, tuple[str, ...]] = {
    "ipv4": ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
    "ipv6": ("::/8", "fe80::/10", "ff00::/8"),
}
# What is accepted on the Internet: IPv4 to /24; of IPv6 what is given out, 2000::/3 (RFC 4291, 2.4), to /48. No registry gives out more than a /8 or a /16.
_INTERNET: Mapping[str, FrrPrefixListEntry] = {
    "ipv4": {"seq": 4, "action": "permit", "prefix": "0.0.0.0/0", "ge": 8, "le": 24},
    "ipv6": {"seq": 4, "action": "permit", "prefix": "2000::/3", "ge": 16, "le": 48},
}
# And in a private network, where hosts are advertised, too.
_ANYTHING: Mapping[str, FrrPrefixListEntry] = {
    "ipv4": {"seq": 4, "action": "permit", "prefix": "0.0.0.0/0", "ge": 4},
    "ipv6": {"seq": 4, "action": "permit", "prefix": "::/0", "ge": 4},
}
_DEFAULT: Mapping[str, FrrPrefixListEntry] = {
    "ipv4": {"seq": 3, "action": "permit", "prefix": "0.0.0.0/0"},
    "ipv6": {"seq": 3, "action": "permit", "prefix": "::/0"},
}


@dataclass(frozen=True)
class _Relation:
    """What a relation means.

    Attributes:
        mark: last number of the large community that says where a route came from.
        role: what we are to the neighbor (RFC 9234); none inside.
        preference: local preference; none for FRR's 100.
        maximum: prefixes that are accepted, where it does not follow from what is accepted.
    """

    mark: int
    role: str | None = None
    preference: int | None = None
    maximum: int = 0


_RELATIONS: Mapping[str, _Relation] = {
    "customer": _Relation(1, "provider", 300),
    "internal": _Relation(2),
    "peer": _Relation(3, "peer", 200, 20_000),
    "route_server": _Relation(4, "rs_client", 190, 500_000),
    "upstream": _Relation(5, "customer", None, 2_000_000),
}
MARK = 1000
"""Second number of the large communities that mark routes: AS:1000:RELATION."""


@dataclass
class Policy:
    """What FRR has for one neighbor, or for all of a node.

    Attributes:
        prefix_lists, as_path_lists, community_lists, route_maps: as role frr takes them.
    """

    prefix_lists: list[FrrPrefixList]
    as_path_lists: list[FrrAsPathList]
    community_lists: list[FrrCommunityList]
    route_maps: list[FrrRouteMap]


def role_of(neighbor: Neighbor) -> str | None:
    """Return what the node is to a neighbor (RFC 9234), none where they have no roles."""
    return None if neighbor.options.role == "none" else _RELATIONS[neighbor.relation].role


def bogon(prefix: Prefix, *, private: bool) -> str:
    """Return the bogon that a prefix lies in, empty for none. private: only those are meant that no neighbor at all may bring."""
    texts = (_MARTIANS if private else _BOGONS)[FAMILY[prefix.version]]
    return next((text for text in texts if parse_prefix(text).holds(prefix)), "")


def is_private(neighbor: Neighbor) -> bool:
    """Tell whether bogons may be exchanged with a neighbor."""
    return neighbor.options.private or not neighbor.outside


def way_to(neighbor: Neighbor, address: Address) -> Address | None:
    """Return the router that leads to an address of a neighbor, none where it is on the subnet or nothing is known of the way."""
    if neighbor.place is None or neighbor.on_subnet(address):
        return None
    family = FAMILY[address.version]
    if family in neighbor.via:
        return neighbor.via[family]
    written = (neighbor.place.gateway, neighbor.place.gateway6) if isinstance(neighbor.place, Uplink) else ()
    gateways = (parse_address(text) for text in written if text is not None)
    return next((gateway for gateway in gateways if gateway.version == address.version), None)


def own_prefixes(node: Node, vrf: str, intent: Intent, found: Mapping[str, list[Origin]]) -> list[Prefix]:
    """Return what nobody outside may bring into a VRF of a node: what the plan publishes there but for customers' prefixes, its pools and
    loopbacks, and the subnets of the node's uplinks. None lies in another.

    Parameters:
        found: as `policies.origins` returns it.
    """
    prefixes = {origin.prefix for origins in found.values() for origin in origins if origin.vrf == vrf and origin.brought_by != "customer"}
    pools = intent.vrf(vrf).pools
    prefixes.update(prefix for pool in (pools.links, pools.loopbacks, pools.networks) for prefix in pool.values())
    prefixes.update(address.prefix for other in intent.nodes.values() if other.vrf == vrf for address in other.loopback.values())
    for uplink in node.uplinks.values():
        if (uplink.vrf or "") == vrf:
            prefixes.update(address.prefix for address in uplink.addresses.values())
    # A default route of ours refuses no other prefix.
    return outermost(prefix for prefix in prefixes if prefix.length)


def accepted(neighbor: Neighbor) -> Lines:
    """Return the lines of what is accepted from a neighbor, by family, before bogons and own prefixes are taken out."""
    if neighbor.accept is not None:
        return policies.lines_of(policies.of_ranges(neighbor.accept, neighbor.vrf))
    usual = _ANYTHING if neighbor.options.private else _INTERNET
    default = _DEFAULT if neighbor.relation == "upstream" else {}
    return {family: [item[family] for item in (default, usual) if family in item] for family in FAMILIES}


def named(neighbor: Neighbor, inbound: Inbound) -> Lines:
    """Return the lines of what may be advertised to a neighbor of what the plan publishes, by family: to others no private prefix, and no default route."""
    wanted, private = neighbor.options.advertise, is_private(neighbor)
    published = [
        origin
        for origin in inbound.published(neighbor.node, neighbor.vrf)
        if not neighbor.outside or (origin.prefix.length and (private or not bogon(origin.prefix, private=False)))
    ]
    chosen = published if PUBLISHED in wanted or WHOLE_TABLE in wanted else []
    return policies.lines_of([*chosen, *policies.of_ranges(neighbor.lists, neighbor.vrf)])


def advertised(neighbor: Neighbor, inbound: Inbound) -> Lines:
    """Return the lines of all that may be advertised to a neighbor, by family."""
    usual = _ANYTHING if is_private(neighbor) else _INTERNET
    whole = WHOLE_TABLE in neighbor.options.advertise
    return {family: [*([usual[family]] if whole else []), *lines] for family, lines in named(neighbor, inbound).items()}


def maximum(neighbor: Neighbor, family: str, intent: Intent) -> Maximum:
    """Return how many prefixes are accepted over a session, and the minutes until one that brought more begins anew."""
    options, usual = neighbor.options, _RELATIONS[neighbor.relation].maximum
    restart = options.maximum_prefix_restart or intent.settings.bgp.maximum_prefix_restart
    return {"maximum_prefix": options.maximum_prefix or usual or most_of(accepted(neighbor)[family]), "maximum_prefix_restart": restart}


def policy_of(neighbors: Iterable[Neighbor], intent: Intent, inbound: Inbound) -> Policy:
    """Return lists and route maps for the neighbors of a node.

    Parameters:
        neighbors: those of the node.
        intent: with the neighbors of all nodes, whose marks are known here, too.
        inbound: what comes into the network where.
    """
    found = Policy([], [], _mark_lists(intent), [])
    owns: dict[str, list[FrrPrefixList]] = {}
    refused: set[str] = set()
    for neighbor in neighbors:
        if _hides_bogons(neighbor):
            refused.add(BOGONS)
        if _is_swept(neighbor):
            refused.add(_bogon_list(neighbor))
            owns.setdefault(neighbor.vrf, _own_lists(neighbor, intent, inbound))
        found.prefix_lists += _lists(FROM.format(name=neighbor.name), accepted(neighbor), neighbor)
        found.prefix_lists += _lists(TO.format(name=neighbor.name), advertised(neighbor, inbound), neighbor)
        found.as_path_lists += _as_path_lists(neighbor)
        found.community_lists += _community_lists(neighbor)
        found.route_maps += [_map_in(neighbor), _map_out(neighbor, inbound)]
    for name, prefixes in ((BOGONS, _BOGONS), (MARTIANS, _MARTIANS)):
        if name in refused:
            found.prefix_lists += policies.prefix_lists(name, {family: list(_whole(prefixes[family])) for family in FAMILIES})
    found.prefix_lists += [item for vrf in sorted(owns) for item in owns[vrf]]
    return found


def _whole(prefixes: Iterable[str]) -> Iterator[FrrPrefixListEntry]:
    """Yield a line for each prefix with all its parts."""
    for index, text in enumerate(prefixes):
        yield {"seq": 10 * (index + 1), "action": "permit", "prefix": text, "le": BITS[6 if ":" in text else 4]}


def _lists(name: str, lines: Lines, neighbor: Neighbor) -> list[FrrPrefixList]:
    return policies.prefix_lists(name, {family: lines[family] for family in neighbor.families})


def _is_swept(neighbor: Neighbor) -> bool:
    """Tell whether bogons and own prefixes have to be taken out of what a neighbor brings: the rules see to what is accepted by name alone."""
    return neighbor.relation not in PUBLISHED_RELATIONS


def _hides_bogons(neighbor: Neighbor) -> bool:
    """Tell whether bogons have to be taken out of what is advertised to a neighbor: out of the whole table, since a list of what is published has none."""
    return WHOLE_TABLE in neighbor.options.advertise and not is_private(neighbor)


def _bogon_list(neighbor: Neighbor) -> str:
    return MARTIANS if neighbor.options.private else BOGONS


def _own_name(vrf: str) -> str:
    return f"{OWN}-{vrf}" if vrf else OWN


def _own_lists(neighbor: Neighbor, intent: Intent, inbound: Inbound) -> list[FrrPrefixList]:
    prefixes = own_prefixes(neighbor.node, neighbor.vrf, intent, inbound.origins)
    texts = {family: [str(prefix) for prefix in prefixes if FAMILY[prefix.version] == family] for family in FAMILIES}
    return policies.prefix_lists(_own_name(neighbor.vrf), {family: list(_whole(found)) for family, found in texts.items()})


def _mark(neighbor: Neighbor) -> str:
    return f"{neighbor.node.asn}:{MARK}:{_RELATIONS[neighbor.relation].mark}"


def marks(intent: Intent) -> dict[str, list[str]]:
    """Return the large communities that mark routes in the network, by relation; one for each AS of ours that has external neighbors."""
    numbers = sorted({neighbor.node.asn for neighbor in intent.neighbors if neighbor.node.asn is not None})
    return {name: [f"{asn}:{MARK}:{relation.mark}" for asn in numbers] for name, relation in _RELATIONS.items()}


def _mark_lists(intent: Intent) -> list[FrrCommunityList]:
    found = marks(intent)
    everyone = [mark for own in found.values() for mark in own]
    others = [mark for name, own in found.items() if name not in PUBLISHED_RELATIONS for mark in own]
    return [_community_list(MARKS, "large", everyone), _community_list(OTHERS, "large", others)]


def _community_list(name: str, kind: str, values: Iterable[str]) -> FrrCommunityList:
    entries = list(dict.fromkeys(values))
    return {
        "name": name,
        "kind": kind,
        "entries": [{"seq": 5 * (index + 1), "action": "permit", "value": value} for index, value in enumerate(entries)],
    }


def is_large(community: str) -> bool:
    """Tell whether a community is a large one: of three numbers."""
    return community.count(":") == 2


def _as_path_lists(neighbor: Neighbor) -> Iterator[FrrAsPathList]:
    rules = neighbor.options.accept_as_paths
    if rules:
        lines = [(rule.action, rule.regex) for rule in rules]
        yield {
            "name": FROM.format(name=neighbor.name),
            "entries": [{"seq": 5 * (index + 1), "action": action, "regex": regex} for index, (action, regex) in enumerate(lines)],
        }


def _community_lists(neighbor: Neighbor) -> Iterator[FrrCommunityList]:
    wanted = [text for text, _path in neighbor.options.accept_communities]
    for kind, values in (
        ("standard", [text for text in wanted if not is_large(text)]),
        ("large", [text for text in wanted if is_large(text)]),
    ):
        if values:
            yield _community_list(
                FROM.format(name=neighbor.name), kind, [canonical_communities(text, large=kind == "large") for text in values]
            )


# ---- route maps ----------------------------------------------------------------------------------------------------------------------------


def _in_list(family: str, name: str) -> str:
    return f"{'ip' if family == 'ipv4' else 'ipv6'} address prefix-list {name}"


def _entries(entries: Iterable[FrrRouteMapEntry]) -> list[FrrRouteMapEntry]:
    """Number entries; where there is none, nothing passes."""
    found: list[FrrRouteMapEntry] = [{**entry, "seq": 10 * (index + 1)} for index, entry in enumerate(entries)]
    return found or [{"seq": 10, "action": "deny"}]


def _deny(match: str, description: str) -> FrrRouteMapEntry:
    return {"seq": 0, "action": "deny", "description": description, "match": [match]}


def _map_in(neighbor: Neighbor) -> FrrRouteMap:
    name = FROM.format(name=neighbor.name)
    return {"name": name, "entries": _entries(_entries_in(neighbor, name))}


def _entries_in(neighbor: Neighbor, name: str) -> Iterator[FrrRouteMapEntry]:
    options, lines = neighbor.options, accepted(neighbor)
    families = [family for family in neighbor.families if lines[family]]
    if options.rpki:
        yield _deny("rpki invalid", "another AS may originate it")
    for family in families if _is_swept(neighbor) else ():
        yield _deny(_in_list(family, _bogon_list(neighbor)), "nobody's")
        yield _deny(_in_list(family, _own_name(neighbor.vrf)), "ours")
    paths = [f"as-path {name}"] if options.accept_as_paths else []
    kinds = dict.fromkeys(is_large(text) for text, _path in options.accept_communities)
    carried: list[list[str]] = [[f"{'large-community' if large else 'community'} {name}"] for large in kinds] or [[]]
    for family in families:
        for communities in carried:
            match = [_in_list(family, name), *paths, *communities]
            yield {"seq": 0, "action": "permit", "match": match, "set": list(_changes_in(neighbor))}


def _changes_in(neighbor: Neighbor) -> Iterator[str]:
    options = neighbor.options
    # Nobody else says where a route came from.
    yield f"large-comm-list {MARKS} delete"
    yield from _communities([_mark(neighbor), *(text for text, _path in options.communities_add)])
    usual = _RELATIONS[neighbor.relation].preference
    preference = usual if options.preference is None else options.preference
    if preference is not None:
        yield f"local-preference {preference}"


def _map_out(neighbor: Neighbor, inbound: Inbound) -> FrrRouteMap:
    name = TO.format(name=neighbor.name)
    return {"name": name, "entries": _entries(_entries_out(neighbor, name, advertised(neighbor, inbound)))}


def _entries_out(neighbor: Neighbor, name: str, lines: Lines) -> Iterator[FrrRouteMapEntry]:
    families = [family for family in neighbor.families if lines[family]]
    changes = list(_changes_out(neighbor))
    if families and neighbor.relation not in PUBLISHED_RELATIONS:
        yield _deny(f"large-community {OTHERS}", "of another one that is no customer")
    for family in families:
        if _hides_bogons(neighbor):
            yield _deny(_in_list(family, BOGONS), "nobody's")
        entry: FrrRouteMapEntry = {"seq": 0, "action": "permit", "match": [_in_list(family, name)]}
        yield {**entry, "set": changes} if changes else entry


def _changes_out(neighbor: Neighbor) -> Iterator[str]:
    options = neighbor.options
    if options.prepend is not None:
        yield f"as-path prepend {' '.join([str(neighbor.node.asn)] * options.prepend)}"
    if options.med is not None:
        yield f"metric {options.med}"
    yield from _communities([text for text, _path in options.communities_send])


def _communities(texts: list[str]) -> Iterator[str]:
    """Yield the changes that give a route communities, as FRR prints them."""
    for word, large in (("large-community", True), ("community", False)):
        if own := [text for text in texts if is_large(text) == large]:
            yield f"{word} {canonical_communities(' '.join(own), large=large)} additive"
