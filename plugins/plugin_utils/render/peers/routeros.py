# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RouterOS 7 commands for a router that Ansible does not manage: its WireGuard and GRE tunnels, addresses, routes and BGP sessions."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgp,
    FrrBgpNeighbor,
    FrrPrefixListEntry,
    GreInterface,
    HostVariables,
    WireguardInterface,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import Registry, shown_peer_key
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, bfd_timers
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Node
from ansible_collections.xuegao.net.plugins.plugin_utils.render import unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.policy import permitted, route_maps_of

Variables = HostVariables
_LOOPBACK = "xgn-loopback"
_MENUS = {"ipv4": "/ip", "ipv6": "/ipv6"}
# What the chains of both directions begin with.
_IN, _OUT = "xgn-in", "xgn-out"


def routeros_commands(node: Node, variables: Variables, public_keys: Registry) -> list[str]:
    """Return the commands in the order in which they are to be typed. Placeholders in angle brackets stand for secrets and unknown keys.

    Parameters:
        node: the node.
        variables: its variables, as the plan holds them.
        public_keys: WireGuard public keys of the managed nodes by node and interface.
    """
    lines: list[str] = []
    addresses = {item["name"]: item.get("addresses", []) for item in variables.get("frr_interfaces", [])}
    for interface in variables.get("wireguard_interfaces", []):
        lines += _wireguard(interface, public_keys)
        lines += [_address(text, interface["name"]) for text in addresses.get(interface["name"], [])]
    for tunnel in variables.get("gre_interfaces", []):
        if not _cannot(tunnel):
            lines.append(_gre(tunnel))
            lines += [_address(text, tunnel["name"]) for text in addresses.get(tunnel["name"], [])]
    lines += _left_out(variables)
    if node.loopback:
        # A bridge without ports is RouterOS's loopback in all of its versions.
        lines.append(f"/interface bridge add name={_LOOPBACK}")
        lines += [_address(str(address), _LOOPBACK) for address in node.loopback.values()]
    for route in variables.get("frr_static_routes", []):
        menu = _MENUS["ipv6" if ":" in route["prefix"] else "ipv4"]
        lines.append(f"{menu} route add dst-address={route['prefix']} gateway={route['next_hop']}%{route['interface']}")
    if variables.get("frr_bgp"):
        lines += [*_filters(variables), *_bfd(variables)]
    for instance in variables.get("frr_bgp", []):
        for neighbor in instance["neighbors"]:
            lines += _session(instance, neighbor)
    return lines


def _address(text: str, interface: str) -> str:
    return (
        f"/ipv6 address add address={text} interface={interface} advertise=no"
        if ":" in text
        else f"/ip address add address={text} interface={interface}"
    )


def _wireguard(interface: WireguardInterface, public_keys: Registry) -> Iterator[str]:
    name = interface["name"]
    port = f" listen-port={interface['listen_port']}" if "listen_port" in interface else ""
    yield f'/interface wireguard add name={name} mtu={interface["mtu"]}{port} private-key="{unknown.PRIVATE_KEY}"'
    for peer in interface["peers"]:
        key = shown_peer_key(interface, peer, public_keys)
        words = [f'/interface wireguard peers add interface={name} comment={peer["name"]} public-key="{key}"']
        words.append(f"allowed-address={','.join(peer['allowed_ips'])}")
        if "preshared_key" in peer:
            words.append(f'preshared-key="{unknown.PRESHARED_KEY}"')
        if "endpoint" in peer:
            address, _colon, port_of_peer = peer["endpoint"].rpartition(":")
            words.append(f"endpoint-address={address.strip('[]')} endpoint-port={port_of_peer}")
        if "persistent_keepalive" in peer:
            words.append(f"persistent-keepalive={peer['persistent_keepalive']}s")
        yield " ".join(words)


def _gre(tunnel: GreInterface) -> str:
    menu = "gre6" if ":" in tunnel["local"] else "gre"
    # Its keepalives are packets that the other end must send back, which Linux does not.
    words = [f"/interface {menu} add name={tunnel['name']} local-address={tunnel['local']} remote-address={tunnel['remote']}"]
    return " ".join([*words, f"mtu={tunnel['mtu']} !keepalive comment={tunnel['peer']}"])


