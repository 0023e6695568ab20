# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What FRR calls a neighbor, and how it prints communities: a configuration that says them otherwise never converges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

# RFC 1997, RFC 7999, RFC 8326 and those that FRR has names for (bgpd/bgp_community.c).
WELL_KNOWN: Mapping[str, int] = {
    "graceful-shutdown": 0xFFFF0000,
    "accept-own": 0xFFFF0001,
    "route-filter-translated-v4": 0xFFFF0002,
    "route-filter-v4": 0xFFFF0003,
    "route-filter-translated-v6": 0xFFFF0004,
    "route-filter-v6": 0xFFFF0005,
    "llgr-stale": 0xFFFF0006,
    "no-llgr": 0xFFFF0007,
    "accept-own-nexthop": 0xFFFF0008,
    "blackhole": 0xFFFF029A,
    "no-export": 0xFFFFFF01,
    "no-advertise": 0xFFFFFF02,
    "local-AS": 0xFFFFFF03,
    "no-peer": 0xFFFFFF04,
}
_NAMES = {number: name for name, number in WELL_KNOWN.items()}
_COMMUNITY = re.compile(r"(\d{1,5}):(\d{1,5})\Z")
_LARGE = re.compile(r"(\d{1,10}):(\d{1,10}):(\d{1,10})\Z")


def neighbor_name(neighbor: Mapping[str, Any]) -> str:
    """Return what FRR calls a neighbor of ``frr_bgp``: its address in canonical form, or the interface on which it is found."""
    if "address" not in neighbor:
        return str(neighbor["interface"])
    address = str(neighbor["address"])
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def canonical_communities(text: str, *, large: bool = False) -> str:
    """Return communities as FRR prints them: sorted by number, each once, well-known ones by their names.

    Parameters:
        text: communities, separated by spaces, such as ``65010:100 no-export``; large ones (RFC 8092) such as ``65010:1:2``.
        large: they are large ones.

    Raises:
        ValueError: one is no community, or there is none; the text names it and says what one is.
    """
    words = text.split()
    if not words:
        raise ValueError("there is no community")
    if large:
        return " ".join(":".join(map(str, parts)) for parts in sorted({_large(word) for word in words}))
    return " ".join(_NAMES.get(number, f"{number >> 16}:{number & 0xFFFF}") for number in sorted({_standard(word) for word in words}))


def _standard(word: str) -> int:
    if word in WELL_KNOWN:
        return WELL_KNOWN[word]
    found = _COMMUNITY.match(word)
    high, low = map(int, found.groups()) if found else (0x10000, 0)
    if high > 0xFFFF or low > 0xFFFF:
        raise ValueError(f"{word!r} is no community: write two numbers up to 65535, such as 65010:100, or one of {', '.join(WELL_KNOWN)}")
    return high << 16 | low


def _large(word: str) -> tuple[int, ...]:
    found = _LARGE.match(word)
    parts = tuple(map(int, found.groups())) if found else ()
    if not parts or max(parts) > 0xFFFFFFFF:
        raise ValueError(f"{word!r} is no large community: write three numbers up to 4294967295, such as 65010:1:2")
    return parts
