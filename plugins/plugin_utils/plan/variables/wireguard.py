# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role wireguard for each node."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, Variables, compact, present, secret


def wireguard_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role wireguard."""
    keepalive = shared.intent.settings["xgn_wireguard"]["keepalive"]
    interfaces: list[Variables] = []
    for link, end in shared.links.get(node.name, []):
        if link.kind.role != "wireguard":
            continue
        other = link.other(end)
        # A side that can be called keeps its port; only one that must call, or is told to, keeps the translation alive.
        calls = other.endpoint is not None
        alive = link.options.get("keepalive", keepalive) if calls and (end.endpoint is None or "keepalive" in link.options) else None
        variable = link.options.get("preshared_key_variable")
        peer = compact(
            name=other.node.name,
            interface=other.interface if other.interface != end.interface else None,
            public_key=other.written.get("public_key"),
            preshared_key=secret(variable) if variable else None,
            endpoint=with_port(other.endpoint, other.listen_port) if other.endpoint is not None and other.listen_port else None,
            allowed_ips=[EVERYTHING[family] for family in link.families],
            persistent_keepalive=alive,
        )
        interfaces.append(compact(name=end.interface, listen_port=end.listen_port, mtu=link.mtu, peers=[peer]))
    return present(wireguard_interfaces=interfaces)


def with_port(address: str, port: int) -> str:
    """Return address and port as one text, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
