# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts of the domain that the intent's rules and the variables' rules share: what a number, a name or an address may be, and who says so.

Each fact stands here once. The intent's schema and the roles' argument specs are data and repeat some numbers; tests/unit/common/test_limits.py
keeps them equal.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Any, NamedTuple

from ansible_collections.xuegao.net.plugins.module_utils import interface_vxlan
from ansible_collections.xuegao.net.plugins.module_utils.openvpn import FINGERPRINT_PATTERN
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import KEY_PATTERN
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import SECRET, Place, Problem, show


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
# Prefix lengths of point-to-point links, by version.
LINK_LENGTHS: Mapping[int, tuple[int, ...]] = {4: (30, 31), 6: (126, 127)}

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
BGP_PORT = 179  # RFC 4271, 8.2.1.
BFD_PORTS: Mapping[bool, int] = {False: 3784, True: 4784}  # Of a session over one hop (RFC 5881, 4) and over several (RFC 5883, 5).
VNIS = Range(1, 16777215)  # RFC 7348, 5: 24 bits.
VLANS = Range(1, 4094)  # IEEE 802.1Q, 9.6: 0 and 4095 are reserved.
VXLAN_PORT = interface_vxlan.PORT  # RFC 7348, 8.
GRE_KEYS = Range(0, 4294967295)  # RFC 2890, 2.1: 32 bits.
TTLS = Range(1, 255)  # RFC 791, 3.1; 0 would be that of the inner packet, which is 1 for eBGP and OSPF: they would not pass a router.

MAIN_TABLE, LOCAL_TABLE = 254, 255
TABLES = Range(1, 4294967295)  # rtnetlink(7): RTA_TABLE has 32 bits.
VALID_TABLES = f"{TABLES} except 253 to 255"
# /etc/iproute2/rt_tables
_KERNEL_TABLES: Mapping[int, str] = {253: "default", MAIN_TABLE: "main", LOCAL_TABLE: "local"}


def table_problems(path: Place, table: int) -> Iterator[Problem]:
    """Report a routing table that does not exist, or that the kernel has for itself.

    Parameters:
        path: where it stands.
        table: number of the table of a VRF.
    """
    if not TABLES.holds(table):
        yield Problem(path, "is out of range", str(table), f"valid: {VALID_TABLES}")
    elif table in _KERNEL_TABLES:
        yield Problem(path, f"is the kernel's table {_KERNEL_TABLES[table]!r}", str(table), f"valid: {VALID_TABLES}")


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


def is_private_asn(asn: int) -> bool:
    """Tell whether an AS number is for private use (RFC 6996)."""
    return any(numbers.holds(asn) for numbers in _PRIVATE_ASNS)


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


# ---- addresses ---------------------------------------------------------------------------------------------------------------------------


def host_address_problems(path: Place, shown: str, version: int, value: int, length: int | None = None) -> Iterator[Problem]:
    """Report an address that no interface and no router can have.

    FRR's own rule (ipv4_unicast_valid() and ipv6_martian() in lib/prefix.c): it refuses the networks 0 and 127 and the classes D and E of IPv4, and
    ::1. Unspecified and multicast addresses of IPv6 are refused by the kernel.

    Parameters:
        path: where it stands.
        shown: the address as written.
        version: 4 or 6.
        value: the address as an integer.
        length: of the prefix of its subnet; none where it is not known.
    """
    first_byte = value >> BITS[version] - 8
    reserved = {4: first_byte in (0, 127) or first_byte >= 224, 6: value in (0, 1) or first_byte == 255}
    if reserved[version]:
        yield Problem(path, "is no address of a host", shown, "unspecified, loopback, multicast and reserved addresses name none")
    elif version == 4 and length is not None and length < 31:
        # RFC 1122, 3.2.1.3; a subnet of two addresses has neither: RFC 3021.
        host = value & (1 << 32 - length) - 1
        if host in (0, (1 << 32 - length) - 1):
            subnet = f"{IPv4Address(value - host)}/{length}"
            yield Problem(path, f"is the {'broadcast' if host else 'network'} address of {subnet}", shown, "it names no host")


def _is_dotted(text: str) -> bool:
    """Tell whether a text is 32 bits in the form of an IPv4 address, as FRR prints them."""
    try:
        return str(IPv4Address(text)) == text
    except AddressValueError:
        return False


def router_id_problems(path: Place, text: str) -> Iterator[Problem]:
    """Report what is no router ID: RFC 6286, 2.1, any 32 bits but zero, and FRR takes 0.0.0.0 for none given.

    Parameters:
        path: where it stands.
        text: as written.
    """
    if not _is_dotted(text) or text == "0.0.0.0":
        yield Problem(path, "is no router ID", show(text), "write an IPv4 address other than 0.0.0.0, for example that of the loopback")


def area_problems(path: Place, text: str) -> Iterator[Problem]:
    """Report what is no OSPF area in the form in which FRR prints one. Parameters as in `router_id_problems`."""
    if not _is_dotted(text):
        yield Problem(path, "is no OSPF area", show(text), "write it as four numbers, for example 0.0.0.0")


