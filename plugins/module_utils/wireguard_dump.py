# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What wg(8) prints with C(dump). It holds private and preshared keys: what is made of it must not be shown as it is."""

from __future__ import annotations

import dataclasses

NONE = "(none)"


@dataclasses.dataclass(frozen=True)
class Peer:
    """A peer of a living interface.

    preshared_key, endpoint: None when there is none. handshake: seconds since 1970 of the latest one, 0 for never.
    received, sent: bytes. keepalive: seconds, 0 for off.
    """

    preshared_key: str | None
    endpoint: str | None
    allowed_ips: frozenset[str]
    handshake: int
    received: int
    sent: int
    keepalive: int


@dataclasses.dataclass(frozen=True)
class Interface:
    """A living WireGuard interface. peers: by public key. fwmark: 0 for none."""

    private_key: str | None
    public_key: str | None
    listen_port: int
    fwmark: int
    peers: dict[str, Peer]


def parse_all(text: str) -> dict[str, Interface]:
    """Read `wg show all dump`: the interfaces by name. Raises ValueError for a text that it cannot have printed."""
    interfaces: dict[str, Interface] = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == 5:
            name, private, public, port, mark = fields
            interfaces[name] = Interface(_value(private), _value(public), int(port), 0 if mark == "off" else int(mark, 0), {})
        elif len(fields) == 9:
            name, public, preshared, endpoint, allowed, handshake, received, sent, keepalive = fields
            if name not in interfaces:
                raise ValueError("`wg show all dump` has a peer of %s before the interface" % name)
            interfaces[name].peers[public] = Peer(
                preshared_key=_value(preshared),
                endpoint=_value(endpoint),
                allowed_ips=frozenset((_value(allowed) or "").split(",")) - {""},
                handshake=int(handshake),
                received=int(received),
                sent=int(sent),
                keepalive=0 if keepalive == "off" else int(keepalive),
            )
        elif line.strip():
            raise ValueError("a line of `wg show all dump` has %d fields, expected 5 or 9" % len(fields))
    return interfaces


def parse_one(text: str) -> Interface:
    """Read `wg show NAME dump`, which is the same without the name. Raises ValueError."""
    found = parse_all("".join("\t" + line + "\n" for line in text.splitlines() if line.strip()))
    if "" not in found:
        raise ValueError("`wg show NAME dump` says nothing of the interface")
    return found[""]


def _value(text: str) -> str | None:
    return None if text == NONE else text
