# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the roles for each node: interfaces, VRFs, WireGuard, kernel settings, verification."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Container, End, Intent, Link, Node, Segment
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies

Variables = dict[str, Any]
# Who makes the interface of a tunnel; interface.service starts after it.
_UNITS: Mapping[str, str] = {"wireguard": "wg-quick@{name}.service", "l2tp_ipsec": "xl2tpd.service"}
ANYCAST_DEVICE = "anycast0"
"""Carries the anycast addresses, and only as long as they are answered."""
_EVERYTHING = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}


@dataclass(slots=True)
class Context:
    """What all hosts share, computed once.

    Attributes:
        links: the links of each node with the node's own end, in the order of their ids.
        segments: the segments each node is a member of.
        lists: the prefix lists of the plan.
    """

    intent: Intent
    links: dict[str, list[tuple[Link, End]]] = field(default_factory=dict)
    segments: dict[str, list[Segment]] = field(default_factory=dict)
    lists: list[Variables] = field(default_factory=list)
    igp_lists: list[Variables] = field(default_factory=list)
    maps: dict[str, Variables] = field(default_factory=dict)
    # Names of the GoBGP boxes by the router that listens to them.
    steered: dict[str, list[str]] = field(default_factory=dict)
    # Containers that are routers, by the gateway of their segment.
    containers: dict[str, list[Container]] = field(default_factory=dict)


def context_of(intent: Intent) -> Context:
    """Return what the hosts of a plan share."""
    links: dict[str, list[tuple[Link, End]]] = defaultdict(list)
    for link in sorted(intent.links, key=lambda item: item.id):
        for end in link.ends:
            links[end.node.name].append((link, end))
    segments: dict[str, list[Segment]] = defaultdict(list)
    for segment in sorted(intent.segments, key=lambda item: item.id):
        for node in segment.members:
            segments[node.name].append(segment)
    published = policies.prefix_lists(policies.PUBLISHED, policies.published_entries(intent))
    loopbacks = policies.prefix_lists(policies.LOOPBACKS, policies.loopback_entries(intent))
    shared = Context(intent, dict(links), dict(segments), published, loopbacks)
    for name, box in sorted(intent.settings["xgn_services"]["steering"].items()):
        shared.steered.setdefault(box["router"], []).append(name)
    for container in sorted(intent.containers, key=lambda item: item.name):
        shared.containers.setdefault(container.segment.gateway.name, []).append(container)
    return shared


def secret(variable: str) -> str:
    """Return the reference that stands for a secret in the variables: the plan never sees the secret itself."""
    return "{{ " + variable + " }}"


