# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role vrf for each node: VRFs, interfaces and default routes."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node, Segment
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import ANYCAST_DEVICE, Context, Variables, compact, present

# Who makes the interface of a tunnel; interface.service starts after it.


def vrf_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role vrf."""
    intent = shared.intent
    used = {node.vrf} | {network.vrf for network in node.networks} | {link.vrf for link, _end in shared.links.get(node.name, [])}
    used |= {segment.vrf for segment in shared.segments.get(node.name, [])} | {uplink.vrf or "" for uplink in node.uplinks.values()}
    vrfs = [{"name": name, "table": intent.vrfs[name].table} for name in intent.vrfs if name and name in used]
    interfaces: list[Variables] = []
    for link, end in shared.links.get(node.name, []):
        interfaces.append(_link_interface(link, end))
    for segment in shared.segments.get(node.name, []):
        interfaces += _segment_interfaces(segment, node)
    for network in node.networks:
        interfaces.append(
            compact(
                name=network.interface,
                kind=network.kind,
                parent=network.parent,
                vlan=network.vlan,
                vrf=network.vrf or None,
                mtu=network.mtu,
                mac=network.mac,
            )
        )
    if node.name in intent.dns_nodes:
        interfaces.append(compact(name=ANYCAST_DEVICE, kind="dummy", vrf=node.vrf or None))
    listed = {item["name"] for item in interfaces}
    for uplink in node.uplinks.values():
        if uplink.device and uplink.device not in listed and (uplink.mac or uplink.set_mtu or uplink.vrf):
            listed.add(uplink.device)
            mtu = uplink.mtu if uplink.set_mtu else None
            interfaces.append(compact(name=uplink.device, vrf=uplink.vrf, mtu=mtu, mac=uplink.mac))
    routes = [
        compact(gateway=uplink.gateway, interface=uplink.device, vrf=uplink.vrf)
        for uplink in node.uplinks.values()
        if uplink.gateway and uplink.device
    ]
    return present(vrf_vrfs=vrfs, vrf_interfaces=interfaces, vrf_default_routes=routes)


def _segment_interfaces(segment: Segment, node: Node) -> list[Variables]:
    name, vrf = segment.interface_of(node), segment.vrf or None
    if name == segment.vxlan:
        return [compact(name=name, vrf=vrf)]
    mac = segment.written["macs"].get(node.name)
    # In the VRF, too, though it has no address there: what is sent to its own MAC must not reach another table.
    return [
        compact(name=segment.vxlan, vrf=vrf),
        compact(name=name, kind="macvlan", parent=segment.vxlan, vrf=vrf, mtu=segment.mtu, mac=mac),
    ]


def _link_interface(link: Link, end: End) -> Variables:
    kind = link.kind
    if kind.tagged:
        mtu, number = link.mtu if "mtu" in link.options else None, kind.number(link.id, link.options)
        return compact(name=end.interface, kind=kind.kernel_kind, parent=end.device, vlan=number, vrf=link.vrf or None, mtu=mtu)
    return compact(name=end.interface, vrf=link.vrf or None, unit=tunnel_unit(link, end), dynamic=kind.dynamic or None)


def tunnel_unit(link: Link, end: End) -> str | None:
    """Return the unit that makes the interface of a link, or None when no unit does."""
    return link.kind.unit.format(name=end.interface, side="server" if is_server(link, end) else "client") or None
