# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role vrf for each node: VRFs, interfaces and default routes."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VrfDefaultRoute, VrfInterface, VrfVariables, VrfVrf
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node, Segment
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import ANYCAST_DEVICE, Context, InVrf, in_vrf


def vrf_variables(node: Node, shared: Context) -> VrfVariables:
    """Return the variables of role vrf."""
    intent = shared.intent
    used = {node.vrf} | {network.vrf for network in node.networks} | {link.vrf for link, _end in shared.links.get(node.name, [])}
    used |= {segment.vrf for segment in shared.segments.get(node.name, [])} | {uplink.vrf or "" for uplink in node.uplinks.values()}
    vrfs: list[VrfVrf] = [{"name": name, "table": intent.vrfs[name].table} for name in intent.vrfs if name and name in used]
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
        if uplink.device and uplink.device not in listed and (uplink.mac or uplink.set_mtu or uplink.vrf):
            listed.add(uplink.device)
            mtu = uplink.mtu if uplink.set_mtu else None
            interfaces.append({"name": uplink.device, **_as_written(uplink.vrf), **_size_and_mac(mtu, uplink.mac)})
    routes: list[VrfDefaultRoute] = [
        {"gateway": uplink.gateway, "interface": uplink.device, **_as_written(uplink.vrf)}
        for uplink in node.uplinks.values()
        if uplink.gateway and uplink.device
    ]
    found: VrfVariables = {}
    if vrfs:
        found["vrf_vrfs"] = vrfs
    if interfaces:
        found["vrf_interfaces"] = interfaces
    if routes:
        found["vrf_default_routes"] = routes
    return found


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