# ---- timers ------------------------------------------------------------------------------------------------------------------------------

HOLDTIMES = Range(3, 65535)  # RFC 4271, 4.2: 16 bits, and 1 and 2 must be refused.
KEEPALIVES = Range(1, HOLDTIMES.high // 3)


def bgp_timers_missing(keepalive_at: Place, holdtime_at: Place, has_keepalive: bool, has_holdtime: bool) -> Iterator[Problem]:
    """Report one of the two timers of BGP without the other: FRR takes both or none (``timers bgp``, ``neighbor … timers``)."""
    if has_keepalive != has_holdtime:
        missing = holdtime_at if has_keepalive else keepalive_at
        yield Problem(missing, "is required", hint="keepalive and holdtime go together")


def bgp_timer_problems(
    keepalive_at: Place, holdtime_at: Place, keepalive: int | None, holdtime: int | None, *, never: bool = False
) -> Iterator[Problem]:
    """Report timers of BGP that do not exist, or that do not fit each other.

    A keepalive of more than a third of the hold time is no mistake of RFC 4271, 4.4, but FRR stores the third (peer_timers_set() in bgpd/bgpd.c), so
    that a reload would never come to an end.

    Parameters:
        keepalive_at, holdtime_at: where they stand.
        keepalive, holdtime: in seconds; none where one is not given, or wrong already.
        never: 0 may stand for never, as FRR reads it. GoBGP reads it as not given, and the intent has
            none, since a dead neighbor would never be noticed.
    """
    zero = "0, or " if never else ""
    if keepalive is not None and not KEEPALIVES.holds(keepalive) and not (never and keepalive == 0):
        yield Problem(keepalive_at, "is out of range", str(keepalive), f"valid: {zero}{KEEPALIVES} seconds")
        keepalive = None
    if holdtime is not None and not HOLDTIMES.holds(holdtime) and not (never and holdtime == 0):
        yield Problem(holdtime_at, "is out of range", str(holdtime), f"valid: {zero}{HOLDTIMES} seconds")
        holdtime = None
    if keepalive is not None and holdtime is not None and keepalive > holdtime // 3:
        yield Problem(
            keepalive_at, "is more than a third of holdtime", str(keepalive), f"{keepalive} > {holdtime} / 3; at most {holdtime // 3}"
        )


def dead_interval_problems(path: Place, written: int, hello: int, dead: int) -> Iterator[Problem]:
    """Report a dead interval of OSPF in which no second hello comes: one that is lost would end every adjacency (RFC 2328, C.3: some multiple).

    Parameters:
        path: where the one of the two stands that is written.
        written: the value there.
        hello, dead: in seconds.
    """
    if dead < 2 * hello:
        text = f"dead_interval is {dead}, and at least 2 x {hello} (hello_interval) = {2 * hello} seconds"
        yield Problem(path, "leaves no time for a lost hello", str(written), text)


def ping_restart_problems(path: Place, written: int, interval: int, restart: int) -> Iterator[Problem]:
    """Report a restart of OpenVPN before a second ping can come. Parameters as in `dead_interval_problems`."""
    if restart < 2 * interval:
        text = f"ping_restart is {restart}, and at least 2 x {interval} (ping_interval) = {2 * interval} seconds"
        yield Problem(path, "leaves no time for a lost ping", str(written), text)


# bfdd's, in ms and lost packets (BFD_DEF_* of FRR's bfdd/bfd.h), and the defaults of role frr.
BFD_TIMERS: Mapping[str, int] = {"detect_multiplier": 3, "receive_interval": 300, "transmit_interval": 300}


def bfd_timers(profile: Mapping[str, Any]) -> dict[str, int]:
    """Return the timers of a BFD profile, as ``frr_bfd_profiles`` has them; those that it does not give are FRR's."""
    return {name: usual if profile.get(name) is None else profile[name] for name, usual in BFD_TIMERS.items()}


def bfd_detection(profile: Mapping[str, Any]) -> int:
    """Return in ms when a session of a profile is down (RFC 5880, 6.8.4): both ends use the same one, so the slower direction counts."""
    timers = bfd_timers(profile)
    return timers["detect_multiplier"] * max(timers["receive_interval"], timers["transmit_interval"])


def detection_problems(path: Place, restart: int, detection: int, whose: str = "BFD") -> Iterator[Problem]:
    """Report a restart of OpenVPN that would come before BFD has moved the traffic.

    Parameters:
        path: where it stands.
        restart: in seconds.
        detection: time in ms in which BFD notices a dead path.
        whose: whose time that is.
    """
    if restart * 1000 <= detection:
        text = f"{restart} s = {restart * 1000} ms, and {whose} takes {detection} ms; BFD has to be first"
        yield Problem(path, "is not longer than BFD takes to notice", str(restart), text)


# ---- names, MAC addresses and keys -------------------------------------------------------------------------------------------------------

NAME_LENGTH = 15  # IFNAMSIZ is 16 with the closing zero byte (linux/if.h).
LOOPBACK_DEVICE = "lo"
# dev_valid_name() refuses the first two; the kernel keeps settings under all and default (ip-sysctl), and makes the others with its modules of GRE.
RESERVED_NAMES = (".", "..", "all", "default", LOOPBACK_DEVICE, "gre0", "gretap0", "erspan0", "ip6gre0")


class NameForm(NamedTuple):
    """What names of a kind look like.

    Attributes:
        noun: what they name.
        pattern: regular expression that a whole name matches.
        text: the sentence that says so.
    """

    noun: str
    pattern: str
    text: str


# The kernel takes more (dev_valid_name(): no slash, colon or white space, 15 bytes). These are the names that need no quotes and no escapes in any
# file or command that has them: wg-quick(8) takes no others, and iproute2 prints name@parent.
# None begins with a hyphen: programs would take it for an option.
INTERFACE_NAMES = NameForm("interface", "(?!-)[A-Za-z0-9_=+.-]{1,15}", "must be 1 to 15 of A-Z a-z 0-9 _ = + . -, the first no -")
# A unit's instance is part of its name, which has neither = nor + (VALID_CHARS of systemd): systemd-escape would write it as another name.
UNIT_NAMES = NameForm(
    "interface", "(?!-)[A-Za-z0-9_.-]{1,15}", "must be 1 to 15 of A-Z a-z 0-9 _ . -, the first no -, since its systemd unit has that name"
)
SECTION_NAMES = NameForm(
    "interface",
    "(?!-)[A-Za-z0-9_-]{1,15}",
    "must be 1 to 15 of A-Z a-z 0-9 _ -, the first no -, since sections of swanctl.conf have that name",
)
# A VRF is an interface, and beside it a word of FRR, of iproute2, where digits alone are a table, and of units.
VRF_NAMES = NameForm("VRF", "[A-Za-z][A-Za-z0-9_.-]{0,14}", "must be 1 to 15 of A-Z a-z 0-9 _ . - and begin with a letter")


def name_problems(path: Place, name: str, form: NameForm = INTERFACE_NAMES, *, existing: bool = False) -> Iterator[Problem]:
    """Report a name that an interface or VRF cannot have.

    Parameters:
        path: where it stands.
        name: as written.
        form: what it names.
        existing: it names an interface that something else makes, such as ``lo``.
    """
    if not re.fullmatch(form.pattern, name):
        yield Problem(path, form.text, show(name), f"it has {len(name)} characters" if len(name) > NAME_LENGTH else "")
    elif name in RESERVED_NAMES and not (existing and name == LOOPBACK_DEVICE):
        yield Problem(path, "is a reserved name", show(name), f"choose another name for the {form.noun}")


def registered_problems(path: Place, host: str) -> Iterator[Problem]:
    """Report a name under which the registries of public keys can have no file.

    Parameters:
        path: where it stands.
        host: as written.
    """
    if not host or host.strip() != host or host.startswith(".") or "/" in host or not host.isprintable():
        yield Problem(path, "is no name of a host that a file can have", show(host))


_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")


def mac_problems(path: Place, mac: str) -> Iterator[Problem]:
    """Report a MAC address that no interface can have (is_valid_ether_addr() of the kernel). The lowest bit of the first byte marks a group: IEEE 802, 8.2.

    Parameters:
        path: where it stands.
        mac: as written.
    """
    if not _MAC.fullmatch(mac):
        yield Problem(path, "is no MAC address", show(mac), "write six pairs of hexadecimal digits, for example 02:00:00:00:00:01")
    elif int(mac[:2], 16) & 1:
        yield Problem(path, "is a multicast MAC address", show(mac), "the first byte must be even, for example 02:00:00:00:00:01")
    elif not int(mac.replace(":", ""), 16):
        yield Problem(path, "is no MAC address", show(mac), "zero stands for none; write one such as 02:00:00:00:00:01")


def fingerprint_problems(path: Place, fingerprints: Sequence[str]) -> Iterator[Problem]:
    """Report what is no fingerprint as openvpn(8) takes them in ``peer-fingerprint``, and what is given twice.

    Parameters:
        path: of the list.
        fingerprints: as written.
    """
    first: dict[str, Place] = {}
    for index, written in enumerate(fingerprints):
        here = path.at(index)
        if not FINGERPRINT_PATTERN.fullmatch(written):
            hint = "openssl x509 -noout -fingerprint -sha256 prints it: 32 pairs of hexadecimal digits with colons"
            yield Problem(here, "is no SHA-256 fingerprint", show(written), hint)
        elif written.upper() in first:
            yield Problem(here, "is given twice", show(written), f"the same fingerprint stands at {first[written.upper()]}")
        first.setdefault(written.upper(), here)


def wireguard_key_problems(path: Place, key: str, *, secret: bool = False) -> Iterator[Problem]:
    """Report what is no key as wg(8) takes them: 32 bytes in base64, with no stray bits in the last character.

    Parameters:
        path: where it stands.
        key: as written.
        secret: it is a preshared key, and not shown.
    """
    if not KEY_PATTERN.fullmatch(key):
        hint = "a key is 32 bytes in base64: 44 characters, the last one =" + ("; 'wg genpsk' makes one" if secret else "")
        yield Problem(path, "is no WireGuard key", SECRET if secret else show(key), hint)
