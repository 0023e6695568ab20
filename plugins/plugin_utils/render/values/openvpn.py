# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates of role openvpn print, and what the role asks its registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables, OpenvpnTunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.common.tunnel_ends import Peer, peer_of
from ansible_collections.xuegao.net.plugins.plugin_utils.render.templates import rendered

_VERSION = {"ipv4": "4", "ipv6": "6"}
_PING_S, _PING_RESTART_S = 5, 20


class Peers(TypedDict):
    """The one peer of a tunnel."""

    name: str
    peers: list[Peer]


class RenderedTunnel(TypedDict):
    """A tunnel as module openvpn_tunnels takes it."""

    name: str
    role: str
    mtu: int
    config: str
    dropin: str


class OpenvpnValues(TypedDict):
    """What `openvpn_values` returns: what the registry is asked, and the tunnels once it has answered."""

    peers: list[Peers]
    tunnels: list[RenderedTunnel]


def openvpn_values(variables: HostVariables, fingerprints: Mapping[str, Mapping[str, Sequence[str]]] | None = None) -> OpenvpnValues:
    """Return what role openvpn needs of its variables.

    Parameters:
        variables: those of the role; without ``openvpn_tls_version_min`` no tunnel can be written.
        fingerprints: those to accept from the other ends, by tunnel and peer. Without them there are no texts of tunnels.
    """
    tunnels = variables.get("openvpn_tunnels", [])
    known = [] if fingerprints is None else [(tunnel, fingerprints[tunnel["name"]][tunnel["peer"]]) for tunnel in tunnels]
    return {
        "peers": [{"name": tunnel["name"], "peers": [peer_of(tunnel)]} for tunnel in tunnels],
        "tunnels": [_rendered(tunnel, accepted, variables["openvpn_tls_version_min"]) for tunnel, accepted in known],
    }


def protocol_of(tunnel: OpenvpnTunnel) -> str:
    """Return what OpenVPN calls a tunnel's transport: ``udp4``, or ``tcp6-server``, which names the side too."""
    transport, version = tunnel.get("transport", "tcp"), _VERSION[tunnel.get("family", "ipv4")]
    return f"udp{version}" if transport == "udp" else f"tcp{version}-{tunnel['role']}"


def _rendered(tunnel: OpenvpnTunnel, accepted: Sequence[str], tls_version_min: str) -> RenderedTunnel:
    printed: dict[str, Any] = {
        "transport": "tcp",
        "ping_interval": _PING_S,
        "ping_restart": _PING_RESTART_S,
        **cast(Mapping[str, Any], tunnel),
        "protocol": protocol_of(tunnel),
        "fingerprints": list(accepted),
        "tls_version_min": tls_version_min,
    }
    return {
        "name": tunnel["name"],
        "role": tunnel["role"],
        "mtu": tunnel["mtu"],
        "config": rendered("openvpn", "tunnel.conf.j2", {"tunnel": printed}),
        "dropin": rendered("openvpn", "dropin.conf.j2", {"tunnel": printed}),
    }
