# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of GRE tunnels: ends, key, how the outer packets look, and the room beneath.

That the interface is there and up, its VRF and its MTU are the business of `vrf`; that the peer answers with packets of that size, of `routes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import interface_gre
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import GreInterface
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.underlay import check_underlay
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, canonical_address, same

Live = Mapping[str, Any]


def check_gre(ledger: Ledger, variables: Variables) -> None:
    """Check every GRE tunnel that is declared."""
    for item in variables.get("gre_interfaces", []):
        name = item["name"]
        show = f"ip -details link show dev {name}"
        wanted = _wanted(item)
        ledger.judge(f"GRE {name} ends", show, "gre", _compared(name, wanted, _ends))
        ledger.judge(f"GRE {name} key", show, "gre", _compared(name, wanted, _key))
        ledger.judge(f"GRE {name} outer packets", show, "gre", _compared(name, wanted, _outer_packets))
        check_underlay(ledger, "GRE", name, item["local"], link_type("gre").encapsulation(item) or "")


def _wanted(item: GreInterface) -> dict[str, Any]:
    """Return an entry as `live_gather_gre.parse_gre` tells a live tunnel."""
    ipv6 = ":" in item["local"]
    return {
        "local": canonical_address(item["local"]),
        "remote": canonical_address(item["remote"]),
        "key": item.get("key"),
        "incoming_key": item.get("key"),
        "ttl": item.get("ttl", interface_gre.TTL),
        "pmtudisc": None if ipv6 else item.get("pmtudisc", True),
        "encapsulation_limit": None,
        "device": item.get("underlay_vrf"),
    }


def _compared(name: str, wanted: Live, words: Callable[[Live], str]) -> Callable[[Mapping[str, Live]], Verdict]:
    def test(found: Mapping[str, Live]) -> Verdict:
        return same(words(wanted), words(found[name])) if name in found else (False, f"no GRE tunnel {name}")

    return test


def _ends(tunnel: Live) -> str:
    vrf = f", underlay in VRF {tunnel['device']}" if tunnel["device"] else ""
    return f"{tunnel['local']} to {tunnel['remote']}{vrf}"


def _key(tunnel: Live) -> str:
    out, back = ("no key" if tunnel[way] is None else f"key {tunnel[way]}" for way in ("key", "incoming_key"))
    return out if out == back else f"{out} going out, {back} coming in"


def _outer_packets(tunnel: Live) -> str:
    fragments = {None: "", True: ", never fragmented", False: ", may be fragmented"}[tunnel["pmtudisc"]]
    limit = tunnel["encapsulation_limit"]
    return f"TTL {tunnel['ttl']}{fragments}" + ("" if limit is None else f", encapsulation limit {limit}")
