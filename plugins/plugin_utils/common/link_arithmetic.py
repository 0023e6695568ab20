# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The arithmetic of the plan on plain texts and numbers, as the filters offer it."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import (
    AddressError,
    address_text,
    link_addresses,
    nth_address,
    nth_subnet,
    parse_address,
    parse_prefix,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS

_LINK_LENGTH = {4: 30, 6: 127}


def link_subnet(pool: str, number: int, prefix: int | None = None) -> str:
    """Return the subnet of a link.

    Parameters:
        pool: prefix the subnets are taken from.
        number: number of the link, 0 for the first subnet.
        prefix: length of a subnet in bits; 30 for IPv4 and 127 for IPv6 when not given.

    Raises:
        AddressError: the pool is no prefix, or has no such subnet.
    """
    parsed = parse_prefix(pool)
    return str(nth_subnet(parsed, _LINK_LENGTH[parsed.version] if prefix is None else prefix, number))


def link_address(pool: str, number: int, end: int = 0, prefix: int | None = None) -> str:
    """Return the address of one end of a link, with the length of its subnet.

    Parameters:
        pool, number, prefix: as in `link_subnet`.
        end: 0 or 1.

    Raises:
        AddressError: the pool is no prefix, or has no such subnet, or the subnet has no such end.
    """
    if end not in (0, 1):
        raise AddressError(f"a link has the ends 0 and 1, not {end!r}")
    parsed = parse_prefix(pool)
    return str(link_addresses(nth_subnet(parsed, _LINK_LENGTH[parsed.version] if prefix is None else prefix, number))[end])


def peer_address(address: str) -> str:
    """Return the address of the other end of a link, with its length.

    Parameters:
        address: address of one end with prefix length: 30 or 31 for IPv4, 126 or 127 for IPv6.

    Raises:
        AddressError: no address, a subnet with more or fewer than two ends, or its network or broadcast address.
    """
    own = parse_address(address)
    if BITS[own.version] - own.length not in (1, 2):
        valid = "/30 or /31" if own.version == 4 else "/126 or /127"
        raise AddressError(f"{address!r} has no one peer; valid: {valid}")
    ends = link_addresses(own.prefix)
    if own not in ends:
        raise AddressError(f"{address!r} is no end of {own.prefix}; its ends are {ends[0]} and {ends[1]}")
    return str(ends[1] if own == ends[0] else ends[0])


def router_id(pool: str, number: int = 0) -> str:
    """Return a router ID.

    Parameters:
        pool: IPv4 prefix of the loopbacks, or one IPv4 address; an IPv6 prefix yields the number itself as 32 bits.
        number: id of the node.

    Raises:
        AddressError: the pool has no such address, or the result would be 0.0.0.0 (RFC 6286).
    """
    parsed = parse_address(pool)
    if parsed.version == 6:
        if not 0 < number < 1 << 32:
            raise AddressError(f"{number} is no router ID; valid: 1 to {(1 << 32) - 1}")
        return address_text(4, number)
    found = nth_address(parsed.prefix, number) if number else parsed
    if found.value == 0:
        raise AddressError("0.0.0.0 is no router ID")
    return found.bare


def prefixes_published(prefixes: Sequence[str], plan: Sequence[str] | None = None, links: Sequence[str] = ()) -> list[str]:
    """Return the prefixes that may be advertised: those of the plan, without links.

    Parameters:
        prefixes: candidates.
        plan: prefixes that all published ones lie in; everything when not given.
        links: pools of point-to-point links; what lies in them is left out.

    Returns:
        Canonical prefixes, each once, in the order of addresses.

    Raises:
        AddressError: one of the texts is no prefix.
    """
    inside = None if plan is None else [parse_prefix(text) for text in plan]
    outside = [parse_prefix(text) for text in links]
    found = {parse_address(text).prefix for text in prefixes}
    kept = [
        prefix
        for prefix in found
        if (inside is None or any(item.holds(prefix) for item in inside)) and not any(item.holds(prefix) for item in outside)
    ]
    return [str(prefix) for prefix in sorted(kept)]
