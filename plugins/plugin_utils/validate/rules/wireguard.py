# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for WireGuard interfaces and their peers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import outer_headers
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    FAMILY,
    PORTS,
    UNIT_NAMES,
    mtu_range,
    name_problems,
    registered_problems,
    wireguard_key_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import SECRET, Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import (
    ALLOWED_IPS,
    Host,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    IPNetwork,
    View,
    endpoint_host,
    is_host_name,
    network_problems,
    parse_address,
    parse_network,
    twice,
)

_UPLINK_MTU = "xgn_uplink_mtu"
_NUMBERS_AND_DOTS = re.compile(r"[0-9.]+\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")


def wireguard_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of WireGuard interfaces."""
    interfaces = host.root.views("wireguard_interfaces")
    yield from _uplink(host)
    for interface in interfaces:
        yield from interface.in_range("listen_port", *PORTS)
        yield from interface.in_range("fwmark", 0, 4294967295)
        peers = interface.views("peers")
        for peer in peers:
            yield from _peer(interface, peer)
        yield from _unique_peers(peers)
        yield from _allowed_ips(peers)
    yield from twice(((view.at("listen_port"), port) for view in interfaces if (port := view.number("listen_port"))), "port")


def _peer(interface: View, peer: View) -> Iterator[Problem]:
    endpoint, public_key, preshared_key = peer.text("endpoint"), peer.text("public_key"), peer.text("preshared_key")
    name, remote = peer.text("name"), peer.text("interface")
    if name is not None:
        yield from registered_problems(peer.at("name"), name)
    if remote is not None:
        yield from name_problems(peer.at("interface"), remote, UNIT_NAMES)
    if endpoint is not None:
        yield from _endpoint(peer, endpoint)
    elif not peer.given("endpoint") and not interface.given("listen_port"):
        yield Problem(
            peer.at("endpoint"),
            "is missing, and the interface has no listen_port, so neither end can initiate",
            hint=f"give the peer an endpoint, or {interface.at('listen_port')}",
        )
    if public_key is not None:
        yield from wireguard_key_problems(peer.at("public_key"), public_key)
    if preshared_key is not None:
        yield from wireguard_key_problems(peer.at("preshared_key"), preshared_key, secret=True)
    if public_key is not None and public_key == preshared_key:
        yield Problem(peer.at("preshared_key"), "is the public key", SECRET, "make one with 'wg genpsk'")
    yield from peer.in_range("persistent_keepalive", 0, 65535, " seconds")
    for path, text in peer.texts("allowed_ips"):
        yield from network_problems(path, text)


def _endpoint(peer: View, text: str) -> Iterator[Problem]:
    """Report an endpoint that is not as wg(8) describes it: an address or name, a colon and a port."""
    host, colon, port = text.rpartition(":")
    if parse_address(text) is not None and ":" in text:
        yield peer.problem("endpoint", "is an IPv6 address without port", f"write [{text}]:51820")
    elif not colon or not _PORT.match(port):
        yield peer.problem("endpoint", "has no port", "write 192.0.2.1:51820, [2001:db8::1]:51820 or name:51820")
    elif not PORTS.holds(int(port)):
        yield peer.problem("endpoint", "has a port out of range", f"valid: {PORTS}")
    elif host.startswith("[") and host.endswith("]"):
        address = parse_address(host[1:-1])
        if address is None or address.version != 6:
            yield peer.problem("endpoint", "has no IPv6 address in its brackets", "write [2001:db8::1]:51820")
    elif parse_address(host) is not None:
        if ":" in host:
            yield peer.problem("endpoint", "needs brackets around the IPv6 address", f"write [{host}]:{port}")
    elif _NUMBERS_AND_DOTS.match(host) or not is_host_name(host):
        yield peer.problem("endpoint", "has neither an address nor a host name", "write 192.0.2.1:51820, [2001:db8::1]:51820 or name:51820")


def outer_version(endpoint: str) -> int | None:
    """Return the IP version of an endpoint, or nothing when it is a name."""
    address = parse_address(endpoint_host(endpoint))
    return address.version if address is not None else None


def _uplink(host: Host) -> Iterator[Problem]:
    """Report a tunnel whose outer packets are larger than the uplink carries.

    An endpoint that is a name, or a peer that initiates from anywhere, may use either IP version: only what surely does not fit is reported.
    """
    root = host.root
    uplink = root.number(_UPLINK_MTU)
    if root.given(_UPLINK_MTU) and (uplink is None or not mtu_range().holds(uplink)):
        yield root.problem(_UPLINK_MTU, "is not an MTU in bytes", f"valid: an integer, {mtu_range()}")
        return
    if uplink is None:
        return
    for interface in root.views("wireguard_interfaces"):
        mtu = interface.number("mtu") if interface.given("mtu") else link_type("wireguard").usual_mtu
        if mtu is None:
            continue
        versions = [version for peer in interface.views("peers") if (text := peer.text("endpoint")) and (version := outer_version(text))]
        version = max(versions, default=4)
        headers = outer_headers("wireguard", FAMILY[version])
        size = sum(length for _name, length in headers)
        if mtu + size > uplink:
            named = ", ".join(f"{name} {length}" for name, length in headers)
            arithmetic = f"{mtu} + {size} ({named}) = {mtu + size} > {uplink}"
            message = f"does not fit into {_UPLINK_MTU}"
            yield Problem(interface.at("mtu"), message, str(mtu), f"{arithmetic}; at most {uplink - size}")


def _unique_peers(peers: list[View]) -> Iterator[Problem]:
    names = [(peer.at("name"), (name, peer.text("interface"))) for peer in peers if (name := peer.text("name"))]
    first: dict[object, Place] = {}
    for path, identity in names:
        if identity in first:
            yield Problem(path, "is given twice", show(identity[0]), f"the same peer stands at {first[identity]}")
        else:
            first[identity] = path
    yield from twice(((peer.at("public_key"), key) for peer in peers if (key := peer.text("public_key"))), "public key")


def _allowed_ips(peers: list[View]) -> Iterator[Problem]:
    """Report prefixes that two peers of one interface share: WireGuard gives each address to one peer only (cryptokey routing).

    One sweep over the sorted prefixes.
    """
    claims: list[tuple[IPNetwork, int, Place]] = []
    for index, peer in enumerate(peers):
        written = peer.texts("allowed_ips") if peer.given("allowed_ips") else [(peer.at("allowed_ips"), text) for text in ALLOWED_IPS]
        claims += [(network, index, path) for path, text in written if (network := parse_network(text)) is not None]
    around: list[tuple[IPNetwork, int, Place]] = []
    for network, index, path in sorted(claims, key=lambda one: (one[0].version, int(one[0].network_address), one[0].prefixlen, one[1])):
        while around and not _holds(around[-1][0], network):
            around.pop()
        if around:
            other, owner, where = around[-1]
            if owner != index:
                hint = "the prefixes of the peers of one interface must not overlap; with dynamic routing use one interface per peer"
                yield Problem(path, f"overlaps {other} of another peer ({where})", show(str(network)), hint)
            elif other == network:
                yield Problem(path, "is given twice", show(str(network)), f"the same prefix stands at {where}")
        around.append((network, index, path))


def _holds(outer: IPNetwork, inner: IPNetwork) -> bool:
    return outer.version == inner.version and int(inner.network_address) <= int(outer.broadcast_address)
