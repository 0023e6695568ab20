# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role verify for each node: what it learns by which way, the paths to its neighbors with their MTU, and what the report says of the plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrStaticRoute,
    VerifyLearned,
    VerifyNeighbor,
    VerifyOtherRoute,
    VerifyReach,
    VerifyRoute,
    VerifyVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Link, Neighbor, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.edge import accepted
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.learned import Way
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, in_vrf, planned
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.gobgp import hides_steering


def verify_variables(node: Node, shared: Context, statics: Sequence[FrrStaticRoute]) -> VerifyVariables:
    """Return the variables of role verify: what is learned by which way, networks of the neighbors, paths to them and over silent links with their MTU, site,
    ends of reserve links.

    Parameters:
        statics: the static routes of the node.
    """
    reach, routes = _neighbors(node, shared)
    for link, end in shared.links.get(node.name, []):
        other = link.other(end)
        for family in link.families if link.kind.probed and other.node.managed else ():
            source, destination = end.addresses[family].bare, other.addresses[family].bare
            reach.append({**in_vrf(link.vrf), "source": source, "destination": destination, "mtu": link.mtu})
    for container in shared.containers.get(node.name, []):
        segment = container.segment
        for family, address in container.addresses.items():
            source = segment.addresses[node.name][family].bare
            reach.append({**in_vrf(segment.vrf), "source": source, "destination": address.bare, "mtu": segment.mtu})
        for address, _path in container.networks:
            routes.append({**in_vrf(segment.vrf), "prefix": str(address.prefix), "protocol": "bgp", "direct": True})
    found: VerifyVariables = {}
    if reach:
        found["verify_reach"] = reach
    if routes:
        found["verify_routes"] = routes
    if learned := _learned(node, shared, statics):
        found["verify_learned"] = learned
    if others := [*_anycast(node, shared), *_steered(node, shared)]:
        found["verify_other_routes"] = others
    external = [item for neighbor in shared.neighbors.get(node.name, []) for item in _expected(neighbor)]
    if external:
        found["verify_neighbors"] = external
    reserves = [end.interface for link, end in shared.links.get(node.name, []) if link.reserve_of is not None]
    if reserves:
        found["verify_reserves"] = reserves
    return {**found, **drawn_in(node)}


def _neighbors(node: Node, shared: Context) -> tuple[list[VerifyReach], list[VerifyRoute]]:
    """Return the paths to the managed neighbors, and what they have of their own: in each VRF in which a link with routing leads to one."""
    reach: list[VerifyReach] = []
    routes: list[VerifyRoute] = []
    neighbors: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for link, end in shared.links.get(node.name, []):
        if link.routing != "none" and link.reserve_of is None:
            neighbors[link.other(end).node.name, link.vrf].append(link)
    seen: set[tuple[str, Prefix]] = set()
    for (name, vrf), links in neighbors.items():
        peer = shared.intent.nodes[name]
        if not peer.managed:
            continue
        # Two equal links of different size have no one path MTU.
        sizes = {link.mtu for link in links}
        for family in links[0].families:
            source, destination = (probe_address(item, vrf, family) for item in (node, peer))
            if source and destination:
                path: VerifyReach = {**in_vrf(vrf), "source": source, "destination": destination}
                if len(sizes) == 1:
                    path["mtu"] = links[0].mtu
                reach.append(path)
        for prefix in policies.published_prefixes(peer, vrf, shared.segments.get(name, [])):
            # What a node is connected to itself, it learns from nobody.
            learned = shared.learned.propagation.route(node.name, vrf, prefix)
            if learned is None or (vrf, prefix) in seen:
                continue
            seen.add((vrf, prefix))
            route: VerifyRoute = {**in_vrf(vrf), "prefix": str(prefix)}
            if learned.protocol is not None:
                route["protocol"] = learned.protocol
            routes.append({**route, "direct": True})
    return reach, routes


