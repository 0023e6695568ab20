# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host must bring before a router can be built on it: kernel rules and tools, each with its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import openvpn, owners, wireguard
from ansible_collections.xuegao.net.plugins.module_utils.ownership import needs_yes, refusal
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, TITLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES
from ansible_collections.xuegao.net.plugins.plugin_utils.validate import others_filters

SUPPORTED_FAMILIES = ("Debian", "RedHat")
# How far a clock may be off, in s: it is compared when the host's answer arrives.
CLOCK_SECONDS = 60

# Which kernels have a feature, by the release that brought it into the tree.
MPLS_USABLE = (4, 5)  # FRR's installation guide
VRF_FIRST = (4, 4)  # Documentation/networking/vrf.rst
VRF_SOCKET_BUG = ((4, 14), (4, 19))  # FRR's installation guide: VRF-specific TCP sockets are not properly handled
# What role vrf makes beside tunnels, by the kind of interface: the module of the kernel that it needs.
_MODULE_OF_KIND = {"bridge": "bridge", "dummy": "dummy", "macvlan": "macvlan"} | {
    kind.kernel_kind: kind.kernel_module for kind in LINK_TYPES.values() if not kind.tunnel and kind.kernel_module
}
# All modules that are judged; module host_facts looks for these.
JUDGED = frozenset(
    {
        "mpls_router",
        "vrf",
        *_MODULE_OF_KIND.values(),
        *(module for kind in TUNNELS for module in (kind.kernel_module, kind.kernel_module_ipv6)),
    }
    - {""}
)

# Roles that take over what somebody else has made, when that is said.
_ADOPTED = tuple(name for name in ROLES if name in owners.ROLES)
# What a bare host listens on, or a daemon of the roles, and nobody loses by the filter: clients of DHCP and NTP, mDNS and LLMNR, the port mapper, which serves
# nothing itself; BGP and BFD, seamless BFD (RFC 7881) included, come from trusted interfaces.
_NO_LOSS = frozenset(
    {("udp", port) for port in (68, 111, 123, 546, 3784, 3785, 4784, 5353, 5355, 7784)} | {("tcp", port) for port in (111, 179, 5355)}
)
# What the daemon of a role listens on, by the role.
_OF_ROLES = {"dns_anycast": (53,)}
# Where tunnels have their port.
_TUNNEL_PORTS = ("listen_port", "port")
# The variables of a host that the rules look at. Those that it has not count as not given.
ASKED = others_filters.ASKED | frozenset(
    {
        *("preflight_allow_network_manager", "preflight_needs_mpls", "xgn_adopt", "xgn_remove_all"),
        *(f"{role}_adopt" for role in _ADOPTED),
        *("firewall_close", "firewall_forward", "firewall_open_ports", "firewall_ssh_port", "frr_interfaces"),
        *(name for role in ("firewall", *_OF_ROLES) for name in (*ROLES[role].declares, *ROLES[role].absent[:1])),
        *("frr_bgp", "sysctl_tcp_l3mdev_accept", "vrf_interfaces", "vrf_vrfs"),
        *(kind.variable for kind in TUNNELS),
        *(name for role in ROLES.values() if role.removes for name in (*role.declares, *role.absent[:1], role.remove_all)),
    }
)


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

    host: the fact C(xgn_host) of module C(host_facts), as its action hands it on. variables: those of `ASKED` that this host has.
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
            "`systemctl disable --now NetworkManager`; or set preflight_allow_network_manager: true, and role vrf tells it to leave them unmanaged."
        )
    problems += _clock_problems(host)
    problems += _kernel_problems(host, variables)
    problems += _missing_interfaces(host.get("interfaces", []), variables)
    problems += _closed_problems(host, variables)
    problems += _manager_problems(host, variables)
    problems += owners_problems(host, variables)
    return problems + _lost_variables(host.get("recorded", {}), variables)


