# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What all tunnels that the interface layer makes have in common: whether they may be made, fit what is beneath, and are still wanted.

A part of xgn-interface (interface_layer.py), installed beside it. A declared tunnel is a dictionary with at least C(name), C(local) (own outer
address) and, where they are to be set, C(mtu) (bytes) and C(underlay_vrf).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

# By IP version of the outer header: RFC 791, 3.1 and RFC 8200, 3.
IP_HEADER = {4: (20, "IPv4"), 6: (40, "IPv6")}


class Kernel(Protocol):
    """What is needed of interface_layer.Kernel."""

    def read(self, *arguments: str, program: str = "ip") -> list[Any]:
        """Run a command of iproute2 that only shows; return its parsed output."""

    def change(self, *arguments: str, program: str = "ip") -> None:
        """Run a command of iproute2 that changes something."""

    def delete(self, links: dict[str, Any], name: str) -> None:
        """Delete an interface and all that lies on it."""


class Part(Protocol):
    """A module that makes one kind of tunnel.

    TITLE: what one is called; KINDS: kinds of the kernel's that it makes.
    """

    TITLE: str
    KINDS: tuple[str, ...]

    def headers(self, tunnel: dict[str, Any], /) -> Sequence[tuple[int, str]]:
        """Bytes and name of each header behind the outer IP header."""

    def must_be_made_again(self, links: dict[str, Any], tunnel: dict[str, Any], /) -> list[str]:
        """What the kernel cannot change while the interface lives, as C(vni 1000 to 1001); empty when nothing differs."""

    def has_other_ends(self, links: dict[str, Any], tunnel: dict[str, Any], /) -> bool:
        """Say whether it lives and is about to be changed in place in a way that parts it from the other end until that has it, too."""

    def settings(self, tunnel: dict[str, Any], /) -> dict[str, Any]:
        """What is wanted of it as of any interface."""

    def add_command(self, tunnel: dict[str, Any], /) -> list[str]:
        """Arguments of ip(8) that make it."""

    def ensure(self, kernel: Kernel, links: dict[str, Any], tunnel: dict[str, Any], /) -> None:
        """Make it, or change in place what can be; MTU, MAC, ARP, master and state are the business of interface_layer."""


def new_link(kind: str | None, **known: Any) -> dict[str, Any]:
    """What interface_layer.Kernel.links would tell of an interface that was made a moment ago."""
    unknown = {"table": None, "parent": None, "master": None, "mtu": None, "mac": None}
    return {"kind": kind, **unknown, "up": False, "arp": True, "data": {}, **known}


def version(tunnel: Mapping[str, Any]) -> int:
    """IP version of the outer packets. Raises ValueError when C(local) is no address."""
    return ipaddress.ip_address(tunnel["local"]).version


def canonical(text: str | None) -> str | None:
    """An address as the kernel prints it; None for none. Raises ValueError when it is no address."""
    return str(ipaddress.ip_address(text)) if text else None


def room(underlay_mtu: int, outer: int, headers: Sequence[tuple[int, str]]) -> tuple[int, str]:
    """What an underlay leaves for the packets inside, in bytes, and the arithmetic: C(2000 - 20 (IPv4) - … = 1950)."""
    rest, steps = underlay_mtu, [str(underlay_mtu)]
    for size, name in (IP_HEADER[outer], *headers):
        rest -= size
        steps.append("- %d (%s)" % (size, name))
    return rest, "%s = %d" % (" ".join(steps), rest)


def too_large(kernel: Kernel, links: dict[str, Any], declared: dict[str, Any], tunnels: Sequence[tuple[Part, dict[str, Any]]]) -> list[str]:
    """One sentence for each tunnel that does not fit the interface its outer packets leave by: the one that has its local address.

    The MTU declared for that interface counts, since it is about to be set; else the live one. Nothing is said of a tunnel whose local
    address is not there yet.
    """
    sized = [(part, item) for part, item in tunnels if item.get("mtu")]
    if not sized:
        return []
    wanted = {item["name"]: item["mtu"] for item in declared.get("interfaces", []) if item.get("mtu")}
    holders = {}
    for link in kernel.read("address", "show"):
        for entry in link.get("addr_info", []):
            holders[entry.get("local")] = link.get("ifname")
    problems = []
    for part, item in sized:
        under = holders.get(canonical(item["local"]))
        # The device of a VRF, and lo, carry loopback addresses only: their MTU says nothing of the path.
        if under is None or under == "lo" or links.get(under, {}).get("kind") == "vrf":
            continue
        underlay = wanted.get(under) or links[under]["mtu"]
        most, arithmetic = room(underlay, version(item), part.headers(item))
        if item["mtu"] > most:
            problems.append(
                "%s: MTU %d does not fit its underlay %s: %s is the most. Raise the MTU of %s, on every host and switch of the path, to %d, "
                "or lower that of %s" % (item["name"], item["mtu"], under, arithmetic, under, underlay + item["mtu"] - most, item["name"])
            )
    return problems


def contradiction(part: Part, links: dict[str, Any], tunnel: dict[str, Any]) -> str | None:
    """Why a tunnel cannot be made: its name is that of another interface; else None."""
    link = links.get(tunnel["name"])
    if link is not None and link["kind"] not in part.KINDS:
        return "%s exists and is no %s (kind %s): remove it or rename one of the two" % (tunnel["name"], part.TITLE, link["kind"])
    return None


def take_down(part: Part, kernel: Kernel, links: dict[str, Any], declared: list[dict[str, Any]], previous: list[dict[str, Any]]) -> None:
    """Delete the tunnels that were declared before and no longer are, but for those that were found."""
    names = {item["name"] for item in declared}
    for item in previous:
        if item["name"] not in names and not item.get("found") and links.get(item["name"], {}).get("kind") in part.KINDS:
            kernel.delete(links, item["name"])
