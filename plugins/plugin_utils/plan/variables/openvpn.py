# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role openvpn for each node."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, Variables, present


def openvpn_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role openvpn."""
    return present(
        openvpn_tunnels=[_tunnel(link, end, shared) for link, end in shared.links.get(node.name, []) if link.kind.role == "openvpn"]
    )


def _tunnel(link: Link, end: End, shared: Context) -> Variables:
    other, settings = link.other(end), shared.intent.settings["xgn_openvpn"]
    entry: Variables = {"name": end.interface, "mtu": link.mtu, "transport": link.options.get("transport", "tcp"), "peer": other.node.name}
    if link.outer == "ipv6":
        entry["family"] = link.outer
    if other.interface != end.interface:
        entry["peer_interface"] = other.interface
    if end.uplink is not None and end.uplink.vrf:
        entry["underlay_vrf"] = end.uplink.vrf
    entry |= {key: settings[key] for key in ("ping_interval", "ping_restart")}
    if is_server(link, end):
        return entry | {"role": "server", "listen_port": end.listen_port}
    return entry | {"role": "client", "remote": other.endpoint, "remote_port": other.listen_port}