def loopback_name(vrf: str) -> str:
    """Return the interface that carries the loopback addresses of a VRF: the VRF's device, or lo in the main table."""
    return vrf or "lo"


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
            _compact(
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
        interfaces.append(_compact(name=ANYCAST_DEVICE, kind="dummy", vrf=node.vrf or None))
    listed = {item["name"] for item in interfaces}
    for uplink in node.uplinks.values():
        if uplink.device and uplink.device not in listed and (uplink.mac or uplink.set_mtu or uplink.vrf):
            listed.add(uplink.device)
            mtu = uplink.mtu if uplink.set_mtu else None
            interfaces.append(_compact(name=uplink.device, vrf=uplink.vrf, mtu=mtu, mac=uplink.mac))
    routes = [
        _compact(gateway=uplink.gateway, interface=uplink.device, vrf=uplink.vrf)
        for uplink in node.uplinks.values()
        if uplink.gateway and uplink.device
    ]
    return _present(vrf_vrfs=vrfs, vrf_interfaces=interfaces, vrf_default_routes=routes)


def _segment_interfaces(segment: Segment, node: Node) -> list[Variables]:
    name, vrf = segment.interface_of(node), segment.vrf or None
    if name == segment.vxlan:
        return [_compact(name=name, vrf=vrf)]
    mac = segment.written["macs"].get(node.name)
    # In the VRF, too, though it has no address there: what is sent to its own MAC must not reach another table.
    return [
        _compact(name=segment.vxlan, vrf=vrf),
        _compact(name=name, kind="macvlan", parent=segment.vxlan, vrf=vrf, mtu=segment.mtu, mac=mac),
    ]


def _link_interface(link: Link, end: End) -> Variables:
    if link.type == "vlan":
        mtu = link.mtu if "mtu" in link.options else None
        return _compact(name=end.interface, kind="vlan", parent=end.device, vlan=link.options["vlan"], vrf=link.vrf or None, mtu=mtu)
    return _compact(name=end.interface, vrf=link.vrf or None, unit=tunnel_unit(link, end), dynamic=link.type == "l2tp_ipsec" or None)


def tunnel_unit(link: Link, end: End) -> str | None:
    """Return the unit that makes the interface of a link, or None when no unit does."""
    if link.type == "openvpn":
        return f"openvpn-{'server' if is_server(link, end) else 'client'}@{end.interface}.service"
    return _UNITS[link.type].format(name=end.interface) if link.type in _UNITS else None


def is_server(link: Link, end: End) -> bool:
    """Tell which end of a tunnel waits to be called: the one that can be; of two, the one with the smaller node id."""
    other = link.other(end)
    if (end.endpoint is None) != (other.endpoint is None):
        return end.endpoint is not None
    return end.node.id < other.node.id


def wireguard_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role wireguard."""
    keepalive = shared.intent.settings["xgn_wireguard"]["keepalive"]
    interfaces: list[Variables] = []
    for link, end in shared.links.get(node.name, []):
        if link.type != "wireguard":
            continue
        other = link.other(end)
        # A side that can be called keeps its port; only one that must call, or is told to, keeps the translation alive.
        calls = other.endpoint is not None
        alive = link.options.get("keepalive", keepalive) if calls and (end.endpoint is None or "keepalive" in link.options) else None
        variable = link.options.get("preshared_key_variable")
        peer = _compact(
            name=other.node.name,
            interface=other.interface if other.interface != end.interface else None,
            public_key=other.written.get("public_key"),
            preshared_key=secret(variable) if variable else None,
            endpoint=with_port(other.endpoint, other.listen_port) if other.endpoint is not None and other.listen_port else None,
            allowed_ips=[_EVERYTHING[family] for family in link.families],
            persistent_keepalive=alive,
        )
        interfaces.append(_compact(name=end.interface, listen_port=end.listen_port, mtu=link.mtu, peers=[peer]))
    return _present(wireguard_interfaces=interfaces)


def with_port(address: str, port: int) -> str:
    """Return address and port as one text, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def sysctl_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role sysctl that differ from its defaults."""
    kernel = shared.intent.settings["xgn_kernel"]
    found: Variables = {}
    if kernel["tcp_l3mdev_accept"]:
        found["sysctl_tcp_l3mdev_accept"] = 1
    outside = any(link.type == "wireguard" and end.uplink is not None and end.uplink.vrf for link, end in shared.links.get(node.name, []))
    if kernel["udp_l3mdev_accept"] or outside:
        found["sysctl_udp_l3mdev_accept"] = 1
    return found


def verify_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role verify: the networks of the neighbors, and the paths to them with their MTU."""
    reach: list[Variables] = []
    routes: list[Variables] = []
    # What a node is connected to itself, it learns from nobody.
    seen = {(segment.vrf, str(prefix)) for segment in shared.segments.get(node.name, []) for prefix in segment.prefixes.values()}
    neighbors: dict[str, list[Link]] = defaultdict(list)
    for link, end in shared.links.get(node.name, []):
        if link.routing != "none":
            neighbors[link.other(end).node.name].append(link)
    for name, links in neighbors.items():
        peer = shared.intent.nodes[name]
        first = next((link for link in links if link.reserve_of is None), None)
        if first is None or not peer.managed:
            continue
        # Two equal links of different size have no one path MTU.
        sizes = {link.mtu for link in links if link.reserve_of is None}
        for family in first.families:
            source, destination = (probe_address(item, first.vrf, family) for item in (node, peer))
            if source and destination:
                mtu = first.mtu if len(sizes) == 1 else None
                reach.append(_compact(vrf=first.vrf or None, source=source, destination=destination, mtu=mtu))
        for prefix in policies.published_prefixes(peer, first.vrf, shared.segments.get(name, [])):
            if (first.vrf, str(prefix)) in seen:
                continue
            seen.add((first.vrf, str(prefix)))
            protocol = first.routing if first.routing == "bgp" or prefix.version == 4 else "ospf6"
            routes.append(_compact(vrf=first.vrf or None, prefix=str(prefix), protocol=protocol, direct=True))
    for container in shared.containers.get(node.name, []):
        segment = container.segment
        for family, address in container.addresses.items():
            source = segment.addresses[node.name][family].bare
            reach.append(_compact(vrf=segment.vrf or None, source=source, destination=address.bare, mtu=segment.mtu))
        for address, _path in container.networks:
            routes.append(_compact(vrf=segment.vrf or None, prefix=str(address.prefix), protocol="bgp", direct=True))
    return _present(verify_reach=reach, verify_routes=routes)


def probe_address(node: Node, vrf: str, family: str) -> str | None:
    """Return an address of a node that the others can reach: that of its first published network, else its loopback."""
    for network in sorted(node.networks, key=lambda item: item.id):
        if network.published and network.vrf == vrf and family in network.addresses:
            return network.addresses[family].bare
    if node.vrf == vrf and family in node.loopback:
        return node.loopback[family].bare
    return None


def _compact(**values: Any) -> Variables:
    """Return a dictionary without the keys that have no value."""
    return {key: value for key, value in values.items() if value is not None}


def _present(**values: list[Any]) -> Variables:
    """Return a dictionary without empty lists: what a host does not use is not among its variables."""
    return {key: value for key, value in values.items() if value}
