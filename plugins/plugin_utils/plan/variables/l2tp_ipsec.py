# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role l2tp_ipsec for each node."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import L2tpIpsecTunnel, L2tpIpsecVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, planned, secret


class _Options(TypedDict, total=False):
    """What not every tunnel has."""

    remote: str
    remote_id: str
    local_address: str
    remote_address: str
    ipv6: bool


def l2tp_variables(node: Node, shared: Context) -> L2tpIpsecVariables:
    """Return the variables of role l2tp_ipsec."""
    tunnels = [_tunnel(link, end) for link, end in shared.links_of(node, "l2tp_ipsec")]
    return {"l2tp_ipsec_tunnels": tunnels} if tunnels else {}


def _tunnel(link: Link, end: End) -> L2tpIpsecTunnel:
    other = link.other(end)
    options: _Options = {}
    if other.endpoint is not None:
        options["remote"] = other.endpoint
    known = other.uplink.addresses.get(link.outer or "") if other.uplink is not None else None
    if other.endpoint is not None and known is not None and known.bare != other.endpoint:
        # Translated on the way: the other end names itself by the address it has.
        options["remote_id"] = known.bare
    if "ipv4" in link.families:
        options |= {"local_address": end.addresses["ipv4"].bare, "remote_address": other.addresses["ipv4"].bare}
    if "ipv6" in link.families:
        options["ipv6"] = True
    return {
        "name": end.interface,
        "mtu": link.mtu,
        "cipher": link.options.variant,
        "peer": other.node.name,
        # The access concentrator initiates, the network server responds (RFC 2661).
        "role": "lns" if is_server(link, end) else "lac",
        **options,
        "preshared_key": secret(planned(link.options.preshared_key_variable)),
    }
