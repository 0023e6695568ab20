# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What role frr has for the external neighbors of a node: sessions, the ways to those beyond a subnet, filters, and the caches of RPKI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgpNeighbor,
    FrrBgpNeighborFamily,
    FrrRpki,
    FrrStaticRoute,
    FrrVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, is_private_asn
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent, Neighbor, Rpki
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import edge
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, in_vrf, planned
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.frr_sessions import SessionOptions, chosen_options

# A neighbor without an address comes after those that have one, by the name of its interface.
_UNNUMBERED = 7


def external_neighbors(neighbor: Neighbor, shared: Context) -> Iterator[tuple[tuple[int, int], FrrBgpNeighbor]]:
    """Yield the sessions with an external neighbor, with their sort key: one for each of its addresses, or one on its interface."""
    for family, address in neighbor.addresses.items():
        options: SessionOptions = {}
        if neighbor.from_loopback:
            options["update_source"] = neighbor.node.loopback[family].bare
        yield (address.version, address.value), {"address": address.bare, **_session(neighbor, (family,), options, shared)}
    if neighbor.unnumbered:
        name = planned(neighbor.interface)
        key = (_UNNUMBERED, int.from_bytes(name.encode().ljust(16, b"\0"), "big"))
        yield key, {"interface": name, **_session(neighbor, neighbor.families, {}, shared)}


def _session(neighbor: Neighbor, families: Sequence[str], own: SessionOptions, shared: Context) -> FrrBgpNeighbor:
    options = neighbor.options
    if options.multihop is not None:
        own["ebgp_multihop"] = options.multihop
    if options.ttl_security_hops is not None:
        own["ttl_security_hops"] = options.ttl_security_hops
    found: FrrBgpNeighbor = {
        "remote_as": neighbor.asn,
        "description": neighbor.name,
        **own,
        **chosen_options(options.bfd, shared, options.password_variable, options.keepalive, options.holdtime),
        "families": [_family(neighbor, family, shared.intent) for family in families],
    }
    role = edge.role_of(neighbor)
    if role is not None:
        found["local_role"] = role
        if options.role == "require":
            found["strict_role"] = True
    if neighbor.relation == "route_server":
        # The server hands on what others bring and adds no number of its own to the path (RFC 7947, 2.2.2.1).
        found["enforce_first_as"] = False
    return found


def _family(neighbor: Neighbor, family: str, intent: Intent) -> FrrBgpNeighborFamily:
    found: FrrBgpNeighborFamily = {
        "family": family,
        "route_map_in": edge.FROM.format(name=neighbor.name),
        "route_map_out": edge.TO.format(name=neighbor.name),
        **edge.maximum(neighbor, family, intent),
    }
    if neighbor.same_as:
        # The other nodes of the AS hear of what it brings through this one, and it of theirs.
        found["next_hop_self"] = True
        found["route_reflector_client"] = True
    if neighbor.options.default_originate:
        found["default_originate"] = True
    if not edge.is_private(neighbor) and not is_private_asn(planned(neighbor.node.asn)):
        found["remove_private_as"] = True
    return found


def neighbor_routes(neighbors: Sequence[Neighbor]) -> list[FrrStaticRoute]:
    """Return the way to each neighbor that is beyond the subnets of its interface, and to which no default route leads: FRR takes none for it."""
    found: list[FrrStaticRoute] = []
    for neighbor in neighbors:
        for address in neighbor.addresses.values():
            next_hop = edge.way_to(neighbor, address)
            if next_hop is not None:
                prefix = f"{address.bare}/{BITS[address.version]}"
                route: FrrStaticRoute = {**in_vrf(neighbor.vrf), "prefix": prefix, "next_hop": next_hop.bare}
                if neighbor.interface is not None:
                    route["interface"] = neighbor.interface
                if route not in found:
                    found.append(route)
    return found


def add_policies(found: FrrVariables, neighbors: Sequence[Neighbor], shared: Context) -> None:
    """Add the lists and route maps of the external neighbors of a node to its variables, and the caches of RPKI where one of them needs these."""
    policy = edge.policy_of(neighbors, shared.intent, shared.inbound)
    found["frr_prefix_lists"] = found["frr_prefix_lists"] + policy.prefix_lists
    found["frr_route_maps"] += policy.route_maps
    found["frr_community_lists"] = policy.community_lists
    if policy.as_path_lists:
        found["frr_as_path_lists"] = policy.as_path_lists
    if any(neighbor.options.rpki for neighbor in neighbors):
        found["frr_rpki"] = _rpki(shared.intent.rpki)


def _rpki(rpki: Rpki) -> FrrRpki:
    found: FrrRpki = {
        "caches": [{"host": cache.host, "port": cache.port, "preference": index + 1} for index, cache in enumerate(rpki.caches)]
    }
    if rpki.polling_period is not None:
        found["polling_period"] = rpki.polling_period
    if rpki.retry_interval is not None:
        found["retry_interval"] = rpki.retry_interval
    if rpki.expire_interval is not None:
        found["expire_interval"] = rpki.expire_interval
    return found