def _cannot(tunnel: GreInterface) -> str:
    """Return why RouterOS has no words for a GRE tunnel; empty when it has."""
    if "key" in tunnel:
        return f"RouterOS has no GRE keys, and this one has {tunnel['key']}; leave the key of the link out"
    return f"its outer packets are routed in VRF {tunnel['underlay_vrf']}" if "underlay_vrf" in tunnel else ""


def _left_out(variables: Variables) -> Iterator[str]:
    """Yield a comment for each tunnel that is not written as commands."""
    for kind in TUNNELS:
        for tunnel in entries_of(variables, kind.variable) if "routeros" not in kind.written_for else ():
            yield f"# {kind.title} {tunnel['name']} is yours to configure: see README.md"
    for gre in variables.get("gre_interfaces", []):
        reason = _cannot(gre)
        if reason:
            yield f"# GRE tunnel {gre['name']} to {gre['peer']} is not here: {reason}"


def _filters(variables: Variables) -> Iterator[str]:
    """Yield what may come in and what goes out, a chain for each route map of the plan. The rules that reject come last, and make the chains where there
    is nothing to accept.
    """
    for instance in variables["frr_bgp"]:
        for prefix in instance.get("networks", []):
            yield f"{_MENUS['ipv6' if ':' in prefix else 'ipv4']} firewall address-list add list=xgn-own address={prefix}"
    chains: dict[str, None] = {}
    for family in FAMILIES:
        for way, names in zip((_IN, _OUT), route_maps_of(variables, family)):
            for name in names:
                chains[f"{way}-{name}"] = None
                for entry in permitted(variables, name, family):
                    yield f'/routing filter rule add chain={way}-{name} rule="if ({_condition(entry)}) {{ accept }}"'
    for chain in chains:
        yield f'/routing filter rule add chain={chain} rule="reject"'


def _condition(entry: FrrPrefixListEntry) -> str:
    prefix = entry["prefix"]
    if "ge" not in entry and "le" not in entry:
        return f"dst == {prefix}"
    lowest = entry.get("ge", int(prefix.rpartition("/")[2]))
    highest = entry.get("le", BITS[6 if ":" in prefix else 4])
    return f"dst in {prefix} && dst-len in {lowest}-{highest}"


def _bfd(variables: Variables) -> Iterator[str]:
    profiles = {item["name"]: item for item in variables.get("frr_bfd_profiles", [])}
    for instance in variables["frr_bgp"]:
        for neighbor in instance["neighbors"]:
            profile = profiles.get(neighbor.get("bfd_profile", ""))
            if profile is not None:
                timers = bfd_timers(profile)
                yield (
                    f"/routing bfd configuration add addresses={neighbor['address']} multiplier={timers['detect_multiplier']} "
                    f"min-rx={timers['receive_interval']}ms min-tx={timers['transmit_interval']}ms"
                )


def _session(instance: FrrBgp, neighbor: FrrBgpNeighbor) -> Iterator[str]:
    role = "ibgp" if instance["asn"] == neighbor["remote_as"] else "ebgp"
    families = ",".join(
        "ip" if family == "ipv4" else "ipv6" for family in FAMILIES if any(item["family"] == family for item in neighbor["families"])
    )
    label = neighbor["address"].replace(":", "-").replace(".", "-")
    words = [f"/routing bgp connection add name=xgn-{label} comment={neighbor['description']} as={instance['asn']}"]
    words.append(f"router-id={instance['router_id']} local.role={role} address-families={families}")
    if "update_source" in neighbor:
        words.append(f"local.address={neighbor['update_source']} multihop=yes")
    words.append(f"remote.address={neighbor['address']} remote.as={neighbor['remote_as']}")
    # A session has one chain for both families; the plan gives it one route map for both.
    policy = neighbor["families"][0]
    words.append(f"input.filter={_IN}-{policy['route_map_in']} output.filter-chain={_OUT}-{policy['route_map_out']} output.network=xgn-own")
    for item in neighbor["families"]:
        if "maximum_prefix" in item:
            words.append(f"input.limit-process-routes-{item['family']}={item['maximum_prefix']}")
    if "password" in neighbor:
        words.append(f'tcp-md5-key="{unknown.TCP_PASSWORD}"')
    if "bfd_profile" in neighbor:
        words.append("use-bfd=yes")
    if "keepalive" in neighbor:
        words.append(f"hold-time={neighbor['holdtime']}s keepalive-time={neighbor['keepalive']}s")
    yield " ".join(words)
