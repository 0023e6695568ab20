# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about external neighbors: sessions that could not come up, filters that would let pass nothing or too much, sessions that exchange nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common import limits
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, Prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import WELL_KNOWN, canonical_communities
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, FAMILY, TITLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    LINK_LOCAL,
    PUBLISHED_RELATIONS,
    UNKNOWN,
    WHOLE_TABLE,
    Intent,
    Neighbor,
    Node,
    PrefixRange,
    Segment,
    Uplink,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import edge
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.inbound import Inbound
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.policies import Origin
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rules.links import variable_problem


def neighbor_problems(intent: Intent) -> Iterator[Problem]:
    """External neighbors with which no session comes up, or of which it cannot be said what is accepted."""
    first: dict[tuple[str, str, str], Place] = {}
    for neighbor in intent.neighbors:
        if not neighbor.node.managed and "managed" not in neighbor.node.unsure:
            hint = "its owner configures it; name a node that Ansible manages"
            yield Problem(neighbor.path.at("node"), f"{neighbor.node.name} is not managed", hint=hint)
        if neighbor.name in intent.nodes:
            yield Problem(neighbor.path, "is also the name of a node", hint="rename the neighbor")
        yield from _asn(neighbor, intent)
        yield from _way(neighbor, intent)
        yield from _options(neighbor, intent)
        keys = [address.bare for address in neighbor.addresses.values()] + ([neighbor.interface] if neighbor.unnumbered else [])
        for key in keys if neighbor.vrf != UNKNOWN else ():
            place = (neighbor.node.name, neighbor.vrf, key or "")
            if place in first:
                yield Problem(neighbor.path, f"has the same session as {first[place]}: {neighbor.node.name} with {key}")
            first.setdefault(place, neighbor.path)


def _asn(neighbor: Neighbor, intent: Intent) -> Iterator[Problem]:
    path, asn = neighbor.path.at("asn"), neighbor.asn
    found = list(limits.asn_problems(path, asn))
    yield from found
    if found or "asn" in neighbor.node.unsure:
        return
    if neighbor.outside and neighbor.same_as:
        hint = "a router of ours has relation: internal; another network has a number of its own"
        yield Problem(path, f"is that of {neighbor.node.name}, and the relation is {neighbor.relation}", str(asn), hint)
    for node in intent.nodes.values():
        if node.asn == asn and node is not neighbor.node and not neighbor.same_as and "asn" not in node.unsure:
            hint = "BGP drops routes whose AS path holds the own number; give the neighbor another one"
            yield Problem(path, f"is also that of {node.name}, which would drop what the neighbor brings", str(asn), hint)
            return


# ---- the session ---------------------------------------------------------------------------------------------------------------------------


def _way(neighbor: Neighbor, intent: Intent) -> Iterator[Problem]:
    """Addresses, and the way to them."""
    path, place = neighbor.path, neighbor.place
    if neighbor.unnumbered:
        yield from _unnumbered(neighbor)
        return
    if not neighbor.addresses:
        if not intent.reading.within(path.at("addresses")) and not intent.reading.explains(path.at("unnumbered")):
            yield Problem(path.at("addresses"), "is required", hint="give the neighbor's addresses, or write unnumbered: true")
        return
    for family, address in neighbor.addresses.items():
        yield from _address(neighbor, family, address, intent)
    for family, address in neighbor.via.items():
        here = path.at("via", family)
        if family not in neighbor.addresses:
            yield Problem(here, "leads to no address of the neighbor", show(address.bare), f"the neighbor has no {TITLE[family]} address")
        elif neighbor.options.multihop is None and not neighbor.from_loopback:
            yield Problem(here, "is for a neighbor beyond the subnet", show(address.bare), "give multihop, or leave it out")
        elif place is None:
            hint = "name the interface or uplink that it is on"
            yield Problem(here, "is on no interface", show(address.bare), hint)
        elif not LINK_LOCAL.holds(address.prefix) and not neighbor.on_subnet(address) and not _unsure(neighbor):
            yield Problem(here, f"is in no subnet of {neighbor.interface}", show(address.bare), _subnets(neighbor))
    if neighbor.from_loopback:
        yield from _loopback(neighbor, intent)
    options = neighbor.options
    if options.multihop is not None and options.ttl_security_hops is not None:
        hint = "GTSM counts the hops itself; keep one of them"
        yield Problem(path.at("ttl_security_hops"), "does not go with multihop", str(options.ttl_security_hops), hint)
    if options.multihop is not None and neighbor.same_as and "asn" not in neighbor.node.unsure:
        hint = "leave it out: a session within an AS has no limit of hops"
        yield Problem(path.at("multihop"), "does not go with a neighbor of the same AS", str(options.multihop), hint)


