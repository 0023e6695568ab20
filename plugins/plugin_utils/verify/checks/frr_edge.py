# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of external BGP neighbors, beside those of every neighbor: that one brings something; its role; what is advertised to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.frr_drain import DRAINED_OUT
from ansible_collections.xuegao.net.plugins.module_utils.frr_policy import of_route_map
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import FrrBgpNeighbor, VerifyNeighbor
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr import FAMILY_NAMES, Bgp, deviations, planned_policy
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import DEFAULT_VRF, Ledger, Variables, Verdict, canonical_address

# What the other side has to be (RFC 9234, 4.2), in FRR's words.
_OPPOSITE = {"provider": "customer", "customer": "provider", "peer": "peer", "rs-server": "rs-client", "rs-client": "rs-server"}


def check_edge(ledger: Ledger, variables: Variables) -> None:
    """Check each neighbor of ``verify_neighbors``."""
    if not is_declared("frr", variables):
        return
    expected = {
        (item.get("vrf") or DEFAULT_VRF, canonical_address(item["neighbor"])): item for item in variables.get("verify_neighbors", [])
    }
    policy = planned_policy(variables) if expected else {}
    for instance in variables.get("frr_bgp", []):
        vrf = instance.get("vrf") or DEFAULT_VRF
        for neighbor in instance.get("neighbors", []):
            item = expected.get((vrf, neighbor_name(neighbor)))
            if item is not None:
                _check_bring(ledger, vrf, neighbor, item)
                _check_role(ledger, vrf, neighbor)
                _check_outbound(ledger, vrf, neighbor, policy)


def _check_bring(ledger: Ledger, vrf: str, neighbor: FrrBgpNeighbor, item: VerifyNeighbor) -> None:
    """Check that a neighbor brings a prefix that is accepted: one that is up and silent is as good as none."""
    name = neighbor_name(neighbor)
    title, command = f"BGP {vrf} neighbor {name} brings prefixes", f"vtysh -c 'show bgp vrf {vrf} neighbors {name}'"
    if item.get("silent"):
        ledger.skip(title, "the plan expects none of it", command)
        return

    def brings(bgp: Bgp) -> Verdict:
        peer = bgp.get(vrf, {}).get(name, {})
        counts = {
            family["family"]: peer.get("families", {}).get(FAMILY_NAMES[family["family"]], {}).get("accepted", 0)
            for family in neighbor["families"]
        }
        told = ", ".join(f"{family}: {count}" for family, count in counts.items())
        if any(counts.values()):
            return True, f"{told} accepted"
        return False, f"found {told} accepted, expected one at least (it brings nothing, or nothing that its filter permits)"

    ledger.judge(title, command, "bgp", brings)


def _check_role(ledger: Ledger, vrf: str, neighbor: FrrBgpNeighbor) -> None:
    """Check that both sides see their relation alike (RFC 9234), where one of them says how."""
    role = neighbor.get("local_role")
    if role is None:
        return
    name, own = neighbor_name(neighbor), role.replace("_", "-")

    def fits(bgp: Bgp) -> Verdict:
        peer: Mapping[str, Any] = bgp.get(vrf, {}).get(name, {})
        local, remote = peer.get("local_role"), peer.get("remote_role")
        if local != own:
            return False, f"found own role {local or 'none'}, expected {own}"
        if remote is None and neighbor.get("strict_role"):
            return False, f"own role {own}, and the neighbor says none, expected {_OPPOSITE[own]}"
        if remote not in (None, _OPPOSITE[own]):
            return False, f"own role {own}, and the neighbor says {remote}, expected {_OPPOSITE[own]}"
        return True, f"own role {own}, and the neighbor says {remote or 'none, which is allowed'}"

    ledger.judge(f"BGP {vrf} neighbor {name} role", f"vtysh -c 'show bgp vrf {vrf} neighbors {name}'", "bgp", fits)


def _check_outbound(ledger: Ledger, vrf: str, neighbor: FrrBgpNeighbor, policy: dict[str, list[str]]) -> None:
    """Check that what a neighbor is advertised is filtered as planned, by bgpd itself: a leak of routes would be ours."""
    address = neighbor_name(neighbor)

    def filtered(inbound: Mapping[str, Any]) -> Verdict:
        wrong: list[str] = []
        for item in neighbor["families"]:
            family, name = item["family"], item["route_map_out"]
            key = (vrf, address, family)
            found = next((one for one in inbound["neighbors"] if (one["vrf"], one["address"], one["family"]) == key), None)
            if found is None:
                wrong.append(f"{family} is not activated")
                continue
            live = found["route_map_out"]
            if (live or "").removeprefix(DRAINED_OUT) != name:
                wrong.append(f"{family}: found route map {live or 'none'}, expected {name}")
            wrong += [line for line in deviations(of_route_map(policy, name), of_route_map(inbound["policy"], name)) if line not in wrong]
        return (False, "; ".join(wrong)) if wrong else (True, ", ".join(item["route_map_out"] for item in neighbor["families"][:1]))

    ledger.judge(f"BGP {vrf} neighbor {address} outbound filter", "vtysh -d bgpd -c 'show running-config'", "inbound", filtered)
