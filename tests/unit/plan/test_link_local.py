"""The link-local addresses of the plan: one a node, and none that somebody else would have."""

from __future__ import annotations

from ipaddress import IPv6Interface, IPv6Network
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import link_local
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from hypothesis import given
from hypothesis import strategies as st

IDS = st.integers(min_value=0, max_value=2**32 - 1)
MACS = st.binary(min_size=6, max_size=6)
LAST_64 = 2**64 - 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "fe80::7867:6e00:0:1/64"),
        (0xFFFF, "fe80::7867:6e00:0:ffff/64"),
        (0x10000, "fe80::7867:6e00:1:0/64"),
        (99999, "fe80::7867:6e00:1:869f/64"),
        (2**32 - 1, "fe80::7867:6e00:ffff:ffff/64"),
    ],
)
def test_the_id_stands_in_the_last_32_bits(number: int, text: str) -> None:
    assert str(link_local(number)) == text
    assert link_local(number) == parse_address(text)
    assert IPv6Interface(text).network == IPv6Network("fe80::/64"), "RFC 4291, 2.5.6: 54 bits of zero"


@given(IDS, IDS)
def test_each_node_has_its_own(one: int, other: int) -> None:
    assert (link_local(one) == link_local(other)) == (one == other)


@given(IDS, MACS)
def test_it_is_none_that_an_interface_makes_of_its_mac(number: int, mac: bytes) -> None:
    """Modified EUI-64, RFC 4291, appendix A."""
    made = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    assert link_local(number).value & LAST_64 != int.from_bytes(made, "big")


@given(IDS, st.integers(min_value=0, max_value=2**32 - 1))
def test_it_is_none_that_a_person_writes_or_a_standard_reserves(number: int, small: int) -> None:
    identifier = link_local(number).value & LAST_64
    # fe80::1, fe80::a:b, and RFC 5453: of all routers of a subnet, of proxies, of anycast.
    assert identifier != small
    reserved = [(0x02005EFFFE000000, 0x02005EFFFEFFFFFF), (0xFDFFFFFFFFFFFF80, 0xFDFFFFFFFFFFFFFF)]
    assert not any(first <= identifier <= last for first, last in reserved)


def plan(number: int, **more: Any) -> list[str]:
    intent: dict[str, Any] = {
        "xgn_pools": {
            "links": {"ipv4": "10.0.0.0/8", "ipv6": "fd00:1::/48"},
            "loopbacks": {"ipv4": "172.16.0.0/12", "ipv6": "fd00:2::/64"},
        },
        "xgn_bgp": {"asn_base": 4200000000},
        "xgn_nodes": {
            "a": {"id": number, "uplink": {"device": "eth0", "address": "192.0.2.1/24"}, "networks": {"eth1": more}},
            "b": {"id": 2, "uplink": {"device": "eth0", "address": "192.0.2.2/24"}},
        },
        "xgn_links": [{"id": 1, "type": "wireguard", "ends": ["a", {"node": "b", "listen_port": 51900}]}],
    }
    interfaces = make_plan(intent).hosts["a"]["frr_interfaces"]
    return [text for item in interfaces for text in item["addresses"] if text.startswith("fe80")]


def test_tunnels_and_nics_with_ipv6_have_it() -> None:
    own = {"address": "192.168.9.1/24", "address6": "fd00:3::1/64", "published": False}
    assert plan(99999, **own) == ["fe80::7867:6e00:1:869f/64"] * 2
    assert plan(1, address="192.168.9.1/24", published=False) == ["fe80::7867:6e00:0:1/64"], "without IPv6 a NIC needs none"