def _unnumbered(neighbor: Neighbor) -> Iterator[Problem]:
    path = neighbor.path
    wrong = [
        key
        for key, given in (
            ("addresses", neighbor.addresses),
            ("via", neighbor.via),
            ("multihop", neighbor.options.multihop is not None),
            ("source", neighbor.from_loopback),
        )
        if given
    ]
    for key in wrong:
        yield Problem(
            path.at(key), "does not go with unnumbered", hint="such a neighbor is found on the interface itself; keep one of them"
        )
    if isinstance(neighbor.place, Segment):
        hint = "several hosts are on a segment; give the neighbor's addresses"
        yield Problem(path.at("unnumbered"), "is not for a segment", hint=hint)


def _address(neighbor: Neighbor, family: str, address: Address, intent: Intent) -> Iterator[Problem]:
    path, shown = neighbor.path.at("addresses", family), show(address.bare)
    if address.length != BITS[address.version]:
        yield Problem(path, "has a prefix length", show(str(address)), f"write {address.bare}")
        return
    found = list(limits.host_address_problems(path, shown, address.version, address.value))
    yield from found
    if LINK_LOCAL.holds(address.prefix):
        yield Problem(path, "is a link-local address", shown, "write unnumbered: true in place of addresses")
        return
    if found:
        return
    owner = _owner(address, neighbor, intent)
    if owner is not None:
        yield Problem(path, f"is an address of {owner.path}", shown, "between two nodes there is a link; a neighbor is no node")
        return
    if neighbor.place is None or _unsure(neighbor) or neighbor.on_subnet(address):
        return
    own = neighbor.own_addresses
    beyond = neighbor.options.multihop is not None or neighbor.from_loopback
    if not beyond:
        what = f"is in no subnet of {neighbor.interface or 'the uplink'}"
        yield Problem(path, what, shown, f"{_subnets(neighbor)}; give multihop for a neighbor beyond it")
    elif family not in own and not (isinstance(neighbor.place, Uplink) and family in neighbor.place.learned):
        yield Problem(path, f"has no way: {neighbor.interface or 'the uplink'} has no {TITLE[family]} address", shown)
    elif edge.way_to(neighbor, address) is None:
        hint = f"FRR takes no default route for the way to a neighbor; give via.{family}, or the gateway of the uplink"
        yield Problem(path, "is beyond the subnet, and no router is known that leads to it", shown, hint)


def _owner(address: Address, neighbor: Neighbor, intent: Intent) -> Node | None:
    """Return the node that has an address, in the VRF of a neighbor's session."""
    for node in intent.nodes.values():
        own = [(node.vrf, item) for item in node.loopback.values()]
        own += [(uplink.vrf or "", item) for uplink in node.uplinks.values() for item in uplink.addresses.values()]
        own += [(network.vrf, item) for network in node.networks for item in network.addresses.values()]
        if any(vrf == neighbor.vrf and (item.version, item.value) == (address.version, address.value) for vrf, item in own):
            return node
    return None


def _subnets(neighbor: Neighbor) -> str:
    found = ", ".join(str(address.prefix) for address in neighbor.own_addresses.values())
    return f"subnets: {found or 'none that the plan knows'}"


def _unsure(neighbor: Neighbor) -> bool:
    """Tell whether the interface of a neighbor could not be read whole."""
    place = neighbor.place
    return place is None or (place.broken if isinstance(place, Segment) else place.unsure) or neighbor.node.broken


