# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role openvpn for each node."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import OpenvpnTunnel, OpenvpnVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, planned, underlay_vrf


class _Options(TypedDict, total=False):
    """What not every tunnel has, and what all tunnels of a network share."""

    family: str
    peer_interface: str
    peer_fingerprints: list[str]
    underlay_vrf: str
    ping_interval: int
    ping_restart: int


def openvpn_variables(node: Node, shared: Context) -> OpenvpnVariables:
    """Return the variables of role openvpn."""
    tunnels = [_tunnel(link, end, shared) for link, end in shared.links_of(node, "openvpn")]
    return {"openvpn_tunnels": tunnels} if tunnels else {}


def _tunnel(link: Link, end: End, shared: Context) -> OpenvpnTunnel:
    other, settings = link.other(end), shared.intent.settings.openvpn
    options: _Options = {}
    if link.outer == "ipv6":
        options["family"] = link.outer
    if other.interface != end.interface:
        options["peer_interface"] = other.interface
    if other.written.fingerprints:
        options["peer_fingerprints"] = list(other.written.fingerprints)
    beneath = underlay_vrf(link, end, shared)
    if beneath:
        options["underlay_vrf"] = beneath
    options |= {"ping_interval": settings.ping_interval, "ping_restart": settings.ping_restart}
    entry: OpenvpnTunnel = {
        "name": end.interface,
        "mtu": link.mtu,
        "transport": link.options.protocol,
        "peer": other.node.name,
        **options,
        "role": "server" if is_server(link, end) else "client",
    }
    if is_server(link, end):
        entry["listen_port"] = planned(end.listen_port)
    else:
        entry |= {"remote": planned(other.endpoint), "remote_port": planned(other.outside_port)}
    return entry
