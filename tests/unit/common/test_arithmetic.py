# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses, encapsulations and names: the numbers of the field, and every way they can run out."""

from __future__ import annotations

import ipaddress
import sys

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common import link_arithmetic
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import (
    AddressError,
    MissingLibraryError,
    PoolExhaustedError,
    PrefixLengthError,
    SubnetExhaustedError,
    is_private,
    link_addresses,
    nth_address,
    nth_subnet,
    parse_address,
    parse_prefix,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import EncapsulationError, fit, tcp_mss, tunnel_mtu
from ansible_collections.xuegao.net.plugins.plugin_utils.common.interface_names import InterfaceNameError, interface_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from hypothesis import given
from hypothesis import strategies as st


@given(st.data())
def test_nth_subnet_is_the_one_ipaddress_enumerates(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from((4, 6)))
    bits = BITS[version]
    length = data.draw(st.integers(bits - 12, bits - 2))
    value = data.draw(st.integers(0, (1 << bits) - 1))
    pool = ipaddress.ip_network((value, length), strict=False)
    longer = data.draw(st.integers(length, bits))
    number = data.draw(st.integers(0, (1 << (longer - length)) - 1))
    found = nth_subnet(parse_prefix(str(pool)), longer, number)
    # As networks, not as text: inet_ntop, which FRR prints with, writes ::192.0.2.0 where ipaddress writes ::c000:200.
    assert ipaddress.ip_network(str(found)) == list(pool.subnets(new_prefix=longer))[number]


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 32))
def test_an_address_is_printed_as_it_was_read(value: int, length: int) -> None:
    text = f"{ipaddress.IPv4Address(value)}/{length}"
    assert str(parse_address(text)) == text
    assert str(parse_address(text).prefix) == str(ipaddress.ip_network(text, strict=False))


@given(st.integers(0, (1 << 128) - 1), st.integers(0, 128))
def test_an_ipv6_address_is_canonical(value: int, length: int) -> None:
    text = f"{ipaddress.IPv6Address(value)}/{length}"
    assert ipaddress.IPv6Interface(str(parse_address(text))) == ipaddress.IPv6Interface(text)


def test_three_ways_to_run_out() -> None:
    pool = parse_prefix("10.0.0.0/29")
    with pytest.raises(PoolExhaustedError, match=r"10\.0\.0\.0/29 holds 2 subnets /30, numbers 0 to 1; number 2 does not exist"):
        nth_subnet(pool, 30, 2)
    with pytest.raises(SubnetExhaustedError, match=r"holds 8 addresses, numbers 0 to 7; number 8 does not exist"):
        nth_address(pool, 8)
    with pytest.raises(PrefixLengthError, match=r"/28 does not fit into 10\.0\.0\.0/29; valid: /29 to /32"):
        nth_subnet(pool, 28, 0)


