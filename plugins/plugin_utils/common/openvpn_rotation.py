# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rotation of OpenVPN keys does with each tunnel, by where its ends stand and what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from ansible_collections.xuegao.net.plugins.module_utils.openvpn import FORMER, NEXT
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import OpenvpnTunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.common.tunnel_ends import TunnelEnds

PHASES = ("accept", "switch")
_STANDS = {NEXT: "has a next key", FORMER: "has not dropped its former key"}


class Rotation(TypedDict):
    """One tunnel.

    ends: its entry of ``openvpn_tunnels`` by managed host. until: how far role openvpn takes it, ``made``, ``accepted`` or ``switched``; empty to
    leave it alone. line: of the table that says so.
    """

    ends: dict[str, OpenvpnTunnel]
    until: str
    line: str


def openvpn_rotation(
    tunnels: Sequence[TunnelEnds],
    entries: Mapping[str, Sequence[OpenvpnTunnel] | None],
    waiting: Mapping[str, Mapping[str, str]],
    phase: str = "",
) -> list[Rotation]:
    """Say what is to be done with each tunnel.

    Parameters:
        tunnels: as `tunnel_ends` gives them.
        entries: ``openvpn_tunnels`` by host.
        waiting: by host and tunnel what module openvpn_key returns as ``rotation``.
        phase: ``accept`` to stop when the peers accept the next keys, ``switch`` to go on only where there is a next key; empty for both, which stops
            by itself before the switch where a peer is unmanaged.

    Raises:
        ValueError: phase is none of these.
    """
    if phase not in ("", *PHASES):
        raise ValueError(f"{phase!r} is no phase of a rotation; valid: {', '.join(PHASES)}, or none for both")
    rows = []
    for tunnel in tunnels:
        names = tunnel["interfaces"]
        stands = {host: waiting.get(host, {}).get(name, "") for host, name in names.items()}
        until, does = _course(tunnel["unmanaged"], set(stands.values()), phase)
        now = ", ".join(f"{host} {_STANDS[found]}" for host, found in stands.items() if found) or "one key at each end"
        peers = [f"{peer} (unmanaged)" for peer in tunnel["unmanaged"]]
        ends = {host: next(item for item in entries[host] or () if item["name"] == name) for host, name in names.items()}
        rows.append((ends, until, (" - ".join([*(" ".join(end) for end in names.items()), *peers]), now, does)))
    widths = [max((len(row[-1][column]) for row in rows), default=0) for column in (0, 1)]
    return [
        {"ends": ends, "until": until, "line": f"{cells[0]:{widths[0]}} | {cells[1]:{widths[1]}} | {cells[2]}"}
        for ends, until, cells in rows
    ]


def _course(unmanaged: Sequence[str], stands: set[str], phase: str) -> tuple[str, str]:
    """Return how far a tunnel is taken, and that in words."""
    if phase == "switch" and not stands & {NEXT, FORMER}:
        return "", "nothing: there is no next key"
    if phase == "accept" and FORMER in stands:
        return "", "nothing: its last rotation is not over; run without xgn_rotate_phase first"
    if unmanaged and (phase == "accept" or (not phase and FORMER not in stands)):
        return "made", f"next key; xgn_rotate_phase=switch once it is accepted by the owner of {', '.join(unmanaged)}"
    if phase == "accept":
        return "accepted", "next keys, accepted beside those in use"
    if FORMER in stands:
        return "switched", "goes on where it was broken off; former keys dropped"
    return "switched", "next keys, accepted beside those in use; switch; former keys dropped"
