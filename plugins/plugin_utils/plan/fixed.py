# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a plan no override changes, since others are planned by it, and which key of the intent changes it instead.

The other end of a link, the neighbors' filters, the MSS of the whole network and other roles of the same host are computed from the same numbers. What only
concerns the host itself may be overridden: policies, routes, timers that are negotiated, ports of the filter, endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import LOOPBACK_DEVICE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import MAIN_UPLINK, End, Intent, Link, Node, Uplink

Path = tuple[str, ...]


class Hold(Enum):
    """How fast something is."""

    PLANNED = auto()  # What is planned stays as it is; a list may have more.
    CLOSED = auto()  # A list has no more either.
    KEPT = auto()  # It may be another, and is neither removed nor added.


@dataclass(frozen=True)
class Fixed:
    """Something that the intent decides.

    Attributes:
        option: what to change there. ``{host}`` stands for the node, ``{link}`` for the entry of the link it belongs to, ``{end}`` for the node's end of
            that, ``{peer}`` for the other node, ``{name}`` for the name of the entry.
        hold: how fast it is.
    """

    option: str
    hold: Hold = Hold.PLANNED


_ROUTED = Fixed("{link}.routing")
_NODE_ROUTER_ID = Fixed("xgn_nodes.{host}.router_id")
_LINK = Fixed("{link}")
_TUNNEL: Mapping[str, Fixed] = {
    "": _LINK,
    "mtu": Fixed("{link}.mtu"),
    "peer": Fixed("{link}.ends"),
    "peer_interface": Fixed("{link}.ends[].interface"),
    "underlay_vrf": Fixed("xgn_nodes.{host}.uplink.vrf"),
}
_OSPF: Mapping[str, Fixed] = {
    "": _ROUTED,
    "router_id": _NODE_ROUTER_ID,
    "reference_bandwidth": Fixed("xgn_ospf.reference_bandwidth"),
    "interfaces": _ROUTED,
    "interfaces.area": Fixed("xgn_sites.{site}.area"),
    "interfaces.network": _LINK,
    "interfaces.hello_interval": Fixed("xgn_ospf.hello_interval"),
    "interfaces.dead_interval": Fixed("xgn_ospf.dead_interval"),
    "interfaces.password": Fixed("xgn_ospf.password_variable"),
    "interfaces.bfd_profile": Fixed("{link}.bfd", Hold.KEPT),
}
_BY_VARIABLE: Mapping[str, Mapping[str, Fixed]] = {
    "frr_bgp": {
        "": _ROUTED,
        "asn": Fixed("xgn_nodes.{host}.asn"),
        "router_id": _NODE_ROUTER_ID,
        "networks": Fixed("xgn_nodes.{host}.networks"),
        "neighbors": _ROUTED,
        "neighbors.remote_as": Fixed("xgn_nodes.{peer}.asn"),
        "neighbors.update_source": Fixed("xgn_nodes.{host}.loopback"),
        "neighbors.password": Fixed("xgn_bgp.password_variable"),
        "neighbors.ttl_security_hops": Fixed("xgn_bgp.ttl_security_hops"),
        "neighbors.bfd_profile": Fixed("{link}.bfd", Hold.KEPT),
        "neighbors.families": Fixed("xgn_pools"),
    },
    "frr_ospf": _OSPF,
    "frr_ospf6": _OSPF,
    "frr_interfaces": {"": _LINK, "addresses": Fixed("{address}")},
    "frr_vrfs": {"": Fixed("xgn_vrfs")},
    **{kind.variable: {**_TUNNEL, **{key: Fixed(option) for key, option in kind.fixed}} for kind in TUNNELS},
    "vrf_vrfs": {"": Fixed("xgn_vrfs.{name}"), "table": Fixed("xgn_vrfs.{name}.table")},
    "vrf_interfaces": {
        "": _LINK,
        "kind": Fixed("xgn_nodes.{host}.networks.{name}.kind"),
        "parent": Fixed("xgn_nodes.{host}.networks.{name}.parent"),
        "vlan": Fixed("xgn_nodes.{host}.networks.{name}.vlan"),
        "vrf": Fixed("{vrf}"),
        "mtu": Fixed("{mtu}"),
    },
    "docker_macvlan_networks": {
        "": Fixed("xgn_services.docker.{name}"),
        "parent": Fixed("xgn_services.docker.{name}.segment"),
        "mtu": Fixed("xgn_segments[].mtu"),
        "subnets": Fixed("xgn_segments[].ipv4"),
        "subnets.gateway": Fixed("xgn_segments[].ipv4"),
    },
    "docker_macvlan_containers": {
        "": Fixed("xgn_services.docker"),
        "network": Fixed("xgn_services.docker"),
        "ipv4": Fixed("xgn_services.docker.NETWORK.containers.{name}.number"),
        "ipv6": Fixed("xgn_services.docker.NETWORK.containers.{name}.number"),
    },
    "dns_anycast_addresses": {"": Fixed("xgn_services.dns.address", Hold.CLOSED)},
    "dns_anycast_vrf": {"": Fixed("xgn_nodes.{host}.vrf")},
    "dns_anycast_interface": {"": Fixed("xgn_services.dns")},
    "gobgp_asn": {"": Fixed("xgn_nodes.{host}.asn")},
    "gobgp_router_id": {"": _NODE_ROUTER_ID},
    "gobgp_vrf": {"": Fixed("xgn_nodes.{host}.vrf")},
    "gobgp_prefixes": {"": Fixed("xgn_services.steering.{host}.prefixes", Hold.CLOSED)},
    "gobgp_next_hops": {
        "": Fixed("xgn_nodes.{host}.loopback"),
        "ipv4": Fixed("xgn_nodes.{host}.loopback"),
        "ipv6": Fixed("xgn_nodes.{host}.loopback"),
    },
    "gobgp_neighbors": {
        "": Fixed("xgn_services.steering.{host}.router"),
        "remote_as": Fixed("xgn_nodes.{peer}.asn"),
        "local_address": Fixed("xgn_nodes.{host}.loopback"),
        "password": Fixed("xgn_bgp.password_variable"),
    },
    "firewall_state": {"": Fixed("xgn_firewall.enabled")},
    "firewall_tcp_mss": {"": Fixed("xgn_firewall.tcp_mss"), "ipv4": Fixed("xgn_firewall.tcp_mss"), "ipv6": Fixed("xgn_firewall.tcp_mss")},
}
FIXED: Mapping[Path, Fixed] = {
    (variable, *filter(None, key.split("."))): fixed for variable, keys in _BY_VARIABLE.items() for key, fixed in keys.items()
}
"""By the names of the keys that lead there, without the entries of lists: ``("frr_bgp", "neighbors", "remote_as")``. That of a list is about its entries."""


