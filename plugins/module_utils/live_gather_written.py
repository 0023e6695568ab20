# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather which prefixes the owner of a host has written down for its network managers, and which a DHCP server has given to dhclient.

The kernel says of a static route that somebody gave it, and not whether it comes back after a boot. What stands in no file was set by hand. Of the files
nothing but prefixes and addresses leaves the host: some hold passwords.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.interface_managers import NETWORK_DIRECTORIES
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import part

# Of ifupdown, networkd, netplan and NetworkManager, with the scripts that they start.
FILES = (
    *("/etc/network/interfaces", "/etc/network/interfaces.d/*", "/etc/network/if-up.d/*", "/run/network/interfaces.d/*"),
    *(directory + name for directory in NETWORK_DIRECTORIES for name in ("/*.network", "/*.network.d/*.conf")),
    *("/etc/netplan/*.yaml", "/etc/networkd-dispatcher/*/*"),
    *("/etc/NetworkManager/system-connections/*", "/run/NetworkManager/system-connections/*", "/etc/NetworkManager/dispatcher.d/*"),
)
# dhclient sets the routes of a lease as a person would; other clients mark theirs.
LEASES = "/var/lib/dhcp/*.leases"

_PREFIX = re.compile(r"(?<![\w.:])[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*(?:/\d{1,3})?(?![\w:])")
_WITH_NETMASK = re.compile(r"([0-9.]+)\s+netmask\s+([0-9.]+)")
_CLASSLESS = re.compile(r"\bclassless-static-routes ([0-9, ]+);")


def gather_written() -> dict[str, Any]:
    """Give part ``written``: the prefixes, an address as one of its own length, sorted by their text."""
    found: set[str] = set()
    for pattern in FILES:
        for path in sorted(glob.glob(pattern)):
            found.update(_prefixes(_readable(path)))
    for path in sorted(glob.glob(LEASES)):
        found.update(_leased(_readable(path)))
    return part("cat /etc/network/interfaces /etc/network/interfaces.d/*; networkctl cat; nmcli connection show", data=sorted(found))


def _readable(path: str) -> str:
    try:
        return read_text(path)
    except OSError:
        # A directory, or a link to nowhere.
        return ""


def _prefixes(text: str) -> Iterator[str]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    candidates = _PREFIX.findall(lines) + ["/".join(pair) for pair in _WITH_NETMASK.findall(lines)]
    for candidate in candidates:
        try:
            yield str(ip_network(candidate, strict=False))
        except ValueError:
            continue


def _leased(text: str) -> Iterator[str]:
    """Read the option as dhclient writes it: per route the length, as many bytes of the prefix as that needs, and the gateway (RFC 3442)."""
    for match in _CLASSLESS.findall(text):
        numbers = [int(word) for word in match.split(",") if word.strip()]
        while numbers:
            length, size = numbers[0], (numbers[0] + 7) // 8
            octets = numbers[1 : 1 + size] + [0] * (4 - size)
            try:
                yield str(ip_network("%s/%d" % (".".join(map(str, octets)), length), strict=False))
            except ValueError:
                break
            numbers = numbers[1 + size + 4 :]
