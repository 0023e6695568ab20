# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host's variables say of its routing tables: what must be learned and by which way, what may be there beside it, and whose an interface is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import StaticRoute, canonical_prefix, static_routes
from ansible_collections.xuegao.net.plugins.module_utils.prefix_rows import of_rows
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VerifyOtherRoute
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, EVERYTHING
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import DEFAULT_VRF, Variables, canonical_address, family_of

# A route of the kernel, as live_parse.parse_kernel_routes gives it.
Route = Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """How prefixes may be routed.

    Attributes:
        interfaces: over which.
        reserves: over which as well, since they are reserve links.
        next_hops: to which addresses there; empty for any.
    """

    interfaces: frozenset[str]
    reserves: frozenset[str]
    next_hops: frozenset[str]

    def allows(self, route: Route) -> bool:
        """Tell whether every next hop of a route is one of these."""
        if not route["dev"] or not self.interfaces | self.reserves >= set(route["dev"]):
            return False
        return not self.next_hops or self.next_hops >= set(route["via"])

    def __str__(self) -> str:
        parts = [f"dev {name}" for name in sorted(self.interfaces)] + [f"reserve {name}" for name in sorted(self.reserves)]
        return " or ".join(parts) or "no interface"


class Space:
    """Prefixes, asked for the longest one that holds another."""

    def __init__(self) -> None:
        self._values: dict[int, dict[int, set[int]]] = {4: defaultdict(set), 6: defaultdict(set)}

    def add(self, prefix: str) -> None:
        """Add a prefix in canonical form."""
        network = ip_network(prefix)
        self._values[network.version][network.prefixlen].add(int(network.network_address))

    def longest(self, prefix: str) -> int | None:
        """Return the length of the longest of these that holds a prefix, itself included; None when none does."""
        network = ip_network(prefix)
        value, bits = int(network.network_address), BITS[network.version]
        lengths = self._values[network.version]
        found = (
            length
            for length, values in lengths.items()
            if length <= network.prefixlen and value >> bits - length << bits - length in values
        )
        return max(found, default=None)


@dataclass
class PlannedTable:
    """What is planned for the table of one VRF.

    Attributes:
        learned: by prefix, how it may be routed.
        statics: static routes of FRR by prefix, own lines among them.
        others: what may be there and need not.
        defaults: gateway and interface of the default routes.
        space: what is planned there: learned, static and connected prefixes, but for default routes.
        named: these prefixes, and those of `others`, by themselves.
    """

    learned: dict[str, Way] = field(default_factory=dict)
    statics: dict[str, list[StaticRoute]] = field(default_factory=lambda: defaultdict(list))
    others: list[VerifyOtherRoute] = field(default_factory=list)
    defaults: set[tuple[str, str]] = field(default_factory=set)
    space: Space = field(default_factory=Space)
    named: set[str] = field(default_factory=set)

    def add(self, prefix: str) -> None:
        """Note a prefix that is planned there."""
        self.named.add(prefix)
        if prefix not in EVERYTHING.values():
            self.space.add(prefix)

    def other(self, route: Route) -> VerifyOtherRoute | None:
        """Return the entry that lets a route be there although nothing needs it; None when none does."""
        return next((entry for entry in self.others if self._lets_be(entry, route)), None)

    def _lets_be(self, entry: VerifyOtherRoute, route: Route) -> bool:
        prefix = route["prefix"]
        if "protocols" in entry and route["protocol"] not in entry["protocols"]:
            return False
        if "interfaces" in entry and not set(entry["interfaces"]) >= set(route["dev"]):
            return False
        if "next_hops" in entry and not {canonical_address(hop) for hop in entry["next_hops"]} >= set(route["via"]):
            return False
        written = [canonical_prefix(text) for text in entry["prefixes"]]
        if prefix in written:
            return True
        if not entry.get("parts"):
            return False
        holding = max((ip_network(text).prefixlen for text in written if _holds(text, prefix)), default=None)
        # A part of what somebody has is his: who may bring the whole Internet may not bring that.
        return holding is not None and holding >= (self.space.longest(prefix) or 0)


