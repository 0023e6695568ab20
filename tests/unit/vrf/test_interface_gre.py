# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the interface layer does about GRE tunnels. The kernel's part is played: what it tells is what iproute2 prints of such an interface."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_gre, interface_layer, interface_tunnel

OVER_IPV4: dict[str, Any] = {"name": "gre1", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 7, "mtu": 1472}
OVER_IPV6: dict[str, Any] = {"name": "gre2", "local": "2001:db8::1", "remote": "2001:DB8:0::2", "mtu": 1456}
IN_VRF = [{"name": "gre1", "vrf": "CORE"}]


def live(name: str, kind: str, mtu: int, **data: Any) -> dict[str, Any]:
    """Return an interface as `ip -json -details link show` prints it."""
    return {"ifname": name, "mtu": mtu, "flags": ["POINTOPOINT", "NOARP", "UP"], "linkinfo": {"info_kind": kind, "info_data": data}}


def over_ipv4(**data: Any) -> dict[str, Any]:
    """Return gre1 as it is declared, but for some of its data; keys are printed like addresses."""
    known = {"remote": "192.0.2.2", "local": "192.0.2.1", "ttl": 64, "pmtudisc": True, "ikey": "0.0.0.7", "okey": "0.0.0.7"}
    return live("gre1", "gre", 1472, **{key: value for key, value in {**known, **data}.items() if value is not None})


def over_ipv6(**data: Any) -> dict[str, Any]:
    """Return gre2 as it is declared, but for some of its data."""
    known = {"remote": "2001:db8::2", "local": "2001:db8::1", "ttl": 64, "ip6_tnl_f_ign_encap_limit": True}
    return live("gre2", "ip6gre", 1456, **{key: value for key, value in {**known, **data}.items() if value is not None})


def commands(
    monkeypatch: pytest.MonkeyPatch,
    found: list[dict[str, Any]],
    tunnels: list[dict[str, Any]],
    previous: list[dict[str, Any]] | None = None,
) -> list[str]:
    """Return the commands that bring live interfaces in line with declared tunnels."""
    monkeypatch.setattr(interface_layer.Kernel, "read", lambda _kernel, *_arguments, **_named: found)
    made, missing = interface_layer.apply({"gre_tunnels": tunnels}, {"gre_tunnels": previous} if previous else None, dry_run=True)
    assert missing == []
    return made


def test_they_are_made_with_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands(monkeypatch, [], [OVER_IPV4, OVER_IPV6]) == [
        "ip link add dev gre1 type gre local 192.0.2.1 remote 192.0.2.2 key 7 ttl 64 pmtudisc",
        "ip link add dev gre2 type ip6gre local 2001:db8::1 remote 2001:DB8:0::2 ttl 64 encaplimit none",
        "ip link set dev gre1 mtu 1472",
        "ip link set dev gre1 up",
        "ip link set dev gre2 mtu 1456",
        "ip link set dev gre2 up",
    ]


def test_key_zero_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert " key 0 " in commands(monkeypatch, [], [{**OVER_IPV4, "key": 0}])[0]
    assert " key " not in commands(monkeypatch, [], [{**OVER_IPV6}])[0]
    assert commands(monkeypatch, [over_ipv4(ikey=None, okey=None)], [{**OVER_IPV4, "key": 0}])[0] == "ip link delete dev gre1"


def test_nothing_is_done_to_what_is_as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands(monkeypatch, [over_ipv4(), over_ipv6()], [OVER_IPV4, OVER_IPV6]) == []
    largest = over_ipv4(ikey="255.255.255.255", okey="255.255.255.255", pmtudisc=False, ttl=255, link="WAN")
    declared = {**OVER_IPV4, "key": 4294967295, "pmtudisc": False, "ttl": 255, "underlay_vrf": "WAN"}
    assert commands(monkeypatch, [largest], [declared]) == []


@pytest.mark.parametrize(
    ("found", "tunnel", "command"),
    [
        (over_ipv4(ttl=0), OVER_IPV4, "ip link set dev gre1 type gre ttl 64 pmtudisc"),
        (over_ipv4(), {**OVER_IPV4, "pmtudisc": False}, "ip link set dev gre1 type gre ttl 64 nopmtudisc"),
        (over_ipv6(), {**OVER_IPV6, "ttl": 9}, "ip link set dev gre2 type ip6gre ttl 9 encaplimit none"),
        (over_ipv6(ip6_tnl_f_ign_encap_limit=None, encap_limit=4), OVER_IPV6, "ip link set dev gre2 type ip6gre ttl 64 encaplimit none"),
    ],
)
def test_how_outer_packets_look_is_changed_in_place(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], tunnel: dict[str, Any], command: str
) -> None:
    """With the MTU after it, which the kernel may have computed anew."""
    assert commands(monkeypatch, [found], [tunnel]) == [command, f"ip link set dev {tunnel['name']} mtu {tunnel['mtu']}"]


