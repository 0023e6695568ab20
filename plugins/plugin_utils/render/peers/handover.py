# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The other side's configuration: what the owner of a router Ansible does not manage needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import interface_layer
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgpNeighbor,
    FrrPrefixListEntry,
    HostVariables,
    WireguardInterface,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import Registry, shown_peer_key
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import TITLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS, LinkType
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.render import unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.bird import bird_configuration
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.policy import permitted
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.routeros import routeros_commands

Variables = HostVariables


def peer_files(name: str, variables: Variables, intent: Intent, public_keys: Registry) -> Iterator[tuple[str, str]]:
    """Yield name and text of every file for the owner of a node, but for the VyOS commands.

    Parameters:
        name: the node.
        variables: its variables, as the plan holds them.
        public_keys: WireGuard public keys of the managed nodes by node and interface; a placeholder stands for those not known.
    """
    yield "README.md", instructions(name, variables, intent, public_keys)
    addresses = _addresses(variables)
    for interface in variables.get("wireguard_interfaces", []):
        yield f"{interface['name']}.conf", "\n".join([*_wg_quick(interface, addresses, public_keys), ""])
    bird = bird_configuration(name, variables)
    if bird:
        yield "bird.conf", bird
    commands = routeros_commands(intent.nodes[name], variables, public_keys)
    if commands:
        yield "routeros.rsc", "\n".join([*commands, ""])


def _addresses(variables: Variables) -> dict[str, list[str]]:
    return {item["name"]: item.get("addresses", []) for item in variables.get("frr_interfaces", [])}


def instructions(name: str, variables: Variables, intent: Intent, public_keys: Registry) -> str:
    """Return a Markdown page for the owner of a node: its tunnels as wg-quick files, its BGP sessions, what it may advertise.

    The parameters are those of `peer_files`.
    """
    lines = [f"# {name}", "", "What this router needs to join the network. Beside this page the same stands", ""]
    lines += ["- for Linux: a wg-quick file for each WireGuard interface, and `bird.conf` for BIRD 2;", "- for RouterOS 7: `routeros.rsc`;"]
    lines += [
        "- for VyOS: `vyos.txt`.",
        "",
        "Angle brackets stand for what is not in the plan: secrets, and keys that are not known yet.",
        "",
    ]
    node = intent.nodes[name]
    if node.loopback:
        lines += [f"Loopback: {', '.join(str(address) for address in node.loopback.values())}", ""]
    addresses = _addresses(variables)
    for interface in variables.get("wireguard_interfaces", []):
        lines += [f"## WireGuard {interface['name']}", "", "```ini", *_wg_quick(interface, addresses, public_keys), "```", ""]
    for kind in TUNNELS:
        # A file of wg-quick says more than a list.
        for tunnel in entries_of(variables, kind.variable) if "wg-quick" not in kind.written_for else ():
            lines += [f"## {kind.title} {tunnel['name']}", "", f"- addresses: {', '.join(addresses.get(tunnel['name'], []))}"]
            lines += [f"- {word.replace('_', ' ')}: {_value(tunnel[word])}" for word in tunnel if word not in ("name", "preshared_key")]
            lines += _linux(kind, tunnel)
            lines.append("")
    routes = variables.get("frr_static_routes", [])
    if routes:
        lines += ["## Static routes", "", *(f"- {item['prefix']} via {item['next_hop']} on {item['interface']}" for item in routes), ""]
    for instance in variables.get("frr_bgp", []):
        lines += [f"## BGP, AS {instance['asn']}, router ID {instance['router_id']}", ""]
        for neighbor in instance["neighbors"]:
            lines += [f"- {sentence}" if not index else f"  {sentence}" for index, sentence in enumerate(_session(neighbor, variables))]
        lines.append("")
    return "\n".join(lines)


def _linux(kind: LinkType, tunnel: dict[str, Any]) -> Iterator[str]:
    """Yield what makes a tunnel on Linux, where iproute2 alone does."""
    if "iproute2" in kind.written_for:
        command = interface_layer.TUNNELS[kind.made_as].add_command(tunnel)
        yield from ("", "```sh", f"ip {' '.join(command)}", f"ip link set dev {tunnel['name']} mtu {tunnel['mtu']} up", "```")


def _value(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _wg_quick(interface: WireguardInterface, addresses: Mapping[str, list[str]], public_keys: Registry) -> Iterator[str]:
    name = interface["name"]
    yield "[Interface]"
    yield f"PrivateKey = {unknown.PRIVATE_KEY}"
    if "listen_port" in interface:
        yield f"ListenPort = {interface['listen_port']}"
    if "fwmark" in interface:
        yield f"FwMark = {interface['fwmark']}"
    yield f"Address = {', '.join(addresses.get(name, []))}"
    yield f"MTU = {interface['mtu']}"
    yield "Table = off"
    for peer in interface["peers"]:
        yield ""
        yield "[Peer]"
        yield f"PublicKey = {shown_peer_key(interface, peer, public_keys)}"
        if "preshared_key" in peer:
            yield f"PresharedKey = {unknown.PRESHARED_KEY}"
        yield f"AllowedIPs = {', '.join(peer['allowed_ips'])}"
        if "endpoint" in peer:
            yield f"Endpoint = {peer['endpoint']}"
        if "persistent_keepalive" in peer:
            yield f"PersistentKeepalive = {peer['persistent_keepalive']}"


def _session(neighbor: FrrBgpNeighbor, variables: Variables) -> Iterator[str]:
    source = f" from {neighbor['update_source']}" if "update_source" in neighbor else ""
    yield f"neighbor {neighbor['address']} (AS {neighbor['remote_as']}, {neighbor['description']}){source}"
    if "ebgp_multihop" in neighbor:
        yield f"multihop {neighbor['ebgp_multihop']}"
    if "ttl_security_hops" in neighbor:
        yield f"GTSM, {neighbor['ttl_security_hops']} hops"
    if "password" in neighbor:
        yield "with the TCP MD5 password"
    if "bfd_profile" in neighbor:
        yield "with BFD"
    for item in neighbor["families"]:
        prefixes = [_prefix(entry) for entry in permitted(variables, item["route_map_out"], item["family"])]
        yield (
            f"accepts {', '.join(prefixes)} from this router, and nothing else"
            if prefixes
            else f"accepts no {TITLE[item['family']]} prefix"
        )


def _prefix(entry: FrrPrefixListEntry) -> str:
    """Return the line of a prefix list in words."""
    if "ge" in entry:
        return f"{entry['prefix']} (its parts of length {entry['ge']})"
    return f"{entry['prefix']} (and its parts)" if "le" in entry else entry["prefix"]
