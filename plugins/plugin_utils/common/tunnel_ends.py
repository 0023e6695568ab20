# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which WireGuard interfaces belong together, as the ends of one tunnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface

End = tuple[str, str]


class TunnelEnds(TypedDict):
    """One tunnel.

    interfaces: interface by host, of the hosts that were given. absent: hosts at its other ends that were not. unmanaged: peers whose public key
    the variables give.
    """

    interfaces: dict[str, str]
    absent: list[str]
    unmanaged: list[str]


def tunnel_ends(interfaces: Mapping[str, Sequence[WireguardInterface] | None], only: Sequence[str] = ()) -> list[TunnelEnds]:
    """Join the WireGuard interfaces of hosts to tunnels.

    Parameters:
        interfaces: by host, ``wireguard_interfaces`` as role ``wireguard`` takes them; hosts without may have None.
        only: leave out the tunnels that have none of these interfaces; with an empty list all are given.

    Returns:
        The tunnels, in the order of their first host and interface. Interfaces that have a peer in common are one tunnel.

    Raises:
        ValueError: one host has two interfaces in the same tunnel, or no tunnel has an interface that is in only.
    """
    known: dict[End, WireguardInterface] = {(host, item["name"]): item for host, items in interfaces.items() for item in items or []}
    others = {end: _managed(end, item) for end, item in known.items()}
    left, tunnels = sorted(known), []
    while left:
        tunnel, reach = {left[0]}, [left[0]]
        while reach:
            end = reach.pop()
            more = {other for other in left if other not in tunnel and (other in others[end] or end in others[other])}
            tunnel |= more
            reach += sorted(more)
        left = [end for end in left if end not in tunnel]
        tunnels.append(_tunnel(sorted(tunnel), known, others))
    names = {name for tunnel in tunnels for name in tunnel["interfaces"].values()}
    unknown = sorted(set(only) - names)
    if unknown:
        raise ValueError(f"no tunnel has an interface {', '.join(unknown)}; there are: {', '.join(sorted(names)) or 'none'}")
    return [tunnel for tunnel in tunnels if not only or set(only) & set(tunnel["interfaces"].values())]


def _managed(end: End, item: WireguardInterface) -> set[End]:
    peers = [peer for peer in item.get("peers", []) if not peer.get("public_key")]
    return {(peer["name"], peer.get("interface") or end[1]) for peer in peers}


def _tunnel(ends: Sequence[End], known: Mapping[End, WireguardInterface], others: Mapping[End, set[End]]) -> TunnelEnds:
    if len({host for host, _name in ends}) < len(ends):
        raise ValueError(f"one host has two interfaces in the same tunnel: {', '.join(' '.join(end) for end in ends)}")
    absent = {host for end in ends for host, name in others[end] if (host, name) not in known}
    unmanaged = {peer["name"] for end in ends for peer in known[end].get("peers", []) if peer.get("public_key")}
    return {"interfaces": dict(ends), "absent": sorted(absent), "unmanaged": sorted(unmanaged)}
