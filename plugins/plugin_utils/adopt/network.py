# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several described hosts as one network: the beginning of an intent, with what can be told of nodes, and of links whose both ends were read.

An intent says what a network is to be, a host only what it is: policies, filters and ids are not inferred.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_interface
from itertools import combinations
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.interfaces import DEFAULT
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import ETHERNET_MTU, LOOPBACK_DEVICE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS, LinkType, link_type

WIREGUARD = link_type("wireguard")
_MAIN_TABLE = 254
_KEYS = {4: ("address", "ipv4"), 6: ("address6", "ipv6")}


@dataclass(frozen=True)
class Router:
    """A described host, as far as others can tell something by it.

    Attributes:
        variables: that describe it.
        public_keys: of its WireGuard interfaces, by name.
        uplink: as the intent has it; empty where no NIC leads anywhere.
    """

    variables: Mapping[str, Any]
    public_keys: Mapping[str, str]
    uplink: Mapping[str, Any]

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of an interface that FRR sets, but for those that count on their link only."""
        entries = self.variables.get("frr_interfaces", [])
        found: list[str] = next((entry.get("addresses", []) for entry in entries if entry["name"] == name), [])
        return [text for text in found if _counts(text)]

    def vrf_of(self, name: str) -> str:
        """Return the VRF of an interface; empty for the default VRF."""
        entries = self.variables.get("vrf_interfaces", [])
        return str(next((entry.get("vrf", "") for entry in entries if entry["name"] == name), ""))

    def wires(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the NICs and VLANs with addresses of FRR's; of a VLAN with its parent and number."""
        made = {entry["name"]: entry for entry in self.variables.get("vrf_interfaces", [])}
        tunnels = {entry["name"] for kind in TUNNELS for entry in self.variables.get(kind.variable, [])}
        vrfs = {entry["name"] for entry in self.variables.get("vrf_vrfs", [])}
        found: list[tuple[str, Mapping[str, Any]]] = []
        for entry in self.variables.get("frr_interfaces", []):
            name = entry["name"]
            kind = made.get(name, {}).get("kind")
            if name not in tunnels | vrfs | {LOOPBACK_DEVICE} and kind in (None, "vlan"):
                found.append((name, {key: made[name][key] for key in ("parent", "vlan")} if kind else {}))
        return found

    def meets(self, name: str, other: Router, far_name: str) -> bool:
        """Tell whether two interfaces share a prefix that has room for two."""
        near, far = ({ip_interface(text).network for text in router.addresses(end)} for router, end in ((self, name), (other, far_name)))
        return any(network.max_prefixlen - network.prefixlen in (1, 2) for network in near & far)

    @property
    def vrf(self) -> str:
        """The VRF of its routing: that of BGP, or else of OSPF, or else the one that most interfaces are in."""
        for variable in ("frr_bgp", "frr_ospf", "frr_ospf6"):
            for instance in self.variables.get(variable, []):
                return str(instance.get("vrf", ""))
        inside = [entry["vrf"] for entry in self.variables.get("vrf_interfaces", []) if "vrf" in entry]
        return max(sorted(set(inside)), key=inside.count, default="")

    @property
    def loopback(self) -> dict[str, str]:
        """Its one address of each family on the device of that VRF."""
        found: dict[str, list[str]] = {}
        for text in self.addresses(self.vrf or LOOPBACK_DEVICE):
            address = ip_interface(text)
            if address.network.prefixlen == address.max_prefixlen:
                found.setdefault(_KEYS[address.version][1], []).append(str(address.ip))
        return {key: addresses[0] for key, addresses in found.items() if len(addresses) == 1}


def _counts(text: str) -> bool:
    """Tell whether a text is an address that others can use. What a host says of itself may be none."""
    try:
        return not ip_interface(text).is_link_local
    except ValueError:
        return False


@dataclass(frozen=True)
class _End:
    host: str
    interface: str


@dataclass(frozen=True)
class _Pair:
    """Both ends of a link. options: those of the link itself."""

    kind: LinkType
    ends: tuple[_End, _End]
    options: Mapping[str, Any]


def router_of(state: Mapping[str, Any], found: Description) -> Router:
    """Return what others can tell something by. Parameters: the live state of a host, and its description."""
    links = state["links"]["data"] or {}
    keys = {name: item["public_key"] for name, item in (state["wireguard"]["data"] or {}).items() if item["public_key"]}
    for route in state["routes"]["data"] or []:
        if route["table"] != _MAIN_TABLE or route["prefix"] not in DEFAULT:
            continue
        for device in route["dev"]:
            link = links.get(device)
            if link is not None and link["kind"] is None:
                return Router(found.variables, keys, _uplink(device, link))
    return Router(found.variables, keys, {})


