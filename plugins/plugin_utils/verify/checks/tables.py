# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of whole tables: what routing protocols must bring is there, by a way that the plan allows, and every other route has somebody whose it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import StaticRoute
from ansible_collections.xuegao.net.plugins.module_utils.interface_layer import UNREACHABLE_METRIC
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, MAIN_TABLE, TITLE, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import (
    Ledger,
    Variables,
    Verdict,
    canonical_address,
    tables_of,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.planned_routes import PlannedRoutes, PlannedTable, Route, Way

Links = Mapping[str, Mapping[str, Any]]
Rib = Iterable[Mapping[str, Any]]

# FRR's own names of what the kernel has from it: zebra/rt_netlink.h. Of the others no role has a daemon.
_OF_FRR: Mapping[str, frozenset[str]] = {
    "bgp": frozenset({"bgp"}),
    "ospf": frozenset({"ospf", "ospf6"}),
    "static (frr)": frozenset({"static"}),
}
_LEARNED = ("bgp", "ospf")
# Kinds of the interfaces that are, or stand for, a NIC of the host. What another kind is was made by a program of the owner's: Docker, a VPN, Kubernetes.
_NICS = (None, "vlan", "bond", "team", "bridge")
_LINK_LOCAL = ip_network("fe80::/10")
_SHOWN = 6


def check_tables(ledger: Ledger, variables: Variables, planned: PlannedRoutes) -> None:
    """Check the tables of all VRFs, one family after the other: that all of the plan is there, and none beside it.

    Parameters:
        planned: what these variables say of the tables.
    """
    with_frr = is_declared("frr", variables)
    if not (with_frr or is_declared("vrf", variables)):
        return
    parts = "routes links written rib" if with_frr else "routes links written"
    for vrf, table in tables_of(variables).items():
        for family, version in VERSION.items():
            command = f"ip {'' if version == 4 else '-6 '}route show table {table}"
            title = f"Route {vrf} {TITLE[family]}"
            wanted = planned.learned(vrf, version)
            if wanted:
                own = planned.of_vrf[vrf]
                ledger.judge(
                    f"{title} all of the plan",
                    command,
                    "routes",
                    lambda routes, wanted=wanted, own=own, table=table: all_there(
                        wanted, own, [item for item in routes if item["table"] == table]
                    ),
                )

            def none_beside(
                routes: list[Route],
                links: Links,
                written: list[str],
                rib: Rib = (),
                vrf: str = vrf,
                table: int = table,
                version: int = version,
            ) -> Verdict:
                here = [item for item in routes if item["table"] == table and (":" in item["prefix"]) == (version == 6)]
                return Accounts(planned, vrf, table, here, links, frozenset(written), rib if with_frr else None).verdict()

            ledger.judge(f"{title} none beside the plan", command, parts, none_beside)


def all_there(wanted: Mapping[str, Way], own: PlannedTable, routes: Iterable[Route]) -> Verdict:
    """Test that all prefixes are in a table as a routing protocol brings them.

    Parameters:
        wanted: how each may be routed.
        own: what is planned for the table.
        routes: those in the table.
    """
    found: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        if route["type"] == "unicast" and route["protocol"] in _LEARNED:
            found[route["prefix"]].append(route)
    missing, astray, reserved = [], [], defaultdict(list)
    for prefix, way in wanted.items():
        fitting = next((route for route in found[prefix] if way.allows(route) or own.other(route)), None)
        if fitting is None and found[prefix]:
            astray.append(f"{shown(found[prefix][0])}, expected {way}")
        elif fitting is None:
            missing.append(prefix)
        elif reserve := way.reserves & set(fitting["dev"]):
            reserved[", ".join(sorted(reserve))].append(prefix)
    over = "".join(f", {len(prefixes)} of them by reserve {name}: {some(prefixes)}" for name, prefixes in sorted(reserved.items()))
    if not missing and not astray:
        return True, f"{len(wanted)} learned{over}"
    problems = [f"missing {len(missing)} of {len(wanted)}: {some(missing)}"] if missing else []
    problems += [f"{len(astray)} by another way than planned: {some(astray, '; ')}"] if astray else []
    return False, "; ".join(problems) + over


def some(items: list[str], between: str = ", ") -> str:
    """Name the first items, and count the others."""
    more = f"{between}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return between.join(items[:_SHOWN]) + more


def shown(route: Route) -> str:
    """Write a route as `ip route` does."""
    words = [] if route["type"] == "unicast" else [route["type"]]
    words += [route["prefix"], *(f"via {hop}" for hop in route["via"]), *(f"dev {name}" for name in route["dev"])]
    return " ".join(words)


@dataclass
class Accounts:
    """The routes of one table and family, each with whose it is.

    Attributes:
        planned: what the host's variables say.
        vrf, table: which.
        routes: those in the table.
        links: the host's interfaces.
        written: prefixes in the files of the host's network managers.
        rib: FRR's routes; none where FRR is not compared.
    """

    planned: PlannedRoutes
    vrf: str
    table: int
    routes: list[Route]
    links: Links
    written: frozenset[str]
    rib: Rib | None

    def __post_init__(self) -> None:
        """Sort what is asked for by prefix."""
        self.own = self.planned.of_vrf[self.vrf]
        self.installed: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for entry in self.rib or ():
            if entry["vrf"] == self.vrf and entry["selected"] and entry["installed"]:
                self.installed[entry["prefix"]].append(entry)
        self.twins = Counter(route["prefix"] for route in self.routes if route["protocol"] in _OF_FRR)

    def verdict(self) -> Verdict:
        """Test that each route has somebody whose it is."""
        whose: Counter[str] = Counter()
        beside = []
        for route in self.routes:
            owner = self.whose(route)
            whose[owner] += 1
            if not owner:
                beside.append(f"{shown(route)} ({self.remark(route)})")
        if beside:
            return False, f"found {some(beside, '; ')}"
        return True, ", ".join(f"{count} {owner}" for owner, count in whose.items()) or "empty"

    def whose(self, route: Route) -> str:
        """Return whose a route is, in words; empty where nobody is known to have it."""
        if route["type"] == "unreachable" and route["metric"] == UNREACHABLE_METRIC and self._is_default(route):
            return "end of the VRF" if self.table != MAIN_TABLE else ""
        if route["protocol"] == "kernel":
            return "of addresses" if self._of_an_address(route) else ""
        entry = self.own.other(route)
        if route["protocol"] in _OF_FRR:
            if self.rib is None:
                return "of FRR, which is not compared"
            if not self._has_frr(route):
                return ""
            if self._is_static(route):
                return "static"
            if self._is_learned(route):
                return "learned"
            return reason(entry) if entry is not None else ""
        if self._is_default(route) and (*route["via"][:1], *route["dev"][:1]) in self.own.defaults:
            return "default of the plan"
        if entry is not None:
            return reason(entry)
        return self._owners(route)

    def _is_default(self, route: Route) -> bool:
        return route["prefix"] in EVERYTHING.values()

    def _of_an_address(self, route: Route) -> bool:
        """Tell whether the kernel has made a route for an address of the interface, or for a prefix that a router advertises there as being on the link."""
        name, network = "".join(route["dev"][:1]), ip_network(route["prefix"])
        if route["via"] or name not in self.links:
            return False
        addresses = self.links[name]["addresses"]
        if network.version == 6 and network.subnet_of(_LINK_LOCAL):  # type: ignore[arg-type]
            return True
        if self._table_of(name) != self.table:
            return False
        subnets = {str(ip_interface(item["address"]).network) for item in addresses} | {item.get("on_link") for item in addresses}
        # RFC 4861, 6.3.4: an address from it need not follow.
        return route["prefix"] in subnets or (network.version == 6 and self._is_owners(name) and not self._is_default(route))

    def _table_of(self, name: str) -> int:
        """Return the table in which the kernel puts the routes of an interface's addresses."""
        link = self.links[name]
        vrf = link if link["kind"] == "vrf" else self.links.get(link["master"] or "", {})
        return int(vrf["table"]) if vrf.get("kind") == "vrf" else MAIN_TABLE

    def _is_owners(self, name: str) -> bool:
        return name in self.links and name not in self.planned.interfaces

    def _has_frr(self, route: Route) -> bool:
        """Tell whether FRR has a route itself: somebody else can set one under any name. What it has learned meanwhile counts as well."""
        entries = [entry for entry in self.installed[route["prefix"]] if entry["protocol"] in _OF_FRR[route["protocol"]]]
        # The kernel shows an IPv6 route that discards with the loopback interface.
        devices = set(route["dev"]) if route["type"] == "unicast" else set()
        for entry in entries:
            hops = [hop for hop in entry["nexthops"] if hop["active"] and not hop["recursive"]]
            if {hop["interface"] for hop in hops} - {None} == devices and {hop["ip"] for hop in hops} - {None} == set(route["via"]):
                return True
        return self.twins[route["prefix"]] == 1 and route["protocol"] in _LEARNED and self._goes_as_planned(route)

    def _goes_as_planned(self, route: Route) -> bool:
        way = self.own.learned.get(route["prefix"])
        return way is not None and way.allows(route)

    def _is_learned(self, route: Route) -> bool:
        if self._goes_as_planned(route):
            return route["protocol"] in _LEARNED
        return not self.planned.has_learned and self.vrf in self.planned.instances.get(route["protocol"], ())

    def _is_static(self, route: Route) -> bool:
        """Tell whether a route is a static one of the plan; each next hop is planned, or what a planned one resolves to."""
        planned = self.own.statics.get(route["prefix"], [])
        for entry in self.installed[route["prefix"]] if route["protocol"] == "static (frr)" else ():
            fitting = [hop for hop in entry["nexthops"] if any(is_hop(item, hop) for item in planned)]
            if fitting and (len(fitting) == len(entry["nexthops"]) or any(hop["recursive"] for hop in fitting)):
                return True
        return False

    def _owners(self, route: Route) -> str:
        """Return whose a route is that neither the kernel nor FRR has made nor the plan names: its host's owner goes on managing his own interfaces."""
        boot = route["protocol"] == "boot"
        if boot and self.table != MAIN_TABLE:
            # Role vrf takes these for set by hand, and deletes them.
            return ""
        if not all(self._is_owners(name) for name in route["dev"]) or (
            self.own.space.longest(route["prefix"]) and not self._is_default(route)
        ):
            return ""
        if route["dev"] and route["protocol"] in ("dhcp", "ra"):
            return "by DHCP" if route["protocol"] == "dhcp" else "by router advertisements"
        if route["dev"] and not any(self.links[name]["kind"] in _NICS for name in route["dev"]):
            return "over interfaces of the host's own programs"
        if route["dev"] and self._is_default(route):
            return "default of the host's owner"
        return "of the host's network managers" if route["prefix"] in self.written else ""

    def remark(self, route: Route) -> str:
        """Return what is known of a route that nobody is known to have."""
        if route["protocol"] == "kernel":
            return "no address of the interface asks for it"
        if route["protocol"] not in _OF_FRR:
            who = f"protocol {route['protocol']}"
            if route["protocol"] == "boot" and self.table != MAIN_TABLE and route["type"] == "unicast":
                return f"{who}, set by hand; site removes it"
            return f"{who}, neither planned nor written in a file of a network manager"
        if not self._has_frr(route):
            return f"protocol {route['protocol']}, and FRR does not have it"
        if route["protocol"] == "static (frr)":
            return "a static route of FRR that is not planned"
        way = self.own.learned.get(route["prefix"])
        return f"by {route['protocol']}, expected {way}" if way else f"by {route['protocol']}, and nobody is planned to advertise it here"


def reason(entry: Mapping[str, Any]) -> str:
    """Return whose a route is that an entry of ``verify_other_routes`` lets be there."""
    return f"for {entry['reason']}" if entry.get("reason") else "named in verify_other_routes"


def is_hop(planned: StaticRoute, hop: Mapping[str, Any]) -> bool:
    """Tell whether a next hop in FRR's table is that of a planned static route."""
    if planned.discards:
        return bool(hop["blackhole"])
    if planned.next_hop and canonical_address(hop["ip"] or "") != planned.next_hop:
        return False
    return not planned.interface or hop["interface"] == planned.interface
