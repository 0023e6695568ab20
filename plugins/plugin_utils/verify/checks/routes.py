# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of routes in the right table, of link prefixes that must not travel, and of reachability with the planned MTU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import canonical_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VerifyRoute, VrfDefaultRoute, VrfInterface
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, FAMILY, LINK_LENGTHS, MAIN_TABLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import (
    DEFAULT_VRF,
    Ledger,
    Variables,
    Verdict,
    family_of,
    tables_of,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.planned_routes import PlannedRoutes

Routes = list[dict[str, Any]]
LEARNED = ("bgp", "ospf", "ospf6", "isis", "rip", "ripng", "eigrp", "babel")


def check_routes(ledger: Ledger, variables: Variables, planned: PlannedRoutes) -> None:
    """Check each route of ``verify_routes``, and per VRF that no other router's link prefix was learned.

    Parameters:
        planned: what these variables say of the tables.
    """
    tables = tables_of(variables)
    for route in variables.get("verify_routes", []):
        check_route(ledger, route, tables, planned)
    if is_declared("frr", variables):
        for vrf in tables:
            check_links_stay(ledger, vrf, planned)
    for default in variables.get("vrf_default_routes", []):
        check_default(ledger, default, tables)
    for nic in variables.get("vrf_interfaces", []):
        if nic.get("hears_routers"):
            check_heard(ledger, nic, tables)
        if nic.get("asks_dhcp"):
            check_leased(ledger, nic, tables)


def check_default(ledger: Ledger, route: VrfDefaultRoute, tables: Mapping[str, int]) -> None:
    """Check that the default route which is used is the declared one."""
    vrf, gateway, device = route.get("vrf") or DEFAULT_VRF, route["gateway"], route["interface"]
    table = tables.get(vrf, MAIN_TABLE)
    version = family_of(gateway)
    prefix = EVERYTHING[FAMILY[version]]

    def used(kernel: Routes) -> Verdict:
        found = [item for item in kernel if item["table"] == table and item["prefix"] == prefix and item["type"] == "unicast"]
        best = min(found, key=lambda item: int(item["metric"] or 0), default=None)
        if best is None:
            return False, f"no default route, expected one via {gateway} dev {device}"
        shown = f"via {', '.join(best['via']) or 'nobody'} dev {', '.join(best['dev'])}"
        passed = (best["via"], best["dev"]) == ([gateway], [device])
        return passed, shown if passed else f"found {shown}, expected via {gateway} dev {device}"

    option = "" if version == 4 else "-6 "
    ledger.judge(f"Route {vrf} default via {gateway}", f"ip {option}route show table {table} default", "routes", used)


def check_heard(ledger: Ledger, nic: VrfInterface, tables: Mapping[str, int]) -> None:
    """Check that a NIC has the IPv6 default route that router advertisements give it, which a host that forwards loses unless it goes on hearing them."""
    name, vrf = nic["name"], nic.get("vrf") or DEFAULT_VRF
    table = tables.get(vrf, MAIN_TABLE)

    def heard(kernel: Routes) -> Verdict:
        found = [item for item in kernel if item["table"] == table and item["prefix"] == EVERYTHING["ipv6"] and name in item["dev"]]
        routers = sorted({hop for item in found if item["protocol"] == "ra" for hop in item["via"]})
        if routers:
            return True, f"via {', '.join(routers)}"
        others = ", ".join(sorted({item["protocol"] for item in found}))
        what = f"found one of protocol {others} only" if others else "found none"
        return (
            False,
            f"{what}, expected a default route from a router on {name}: none advertises itself there, or the host does not listen (accept_ra)",
        )

    ledger.judge(f"Route {vrf} IPv6 default from routers on {name}", f"ip -6 route show table {table} default dev {name}", "routes", heard)


def check_leased(ledger: Ledger, nic: VrfInterface, tables: Mapping[str, int]) -> None:
    """Check that a NIC has the IPv4 default route of its lease, in the table of its VRF: network managers put it into the main one by themselves."""
    name, vrf = nic["name"], nic.get("vrf") or DEFAULT_VRF
    table = tables.get(vrf, MAIN_TABLE)

    def leased(kernel: Routes) -> Verdict:
        found = [item for item in kernel if item["prefix"] == EVERYTHING["ipv4"] and item["type"] == "unicast" and name in item["dev"]]
        if here := [item for item in found if item["table"] == table]:
            return True, f"via {', '.join(sorted({hop for item in here for hop in item['via']})) or 'nobody'}"
        others = ", ".join(sorted({"main" if item["table"] == MAIN_TABLE else str(item["table"]) for item in found}))
        what = f"found one in table {others} only" if others else "found none"
        return False, f"{what}, expected the default route of a lease on {name} in table {'main' if table == MAIN_TABLE else table}"

    ledger.judge(f"Route {vrf} IPv4 default by DHCP on {name}", f"ip route show table {table} default dev {name}", "routes", leased)


def check_route(ledger: Ledger, route: VerifyRoute, tables: Mapping[str, int], planned: PlannedRoutes) -> None:
    """Check that a route is installed in the table of its VRF, from its protocol, and in no other table but where the plan has the same prefix again."""
    vrf, prefix, protocol = route.get("vrf") or DEFAULT_VRF, canonical_prefix(route["prefix"]), route.get("protocol")
    table = tables.get(vrf)
    option = "" if family_of(prefix) == 4 else "-6 "

    def present(rib: Routes, kernel: Routes) -> Verdict:
        if table is None:
            return False, f"VRF {vrf} is not declared, so its table is not known"
        found = [item for item in rib if item["vrf"] == vrf and item["prefix"] == prefix]
        best = next((item for item in found if item["selected"] and item["installed"]), None)
        if best is None:
            shown = ", ".join(f"{item['protocol']} (not installed)" for item in found) or "no such route"
            return False, f"VRF {vrf}: {shown}, expected {prefix} by {protocol or 'any protocol'}"
        if protocol and best["protocol"] != protocol:
            return False, f"found it by {best['protocol']}, expected {protocol}"
        if not any(item["table"] == table and item["prefix"] == prefix and item["type"] == "unicast" for item in kernel):
            return False, f"FRR says installed, but the kernel's table {table} has no {prefix}"
        hops = ", ".join(f"{hop['ip'] or 'connected'} dev {hop['interface']}" for hop in best["nexthops"] if hop["interface"])
        return True, f"by {best['protocol']}, table {table}, via {hops}"

    def direct(rib: Routes) -> Verdict:
        hops = [hop for item in rib if item["vrf"] == vrf and item["prefix"] == prefix and item["selected"] for hop in item["nexthops"]]
        recursive = [str(hop["ip"]) for hop in hops if hop["recursive"]]
        if not hops or recursive:
            return False, f"next hop {', '.join(recursive) or 'missing'} needs a second look-up, expected one on a connected subnet"
        return True, f"next hop {', '.join(str(hop['ip']) for hop in hops)} is on a connected subnet"

    def alone(kernel: Routes) -> Verdict:
        again = {number for name, number in tables.items() if planned.expects(name, prefix)}
        others = sorted({item["table"] for item in kernel if item["prefix"] == prefix} - again - {table})
        if others:
            names = ", ".join("main" if other == MAIN_TABLE else str(other) for other in others)
            return False, f"found {prefix} in table {names} too, expected it in table {table} only"
        return True, f"no table but {table} was found to have it"

    source = f" by {protocol}" if protocol else ""
    ledger.judge(f"Route {vrf} {prefix}{source}", f"ip {option}route show table {table} {prefix}", "rib routes", present)
    if route.get("direct"):
        ledger.judge(
            f"Route {vrf} {prefix} resolves directly", f"vtysh -c 'show ip{option and 'v6'} route vrf {vrf} {prefix}'", "rib", direct
        )
    ledger.judge(f"Route {vrf} {prefix} in no other table", f"ip {option}route show table all {prefix}", "routes", alone)


def check_links_stay(ledger: Ledger, vrf: str, planned: PlannedRoutes) -> None:
    """Check that no prefix of another router's point-to-point link was learned by a routing protocol in this VRF; a published network may be as small."""

    def none_learned(rib: Routes) -> Verdict:
        here = [item for item in rib if item["vrf"] == vrf]
        # An own link also shows up as an OSPF route that lost against the connected one.
        own = {item["prefix"] for item in here if item["protocol"] in ("connected", "local") or planned.expects(vrf, item["prefix"])}
        # What OSPF knows and its install filter keeps out of the table is not selected.
        learned = [item for item in here if item["protocol"] in LEARNED and item["selected"]]
        leaked = sorted(
            {f"{item['prefix']} by {item['protocol']}" for item in learned if is_link(item["prefix"]) and item["prefix"] not in own}
        )
        if leaked:
            return False, f"learned {', '.join(leaked)}, expected no link prefix from another router"
        return True, f"{len(learned)} routes learned, no link prefix among them"

    command = f"vtysh -c 'show ip route vrf {vrf}' -c 'show ipv6 route vrf {vrf}'"
    ledger.judge(f"Route {vrf} learned no link prefixes", command, "rib", none_learned)


def is_link(prefix: str) -> bool:
    """Say whether a prefix has the length of a point-to-point link."""
    return int(prefix.rpartition("/")[2]) in LINK_LENGTHS[family_of(prefix)]


def reach_requests(variables: Variables) -> list[dict[str, Any]]:
    """Return the pings that ``verify_reach`` asks for, as module ``live_state`` takes them, with their meaning in ``id``."""
    requests: list[dict[str, Any]] = []
    for index, item in enumerate(variables.get("verify_reach", [])):
        base = {key: item[key] for key in ("destination", "source", "vrf") if item.get(key)}
        requests.append({"id": f"reach {index}", **base})
        if item.get("mtu"):
            # The payload is what is left of the packet behind its IP and ICMP headers.
            payload = int(item["mtu"]) - (28 if family_of(item["destination"]) == 4 else 48)
            requests.append({"id": f"fits {index}", **base, "size": payload, "df": True})
            requests.append({"id": f"over {index}", **base, "size": payload + 1, "df": True, "count": 2})
    return requests


def check_reach(ledger: Ledger, variables: Variables) -> None:
    """Check each destination of ``verify_reach``: it answers; a packet of the MTU passes unfragmented; one byte more does not."""
    for index, item in enumerate(variables.get("verify_reach", [])):
        origin = f" from {item['source']}" if item.get("source") else ""
        title = f"Reach {item['destination']}{origin} in VRF {item.get('vrf') or DEFAULT_VRF}"
        check_ping(ledger, title, f"reach {index}", answers=True)
        if item.get("mtu"):
            check_ping(ledger, f"{title} with {item['mtu']} bytes unfragmented", f"fits {index}", answers=True)
            check_ping(ledger, f"{title} not with {int(item['mtu']) + 1} bytes", f"over {index}", answers=False)


def check_ping(ledger: Ledger, name: str, identity: str, answers: bool) -> None:
    """Check that a ping was answered, or that a ping that is too long was not."""
    results = {item["id"]: item for item in (ledger.state.get("pings") or {}).get("data") or []}
    found = results.get(identity)
    if found is None or found["error"]:
        ledger.add(name, "failed", "ping", f"could not be read: {found['error'] if found else 'this ping was not run'}")
        return
    text = f"{found['received']} of {found['transmitted']} answered"
    time = f", {found['rtt_ms']} ms" if found["rtt_ms"] is not None else ""
    note = f" ({found['note']})" if found["note"] else ""
    if answers:
        passed, detail = found["received"] > 0, f"{text}{time}{note if not found['received'] else ''}"
        if not passed:
            detail += ", expected an answer"
    else:
        fits = results.get(identity.replace("over", "fits"), {})
        passed = found["received"] == 0 and fits.get("received", 0) > 0
        detail = f"{text}{note}"
        if found["received"]:
            detail += ", expected none: the path carries more than planned"
        elif not passed:
            detail += "; says nothing, since the packet that should fit was not answered either"
    ledger.add(name, "passed" if passed else "failed", found["command"], detail)
