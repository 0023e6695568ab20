# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steering: the GoBGP box, its router, and the return path into the tunnel that must not become a loop.

A steered packet comes to the router, goes to the box, and leaves it by the box's default route, over a link of its own that ends in another
VRF of the router. That VRF knows one route only, the default into the tunnel: the steering route, which is in the router's own VRF, is not
seen there. Steering routes carry a tag, by which they are kept from the box and from the far end of that tunnel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgpNeighbor,
    FrrBgpNeighborFamily,
    FrrPrefixList,
    FrrRouteMap,
    FrrStaticRoute,
    GobgpHealth,
    GobgpNeighbor,
    GobgpNextHops,
    GobgpVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, in_vrf, planned

# A GoBGP box stands beside its router, or one router further.
_HOPS = 2


class _Hops(TypedDict):
    """What a session between neighboring ASes has."""

    ebgp_multihop: NotRequired[int]


def gobgp_variables(node: Node, shared: Context) -> GobgpVariables:
    """Return the variables of role gobgp."""
    steering = shared.intent.settings.services.steering.get(node.name)
    if steering is None:
        return {}
    router = shared.intent.nodes[steering.router]
    family = session_family(node, router)
    neighbor: GobgpNeighbor = {"address": router.loopback[family].bare, "remote_as": planned(router.asn), "name": router.name}
    neighbor["local_address"] = node.loopback[family].bare
    if router.asn != node.asn:
        neighbor["ebgp_multihop"] = _HOPS
    found: GobgpVariables = {"gobgp_asn": planned(node.asn), "gobgp_router_id": planned(node.router_id)}
    if node.vrf:
        found["gobgp_vrf"] = node.vrf
    found["gobgp_neighbors"] = [neighbor]
    found["gobgp_prefixes"] = list(steering.prefixes)
    found["gobgp_next_hops"] = cast(GobgpNextHops, {name: node.loopback[name].bare for name in FAMILIES if name in node.loopback})
    if steering.health is not None:
        found["gobgp_health"] = cast(GobgpHealth, dict(steering.health))
    return found


def session_family(box: Node, router: Node) -> str:
    """Return the family of the session between two loopbacks; IPv4 where both have it."""
    return next(name for name in FAMILIES if name in box.loopback and name in router.loopback)


def box_policy(box: str, shared: Context) -> tuple[list[FrrPrefixList], FrrRouteMap]:
    """Return the prefix lists and the route map of what a GoBGP box may steer."""
    name = policies.STEERING.format(name=box)
    lists = policies.prefix_lists(name, policies.steering_entries(shared.intent.settings.services.steering[box]))
    return lists, policies.route_map(name, lists, [f"tag {policies.STEERING_TAG}"])


def steering_neighbor(node: Node, box: Node, shared: Context) -> tuple[tuple[int, int], FrrBgpNeighbor]:
    """Return the router's session with a GoBGP box, with its sort key: the box initiates it, advertises what to steer and learns nothing."""
    family = session_family(box, node)
    address = box.loopback[family]
    lines = policies.steering_entries(shared.intent.settings.services.steering[box.name])
    families: list[FrrBgpNeighborFamily] = [
        {
            "family": name,
            "route_map_in": policies.STEERING.format(name=box.name),
            "route_map_out": policies.NOTHING,
            **shared.inbound.maximum(name, lines),
        }
        for name in FAMILIES
        if name in box.loopback
    ]
    hops: _Hops = {"ebgp_multihop": _HOPS} if box.asn != node.asn else {}
    return (address.version, address.value), {
        "address": address.bare,
        "remote_as": planned(box.asn),
        "description": f"{box.name} steering",
        "update_source": node.loopback[family].bare,
        "passive": True,
        **hops,
        "families": families,
    }


def _return_paths(shared: Context) -> Iterator[tuple[str, str, Link, Link]]:
    """Yield box, router, link between them, and tunnel, for each box that puts traffic back."""
    steering = shared.intent.settings.services.steering
    links = {link.id: link for link in shared.intent.links} if steering else {}
    for box, entry in sorted(steering.items()):
        if entry.reinject is not None:
            yield box, entry.router, links[entry.reinject.link], links[entry.reinject.into]


def _end_at(link: Link, name: str) -> End:
    return next(end for end in link.ends if end.node.name == name)


def reinjection_routes(node: Node, shared: Context) -> list[FrrStaticRoute]:
    """Return the default routes of the return path: of the box over the link, and of the router's other VRF into the tunnel."""
    found: list[FrrStaticRoute] = []
    for box, router, link, tunnel in _return_paths(shared):
        if node.name == box:
            found += _default_routes(node.vrf, link, _end_at(link, box))
        elif node.name == router:
            found += _default_routes(link.vrf, tunnel, _end_at(tunnel, router))
    return found


def _default_routes(vrf: str, link: Link, end: End) -> Iterator[FrrStaticRoute]:
    for family in link.families:
        route: FrrStaticRoute = {
            **in_vrf(vrf),
            "prefix": EVERYTHING[family],
            "next_hop": link.other(end).addresses[family].bare,
            "interface": end.interface,
        }
        if link.vrf != vrf:
            route["next_hop_vrf"] = link.vrf or "default"
        yield route


def hides_steering(link: Link, end: End, shared: Context) -> bool:
    """Tell whether the steering routes must not be advertised over a link: its far end is where the steered traffic is put back."""
    ends = {end.node.name, link.other(end).node.name}
    for _box, router, _link, tunnel in _return_paths(shared):
        if end.node.name == router and {item.node.name for item in tunnel.ends} == ends:
            return True
    return False
