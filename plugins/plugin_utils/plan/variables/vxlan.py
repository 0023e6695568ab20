# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role vxlan for each node: links of that type, and segments."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VxlanInterface, VxlanVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node, Segment
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, outer_address, planned, underlay_vrf


def vxlan_variables(node: Node, shared: Context) -> VxlanVariables:
    """Return the variables of role vxlan."""
    found = [_of_link(link, end, shared) for link, end in shared.links_of(node, "vxlan")]
    found += [_of_segment(segment, node) for segment in shared.segments.get(node.name, [])]
    return {"vxlan_interfaces": found} if found else {}


def _of_link(link: Link, end: End, shared: Context) -> VxlanInterface:
    (_protocol, port) = link.options.open_ports[0]
    entry: VxlanInterface = {
        "name": end.interface,
        "vni": link.number,
        "local": outer_address(link, end),
        "remotes": [planned(link.other(end).endpoint)],
        "port": port,
        "mtu": link.mtu,
    }
    beneath = underlay_vrf(link, end, shared)
    if beneath:
        entry["underlay_vrf"] = beneath
    return _with_mac(entry, end.written.mac)


def _of_segment(segment: Segment, node: Node) -> VxlanInterface:
    ends = {member.name: uplink for member in segment.members if (uplink := segment.uplink_of(member)) is not None}
    own, others = ends[node.name], [uplink for name, uplink in ends.items() if name != node.name]
    family = next(name for name in ("ipv4", "ipv6") if all(name in uplink.addresses for uplink in ends.values()))
    entry: VxlanInterface = {
        "name": segment.vxlan,
        "vni": segment.vni,
        "local": own.addresses[family].bare,
        "remotes": [uplink.addresses[family].bare for uplink in others],
        "port": segment.options.port,
        "mtu": segment.mtu,
    }
    if own.vrf:
        entry["underlay_vrf"] = own.vrf
    mac = segment.options.macs.get(node.name)
    if segment.interface_of(node) != segment.vxlan:
        entry["arp"] = False
        mac = _mac_beneath(mac) if mac else None
    return _with_mac(entry, mac)


def _mac_beneath(mac: str) -> str:
    """Return an address for the parent of a macvlan interface: the kernel refuses the same on both."""
    return f"{int(mac[:2], 16) ^ 4:02x}{mac[2:]}"


def _with_mac(entry: VxlanInterface, mac: str | None) -> VxlanInterface:
    if mac:
        entry["mac"] = mac
    return entry
