"""What makes one machine different from another with the same image, as a tar archive for its second disk."""

from __future__ import annotations

import io
import ipaddress
import json
import tarfile
import uuid
from collections.abc import Mapping

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
        f"RequiredForOnline={'yes' if nic.addresses or nic.dynamic else 'no'}",
        "",
        "[Network]",
        f"DHCP={'ipv4' if nic.dynamic else 'no'}",
        f"IPv6AcceptRA={'yes' if nic.dynamic else 'no'}",
        "LLDP=no",
        "ConfigureWithoutCarrier=yes",
    ]
    if not nic.addresses and not nic.dynamic:
        lines.append("LinkLocalAddressing=no")
    lines += [f"Address={address}" for address in nic.addresses]
    for route in nic.routes:
        lines += ["", "[Route]", f"Destination={_prefix(route)}", f"Gateway={route.via}"]
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


# Short, so that a test sees leases and routers renewed: seconds of a lease, between advertisements, and that a router is one without another.
_LEASE, _INTERVAL, _LIFETIME = 120, 10, 40
# Whose files become those of networkd.
_BY_NETWORKD = ("netplan", "cloud-init")
_UNITS = {
    "networkd": ("systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service"),
    "ifupdown": ("networking.service",),
    "NetworkManager": ("NetworkManager.service", "NetworkManager-wait-online.service", "NetworkManager-dispatcher.service"),
}
# Where cloud-init looks for what a cloud tells a machine.
_CLOUD_SEED = "var/lib/cloud/seed/nocloud"
_NEVER = "[Unit]\nConditionPathExists=/nonexistent\n"


def manager_files(vm: Vm) -> dict[str, str]:
    """Return the files with which a machine's manager, one other than networkd alone, configures what the lab asks for."""
    nics = {f"eth{index}": nic for index, nic in enumerate(vm.nics)}
    nics[MANAGEMENT_NAME] = Nic("", vm.management_mac, addresses=(f"{MANAGEMENT_GUEST}/24",))
    if vm.manager in _BY_NETWORKD:
        network: dict[str, object] = {"version": 2, "ethernets": {name: _ethernet(nic) for name, nic in nics.items()}}
        if vm.manager == "cloud-init":
            return {f"{_CLOUD_SEED}/network-config": json.dumps(network, indent=1) + "\n", **_cloud_files(vm)}
        return {"etc/netplan/70-lab.yaml": json.dumps({"network": {"renderer": "networkd", **network}}, indent=1) + "\n"}
    if vm.manager == "ifupdown":
        stanzas = (_stanza(name, nic) for name, nic in nics.items())
        return {"etc/network/interfaces": "\n".join(["auto lo", "iface lo inet loopback", *stanzas, ""])}
    return {f"etc/NetworkManager/system-connections/{name}.nmconnection": _connection(name, nic) for name, nic in nics.items()}


def _cloud_files(vm: Vm) -> dict[str, str]:
    """Return what a cloud would tell cloud-init, and what it leaves to the seed: names, keys, who may log in."""
    settings = {
        "datasource_list": ["NoCloud"],
        "preserve_hostname": True,
        "manage_etc_hosts": False,
        "ssh_deletekeys": False,
        "ssh_genkeytypes": [],
        "disable_root": False,
        "users": [],
        # The image has several; its own order would take ifupdown.
        "system_info": {"network": {"renderers": ["netplan"]}},
        # The disk is as large as it will be.
        "growpart": {"mode": "off"},
        "resize_rootfs": False,
    }
    return {
        "etc/cloud/cloud.cfg.d/90-lab.cfg": json.dumps(settings, indent=1) + "\n",
        f"{_CLOUD_SEED}/meta-data": f"instance-id: first\nlocal-hostname: {vm.name}\n",
        f"{_CLOUD_SEED}/user-data": "#cloud-config\n{}\n",
    }