@pytest.mark.parametrize(
    ("found", "tunnel", "reason"),
    [
        (over_ipv4(), {**OVER_IPV4, "local": "192.0.2.9"}, "local 192.0.2.1 to 192.0.2.9"),
        (over_ipv4(), {**OVER_IPV4, "remote": "192.0.2.9"}, "remote 192.0.2.2 to 192.0.2.9"),
        (over_ipv4(remote="any"), OVER_IPV4, "remote any to 192.0.2.2"),
        (over_ipv4(ikey="0.0.0.9"), OVER_IPV4, "incoming key 9 to 7"),
        (over_ipv4(okey="0.0.1.0"), OVER_IPV4, "key 256 to 7"),
        (over_ipv4(), {**OVER_IPV4, "underlay_vrf": "WAN"}, "underlay VRF None to WAN"),
    ],
)
def test_what_makes_it_another_tunnel_makes_it_again(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], tunnel: dict[str, Any], reason: str
) -> None:
    made = commands(monkeypatch, [found], [tunnel])
    assert [line.split()[1:3] for line in made[:2]] == [["link", "delete"], ["link", "add"]]
    links = interface_layer.Kernel(dry_run=True).links()
    assert interface_gre.must_be_made_again(links, tunnel) == [reason]


def test_the_other_ip_version_needs_another_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    made = commands(monkeypatch, [over_ipv4()], [{**OVER_IPV6, "name": "gre1"}])
    assert made[0] == "ip link delete dev gre1"
    assert " type ip6gre " in made[1]


def test_two_that_exchange_their_keys_are_both_deleted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**over_ipv4(ikey="0.0.0.8", okey="0.0.0.8"), "ifname": "gre3"}
    made = commands(monkeypatch, [over_ipv4(), other], [{**OVER_IPV4, "key": 8}, {**OVER_IPV4, "name": "gre3"}])
    assert [line.split()[2] for line in made[:4]] == ["delete", "delete", "add", "add"]


def test_what_is_no_longer_declared_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands(monkeypatch, [over_ipv4(), over_ipv6()], [OVER_IPV6], [OVER_IPV4, OVER_IPV6]) == ["ip link delete dev gre1"]
    # Something else that has taken the name is not ours.
    assert commands(monkeypatch, [live("gre1", "dummy", 1500)], [], [OVER_IPV4]) == []


def test_a_name_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(interface_layer.InterfaceLayerError, match=r"gre1 exists and is no GRE tunnel \(kind dummy\)"):
        commands(monkeypatch, [live("gre1", "dummy", 1500)], [OVER_IPV4])


def test_one_goes_into_its_vrf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface_layer.Kernel, "read", lambda _kernel, *_arguments, **_named: [over_ipv4()])
    declared = {"vrfs": [{"name": "CORE", "table": 200}], "interfaces": IN_VRF, "gre_tunnels": [OVER_IPV4]}
    made, missing = interface_layer.apply(declared, dry_run=True)
    assert missing == []
    assert made[0] == "ip link add dev CORE type vrf table 200"
    assert made[-1] == "ip link set dev gre1 master CORE"


def test_what_does_not_fit_its_underlay_is_told_with_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [{"ifname": "eth0", "addr_info": [{"local": "192.0.2.1"}, {"local": "2001:db8::1"}]}]
    monkeypatch.setattr(interface_layer.Kernel, "read", lambda _kernel, *_arguments, **_named: addresses)
    kernel = interface_layer.Kernel(dry_run=True)
    links = {"eth0": {"kind": None, "mtu": 1500}}
    large = [(interface_layer.TUNNELS["gre_tunnels"], {**tunnel, "mtu": tunnel["mtu"] + 1}) for tunnel in (OVER_IPV4, OVER_IPV6)]
    found = interface_tunnel.too_large(kernel, links, {}, large)
    assert found[0].startswith("gre1: MTU 1473 does not fit its underlay eth0: 1500 - 20 (IPv4) - 4 (GRE) - 4 (key) = 1472 is the most.")
    assert found[1].startswith("gre2: MTU 1457 does not fit its underlay eth0: 1500 - 40 (IPv6) - 4 (GRE) = 1456 is the most.")
    fitting = [(interface_layer.TUNNELS["gre_tunnels"], tunnel) for tunnel in (OVER_IPV4, OVER_IPV6)]
    assert interface_tunnel.too_large(kernel, links, {}, fitting) == []
