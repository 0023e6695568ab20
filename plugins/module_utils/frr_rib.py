# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one daemon of FRR has missed: next hops that bgpd gave up and zebra resolves, and static routes that zebra leaves out although they can work.

Both survive every comparison of configurations. FRR 8.4's bgpd takes the deletion of any interface of a VRF for that of all its next hops. staticd does not
register its next hops anew when zebra's VRF was made again, and is not told of interfaces any more (FRR 8.4 and 10.3). Pure: texts in, findings out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.live_parse_frr import parse_rib

DEFAULT_VRF = "default"
# Everything is one call of vtysh. No JSON where FRR 8 has none.
BGP_NEXT_HOPS = "show bgp vrf all nexthop"
TRACKED4 = "show ip nht vrf all"
TRACKED6 = "show ipv6 nht vrf all"
STATIC4 = "show ip route vrf all static json"
STATIC6 = "show ipv6 route vrf all static json"

_BGP_INSTANCE = re.compile(r"^Instance (\S+):$")
_BGP_NEXT_HOP = re.compile(r"^ ([0-9a-fA-F.:]+) (valid|invalid)\b")
_ZEBRA_VRF = re.compile(r"^VRF (\S+):$")
_ZEBRA_NEXT_HOP = re.compile(r"^([0-9a-fA-F.:]+)(?:\(Connected\))?$")
_WITH_VALUE = ("label", "table", "tag")
_DISCARD = ("Null0", "blackhole", "reject")

# VRF and address.
NextHop = tuple[str, str]
# Interfaces by name, as live_parse.parse_links gives them.
Links = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class StaticRoute:
    """A static route of frr.conf.

    Attributes:
        vrf: name, or ``default``.
        line: as it is written there, without indentation.
        prefix, next_hop: canonical; a route without next hop has None.
        interface: name, or None.
        discards: whether it is a blackhole.
        hop_vrf: VRF of its next hop and interface.
    """

    vrf: str
    line: str
    prefix: str
    next_hop: str | None
    interface: str | None
    discards: bool
    hop_vrf: str

    def __str__(self) -> str:
        return "%s%s" % (self.line, "" if self.vrf == DEFAULT_VRF else " of VRF " + self.vrf)


def static_routes(text: str) -> list[StaticRoute]:
    """Read the static routes of a configuration. A line that is none, or that this does not understand, is left out."""
    found = []
    vrf = DEFAULT_VRF
    for line in map(str.rstrip, text.splitlines()):
        words = line.split()
        if line.startswith("vrf ") and len(words) == 2:
            vrf = words[1]
        elif line and not line.startswith((" ", "!", "#")):
            vrf = DEFAULT_VRF
        if words[:2] in (["ip", "route"], ["ipv6", "route"]):
            route = _static_route(vrf, words)
            if route is not None:
                found.append(route)
    return found


def _static_route(vrf: str, words: list[str]) -> StaticRoute | None:
    hop = interface = None
    discards, hop_vrf = False, vrf
    try:
        prefix = str(ip_network(words[2], strict=False))
        rest = iter(words[3:])
        for word in rest:
            if word == "nexthop-vrf":
                hop_vrf = next(rest)
            elif word in _WITH_VALUE:
                next(rest)
            elif word in _DISCARD:
                discards = True
            elif word == "onlink" or word.isdigit():
                continue
            elif canonical(word) is not None:
                hop = canonical(word)
            else:
                interface = word
    except (IndexError, StopIteration, ValueError):
        return None
    if not (discards or hop or interface):
        return None
    return StaticRoute(vrf, " ".join(words), prefix, hop, interface, discards, hop_vrf)


def canonical(text: str | None) -> str | None:
    """Give an address in canonical form; None for anything else."""
    try:
        return str(ip_address(text or ""))
    except ValueError:
        return None


def parse_bgp_next_hops(text: str) -> dict[NextHop, bool]:
    """Read `show bgp vrf all nexthop`: whether bgpd takes the next hop for valid."""
    found: dict[NextHop, bool] = {}
    vrf = DEFAULT_VRF
    for line in map(str.rstrip, text.splitlines()):
        heading, hop = _BGP_INSTANCE.match(line), _BGP_NEXT_HOP.match(line)
        if heading:
            vrf = heading.group(1)
        elif hop:
            address = canonical(hop.group(1))
            if address is not None:
                # One with a color has an entry of its own.
                found[vrf, address] = hop.group(2) == "valid" and found.get((vrf, address), True)
    return found


