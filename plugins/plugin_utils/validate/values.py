# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read variables that may hold any mistake: what has the wrong type counts as absent here, since the schema reports it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_address, ip_interface
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import host_address_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, SECRET, Place, Problem, show

IPAddress = IPv4Address | IPv6Address
IPInterface = IPv4Interface | IPv6Interface
IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True)
class View:
    """A dictionary together with its path."""

    data: Mapping[str, Any]
    path: Place = EVERYTHING

    def at(self, key: str) -> Place:
        """Return the path of a key."""
        return self.path.at(key)

    def given(self, key: str) -> bool:
        """Tell whether a key has a value, right or wrong."""
        return self.data.get(key) is not None

    def text(self, key: str) -> str | None:
        """Return a string."""
        value = self.data.get(key)
        return str(value) if isinstance(value, str) else None

    def number(self, key: str) -> int | None:
        """Return an integer."""
        value = self.data.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, key: str) -> bool:
        """Return a boolean; false when absent."""
        return self.data.get(key) is True

    def texts(self, key: str) -> list[tuple[Place, str]]:
        """Return the strings of a list, each with its path."""
        value = self.data.get(key)
        items = value if isinstance(value, (list, tuple)) else ()
        return [(self.path.at(key, index), str(item)) for index, item in enumerate(items) if isinstance(item, str)]

    def views(self, key: str) -> list[View]:
        """Return the dictionaries of a list."""
        value = self.data.get(key)
        items = value if isinstance(value, (list, tuple)) else ()
        return [View(item, self.path.at(key, index)) for index, item in enumerate(items) if isinstance(item, Mapping)]

    def problem(self, key: str, message: str, hint: str = "", *, secret: bool = False) -> Problem:
        """Return a problem of one key, with its value."""
        return Problem(self.at(key), message, SECRET if secret else show(self.data.get(key)), hint)

    def in_range(self, key: str, low: int, high: int, unit: str = "") -> Iterator[Problem]:
        """Report an integer outside of low to high, both inclusive."""
        number = self.number(key)
        if number is not None and not low <= number <= high:
            yield self.problem(key, "is out of range", f"valid: {low} to {high}{unit}")


def twice(named: Iterable[tuple[Place, object]], noun: str) -> Iterator[Problem]:
    """Report every value that occurred before.

    Parameters:
        named: path and value, in order.
        noun: what the value is, for example ``table``.
    """
    first: dict[object, Place] = {}
    for path, value in named:
        if value in first:
            yield Problem(path, "is given twice", show(value), f"the same {noun} stands at {first[value]}")
        else:
            first[value] = path


# ---- addresses -------------------------------------------------------------------------------------------------------------------------


def parse_address(text: str | None) -> IPAddress | None:
    """Return an address without prefix length or zone, or nothing."""
    if text is None or "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def parse_interface(text: str) -> IPInterface | None:
    """Return an address with prefix length, or nothing."""
    if not _LENGTH_GIVEN.search(text) or "%" in text:
        return None
    try:
        return ip_interface(text)
    except ValueError:
        return None


def parse_network(text: str | None) -> IPNetwork | None:
    """Return the prefix that a text such as ``10.0.0.0/8`` names, host bits cleared, or nothing."""
    parsed = parse_interface(text) if text is not None else None
    return parsed.network if parsed is not None else None


def endpoint_host(endpoint: str) -> str:
    """Return the address or name of an endpoint such as ``[2001:db8::1]:51820``."""
    return endpoint.rpartition(":")[0].strip("[]")


def is_host_name(text: str) -> bool:
    """Tell whether a text is a name that DNS can hold: labels of at most 63 characters, 253 in all (RFC 1035, 2.3.4)."""
    return _HOST_NAME.match(text) is not None


_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?\Z")
_LENGTH_GIVEN = re.compile(r"/[0-9]{1,3}\Z")  # Python takes a netmask too; FRR and WireGuard print a length.


def address_problems(path: Place, text: str) -> Iterator[Problem]:
    """Report a text that is no address, or one that FRR would print differently (RFC 5952): a reload would never converge."""
    address = parse_address(text)
    if address is None:
        yield Problem(path, "is not an IPv4 or IPv6 address", show(text), "write it without prefix length" if parse_interface(text) else "")
    elif str(address) != text:
        yield Problem(path, "is not in canonical form", show(text), f"write {address}")


def host_problems(path: Place, text: str) -> Iterator[Problem]:
    """Report an address that no host has. A text that is none is reported by `address_problems`."""
    address = parse_address(text)
    if address is not None:
        yield from host_address_problems(path, show(text), address.version, int(address))


def router_problems(path: Place, text: str, hint: str = "write another address of the router") -> Iterator[Problem]:
    """Report an address at which no router is found without an interface.

    Parameters:
        path: where it stands.
        text: the address.
        hint: what to do about a link-local address.
    """
    yield from host_problems(path, text)
    address = parse_address(text)
    if address is not None and address.is_link_local:
        yield Problem(path, "is a link-local address, which says nothing without an interface", show(text), hint)


def network_problems(path: Place, text: str, example: str = "10.0.0.0/8") -> Iterator[Problem]:
    """Report a text that is no prefix, one with host bits set, and one in other than canonical form."""
    parsed = parse_interface(text)
    if parsed is None:
        yield Problem(path, "is not a prefix", show(text), f"write an address and a length, for example {example}")
    elif parsed.ip != parsed.network.network_address:
        yield Problem(path, "has host bits set", show(text), f"write {parsed.network}")
    elif str(parsed.network) != text:
        yield Problem(path, "is not in canonical form", show(text), f"write {parsed.network}")


# ---- text that goes into a configuration file --------------------------------------------------------------------------------------------


_LINE_LENGTH = 1000  # bytes; a line of FRR's shell has 4096, commands and names of its own among them


def line_problems(path: Place, text: str) -> Iterator[Problem]:
    """Report text that FRR would not print as it was written: it reads words, so spaces collapse, and what follows a pipe filters its output."""
    plain = " ".join(text.split())
    if not plain:
        yield Problem(path, "is empty", show(text))
    elif plain != text:
        yield Problem(path, "is not as FRR keeps it", show(text), f"write {show(plain)}")
    elif "|" in text:
        yield Problem(path, "holds a pipe", show(text), "FRR takes what follows for a filter of its output; write it without")
    elif len(text.encode(errors="surrogatepass")) > _LINE_LENGTH:
        yield Problem(path, "is too long", show(text), f"at most {_LINE_LENGTH} bytes")


def word_problems(path: Place, text: str, noun: str, longest: int) -> Iterator[Problem]:
    """Report a name that is empty, holds white space or a pipe, or is longer than FRR takes."""
    if not text or any(character.isspace() or character == "|" for character in text):
        yield Problem(path, f"is not a valid name of a {noun}", show(text), "it must be one word, without a pipe")
    elif len(text) > longest:
        yield Problem(path, f"is too long for the name of a {noun}", show(text), f"{len(text)} > {longest} characters")


_UNIT = re.compile(
    r"(?!-)(?=.{1,255}\Z)(?:[A-Za-z0-9:_.@-]|\\x[0-9a-f]{2})+\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)\Z"
)


def unit_problems(path: Place, text: str) -> Iterator[Problem]:
    """Report what is no name of a systemd unit (systemd.unit(5)). A dependency on a misspelt unit is silently ignored at boot."""
    if not _UNIT.match(text):
        yield Problem(path, "is not the name of a systemd unit", show(text), "write it with its suffix, for example wg-quick@wg0.service")
