# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates of role dns_anycast print, and what else the role needs of its variables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypedDict

from ansible_collections.xuegao.net.plugins.module_utils.sysfs import index_path
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import DnsAnycastSshListen, DnsAnycastZone, HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.render.module_input import File, Unit
from ansible_collections.xuegao.net.plugins.plugin_utils.render.templates import rendered
from ansible_collections.xuegao.net.plugins.plugin_utils.render.unit_record import record_command

_SOA = re.compile(r"\sSOA\s")
# In a VRF there is no loopback to ask on: the guard gives the interface an address that no filter lets pass.
_LOOPBACK, _PROBE_IN_VRF = "127.0.0.1", "169.254.53.53"
_MS_PER_S = 1000
# A zone is read by the program that will serve it, before it takes the place of the old one. On a bare host in check mode the program is not there yet.
# That of Debian 13 names an error in a zone and exits with 0.
_ZONE_CHECK = (
    "sh -c 'command -v unbound-checkconf >/dev/null || exit 0;"
    r""" { echo auth-zone:; echo " name: \"$1.\""; echo " zonefile: \"$2\""; } > "$2.conf";"""
    ' said=$(unbound-checkconf "$2.conf" 2>&1 >/dev/null) && case $said in *error:*) ;; *) exit 0 ;; esac;'
    """ echo "$said" >&2; exit 1' sh"""
)


class Guard(TypedDict):
    """What the guard of the addresses reads; times in seconds."""

    addresses: list[str]
    interface: str
    vrf: str | None
    probe: str
    interval: float
    timeout: float
    fall: int
    rise: int
    grace: int


class Ssh(TypedDict):
    """Where sshd listens.

    Attributes:
        main: address and port of each socket outside of VRFs.
        sockets: systemd's units for those in VRFs.
        files: sshd's own, and those of the units.
    """

    main: list[str]
    sockets: list[str]
    files: list[File]


class DnsAnycastValues(TypedDict):
    """What `dns_anycast_values` returns.

    Attributes:
        addresses: the anycast addresses without prefix length.
        guard: what the guard reads.
        zones: the files of the zones.
        ssh: where sshd listens.
        units: what is to run, with the files that each unit's daemon reads.
        records: by unit, the command that records what its daemon reads.
    """

    addresses: list[str]
    guard: Guard
    zones: list[File]
    ssh: Ssh
    units: list[Unit]
    records: dict[str, str]


def dns_anycast_values(variables: HostVariables, directory: str = "/etc/unbound/unbound.conf.d") -> DnsAnycastValues:
    """Return what role dns_anycast needs of its variables.

    Parameters:
        variables: those of the role; ``dns_anycast_vrf`` may be missing or null, lists may be missing.
        directory: where unbound reads more settings.
    """
    vrf = variables.get("dns_anycast_vrf")
    addresses = [address.partition("/")[0] for address in variables.get("dns_anycast_addresses", [])]
    interval = variables["dns_anycast_interval"] / _MS_PER_S
    zones = zone_files(variables)
    units = _units(directory, [zone["path"] for zone in zones], vrf)
    return {
        "addresses": addresses,
        "guard": {
            "addresses": variables.get("dns_anycast_addresses", []),
            "interface": variables["dns_anycast_interface"],
            "vrf": vrf,
            "probe": probe_address(vrf),
            "interval": interval,
            "timeout": interval,
            "fall": variables["dns_anycast_fall"],
            "rise": variables["dns_anycast_rise"],
            "grace": variables["dns_anycast_grace"],
        },
        "zones": zones,
        "ssh": _ssh(variables.get("dns_anycast_ssh_listen", []), variables["dns_anycast_ssh_port"]),
        "units": units,
        "records": {unit["name"]: record_command(unit["restart_on"] + unit["reload_on"]) for unit in units},
    }


def socket_text(address: str, port: int, vrf: str | None = None) -> str:
    """Return address and port as sshd and systemd both write them; with a VRF, as ss shows them."""
    text = f"[{address}]" if ":" in address else address
    return f"{text}%{vrf}:{port}" if vrf else f"{text}:{port}"


def probe_address(vrf: str | None) -> str:
    """Return where this host's resolver is asked whether its anycast address is set or not; vrf is that of the anycast addresses."""
    return _LOOPBACK if vrf is None else _PROBE_IN_VRF


def zone_files(variables: HostVariables) -> list[File]:
    """Return the files of the zones, in the order of ``dns_anycast_zones``."""
    addresses = [address.partition("/")[0] for address in variables.get("dns_anycast_addresses", [])]
    return [_zone(zone, addresses) for zone in variables.get("dns_anycast_zones", [])]


def _zone(zone: DnsAnycastZone, addresses: list[str]) -> File:
    printed = {**zone, "has_soa": any(_SOA.search(record) for record in zone["records"])}
    return {
        "path": f"/etc/unbound/xgn-{zone['name']}.zone",
        "content": rendered("dns_anycast", "zone.j2", {"zone": printed, "addresses": addresses}),
        "validate": f"{_ZONE_CHECK} {zone['name']} %s",
    }


def _ssh(listen: Iterable[DnsAnycastSshListen], port: int) -> Ssh:
    sockets: dict[str, list[str]] = {}
    for item in listen:
        sockets.setdefault(item.get("vrf") or "", []).append(socket_text(item["address"], port))
    main = sockets.pop("", [])
    files: list[File] = []
    if main:
        files.append(
            {"path": "/etc/ssh/sshd_config.d/10-xgn.conf", "content": rendered("dns_anycast", "sshd.conf.j2", {"addresses": main})}
        )
    for vrf, texts in sockets.items():
        record = record_command([f"/etc/systemd/system/xgn-ssh-{vrf}.socket", index_path(vrf)])
        printed = {"vrf": vrf, "addresses": texts, "record": record}
        for suffix in (".socket", "@.service"):
            template = f"xgn-ssh{suffix.removeprefix('@')}.j2"
            files.append({"path": f"/etc/systemd/system/xgn-ssh-{vrf}{suffix}", "content": rendered("dns_anycast", template, printed)})
    return {"main": main, "sockets": [f"xgn-ssh-{vrf}.socket" for vrf in sockets], "files": files}


def _units(directory: str, zones: list[str], vrf: str | None) -> list[Unit]:
    # Sockets are opened at the start only; everything else a running unbound reads again. The guard is part of unbound's unit, and turns the network
    # away before a restart.
    opened = [f"{directory}/xgn-interfaces.conf", *(["/etc/systemd/system/xgn-anycast.socket", index_path(vrf)] if vrf else [])]
    return [
        {
            "name": "unbound.service",
            "state": "started",
            "enabled": True,
            "restart_on": ["/etc/systemd/system/unbound.service", *opened],
            "reload_on": [f"{directory}/xgn.conf", *zones],
        },
        {
            "name": "xgn-anycast.service",
            "state": "started",
            "enabled": True,
            "restart_on": ["/etc/systemd/system/xgn-anycast.service", "/usr/local/sbin/xgn-anycast"],
            "reload_on": ["/etc/xgn/anycast.json"],
        },
    ]
