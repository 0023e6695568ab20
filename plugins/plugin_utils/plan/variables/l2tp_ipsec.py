# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role l2tp_ipsec for each node."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, Variables, present, secret


def l2tp_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role l2tp_ipsec."""
    return present(
        l2tp_ipsec_tunnels=[_tunnel(link, end) for link, end in shared.links.get(node.name, []) if link.kind.role == "l2tp_ipsec"]
    )


def _tunnel(link: Link, end: End) -> Variables:
    other = link.other(end)
    entry: Variables = {"name": end.interface, "mtu": link.mtu, "cipher": link.options.get("cipher", "aes-cbc"), "peer": other.node.name}
    # The access concentrator calls, the network server waits (RFC 2661).
    entry["role"] = "lns" if is_server(link, end) else "lac"
    if other.endpoint is not None:
        entry["remote"] = other.endpoint
    known = other.uplink.addresses.get(link.outer or "") if other.uplink is not None else None
    if other.endpoint is not None and known is not None and known.bare != other.endpoint:
        # Translated on the way: the other end names itself by the address it has.
        entry["remote_id"] = known.bare
    if "ipv4" in link.families:
        entry |= {"local_address": end.addresses["ipv4"].bare, "remote_address": other.addresses["ipv4"].bare}
    if "ipv6" in link.families:
        entry["ipv6"] = True
    if "preshared_key_variable" in link.options:
        entry["preshared_key"] = secret(link.options["preshared_key_variable"])
    return entry
