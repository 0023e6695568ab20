# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What of a host is reached from outside: sockets that wait for somebody, and interfaces behind which others are. Read from the kernel's own files."""

from __future__ import annotations

import ipaddress
import os
import struct
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import sysfs
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

# States of proc(5): a TCP socket that listens, a UDP socket that is not connected.
_WAITS = {"tcp": "0A", "udp": "07"}
_PORT_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
# if_arp.h: PPP, IPIP, IPv6 in IPv4 and back, GRE, and no link layer at all (WireGuard, tun).
_TUNNELS = frozenset(("512", "768", "769", "776", "778", "823", "65534"))

# if_arp.h and if.h again, scopes of /proc/net/if_inet6 that no other host's packet comes from, and the directories of the two families.
_ETHERNET = "1"
_NOARP = 0x80
_NARROW = frozenset(("10", "20"))
_IPV4 = "ipv4"
_IPV6 = "ipv6"


def _address(text: str) -> Any:
    """Return an address as the kernel prints it: words of 32 bits in the order of this machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(struct.pack("=%dI" % len(words), *words))
    return getattr(address, "ipv4_mapped", None) or address


def listeners() -> list[dict[str, Any]]:
    """Return protocol, address and port of each socket that waits for others, but for those of the loopback and of clients, whose port the kernel chose."""
    first = int((read_text(_PORT_RANGE).split() or ["32768"])[0])
    found = set()
    for protocol, state in _WAITS.items():
        for family in ("", "6"):
            for line in read_text("/proc/net/%s%s" % (protocol, family)).splitlines()[1:]:
                fields = line.split()
                if len(fields) < 4 or fields[3] != state:
                    continue
                place, _colon, number = fields[1].partition(":")
                address, port = _address(place), int(number, 16)
                if port and not address.is_loopback and not (protocol == "udp" and port >= first):
                    found.add((protocol, port, str(address)))
    return [{"protocol": protocol, "address": address, "port": port} for protocol, port, address in sorted(found)]


def others_behind(forwarding: bool) -> list[str]:
    """Return the interfaces that are up and behind which others are, but for those of a default route: bridges that have ports, and tunnels.

    forwarding: where the host forwards, what has a network of its own is one of them, too.
    """
    routes = [line.split() for line in read_text("/proc/net/route").splitlines()[1:]]
    routes6 = [line.split() for line in read_text("/proc/net/ipv6_route").splitlines()]
    addresses6 = [line.split() for line in read_text("/proc/net/if_inet6").splitlines()]
    uplinks = {fields[0] for fields in routes if len(fields) > 7 and fields[1] == fields[7] == "0" * 8}
    uplinks.update(fields[-1] for fields in routes6 if len(fields) > 9 and fields[0] == "0" * 32 and fields[1] == "00")
    families = (_IPV4, _IPV6) if forwarding else ()
    networks = {(_IPV4, fields[0]) for fields in routes if fields}
    networks.update((_IPV6, fields[-1]) for fields in addresses6 if len(fields) > 5 and fields[3] not in _NARROW)
    return [
        name
        for name in sysfs.interface_names()
        if name not in uplinks
        and sysfs.interface_is_up(name)
        and (_has_others_behind(name) or any((family, name) in networks and _is_forwarded(family, name) for family in families))
    ]


def _has_others_behind(name: str) -> bool:
    try:
        return bool(os.listdir(os.path.join(sysfs.NET, name, "brif")))
    except OSError:
        # No bridge.
        return sysfs.interface_type(name) in _TUNNELS and not sysfs.interface_has_master(name)


def _is_forwarded(family: str, name: str) -> bool:
    """Say whether the host forwards what comes in there. From a dummy, or a VRF itself, nothing does: an Ethernet that asks nobody by ARP."""
    answers = sysfs.interface_type(name) == _ETHERNET and not sysfs.interface_flags(name) & _NOARP
    return answers and read_text("/proc/sys/net/%s/conf/%s/forwarding" % (family, name)).strip() == "1"
