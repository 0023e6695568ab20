# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of VXLAN interfaces: numbers, ends, whom they flood, size and address, and the room beneath."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VxlanInterface
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, VXLAN_PORT
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
        _check_underlay(ledger, item)


def _numbers(vni: object, port: object, vrf: object) -> str:
    return f"VNI {vni}, port {port}" + (f", underlay in VRF {vrf}" if vrf else "")


def _check_underlay(ledger: Ledger, item: VxlanInterface) -> None:
    """Check that the interface with the local address carries the outer packets."""
    name, local = item["name"], canonical_address(item["local"])
    family = FAMILY[ip_address(local).version]

    def fits(links: Mapping[str, Mapping[str, Any]]) -> Verdict:
        under = next((n for n, link in links.items() if any(e["address"].partition("/")[0] == local for e in link["addresses"])), None)
        if under is None:
            return False, f"no interface has {local}, so no packet can leave with it"
        if name not in links:
            return False, f"no interface {name}"
        inside = fit(links[under]["mtu"], "vxlan", family)
        verdict = f"{under}: {inside.arithmetic}, {name} has {links[name]['mtu']}"
        return links[name]["mtu"] <= inside.mtu, verdict

    ledger.judge(f"VXLAN {name} fits its underlay", f"ip address show to {local}", "links", fits)
