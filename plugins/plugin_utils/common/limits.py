# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts of the domain that the intent's rules and the variables' rules share: what a number, a name or an address may be, and who says so.

Each fact stands here once. The intent's schema and the roles' argument specs are data and repeat some numbers; tests/unit/common/test_limits.py
keeps them equal.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.module_utils import interface_vxlan
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import KEY_PATTERN
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem


class Range(NamedTuple):
    """Whole numbers from low to high, both inclusive."""

    low: int
    high: int

    def holds(self, number: int) -> bool:
        """Tell whether a number lies in the range."""
        return self.low <= number <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


# ---- families ----------------------------------------------------------------------------------------------------------------------------

FAMILIES = ("ipv4", "ipv6")
VERSION: Mapping[str, int] = {"ipv4": 4, "ipv6": 6}
FAMILY: Mapping[int, str] = {version: family for family, version in VERSION.items()}
TITLE: Mapping[str, str] = {"ipv4": "IPv4", "ipv6": "IPv6"}
# Bits of an address by version: RFC 791, 3.1 and RFC 8200, 3.
BITS: Mapping[int, int] = {4: 32, 6: 128}
# The prefix of all addresses: a default route, and what a tunnel carries that carries everything.
EVERYTHING: Mapping[str, str] = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}

# ---- sizes -------------------------------------------------------------------------------------------------------------------------------

LARGEST_MTU = 65535  # The total length of an IPv4 packet has 16 bits: RFC 791, 3.1.
ETHERNET_MTU = 1500  # RFC 894; what an interface carries when nobody says otherwise.
MTU_FLOOR = 576
"""Smallest MTU in bytes of an interface that this collection makes or uses.

RFC 791, 3.1: every host takes packets of 576 bytes. RFC 791, 3.2 demands only 68 of a link, and Linux sets that, but it learns no path MTU below 552
(net.ipv4.route.min_pmtu in ip-sysctl), and a DNS answer of 512 bytes (RFC 1035, 4.2.1) would come in fragments.
"""
MTU_FLOOR_IPV6 = 1280
"""RFC 8200, 5: every link under IPv6 carries 1280 bytes. Below it Linux takes IPv6 off the interface."""
MSS_FLOOR = 536  # RFC 9293, 3.7.1: what a host sends when it was told nothing; 576 less the headers of IPv4 and TCP.


def mtu_range(families: Collection[str] = (), most: int = LARGEST_MTU) -> Range:
    """Return the MTUs in bytes that fit a use.

    Parameters:
        families: what the interface carries, of `FAMILIES`; empty for IPv4 or what is not known.
        most: largest MTU in bytes.
    """
    return Range(MTU_FLOOR_IPV6 if "ipv6" in families else MTU_FLOOR, most)


def mtu_problems(
    path: Place, mtu: int, families: Collection[str] = (), *, most: int = LARGEST_MTU, arithmetic: str = "", title: str = ""
) -> Iterator[Problem]:
    """Report an MTU that is too small or too large for its use.

    Parameters:
        path: where it stands.
        mtu: in bytes.
        families, most: as in `mtu_range`.
        arithmetic: how a computed MTU comes about; empty for a written one.
        title: what the number is, where the path does not say it.
    """
    valid = mtu_range(families, most)
    if valid.holds(mtu):
        return
    shown = f"{title} {mtu}" if title else str(mtu)
    because = f"{arithmetic}; " if arithmetic else ""
    if mtu < MTU_FLOOR or mtu > most:
        yield Problem(path, "is out of range", shown, f"{because}valid: {valid} bytes")
    else:
        yield Problem(path, "is too small for IPv6", shown, f"{because}valid: {valid} bytes (RFC 8200)")


# ---- numbers -----------------------------------------------------------------------------------------------------------------------------

PORTS = Range(1, 65535)  # RFC 768 and RFC 9293: 16 bits; 0 is no port to listen on.
VNIS = Range(1, 16777215)  # RFC 7348, 5: 24 bits.
VLANS = Range(1, 4094)  # IEEE 802.1Q, 9.6: 0 and 4095 are reserved.
VXLAN_PORT = interface_vxlan.PORT  # RFC 7348, 8.
GRE_KEYS = Range(0, 4294967295)  # RFC 2890, 2.1: 32 bits.
TTLS = Range(1, 255)  # RFC 791, 3.1; 0 would be that of the inner packet, which is 1 for eBGP and OSPF: they would not pass a router.