def _clock_problems(host: Mapping[str, Any]) -> list[str]:
    """Return a sentence where the host's clock is far from the controller's: certificates, archives and WireGuard's handshakes go by it."""
    ahead = host.get("clock_offset", 0)
    if abs(ahead) <= CLOCK_SECONDS:
        return []
    there, here = (f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" for seconds in (host["time"], host["time"] - ahead))
    sentence = (
        f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the controller's (there {there}, here {here}): peers refuse WireGuard "
        "handshakes that look old, and certificates and package archives look expired or not yet valid. Remedy: set the clock that is wrong (`date`), and "
        "run a time service such as systemd-timesyncd."
    )
    return [sentence]


def archive_problems(candidates: Mapping[str, str | None], error: str = "") -> list[str]:
    """Return a sentence for each package that has to be installed and that no archive of the host has.

    candidates: version by name, None for none, as of module ``package_candidates``. error: what apt said of archives that it could not read.
    """
    said = f" apt says: {' '.join(error.split())}" if error else ""
    return [
        f"package {name} has to be installed{' (Ansible needs it to install any other)' if name == 'python3-apt' else ''}, and no archive that this host "
        f"reaches has it. Remedy: give it an archive (/etc/apt/sources.list, sources.list.d), or install the package by hand.{said}"
        for name, version in candidates.items()
        if version is None
    ]


def _missing_interfaces(there: Sequence[str], variables: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each interface that somebody else has to have made, and has not: role vrf would fail midway. there: those of the host."""
    entries = [entry for entry in variables.get("vrf_interfaces") or [] if isinstance(entry, Mapping)]
    made = {entry.get("name") for entry in entries if any(entry.get(key) for key in ("kind", "unit", "dynamic"))}
    made.update(entry.get("name") for name in ("vrf_vrfs", *(kind.variable for kind in TUNNELS)) for entry in variables.get(name) or [])
    problems = []
    for entry in entries if there else ():
        for key in ("name", "parent"):
            name = entry.get(key)
            if name and name not in made and name not in there:
                # Once each.
                made.add(name)
                problems.append(
                    f"{name} is {'in vrf_interfaces' if key == 'name' else 'the parent of ' + str(entry.get('name'))}, and the host has no such interface "
                    f"(it has {', '.join(sorted(there, key=natural_order))}). Remedy: correct the name where it is planned or written, or name the unit "
                    "that makes it (vrf_interfaces[].unit)."
                )
    return problems


def _closed_problems(host: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Return a sentence that names what the first filter of a host would close, unless somebody has said that it may."""
    trusted = set(variables.get("firewall_trusted_interfaces") or [])
    # With --extra-vars it may come as a text.
    yes = str(variables.get("firewall_close", False)).lower() in ("true", "yes", "on", "1")
    if host.get("filtered", True) or yes or not trusted or not ROLES["firewall"].is_declared(variables):
        return []
    ports: dict[tuple[str, int], list[str]] = {}
    for socket in host.get("listeners", []):
        ports.setdefault((socket["protocol"], socket["port"]), []).append(socket["address"])
    inside = {
        text.partition("/")[0]
        for entry in variables.get("frr_interfaces") or []
        if entry.get("name") in trusted
        for text in entry.get("addresses") or []
    }
    stay = _NO_LOSS | _ports_that_stay(variables)
    lost = [
        f"{protocol} port {port} ({', '.join(addresses)})"
        for (protocol, port), addresses in ports.items()
        if (protocol, port) not in stay and not inside.issuperset(addresses)
    ]
    known = _planned_interfaces(variables) | trusted
    known.update(word.partition(" ")[2] for words in host.get("recorded", {}).values() for word in words if word.startswith("interface "))
    lost += [f"what comes from {name}" for name in host.get("others_behind", []) if name not in known]
    if not lost:
        return []
    sentence = (
        f"the packet filter is not in force there yet, and would close {'; '.join(lost)}. Remedy: override firewall_open_ports for ports, and "
        "firewall_trusted_interfaces for interfaces, that have to stay open; then set firewall_close: true, and what is left is closed."
    )
    return [sentence]


def _ports_that_stay(variables: Mapping[str, Any]) -> set[tuple[str, int]]:
    """Return the ports that the variables open, or on which tunnels and daemons of the roles listen."""
    found = {(entry["protocol"], entry["port"]) for entry in variables.get("firewall_open_ports") or [] if "port" in entry}
    found.add(("tcp", int(variables.get("firewall_ssh_port", 22))))
    numbers = [port for role, ports in _OF_ROLES.items() if ROLES[role].is_declared(variables) for port in ports]
    numbers += [
        port for kind in TUNNELS for entry in variables.get(kind.variable) or [] for key in _TUNNEL_PORTS if (port := entry.get(key))
    ]
    kinds = [kind for kind in TUNNELS if variables.get(kind.variable)]
    numbers += [port for kind in kinds for port in (kind.ports.number or 0, *(port for _protocol, port in kind.ports.fixed)) if port]
    # What comes inside of IPsec: its daemon listens beside the ports of the tunnel.
    if variables.get("l2tp_ipsec_tunnels"):
        numbers.append(1701)
    return found | {(protocol, number) for protocol in ("tcp", "udp") for number in numbers}


def _planned_interfaces(variables: Mapping[str, Any]) -> set[str]:
    """Return the interfaces that the variables name, trusted or not."""
    found = {name for key in ("firewall_strict_interfaces", "firewall_loose_interfaces") for name in variables.get(key) or []}
    for entry in variables.get("firewall_forward") or []:
        found.update((*entry.get("to", ()), entry.get("interface") or ""))
    return found | {str(entry.get("name")) for entry in variables.get("vrf_interfaces") or []}


def _nics(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of vrf_interfaces that somebody else has made and no unit makes: those that a network manager configures."""
    made = {entry.get("name") for name in ("vrf_vrfs", *(kind.variable for kind in TUNNELS)) for entry in variables.get(name) or []}
    entries = [entry for entry in variables.get("vrf_interfaces") or [] if isinstance(entry, Mapping)]
    return [entry for entry in entries if entry.get("name") not in made and not any(entry.get(key) for key in ("kind", "unit", "dynamic"))]


def _manager_problems(host: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each NIC that would lose its address, its MTU or its default route, by who configures it.

    NetworkManager leaves a member of a VRF or bridge alone, so nobody gives it an address but FRR; and no manager but networkd can be told into which table a
    default route that the NIC learns belongs.
    """
    addressed = {entry.get("name") for entry in variables.get("frr_interfaces") or [] if entry.get("addresses")}
    by_networkd, problems = host.get("networkd"), []
    for nic in _nics(variables):
        name, vrf = nic.get("name"), nic.get("vrf")
        master = nic.get("bridge") or vrf
        if host["network_manager"] and master and not addressed & {name, nic.get("bridge")}:
            problems.append(
                f"{name} is to be in {'bridge' if nic.get('bridge') else 'VRF'} {master}, where NetworkManager leaves it alone: the address that it has from "
                "NetworkManager would go with its lease, or with the next boot. Remedy: give it its addresses in frr_interfaces, or let systemd-networkd "
                "configure it."
            )
        elif vrf and by_networkd is not None and name not in by_networkd and (nic.get("asks_dhcp") or nic.get("hears_routers")):
            problems.append(
                f"{name} is to be in VRF {vrf} and learns its default route ({'DHCP' if nic.get('asks_dhcp') else 'router advertisements'}), and "
                "systemd-networkd "
                "does not configure it: whoever does puts that route into the main table. Remedy: let systemd-networkd configure it, or write its address and "
                "gateway down."
            )
    nics = {nic.get("name"): nic for nic in _nics(variables)}
    for name, mtu in (host.get("connection_mtus") or {}).items():
        nic = nics.get(name, {})
        if "mtu" not in nic and (name in addressed or nic.get("bridge") or nic.get("vrf")):
            problems.append(
                f"{name} has the MTU {mtu} from a connection of NetworkManager's, which leaves it alone from now on: with the next boot it would have "
                f"the one that its driver gives. Remedy: write mtu: {mtu} down with the interface."
            )
    return problems


def asked_of(role: str) -> frozenset[str]:
    """Return the variables of a host that `owners_problems` looks at for one role."""
    return frozenset({"xgn_adopt", f"{role}_adopt", *ROLES[role].declares, *ROLES[role].absent[:1]})


def owners_problems(host: Mapping[str, Any], variables: Mapping[str, Any], roles: Sequence[str] = _ADOPTED) -> list[str]:
    """Return one sentence for each role that would rewrite what somebody else has made, unless somebody has said that it is to be taken over.

    roles: those to look at; the other parameters as of `host_requirements`.
    """
    allowed = variables.get("xgn_adopt") or []
    named = _named_by_people(variables)
    problems = []
    for name in roles:
        taken_over = variables.get(f"{name}_adopt") or name in allowed
        items = [item for item in host.get("owners", {}).get(name, []) if name not in named or item in named[name]]
        if items and not taken_over and ROLES[name].is_wanted(variables):
            problems.append(owners.refusal(name, items))
    return problems


def _named_by_people(variables: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return what a role with objects of people's names would write, as words of kind and name: beside it lies what is the owner's to keep."""
    wireguards = [str(entry.get("name")) for entry in variables.get("wireguard_interfaces") or []]
    tunnels = [(str(entry.get("name")), str(entry.get("role"))) for entry in variables.get("openvpn_tunnels") or []]
    return {
        "wireguard": {words for name in wireguards for words in (f"file {wireguard.conf_path(name)}", f"interface {name}")},
        "openvpn": {words for name, role in tunnels for words in (f"file {openvpn.conf_path(name, role)}", f"interface {name}")},
    }


def _lost_variables(recorded: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each role that would lose its last object, unless somebody has said that this is meant."""
    allowed = variables.get("xgn_remove_all") or []
    return [
        refusal(role.name, recorded[role.name])
        for role in ROLES.values()
        if needs_yes(recorded.get(role.name, []))
        and not role.is_wanted(variables)
        and not (role.is_taken_away(variables) or variables.get(role.remove_all))
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
    for title, module, since in _needed(variables):
        if since is not None and kernel < since and features[module] in ("missing", "unknown"):
            problems.append(f"{title} is in the kernel since {since[0]}.{since[1]}; {found}. {newer}")
        elif features[module] == "missing":
            problems.append(f"{title} needs the kernel module {module}; {found}, built without it. {newer}")
    return problems


def _needed(variables: Mapping[str, Any]) -> list[tuple[str, str, tuple[int, int] | None]]:
    """Return, once each, what the interfaces of a host are called, the module they need, and the release that brought it where older ones are in use."""
    found: list[tuple[str, str, tuple[int, int] | None]] = []
    for kind in TUNNELS:
        for entry in variables.get(kind.variable) or []:
            local = entry.get("local")
            over = f" over {TITLE[FAMILY[6 if ':' in (local or '') else 4]]}" if kind.kernel_module_ipv6 else ""
            found.append((kind.title + over, kind.module_of(local), kind.kernel_since))
    for entry in variables.get("vrf_interfaces") or []:
        if entry.get("kind") in _MODULE_OF_KIND:
            found.append((f"An interface of kind {entry['kind']}", _MODULE_OF_KIND[entry["kind"]], None))
    return list(dict.fromkeys(found))
