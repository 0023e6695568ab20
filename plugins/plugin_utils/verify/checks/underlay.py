# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of what VXLANs and GRE tunnels travel over: the interface with their local address, and the room on it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Verdict, canonical_address


def check_underlay(ledger: Ledger, subject: str, name: str, local: str, layer: str) -> None:
    """Check that the interface with the local address carries the outer packets.

    Parameters:
        ledger: takes the check.
        subject: first word of the check.
        name: the tunnel's interface.
        local: its own outer address.
        layer: a name of `encapsulation.LAYERS`.
    """
    address = canonical_address(local)
    family = FAMILY[ip_address(address).version]

    def fits(links: Mapping[str, Mapping[str, Any]]) -> Verdict:
        under = next((n for n, link in links.items() if any(e["address"].partition("/")[0] == address for e in link["addresses"])), None)
        if under is None:
            return False, f"no interface has {address}, so no packet can leave with it"
        if name not in links:
            return False, f"no interface {name}"
        inside = fit(links[under]["mtu"], layer, family)
        verdict = f"{under}: {inside.arithmetic}, {name} has {links[name]['mtu']}"
        return links[name]["mtu"] <= inside.mtu, verdict

    ledger.judge(f"{subject} {name} fits its underlay", f"ip address show to {address}", "links", fits)
