# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role wireguard for each node."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    WireguardInterface,
    WireguardInterfacePeer,
    WireguardVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, mark_of, secret, underlay_vrf


def wireguard_variables(node: Node, shared: Context) -> WireguardVariables:
    """Return the variables of role wireguard."""
    keepalive = shared.intent.settings.wireguard.keepalive
    interfaces: list[WireguardInterface] = []
    for link, end in shared.links_of(node, "wireguard"):
        other = link.other(end)
        # An end that has an endpoint keeps its port; only one that must initiate, or is told to, sends keepalives.
        initiates = other.endpoint is not None
        own = link.options.keepalive
        alive = own if own is not None else keepalive if end.endpoint is None else None
        variable = link.options.preshared_key_variable
        peer: WireguardInterfacePeer = {"name": other.node.name}
        if other.interface != end.interface:
            peer["interface"] = other.interface
        if other.written.public_key is not None:
            peer["public_key"] = other.written.public_key
        if variable:
            peer["preshared_key"] = secret(variable)
        if other.endpoint is not None and other.outside_port:
            peer["endpoint"] = with_port(other.endpoint, other.outside_port)
        peer["allowed_ips"] = [EVERYTHING[family] for family in link.families]
        if initiates and alive is not None:
            peer["persistent_keepalive"] = alive
        interface: WireguardInterface = {"name": end.interface}
        if end.listen_port is not None:
            interface["listen_port"] = end.listen_port
        interface["mtu"] = link.mtu
        beneath = underlay_vrf(link, end, shared)
        if beneath:
            interface["fwmark"] = mark_of(beneath, shared)
        interfaces.append(interface | {"peers": [peer]})
    return {"wireguard_interfaces": interfaces} if interfaces else {}


def with_port(address: str, port: int) -> str:
    """Return address and port as one text, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
