# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of VXLAN interfaces: numbers, ends, whom they flood, size and address, and the room beneath."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import VXLAN_PORT
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.underlay import check_underlay
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, canonical_address, same, same_set

Found = Mapping[str, Mapping[str, Any]]


def check_vxlans(ledger: Ledger, variables: Variables) -> None:
    """Check every VXLAN that is declared. Being up, VRF membership and kind of all interfaces are the business of `vrf`."""
    listed = {item["name"] for item in variables.get("vrf_interfaces", [])}
    for item in variables.get("vxlan_interfaces", []):
        name = item["name"]
        show = f"ip -details link show dev {name}"
        wanted = (item["vni"], item.get("port", VXLAN_PORT), item.get("underlay_vrf"))

        def numbers(found: Found, name: str = name, wanted: tuple[object, ...] = wanted) -> Verdict:
            live = found.get(name)
            if live is None:
                return False, f"no VXLAN {name}"
            return same(_numbers(*wanted), _numbers(live["vni"], live["port"], live["device"]))

        ledger.judge(f"VXLAN {name} VNI and port", show, "vxlan", numbers)
        ledger.judge(
            f"VXLAN {name} local address",
            show,
            "vxlan",
            lambda found, n=name, w=item["local"]: same(canonical_address(w), found.get(n, {}).get("local")),
        )
        ledger.judge(
            f"VXLAN {name} remotes",
            f"bridge fdb show dev {name}",
            "vxlan",
            lambda found, n=name, w=item["remotes"]: same_set(map(canonical_address, w), found.get(n, {}).get("remotes", [])),
        )
        for key, title, declared in (("mtu", "MTU", item.get("mtu")), ("mac", "MAC", item.get("mac"))):
            if declared:
                ledger.judge(
                    f"VXLAN {name} {title}",
                    show,
                    "links",
                    lambda links, n=name, k=key, w=declared: same(str(w).lower(), str(links.get(n, {}).get(k))),
                )
        if "arp" in item:
            ledger.judge(f"VXLAN {name} ARP", show, "links", lambda links, n=name, w=item["arp"]: same(w, links.get(n, {}).get("arp")))
        if name not in listed:
            ledger.judge(f"VXLAN {name} up", show, "links", lambda links, n=name: same(True, links.get(n, {}).get("up")))
        check_underlay(ledger, "VXLAN", name, item["local"], "vxlan")


def _numbers(vni: object, port: object, vrf: object) -> str:
    return f"VNI {vni}, port {port}" + (f", underlay in VRF {vrf}" if vrf else "")
