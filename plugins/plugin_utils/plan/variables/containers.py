# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Containers that are routers: the gateway's session with each, and the variables of each as a host of its own.

Either side holds the other to the plan: the container tells and the gateway takes what the intent publishes for it, and nothing else.
"""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgp,
    FrrBgpNeighbor,
    FrrInterface,
    FrrPrefixList,
    FrrRouteMap,
    FrrVariables,
    HostVariables,
    VerifyReach,
    VerifyRoute,
    VerifyVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, LOOPBACK_DEVICE, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Container
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, planned
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.frr_sessions import SessionOptions, bfd_profiles, session_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.verify import drawn_in, learned_entries

# Docker's name for the only interface of a container.
_INTERFACE = "eth0"


def policy_name(container: Container) -> str:
    """Return the name of the prefix lists and the route map that hold what a container may advertise."""
    return policies.CONTAINER.format(name=container.name)


def policy(container: Container) -> tuple[list[FrrPrefixList], FrrRouteMap]:
    """Return these prefix lists and the route map."""
    lists = policies.prefix_lists(policy_name(container), policies.container_entries(container))
    return lists, policies.route_map(policy_name(container), lists, [])


def gateway_neighbors(container: Container, shared: Context) -> list[tuple[tuple[int, int], FrrBgpNeighbor]]:
    """Return the gateway's sessions with a container, one a family, with their sort key."""
    found: list[tuple[tuple[int, int], FrrBgpNeighbor]] = []
    for family, address in container.addresses.items():
        entry: FrrBgpNeighbor = {
            "address": address.bare,
            "remote_as": container.asn,
            "description": container.name,
            **_options(container, shared),
            "families": [
                {
                    "family": family,
                    "route_map_in": policy_name(container),
                    "route_map_out": policies.PUBLISHED,
                    **shared.inbound.maximum(family, policies.container_entries(container)),
                }
            ],
        }
        found.append(((address.version, address.value), entry))
    return found


def _options(container: Container, shared: Context) -> SessionOptions:
    hops = shared.intent.settings.bgp.ttl_security_hops
    own: SessionOptions = {} if hops is None else {"ttl_security_hops": hops}
    return own | session_options(container.bfd, shared)


def container_variables(container: Container, shared: Context) -> HostVariables:
    """Return the variables of roles frr and verify for a container.

    Docker gives it its address, its default route and its kernel settings, so that the roles for those have nothing to do here.
    """
    gateway, segment = container.segment.gateway, container.segment
    interfaces: list[FrrInterface] = [
        {"name": _INTERFACE, "description": gateway.name, "addresses": [str(address) for address in container.addresses.values()]}
    ]
    if container.networks:
        interfaces.append({"name": LOOPBACK_DEVICE, "addresses": [str(address) for address, _path in container.networks]})
    lists, own = policy(container)
    found: FrrVariables = {"frr_interfaces": sorted(interfaces, key=lambda entry: natural_order(entry["name"]))}
    # There is no interface.service in it: systemd starts when the interface is there.
    found["frr_after_units"] = []
    if shared.intent.settings.bfd.enabled and container.bfd:
        found["frr_bfd_profiles"] = bfd_profiles(shared)
    if shared.lists or lists:
        found["frr_prefix_lists"] = shared.lists + lists
    found["frr_route_maps"] = [own, policies.route_map(policies.PUBLISHED, shared.lists, [])]
    instance: FrrBgp = {"asn": container.asn, "router_id": planned(container.router_id)}
    if container.networks:
        instance["networks"] = [str(prefix) for prefix in sorted({address.prefix for address, _path in container.networks})]
    instance["neighbors"] = [
        {
            "address": segment.addresses[gateway.name][family].bare,
            "remote_as": planned(gateway.asn),
            "description": gateway.name,
            **_options(container, shared),
            "families": [
                {
                    "family": family,
                    "route_map_in": policies.PUBLISHED,
                    "route_map_out": policy_name(container),
                    **shared.inbound.maximum(family),
                }
            ],
        }
        for family in container.addresses
    ]
    return {**found, "frr_bgp": [instance], "verify_roles": ["frr"], "verify_boot_plot": False, **_expectations(container, shared)}


def _expectations(container: Container, shared: Context) -> VerifyVariables:
    """Return what role verify looks for: the return routes, and the way to the gateway's own networks from what the container publishes.

    Docker sets the default route as a person would.
    """
    gateway, segment = container.segment.gateway, container.segment
    own = [network for network in gateway.networks if network.published and network.vrf == segment.vrf]
    reach: list[VerifyReach] = []
    for family, address in container.addresses.items():
        source = next((item for item, _path in container.networks if item.version == VERSION[family]), address)
        behind = [network.addresses[family] for network in sorted(own, key=lambda item: item.id) if family in network.addresses]
        destination = [*behind, segment.addresses[gateway.name][family]][0]
        reach.append({"source": source.bare, "destination": destination.bare, "mtu": segment.mtu})
    # What the gateway has itself; the segment's own prefix is connected here.
    published = sorted({address.prefix for network in own for address in network.addresses.values()})
    routes: list[VerifyRoute] = [
        {"prefix": str(prefix), "protocol": "bgp", "direct": True}
        for prefix in published
        if any(prefix.version == VERSION[family] for family in container.addresses)
    ]
    found: VerifyVariables = {"verify_reach": reach}
    if routes:
        found["verify_routes"] = routes
    if learned := learned_entries("", shared.learned.of_container(container, _INTERFACE)):
        found["verify_learned"] = learned
    hops = {family: segment.addresses[gateway.name][family].bare for family in container.addresses}
    found["verify_other_routes"] = [
        {
            "prefixes": [EVERYTHING[family] for family in hops],
            "protocols": ["boot"],
            "interfaces": [_INTERFACE],
            "next_hops": list(hops.values()),
            "reason": "what is sent to the gateway, by Docker",
        }
    ]
    return {**found, **drawn_in(gateway)}
