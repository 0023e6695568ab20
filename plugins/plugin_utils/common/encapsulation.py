# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MTU and TCP MSS through any nesting of encapsulations, with the arithmetic kept as text for messages.

An MTU here is the largest IP packet in bytes that an interface takes. Every layer names the headers it adds, so that a message can
show where the bytes went.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import MTU_FLOOR, TITLE, mtu_range

IP_HEADER = {"ipv4": 20, "ipv6": 40}
TCP_HEADER = 20
# What TCP and IP take from the MTU: RFC 9293, 3.7.1 (MSS counts neither IP nor TCP options).
MSS_HEADERS = {family: header + TCP_HEADER for family, header in IP_HEADER.items()}


class EncapsulationError(ValueError):
    """An unknown layer, or a stack that does not fit its underlay."""


@dataclass(frozen=True)
class Layer:
    """One encapsulation.

    Attributes:
        title: how the field calls it.
        headers: (name, bytes) of what it adds beneath the outer IP header, outermost first.
        ip: the packets travel in IP, so that an outer header of 20 or 40 bytes comes on top.
        block: the padded part is a multiple of so many bytes; 1 for no padding.
        inner: (name, bytes) of headers inside the padded part.
        outer: family of the outer header that is counted when none is given.
    """

    title: str
    headers: tuple[tuple[str, int], ...]
    ip: bool = True
    block: int = 1
    inner: tuple[tuple[str, int], ...] = ()
    outer: str = "ipv4"


# L2TP over PPP inside ESP: UDP, L2TP data header with length (RFC 2661, 3.1), PPP address, control and protocol (RFC 1661, 1662).
_L2TP = (("UDP", 8), ("L2TP", 8), ("PPP", 4))
LAYERS: Mapping[str, Layer] = {
    # Type, receiver, counter, and the Poly1305 tag. The padding to 16 bytes never exceeds the interface's MTU.
    "wireguard": Layer("WireGuard", (("UDP", 8), ("WireGuard", 32)), outer="ipv6"),
    # RFC 2784, 2; the key is an option of RFC 2890. Over IPv6 without an encapsulation limit (RFC 2473, 4.1.1), which would take 8 more.
    "gre": Layer("GRE", (("GRE", 4),)),
    "gre_key": Layer("GRE", (("GRE", 4), ("key", 4))),
    "vxlan": Layer("VXLAN", (("UDP", 8), ("VXLAN", 8), ("Ethernet", 14))),  # RFC 7348, 5
    # P_DATA_V2 with peer id 4, packet id 4, AEAD tag 16; over TCP a length of 2, and TCP's timestamps (RFC 7323) 12.
    "openvpn_udp": Layer("OpenVPN/UDP", (("UDP", 8), ("OpenVPN", 24))),
    "openvpn_tcp": Layer("OpenVPN/TCP", (("TCP", 32), ("length", 2), ("OpenVPN", 24))),
    # NAT traversal (RFC 3948), SPI and sequence number, initialization vector, check value; trailer of two bytes, padded to a block.
    "l2tp_ipsec": Layer("L2TP/IPsec", (("UDP", 8), ("ESP", 8), ("IV", 16), ("ICV", 16)), block=16, inner=(("ESP trailer", 2), *_L2TP)),
    "l2tp_ipsec_gcm": Layer("L2TP/IPsec", (("UDP", 8), ("ESP", 8), ("IV", 8), ("ICV", 16)), block=4, inner=(("ESP trailer", 2), *_L2TP)),
    # A tag inside a tunnel takes room from the tunnel; on a NIC the frame grows instead (IEEE 802.3ac), so that layer is not used.
    "vlan": Layer("VLAN tag", (("802.1Q", 4),), ip=False),
}


@dataclass(frozen=True)
class Fit:
    """What is left inside an encapsulation.

    Attributes:
        mtu: largest inner IP packet in bytes; may be zero or negative when nothing fits.
        arithmetic: how it comes about, for example ``1500 - 20 (IPv4) - 8 (UDP) - 32 (WireGuard) = 1440``.
    """

    mtu: int
    arithmetic: str


