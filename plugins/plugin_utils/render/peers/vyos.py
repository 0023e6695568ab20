# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node of the plan as VyOS ``set`` commands, in the words of VyOS 1.2/1.3 (no VRF) or 1.4."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgp,
    FrrBgpNeighbor,
    FrrStaticRoute,
    GreInterface,
    HostVariables,
    VrfInterface,
    VxlanInterface,
    WireguardInterface,
    WireguardInterfacePeer,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import Registry, shown_peer_key
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, FAMILIES, VERSION, VXLAN_PORT, bfd_timers
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import LINK_LOCAL, Intent, Network, Node

Variables = HostVariables
# VyOS numbers the rules of a policy from 1 to 65535.
_LAST_RULE = 65535
# What VyOS calls a tunnel without a daemon.
_TUNNEL_NAME = re.compile(r"tun\d+\Z")


def vyos_commands(node: Node, variables: Variables, intent: Intent, public_keys: Registry | None = None) -> list[str]:
    """Return the commands that make a VyOS router this node of the plan.

    Parameters:
        node: the node.
        variables: its variables, as the plan holds them.
        intent: the numbered intent; its ``xgn_vyos.version`` chooses the words.
        public_keys: WireGuard public keys by node and interface name; a placeholder stands for those that are not known.

    Returns:
        The commands, sorted as ``show configuration commands`` sorts them. Secrets are placeholders. What VyOS words differently in every
        release (OpenVPN, L2TP, OSPF) is named in comments at the end.
    """
    writer = _Writer(node, variables, intent, public_keys or {})
    lines = sorted({f"set {line}" for line in writer.commands()}, key=_order)
    return lines + [f"# {text}" for text in writer.left_out()]


def _order(line: str) -> list[tuple[int, int, str]]:
    return [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in line.split()]


