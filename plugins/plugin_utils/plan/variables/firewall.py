# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role firewall for each node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import (
    Address,
    AddressError,
    Prefix,
    outermost,
    parse_address,
    parse_prefix,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FirewallForward,
    FirewallNat,
    FirewallOpenPort,
    FirewallTcpMss,
    FirewallVariables,
    FrrVariables,
    VrfVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import tcp_mss
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    BFD_PORTS,
    BGP_PORT,
    BITS,
    EVERYTHING,
    FAMILIES,
    LOOPBACK_DEVICE,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    LINK_LOCAL,
    PUBLISHED_RELATIONS,
    UPLINK,
    End,
    Link,
    Neighbor,
    Node,
    Uplink,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import edge
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import ANYCAST_DEVICE, Context, in_vrf, mark_of, planned


def firewall_variables(node: Node, shared: Context, mss: dict[str, int], made: VrfVariables, routed: FrrVariables) -> FirewallVariables:
    """Return the variables of role firewall: what is trusted, what is open elsewhere, what is forwarded, whose sources are looked at, and the MSS.

    Parameters:
        mss: the largest one that passes every link, by family.
        made, routed: the node's variables of roles vrf and frr: which interfaces it has in which VRF, and what leads from one VRF into another.
    """
    settings = shared.intent.settings.firewall
    if not settings.enabled:
        return {"firewall_state": "absent"}
    uplinks = {uplink.device: uplink.vrf or "" for uplink in node.uplinks.values() if uplink.device}
    # What the plan makes or uses, but for what tunnels travel over.
    trusted = {item["name"]: item.get("vrf") or "" for item in made.get("vrf_interfaces", []) if item["name"] not in uplinks}
    found: FirewallVariables = {"firewall_trusted_interfaces": [LOOPBACK_DEVICE, *trusted]}
    forward = [*_within(made, routed, trusted, uplinks), *_through(node, shared, trusted, uplinks)]
    if forward:
        found["firewall_forward"] = forward
    found["firewall_ssh_from"] = list(settings.ssh_from)
    found["firewall_open_ports"] = _open_ports(node, shared)
    found.update(_reverse_path(node, shared, made, routed, {**trusted, **uplinks}))
    if nat := list(_nat(node, shared)):
        found["firewall_nat"] = nat
    tunnels = {end.interface: link.mtu for link, end in shared.links.get(node.name, []) if link.kind.tunnel}
    tunnels |= {segment.interface_of(node): segment.mtu for segment in shared.segments.get(node.name, [])}
    if tunnels:
        wanted = settings.tcp_mss
        # A tunnel without a family has no part in the network's size for it, and one value holds on all of the host's.
        own = {family: min(size, tcp_mss(min(tunnels.values()), family)) for family, size in mss.items()}
        found["firewall_tcp_mss_interfaces"] = list(tunnels)
        found["firewall_tcp_mss"] = cast(FirewallTcpMss, own if wanted == "path" else dict.fromkeys(mss, wanted))
    return found


def _nat(node: Node, shared: Context) -> Iterator[FirewallNat]:
    """Yield by which uplinks a VRF's packets leave to the internet, and in which families with the address of the uplink."""
    for item in shared.intent.exits_of(node):
        families = [family for family in FAMILIES if family in item.nat]
        entry: FirewallNat = {"vrf": item.vrf, "interface": planned(planned(item.uplink).device), "mark": mark_of(item.vrf, shared)}
        yield entry if families == list(FAMILIES) else {**entry, "families": families}


