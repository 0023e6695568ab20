# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role vrf for each node: VRFs, interfaces and default routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VrfDefaultRoute, VrfInterface, VrfVariables, VrfVrf
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node, Segment, Uplink
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import (
    ANYCAST_DEVICE,
    Context,
    InVrf,
    in_vrf,
    mark_of,
    planned,
    underlay_vrf,
)


def vrf_variables(node: Node, shared: Context) -> VrfVariables:
    """Return the variables of role vrf."""
    intent = shared.intent
    used = {node.vrf} | {network.vrf for network in node.networks} | {link.vrf for link, _end in shared.links.get(node.name, [])}
    used |= {segment.vrf for segment in shared.segments.get(node.name, [])} | {uplink.vrf or "" for uplink in node.uplinks.values()}
    marked = {underlay_vrf(link, end, shared) for link, end in shared.links.get(node.name, []) if link.kind.main_socket}
    # Answers from an exit arrive on the uplink, and are routed in the VRF that was asked from.
    marked |= {item.vrf for item in intent.exits_of(node)}
    vrfs: list[VrfVrf] = []
    for name in intent.vrfs:
        if name and name in used:
            vrf: VrfVrf = {"name": name, "table": intent.vrfs[name].table}
            if name in marked:
                vrf["fwmark"] = mark_of(name, shared)
            vrfs.append(vrf)
    interfaces: list[VrfInterface] = []
    for link, end in shared.links.get(node.name, []):
        interfaces.append(_link_interface(link, end))
    for segment in shared.segments.get(node.name, []):
        interfaces += _segment_interfaces(segment, node)
    for network in node.networks:
        entry: VrfInterface = {"name": network.interface}
        if network.kind is not None:
            entry["kind"] = network.kind
        if network.parent is not None:
            entry["parent"] = network.parent
        if network.vlan is not None:
            entry["vlan"] = network.vlan
        interfaces.append({**entry, **in_vrf(network.vrf), **_size_and_mac(network.mtu, network.mac)})
    if node.name in intent.dns_nodes:
        interfaces.append({"name": ANYCAST_DEVICE, "kind": "dummy", **in_vrf(node.vrf)})
    listed = {item["name"] for item in interfaces}
    for uplink in node.uplinks.values():
        if uplink.device and uplink.device not in listed and _has_nic_settings(uplink):
            listed.add(uplink.device)
            mtu = uplink.mtu if uplink.set_mtu else None
            nic: VrfInterface = {"name": uplink.device, **_as_written(uplink.vrf), **_size_and_mac(mtu, uplink.mac)}
            if uplink.hears_routers:
                nic["hears_routers"] = True
            if uplink.asks_dhcp:
                nic["asks_dhcp"] = True
            interfaces.append(nic)
    routes = [route for uplink in node.uplinks.values() for route in _default_routes(uplink)]
    found: VrfVariables = {}
    if vrfs:
        found["vrf_vrfs"] = vrfs
    if interfaces:
        found["vrf_interfaces"] = interfaces
    if routes:
        found["vrf_default_routes"] = routes
    return found


def _has_nic_settings(uplink: Uplink) -> bool:
    return bool(uplink.mac or uplink.set_mtu or uplink.vrf or uplink.learned)


def _default_routes(uplink: Uplink) -> Iterator[VrfDefaultRoute]:
    for gateway in uplink.gateways if uplink.device else ():
        route: VrfDefaultRoute = {"gateway": gateway.bare, "interface": planned(uplink.device), **_as_written(uplink.vrf)}
        if uplink.is_off_link(gateway):
            route["onlink"] = True
        yield route


def _as_written(vrf: str | None) -> InVrf:
    return {} if vrf is None else {"vrf": vrf}


class _SizeAndMac(TypedDict):
    """What the kernel chooses where the plan does not."""

    mtu: NotRequired[int]
    mac: NotRequired[str]


def _size_and_mac(mtu: int | None, mac: str | None) -> _SizeAndMac:
    found: _SizeAndMac = {}
    if mtu is not None:
        found["mtu"] = mtu
    if mac is not None:
        found["mac"] = mac
    return found


def _segment_interfaces(segment: Segment, node: Node) -> list[VrfInterface]:
    name, vrf = segment.interface_of(node), in_vrf(segment.vrf)
    if name == segment.vxlan:
        return [{"name": name, **vrf}]
    mac = segment.options.macs.get(node.name)
    # In the VRF, too, though it has no address there: what is sent to its own MAC must not reach another table.
    return [
        {"name": segment.vxlan, **vrf},
        {"name": name, "kind": "macvlan", "parent": segment.vxlan, **vrf, **_size_and_mac(segment.mtu, mac)},
    ]


def _link_interface(link: Link, end: End) -> VrfInterface:
    kind = link.kind
    if kind.tagged:
        mtu = link.mtu if link.options.mtu is not None else None
        entry: VrfInterface = {"name": end.interface, "kind": kind.kernel_kind}
        if end.device is not None:
            entry["parent"] = end.device
        entry["vlan"] = link.number
        return {**entry, **in_vrf(link.vrf), **_size_and_mac(mtu, None)}
    found: VrfInterface = {"name": end.interface, **in_vrf(link.vrf)}
    unit = tunnel_unit(link, end)
    if unit is not None:
        found["unit"] = unit
    if kind.dynamic:
        found["dynamic"] = True
    return found


def tunnel_unit(link: Link, end: End) -> str | None:
    """Return the unit that makes the interface of a link, or None when no unit does."""
    return link.kind.unit.format(name=end.interface, side="server" if is_server(link, end) else "client") or None
