"""What makes one machine different from another with the same image, as a tar archive for its second disk."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from collections.abc import Mapping, Sequence

from lab.topology import Nic, Route, Topology, Vm

# A network of the link-local range: it collides with no network that a topology or a product would plan.
MANAGEMENT_NETWORK = "169.254.77.0/24"
MANAGEMENT_GUEST = "169.254.77.15"
MANAGEMENT_HOST = "169.254.77.2"
MANAGEMENT_NAME = "mgmt0"
# Product files such as 10-eth0.network come before it and so win over the lab's.
_PREFIX = "70-lab-"

# The permanent address: the product may set another one. Without Kind a VLAN or macvlan on top could match, too.
_MATCH = "[Match]\nPermanentMACAddress={mac}\nKind=!*\n"


def nic_link(mac: str, name: str) -> str:
    """Return the .link file that gives a NIC its name; the kernel counts NICs, and User Mode Linux's calls them vec0, vec1, ..."""
    return _MATCH.format(mac=mac) + f"\n[Link]\nName={name}\n"


def nic_network(nic: Nic) -> str:
    """Return the systemd-networkd file of a wire NIC."""
    lines = [
        _MATCH.format(mac=nic.mac),
        "[Link]",
        f"MTUBytes={nic.mtu}",
        # Only what the lab itself configures may delay network-online.target.
        f"RequiredForOnline={'yes' if nic.addresses else 'no'}",
        "",
        "[Network]",
        "DHCP=no",
        "IPv6AcceptRA=no",
        "LLDP=no",
        "ConfigureWithoutCarrier=yes",
    ]
    if not nic.addresses:
        lines.append("LinkLocalAddressing=no")
    lines += [f"Address={address}" for address in nic.addresses]
    for route in nic.routes:
        to = {"default": "::/0" if ":" in route.via else "0.0.0.0/0"}.get(route.to, route.to)
        lines += ["", "[Route]", f"Destination={to}", f"Gateway={route.via}"]
    return "\n".join(lines) + "\n"


def management_network(mac: str) -> str:
    """Return the systemd-networkd file of the management NIC: an address and nothing else, so no default route."""
    lines = [
        _MATCH.format(mac=mac),
        "[Network]",
        "DHCP=no",
        "IPv6AcceptRA=no",
        "LLDP=no",
        "LinkLocalAddressing=no",
        "",
        "[Address]",
        f"Address={MANAGEMENT_GUEST}/24",
        # Nobody else is on this wire; networkd would take seven seconds to be sure of it.
        "DuplicateAddressDetection=none",
    ]
    return "\n".join(lines) + "\n"


# What runs a manager's files; netplan's are run by networkd.
_UNITS = {
    "networkd": ("systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service"),
    "ifupdown": ("networking.service",),
    "NetworkManager": ("NetworkManager.service", "NetworkManager-wait-online.service", "NetworkManager-dispatcher.service"),
}
_NEVER = "[Unit]\nConditionPathExists=/nonexistent\n"


def manager_files(vm: Vm) -> dict[str, str]:
    """Return the files with which a machine's manager, one other than networkd alone, configures what the lab asks for."""
    nics = [(f"eth{index}", nic.mtu, nic.addresses, nic.routes) for index, nic in enumerate(vm.nics)]
    nics.append((MANAGEMENT_NAME, 1500, (f"{MANAGEMENT_GUEST}/24",), ()))
    if vm.manager == "netplan":
        ethernets = {}
        for name, mtu, addresses, routes in nics:
            ethernets[name] = {
                "dhcp4": False,
                "dhcp6": False,
                "accept-ra": False,
                "link-local": [],
                "mtu": mtu,
                "addresses": list(addresses),
            }
            ethernets[name] |= {"routes": [{"to": route.to, "via": route.via} for route in routes], "optional": not addresses}
        document = {"network": {"version": 2, "renderer": "networkd", "ethernets": ethernets}}
        return {"etc/netplan/70-lab.yaml": json.dumps(document, indent=1) + "\n"}
    if vm.manager == "ifupdown":
        return {"etc/network/interfaces": "\n".join(["auto lo", "iface lo inet loopback", *(_stanza(*nic) for nic in nics), ""])}
    return {f"etc/NetworkManager/system-connections/{nic[0]}.nmconnection": _connection(*nic) for nic in nics}