class _Writer:
    def __init__(self, node: Node, variables: Variables, intent: Intent, keys: Registry) -> None:
        self.node, self.variables, self.intent, self.keys = node, variables, intent, keys
        self.old = intent.settings.vyos.version == "1.2"
        self.vrfs = {item["name"]: item.get("vrf") for item in variables.get("vrf_interfaces", [])}
        self.addresses = {item["name"]: item for item in variables.get("frr_interfaces", [])}
        # VyOS runs no container of the plan: what a macvlan interface has beside containers, the VXLAN beneath has here itself.
        self.macvlans = {item["parent"]: item for item in variables.get("vrf_interfaces", []) if item.get("kind") == "macvlan"}
        self.tunnels = {item["name"]: re.sub(r"^\D+", "tun", item["name"]) for item in variables.get("gre_interfaces", [])}

    def commands(self) -> Iterator[str]:
        yield f"system host-name '{self.node.name}'"
        if not self.old:
            for vrf in self.variables.get("vrf_vrfs", []):
                yield f"vrf name {vrf['name']} table '{vrf['table']}'"
        yield from self.uplinks()
        yield from self.loopback()
        for network in self.node.networks:
            yield from self.network(network)
        for interface in self.variables.get("wireguard_interfaces", []):
            yield from self.wireguard(interface)
        for vxlan in self.variables.get("vxlan_interfaces", []):
            yield from self.vxlan(vxlan)
        for tunnel in self.variables.get("gre_interfaces", []):
            if not self.cannot(tunnel):
                yield from self.gre(tunnel)
        for route in self.variables.get("frr_static_routes", []):
            yield self.static(route)
        yield from self.bfd()
        yield from self.policies()
        for instance in self.variables.get("frr_bgp", []):
            yield from self.bgp(instance)

    def external(self, vrf: str, neighbor: FrrBgpNeighbor) -> bool:
        """Tell whether a neighbor is one of xgn_neighbors, whose roles, communities and marks have no words here."""
        return any(
            (item.get("vrf", ""), item["neighbor"]) == (vrf, neighbor_name(neighbor)) for item in self.variables.get("verify_neighbors", [])
        )

    def policies_of_others(self) -> tuple[set[str], set[str]]:
        """Return the names of the route maps that external neighbors have alone, and of the prefix lists that those name alone."""
        maps = {
            family[key]
            for instance in self.variables.get("frr_bgp", [])
            for neighbor in instance.get("neighbors", [])
            if self.external(instance.get("vrf", ""), neighbor)
            for family in neighbor["families"]
            for key in ("route_map_in", "route_map_out")
        }
        named: dict[bool, set[str]] = {True: set(), False: set()}
        for route_map in self.variables.get("frr_route_maps", []):
            for clause in route_map["entries"]:
                named[route_map["name"] in maps] |= {
                    words.rpartition(" ")[2] for words in clause.get("match", []) if " prefix-list " in words
                }
        return maps, named[True] - named[False]

    def left_out(self) -> Iterator[str]:
        for kind in TUNNELS:
            for tunnel in entries_of(self.variables, kind.variable) if "vyos" not in kind.written_for else ():
                details = ", ".join(f"{key} {tunnel[key]}" for key in ("role", "remote", "listen_port", "mtu") if key in tunnel)
                yield f"{kind.title} tunnel {tunnel['name']} to {tunnel['peer']} is yours to configure: {details}"
        for gre in self.variables.get("gre_interfaces", []):
            reason = self.cannot(gre)
            if reason:
                yield f"GRE tunnel {gre['name']} to {gre['peer']} is not here: {reason}"
        if others := [item["neighbor"] for item in self.variables.get("verify_neighbors", [])]:
            yield f"BGP with external neighbors is yours to configure: {', '.join(others)}"
        if "frr_ospf" in self.variables or "frr_ospf6" in self.variables:
            yield "OSPF is yours to configure"
        if self.variables.get("frr_lines"):
            yield "Own lines of frr.conf are not here: they are FRR's"
        if self.variables.get("firewall_own_chains"):
            yield "Own rules of the packet filter are not here: they are nft's"

    def vrf_lines(self, prefix: str, vrf: str | None) -> Iterator[str]:
        if vrf and not self.old:
            yield f"{prefix} vrf '{vrf}'"

    def addressed(self, prefix: str, name: str) -> Iterator[str]:
        for address in self.addresses[name].get("addresses", []) if name in self.addresses else ():
            yield f"{prefix} address '{address}'"

    def described(self, prefix: str, name: str) -> Iterator[str]:
        if text := self.addresses.get(name, {"name": name}).get("description"):
            yield f"{prefix} description '{text}'"

    def uplinks(self) -> Iterator[str]:
        for uplink in self.node.uplinks.values():
            if not uplink.device:
                continue
            prefix = f"interfaces ethernet {uplink.device}"
            for address in uplink.addresses.values():
                yield f"{prefix} address '{address}'"
            if "ipv4" in uplink.learned:
                yield f"{prefix} address 'dhcp'"
            if uplink.learned.get("ipv6") == "dhcp":
                yield f"{prefix} address 'dhcpv6'"
            if uplink.hears_routers:
                yield f"{prefix} ipv6 address autoconf"
            if uplink.hw_id:
                yield f"{prefix} hw-id '{uplink.hw_id}'"
            if uplink.mac:
                yield f"{prefix} mac '{uplink.mac}'"
            if uplink.set_mtu:
                yield f"{prefix} mtu '{uplink.mtu}'"
            yield from self.vrf_lines(prefix, uplink.vrf)
            for gateway in uplink.gateways:
                word, prefix = ("route6", "::/0") if gateway.version == VERSION["ipv6"] else ("route", "0.0.0.0/0")
                if LINK_LOCAL.holds(gateway.prefix):
                    yield f"protocols static {word} {prefix} next-hop {gateway.bare} interface {uplink.device}"
                    continue
                if uplink.is_off_link(gateway):
                    yield f"protocols static {word} {gateway.prefix} interface {uplink.device}"
                yield f"protocols static {word} {prefix} next-hop {gateway.bare}"

    def loopback(self) -> Iterator[str]:
        # VyOS cannot enslave lo, so a VRF's loopback is a dummy interface.
        in_vrf = bool(self.node.vrf) and not self.old
        prefix = "interfaces dummy dum0" if in_vrf else "interfaces loopback lo"
        for family in FAMILIES:
            if family in self.node.loopback:
                yield f"{prefix} address '{self.node.loopback[family]}'"
        if in_vrf and self.node.loopback:
            yield from self.vrf_lines(prefix, self.node.vrf)

    def network(self, network: Network) -> Iterator[str]:
        if network.kind == "vlan":
            prefix = f"interfaces ethernet {network.parent} vif {network.vlan}"
        else:
            prefix = f"interfaces {network.kind or 'ethernet'} {network.interface}"
        yield from self.addressed(prefix, network.interface)
        if network.mtu:
            yield f"{prefix} mtu '{network.mtu}'"
        yield from self.vrf_lines(prefix, network.vrf)

    def wireguard(self, interface: WireguardInterface) -> Iterator[str]:
        prefix = f"interfaces wireguard {interface['name']}"
        yield from self.addressed(prefix, interface["name"])
        yield from self.described(prefix, interface["name"])
        if "mtu" in interface:
            yield f"{prefix} mtu '{interface['mtu']}'"
        if "listen_port" in interface:
            yield f"{prefix} port '{interface['listen_port']}'"
        if "fwmark" in interface:
            yield f"{prefix} fwmark '{interface['fwmark']}'"
            for family in ("local-route", "local-route6"):
                yield f"policy {family} rule {interface['fwmark'] % 32765 + 1} fwmark '{interface['fwmark']}'"
                yield f"policy {family} rule {interface['fwmark'] % 32765 + 1} set table '{interface['fwmark']}'"
        # Up to 1.3 the command names a key pair the router made; its name here is that of the node.
        yield f"{prefix} private-key '{self.node.name if self.old else '<private key of ' + self.node.name + '>'}'"
        yield from self.vrf_lines(prefix, self.vrfs.get(interface["name"]))
        for peer in interface.get("peers", []):
            yield from self.wireguard_peer(f"{prefix} peer {peer['name']}", peer, interface)

    def wireguard_peer(self, prefix: str, peer: WireguardInterfacePeer, interface: WireguardInterface) -> Iterator[str]:
        for allowed in peer.get("allowed_ips", EVERYTHING.values()):
            yield f"{prefix} allowed-ips '{allowed}'"
        if "endpoint" in peer:
            address, _colon, port = peer["endpoint"].rpartition(":")
            yield f"{prefix} address '{address.strip('[]')}'"
            yield f"{prefix} port '{port}'"
        if "persistent_keepalive" in peer:
            yield f"{prefix} persistent-keepalive '{peer['persistent_keepalive']}'"
        yield f"{prefix} {'pubkey' if self.old else 'public-key'} '{shown_peer_key(interface, peer, self.keys)}'"
        if "preshared_key" in peer:
            yield f"{prefix} preshared-key '<preshared key of {peer['name']}>'"

    def vxlan(self, interface: VxlanInterface) -> Iterator[str]:
        prefix = f"interfaces vxlan {interface['name']}"
        addressed: VrfInterface | VxlanInterface = self.macvlans.get(interface["name"]) or interface
        yield from self.addressed(prefix, addressed["name"])
        yield f"{prefix} vni '{interface['vni']}'"
        yield f"{prefix} source-address '{interface['local']}'"
        yield f"{prefix} port '{interface.get('port', VXLAN_PORT)}'"
        if "mtu" in interface:
            yield f"{prefix} mtu '{interface['mtu']}'"
        if "mac" in addressed:
            yield f"{prefix} mac '{addressed['mac']}'"
        for remote in interface["remotes"]:
            yield f"{prefix} remote '{remote}'"
        yield from self.vrf_lines(prefix, self.vrfs.get(addressed["name"]))

    def cannot(self, tunnel: GreInterface) -> str:
        """Return why VyOS has no words for a GRE tunnel; empty when it has."""
        if self.old and ":" in tunnel["local"]:
            return "VyOS 1.2 has no GRE over IPv6"
        if self.old and not tunnel.get("pmtudisc", True):
            return "VyOS 1.2 always forbids fragments of the outer packets"
        if "underlay_vrf" in tunnel:
            return f"its outer packets are routed in VRF {tunnel['underlay_vrf']}, which tunnels of VyOS cannot"
        number = self.tunnels[tunnel["name"]]
        if not _TUNNEL_NAME.match(number) or list(self.tunnels.values()).count(number) > 1:
            return "VyOS numbers its tunnels; give the end an interface with letters and a number of its own"
        return ""

    def gre(self, tunnel: GreInterface) -> Iterator[str]:
        name, ipv6 = tunnel["name"], ":" in tunnel["local"]
        prefix = f"interfaces tunnel {self.tunnels[name]}"
        yield from self.addressed(prefix, name)
        yield from self.described(prefix, name)
        yield f"{prefix} encapsulation '{'ip6gre' if ipv6 else 'gre'}'"
        yield f"{prefix} {'local-ip' if self.old else 'source-address'} '{tunnel['local']}'"
        yield f"{prefix} {'remote-ip' if self.old else 'remote'} '{tunnel['remote']}'"
        if "mtu" in tunnel:
            yield f"{prefix} mtu '{tunnel['mtu']}'"
        if "key" in tunnel:
            yield f"{prefix} parameters ip key '{tunnel['key']}'"
        if ipv6:
            yield f"{prefix} parameters ipv6 encaplimit 'none'"
            yield f"{prefix} parameters ipv6 hoplimit '{tunnel.get('ttl', 64)}'"
        else:
            yield f"{prefix} parameters ip ttl '{tunnel.get('ttl', 64)}'"
            if not tunnel.get("pmtudisc", True):
                yield f"{prefix} parameters ip no-pmtu-discovery"
        yield from self.vrf_lines(prefix, self.vrfs.get(name))

    def protocols(self, vrf: str | None) -> str:
        return f"vrf name {vrf} protocols" if vrf and not self.old else "protocols"

    def static(self, route: FrrStaticRoute) -> str:
        line = f"{self.protocols(route.get('vrf'))} static {'route6' if ':' in route['prefix'] else 'route'} {route['prefix']}"
        distance = f" distance '{route['distance']}'" if "distance" in route else ""
        if route.get("blackhole"):
            return f"{line} blackhole{distance}"
        interface = next(
            (parent for parent, item in self.macvlans.items() if item["name"] == route.get("interface")), route.get("interface", "")
        )
        interface = self.tunnels.get(interface, interface)
        if "next_hop" not in route:
            return f"{line} {'next-hop-interface' if self.old else 'interface'} {interface}{distance}"
        line = f"{line} next-hop {route['next_hop']}"
        if distance:
            return f"{line}{distance}"
        # VyOS finds the VRF of the next hop by the interface or by name, not by both.
        if "next_hop_vrf" in route:
            return f"{line} vrf '{route['next_hop_vrf']}'"
        return f"{line} {'next-hop-interface' if self.old else 'interface'} '{interface}'" if interface else line

    def bfd(self) -> Iterator[str]:
        # Up to 1.3 a BFD peer is written out, without a profile; `neighbor … bfd` makes it.
        if self.old:
            return
        for profile in self.variables.get("frr_bfd_profiles", []):
            prefix = f"protocols bfd profile {profile['name']} interval"
            timers = bfd_timers(profile)
            yield f"{prefix} multiplier '{timers['detect_multiplier']}'"
            yield f"{prefix} receive '{timers['receive_interval']}'"
            yield f"{prefix} transmit '{timers['transmit_interval']}'"

    def policies(self) -> Iterator[str]:
        maps, lists = self.policies_of_others()
        for item in self.variables.get("frr_prefix_lists", []):
            if item["name"] in lists:
                continue
            six = "6" if item.get("family") == "ipv6" else ""
            short = all(entry["seq"] <= _LAST_RULE for entry in item["entries"])
            for index, entry in enumerate(item["entries"]):
                prefix = f"policy prefix-list{six} {item['name']} rule {entry['seq'] if short else index + 1}"
                yield f"{prefix} action '{entry['action']}'"
                yield f"{prefix} prefix '{entry['prefix']}'"
                if "ge" in entry:
                    yield f"{prefix} ge '{entry['ge']}'"
                if "le" in entry:
                    yield f"{prefix} le '{entry['le']}'"
        for route_map in self.variables.get("frr_route_maps", []):
            for clause in route_map["entries"] if route_map["name"] not in maps else ():
                prefix = f"policy route-map {route_map['name']} rule {clause['seq']}"
                yield f"{prefix} action '{clause['action']}'"
                # The last word of a condition or change is its value; VyOS writes the next hop as one word.
                for condition in clause.get("match", []):
                    words, _space, value = condition.rpartition(" ")
                    yield f"{prefix} match {words} '{value}'"
                for change in clause.get("set", []):
                    words, _space, value = change.replace(" next-hop", "-next-hop").rpartition(" ")
                    yield f"{prefix} set {words} '{value}'"

    def bgp(self, instance: FrrBgp) -> Iterator[str]:
        prefix = f"{self.protocols(instance.get('vrf'))} bgp"
        if self.old:
            prefix = f"{prefix} {instance['asn']}"
        else:
            yield f"{prefix} system-as '{instance['asn']}'"
        yield f"{prefix} parameters router-id '{instance['router_id']}'"
        for network in instance.get("networks", []):
            yield f"{prefix} address-family {'ipv6' if ':' in network else 'ipv4'}-unicast network {network}"
        for neighbor in instance.get("neighbors", []):
            if not self.external(instance.get("vrf", ""), neighbor):
                yield from self.neighbor(f"{prefix} neighbor {neighbor_name(neighbor)}", neighbor)

    def neighbor(self, prefix: str, neighbor: FrrBgpNeighbor) -> Iterator[str]:
        yield f"{prefix} remote-as '{neighbor['remote_as']}'"
        if "description" in neighbor:
            yield f"{prefix} description '{neighbor['description']}'"
        if "update_source" in neighbor:
            yield f"{prefix} update-source '{'lo' if self.old else neighbor['update_source']}'"
        if "ebgp_multihop" in neighbor:
            yield f"{prefix} ebgp-multihop '{neighbor['ebgp_multihop']}'"
        if "ttl_security_hops" in neighbor:
            yield f"{prefix} ttl-security hops '{neighbor['ttl_security_hops']}'"
        if "password" in neighbor:
            yield f"{prefix} password '<password of {neighbor_name(neighbor)}>'"
        if "bfd_profile" in neighbor:
            yield f"{prefix} bfd" if self.old else f"{prefix} bfd profile '{neighbor['bfd_profile']}'"
        if "keepalive" in neighbor:
            yield f"{prefix} timers keepalive '{neighbor['keepalive']}'"
            yield f"{prefix} timers holdtime '{neighbor['holdtime']}'"
        for family in neighbor["families"]:
            here = f"{prefix} address-family {family['family']}-unicast"
            if "maximum_prefix" in family:
                yield f"{here} maximum-prefix '{family['maximum_prefix']}'"
            yield f"{here} route-map import '{family['route_map_in']}'"
            yield f"{here} route-map export '{family['route_map_out']}'"
            if family.get("next_hop_self"):
                yield f"{here} nexthop-self"
