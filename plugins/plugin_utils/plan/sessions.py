# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who speaks BGP with whom: the sessions of links, and those that the plan adds between the borders of a site."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent, Link, Node

# What FRR takes for a route without a local preference.
PLAIN_PREFERENCE = 100


class Borders(NamedTuple):
    """Two borders of a site that speak iBGP between their loopbacks, which OSPF brings to either.

    What comes from BGP carries a tag in OSPF and is not taken back, so that without this session the neighbors of one border would never learn what those of
    the other advertise.

    Attributes:
        first, second: in the order of their ids.
        families: each has a session of its own.
    """

    first: Node
    second: Node
    vrf: str
    families: tuple[str, ...]

    def other(self, node: Node) -> Node:
        """Return the opposite border."""
        return self.second if node is self.first else self.first


def session_families(link: Link) -> tuple[str, ...]:
    """Return the families of which a link has a BGP session: those it carries, between loopbacks those of which both nodes have one."""
    if link.routing != "bgp":
        return ()
    if link.session != "loopback":
        return link.families
    first, second = (end.node.loopback for end in link.ends)
    return tuple(family for family in link.families if family in first and family in second)


def preference(link: Link, reserve: int) -> int:
    """Return the local preference of what comes in over a link. reserve: that of reserves, of which nothing else is written."""
    if link.options.preference is not None:
        return link.options.preference
    return reserve if link.reserve_of is not None else PLAIN_PREFERENCE


def reflects(node: Node, neighbor: Node, *, borders: bool = False) -> bool:
    """Tell whether a neighbor of the same AS is a client of a node (RFC 4456): what comes from it goes on to the others, and theirs to it.

    Parameters:
        node, neighbor: two nodes of one AS.
        borders: the session is one between borders of a site. There a reflector is a client of another one, too, since a client alone gets the next hop of
            what is reflected replaced, and only OSPF knows the way between the two.
    """
    return node.route_reflector and (borders or not neighbor.route_reflector)


def parts(members: Iterable[Node], joined: Iterable[tuple[str, str]]) -> list[list[Node]]:
    """Return the groups of nodes that chains of pairs connect, by union-find."""
    members = list(members)
    leader = {node.name: node.name for node in members}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for one, two in joined:
        if one in leader and two in leader:
            leader[find(one)] = find(two)
    found: dict[str, list[Node]] = {}
    for node in members:
        found.setdefault(find(node.name), []).append(node)
    return list(found.values())


def ospf_parts(intent: Intent, vrf: str, family: str) -> list[list[Node]]:
    """Return the groups of nodes that chains of OSPF adjacencies of a family connect in a VRF."""
    pairs = [
        (link.ends[0].node.name, link.ends[1].node.name)
        for link in intent.links
        if link.vrf == vrf and link.routing == "ospf" and family in link.families
    ]
    members = {name for pair in pairs for name in pair}
    return parts([node for node in intent.nodes.values() if node.name in members], pairs)


def borders(intent: Intent, vrf: str, family: str) -> list[list[Node]]:
    """Return the borders of each such group: who speaks BGP with a node outside of it, or with a container. In the order of their ids."""
    spoken: dict[str, set[str]] = {
        item.segment.gateway.name: {""} for item in intent.containers if item.segment.vrf == vrf and family in item.addresses
    }
    for link in intent.links:
        if link.vrf == vrf and family in session_families(link):
            first, second = (end.node.name for end in link.ends)
            spoken.setdefault(first, set()).add(second)
            spoken.setdefault(second, set()).add(first)
    found = []
    for part in ospf_parts(intent, vrf, family):
        inside = {node.name for node in part}
        found.append(sorted((node for node in part if spoken.get(node.name, set()) - inside), key=lambda node: node.id))
    return found


def border_sessions(intent: Intent) -> list[Borders]:
    """Return the sessions between the borders of a site: every two of one AS that OSPF connects, in the VRF of their loopbacks.

    Two that have a session over a link of their own need no other.
    """
    families: dict[tuple[str, str, str], list[str]] = {}
    for vrf in sorted({link.vrf for link in intent.links if link.routing == "ospf"}):
        for family in FAMILIES:
            spoken = (link for link in intent.links if link.vrf == vrf and family in session_families(link))
            linked = {frozenset(end.node.name for end in link.ends) for link in spoken}
            for group in borders(intent, vrf, family):
                usable = [node for node in group if node.vrf == vrf and family in node.loopback and node.asn is not None]
                for one, two in combinations(usable, 2):
                    if one.asn == two.asn and frozenset((one.name, two.name)) not in linked:
                        families.setdefault((vrf, one.name, two.name), []).append(family)
    return [Borders(intent.nodes[one], intent.nodes[two], vrf, tuple(found)) for (vrf, one, two), found in sorted(families.items())]
