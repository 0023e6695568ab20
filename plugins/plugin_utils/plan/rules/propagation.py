# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Designs in which a published prefix stops on its way: the network would come up, and some of its nodes would never learn of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES, FAMILY, TITLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import UNKNOWN, Intent, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.propagation import Gap, Propagation, learned
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rules.routing import reach_problems, shared_asn_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import borders

# So many examples of who does not learn what are given, and so many looked for.
_LISTED, _MOST = 3, 1000
# More than these are many.
_MANY = 100


def propagation_problems(intent: Intent) -> Iterator[Problem]:
    """Published prefixes that some node never learns although links with routing join it to where they come from, and those that nobody ever learns."""
    if not _is_whole(intent):
        return
    mixed = list(_border_problems(intent))
    yield from mixed
    found = learned(intent)
    told = any(True for _problem in shared_asn_problems(intent))
    gaps: dict[tuple[str, str, str, str], list[Gap]] = defaultdict(list)
    for gap in islice(found.gaps(), _MOST):
        known = gap.reason == "loop" and (told or _is_of_container(gap, intent))
        if not known and not (gap.reason == "borders" and mixed):
            # Of a reflector that is missing, all that it would hand on is one mistake.
            beyond = "" if gap.reason == "reflector" and not intent.nodes[gap.holder].route_reflector else gap.beyond
            # Two borders lack one session, whichever of them it is told of.
            first, beyond = sorted((gap.holder, gap.source)) if gap.reason == "borders" else (gap.holder, beyond)
            gaps[gap.reason, gap.vrf, first, beyond].append(gap)
    for same in gaps.values():
        yield _problem_of(same, intent)
    apart = {name for same in gaps.values() for gap in same if gap.reason == "session" for name in (gap.holder, gap.beyond)}
    yield from _unheard(intent, found, apart)


def _is_of_container(gap: Gap, intent: Intent) -> bool:
    """Tell whether a number stops a prefix that is a container's, too: a rule of its own compares those with all others."""
    return gap.beyond not in intent.nodes or intent.nodes[gap.beyond].asn in {container.asn for container in intent.containers}


def _is_whole(intent: Intent) -> bool:
    """Tell whether nothing is missing or unknown from which the propagation would be computed."""
    if intent.reading or intent.lost_links or intent.lost_segments:
        return False
    speakers = {end.node.name for link in intent.links if link.routing == "bgp" for end in link.ends}
    return not (
        any(link.broken or UNKNOWN in (link.vrf, link.routing, link.session) for link in intent.links)
        or any(segment.broken or segment.vrf == UNKNOWN for segment in intent.segments)
        or any(container.unsure for container in intent.containers)
        or any(node.broken or node.unsure or node.vrf == UNKNOWN for node in intent.nodes.values())
        or any(intent.nodes[name].asn is None for name in speakers)
    )


def _border_problems(intent: Intent) -> Iterator[Problem]:
    """Borders of one site with AS numbers of their own: either would hear the site's networks from outside, and BGP's distance of 20 wins over OSPF's."""
    seen: set[str] = set()
    for vrf in sorted({link.vrf for link in intent.links if link.routing == "ospf"}):
        for family in FAMILIES:
            for group in borders(intent, vrf, family):
                for node in group[1:]:
                    if node.asn != group[0].asn and node.name not in seen:
                        seen.add(node.name)
                        yield Problem(
                            node.asn_path if node.asn_path.keys else node.path.at("asn"),
                            f"is not that of {group[0].name}, {group[0].asn}, and both are borders between OSPF of site {node.site} and BGP",
                            str(node.asn),
                            f"each would take the site's own networks from outside; write one asn in xgn_sites.{node.site}",
                        )


def _problem_of(gaps: list[Gap], intent: Intent) -> Problem:
    """Return the mistake behind some gaps with one reason, at one place."""
    gap = gaps[0]
    holder, examples = intent.nodes[gap.holder], _examples(gaps)
    family = TITLE[FAMILY[gap.prefix.version]]
    if gap.reason == "session":
        what = f"{gap.holder} and {gap.beyond} have no BGP session for {family} over it: {examples}"
        names = " and ".join(name for name in (gap.holder, gap.beyond) if FAMILY[gap.prefix.version] not in intent.nodes[name].loopback)
        hint = f"give {names} an {family} loopback, or write session: link"
        return Problem(gap.link.path if gap.link is not None else holder.path, what, hint=hint)
    if gap.reason == "borders":
        what = f"has no BGP session with {gap.source}, the other border of its site in {vrf_text(gap.vrf)}: {examples}"
        hint = f"the plan makes one between loopbacks of that VRF; link the two in it, with routing: bgp and AS number {holder.asn} at both"
        return Problem(holder.path, what, hint=hint)
    if gap.reason == "loop":
        beyond = intent.nodes[gap.beyond]
        what = f"is in the AS path of what {gap.holder} advertises to it: {examples}"
        return Problem(beyond.path.at("asn"), what, str(beyond.asn), "BGP drops routes whose AS path holds the own number; give it another")
    if gap.reason == "filter":
        what = f"is false, and {gap.beyond} takes from it only what lies behind it: {examples}"
        return Problem(holder.path.at("trusted"), what, hint="give both sides another link, or write true if it is yours")
    if holder.route_reflector:
        what = f"leaves {gap.beyond}, a reflector too, without what {gap.holder} has from a third one: {examples}"
        hint = f"every two reflectors of an AS need a session; link {gap.beyond} with {gap.source}, or let it be none"
        return Problem(holder.path.at("route_reflector"), what, "true", hint)
    what = f"leaves routers of AS {holder.asn} without each other's networks: {examples}"
    hint = "what comes over iBGP is not handed on inside of its AS; write true, link those nodes, or give them AS numbers of their own"
    return Problem(holder.path.at("route_reflector"), what, "false", hint)