MAIN_TABLE, LOCAL_TABLE = 254, 255
TABLES = Range(1, 4294967295)  # rtnetlink(7): RTA_TABLE has 32 bits.
VALID_TABLES = f"{TABLES} except 253 to 255"
# /etc/iproute2/rt_tables
_KERNEL_TABLES: Mapping[int, str] = {0: "unspec", 253: "default", MAIN_TABLE: "main", LOCAL_TABLE: "local"}


def kernel_table(table: int) -> str | None:
    """Return the name of a routing table that the kernel has for itself, or nothing when a VRF may have that number."""
    return _KERNEL_TABLES.get(table)


ASNS = Range(1, 4294967295)  # RFC 6793: four bytes. RFC 7607: 0 is nobody's.
# IANA's registry of special-purpose AS numbers, and what it reserves in that of AS numbers.
_RESERVED_ASNS: tuple[tuple[Range, str], ...] = (
    (Range(23456, 23456), "AS_TRANS (RFC 6793)"),
    (Range(64496, 64511), "for documentation (RFC 5398)"),
    (Range(65535, 65535), "the last of two bytes (RFC 7300)"),
    (Range(65536, 65551), "for documentation (RFC 5398)"),
    (Range(65552, 131071), "by IANA"),
    (Range(4294967295, 4294967295), "the last of four bytes (RFC 7300)"),
)
_PRIVATE_ASNS = (Range(64512, 65534), Range(4200000000, 4294967294))  # RFC 6996


def asn_problems(path: Place, asn: int) -> Iterator[Problem]:
    """Report what is no AS number, or one that no router may have. Those for private use are fine.

    Parameters:
        path: where it stands.
        asn: AS number of a router or of its neighbor.
    """
    if not ASNS.holds(asn):
        yield Problem(path, "is out of range", str(asn), f"valid: {ASNS}")
        return
    for numbers, whose in _RESERVED_ASNS:
        if numbers.holds(asn):
            yield Problem(path, f"is reserved: {whose}", str(asn), f"private use: {' and '.join(map(str, _PRIVATE_ASNS))}")


# ---- names and MAC addresses ---------------------------------------------------------------------------------------------------------------

NAME_LENGTH = 15  # IFNAMSIZ is 16 with the closing zero byte (linux/if.h).
LOOPBACK_DEVICE = "lo"
# dev_valid_name() refuses the first two; the kernel keeps settings under all and default (ip-sysctl), and makes the others with its modules of GRE.
_RESERVED_NAMES = frozenset({".", "..", "all", "default", LOOPBACK_DEVICE, "gre0", "gretap0", "erspan0", "ip6gre0"})


def is_reserved_name(name: str, *, existing: bool = False) -> bool:
    """Tell whether no interface or VRF may have a name.

    Parameters:
        name: the name.
        existing: the interface is there already, which ``lo`` is.
    """
    return name in _RESERVED_NAMES and not (existing and name == LOOPBACK_DEVICE)


class MacFault(Enum):
    """What is wrong with a MAC address."""

    FORM = "form"
    GROUP = "group"
    ZERO = "zero"


_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\Z")


def mac_fault(mac: str) -> MacFault | None:
    """Return why no interface can have a MAC address, or nothing when one can (is_valid_ether_addr() of the kernel).

    The lowest bit of the first byte marks a group: IEEE 802, 8.2.
    """
    if not _MAC.match(mac):
        return MacFault.FORM
    if int(mac[:2], 16) & 1:
        return MacFault.GROUP
    return None if int(mac.replace(":", ""), 16) else MacFault.ZERO


def is_wireguard_key(text: str) -> bool:
    """Tell whether a text is 32 bytes in base64 as wg(8) takes them: 44 characters, with no stray bits in the last one."""
    return KEY_PATTERN.fullmatch(text) is not None
