# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role frr: the routes that a person wants, exits and leaks.

A leak is a static route whose interface is the device of the other VRF, so that its table is asked as well. An exit is a default route to the gateway of an
uplink in another VRF, which zebra takes back when the uplink has no carrier.
"""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgp,
    FrrBgpRedistribute,
    FrrOspf,
    FrrOspf6,
    FrrPrefixList,
    FrrRouteMap,
    FrrStaticRoute,
    FrrVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Exit, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, in_vrf, planned

# FRR's name of the default VRF.
_DEFAULT = "default"


def written_routes(node: Node, shared: Context) -> list[FrrStaticRoute]:
    """Return the static routes that a person wants at a node, those of leaks, and the default routes of its exits."""
    found: list[FrrStaticRoute] = []
    for route in node.routes:
        if route.aggregate:
            continue
        entry: FrrStaticRoute = {**in_vrf(route.vrf), "prefix": str(route.prefix)}
        if route.blackhole:
            entry["blackhole"] = True
        if route.next_hop is not None:
            entry["next_hop"] = route.next_hop.bare
        if route.interface is not None:
            entry["interface"] = route.interface
        if route.next_hop_vrf is not None:
            entry["next_hop_vrf"] = route.next_hop_vrf
        if route.distance is not None:
            entry["distance"] = route.distance
        found.append(entry)
    return found + [route for item in shared.intent.exits_of(node) for route in _default_routes(item)]


def _default_routes(item: Exit) -> list[FrrStaticRoute]:
    found: list[FrrStaticRoute] = []
    uplink = planned(item.uplink)
    for family, gateway in sorted(item.gateways().items()):
        entry: FrrStaticRoute = {**in_vrf(item.vrf), "prefix": EVERYTHING[family]}
        if gateway is not None:
            entry["next_hop"] = gateway.bare
        entry |= {"interface": planned(uplink.device), "next_hop_vrf": uplink.vrf or _DEFAULT}
        if item.reserve_of is not None:
            entry["distance"] = policies.RESERVE_DISTANCE
        found.append(entry)
    return found


def add_written(found: FrrVariables, node: Node, shared: Context) -> None:
    """Have what a person wants at a node advertised: as networks of BGP already, here aggregates, exits, and all static routes in OSPF.

    Parameters:
        found: the variables of role frr, complete but for that.
    """
    for instance in found.get("frr_bgp", []):
        _into_bgp(instance, found, node, shared)
    for version4 in found.get("frr_ospf", []):
        _into_ospf(version4, "ipv4", found, node)
    for version6 in found.get("frr_ospf6", []):
        _into_ospf(version6, "ipv6", found, node)


def _into_bgp(instance: FrrBgp, found: FrrVariables, node: Node, shared: Context) -> None:
    vrf = instance.get("vrf", "")
    aggregates = [str(route.prefix) for route in node.routes if route.vrf == vrf and route.aggregate]
    if aggregates:
        instance["aggregates"] = [{"prefix": prefix} for prefix in aggregates]
    exits = [item for item in shared.intent.exits_of(node) if item.vrf == vrf]
    if not exits:
        return
    # A node with a first exit of its own uses that, and its reserve stands behind it.
    lists, own = policies.exit_map(reserve=all(item.reserve_of is not None for item in exits))
    _add(found, lists, own)
    families = {family for item in exits for family in item.gateways()}
    for family in FAMILIES:
        if family in families:
            source: FrrBgpRedistribute = {"source": "static", "route_map": own["name"]}
            instance["redistribute"] = [*instance.get("redistribute", []), source if family == "ipv4" else {**source, "family": family}]


def _into_ospf(instance: FrrOspf | FrrOspf6, family: str, found: FrrVariables, node: Node) -> None:
    vrf = instance.get("vrf", "")
    lists, own = policies.static_map(node, vrf)
    if any(item.get("family", "ipv4") == family for item in lists):
        _add(found, lists, own)
        instance["redistribute"] = [*instance.get("redistribute", []), {"source": "static", "route_map": own["name"]}]


def _add(found: FrrVariables, lists: list[FrrPrefixList], own: FrrRouteMap) -> None:
    """Add prefix lists and a route map, each once."""
    found["frr_prefix_lists"] = found["frr_prefix_lists"] + [item for item in lists if item not in found["frr_prefix_lists"]]
    if own not in found["frr_route_maps"]:
        found["frr_route_maps"].append(own)
