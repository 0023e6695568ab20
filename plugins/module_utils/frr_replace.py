# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What replaces something in FRR's configuration: it is given before a reload, which takes away first and adds seconds later.

Between the two FRR goes by what is left. A neighbor whose route map is gone is told nothing and nothing is taken from it (bgpd denies by a route map that
it does not know), so every prefix is withdrawn that the old route map and the new one let pass; a prefix whose static route gets another next hop has none.
An interface whose link-local address is another one has none, and ospf6d has nothing to speak from.

A prefix that is dropped has no next hop (staticd refuses both together, and mgmtd of FRR 10.3 sometimes ends by that refusal), so of the one kind the
routes go with the same call that brings the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface

from ansible_collections.xuegao.net.plugins.module_utils.frr import SECRETS
from ansible_collections.xuegao.net.plugins.module_utils.frr_policy import BGP_LISTS, LISTS, of_route_map, policy_of
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import PLACEHOLDER

# A configuration's line, behind the lines that lead to it.
Line = tuple[str, ...]

# Names a policy: the same statement with another name takes its place.
_NAMED = re.compile(r"(?<= )(?P<kind>route-map|prefix-list|filter-list|distribute-list|unsuppress-map|table-map) (?P<name>\S+)")
# A route to a prefix is never without one of its next hops.
_STATIC = re.compile(r"^(?:ip|ipv6) route \S+(?= )")
# What a static route says in place of a next hop.
_DROPS = ("blackhole", "reject", "Null0")
# An interface is never without a link-local address.
_LINK_LOCAL = re.compile(r"^ipv6 address (?=fe[89ab])")
_LEAVES = {"address-family": "exit-address-family", "vrf": "exit-vrf"}


def lines_of(text: Iterable[str]) -> Iterator[Line]:
    """Give each line behind those that it stands under, by their indentation, without it."""
    above: list[str] = []
    for line in text:
        words = line.strip()
        if words and words != "!" and not words.startswith("exit"):
            del above[len(line) - len(line.lstrip()) :]
            above.append(words)
            yield tuple(above)


def replacing(changes: list[str], running: str) -> list[Line]:
    """Give what a reload adds in place of something that is in force, a policy's name or a next hop apart, each behind what it cannot stand beside.

    Parameters:
        changes: what C(frr-reload.py --test) prints.
        running: the running configuration.
    """
    there: dict[Line | None, list[Line]] = {}
    for line in lines_of(running.splitlines()):
        there.setdefault(_place(line), []).append(line)
    begin = next((number for number, line in enumerate(changes) if line.startswith("Lines To Add")), len(changes))
    found: dict[Line, None] = {}
    for line in lines_of(changes[begin + 1 :]):
        place = _place(line)
        if place is not None and place in there:
            others = [former for former in there[place] if _drops(former) != _drops(line)]
            found.update(dict.fromkeys([*((*above, "no " + last) for *above, last in others), line]))
    return list(found)


def secrets_given_first(changes: list[str]) -> list[Line]:
    """Give what takes secrets away before a reload does, which names them in the arguments of vtysh, for every user of the host to see.

    A secret that is replaced is replaced at once; one that goes is taken away without being named.

    Parameters:
        changes: what C(frr-reload.py --test) prints, with placeholders for the secrets that are known.
    """
    begin = next((number for number, line in enumerate(changes) if line.startswith("Lines To Add")), len(changes))
    added = {place: line for line in lines_of(changes[begin + 1 :]) if PLACEHOLDER.search(line[-1]) and (place := _secret_place(line))}
    found: dict[Line, None] = {}
    for *above, last in lines_of(changes[:begin]):
        place = _secret_place((*above, last.removeprefix("no "))) if last.startswith("no ") else None
        if place:
            # `md5` would have to be followed by the secret.
            found[added.get(place) or (*above, "no " + place[-1].removesuffix(" md5"))] = None
    return list(found)


def _secret_place(line: Line) -> Line | None:
    """Give a line without its secret; None for one that has none."""
    match = SECRETS.match(line[-1])
    return (*line[:-1], line[-1][: match.start("secret")].rstrip()) if match else None


def _drops(line: Line) -> bool:
    """Whether it is a static route without a next hop."""
    return _STATIC.match(line[-1]) is not None and any(word in line[-1].split() for word in _DROPS)


def _place(line: Line) -> Line | None:
    """Give a line without what another one in its place would have; None for one that has no such part."""
    last = line[-1]
    if last.startswith((*LISTS, *BGP_LISTS, "route-map ")):
        return None
    whole = _STATIC.match(last) or _LINK_LOCAL.match(last)
    if whole:
        return (*line[:-1], whole.group())
    place = _NAMED.sub(r"\g<kind>", last)
    return (*line[:-1], place) if place != last else None


def given_first(lines: list[Line], text: str) -> str:
    """Give the configuration that puts these lines in force, as C(vtysh -f) takes it: the policies that they name, and then themselves.

    Parameters:
        lines: as `replacing` returns them.
        text: the whole new configuration.
    """
    policy = policy_of(text)
    wanted: dict[str, list[str]] = {}
    for line in lines:
        for match in _NAMED.finditer(line[-1]):
            if match["kind"].endswith("map"):
                wanted.update(of_route_map(policy, match["name"]))
            else:
                lists = tuple(f"{words}{match['name']} " for words in LISTS)
                wanted.update((first, []) for first in policy if first.startswith(lists))
    # A list before the maps that name it.
    ordered = sorted(wanted, key=lambda first: first.startswith("route-map "))
    given = [words for first in ordered for words in (first, *wanted[first], *(["exit"] if first.startswith("route-map ") else []))]
    for line in lines:
        *above, last = line
        given += [" " * depth + words for depth, words in enumerate((*above, last))]
        given += [" " * depth + _LEAVES.get(above[depth].split()[0], "exit") for depth in reversed(range(len(above)))]
    return "".join(f"{words}\n" for words in given)


def sessions_to_begin_anew(changes: list[str], text: str) -> list[tuple[str, str]]:
    """Give the sessions whose neighbors go on sending to a link-local address that a reload takes away, as VRF (empty for the default one) and neighbor.

    A neighbor on the same link is told a link-local next hop beside the global one (RFC 2545, 3), and FRR and others send to that. bgpd takes it from the
    interface when the session begins, and tells nobody of another one before the next begin (FRR's bgp_nexthop_set and bgp_interface_address_add).

    Parameters:
        changes: what C(frr-reload.py --test) prints.
        text: the whole new configuration.
    """
    changed = {
        line[0].split()[1]
        for line in lines_of(changes)
        if len(line) == 2 and line[0].startswith("interface ") and line[1].startswith("no ") and _LINK_LOCAL.match(line[1][3:])
    }
    lines = [line for line in lines_of(text.splitlines()) if len(line) == 2] if changed else []
    subnets = [
        ip_interface(line[1].split()[2]).network
        for line in lines
        if line[1].startswith("ipv6 address ") and line[0].startswith("interface ") and line[0].split()[1] in changed
    ]
    found = dict.fromkeys(_neighbors(lines))
    return [(vrf, address) for vrf, address in found if any(ip_address(address) in subnet for subnet in subnets)]


def _neighbors(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """Give VRF and address of each IPv6 neighbor of BGP."""
    for above, last in lines:
        words = last.split()
        if above.startswith("router bgp ") and words[0] == "neighbor" and ":" in words[1]:
            yield (above.split() + ["", ""])[4], words[1]
