"""The paths that carry a host's tunnels: which are looked at, with which size, and what is told of one that takes less."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import LAYERS, fit, needed
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.outer_paths import outer_paths, path_warnings

WIREGUARD: dict[str, Any] = {
    "wireguard_interfaces": [
        {
            "name": "wg1",
            "mtu": 1420,
            "fwmark": 7,
            "peers": [{"name": "b", "endpoint": "198.51.100.2:51820"}, {"name": "c", "endpoint": "[2001:db8::3]:51820"}, {"name": "waits"}],
        }
    ]
}


@pytest.mark.parametrize("layer", [name for name, layer in LAYERS.items() if layer.ip])
@pytest.mark.parametrize("outer", ["ipv4", "ipv6"])
def test_needed_is_the_reverse_of_fit(layer: str, outer: str) -> None:
    """The packet that an underlay just takes, and none that it does not."""
    for underlay in range(576, 1601):
        inside = fit(underlay, layer, outer).mtu
        assert needed(inside, layer, outer) <= underlay < needed(inside + 1, layer, outer)


def test_each_end_of_a_tunnel_is_a_path() -> None:
    """Of the family that its address has, or that the tunnel is held to; a name alone may have both."""
    variables = {
        **WIREGUARD,
        "openvpn_tunnels": [
            {"name": "ovpn2", "role": "client", "remote": "hq.example", "mtu": 1400, "underlay_vrf": "WAN"},
            {"name": "ovpn3", "role": "client", "remote": "hq.example", "mtu": 1400, "transport": "udp", "family": "ipv6"},
            {"name": "ovpn4", "role": "server", "mtu": 1400},
        ],
        "vxlan_interfaces": [{"name": "vxlan5", "vni": 5, "local": "10.0.0.1", "remotes": ["10.0.0.2", "10.0.0.3"], "mtu": 1450}],
    }
    found = outer_paths(variables)
    assert sorted(found, key=str) == sorted(
        [
            {"interface": "wg1", "to": "198.51.100.2", "bytes": {"ipv4": 1480}, "mark": 7},
            {"interface": "wg1", "to": "2001:db8::3", "bytes": {"ipv6": 1500}, "mark": 7},
            {"interface": "ovpn2", "to": "hq.example", "bytes": {"ipv4": 1478, "ipv6": 1498}, "vrf": "WAN"},
            {"interface": "ovpn3", "to": "hq.example", "bytes": {"ipv6": 1472}},
            {"interface": "vxlan5", "to": "10.0.0.2", "bytes": {"ipv4": 1500}, "from": "10.0.0.1"},
            {"interface": "vxlan5", "to": "10.0.0.3", "bytes": {"ipv4": 1500}, "from": "10.0.0.1"},
        ],
        key=str,
    )


@pytest.mark.parametrize(
    "entry",
    [None, {}, {"name": "x"}, {"name": "x", "remote": "198.51.100.2"}, {"name": "x", "mtu": 1400, "transport": "no", "remote": "b"}],
)
def test_what_cannot_be_read_is_told_elsewhere(entry: Any) -> None:
    assert outer_paths({"openvpn_tunnels": [entry]}) == []


def warned(**found: Any) -> list[str]:
    path = {
        "interface": "wg1",
        "to": "198.51.100.2",
        "address": "198.51.100.2",
        "device": "ens4",
        "mtu": 1500,
        "passes": "unknown",
        **found,
    }
    return path_warnings({"paths": [path]}, WIREGUARD)


def test_a_path_that_takes_less_is_told() -> None:
    (narrow,) = warned(mtu=1460)
    assert "wg1 to 198.51.100.2 have up to 1480 bytes, and the path by ens4 takes 1460:" in narrow and "`uplink.mtu: 1460`" in narrow
    (swallowed,) = warned(passes="no")
    assert "not answered by 198.51.100.2, where a short one is" in swallowed
    assert "`ping -M do -s 1452 198.51.100.2`, and less), and set `uplink.mtu` of both ends to that number and 28." in swallowed
    (swallowed,) = warned(to="2001:db8::3", address="2001:db8::3", passes="no")
    assert "`ping -M do -s 1452 2001:db8::3`, and less), and set `uplink.mtu` of both ends to that number and 48." in swallowed


@pytest.mark.parametrize(
    "found", [{}, {"mtu": 1480}, {"passes": "yes"}, {"to": "192.0.2.9", "mtu": 1000}, {"interface": "wg9", "mtu": 1000}]
)
def test_nothing_is_told_of_what_suffices_or_was_not_asked(found: dict[str, Any]) -> None:
    assert warned(**found) == []
    assert path_warnings({}, WIREGUARD) == []
