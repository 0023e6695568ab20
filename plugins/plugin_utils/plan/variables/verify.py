# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role verify for each node: the networks of the neighbors, the paths to them with their MTU, and what the report says of the plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VerifyNeighbor, VerifyReach, VerifyRoute, VerifyVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Link, Neighbor, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.edge import accepted
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, in_vrf, planned


def verify_variables(node: Node, shared: Context) -> VerifyVariables:
    """Return the variables of role verify: networks of the neighbors, paths to them and over silent links with their MTU, site, ends of reserve links."""
    reach: list[VerifyReach] = []
    routes: list[VerifyRoute] = []
    # What a node is connected to itself, it learns from nobody.
    seen = {(segment.vrf, str(prefix)) for segment in shared.segments.get(node.name, []) for prefix in segment.prefixes.values()}
    neighbors: dict[str, list[Link]] = defaultdict(list)
    for link, end in shared.links.get(node.name, []):
        if link.routing != "none":
            neighbors[link.other(end).node.name].append(link)
    for name, links in neighbors.items():
        peer = shared.intent.nodes[name]
        first = next((link for link in links if link.reserve_of is None), None)
        if first is None or not peer.managed:
            continue
        # Two equal links of different size have no one path MTU.
        sizes = {link.mtu for link in links if link.reserve_of is None}
        for family in first.families:
            source, destination = (probe_address(item, first.vrf, family) for item in (node, peer))
            if source and destination:
                path: VerifyReach = {**in_vrf(first.vrf), "source": source, "destination": destination}
                if len(sizes) == 1:
                    path["mtu"] = first.mtu
                reach.append(path)
        for prefix in policies.published_prefixes(peer, first.vrf, shared.segments.get(name, [])):
            if (first.vrf, str(prefix)) in seen:
                continue
            seen.add((first.vrf, str(prefix)))
            protocol = first.routing if first.routing == "bgp" or prefix.version == 4 else "ospf6"
            routes.append({**in_vrf(first.vrf), "prefix": str(prefix), "protocol": protocol, "direct": True})
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
    external = [item for neighbor in shared.neighbors.get(node.name, []) for item in _expected(neighbor)]
    if external:
        found["verify_neighbors"] = external
    reserves = [end.interface for link, end in shared.links.get(node.name, []) if link.reserve_of is not None]
    if reserves:
        found["verify_reserves"] = reserves
    return {**found, **drawn_in(node)}


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
