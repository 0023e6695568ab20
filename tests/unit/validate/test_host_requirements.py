"""Kernel rules: which fail on which kernel, and that each names its remedy."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import JUDGED, archive_problems, host_requirements

HOST: dict[str, Any] = {"os_family": "Debian", "systemd": True, "network_manager": False}
FEATURES = dict.fromkeys(JUDGED, "module")
BGP_IN_VRF = {"vrf_vrfs": [{"name": "CORE", "table": 200}], "frr_bgp": [{"vrf": "CORE"}]}


def unmet(kernel: str, variables: dict[str, Any], **features: str) -> list[str]:
    """Return what a host with this kernel lacks."""
    return host_requirements(HOST | {"kernel": kernel, "kernel_features": FEATURES | features}, variables)


@pytest.mark.parametrize(
    ("kernel", "variables", "features", "words"),
    [
        ("4.4.0-210-generic", {"preflight_needs_mpls": True}, {}, "MPLS needs kernel 4.5 or newer"),
        ("6.1.0-37-amd64", {"preflight_needs_mpls": True}, {"mpls_router": "missing"}, "kernel module mpls_router"),
        ("4.14.0-1-amd64", BGP_IN_VRF, {}, "set sysctl_tcp_l3mdev_accept: 1"),
        ("4.18.0-553.el8.x86_64", BGP_IN_VRF, {}, "set sysctl_tcp_l3mdev_accept: 1"),
        ("4.19.0-27-amd64", {"wireguard_interfaces": [{"name": "wg0"}]}, {"wireguard": "missing"}, "in the kernel since 5.6"),
        ("6.1.0-37-amd64", {"wireguard_interfaces": [{"name": "wg0"}]}, {"wireguard": "missing"}, "kernel module wireguard"),
        (
            "6.1.0-37-amd64",
            {"gre_interfaces": [{"local": "192.0.2.1"}]},
            {"ip_gre": "missing"},
            "GRE over IPv4 needs the kernel module ip_gre",
        ),
        (
            "6.1.0-37-amd64",
            {"gre_interfaces": [{"local": "2001:db8::1"}]},
            {"ip6_gre": "missing"},
            "GRE over IPv6 needs the kernel module ip6_gre",
        ),
        ("6.1.0-37-amd64", {"openvpn_tunnels": [{"name": "a"}]}, {"tun": "missing"}, "OpenVPN needs the kernel module tun"),
        (
            "6.1.0-37-amd64",
            {"l2tp_ipsec_tunnels": [{"name": "a"}]},
            {"ppp_generic": "missing"},
            "L2TP/IPsec needs the kernel module ppp_generic",
        ),
        (
            "6.1.0-37-amd64",
            {"vxlan_interfaces": [{"local": "2001:db8::1"}] * 2},
            {"vxlan": "missing"},
            "VXLAN needs the kernel module vxlan",
        ),
        (
            "6.1.0-37-amd64",
            {"vrf_interfaces": [{"name": "anycast0", "kind": "dummy"}]},
            {"dummy": "missing"},
            "kind dummy needs the kernel module dummy",
        ),
        (
            "6.1.0-37-amd64",
            {"vrf_interfaces": [{"name": "eth0.7", "kind": "vlan"}]},
            {"8021q": "missing"},
            "kind vlan needs the kernel module 8021q",
        ),
        ("4.3.0", {"vrf_vrfs": [{"name": "CORE"}]}, {}, "VRF needs kernel 4.4"),
    ],
)
def test_rule_is_named_with_kernel_and_remedy(kernel: str, variables: dict[str, Any], features: dict[str, str], words: str) -> None:
    (sentence,) = unmet(kernel, variables, **features)
    assert words in sentence
    assert kernel in sentence
    assert "Remedy: " in sentence


@pytest.mark.parametrize(
    ("kernel", "variables"),
    [
        ("4.5.0", {"preflight_needs_mpls": True}),
        ("4.14.0-1-amd64", BGP_IN_VRF | {"sysctl_tcp_l3mdev_accept": 1}),
        ("4.13.0", BGP_IN_VRF),
        ("4.19.0-27-amd64", BGP_IN_VRF),
        # A module from outside of the tree.
        ("4.19.0-27-amd64", {"wireguard_interfaces": [{"name": "wg0"}]}),
        ("6.12.41+deb13-amd64", BGP_IN_VRF | {"preflight_needs_mpls": True, "wireguard_interfaces": [{"name": "wg0"}]}),
    ],
)
def test_kernel_that_will_do(kernel: str, variables: dict[str, Any]) -> None:
    assert unmet(kernel, variables) == []


@pytest.mark.parametrize(("ahead", "words"), [(-86400, "86400 s behind"), (61, "61 s ahead of"), (60, "")])
def test_a_clock_that_is_off_is_told(ahead: float, words: str) -> None:
    now = 1_700_000_000.0
    host = HOST | {"kernel": "6.12.0", "kernel_features": FEATURES, "time": now + ahead, "clock_offset": ahead}
    told = host_requirements(host, {})
    assert [words in line and "Remedy: set the clock" in line for line in told] == ([True] if words else [])
    # Nothing is known of a host that was looked at by an older version.
    assert host_requirements({key: value for key, value in host.items() if key != "clock_offset"}, {}) == []


def test_a_package_that_no_archive_has_is_named() -> None:
    told = archive_problems({"frr": "10.3-1", "gobgpd": None, "python3-apt": None}, "W: Failed to fetch\n  http://archive.example.org")
    assert [line.split()[1] for line in told] == ["gobgpd", "python3-apt"]
    assert "Ansible needs it to install any other" in told[1] and told[0].endswith(
        "apt says: W: Failed to fetch http://archive.example.org"
    )
    assert archive_problems({}) == []


FILTER: dict[str, Any] = {
    "firewall_trusted_interfaces": ["lo", "wg1", "br0"],
    "firewall_ssh_port": 22,
    "firewall_open_ports": [{"protocol": "udp", "port": 51821, "from": ["192.0.2.1/32"]}, {"protocol": "gre"}],
    "firewall_loose_interfaces": ["vmbr0"],
    "frr_interfaces": [{"name": "br0", "addresses": ["10.0.0.1/24"]}, {"name": "vmbr0", "addresses": ["192.0.2.9/24"]}],
}


def closed(listeners: list[tuple[str, str, int]], interfaces: list[str] | None = None, filtered: bool = False, **more: Any) -> list[str]:
    """Return what is said of a host that listens there."""
    sockets = [{"protocol": protocol, "address": address, "port": port} for protocol, address, port in listeners]
    host = {"listeners": sockets, "others_behind": interfaces or [], "filtered": filtered, "kernel": "6.12.0"}
    return host_requirements(HOST | host | {"kernel_features": FEATURES}, {**FILTER, **more})


@pytest.mark.parametrize(
    ("listeners", "interfaces"),
    [
        # A bare Debian.
        ([("tcp", "0.0.0.0", 22), ("tcp", "::", 22), ("udp", "192.0.2.9", 68), ("udp", "0.0.0.0", 5353), ("tcp", "::", 5355)], []),
        # What the plan opens or brings, and where it listens.
        (
            [("udp", "0.0.0.0", 51821), ("tcp", "::", 179), ("udp", "::", 4784), ("udp", "::", 7784), ("tcp", "10.0.0.1", 443)],
            ["vmbr0", "br0", "wg1"],
        ),
    ],
)
def test_a_first_filter_that_takes_nothing_is_no_problem(listeners: list[tuple[str, str, int]], interfaces: list[str]) -> None:
    assert closed(listeners, interfaces) == []


def test_a_first_filter_names_what_it_closes_until_somebody_says_yes() -> None:
    listeners = [("tcp", "0.0.0.0", 80), ("tcp", "::", 80), ("tcp", "192.0.2.9", 443), ("udp", "0.0.0.0", 53)]
    (sentence,) = closed(listeners, ["virbr0", "wg7"])
    named = (
        "tcp port 80 (0.0.0.0, ::); tcp port 443 (192.0.2.9); udp port 53 (0.0.0.0); what comes from virbr0; what comes from wg7. Remedy"
    )
    assert f"would close {named}" in sentence and "firewall_close: true" in sentence
    (sentence,) = closed(listeners, firewall_open_ports=[{"protocol": "tcp", "port": 80}], dns_anycast_addresses=["192.0.2.53/32"])
    assert "would close tcp port 443 (192.0.2.9). " in sentence
    for yes in (True, "true"):
        assert closed(listeners, ["virbr0"], firewall_close=yes) == []
    assert closed(listeners, firewall_close="false")
    # One that is there already closes nothing, and one that filters nothing neither.
    assert (
        closed(listeners, filtered=True)
        == closed(listeners, firewall_trusted_interfaces=[])
        == closed(listeners, firewall_state="absent")
        == []
    )


@pytest.mark.parametrize(
    ("manager", "variables", "named"),
    [
        (True, {"vrf_interfaces": [{"name": "eth1", "vrf": "CORE"}]}, "eth1 is to be in VRF CORE"),
        (True, {"vrf_interfaces": [{"name": "eth1", "bridge": "br0"}]}, "eth1 is to be in bridge br0"),
        (True, {"vrf_interfaces": [{"name": "eth1"}]}, ""),
        (
            True,
            {"vrf_interfaces": [{"name": "br0", "kind": "bridge", "vrf": "CORE"}, {"name": "wg9", "vrf": "CORE", "unit": "x.service"}]},
            "",
        ),
        (True, {"vrf_interfaces": [{"name": "wg1", "vrf": "CORE"}], "wireguard_interfaces": [{"name": "wg1"}]}, ""),
        (
            True,
            {"vrf_interfaces": [{"name": "eth1", "vrf": "CORE"}], "frr_interfaces": [{"name": "eth1", "addresses": ["192.0.2.1/24"]}]},
            "",
        ),
        # A port of a bridge needs no address; the bridge has it.
        (
            True,
            {"vrf_interfaces": [{"name": "eth1", "bridge": "br0"}], "frr_interfaces": [{"name": "br0", "addresses": ["192.0.2.1/24"]}]},
            "",
        ),
        (True, {"vrf_interfaces": [{"name": "eth1", "vrf": "CORE"}], "frr_interfaces": [{"name": "eth1"}]}, "eth1 is to be in VRF CORE"),
        (False, {"vrf_interfaces": [{"name": "eth1", "vrf": "CORE"}]}, ""),
    ],
)
def test_network_manager_leaves_a_member_without_an_address(manager: bool, variables: dict[str, Any], named: str) -> None:
    host = HOST | {"kernel": "6.12.0", "kernel_features": FEATURES, "network_manager": manager}
    told = host_requirements(host, {"preflight_allow_network_manager": True, **variables})
    assert [line.split(",")[0] for line in told] == ([named] if named else [])
    assert all("Remedy: " in line for line in told)


@pytest.mark.parametrize(
    ("variables", "refused"),
    [
        ({"vrf_interfaces": [{"name": "eth1", "vrf": "CORE"}], "frr_interfaces": [{"name": "eth1", "addresses": ["192.0.2.1/24"]}]}, True),
        ({"vrf_interfaces": [{"name": "eth1", "bridge": "br0"}], "frr_interfaces": [{"name": "br0", "addresses": ["192.0.2.1/24"]}]}, True),
        ({"frr_interfaces": [{"name": "eth1", "addresses": ["192.0.2.1/24"]}]}, True),
        ({"vrf_interfaces": [{"name": "eth1", "mtu": 1400}], "frr_interfaces": [{"name": "eth1", "addresses": ["192.0.2.1/24"]}]}, False),
        ({"vrf_interfaces": [{"name": "eth1"}]}, False),
    ],
)
def test_network_manager_lets_go_of_the_mtu_of_its_connection(variables: dict[str, Any], refused: bool) -> None:
    host = HOST | {
        "kernel": "6.12.0",
        "kernel_features": FEATURES,
        "network_manager": True,
        "connection_mtus": {"eth0": 1400, "eth1": 9000},
    }
    told = host_requirements(host, {"preflight_allow_network_manager": True, **variables})
    assert [line.partition(",")[0] for line in told] == (["eth1 has the MTU 9000 from a connection of NetworkManager's"] if refused else [])


@pytest.mark.parametrize(
    ("nic", "networkd", "refused"),
    [
        ({"vrf": "WAN", "asks_dhcp": True}, [], "DHCP"),
        ({"vrf": "WAN", "hears_routers": True}, ["eth0"], "router advertisements"),
        ({"vrf": "WAN", "asks_dhcp": True, "hears_routers": True}, ["eth1"], ""),
        ({"asks_dhcp": True, "hears_routers": True}, [], ""),
        ({"vrf": "WAN"}, [], ""),
        # Nothing is known of a host that was looked at by an older version.
        ({"vrf": "WAN", "asks_dhcp": True}, None, ""),
    ],
)
def test_a_default_route_that_is_learned_in_a_vrf_is_networkds(nic: dict[str, Any], networkd: list[str] | None, refused: str) -> None:
    host = HOST | {"kernel": "6.12.0", "kernel_features": FEATURES, **({"networkd": networkd} if networkd is not None else {})}
    told = host_requirements(host, {"vrf_interfaces": [{"name": "eth1", **nic}]})
    assert [f"learns its default route ({refused})" in line and "Remedy: " in line for line in told] == ([True] if refused else [])