def _examples(gaps: Iterable[Gap]) -> str:
    """Return in words who never learns what."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for gap in gaps:
        found.setdefault((gap.learner, gap.origins), []).append(str(gap.prefix))
    shown = [
        f"{learner} never learns {', '.join(prefixes[:_LISTED])}{' …' if len(prefixes) > _LISTED else ''} of {' and '.join(origins)}"
        for (learner, origins), prefixes in list(found.items())[:_LISTED]
    ]
    more = len(found) - _LISTED
    return "; ".join(shown) + (f"; and {more if more < _MANY else 'many'} more" if more > 0 else "")


def _unheard(intent: Intent, found: Propagation, apart: Collection[str]) -> Iterator[Problem]:
    """Published prefixes whose node advertises nothing in their VRF. apart: nodes of which a session is known to be missing."""
    if len(intent.nodes) < 2:
        return
    # Of a node that no path joins to the others that is said.
    cut = any(True for _problem in reach_problems(intent))
    silent: dict[tuple[str, str], list[Prefix]] = defaultdict(list)
    for name, vrf, prefix in found.unheard():
        if name not in apart and not (cut and vrf == intent.nodes[name].vrf):
            silent[name, vrf].append(prefix)
    for (name, vrf), prefixes in silent.items():
        node, left = intent.nodes[name], set(prefixes)
        for network in node.networks:
            mine = [address.prefix for address in network.addresses.values() if network.vrf == vrf and network.published]
            # Behind a node whose links carry the other family, a family may be for those behind it alone; of a gateway, all else has its default route.
            served = _served(intent, node, vrf)
            special = (name, vrf) in found or len(served) > 1
            mine = [prefix for prefix in mine if prefix in left and (not special or _needed(intent, vrf, prefix, served))]
            if mine:
                yield _told_to_nobody(network.path, node, vrf, mine, found)
        for segment in intent.segments:
            mine = list(segment.prefixes.values()) if segment.vrf == vrf and segment.gateway is node and segment.options.published else []
            members = {item.name for item in segment.members}
            mine = [prefix for prefix in mine if prefix in left and _needed(intent, vrf, prefix, members)]
            if mine:
                yield _told_to_nobody(segment.path, node, vrf, mine, found)
        dns = intent.settings.services.dns
        for text in dns.addresses().values() if dns is not None and name in intent.dns_nodes and node.vrf == vrf else ():
            prefix = parse_address(text).prefix
            if prefix in left and _needed(intent, vrf, prefix, intent.dns_nodes):
                hint = f"give {name} a link with routing in {vrf_text(vrf)}, or leave it out"
                what = f"{name} answers {text}, and speaks no routing protocol by which others would learn it"
                yield Problem(Place.of("xgn_services", "dns", "nodes"), what, hint=hint)


def _served(intent: Intent, node: Node, vrf: str) -> set[str]:
    """Return a node, and the members of its segments in a VRF that have their default route through it, as they have no links."""
    linked = {end.node.name for link in intent.links for end in link.ends}
    own = [segment for segment in intent.segments if segment.gateway is node and segment.vrf == vrf]
    return {node.name} | {member.name for segment in own for member in segment.members if member.name not in linked}


def _told_to_nobody(path: Place, node: Node, vrf: str, prefixes: list[Prefix], found: Mapping[tuple[str, str], object]) -> Problem:
    shown, where = ", ".join(map(str, prefixes)), vrf_text(vrf)
    if (node.name, vrf) in found:
        family = TITLE[FAMILY[prefixes[0].version]]
        what = f"is published, and no session of {node.name} in {where} carries {family}, so that nobody ever learns {shown}"
        return Problem(path, what, hint=f"let its links carry {family} (xgn_pools.links), leave the address out, or write published: false")
    what = f"is published, and {node.name} has no link with routing in {where}, so that nobody ever learns {shown}"
    return Problem(path, what, hint=f"give {node.name} a link in {where}, or write published: false")


def _needed(intent: Intent, vrf: str, prefix: Prefix, names: Collection[str]) -> bool:
    """Tell whether a node besides some has addresses of a prefix's family in a VRF, so that it would have to learn what is published there."""
    family = FAMILY[prefix.version]
    there = {node.name for node in intent.nodes.values() if node.vrf == vrf and family in node.loopback}
    there |= {
        node.name for node in intent.nodes.values() for network in node.networks if network.vrf == vrf and family in network.addresses
    }
    there |= {end.node.name for link in intent.links if link.vrf == vrf and family in link.families for end in link.ends}
    return bool(there - set(names))
