"""What a host must bring before a router can be built on it: kernel rules and tools, each with its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.ownership import needs_yes, refusal
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES

SUPPORTED_FAMILIES = ("Debian", "RedHat")

# Which kernels have a feature, by the release that brought it into the tree.
WIREGUARD_IN_TREE = (5, 6)  # commit e7096c131e51, Linux 5.6
MPLS_USABLE = (4, 5)  # FRR's installation guide
VRF_FIRST = (4, 4)  # Documentation/networking/vrf.rst
VRF_SOCKET_BUG = ((4, 14), (4, 19))  # FRR's installation guide: VRF-specific TCP sockets are not properly handled


def kernel_version(release: str) -> tuple[int, int]:
    """Major and minor number of a kernel release such as C(6.12.41+deb13-cloud-amd64).

    Raises ValueError when the release does not begin with two numbers.
    """
    match = re.match(r"(\d+)\.(\d+)", release)
    if match is None:
        raise ValueError(f"kernel release {release!r} does not begin with two numbers")
    return int(match[1]), int(match[2])


def host_requirements(host: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Requirements the host does not meet, one sentence each: the rule, what was found, the remedy.

    host: the fact C(xgn_host) of module C(host_facts). variables: the roles' variables of this host; those it does not
    use may be absent.
    """
    problems = []
    if host["os_family"] not in SUPPORTED_FAMILIES:
        problems.append(
            f"distribution family {host['os_family']!r} is not known (known: {', '.join(SUPPORTED_FAMILIES)}). "
            "Remedy: use Debian 12 or 13, which are tested."
        )
    if not host["systemd"]:
        problems.append("systemd is not running as PID 1, so no boot order can be kept. Remedy: boot the host with systemd.")
    if host["network_manager"] and not variables.get("preflight_allow_network_manager", False):
        problems.append(
            "NetworkManager runs and takes interfaces that belong to VRFs. Remedy: move the uplink to systemd-networkd or ifupdown, then "
            "`systemctl disable --now NetworkManager`; or set preflight_allow_network_manager: true when it leaves our interfaces unmanaged."
        )
    problems += _kernel_problems(host, variables)
    return problems + _lost_variables(host.get("recorded", {}), variables)


def _lost_variables(recorded: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each role that would lose its last object, unless somebody has said that this is meant."""
    allowed = variables.get("xgn_remove_all") or []
    return [
        refusal(role.name, recorded[role.name])
        for role in ROLES.values()
        if needs_yes(recorded.get(role.name, []))
        and not role.is_wanted(variables)
        and not variables.get(role.remove_all)
        and role.name not in allowed
    ]


def _kernel_problems(host: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    kernel, features = kernel_version(host["kernel"]), host["kernel_features"]
    found = f"this kernel is {host['kernel']}"
    newer = "Remedy: install the distribution's current kernel (Debian: linux-image-amd64) and reboot."
    problems = []
    if variables.get("preflight_needs_mpls") and kernel < MPLS_USABLE:
        problems.append(f"MPLS needs kernel 4.5 or newer; {found}. {newer}")
    elif variables.get("preflight_needs_mpls") and features["mpls_router"] == "missing":
        problems.append(f"MPLS needs the kernel module mpls_router; {found}, built without it. {newer}")
    if variables.get("vrf_vrfs"):
        if kernel < VRF_FIRST:
            problems.append(f"VRF needs kernel 4.4 or newer; {found}. {newer}")
        elif features["vrf"] == "missing":
            problems.append(f"VRF needs the kernel module vrf; {found}, built without it. {newer}")
    bgp_in_vrf = any(instance.get("vrf") for instance in variables.get("frr_bgp") or [])
    if bgp_in_vrf and VRF_SOCKET_BUG[0] <= kernel < VRF_SOCKET_BUG[1] and variables.get("sysctl_tcp_l3mdev_accept", 0) != 1:
        problems.append(
            f"kernels 4.14 to 4.18 do not handle TCP sockets in a VRF, so BGP there stays down; {found}. "
            "Remedy: set sysctl_tcp_l3mdev_accept: 1 (BGP passwords do not work then), or install a newer kernel and reboot."
        )
    if variables.get("wireguard_interfaces"):
        if kernel < WIREGUARD_IN_TREE and features["wireguard"] in ("missing", "unknown"):
            problems.append(f"WireGuard is in the kernel since 5.6; {found}. {newer}")
        elif features["wireguard"] == "missing":
            problems.append(f"WireGuard needs the kernel module wireguard; {found}, built without it. {newer}")
    for module, family in (("ip_gre", "IPv4"), ("ip6_gre", "IPv6")):
        used = any((":" in tunnel.get("local", "")) == (family == "IPv6") for tunnel in variables.get("gre_interfaces") or [])
        if used and features[module] == "missing":
            problems.append(f"GRE over {family} needs the kernel module {module}; {found}, built without it. {newer}")
    return problems