def option_of(fixed: Fixed, intent: Intent, host: str, path: Path, entries: Sequence[Mapping[str, Any]]) -> str:
    """Return what to change in the intent, as its writer finds it there.

    Parameters:
        fixed: what is fixed.
        intent: the network.
        host: the host whose plan it is.
        path: where in its variables, as in `FIXED`.
        entries: the entries of lists that lead there, outermost first.
    """
    node = intent.nodes.get(host)
    if node is None:
        return "xgn_services.docker"
    link, end = _link_of(intent, host, path, entries)
    name = next((str(entry["name"]) for entry in reversed(entries) if "name" in entry), "NAME")
    owner, own_end = _places(link, end) if link is not None and end is not None else _owner(intent, node, name)
    uplink = next((place for place, item in _uplinks(node) if item.device == name and link is None), "")
    words = {
        "link": owner,
        "end": own_end,
        "host": host,
        "peer": "NODE" if link is None or end is None else link.other(end).node.name,
        "site": node.site or "SITE",
        "name": name,
        "address": f"{own_end}.ipv4" if link is not None else owner,
        "mtu": f"{uplink or owner}.mtu",
        "vrf": f"{uplink or owner}.vrf",
    }
    return fixed.option.format(**words)


def _places(link: Link, end: End) -> tuple[str, str]:
    """Return where a link, and a node's end of it, are written."""
    if not link.pattern:
        return str(link.path), str(end.path)
    # What a pattern makes has no entry of its own.
    return f"{Place(link.path.keys[:2])}.{'link' if link.reserve_of is None else 'reserve'}", "xgn_links[].ends[]"


def _owner(intent: Intent, node: Node, name: str) -> tuple[str, str]:
    """Return where an interface is written that belongs to no link."""
    place = Place.of("xgn_nodes", node.name)
    if any(item.interface == name for item in node.networks):
        return str(place.at("networks", name)), ""
    if name in intent.vrfs or name == LOOPBACK_DEVICE:
        return str(place.at("loopback")), ""
    if any(name in (segment.interface_of(node), segment.vxlan) for segment in intent.segments):
        return "xgn_segments[]", ""
    return "xgn_links[]", "xgn_links[].ends[]"


def _uplinks(node: Node) -> Iterator[tuple[str, Uplink]]:
    place = Place.of("xgn_nodes", node.name)
    for label, uplink in node.uplinks.items():
        yield str(place.at("uplink") if label == MAIN_UPLINK else place.at("uplinks", label)), uplink


def _link_of(intent: Intent, host: str, path: Path, entries: Sequence[Mapping[str, Any]]) -> tuple[Link | None, End | None]:
    """Return the link that an entry is about, by its interface or by the address of a neighbor, and the host's end of it."""
    for entry in entries:
        for link, end in _ends(intent, host):
            if end.interface and entry.get("name") == end.interface and path[0] != "gobgp_neighbors":
                return link, end
            other = link.other(end)
            addresses = {address.bare for address in (*other.addresses.values(), *other.node.loopback.values())}
            if entry.get("address") in addresses:
                return link, end
    return None, None


def _ends(intent: Intent, host: str) -> Iterator[tuple[Link, End]]:
    return ((link, end) for link in intent.links for end in link.ends if end.node.name == host)
