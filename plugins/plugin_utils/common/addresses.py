# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The n-th subnet of a pool and the n-th address of a subnet, by integer arithmetic: no pool is ever enumerated.

netaddr parses what a person wrote, once for each distinct text; everything after that is plain integers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from socket import AF_INET6, inet_ntop
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS

NETADDR_MISSING = (
    "the Python library netaddr is missing from {python}; install it with '{python} -m pip install netaddr' "
    "(in AWX: use an execution environment built from this collection's meta/execution-environment.yml)"
)


class AddressError(ValueError):
    """A text that is no address or prefix, or a number that does not fit."""


class MissingLibraryError(RuntimeError):
    """netaddr is not installed for the Python that runs this."""


class PoolExhaustedError(AddressError):
    """The pool holds fewer subnets than the number asks for."""


class SubnetExhaustedError(AddressError):
    """The subnet holds fewer addresses than the number asks for."""


class PrefixLengthError(AddressError):
    """The prefix length asked for does not fit into the pool."""


class Prefix(NamedTuple):
    """A prefix as integers.

    Attributes:
        version: 4 or 6.
        value: the first address as an integer.
        length: prefix length in bits.
    """

    version: int
    value: int
    length: int

    @property
    def size(self) -> int:
        """Number of addresses."""
        return 1 << (BITS[self.version] - self.length)

    @property
    def last(self) -> int:
        """Last address as an integer."""
        return self.value + self.size - 1

    def holds(self, other: Prefix) -> bool:
        """Tell whether another prefix lies inside this one."""
        return self.version == other.version and self.value <= other.value and other.last <= self.last

    def __str__(self) -> str:
        return f"{address_text(self.version, self.value)}/{self.length}"


class Address(NamedTuple):
    """An address with the length of the prefix it stands in.

    Attributes:
        version: 4 or 6.
        value: the address as an integer.
        length: prefix length in bits; 32 or 128 for a bare address.
    """

    version: int
    value: int
    length: int

    @property
    def prefix(self) -> Prefix:
        """The prefix the address stands in."""
        host_bits = BITS[self.version] - self.length
        return Prefix(self.version, self.value >> host_bits << host_bits, self.length)

    @property
    def bare(self) -> str:
        """The address without its length."""
        return address_text(self.version, self.value)

    def __str__(self) -> str:
        return f"{address_text(self.version, self.value)}/{self.length}"


# RFC 1918, RFC 3927, RFC 4193, RFC 4291 (2.5.6). What carriers share among their customers (RFC 6598) is not among them.
_PRIVATE = (
    Prefix(4, 0x0A000000, 8),
    Prefix(4, 0xAC100000, 12),
    Prefix(4, 0xC0A80000, 16),
    Prefix(4, 0xA9FE0000, 16),
    Prefix(6, 0xFC << 120, 7),
    Prefix(6, 0xFE80 << 112, 10),
)


def is_private(address: Address) -> bool:
    """Tell whether an address is of a network that is nobody else's: packets to it do not travel over the Internet."""
    alone = Prefix(address.version, address.value, BITS[address.version])
    return any(prefix.holds(alone) for prefix in _PRIVATE)


def address_text(version: int, value: int) -> str:
    """Return an integer as an address: dotted decimal, or as inet_ntop(3) prints it, which FRR and iproute2 use too (RFC 5952)."""
    if version == 4:
        return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    return inet_ntop(AF_INET6, value.to_bytes(16, "big"))


def is_address(text: str) -> bool:
    """Tell whether a text is an address, and no name of a host. An endpoint is either."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def parse_address(text: str) -> Address:
    """Read an address, with or without a prefix length.

    Parameters:
        text: for example ``10.1.1.1/30`` or ``fd00::1``; without a length the whole address counts.

    Raises:
        AddressError: the text is neither.
        MissingLibraryError: netaddr is not installed.
    """
    version, value, length = _read(text, "an address such as 10.1.1.1/30 or fd00::1/64")
    return Address(version, value, length)


@lru_cache(maxsize=65536)
def parse_prefix(text: str) -> Prefix:
    """Read a prefix whose host bits are zero.

    Parameters:
        text: for example ``10.254.0.0/20``.

    Raises:
        AddressError: no prefix, or host bits are set; the message then proposes the prefix that is meant.
        MissingLibraryError: netaddr is not installed.
    """
    address = Address(*_read(text, "a prefix such as 10.254.0.0/20 or fd00:254::/64"))
    prefix = address.prefix
    if prefix.value != address.value:
        raise AddressError(f"{text!r} has host bits set; the prefix is {prefix}")
    return prefix


def _read(text: str, meant: str) -> tuple[int, int, int]:
    try:
        from netaddr import AddrFormatError, IPNetwork
    except ImportError:
        raise MissingLibraryError(NETADDR_MISSING.format(python=sys.executable)) from None
    if not isinstance(text, str):
        raise AddressError(f"{text!r} is not a string; {meant} is expected")
    try:
        network = IPNetwork(text)
    except (AddrFormatError, ValueError):
        raise AddressError(f"{text!r} is not {meant}") from None
    return int(network.version), int(network.value), int(network.prefixlen)


def outermost(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """Return the prefixes that lie in no other one of them, each once, in the order of their addresses."""
    kept: list[Prefix] = []
    # In this order, what holds another comes before it.
    for prefix in sorted(set(prefixes)):
        if not (kept and kept[-1].holds(prefix)):
            kept.append(prefix)
    return kept


def nth_subnet(pool: Prefix, length: int, number: int) -> Prefix:
    """Return the subnet of a pool that has a given number.

    Parameters:
        pool: where the subnets lie.
        length: prefix length of every subnet, in bits.
        number: 0 for the first subnet.

    Raises:
        PrefixLengthError: the subnets are larger than the pool, or longer than an address.
        PoolExhaustedError: the pool has no such subnet.
    """
    if not pool.length <= length <= BITS[pool.version]:
        raise PrefixLengthError(f"/{length} does not fit into {pool}; valid: /{pool.length} to /{BITS[pool.version]}")
    count = 1 << (length - pool.length)
    if not 0 <= number < count:
        raise PoolExhaustedError(f"{pool} holds {count} subnets /{length}, numbers 0 to {count - 1}; number {number} does not exist")
    return Prefix(pool.version, pool.value + (number << (BITS[pool.version] - length)), length)


def nth_address(subnet: Prefix, number: int) -> Address:
    """Return the address of a subnet that has a given number, with the subnet's length.

    Parameters:
        subnet: where the address lies.
        number: 0 for the first address (the network address of an IPv4 subnet), negative to count from the end.

    Raises:
        SubnetExhaustedError: the subnet has no such address.
    """
    size = subnet.size
    if not -size <= number < size:
        raise SubnetExhaustedError(f"{subnet} holds {size} addresses, numbers 0 to {size - 1}; number {number} does not exist")
    return Address(subnet.version, subnet.value + number % size, subnet.length)


def link_addresses(subnet: Prefix) -> tuple[Address, Address]:
    """Return the addresses of the two ends of a point-to-point link.

    A /31 (RFC 3021) and a /127 (RFC 6164) use both addresses; any larger subnet leaves out its first one, which is the network
    address of IPv4 and the subnet-router anycast address of IPv6 (RFC 4291, 2.6.1).

    Raises:
        SubnetExhaustedError: a subnet of a single address.
    """
    free = BITS[subnet.version] - subnet.length
    if free == 0:
        raise SubnetExhaustedError(f"{subnet} holds one address; a link needs two")
    first = 0 if free == 1 else 1
    return nth_address(subnet, first), nth_address(subnet, first + 1)