def _uplink(device: str, link: Mapping[str, Any]) -> dict[str, Any]:
    uplink: dict[str, Any] = {"device": device}
    for entry in link["addresses"]:
        if entry["scope"] == "global":
            uplink.setdefault(_KEYS[entry["family"]][0], entry["address"])
    return uplink if link["mtu"] == ETHERNET_MTU else {**uplink, "mtu": link["mtu"]}


def describe_network(routers: Mapping[str, Router]) -> dict[str, Any]:
    """Return the beginning of an intent. routers: by host."""
    pairs = list(_pairs(routers))
    taken: dict[str, set[str]] = {host: set() for host in routers}
    for pair in pairs:
        for end in pair.ends:
            taken[end.host].add(end.interface)
    hidden = _behind_nat(routers, pairs)
    nodes = {
        host: _node(number, router, taken[host], behind_nat=host in hidden)
        for number, (host, router) in enumerate(routers.items(), start=1)
    }
    tables: dict[str, Any] = {}
    for router in routers.values():
        for entry in router.variables.get("vrf_vrfs", []):
            tables.setdefault(entry["name"], {"table": entry["table"]})
    intent: dict[str, Any] = {"xgn_vrfs": tables, "xgn_nodes": nodes, "xgn_links": list(_links(routers, pairs))}
    return {name: value for name, value in intent.items() if value}


def contradictions(routers: Mapping[str, Router]) -> list[str]:
    """Return what hosts say differently, and an intent says once. routers: by host."""
    tables: dict[str, dict[int, str]] = {}
    for host, router in routers.items():
        for entry in router.variables.get("vrf_vrfs", []):
            tables.setdefault(entry["name"], {}).setdefault(entry["table"], host)
    return [
        f"VRF {name} has table {' and '.join(f'{table} on {host}' for table, host in found.items())}; an intent has one, so describe these hosts without"
        for name, found in tables.items()
        if len(found) > 1
    ]


def _node(number: int, router: Router, taken: set[str], *, behind_nat: bool) -> dict[str, Any]:
    node: dict[str, Any] = {"id": number}
    instance: Mapping[str, Any] = next((item for item in router.variables.get("frr_bgp", []) if item.get("vrf", "") == router.vrf), {})
    if "asn" in instance:
        node["asn"] = instance["asn"]
    if router.vrf:
        node["vrf"] = router.vrf
    loopback = router.loopback
    if "router_id" in instance and instance["router_id"] != loopback.get("ipv4"):
        node["router_id"] = instance["router_id"]
    uplink = {**router.uplink, "nat": True} if behind_nat else router.uplink
    node.update({key: dict(value) for key, value in (("loopback", loopback), ("uplink", uplink)) if value})
    networks = dict(_networks(router, taken))
    return {**node, "networks": networks} if networks else node