def _loopback(neighbor: Neighbor, intent: Intent) -> Iterator[Problem]:
    node, path = neighbor.node, neighbor.path.at("source")
    for family in neighbor.addresses:
        if family not in node.loopback and not intent.loopback_in_doubt(node):
            hint = "name xgn_pools.loopbacks, or give the node a loopback of that family"
            yield Problem(path, f"{node.name} has no {TITLE[family]} loopback", hint=hint)
    place = neighbor.place
    home = None if place is None else (place.vrf or "")
    if home is not None and UNKNOWN not in (home, node.vrf) and home != node.vrf:
        what = f"is in {vrf_text(node.vrf)}, and {neighbor.interface or 'the uplink'} in {vrf_text(home)}"
        yield Problem(path, what, show("loopback"), "leave it out: the session then has the address of the interface")
    options = neighbor.options
    if options.multihop is None and options.ttl_security_hops is None and not neighbor.same_as and "asn" not in node.unsure:
        hint = "a loopback is one hop further than the interface; 2 is what most neighbors need"
        yield Problem(neighbor.path.at("multihop"), "is required with source: loopback", hint=hint)


# ---- options -------------------------------------------------------------------------------------------------------------------------------


def _options(neighbor: Neighbor, intent: Intent) -> Iterator[Problem]:
    path, options = neighbor.path, neighbor.options
    yield from variable_problem(options.password_variable, path.at("password_variable"))
    if options.password_variable is not None and neighbor.vrf not in ("", UNKNOWN) and intent.settings.kernel.tcp_l3mdev_accept:
        hint = "TCP MD5 passwords do not work in a VRF while sockets of the default VRF answer there; set xgn_kernel.tcp_l3mdev_accept to false"
        yield Problem(path.at("password_variable"), "does not work with xgn_kernel.tcp_l3mdev_accept", hint=hint)
    keepalive_at, holdtime_at = path.at("keepalive"), path.at("holdtime")
    if not intent.reading.explains(keepalive_at, holdtime_at):
        yield from limits.bgp_timers_missing(keepalive_at, holdtime_at, options.keepalive is not None, options.holdtime is not None)
    yield from limits.bgp_timer_problems(keepalive_at, holdtime_at, options.keepalive, options.holdtime)
    if options.bfd and not intent.settings.bfd.enabled:
        yield Problem(path.at("bfd"), "does not work: BFD is turned off by xgn_bfd.enabled", "true")
    if options.role == "require" and not neighbor.outside:
        yield Problem(path.at("role"), "does not go with relation: internal", show("require"), "roles are for neighbors of other networks")
    if options.default_originate and neighbor.relation not in PUBLISHED_RELATIONS:
        hint = "a network that we do not carry would send us its traffic; leave it out"
        yield Problem(path.at("default_originate"), f"does not go with relation: {neighbor.relation}", "true", hint)
    if WHOLE_TABLE in options.advertise and neighbor.relation not in PUBLISHED_RELATIONS:
        hint = "what one upstream, peer or route server brings must not be advertised to another one (RFC 7908); write published"
        yield Problem(path.at("advertise"), f"does not go with relation: {neighbor.relation}", show(WHOLE_TABLE), hint)
    if options.private and not neighbor.outside:
        yield Problem(path.at("private"), "is needless with relation: internal", "true", "what is accepted is listed, and may be private")
    if options.prepend is not None and neighbor.same_as and "asn" not in neighbor.node.unsure:
        yield Problem(path.at("prepend"), "does not go with a neighbor of the same AS", str(options.prepend), "leave it out")
    yield from _rpki(neighbor, intent)
    for text, here in {*options.accept_communities, *options.communities_add, *options.communities_send}:
        yield from _community(text, here, intent)
    for rule in options.accept_as_paths:
        try:
            re.compile(rule.regex)
        except re.error as error:
            yield Problem(rule.path.at("regex"), f"is no regular expression: {error}", show(rule.regex))


def _rpki(neighbor: Neighbor, intent: Intent) -> Iterator[Problem]:
    path = neighbor.path.at("rpki")
    if not neighbor.options.rpki:
        return
    if not intent.rpki.caches and not intent.reading.explains(Place.of("xgn_rpki", "caches")):
        yield Problem(path, "needs a cache", "true", "name one under xgn_rpki.caches")
    if neighbor.vrf not in ("", UNKNOWN):
        hint = "FRR 10 asks caches for each VRF by itself, FRR 8 for none but the default VRF; put the session there, or filter by accept"
        yield Problem(path, f"does nothing in {vrf_text(neighbor.vrf)}", "true", hint)