def _ethernet(nic: Nic) -> dict[str, object]:
    return {
        "dhcp4": nic.dynamic,
        "dhcp6": False,
        "accept-ra": nic.dynamic,
        "link-local": ["ipv6"] if nic.dynamic else [],
        "mtu": nic.mtu,
        "addresses": list(nic.addresses),
        "routes": [{"to": _prefix(route), "via": route.via} for route in nic.routes],
        "optional": not (nic.addresses or nic.dynamic),
    }


def _prefix(route: Route) -> str:
    """Return where a route leads, as a prefix: networkd and cloud-init do not know the word default, or not by its family."""
    return {"default": "::/0" if ":" in route.via else "0.0.0.0/0"}.get(route.to, route.to)


def _stanza(name: str, nic: Nic) -> str:
    lines = [f"auto {name}"]
    if nic.dynamic:
        # A router hears advertisements with 2 alone, and ifup sets what stands here.
        lines += [f"iface {name} inet dhcp", f"  pre-up ip link set {name} mtu {nic.mtu}", f"iface {name} inet6 auto", "  accept_ra 2"]
        return "\n".join([*lines, ""])
    for family in ("inet", "inet6"):
        lines += [
            line
            for address in nic.addresses
            if (":" in address) == (family == "inet6")
            for line in (f"iface {name} {family} static", f"  address {address}")
        ]
        lines += [f"  gateway {route.via}" for route in nic.routes if route.to == "default" and (":" in route.via) == (family == "inet6")]
    if not nic.addresses:
        lines += [f"iface {name} inet manual", f"  up ip link set {name} up", f"  down ip link set {name} down"]
    return "\n".join([*lines, f"  mtu {nic.mtu}" if nic.addresses else f"  pre-up ip link set {name} mtu {nic.mtu}", ""])


def _connection(name: str, nic: Nic) -> str:
    lines = ["[connection]", f"id={name}", "type=ethernet", f"interface-name={name}", "", "[ethernet]", f"mtu={nic.mtu}"]
    for family in ("ipv4", "ipv6"):
        own = [address for address in nic.addresses if (":" in address) == (family == "ipv6")]
        lines += ["", f"[{family}]", f"method={'auto' if nic.dynamic else 'manual' if own else 'disabled'}"]
        lines += [f"address{number}={address}" for number, address in enumerate(own, 1)]
        lines += [f"gateway={route.via}" for route in nic.routes if route.to == "default" and (":" in route.via) == (family == "ipv6")]
    return "\n".join([*lines, ""])


def provider_unit(nics: Mapping[str, Nic]) -> str:
    """Return the unit of what answers DHCP and advertises a router on these NICs. Names are no matter of its."""
    command = ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--port=0", "--bind-dynamic"]
    command += ["--dhcp-leasefile=/run/lab-provider.leases", "--dhcp-authoritative", "--enable-ra"]
    for name, nic in nics.items():
        command += [f"--interface={name}", f"--ra-param={name},{_INTERVAL},{_LIFETIME}"]
        for address in map(ipaddress.ip_interface, nic.addresses):
            network = address.network
            if network.version == 4:
                # The upper half: fixed addresses are mostly below, and the gateway is the last one.
                first, last = network.network_address + network.num_addresses // 2, network.broadcast_address - 2
                command.append(f"--dhcp-range={first},{last},{network.netmask},{_LEASE}")
            else:
                command.append(f"--dhcp-range={network.network_address},ra-only,{network.prefixlen},{_LEASE}")
    return f"[Unit]\nAfter=network.target\n\n[Service]\nExecStart={' '.join(command)}\nRestart=on-failure\n"


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
            if manager != ("networkd" if vm.manager in _BY_NETWORKD else vm.manager)
            for unit in units
        },
    }
    if vm.manager != "cloud-init":
        files["etc/cloud/cloud-init.disabled"] = ""
    if provides := {f"eth{index}": nic for index, nic in enumerate(vm.nics) if nic.provides}:
        files["etc/systemd/system/lab-provider.service"] = provider_unit(provides)
        files["etc/systemd/system/multi-user.target.d/70-lab.conf"] = "[Unit]\nWants=lab-provider.service\n"
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