def _networks(router: Router, taken: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    made = {entry["name"]: entry for entry in router.variables.get("vrf_interfaces", [])}
    vrfs = {entry["name"] for entry in router.variables.get("vrf_vrfs", [])}
    number = 0
    for entry in router.variables.get("frr_interfaces", []):
        name = entry["name"]
        kind = made.get(name, {})
        if name in taken or name in vrfs or name == LOOPBACK_DEVICE or kind.get("kind") == "macvlan" or "unit" in kind:
            continue
        network: dict[str, Any] = {key: kind[key] for key in ("kind", "parent", "vlan", "mtu") if key in kind}
        for text in router.addresses(name):
            network.setdefault(_KEYS[ip_interface(text).version][0], text)
        if not {"address", "address6"} & network.keys():
            continue
        if router.vrf_of(name) != router.vrf:
            network["vrf"] = router.vrf_of(name)
        yield name, {"id": number, **network} if number else network
        number += 1


def _links(routers: Mapping[str, Router], pairs: Sequence[_Pair]) -> Iterator[dict[str, Any]]:
    # Of several links between two nodes the first carries the session of their loopbacks.
    carried: set[tuple[str, ...]] = set()
    for number, pair in enumerate(pairs, start=1):
        (first, second), hosts = pair.ends, tuple(end.host for end in pair.ends)
        near = routers[first.host]
        vrf = near.vrf_of(first.interface)
        of_vrf = {"vrf": vrf} if vrf and vrf != near.vrf else {}
        routing = _routing(near, first.interface, routers[second.host], second.interface)
        if routing.get("session") == "loopback":
            routing = {"routing": "none"} if hosts in carried else routing
            carried.add(hosts)
        ends = [_end(routers[end.host], end, pair.kind) for end in pair.ends]
        yield {"id": number, "type": pair.kind.name, **pair.options, **of_vrf, **routing, "ends": ends}


def _pairs(routers: Mapping[str, Router]) -> Iterator[_Pair]:
    """Yield each link once, tunnels first."""
    yield from _tunnels(routers)
    for host, other in combinations(routers, 2):
        for name, wire in routers[host].wires():
            for far_name, far_wire in routers[other].wires():
                if wire.get("vlan") == far_wire.get("vlan") and routers[host].meets(name, routers[other], far_name):
                    kind = link_type("vlan" if wire else "direct")
                    yield _Pair(kind, (_End(host, name), _End(other, far_name)), {"vlan": wire["vlan"]} if wire else {})


def _tunnels(routers: Mapping[str, Router]) -> Iterator[_Pair]:
    order = list(routers)
    holders = {key: _End(host, name) for host, router in routers.items() for name, key in router.public_keys.items()}
    for host, router in routers.items():
        for entry in router.variables.get(WIREGUARD.variable, []):
            end = holders.get(entry["peers"][0]["public_key"]) if len(entry["peers"]) == 1 else None
            if end is None or order.index(host) >= order.index(end.host):
                continue
            if _is_peer(routers[end.host], end.interface, router.public_keys.get(entry["name"])):
                yield _Pair(WIREGUARD, (_End(host, entry["name"]), end), {"mtu": entry["mtu"]})
    for host, other in combinations(routers, 2):
        for kind in (kind for kind in TUNNELS if kind.made_as):
            number = kind.number_option or kind.told_apart_by
            for entry in routers[host].variables.get(kind.variable, []):
                for item in routers[other].variables.get(kind.variable, []):
                    if _face_each_other(entry, item) and entry.get(number) == item.get(number):
                        options = {number: entry[number]} if number in entry else {}
                        yield _Pair(kind, (_End(host, entry["name"]), _End(other, item["name"])), {**options, "mtu": entry["mtu"]})


def _behind_nat(routers: Mapping[str, Router], pairs: Sequence[_Pair]) -> set[str]:
    """Return the hosts that initiate all of their WireGuard tunnels: no other end has an endpoint for them."""
    ends = [(near, far) for pair in pairs if pair.kind is WIREGUARD for near, far in (pair.ends, pair.ends[::-1])]
    reached = {near.host for near, far in ends if any("endpoint" in peer for peer in _peers(routers[far.host], far.interface))}
    return {near.host for near, _far in ends} - reached


def _peers(router: Router, interface: str) -> list[Mapping[str, Any]]:
    entries = router.variables.get(WIREGUARD.variable, [])
    return [peer for entry in entries if entry["name"] == interface for peer in entry["peers"]]


def _is_peer(router: Router, interface: str, key: str | None) -> bool:
    """Tell whether an interface has the holder of a key as its only peer."""
    return [peer["public_key"] for peer in _peers(router, interface)] == [key]


def _face_each_other(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _remotes(one) == [other["local"]] and _remotes(other) == [one["local"]]


def _remotes(entry: Mapping[str, Any]) -> Sequence[str]:
    return entry["remotes"] if "remotes" in entry else [entry["remote"]]


def _end(router: Router, end: _End, kind: LinkType) -> dict[str, Any]:
    wire = dict(router.wires()).get(end.interface)
    found: dict[str, Any] = {"node": end.host}
    if wire is None or end.interface != (f"{wire['parent']}.{wire['vlan']}" if wire else end.interface):
        found["interface"] = end.interface
    if wire is not None:
        found["device"] = wire.get("parent", end.interface)
    for text in router.addresses(end.interface):
        found.setdefault(_KEYS[ip_interface(text).version][1], text)
    for entry in router.variables.get(kind.variable, []):
        if entry["name"] == end.interface and "listen_port" in entry:
            found["listen_port"] = entry["listen_port"]
    return found


def _routing(near: Router, near_name: str, far: Router, far_name: str) -> dict[str, Any]:
    """Return what is spoken over a link: BGP where a neighbor is its other end or that one's loopback, OSPF where both ends have it."""
    vrf = near.vrf_of(near_name)
    neighbors = [neighbor for item in near.variables.get("frr_bgp", []) if item.get("vrf", "") == vrf for neighbor in item["neighbors"]]
    ends = {str(ip_interface(text).ip) for text in far.addresses(far_name)}
    for addresses, session in ((ends, "link"), (set(far.loopback.values()), "loopback")):
        sessions = [neighbor for neighbor in neighbors if neighbor.get("address") in addresses]
        if sessions:
            return {"routing": "bgp", "session": session, **({} if any("bfd_profile" in item for item in sessions) else {"bfd": False})}
    both = all(
        any(
            entry["name"] == name and not entry.get("passive")
            for item in router.variables.get("frr_ospf", [])
            for entry in item["interfaces"]
        )
        for router, name in ((near, near_name), (far, far_name))
    )
    return {"routing": "ospf" if both else "none"}
