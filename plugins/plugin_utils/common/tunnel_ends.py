# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which interfaces of WireGuard or OpenVPN belong together, as the ends of one tunnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import OpenvpnTunnel, WireguardInterface

End = tuple[str, str]
Interface = WireguardInterface | OpenvpnTunnel


class Peer(TypedDict):
    """The other end of an OpenVPN tunnel, as module key_registry resolves it; ``public_key`` holds the declared fingerprints."""

    name: str
    interface: str
    public_key: list[str]


class TunnelEnds(TypedDict):
    """One tunnel.

    interfaces: interface by host, of the hosts that were given. absent: hosts at its other ends that were not. unmanaged: peers whose public key
    the variables give. An inventory that lacks a host does not say that: a slice of one lacks most.
    """

    interfaces: dict[str, str]
    absent: list[str]
    unmanaged: list[str]


def peer_of(tunnel: OpenvpnTunnel) -> Peer:
    """Return the other end of an OpenVPN tunnel. Its interface has the same name, unless another is given."""
    interface = tunnel.get("peer_interface", tunnel["name"])
    return {"name": tunnel["peer"], "interface": interface, "public_key": list(tunnel.get("peer_fingerprints", []))}


def tunnel_ends(interfaces: Mapping[str, Sequence[Interface] | None], only: Sequence[str] = ()) -> list[TunnelEnds]:
    """Join the interfaces of hosts to tunnels.

    Parameters:
        interfaces: by host, ``wireguard_interfaces`` as role ``wireguard`` takes them, or ``openvpn_tunnels`` as role ``openvpn`` does; hosts without
            may have None.
        only: leave out the tunnels that have none of these interfaces; with an empty list all are given.

    Returns:
        The tunnels, in the order of their first host and interface. Interfaces that have a peer in common are one tunnel.

    Raises:
        ValueError: one host has two interfaces in the same tunnel, or no tunnel has an interface that is in only.
    """
    known: dict[End, Interface] = {(host, item["name"]): item for host, items in interfaces.items() for item in items or []}
    peers = {end: _peers(end, item) for end, item in known.items()}
    others = {end: {other for other, managed in found.items() if managed} for end, found in peers.items()}
    left, tunnels = sorted(known), []
    while left:
        tunnel, reach = {left[0]}, [left[0]]
        while reach:
            end = reach.pop()
            more = {other for other in left if other not in tunnel and (other in others[end] or end in others[other])}
            tunnel |= more
            reach += sorted(more)
        left = [end for end in left if end not in tunnel]
        tunnels.append(_tunnel(sorted(tunnel), peers))
    names = {name for tunnel in tunnels for name in tunnel["interfaces"].values()}
    unknown = sorted(set(only) - names)
    if unknown:
        raise ValueError(f"no tunnel has an interface {', '.join(unknown)}; there are: {', '.join(sorted(names)) or 'none'}")
    return [tunnel for tunnel in tunnels if not only or set(only) & set(tunnel["interfaces"].values())]


def _peers(end: End, item: Interface) -> dict[End, bool]:
    """Return the other ends of an interface, each with whether it is managed."""
    peers = cast(Sequence[Peer], item.get("peers", [])) if "peer" not in item else [peer_of(cast(OpenvpnTunnel, item))]
    return {(peer["name"], peer.get("interface") or end[1]): not peer.get("public_key") for peer in peers}


def _tunnel(ends: Sequence[End], peers: Mapping[End, Mapping[End, bool]]) -> TunnelEnds:
    if len({host for host, _name in ends}) < len(ends):
        raise ValueError(f"one host has two interfaces in the same tunnel: {', '.join(' '.join(end) for end in ends)}")
    others = [(other, managed) for end in ends for other, managed in peers[end].items()]
    absent = {other[0] for other, managed in others if managed and other not in peers}
    unmanaged = {other[0] for other, managed in others if not managed}
    return {"interfaces": dict(ends), "absent": sorted(absent), "unmanaged": sorted(unmanaged)}
