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


@pytest.mark.parametrize(("ahead", "words"), [(-86400, "86400 s behind"), (3600, "3600 s ahead of"), (60, "")])
def test_a_clock_that_is_off_is_told(ahead: float, words: str) -> None:
    now = 1_700_000_000.0
    host = HOST | {"kernel": "6.12.0", "kernel_features": FEATURES, "time": now + ahead}
    told = host_requirements(host, {}, now)
    assert [words in line and "Remedy: set the clock" in line for line in told] == ([True] if words else [])
    assert host_requirements(host, {}) == []


def test_a_package_that_no_archive_has_is_named() -> None:
    told = archive_problems({"frr": "10.3-1", "gobgpd": None, "python3-apt": None}, "W: Failed to fetch\n  http://archive.example.org")
    assert [line.split()[1] for line in told] == ["gobgpd", "python3-apt"]
    assert "Ansible needs it to install any other" in told[1] and told[0].endswith(
        "apt says: W: Failed to fetch http://archive.example.org"
    )
    assert archive_problems({}) == []