def _community(text: str, path: Place, intent: Intent) -> Iterator[Problem]:
    try:
        canonical_communities(text, large=edge.is_large(text))
    except ValueError:
        hint = f"valid: 65000:100 with two numbers to 65535, 65000:1:2 with three to 4294967295, a name of xgn_communities, or {', '.join(WELL_KNOWN)}"
        yield Problem(path, "is no community", show(text), hint)
        return
    if any(text in own for own in edge.marks(intent).values()):
        yield Problem(path, "is what the plan itself marks routes with", show(text), f"use another one than AS:{edge.MARK}:N")


# ---- what is accepted and advertised -------------------------------------------------------------------------------------------------------


def exchange_problems(intent: Intent) -> Iterator[Problem]:
    """External neighbors of which too much would be accepted, or with which nothing would be exchanged."""
    # A named list may be that of several neighbors.
    found = list(dict.fromkeys(problem for neighbor in intent.neighbors for problem in [*_lengths(neighbor), *_accept(neighbor, intent)]))
    yield from found
    if found or intent.reading or not intent.neighbors:
        return
    inbound = Inbound(intent)
    for neighbor in intent.neighbors:
        yield from _own(neighbor, intent, inbound)
        yield from _use(neighbor, intent, inbound)


def _lengths(neighbor: Neighbor) -> Iterator[Problem]:
    for item in [*(neighbor.accept or ()), *neighbor.lists]:
        longest, shortest = BITS[item.prefix.version], item.prefix.length
        for key, length in (("ge", item.ge), ("le", item.le)):
            if length is not None and not shortest <= length <= longest:
                yield Problem(item.path.at(key), f"is impossible for {item.prefix}", str(length), f"valid: {shortest} to {longest}")
        if item.ge is not None and item.le is not None and item.ge > item.le:
            yield Problem(item.path.at("ge"), "is greater than le, so nothing is meant", f"{item.ge} > {item.le}")


def _accept(neighbor: Neighbor, intent: Intent) -> Iterator[Problem]:
    path = neighbor.path.at("accept")
    if neighbor.accept is None:
        if neighbor.relation in PUBLISHED_RELATIONS and not intent.reading.explains(path):
            hint = "list the prefixes that it may bring, or write [] for none"
            yield Problem(path, f"is required with relation: {neighbor.relation}", hint=hint)
        return
    for item in neighbor.accept:
        if item.prefix.length == 0 and item.lengths[0] == 0 and neighbor.relation not in ("upstream", "internal"):
            hint = "an upstream or a router of ours may bring a default route"
            yield Problem(item.path, f"permits a default route from a {neighbor.relation.replace('_', ' ')}", show(str(item.prefix)), hint)
        elif neighbor.relation in PUBLISHED_RELATIONS and item.prefix.length == 0 and item.lengths != (0, 0):
            hint = "it would publish whatever the neighbor brings; list its prefixes, or their parts of some lengths"
            yield Problem(item.path, f"permits everything from a neighbor with relation: {neighbor.relation}", show(str(item.prefix)), hint)
        within = edge.bogon(item.prefix, private=edge.is_private(neighbor))
        if within:
            hint = "nobody may bring it"
            if not edge.bogon(item.prefix, private=True):
                hint = "write private: true for a neighbor that is no part of the Internet, or relation: internal for a router of ours"
            yield Problem(item.path, f"lies in {within}, which is nobody's on the Internet", show(str(item.prefix)), hint)
    for family in FAMILIES:
        if neighbor.families and family not in neighbor.families and _of_family(neighbor.accept, family):
            item = _of_family(neighbor.accept, family)[0]
            yield Problem(item.path, f"is never brought: the neighbor has no {TITLE[family]} session", show(str(item.prefix)))


def _of_family(ranges: Iterable[PrefixRange], family: str) -> list[PrefixRange]:
    return [item for item in ranges if FAMILY[item.prefix.version] == family]


