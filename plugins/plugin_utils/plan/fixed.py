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
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import ANYCAST_DEVICE

Path = tuple[str, ...]
_ANY_END = "xgn_links[].ends[]"
_ANYCAST = "xgn_services.dns"


class Hold(Enum):
    """How fast something is."""

    PLANNED = auto()  # What is planned stays as it is; a list may have more.
    CLOSED = auto()  # A list has no more either.
    KEPT = auto()  # It may be another, and is neither removed nor added.


@dataclass(frozen=True)
class Fixed:
    """Something that the intent decides.

    Attributes:
        option: what to change there, with the words of `option_of` in braces: ``{node}`` stands for the entry of the node, ``{link}`` for that of
            the link it belongs to, ``{end}`` for the node's end of that, ``{peer}`` for the other node, ``{name}`` for the name of the entry.
        hold: how fast it is.
    """

    option: str
    hold: Hold = Hold.PLANNED


_ROUTED = Fixed("{link}.routing")
_NODE_ROUTER_ID = Fixed("{node}.router_id")
_LINK = Fixed("{link}")
_TUNNEL: Mapping[str, Fixed] = {"": _LINK, "mtu": Fixed("{link}.mtu")}
_OSPF: Mapping[str, Fixed] = {
    "": _ROUTED,
    "router_id": _NODE_ROUTER_ID,
    "reference_bandwidth": Fixed("xgn_ospf.reference_bandwidth"),
    "interfaces": _ROUTED,
    "interfaces.area": Fixed("{site}.area"),
    "interfaces.network": _LINK,
    "interfaces.hello_interval": Fixed("xgn_ospf.hello_interval"),
    "interfaces.dead_interval": Fixed("xgn_ospf.dead_interval"),
    "interfaces.password": Fixed("xgn_ospf.password_variable"),
    "interfaces.bfd_profile": Fixed("{link}.bfd", Hold.KEPT),
}
_BY_VARIABLE: Mapping[str, Mapping[str, Fixed]] = {
    "frr_bgp": {
        "": _ROUTED,
        "asn": Fixed("{node}.asn"),
        "router_id": _NODE_ROUTER_ID,
        "networks": Fixed("{node}.networks"),
        "neighbors": _ROUTED,
        "neighbors.remote_as": Fixed("{peer}.asn"),
        "neighbors.update_source": Fixed("{node}.loopback"),
        "neighbors.password": Fixed("xgn_bgp.password_variable"),
        "neighbors.ttl_security_hops": Fixed("xgn_bgp.ttl_security_hops"),
        "neighbors.bfd_profile": Fixed("{link}.bfd", Hold.KEPT),
        "neighbors.families": Fixed("xgn_pools"),
    },
    "frr_ospf": _OSPF,
    "frr_ospf6": {key: fixed for key, fixed in _OSPF.items() if key != "interfaces.password"},
    "frr_interfaces": {"": _LINK, "addresses": Fixed("{address}")},
    "frr_vrfs": {"": Fixed("xgn_vrfs")},
    **{kind.variable: {**_TUNNEL, **{key: Fixed(option) for key, option in kind.fixed}} for kind in TUNNELS},
    "vrf_vrfs": {"": Fixed("{of_vrf}"), "table": Fixed("{of_vrf}.table")},
    "vrf_interfaces": {
        "": _LINK,
        "kind": Fixed("{kind}"),
        "parent": Fixed("{parent}"),
        "vlan": Fixed("{vlan}"),
        "vrf": Fixed("{vrf}"),
        "mtu": Fixed("{mtu}"),
    },
    "docker_macvlan_networks": {
        "": Fixed("{docker}"),
        "parent": Fixed("{docker}.segment"),
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
    "dns_anycast_vrf": {"": Fixed("{node}.vrf")},
    "dns_anycast_interface": {"": Fixed("xgn_services.dns")},
    "gobgp_asn": {"": Fixed("{node}.asn")},
    "gobgp_router_id": {"": _NODE_ROUTER_ID},
    "gobgp_vrf": {"": Fixed("{node}.vrf")},
    "gobgp_prefixes": {"": Fixed("{steering}.prefixes", Hold.CLOSED)},
    "gobgp_next_hops": {
        "": Fixed("{node}.loopback"),
        "ipv4": Fixed("{node}.loopback"),
        "ipv6": Fixed("{node}.loopback"),
    },
    "gobgp_neighbors": {
        "": Fixed("{steering}.router"),
        "remote_as": Fixed("{peer}.asn"),
        "local_address": Fixed("{node}.loopback"),
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
    of_node = Place.of("xgn_nodes", host)
    network = next((str(of_node.at("networks", name)) for item in node.networks if item.interface == name), "")
    owner, own_end = _places(link, end) if link is not None and end is not None else (network or _owner(intent, node, name), _ANY_END)
    uplink = next((place for place, item in _uplinks(node) if item.device == name and link is None), owner)
    words = {
        "link": owner,
        "end": own_end,
        "ends": own_end.rpartition("[")[0],
        "node": str(of_node),
        "peer": str(Place.of("xgn_nodes", "NODE" if link is None or end is None else link.other(end).node.name)),
        "site": str(Place.of("xgn_sites", node.site or "SITE")),
        "steering": str(Place.of("xgn_services", "steering", host)),
        "docker": str(Place.of("xgn_services", "docker", name)),
        "of_vrf": str(Place.of("xgn_vrfs", name)),
        "name": name,
        "address": owner if link is None else f"{own_end}.ipv4",
        "kind": f"{network}.kind" if network else owner,
        "parent": f"{network}.parent" if network else owner if link is None else f"{own_end}.device",
        "vlan": f"{owner}.vlan",
        "mtu": f"{uplink}.mtu",
        "vrf": f"{of_node if uplink == _ANYCAST else uplink}.vrf",
    }
    return fixed.option.format(**words)


def _places(link: Link, end: End) -> tuple[str, str]:
    """Return where a link, and a node's end of it, are written."""
    if not link.pattern:
        return str(link.path), str(end.path)
    # What a pattern makes has no entry of its own: who wants one end to differ writes the link itself.
    return f"{Place(link.path.keys[:2])}.{'link' if link.reserve_of is None else 'reserve'}", _ANY_END


def _owner(intent: Intent, node: Node, name: str) -> str:
    """Return where an interface is written that belongs to no link."""
    place = Place.of("xgn_nodes", node.name)
    if name in intent.vrfs or name == LOOPBACK_DEVICE:
        return str(place.at("loopback"))
    if name == ANYCAST_DEVICE:
        return _ANYCAST
    if any(name in (segment.interface_of(node), segment.vxlan) for segment in intent.segments):
        return "xgn_segments[]"
    return "xgn_links[]"


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