def parse_tracked(text: str) -> dict[NextHop, bool]:
    """Read `show ip|ipv6 nht vrf all`: whether zebra has a way to the next hop. One that is resolved by a route that discards has none."""
    found: dict[NextHop, bool] = {}
    vrf = DEFAULT_VRF
    current: NextHop | None = None
    resolved = False
    for line in map(str.rstrip, text.splitlines()):
        heading, hop = _ZEBRA_VRF.match(line), _ZEBRA_NEXT_HOP.match(line)
        if heading:
            vrf, current = heading.group(1), None
        elif hop:
            address = canonical(hop.group(1))
            current = (vrf, address) if address is not None else None
            resolved = False
        elif line.startswith(" resolved via "):
            resolved = True
        elif current and resolved and (" via " in line or " directly connected" in line):
            found[current] = True
        if current:
            found.setdefault(current, False)
    return found


def stale_next_hops(bgp: Mapping[NextHop, bool], tracked: Mapping[NextHop, bool]) -> list[NextHop]:
    """Give the next hops that bgpd takes for invalid while zebra, which tells it, resolves them; no link-local ones, each of which several links may have."""
    return [hop for hop, valid in bgp.items() if not valid and tracked.get(hop, False) and not ip_address(hop[1]).is_link_local]


def by_prefix(rib: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Give the entries of parse_rib by VRF and canonical prefix: a hub has thousands of either."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in rib:
        found.setdefault((entry["vrf"], canonical_prefix(entry["prefix"])), []).append(entry)
    return found


def in_force(route: StaticRoute, rib: Mapping[tuple[str, str], list[Mapping[str, Any]]]) -> bool:
    """Say whether zebra uses the route, or would but for a better one to the same prefix.

    Parameters:
        route: the configured one.
        rib: entries as by_prefix gives them; those of other protocols may be missing.
    """
    same_prefix = rib.get((route.vrf, route.prefix), [])
    active = [entry for entry in same_prefix if entry["protocol"] == "static" and any(_active(route, hop) for hop in entry["nexthops"])]
    return bool(active) and any(entry["selected"] for entry in same_prefix)


def canonical_prefix(text: str) -> str:
    """Give a prefix in canonical form; host bits are cleared. Raises ValueError when it is none."""
    return str(ip_network(text, strict=False))


def _active(route: StaticRoute, hop: Mapping[str, Any]) -> bool:
    if not hop["active"]:
        return False
    if route.discards:
        return bool(hop["blackhole"])
    if route.next_hop and canonical(hop["ip"]) != route.next_hop:
        return False
    return not route.interface or hop["interface"] == route.interface


def can_work(route: StaticRoute, links: Links, tracked: Mapping[NextHop, bool]) -> bool:
    """Say whether the kernel has all that the route needs: its VRF, its interface up in its VRF, and the next hop on its link.

    Parameters:
        route: the configured one.
        links: the kernel's interfaces.
        tracked: what zebra resolves, for a next hop without interface that is on no link.
    """
    if route.vrf != DEFAULT_VRF and not links.get(route.vrf, {}).get("up"):
        return False
    if route.discards:
        return True
    if route.interface:
        return _leads(links, route.interface, route)
    return any(_leads(links, name, route) for name in links) or tracked.get((route.hop_vrf, route.next_hop or ""), False)


def _leads(links: Links, name: str, route: StaticRoute) -> bool:
    link = links.get(name)
    if link is None or not (link["up"] and link.get("carrier")):
        return False
    master = link.get("master")
    if master and links.get(master, {}).get("kind") != "vrf":
        return False
    if (master or DEFAULT_VRF) != route.hop_vrf:
        return False
    if route.next_hop is None:
        return True
    hop = ip_address(route.next_hop)
    if hop.is_link_local and route.interface:
        return True
    subnets = [ip_network(item["on_link"]) for item in link["addresses"] if item.get("on_link")]
    return any(subnet.version == hop.version and hop in subnet for subnet in subnets)


def read_statics(text4: str, text6: str) -> list[dict[str, Any]]:
    """Read the outputs of STATIC4 and STATIC6. Raises ValueError."""
    return parse_rib(text4) + parse_rib(text6)
