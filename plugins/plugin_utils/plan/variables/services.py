# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the roles beside routing: the other tunnels, VXLAN, Docker and steering."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import nth_address
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, Variables, is_server, secret
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.gobgp import gobgp_variables

_VXLAN_PORT = 4789


def tunnel_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of roles openvpn, l2tp_ipsec and vxlan."""
    openvpn: list[Variables] = []
    l2tp: list[Variables] = []
    vxlan: list[Variables] = []
    for link, end in shared.links.get(node.name, []):
        if link.type == "openvpn":
            openvpn.append(_openvpn(link, end, shared))
        elif link.type == "l2tp_ipsec":
            l2tp.append(_l2tp(link, end))
        elif link.type == "vxlan":
            vxlan.append(_vxlan(link, end, shared))
    for segment in shared.segments.get(node.name, []):
        ends = {member.name: uplink for member in segment.members if (uplink := segment.uplink_of(member)) is not None}
        own, others = ends[node.name], [uplink for name, uplink in ends.items() if name != node.name]
        family = next(name for name in ("ipv4", "ipv6") if all(name in uplink.addresses for uplink in ends.values()))
        entry: Variables = {
            "name": segment.vxlan,
            "vni": segment.vni,
            "local": own.addresses[family].bare,
            "remotes": [uplink.addresses[family].bare for uplink in others],
            "port": segment.port,
            "mtu": segment.mtu,
        }
        if own.vrf:
            entry["underlay_vrf"] = own.vrf
        mac = segment.written["macs"].get(node.name)
        if segment.interface_of(node) != segment.vxlan:
            entry["arp"] = False
            mac = _mac_beneath(mac) if mac else None
        vxlan.append(_with_mac(entry, mac))
    found = {"openvpn_tunnels": openvpn, "l2tp_ipsec_tunnels": l2tp, "vxlan_interfaces": vxlan}
    return {name: entries for name, entries in found.items() if entries}


def _openvpn(link: Link, end: End, shared: Context) -> Variables:
    other, settings = link.other(end), shared.intent.settings["xgn_openvpn"]
    entry: Variables = {"name": end.interface, "mtu": link.mtu, "transport": link.options.get("transport", "tcp"), "peer": other.node.name}
    if link.outer == "ipv6":
        entry["family"] = link.outer
    if other.interface != end.interface:
        entry["peer_interface"] = other.interface
    if end.uplink is not None and end.uplink.vrf:
        entry["underlay_vrf"] = end.uplink.vrf
    entry |= {key: settings[key] for key in ("ping_interval", "ping_restart")}
    if is_server(link, end):
        return entry | {"role": "server", "listen_port": end.listen_port}
    return entry | {"role": "client", "remote": other.endpoint, "remote_port": other.listen_port}


def _l2tp(link: Link, end: End) -> Variables:
    other = link.other(end)
    entry: Variables = {"name": end.interface, "mtu": link.mtu, "cipher": link.options.get("cipher", "aes-cbc"), "peer": other.node.name}
    # The access concentrator calls, the network server waits (RFC 2661).
    entry["role"] = "lns" if is_server(link, end) else "lac"
    if other.endpoint is not None:
        entry["remote"] = other.endpoint
    known = other.uplink.addresses.get(link.outer or "") if other.uplink is not None else None
    if other.endpoint is not None and known is not None and known.bare != other.endpoint:
        # Translated on the way: the other end names itself by the address it has.
        entry["remote_id"] = known.bare
    if "ipv4" in link.families:
        entry |= {"local_address": end.addresses["ipv4"].bare, "remote_address": other.addresses["ipv4"].bare}
    if "ipv6" in link.families:
        entry["ipv6"] = True
    if "preshared_key_variable" in link.options:
        entry["preshared_key"] = secret(link.options["preshared_key_variable"])
    return entry


def _vxlan(link: Link, end: End, shared: Context) -> Variables:
    other = link.other(end)
    over = link.options.get("over", "uplink")
    vni = link.options.get("vni", link.id)
    # The other end may call the uplink by another address than the one it has.
    own = end.uplink.addresses.get(link.outer or "") if end.uplink is not None and over == "uplink" else None
    entry: Variables = {"name": end.interface, "vni": vni, "local": own.bare if own else end.endpoint, "remotes": [other.endpoint]}
    entry |= {"port": link.options.get("port", _VXLAN_PORT), "mtu": link.mtu}
    # Where the outer addresses live: beside those of the link beneath, on the loopback, or on the uplink.
    if isinstance(over, int):
        beneath: str | None = next(item.vrf for item in shared.intent.links if item.id == over)
    else:
        beneath = end.node.vrf if over == "loopback" else end.uplink.vrf if end.uplink is not None else None
    if beneath:
        entry["underlay_vrf"] = beneath
    return _with_mac(entry, end.written.get("mac"))


def _mac_beneath(mac: str) -> str:
    """Return an address for the parent of a macvlan interface: the kernel refuses the same on both."""
    return f"{int(mac[:2], 16) ^ 4:02x}{mac[2:]}"


def _with_mac(entry: Variables, mac: str | None) -> Variables:
    return entry | {"mac": mac} if mac else entry


def service_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of roles docker_macvlan and gobgp."""
    services = shared.intent.settings["xgn_services"]
    found: Variables = {}
    networks = [_docker_network(name, entry, node, shared) for name, entry in services["docker"].items() if node.name in entry["nodes"]]
    if networks:
        found["docker_macvlan_networks"] = networks
        containers = [item for name, entry in services["docker"].items() for item in _containers(name, entry, node, shared)]
        if containers:
            found["docker_macvlan_containers"] = containers
    return found | gobgp_variables(node, shared)


def _docker_network(name: str, entry: Variables, node: Node, shared: Context) -> Variables:
    segment = next(item for item in shared.intent.segments if item.id == entry["segment"])
    subnets = []
    for family, prefix in segment.prefixes.items():
        subnets.append({"subnet": str(prefix), "gateway": segment.addresses[segment.gateway.name][family].bare})
    return {"name": name, "parent": segment.vxlan, "mtu": segment.mtu, "subnets": subnets}


def _containers(network: str, entry: Variables, node: Node, shared: Context) -> list[Variables]:
    segment = next(item for item in shared.intent.segments if item.id == entry["segment"])
    found = []
    for name, container in entry["containers"].items():
        if container["node"] != node.name:
            continue
        item: Variables = {"name": name, "image": container["image"], "network": network}
        for family, prefix in segment.prefixes.items():
            item[family] = nth_address(prefix, container["number"]).bare
        found.append(item | {"memory": container["memory"], "memory_swap": container["memory_swap"]})
    return found
