# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role firewall for each node."""

from __future__ import annotations

from typing import cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, AddressError, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import FirewallOpenPort, FirewallTcpMss, FirewallVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import UPLINK, End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context


def firewall_variables(node: Node, shared: Context, mss: dict[str, int]) -> FirewallVariables:
    """Return the variables of role firewall: what is open on the public interfaces, and the MSS on the tunnels."""
    settings = shared.intent.settings.firewall
    if settings is None:
        return {}
    if not settings.enabled:
        return {"firewall_state": "absent"}
    devices = sorted({uplink.device for uplink in node.uplinks.values() if uplink.device})
    found: FirewallVariables = {"firewall_public_interfaces": devices, "firewall_ssh_from": list(settings.ssh_from)}
    found["firewall_open_ports"] = _open_ports(node, shared)
    tunnels = [end.interface for link, end in shared.links.get(node.name, []) if link.kind.tunnel]
    tunnels += [segment.interface_of(node) for segment in shared.segments.get(node.name, [])]
    if tunnels:
        wanted = settings.tcp_mss
        found["firewall_tcp_mss_interfaces"] = tunnels
        found["firewall_tcp_mss"] = cast(FirewallTcpMss, dict(mss) if wanted == "path" else dict.fromkeys(mss, wanted))
    return found


def _open_ports(node: Node, shared: Context) -> list[FirewallOpenPort]:
    """Return what the tunnels of a node need open, each from its known peers. One whose address is unknown opens the port to everybody."""
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