def test_a_pool_is_never_enumerated() -> None:
    assert str(nth_subnet(parse_prefix("fd00::/8"), 127, (1 << 119) - 1)) == "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255/8", True),
        ("9.255.255.255", False),
        ("172.15.255.255", False),
        ("172.16.0.1/24", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.168.1.1", True),
        ("192.169.0.0", False),
        ("169.254.7.7", True),
        ("100.64.0.1", False),
        ("198.51.100.1", False),
        ("fd00::1", True),
        ("fc00::", True),
        ("fe00::", False),
        ("fe80::1", True),
        ("febf::1", True),
        ("fec0::1", False),
        ("2001:db8::1", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_private_addresses(text: str, private: bool) -> None:
    """Those of others, shared among a carrier's customers too, lead over wires on which others are."""
    assert is_private(parse_address(text)) is private


@pytest.mark.parametrize(
    ("subnet", "ends"),
    [
        ("10.1.1.0/30", ("10.1.1.1/30", "10.1.1.2/30")),
        ("10.1.1.0/31", ("10.1.1.0/31", "10.1.1.1/31")),
        ("fd00::2/127", ("fd00::2/127", "fd00::3/127")),
        ("fd00::/64", ("fd00::1/64", "fd00::2/64")),
    ],
)
def test_ends_of_a_link(subnet: str, ends: tuple[str, str]) -> None:
    assert tuple(str(end) for end in link_addresses(parse_prefix(subnet))) == ends
    if not subnet.endswith("/64"):
        assert (link_arithmetic.peer_address(ends[0]), link_arithmetic.peer_address(ends[1])) == (ends[1], ends[0])


@pytest.mark.parametrize("text", ["", "10", "10.0.0.0/33", "10.0.0.256", "fd00::/129", "ten", "10.0.0.0/20/20"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_prefix(text)


def test_host_bits_are_answered_with_the_prefix_meant() -> None:
    with pytest.raises(AddressError, match=r"'10\.254\.0\.9/20' has host bits set; the prefix is 10\.254\.0\.0/20"):
        parse_prefix("10.254.0.9/20")


def test_a_missing_netaddr_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netaddr", None)
    with pytest.raises(MissingLibraryError, match=r"netaddr is missing from .*pip install netaddr.*execution environment"):
        parse_prefix("203.0.113.208/29")


@pytest.mark.parametrize(
    ("underlay", "layers", "outer", "mtu"),
    [
        (1500, ["wireguard"], None, 1420),
        (1500, ["wireguard"], "ipv4", 1440),
        (1492, ["wireguard"], None, 1412),
        (1500, ["wireguard", "vxlan"], None, 1370),
        (1492, ["wireguard", "vxlan"], None, 1362),
        (1500, ["vxlan"], None, 1450),
        (1500, ["vxlan"], "ipv6", 1430),
        (2000, ["vxlan", "vlan"], None, 1946),
        (1500, ["gre"], None, 1476),
        (1500, ["gre_key"], None, 1472),
        (1500, ["gre"], "ipv6", 1456),
        (1492, ["gre_key"], "ipv6", 1444),
        (1500, ["wireguard", "gre"], None, 1396),
        (1500, ["openvpn_udp"], None, 1448),
        (1500, ["openvpn_tcp"], None, 1422),
        # 1500 - 20 - 8 - 8 - 16 - 16 = 1432; 89 blocks of 16 are 1424; less trailer 2, UDP 8, L2TP 8, PPP 4.
        (1500, ["l2tp_ipsec"], None, 1402),
        (1500, ["l2tp_ipsec_gcm"], None, 1418),
    ],
)
def test_mtu_through_encapsulations(underlay: int, layers: list[str], outer: str | None, mtu: int) -> None:
    assert tunnel_mtu(underlay, layers, outer) == mtu


def test_the_arithmetic_is_shown() -> None:
    assert fit(1492, "vxlan").arithmetic == "1492 - 20 (IPv4) - 8 (UDP) - 8 (VXLAN) - 14 (Ethernet) = 1442"
    with pytest.raises(EncapsulationError, match=r"WireGuard does not fit: 120 - 40 \(IPv6\) - 8 \(UDP\) - 32 \(WireGuard\) = 40"):
        tunnel_mtu(120, ["wireguard"])
    with pytest.raises(EncapsulationError, match="unknown encapsulation 'geneve'; valid: wireguard, gre, gre_key, vxlan"):
        tunnel_mtu(1500, ["geneve"])


def test_mss() -> None:
    assert (tcp_mss(1412), tcp_mss(1412, "ipv6")) == (1372, 1352)
    with pytest.raises(EncapsulationError, match="leaves no room"):
        tcp_mss(40)


def test_interface_names() -> None:
    assert interface_name("wireguard", 4294967295) == "wg4294967295"
    assert sorted(["wg10", "wg2", "CORE", "br0"], key=natural_order) == ["CORE", "br0", "wg2", "wg10"]
    with pytest.raises(InterfaceNameError, match="'gre0' is a reserved name"):
        interface_name("gre", 0)
    with pytest.raises(InterfaceNameError, match=r"must be 1 to 15 of .*; it has 17 characters"):
        interface_name("vlan", 4000, "enp129s0f0np")
