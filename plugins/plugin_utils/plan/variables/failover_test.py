# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role failover_test: the pairs with a reserve, and how each of their tunnels is cut."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import is_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FailoverTestPath,
    FailoverTestPathTunnel,
    FailoverTestVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LinkTypeError
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, in_vrf, planned
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.verify import probe_address
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.vrf import tunnel_unit

_FAMILY_WORD = {"ipv4": "ip", "ipv6": "ip6"}


def failover_variables(node: Node, shared: Context) -> FailoverTestVariables:
    """Return the paths that have a reserve, at the end with the smaller id: each pair is tested once."""
    paths: list[FailoverTestPath] = []
    links = shared.links.get(node.name, [])
    firsts = {link.reserve_of for link, _end in links if link.reserve_of is not None}
    for first, end in links:
        other = first.other(end).node
        if first.id not in firsts or node.id > other.id:
            continue
        family = first.families[0]
        source, destination = (probe_address(item, first.vrf, family) for item in (node, other))
        if source is None or destination is None:
            continue
        tunnels = [_tunnel(link, own) for link, own in links if first.id in (link.id, link.reserve_of) and link.kind.failover]
        paths.append({"peer": other.name, **in_vrf(first.vrf), "source": source, "destination": destination, "tunnels": tunnels})
    return {"failover_test_paths": paths} if paths else {}


def _tunnel(link: Link, end: End) -> FailoverTestPathTunnel:
    other = link.other(end)
    name = end.interface
    address = f"{_FAMILY_WORD[link.outer or 'ipv4']} daddr {other.endpoint} " if other.endpoint and is_address(other.endpoint) else ""
    if link.kind.failover == "gre_header":
        return {"name": name, "protocol": "gre", "match": [f"{address}meta l4proto gre {_in_gre(link)}"]}
    unit, protocol = planned(tunnel_unit(link, end)), link.options.protocol
    if link.kind.failover == "living_port":
        # Its own port is asked of the living interface: one that only initiates has no other.
        return {"name": name, "unit": unit, "protocol": protocol, "port": end.listen_port or other.outside_port or 0}
    if link.kind.failover == "planned_port":
        server = is_server(link, end)
        port = planned(end.listen_port if server else other.outside_port)
        match = f"{protocol} sport {port}" if server else f"{address}{protocol} dport {port}"
        return {"name": name, "unit": unit, "protocol": protocol, "port": port, "match": [match]}
    if link.kind.failover == "nat_traversal":
        # The role wraps ESP in UDP always.
        port = link.kind.ports.nat_traversal
        return {"name": name, "unit": unit, "protocol": "udp", "port": port, "match": [f"{address}udp dport {port}"]}
    raise LinkTypeError(f"the failover test cannot cut links of type {link.type}")


def _in_gre(link: Link) -> str:
    """Return what tells a GRE tunnel's header from that of another one between the same addresses: the flag and the key behind it (RFC 2890, 2)."""
    key = link.options.key
    return "@th,2,1 0" if key is None else f"@th,2,1 1 @th,32,32 {key}"