def _learned(node: Node, shared: Context, statics: Sequence[FrrStaticRoute]) -> list[VerifyLearned]:
    own: dict[str, list[Prefix]] = defaultdict(list)
    for route in statics:
        own[route.get("vrf", "")].append(parse_prefix(route["prefix"]))
    vrfs = {link.vrf for link, _end in shared.links.get(node.name, [])}
    vrfs.update(container.segment.vrf for container in shared.containers.get(node.name, []))
    return [entry for vrf in sorted(vrfs) for entry in learned_entries(vrf, shared.learned.of_node(node, vrf, own[vrf]))]


def learned_entries(vrf: str, ways: Mapping[Way, list[str]]) -> list[VerifyLearned]:
    """Return the entries of ``verify_learned`` for what is learned in a VRF, by the way that it may come."""
    found: list[VerifyLearned] = []
    for way, rows in sorted(ways.items()):
        entry: VerifyLearned = {**in_vrf(vrf), "prefixes": rows, "interfaces": list(way.interfaces)}
        if way.reserves:
            entry["reserves"] = list(way.reserves)
        if way.next_hops:
            entry["next_hops"] = list(way.next_hops)
        found.append(entry)
    return found


def _anycast(node: Node, shared: Context) -> Iterator[VerifyOtherRoute]:
    """Yield the anycast addresses of a node that answers them itself: while it does not, it has those of another node."""
    dns = shared.intent.settings.services.dns
    others = {name for name in shared.intent.dns_nodes if name != node.name and shared.intent.nodes[name].vrf == node.vrf}
    if dns is None or node.name not in shared.intent.dns_nodes or not others:
        return
    way = shared.learned.towards(node, node.vrf, others)
    if way.interfaces or way.reserves:
        yield _other(node.vrf, [str(parse_address(text).prefix) for text in dns.addresses().values()], way, "anycast of another node")


def _steered(node: Node, shared: Context) -> Iterator[VerifyOtherRoute]:
    """Yield what may be steered: at the router over its links to the GoBGP box, elsewhere over those to the router.

    No box has it, nor who is beyond a hidden link.
    """
    steering = shared.intent.settings.services.steering
    for name, box in sorted(steering.items()) if node.name not in steering else ():
        router = shared.intent.nodes[box.router]
        if node is router:
            way = shared.learned.towards(node, router.vrf, {name})
        else:
            hidden = {link.id for link, end in shared.links.get(router.name, []) if hides_steering(link, end, shared)}
            way = shared.learned.towards(node, router.vrf, {router.name}, hidden)
        if way.interfaces or way.reserves:
            yield {**_other(router.vrf, list(box.prefixes), way, f"steering by {name}"), "parts": True}


def _other(vrf: str, prefixes: list[str], way: Way, reason: str) -> VerifyOtherRoute:
    interfaces = [*way.interfaces, *way.reserves]
    return {**in_vrf(vrf), "prefixes": prefixes, "protocols": ["bgp", "ospf"], "interfaces": interfaces, "reason": reason}


def _expected(neighbor: Neighbor) -> Iterator[VerifyNeighbor]:
    """Yield what is expected of each session with an external neighbor."""
    sessions: list[tuple[str, tuple[str, ...]]] = [(address.bare, (family,)) for family, address in neighbor.addresses.items()]
    for name, families in sessions or [(planned(neighbor.interface), neighbor.families)]:
        found: VerifyNeighbor = {"neighbor": name, **in_vrf(neighbor.vrf), "relation": neighbor.relation.replace("_", " ")}
        # Where nothing is accepted, nothing comes.
        if neighbor.options.optional or not any(accepted(neighbor)[family] for family in families):
            found["silent"] = True
        if neighbor.options.optional:
            found["optional"] = True
        yield found


def drawn_in(node: Node) -> VerifyVariables:
    """Return the site in which the report draws a node, and a container on it."""
    return {"verify_site": node.site} if node.site else {}


def probe_address(node: Node, vrf: str, family: str) -> str | None:
    """Return an address of a node that the others can reach: that of its first published network, else its loopback."""
    for network in sorted(node.networks, key=lambda item: item.id):
        if network.published and network.vrf == vrf and family in network.addresses:
            return network.addresses[family].bare
    if node.vrf == vrf and family in node.loopback:
        return node.loopback[family].bare
    return None