def _stanza(name: str, mtu: int, addresses: Sequence[str], routes: Sequence[Route]) -> str:
    lines = [f"auto {name}"]
    for family in ("inet", "inet6"):
        lines += [
            line
            for address in addresses
            if (":" in address) == (family == "inet6")
            for line in (f"iface {name} {family} static", f"  address {address}")
        ]
        lines += [f"  gateway {route.via}" for route in routes if route.to == "default" and (":" in route.via) == (family == "inet6")]
    if not addresses:
        lines += [f"iface {name} inet manual", f"  up ip link set {name} up", f"  down ip link set {name} down"]
    return "\n".join([*lines, f"  mtu {mtu}" if addresses else f"  pre-up ip link set {name} mtu {mtu}", ""])


def _connection(name: str, mtu: int, addresses: Sequence[str], routes: Sequence[Route]) -> str:
    lines = ["[connection]", f"id={name}", "type=ethernet", f"interface-name={name}", "", "[ethernet]", f"mtu={mtu}"]
    for family in ("ipv4", "ipv6"):
        own = [address for address in addresses if (":" in address) == (family == "ipv6")]
        lines += ["", f"[{family}]", "method=manual" if own else "method=disabled"]
        lines += [f"address{number}={address}" for number, address in enumerate(own, 1)]
        lines += [f"gateway={route.via}" for route in routes if route.to == "default" and (":" in route.via) == (family == "ipv6")]
    return "\n".join([*lines, ""])


def seed_files(topology: Topology, vm: Vm, host_key: str, host_key_public: str, authorized: str) -> dict[str, str]:
    """Return path in the guest -> content of all that goes into the machine's seed.

    Parameters:
        topology: the lab.
        vm: the machine.
        host_key: its private ssh host key.
        host_key_public: the public one.
        authorized: the public key that may log in as root.
    """
    files = {
        "etc/hostname": f"{vm.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {vm.name}\n::1 localhost ip6-localhost ip6-loopback\n",
        # The same at each recreation, so that a machine keeps its identity.
        "etc/machine-id": uuid.uuid5(uuid.NAMESPACE_OID, f"xuegao.net lab {topology.name} {vm.name}").hex + "\n",
        "etc/ssh/ssh_host_ed25519_key": host_key,
        "etc/ssh/ssh_host_ed25519_key.pub": host_key_public,
        "root/.ssh/authorized_keys": authorized,
        f"etc/systemd/network/{_PREFIX}{MANAGEMENT_NAME}.link": nic_link(vm.management_mac, MANAGEMENT_NAME),
        f"etc/systemd/network/{_PREFIX}{MANAGEMENT_NAME}.network": management_network(vm.management_mac),
        # An image may hold several managers: those that this machine has not do not start.
        **{
            f"etc/systemd/system/{unit}.d/70-lab.conf": _NEVER
            for manager, units in _UNITS.items()
            if vm.manager != manager
            for unit in units
        },
    }
    if vm.manager == "netplan":
        files = {path: text for path, text in files.items() if path.split("/")[3:4] not in ([f"{unit}.d"] for unit in _UNITS["networkd"])}
    for index, nic in enumerate(vm.nics):
        files[f"etc/systemd/network/{_PREFIX}eth{index}.link"] = nic_link(nic.mac, f"eth{index}")
        if vm.manager == "networkd":
            files[f"etc/systemd/network/{_PREFIX}eth{index}.network"] = nic_network(nic)
    if vm.manager != "networkd":
        del files[f"etc/systemd/network/{_PREFIX}{MANAGEMENT_NAME}.network"]
        files |= manager_files(vm)
    return files


def seed_archive(files: Mapping[str, str]) -> bytes:
    """Return ``files`` as a tar archive whose bytes depend on nothing else. Keys are readable by root only."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in sorted(files.items()):
            if path.startswith("root/.ssh/"):
                directory = tarfile.TarInfo("root/.ssh")
                directory.type, directory.mode = tarfile.DIRTYPE, 0o700
                archive.addfile(directory)
            info = tarfile.TarInfo(path)
            info.mode = 0o600 if path.endswith(("_key", "authorized_keys", ".nmconnection", "netplan/70-lab.yaml")) else 0o644
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()