def outer_family(layer: str, outer: str | None) -> str:
    """Return the family of the outer header that is counted: the given one, IPv6 for WireGuard and IPv4 otherwise.

    WireGuard's peers roam, also from IPv4 to IPv6, and wg-quick(8) counts 80 bytes for that reason; so a link keeps its MTU when
    its endpoint changes family.
    """
    return outer or LAYERS[layer].outer


def outer_headers(layer: str, outer: str) -> tuple[tuple[str, int], ...]:
    """Return name and bytes of every header that a layer without padding puts around a packet, the outer IP header first.

    Parameters:
        layer: a name of `LAYERS` that travels in IP.
        outer: ``ipv4`` or ``ipv6``.

    Raises:
        KeyError: no such layer or family.
    """
    return ((TITLE[outer], IP_HEADER[outer]), *LAYERS[layer].headers)


def fit(underlay_mtu: int, layer: str, outer: str | None = None) -> Fit:
    """Return what one encapsulation leaves of an underlay.

    Parameters:
        underlay_mtu: MTU beneath, in bytes.
        layer: a name of `LAYERS`.
        outer: ``ipv4`` or ``ipv6``; see `outer_family` for none.

    Raises:
        EncapsulationError: no such layer or family.
    """
    if layer not in LAYERS:
        raise EncapsulationError(f"unknown encapsulation {layer!r}; valid: {', '.join(LAYERS)}")
    found = LAYERS[layer]
    rest = underlay_mtu
    steps = [str(underlay_mtu)]
    if found.ip:
        family = outer_family(layer, outer)
        if family not in IP_HEADER:
            raise EncapsulationError(f"unknown outer family {family!r}; valid: {', '.join(IP_HEADER)}")
        rest -= IP_HEADER[family]
        steps.append(f"- {IP_HEADER[family]} ({TITLE[family]})")
    for name, size in found.headers:
        rest -= size
        steps.append(f"- {size} ({name})")
    padding = rest % found.block
    if padding:
        rest -= padding
        steps.append(f"- {padding} (padding to {found.block})")
    for name, size in found.inner:
        rest -= size
        steps.append(f"- {size} ({name})")
    return Fit(rest, f"{' '.join(steps)} = {rest}")


def needed(mtu: int, layer: str, outer: str) -> int:
    """Return the size in bytes of the outer packet that carries an inner one of a size, the reverse of `fit`.

    Parameters:
        mtu: the inner packet, in bytes.
        layer: a name of `LAYERS` that travels in IP.
        outer: ``ipv4`` or ``ipv6``.

    Raises:
        KeyError: no such layer or family.
    """
    found = LAYERS[layer]
    padded = mtu + sum(size for _name, size in found.inner)
    padded += -padded % found.block
    return padded + sum(size for _name, size in (*found.headers, ("", IP_HEADER[outer])))


def tunnel_mtu(underlay_mtu: int, layers: Iterable[str], outer: str | None = None) -> int:
    """Return the MTU inside a stack of encapsulations.

    Parameters:
        underlay_mtu: MTU of the lowest interface, in bytes.
        layers: names of `LAYERS`, the outermost on the wire first.
        outer: family of every outer header; see `outer_family` for none.

    Raises:
        EncapsulationError: an unknown name, or nothing of the underlay is left; the message shows the arithmetic.
    """
    mtu = underlay_mtu
    for layer in layers:
        inside = fit(mtu, layer, outer)
        if inside.mtu < MTU_FLOOR:
            raise EncapsulationError(f"{LAYERS[layer].title} does not fit: {inside.arithmetic}; valid: {mtu_range()} bytes")
        mtu = inside.mtu
    return mtu


def tcp_mss(mtu: int, family: str = "ipv4") -> int:
    """Return the TCP MSS in bytes that fits an MTU: 40 less for IPv4, 60 less for IPv6 (RFC 9293, 3.7.1).

    Raises:
        EncapsulationError: unknown family, or an MTU that leaves no byte.
    """
    if family not in MSS_HEADERS:
        raise EncapsulationError(f"unknown family {family!r}; valid: {', '.join(MSS_HEADERS)}")
    mss = mtu - MSS_HEADERS[family]
    if mss < 1:
        raise EncapsulationError(f"MTU {mtu} leaves no room for TCP over {family}: {mtu} - {MSS_HEADERS[family]} = {mss}")
    return mss