def _own(neighbor: Neighbor, intent: Intent, inbound: Inbound) -> Iterator[Problem]:
    """What a neighbor may bring, and is ours or another neighbor's."""
    own = {
        origin.prefix: name
        for name, found in inbound.origins.items()
        for origin in found
        if origin.vrf == neighbor.vrf and not origin.brought_by
    }
    pools = intent.vrf(neighbor.vrf).pools
    for item in neighbor.accept or () if neighbor.relation in PUBLISHED_RELATIONS else ():
        for prefix, name in own.items():
            if item.prefix.length and _takes(item, prefix, inside=not neighbor.outside and name == neighbor.node.name):
                hint = "a neighbor brings no prefix that the plan has elsewhere; list others"
                yield Problem(item.path, f"permits {prefix} of {name}, or a part of it", show(str(item.prefix)), hint)
                break
        for key, found in (("links", pools.links), ("loopbacks", pools.loopbacks)):
            pool = found.get(FAMILY[item.prefix.version])
            if pool is not None and item.prefix.length and (pool.holds(item.prefix) or item.prefix.holds(pool)):
                yield Problem(item.path, f"meets the pool {pool} of {pools.path}.{key}", show(str(item.prefix)), "list others")


def _takes(item: PrefixRange, prefix: Prefix, *, inside: bool) -> bool:
    """Tell whether a range permits a prefix or part of it. inside: parts of it are fine, as hosts of a LAN advertise theirs."""
    if item.prefix.holds(prefix):
        return item.lengths[0] <= prefix.length or not inside
    return prefix.holds(item.prefix) and not (inside and item.prefix.length > prefix.length)


def _use(neighbor: Neighbor, intent: Intent, inbound: Inbound) -> Iterator[Problem]:
    """Sessions that come up and change nothing."""
    node, where = neighbor.node, vrf_text(neighbor.vrf)
    lines = edge.advertised(neighbor, inbound)
    silent = not any(lines[family] for family in neighbor.families) and not neighbor.options.default_originate
    published = inbound.published(node, neighbor.vrf)
    for item in neighbor.lists:
        if not any(item.prefix.holds(origin.prefix) or origin.prefix.holds(item.prefix) for origin in published):
            hint = f"what is advertised is published there; published: {_listed(published)}"
            yield Problem(neighbor.path.at("advertise"), f"{item.prefix} is not published in {where}", hint=hint)
    if neighbor.relation in PUBLISHED_RELATIONS and _alone(neighbor, intent):
        hint = _move(neighbor, "add one of them, or take the session to an interface of the VRF where the network is")
        yield Problem(neighbor.path, f"is alone in {where}: no link, network, segment or other neighbor of {node.name} is there", hint=hint)
    elif silent and neighbor.options.advertise and neighbor.families:
        hint = _move(neighbor, f"write advertise: [] where that is meant; published there: {_listed(published)}")
        yield Problem(neighbor.path.at("advertise"), f"has nothing to advertise: {_why(published, neighbor)} in {where}", hint=hint)


def _alone(neighbor: Neighbor, intent: Intent) -> bool:
    node, vrf = neighbor.node, neighbor.vrf
    return not (
        any(link.vrf == vrf and link.routing != "none" and node in (end.node for end in link.ends) for link in intent.links)
        or any(network.vrf == vrf for network in node.networks)
        or any(segment.vrf == vrf and node in segment.members for segment in intent.segments)
        or any(other is not neighbor and other.node is node and other.vrf == vrf for other in intent.neighbors)
    )


def _move(neighbor: Neighbor, hint: str) -> str:
    home = neighbor.node.vrf
    return hint if home in (neighbor.vrf, UNKNOWN) else f"the network of {neighbor.node.name} is in {vrf_text(home)}; {hint}"


def _why(published: list[Origin], neighbor: Neighbor) -> str:
    if published and not edge.is_private(neighbor):
        return "only private or reserved prefixes are published"
    return "nothing of its families is published"


def _listed(published: list[Origin]) -> str:
    texts = list(dict.fromkeys(str(origin.prefix) for origin in published))
    return ", ".join(texts[:5]) + (", …" if len(texts) > 5 else "") or "nothing"
