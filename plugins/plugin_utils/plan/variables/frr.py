# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role frr for each node."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgp,
    FrrBgpNeighbor,
    FrrBgpNeighborFamily,
    FrrBgpRedistribute,
    FrrInterface,
    FrrOspf,
    FrrOspfInterface,
    FrrOspfRedistribute,
    FrrPrefixList,
    FrrRouteMap,
    FrrStaticRoute,
    FrrVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import link_local
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import (
    PLAIN_PREFERENCE,
    Borders,
    preference,
    reflects,
    session_families,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.containers import gateway_neighbors, policy
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, in_vrf, loopback_name, planned, secret
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.frr_edge import add_policies, external_neighbors, neighbor_routes
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.frr_routes import add_written, written_routes
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.frr_sessions import SessionOptions, bfd_profiles, session_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.gobgp import (
    box_policy,
    hides_steering,
    reinjection_routes,
    steering_neighbor,
)


class _Internal(TypedDict):
    """What a session inside of an AS has."""

    next_hop_self: bool
    route_reflector_client: NotRequired[bool]


def frr_variables(node: Node, shared: Context) -> FrrVariables:
    """Return the variables of role frr."""
    links = shared.links.get(node.name, [])
    speaks_bgp = [(link, end) for link, end in links if link.routing == "bgp"]
    speaks_ospf = [(link, end) for link, end in links if link.routing == "ospf"]
    found: FrrVariables = {"frr_interfaces": _interfaces(node, shared)}
    used = {node.vrf, *(link.vrf for link, _end in links), *(network.vrf for network in node.networks)}
    used.update(segment.vrf for segment in shared.segments.get(node.name, []))
    neighbors = shared.neighbors.get(node.name, [])
    used.update(neighbor.vrf for neighbor in neighbors)
    # Next hops of exits are in the VRFs of their uplinks.
    used.update(planned(item.uplink).vrf or "" for item in shared.intent.exits_of(node))
    if used != {""}:
        found["frr_vrfs"] = sorted(used - {""})
    routes = _static_routes(speaks_bgp) + _default_routes(node, shared) + reinjection_routes(node, shared)
    routes += neighbor_routes(neighbors) + written_routes(node, shared)
    if routes:
        found["frr_static_routes"] = routes
    containers = shared.containers.get(node.name, [])
    watched = [link.options.bfd for link, _end in speaks_bgp + speaks_ospf] + [container.bfd for container in containers]
    watched += [neighbor.options.bfd for neighbor in neighbors]
    if shared.intent.settings.bfd.enabled and any(watched):
        found["frr_bfd_profiles"] = bfd_profiles(shared)
    boxes = [shared.intent.nodes[name] for name in shared.steered.get(node.name, [])]
    if not any((speaks_bgp, speaks_ospf, boxes, containers, neighbors)):
        return found
    lists, maps = _session_policies(node, speaks_bgp, shared, with_ospf=bool(speaks_ospf))
    found["frr_prefix_lists"] = shared.lists + (shared.igp_lists if speaks_ospf else []) + lists
    found["frr_route_maps"] = maps
    for lists, own in map(policy, containers):
        found["frr_prefix_lists"] = found["frr_prefix_lists"] + lists
        found["frr_route_maps"].append(own)
    if speaks_ospf:
        igp = policies.route_map(policies.IGP, shared.igp_lists + shared.lists, [])
        # A box that learns its own steering routes back would send the traffic where it came from.
        is_box = node.name in shared.intent.settings.services.steering
        found["frr_route_maps"].append(policies.without_steered(igp) if is_box else igp)
        both = any((speaks_bgp, boxes, containers, neighbors))
        if both:
            found["frr_route_maps"] += policies.exchange_maps(
                shared.lists, steered=bool(shared.steered), several=node.name in shared.borders
            )
        if instances := _ospf(node, speaks_ospf, "ipv4", shared, with_bgp=both):
            found["frr_ospf"] = instances
        if instances := _ospf(node, speaks_ospf, "ipv6", shared, with_bgp=both):
            found["frr_ospf6"] = instances
    for box in boxes:
        lists, own = box_policy(box.name, shared)
        found["frr_prefix_lists"] = found["frr_prefix_lists"] + lists
        found["frr_route_maps"].append(own)
    if boxes:
        found["frr_route_maps"].append(policies.route_map(policies.NOTHING, [], []))
    vrfs_of_bgp = {link.vrf for link, _end in speaks_bgp} | ({node.vrf} if boxes else set())
    vrfs_of_bgp |= {container.segment.vrf for container in containers} | {neighbor.vrf for neighbor in neighbors}
    if neighbors:
        add_policies(found, neighbors, shared)
    if vrfs_of_bgp:
        found["frr_bgp"] = [
            _bgp(node, vrf, [(link, end) for link, end in speaks_bgp if link.vrf == vrf], speaks_ospf, shared)
            for vrf in sorted(vrfs_of_bgp)
        ]
    add_written(found, node, shared)
    if not found["frr_prefix_lists"]:
        del found["frr_prefix_lists"]
    return found


def _interfaces(node: Node, shared: Context) -> list[FrrInterface]:
    found: list[FrrInterface] = []
    if node.loopback:
        addresses = [str(node.loopback[family]) for family in FAMILIES if family in node.loopback]
        found.append({"name": loopback_name(node.vrf), "description": "loopback", "addresses": addresses})
    for network in node.networks:
        entry: FrrInterface = {"name": network.interface}
        if network.description is not None:
            entry["description"] = network.description
        addresses = [str(network.addresses[family]) for family in FAMILIES if family in network.addresses]
        if network.kind is None and "ipv6" in network.addresses:
            addresses.append(_link_local(node))
        entry["addresses"] = addresses
        if network.kind == "bridge":
            # Without ports it has no carrier, and its network would never be advertised.
            entry["link_detect"] = False
        found.append(entry)
    for link, end in shared.links.get(node.name, []):
        addresses = [str(end.addresses[family]) for family in link.families]
        if "ipv6" in link.families:
            addresses.append(_link_local(node))
        found.append({"name": end.interface, "description": link.other(end).node.name, "addresses": addresses})
    for segment in shared.segments.get(node.name, []):
        own = segment.addresses.get(node.name, {})
        found.append({"name": segment.interface_of(node), "addresses": [str(own[family]) for family in FAMILIES if family in own]})
    return sorted(found, key=lambda entry: natural_order(entry["name"]))


def _link_local(node: Node) -> str:
    """Return the node's own link-local address for tunnels and NICs, which may come without one.

    OSPFv3 speaks from it, and so does neighbor discovery for what a router forwards (RFC 4861, 7.2.2): without it, hosts are found only after they spoke.
    FRR's bgpd refuses a session with an IPv6 neighbor on the same link as long as the interface has none. WireGuard makes none, and PPP does not make
    its own anew when the interface moves into a VRF.
    """
    return str(link_local(node.id))


def _static_routes(links: list[tuple[Link, End]]) -> list[FrrStaticRoute]:
    """Return the route to each neighbor's loopback over the link to it, so that a session between loopbacks needs no other protocol."""
    found: list[FrrStaticRoute] = []
    for link, end in links:
        if link.session != "loopback":
            continue
        other = link.other(end)
        for family in session_families(link):
            prefix, next_hop = str(other.node.loopback[family]), other.addresses[family].bare
            found.append({**in_vrf(link.vrf), "prefix": prefix, "next_hop": next_hop, "interface": end.interface})
    return found


def _default_routes(node: Node, shared: Context) -> list[FrrStaticRoute]:
    """Return the default routes of a node that hangs on a segment alone: through the segment's gateway."""
    if shared.links.get(node.name):
        return []
    found: list[FrrStaticRoute] = []
    for segment in shared.segments.get(node.name, [])[:1]:
        if segment.gateway is node:
            continue
        for family in segment.prefixes:
            next_hop = segment.addresses[segment.gateway.name][family].bare
            interface = segment.interface_of(node)
            found.append({**in_vrf(segment.vrf), "prefix": EVERYTHING[family], "next_hop": next_hop, "interface": interface})
    return found


def _session_policies(
    node: Node, links: list[tuple[Link, End]], shared: Context, *, with_ospf: bool
) -> tuple[list[FrrPrefixList], list[FrrRouteMap]]:
    """Return the route maps of the sessions of a node's links, and the prefix lists beside those that all nodes have."""
    maps = {policies.PUBLISHED: policies.route_map(policies.PUBLISHED, shared.lists, [])}
    lists: dict[str, list[FrrPrefixList]] = {}
    for link, end in links:
        for own, route_map in (_policy_in(link, end, shared), _policy_out(link, end, shared)):
            lists[route_map["name"]], maps[route_map["name"]] = own, route_map
    for route_map in _border_policies(node, shared) if node.name in shared.borders else ():
        maps[route_map["name"]] = route_map
    anycast = policies.prefix_lists(policies.ANYCAST, policies.anycast_entries(shared.intent)) if links and with_ospf else []
    own = [item for name in sorted(lists, key=natural_order) for item in lists[name]]
    # What goes out to where steered traffic is put back is nobody's way in.
    last = [maps.pop(policies.UNSTEERED)] if policies.UNSTEERED in maps else []
    found = [policies.nearest(maps[name], anycast, shared.lists + own) for name in sorted(maps, key=natural_order)]
    return anycast + own, found + last


def _policy_in(link: Link, end: End, shared: Context) -> tuple[list[FrrPrefixList], FrrRouteMap]:
    """Return the route map for what a session of a link brings in, and the prefix lists that it has for itself."""
    preferred = preference(link, shared.intent.settings.bgp.reserve_preference)
    changes = [f"local-preference {preferred}"] if preferred != PLAIN_PREFERENCE else []
    other = link.other(end)
    if _from_beyond(link, end, other, shared):
        changes.append(f"distance {policies.OUTER_DISTANCE}")
    name = policies.FROM.format(interface=end.interface)
    own = policies.prefix_lists(name, shared.inbound.lines(end.node, other.node, link.vrf)) if other.node.restricted else []
    # What a reflector hands on to another one keeps its next hop, an address of a link that only the first one has.
    reflected = end.node.asn == other.node.asn and end.node.route_reflector and other.node.route_reflector
    if link.session == "loopback" or reflected:
        next_hops = {family: other.addresses[family].bare for family in link.families}
        return own, policies.session_map(name, own if other.node.restricted else shared.lists, changes, next_hops)
    if other.node.restricted:
        return own, policies.route_map(name, own, changes)
    return own, _common("-".join([policies.PUBLISHED, *(change.rpartition(" ")[2] for change in changes)]), changes, shared)


def _from_beyond(link: Link, end: End, other: End, shared: Context) -> bool:
    """Tell whether a session is one inside of an AS that leads out of what OSPF connects.

    What comes over it is the border's own way, which has to win over what another border says of it in OSPF, as that of eBGP does: with iBGP's distance of
    200 two borders with such a way would each follow the other.
    """
    names = {end.node.name, other.node.name}
    area = shared.areas.get((end.node.name, link.vrf))
    return end.node.asn == other.node.asn and area is not None and not names <= area


def _policy_out(link: Link, end: End, shared: Context) -> tuple[list[FrrPrefixList], FrrRouteMap]:
    """Return the route map for what a session of a link takes out, and the prefix lists that it has for itself.

    A restricted node advertises what its neighbor accepts from it.
    """
    hides = hides_steering(link, end, shared)
    if end.node.restricted:
        name = policies.TO.format(interface=end.interface)
        own = policies.prefix_lists(name, shared.inbound.lines(link.other(end).node, end.node, link.vrf))
        found = policies.route_map(name, own, [])
        return own, policies.without_steered(found) if hides else found
    if hides:
        return [], policies.without_steered(policies.route_map(policies.UNSTEERED, shared.lists, []))
    return [], _common(policies.PUBLISHED, [], shared)


def _border_policies(node: Node, shared: Context) -> tuple[FrrRouteMap, FrrRouteMap]:
    """Return the route maps for what a session with another border of the site brings in, and for what it takes out.

    What comes in carries the tag of what came from BGP, so that it is not advertised in OSPF once more. What is steered the others have from OSPF, with
    its tag, which keeps it inside of the site.
    """
    inward = policies.route_map(policies.BORDER, shared.lists, [f"tag {policies.BGP_TAG}"])
    if node.name in shared.steered:
        return inward, policies.without_steered(policies.route_map(policies.UNSTEERED, shared.lists, []))
    return inward, _common(policies.PUBLISHED, [], shared)


def _common(name: str, changes: list[str], shared: Context) -> FrrRouteMap:
    """Return a route map that many sessions have, made once."""
    if name not in shared.maps:
        shared.maps[name] = policies.route_map(name, shared.lists, changes)
    return shared.maps[name]


def _bgp(node: Node, vrf: str, links: list[tuple[Link, End]], ospf: list[tuple[Link, End]], shared: Context) -> FrrBgp:
    settings = shared.intent.settings.bgp
    instance: FrrBgp = {"asn": planned(node.asn), **in_vrf(vrf), "router_id": planned(node.router_id)}
    networks = [str(prefix) for prefix in policies.published_prefixes(node, vrf, shared.segments.get(node.name, []))]
    if networks:
        instance["networks"] = networks
    redistribute = _into_bgp(node, vrf, ospf, shared)
    if redistribute:
        instance["redistribute"] = redistribute
    if settings.maximum_paths is not None:
        instance["maximum_paths"] = settings.maximum_paths
    neighbors = [neighbor for link, end in links for neighbor in _neighbors(link, end, shared)]
    neighbors += [
        neighbor for session in shared.borders.get(node.name, []) if session.vrf == vrf for neighbor in _border(session, node, shared)
    ]
    if vrf == node.vrf:
        neighbors += [steering_neighbor(node, shared.intent.nodes[name], shared) for name in shared.steered.get(node.name, [])]
    for container in shared.containers.get(node.name, []):
        if container.segment.vrf == vrf:
            neighbors += gateway_neighbors(container, shared)
    for neighbor in shared.neighbors.get(node.name, []):
        if neighbor.vrf == vrf:
            neighbors += external_neighbors(neighbor, shared)
    instance["neighbors"] = [entry for _key, entry in sorted(neighbors, key=lambda item: item[0])]
    return instance


def _into_bgp(node: Node, vrf: str, ospf: list[tuple[Link, End]], shared: Context) -> list[FrrBgpRedistribute]:
    found: list[FrrBgpRedistribute] = []
    for family, source in (("ipv4", "ospf"), ("ipv6", "ospf6")):
        if any(link.vrf == vrf and family in link.families for link, _end in ospf):
            entry: FrrBgpRedistribute = {"source": source, "route_map": policies.OSPF_TO_BGP}
            if family != "ipv4":
                entry["family"] = family
            found.append(entry)
    dns = shared.intent.settings.services.dns
    if dns is not None and node.name in shared.intent.dns_nodes and vrf == node.vrf:
        found.append({"source": "connected", "route_map": policies.PUBLISHED})
    return found


def _neighbors(link: Link, end: End, shared: Context) -> list[tuple[tuple[int, int], FrrBgpNeighbor]]:
    """Return the sessions of a link, one a family, with their sort key."""
    other = link.other(end)
    settings = shared.intent.settings.bgp
    found: list[tuple[tuple[int, int], FrrBgpNeighbor]] = []
    external = end.node.asn != other.node.asn
    inward, outward = (one(link, end, shared)[1]["name"] for one in (_policy_in, _policy_out))
    lines = shared.inbound.lines(end.node, other.node, link.vrf) if other.node.restricted else None
    for family in session_families(link):
        own, address = end.addresses[family], other.addresses[family]
        between_loopbacks = link.session == "loopback"
        if between_loopbacks:
            own, address = end.node.loopback[family], other.node.loopback[family]
        options: SessionOptions = {}
        if between_loopbacks:
            options["update_source"] = own.bare
        if settings.ttl_security_hops is not None:
            options["ttl_security_hops"] = settings.ttl_security_hops
        elif between_loopbacks and external:
            options["ebgp_multihop"] = settings.multihop
        policy: FrrBgpNeighborFamily = {
            "family": family,
            "route_map_in": inward,
            "route_map_out": outward,
            **shared.inbound.maximum(family, lines),
        }
        if not external:
            policy |= _internal(reflects(end.node, other.node))
        entry: FrrBgpNeighbor = {
            "address": address.bare,
            "remote_as": planned(other.node.asn),
            "description": other.node.name,
            **options,
            **session_options(link.options.bfd, shared, link.options.password_variable),
            "families": [policy],
        }
        found.append(((address.version, address.value), entry))
    return found


def _internal(client: bool) -> _Internal:
    """Return what a session inside of an AS has. client: with a client of the node."""
    return {"next_hop_self": True, "route_reflector_client": True} if client else {"next_hop_self": True}


def _border(session: Borders, node: Node, shared: Context) -> list[tuple[tuple[int, int], FrrBgpNeighbor]]:
    """Return the sessions with another border of the site, one a family, with their sort key.

    OSPF tells either where the other's loopback is, and BGP at once when it is nowhere any more. BFD does not watch them: it would be faster than OSPF,
    which finds another way through the site.
    """
    other = session.other(node)
    inward, outward = (route_map["name"] for route_map in _border_policies(node, shared))
    found: list[tuple[tuple[int, int], FrrBgpNeighbor]] = []
    for family in session.families:
        address = other.loopback[family]
        policy: FrrBgpNeighborFamily = {
            "family": family,
            "route_map_in": inward,
            "route_map_out": outward,
            **shared.inbound.maximum(family),
            **_internal(reflects(node, other, borders=True)),
        }
        entry: FrrBgpNeighbor = {
            "address": address.bare,
            "remote_as": planned(other.asn),
            "description": other.name,
            "update_source": node.loopback[family].bare,
            **session_options(False, shared),
            "families": [policy],
        }
        found.append(((address.version, address.value), entry))
    return found


def _ospf(node: Node, links: list[tuple[Link, End]], family: str, shared: Context, *, with_bgp: bool) -> list[FrrOspf]:
    """Return the OSPF instances of a family, one a VRF; OSPFv3 takes the same shape."""
    settings = shared.intent.settings.ospf
    bfd = shared.intent.settings.bfd
    found: list[FrrOspf] = []
    for vrf in sorted({link.vrf for link, _end in links if family in link.families}):
        area = shared.intent.sites[planned(node.site)].area
        interfaces: list[FrrOspfInterface] = []
        if node.vrf == vrf and family in node.loopback:
            interfaces.append({"name": loopback_name(vrf), "area": area, "passive": True})
        for network in node.networks:
            if network.vrf == vrf and network.published and family in network.addresses:
                interfaces.append({"name": network.interface, "area": area, "passive": True})
        for segment in shared.segments.get(node.name, []):
            if segment.gateway is node and segment.vrf == vrf and segment.options.published and family in segment.prefixes:
                interfaces.append({"name": segment.interface_of(node), "area": area, "passive": True})
        for link, end in links:
            if link.vrf != vrf or family not in link.families:
                continue
            entry: FrrOspfInterface = {"name": end.interface, "area": area, "network": "point-to-point"}
            entry |= {"hello_interval": settings.hello_interval, "dead_interval": settings.dead_interval}
            if link.options.cost is not None:
                entry["cost"] = link.options.cost
            if bfd.enabled and link.options.bfd:
                entry["bfd_profile"] = bfd.profile
            if settings.password_variable is not None and family == "ipv4":
                entry["password"] = secret(settings.password_variable)
            interfaces.append(entry)
        instance: FrrOspf = {
            **in_vrf(vrf),
            "router_id": planned(node.router_id),
            "reference_bandwidth": settings.reference_bandwidth,
            "interfaces": sorted(interfaces, key=lambda entry: natural_order(entry["name"])),
        }
        redistribute: list[FrrOspfRedistribute] = [{"source": "bgp", "route_map": policies.BGP_TO_OSPF}] if with_bgp else []
        if node.name in shared.intent.dns_nodes and vrf == node.vrf:
            redistribute.append({"source": "connected", "route_map": policies.PUBLISHED})
        if redistribute:
            instance["redistribute"] = redistribute
        # Point-to-point subnets are part of OSPF's own topology; this keeps them out of the tables.
        instance["install_route_map"] = policies.IGP
        found.append(instance)
    return found