def ssh_from_everywhere(hosts: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Return what is to be said of hosts whose SSH anybody may try, none of which is a mistake.

    Parameters:
        hosts: the variables of each, with what overrides have made of them.
    """
    found = [
        name
        for name, variables in hosts.items()
        if is_declared("firewall", variables)
        and variables.get("firewall_trusted_interfaces")
        and (not (prefixes := variables.get("firewall_ssh_from", [])) or set(prefixes) & set(EVERYTHING.values()))
    ]
    hint = "list the prefixes that administrators come from"
    return (
        [Problem(Place.of("xgn_firewall", "ssh_from"), f"leaves SSH open to everybody at {', '.join(found)}", hint=hint)] if found else []
    )


def _within(made: VrfVariables, routed: FrrVariables, trusted: dict[str, str], uplinks: dict[str, str]) -> Iterator[FirewallForward]:
    """Yield where trusted interfaces of each VRF forward to: the others of the VRF, its uplinks, and where a route leads into another VRF."""
    for vrf in ("", *(item["name"] for item in made.get("vrf_vrfs", []))):
        if vrf not in trusted.values():
            continue
        names = [name for name, home in (trusted | uplinks).items() if home == vrf]
        names += [
            interface
            for route in routed.get("frr_static_routes", [])
            if (route.get("vrf") or "") == vrf and "next_hop_vrf" in route and (interface := route.get("interface"))
        ]
        entry: FirewallForward = {"to": list(dict.fromkeys(names))}
        yield {"vrf": vrf, **entry} if vrf else entry


def _reverse_path(node: Node, shared: Context, made: VrfVariables, routed: FrrVariables, homes: Mapping[str, str]) -> FirewallVariables:
    """Return where the source of a packet is looked at: what it must be routed by, or that it is routed at all.

    Parameters:
        homes: the VRF of every interface of the plan, empty for the default VRF.
    """
    strict = list(_one_way(node, shared))
    loose = [name for name, vrf in homes.items() if not vrf and name not in strict and name != ANYCAST_DEVICE]
    # A packet of one VRF may be answered by a route into another one, which the kernel does not count as the VRF's own.
    leaking = {route.get("vrf") or "" for route in routed.get("frr_static_routes", []) if "next_hop_vrf" in route}
    vrfs = [vrf["name"] for vrf in made.get("vrf_vrfs", []) if vrf["name"] not in leaking]
    found: FirewallVariables = {}
    if strict:
        found["firewall_strict_interfaces"] = strict
    if loose:
        found["firewall_loose_interfaces"] = loose
    if vrfs:
        found["firewall_loose_vrfs"] = vrfs
    return found


def _one_way(node: Node, shared: Context) -> Iterator[str]:
    """Yield the interfaces of the networks behind a node, which are the only way to what is there, but for what may be steered. No link or uplink is one."""
    # What is steered goes to a box, and comes from where it lives.
    steered = [
        (shared.intent.nodes[box.router].vrf, parse_prefix(text))
        for box in shared.intent.settings.services.steering.values()
        for text in box.prefixes
    ]
    shared_with = {neighbor.interface for neighbor in shared.neighbors.get(node.name, [])}
    for network in node.networks:
        if network.interface in shared_with:
            # What is behind a router may come in by another way.
            continue
        prefixes = [address.prefix for address in network.addresses.values()]
        parts = [other for vrf, other in steered if vrf == network.vrf]
        if not any(prefix.holds(other) or other.holds(prefix) for prefix in prefixes for other in parts):
            yield network.interface


# From whom, and to whom, packets are.
_Ends = TypedDict("_Ends", {"from": list[str], "destinations": list[str]}, total=False)


@dataclass
class _Passing:
    """What arrives on a public interface and is forwarded: from whom, or to what, and where it leaves."""

    sources: set[Prefix] = field(default_factory=set)
    destinations: set[Prefix] = field(default_factory=set)
    interfaces: list[str] = field(default_factory=list)


def _through(node: Node, shared: Context, trusted: dict[str, str], uplinks: dict[str, str]) -> Iterator[FirewallForward]:
    """Yield what is forwarded that arrives on each uplink: of nodes whose gateway this one is, and of external neighbors."""
    for uplink in node.uplinks.values():
        if not uplink.device:
            continue
        found = _Passing()
        others = [name for name, vrf in uplinks.items() if vrf == (uplink.vrf or "") and name != uplink.device]
        if others and (sources := _behind(node, uplink, shared)):
            found.sources |= sources
            found.interfaces += others
        for neighbor in shared.neighbors.get(node.name, []):
            if neighbor.place is uplink:
                _add_neighbor(found, neighbor, shared)
                # Two neighbors may be on one interface.
                found.interfaces += [name for name, vrf in (trusted | uplinks).items() if vrf == neighbor.vrf]
        if not found.sources and not found.destinations:
            continue
        ends: _Ends = {}
        if found.sources:
            ends["from"] = _listed(found.sources)
        if found.destinations:
            ends["destinations"] = _listed(found.destinations)
        yield {**in_vrf(uplink.vrf or ""), "interface": uplink.device, **ends, "to": list(dict.fromkeys(found.interfaces))}


def _listed(prefixes: set[Prefix]) -> list[str]:
    # A set of nft's has no prefix within another one.
    return sorted(map(str, outermost(prefixes)), key=natural_order)


def _behind(node: Node, uplink: Uplink, shared: Context) -> set[Prefix]:
    """Return the addresses of the nodes that send what leaves their subnet to an uplink of this one."""
    own = {address.bare for address in uplink.addresses.values()}
    return {
        Prefix(address.version, address.value, BITS[address.version])
        for other in shared.intent.nodes.values()
        if other is not node
        for behind in other.uplinks.values()
        if own.intersection(gateway.bare for gateway in behind.gateways)
        for address in behind.addresses.values()
    }


def _add_neighbor(found: _Passing, neighbor: Neighbor, shared: Context) -> None:
    """Add what an external neighbor sends: to what is advertised to it, and what comes from its own prefixes, as far as those are known."""
    if neighbor.relation in PUBLISHED_RELATIONS:
        # A router that brings a default route is no reason to forward whatever comes.
        found.sources.update(item.prefix for item in neighbor.accept or () if item.prefix.length)
    lines = edge.named(neighbor, shared.inbound)
    found.destinations.update(parse_prefix(line["prefix"]) for family in neighbor.families for line in lines[family])


def _open_ports(node: Node, shared: Context) -> list[FirewallOpenPort]:
    """Return what the tunnels and the external neighbors of a node need open, each from its known peers. One whose address is unknown opens the port to everybody."""
    sources: dict[tuple[str, int], list[set[str]]] = {}
    for link, end in shared.links.get(node.name, []):
        for port in ports_of(link, end):
            sources.setdefault(port, []).append(_addresses_of(link, link.other(end)))
    for segment in shared.segments.get(node.name, []):
        for member in segment.members:
            if member is not node:
                uplink = segment.uplink_of(member)
                addresses = {_single(address) for address in uplink.addresses.values()} if uplink is not None else set()
                sources.setdefault(("udp", segment.options.port), []).append(addresses)
    for neighbor in shared.neighbors.get(node.name, []):
        for port in _ports_of_session(neighbor):
            sources.setdefault(port, []).append(_addresses_of_neighbor(neighbor))
    found: list[FirewallOpenPort] = []
    for (protocol, number), peers in sorted(sources.items()):
        entry: FirewallOpenPort = {"protocol": protocol}
        if number:
            entry["port"] = number
        if all(peers):
            entry["from"] = sorted({address for addresses in peers for address in addresses}, key=natural_order)
        found.append(entry)
    return found


def ports_of(link: Link, end: End) -> list[tuple[str, int]]:
    """Return protocols and ports on which a node is addressed by its peer; the port is 0 where the protocol has none."""
    if link.options.over != UPLINK:
        # What travels over another link arrives on that one, which is not filtered.
        return []
    ports = link.kind.ports
    found = list(link.options.open_ports)
    if end.listen_port and (ports.listener == "each" or (ports.listener == "server" and is_server(link, end))):
        found.append((link.options.protocol, end.listen_port))
    return found


def _ports_of_session(neighbor: Neighbor) -> list[tuple[str, int]]:
    """Return protocols and ports on which a node is addressed by an external neighbor on a public interface: BGP, and BFD of one hop or of several."""
    if neighbor.place is not None and not isinstance(neighbor.place, Uplink):
        return []
    beyond = neighbor.from_loopback or neighbor.options.multihop is not None
    return [("tcp", BGP_PORT), *([("udp", BFD_PORTS[beyond])] if neighbor.options.bfd else [])]


def _addresses_of_neighbor(neighbor: Neighbor) -> set[str]:
    """Return the addresses an external neighbor has, as prefixes; of an unnumbered one all those that are valid on a link alone."""
    return {str(LINK_LOCAL)} if neighbor.unnumbered else {_single(address) for address in neighbor.addresses.values()}


def _addresses_of(link: Link, peer: End) -> set[str]:
    """Return the addresses a peer's outer packets come from, as prefixes; none when they cannot be known."""
    found: set[str] = set()
    if peer.endpoint is not None:
        # What it is called by is its address, unless that is a name.
        try:
            found.add(_single(parse_address(peer.endpoint)))
        except AddressError:
            return set()
    if peer.uplink is not None and not peer.uplink.nat and link.outer in peer.uplink.addresses:
        found.add(_single(peer.uplink.addresses[link.outer]))
    return found


def _single(address: Address) -> str:
    """Return an address as the prefix that holds nothing else."""
    return f"{address.bare}/{BITS[address.version]}"