class PlannedRoutes:
    """What is planned for all tables of a host.

    Parameters:
        variables: of a host, with their defaults.
    """

    def __init__(self, variables: Variables) -> None:
        self.of_vrf: dict[str, PlannedTable] = defaultdict(PlannedTable)
        self.has_learned = bool(variables.get("verify_learned"))
        self._add_learned(variables)
        for route in _statics(variables):
            self.of_vrf[route.vrf].statics[route.prefix].append(route)
            self.of_vrf[route.vrf].add(route.prefix)
        for default in variables.get("vrf_default_routes", []):
            self.of_vrf[default.get("vrf") or DEFAULT_VRF].defaults.add((canonical_address(default["gateway"]), default["interface"]))
        member = {item["name"]: item.get("vrf") or DEFAULT_VRF for item in variables.get("vrf_interfaces", [])}
        vrfs = {item["name"] for item in variables.get("vrf_vrfs", [])}
        for item in variables.get("frr_interfaces", []):
            name = item["name"]
            for address in item.get("addresses", []):
                self.of_vrf[name if name in vrfs else member.get(name, DEFAULT_VRF)].add(str(ip_interface(address).network))
        self.instances = {
            "bgp": {item.get("vrf") or DEFAULT_VRF for item in variables.get("frr_bgp", [])},
            "ospf": {item.get("vrf") or DEFAULT_VRF for key in ("frr_ospf", "frr_ospf6") for item in entries_of(variables, key)},
        }
        self.interfaces = _own_interfaces(variables)

    def _add_learned(self, variables: Variables) -> None:
        for group in variables.get("verify_learned", []):
            way = Way(
                frozenset(group.get("interfaces", [])),
                frozenset(group.get("reserves", [])),
                frozenset(map(canonical_address, group.get("next_hops", []))),
            )
            table = self.of_vrf[group.get("vrf") or DEFAULT_VRF]
            for prefix in of_rows(group["prefixes"]):
                table.learned[prefix] = way
                table.add(prefix)
        for entry in variables.get("verify_other_routes", []):
            table = self.of_vrf[entry.get("vrf") or DEFAULT_VRF]
            table.others.append(entry)
            table.named.update(map(canonical_prefix, entry["prefixes"]))
        for route in variables.get("verify_routes", []):
            self.of_vrf[route.get("vrf") or DEFAULT_VRF].add(canonical_prefix(route["prefix"]))

    def expects(self, vrf: str, prefix: str) -> bool:
        """Tell whether a prefix by itself may be in the table of a VRF."""
        return vrf in self.of_vrf and prefix in self.of_vrf[vrf].named

    def learned(self, vrf: str, version: int) -> dict[str, Way]:
        """Return what must be learned in a VRF, of one family: how it may be routed by prefix."""
        return {prefix: way for prefix, way in self.of_vrf[vrf].learned.items() if family_of(prefix) == version}


def _holds(outer: str, inner: str) -> bool:
    first, second = ip_network(outer), ip_network(inner)
    if first.version != second.version or first.prefixlen > second.prefixlen:
        return False
    rest = BITS[first.version] - first.prefixlen
    return int(first.network_address) >> rest == int(second.network_address) >> rest


def _statics(variables: Variables) -> Iterator[StaticRoute]:
    for item in variables.get("frr_static_routes", []):
        vrf = item.get("vrf") or DEFAULT_VRF
        hop = item.get("next_hop")
        yield StaticRoute(
            vrf,
            "",
            canonical_prefix(item["prefix"]),
            canonical_address(hop) if hop else None,
            item.get("interface"),
            bool(item.get("blackhole")),
            item.get("next_hop_vrf") or vrf,
        )
    for lines in variables.get("frr_lines", []):
        yield from static_routes("\n".join([*lines.get("section", [])[:1], *(f" {line}" for line in lines["lines"])]))


def _own_interfaces(variables: Variables) -> frozenset[str]:
    """Return the names of the interfaces that are the plan's and not their owner's: what roles make, and what FRR gives addresses."""

    def names(entries: Iterable[Mapping[str, Any]]) -> list[str]:
        return [item["name"] for item in entries]

    made = [item for item in variables.get("vrf_interfaces", []) if item.get("kind") or item.get("unit") or item.get("dynamic")]
    tunnels = [item for kind in TUNNELS for item in entries_of(variables, kind.variable)]
    return frozenset([*names(made), *names(tunnels), *names(variables.get("vrf_vrfs", [])), *names(variables.get("frr_interfaces", []))])
