# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the network managers of a host are told of the interface layer: systemd-networkd, whose files netplan writes, too, NetworkManager, and ifupdown.

A manager takes away what its own files do not name: a NIC's VRF, the addresses that FRR gave it, routes, rules and next hops. So those that run are told
what is not theirs, and read it, before the first interface, rule or route is changed. A manager that has read its files once looks at them again only when
told: networkd.conf(5) counts from networkd's start on, systemd.network(5) from a `networkctl reload` on.

Each of the owner's files stays as it is: what is written here lies beside them.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Tests put a directory here.
ROOT = ""

NETWORKD = "systemd-networkd.service"
NETWORK_MANAGER = "NetworkManager.service"
# There while the manager runs.
SIGNS = {NETWORKD: "/run/systemd/netif/links", NETWORK_MANAGER: "/run/NetworkManager"}
NETWORKD_PROGRAMS = ("/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd")
LIBRARIES = ("/usr/lib/systemd/libsystemd-shared-*.so", "/usr/lib/*/systemd/libsystemd-shared-*.so", "/lib/systemd/libsystemd-shared-*.so")
IFUP = ("/usr/sbin/ifup", "/sbin/ifup")
# Where networkd looks for its files, systemd.network(5).
NETWORK_DIRECTORIES = ("/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network")

NETWORKD_CONF = "/etc/systemd/networkd.conf.d/90-xgn.conf"
# Its number lets it come before whatever else would match these names; netplan's begin with 10.
UNMANAGED = "/etc/systemd/network/05-xgn.network"
DROP_IN = "90-xgn-master.conf"
NM_MADE = "/etc/NetworkManager/conf.d/90-xgn.conf"
NM_MEMBERS = "/etc/NetworkManager/conf.d/90-xgn-members.conf"
NM_HOOK = "/etc/NetworkManager/dispatcher.d/90-xgn-interface"
IFUP_HOOK = "/etc/network/if-up.d/xgn-interface"
# What was read by which process; it goes with a boot, as all of that does.
READ_FILE = "/run/xgn-interface.read"

MARK = "# Written by xuegao.net"
# The first systemd that keeps a record of other people's next hops, and removes them.
NEXT_HOPS_SINCE = 256
# What a file of networkd's says when networkd itself is to choose the master; KeepMaster= would make it void.
MASTERS = ("VRF=", "Bridge=", "Bond=", "BatmanAdvanced=")

HOOK = """#!/bin/sh
%s: puts an interface back where it belongs when %s has configured it.
[ -x /usr/local/sbin/xgn-interface ] || exit 0
%s
exit 0
"""


@dataclass(frozen=True)
class File:
    """A file that tells a manager something.

    unit: the manager that has to read it; empty for one that reads it each time. restart: it reads it at its start only; else when it is told.
    """

    path: str
    text: str
    mode: int = 0o644
    unit: str = ""
    restart: bool = False


def _at(path: str) -> str:
    return ROOT + path


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None


def running() -> list[str]:
    """The managers that run and keep their files in memory."""
    return [unit for unit, path in SIGNS.items() if os.path.isdir(_at(path))]


# ---- what is told --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interfaces:
    """The declared interfaces as a manager sees them.

    Attributes:
        made: names of those that this collection makes; no manager has any business with them.
        nics: those that somebody else makes and a manager configures: mtu in bytes, mac, master (VRF or bridge), routes (gateway, table, on-link), whether they
            hear routers, and whether FRR gives them their addresses; table of the VRF they are in.
    """

    made: tuple[str, ...]
    nics: Mapping[str, Mapping[str, Any]]


def interfaces_of(declared: Mapping[str, Any], tunnels: Iterable[str]) -> Interfaces:
    """Sort what is declared. declared: as in interface_layer. tunnels: names of those that are made there."""
    tables = {item["name"]: item["table"] for item in declared.get("vrfs", [])}
    made = {*tables, *tunnels}
    nics: dict[str, dict[str, Any]] = {}
    for item in declared.get("interfaces", []):
        if item.get("kind") or item.get("unit") or item.get("dynamic"):
            made.add(item["name"])
        elif item["name"] not in made:
            nics[item["name"]] = {"mtu": item.get("mtu"), "mac": item.get("mac"), "master": item.get("bridge") or item.get("vrf")}
            if item.get("vrf") in tables and not item.get("bridge"):
                nics[item["name"]]["table"] = tables[item["vrf"]]
            if item.get("hears_routers"):
                nics[item["name"]]["hears"] = True
    for name in declared.get("addressed", []):
        if name not in made:
            nics.setdefault(name, {})["addressed"] = True
    for route in declared.get("default_routes", []):
        if route["interface"] not in made:
            nic = nics.setdefault(route["interface"], {})
            nic.setdefault("routes", []).append((route["gateway"], tables.get(route.get("vrf")), bool(route.get("onlink"))))
    return Interfaces(tuple(sorted(made)), nics)


def left_alone(interfaces: Interfaces) -> list[str]:
    """Names of the NICs that NetworkManager leaves alone: those in a VRF or bridge, and those that FRR gives their addresses."""
    return sorted(name for name, nic in interfaces.nics.items() if nic.get("master") or nic.get("addressed"))


def wanted(interfaces: Interfaces, links: Mapping[str, Any], from_routers: Collection[str]) -> list[File]:
    """The files that the managers of this host lack or have, as they should be.

    links: the live interfaces by name, each with its `index`. from_routers: interfaces that have a route from a router advertisement.
    """
    files = []
    if any(os.path.exists(_at(path)) for path in NETWORKD_PROGRAMS):
        files.append(File(NETWORKD_CONF, _networkd_conf(), unit=NETWORKD, restart=True))
    managers = running()
    names = sorted(set(interfaces.made) - _networkds_own())
    if names and _is_told(NETWORKD, UNMANAGED, managers):
        files.append(File(UNMANAGED, _unmanaged(names), unit=NETWORKD))
    if NETWORKD in managers:
        files += [File(path, text, unit=NETWORKD) for path, text in _drop_ins(interfaces.nics, links, from_routers).items()]
    if interfaces.made and _is_told(NETWORK_MANAGER, NM_MADE, managers):
        files.append(File(NM_MADE, _nm_unmanaged(interfaces.made), unit=NETWORK_MANAGER))
    members = left_alone(interfaces)
    if members and _is_told(NETWORK_MANAGER, NM_MEMBERS, managers):
        # Told to leave a NIC, NetworkManager takes its addresses away; one that starts and is told so leaves them.
        files.append(File(NM_MEMBERS, _nm_unmanaged(members), unit=NETWORK_MANAGER, restart=True))
    if interfaces.nics and _is_told(NETWORK_MANAGER, NM_HOOK, managers):
        call = 'case "$2" in up | dhcp4-change | dhcp6-change | reapply) /usr/local/sbin/xgn-interface apply --interface "$1" ;; esac'
        files.append(File(NM_HOOK, HOOK % (MARK, "NetworkManager", call), 0o755))
    if interfaces.nics and any(os.path.exists(_at(path)) for path in IFUP):
        call = '[ "$IFACE" = --all ] || /usr/local/sbin/xgn-interface apply --interface "$IFACE"'
        files.append(File(IFUP_HOOK, HOOK % (MARK, "ifup(8)", call), 0o755))
    return files


def _is_told(unit: str, path: str, managers: Collection[str]) -> bool:
    """Say whether a manager gets a file: while it runs; and one that does not finds what it has been told before as it should be when it starts."""
    return unit in managers or os.path.exists(_at(path))


def _version() -> int | None:
    """systemd's version, by the library that all its programs share; None where it is not found."""
    found = (re.search(r"-shared-(\d+)", path) for pattern in LIBRARIES for path in glob.glob(_at(pattern)))
    return max((int(match[1]) for match in found if match), default=None)


def _networkd_conf() -> str:
    version = _version()
    lines = ["ManageForeignRoutes=no", "ManageForeignRoutingPolicyRules=no"]
    if version is None or version >= NEXT_HOPS_SINCE:
        lines.append("ManageForeignNextHops=no")
    return "\n".join([MARK + ": routes, next hops and rules of FRR and of the VRFs are not networkd's to remove.", "[Network]", *lines, ""])


def _networkds_own() -> set[str]:
    """Names of the interfaces that networkd makes: they are the owner's, whatever is declared of them."""
    names = set()
    for directory in NETWORK_DIRECTORIES:
        for path in glob.glob(os.path.join(_at(directory), "*.netdev")):
            names |= {line.partition("=")[2].strip() for line in (_text(path) or "").splitlines() if line.startswith("Name=")}
    return names


def _unmanaged(names: Sequence[str]) -> str:
    what = MARK + ": these are made by interface.service and by units of their own; FRR gives them their addresses."
    return "\n".join([what, "[Match]", "Name=" + " ".join(names), "", "[Link]", "Unmanaged=yes", ""])


def _nm_unmanaged(names: Sequence[str]) -> str:
    what = MARK + ": these are not NetworkManager's."
    return "\n".join([what, "[keyfile]", "unmanaged-devices+=" + ";".join("interface-name:=" + name for name in names), ""])


# ---- networkd's own files ------------------------------------------------------------------------------------------------------------------


def network_file(index: int) -> str | None:
    """Path of the file with which networkd configures an interface; None when it leaves the interface alone or does not run."""
    lines = (_text(os.path.join(_at(SIGNS[NETWORKD]), str(index))) or "").splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith("NETWORK_FILE=")), None)


def _drop_in_of(path: str) -> str:
    """Where this layer's drop-in for a file of networkd's is. By its name: netplan writes such files anew at each boot."""
    return os.path.join(NETWORK_DIRECTORIES[0], os.path.basename(path) + ".d", DROP_IN)


def _owners_lines(path: str) -> list[str]:
    """What a file of networkd's says, with the drop-ins that are not from here."""
    drop_ins = [
        drop_in
        for directory in NETWORK_DIRECTORIES
        for drop_in in glob.glob(os.path.join(_at(directory), os.path.basename(path) + ".d", "*.conf"))
        if os.path.basename(drop_in) != DROP_IN
    ]
    return [line.strip() for name in [path, *sorted(drop_ins)] for line in (_text(name) or "").splitlines()]


def _drop_ins(nics: Mapping[str, Mapping[str, Any]], links: Mapping[str, Any], from_routers: Collection[str]) -> dict[str, str]:
    """Text by path of the drop-ins that the files of these NICs need."""
    files = {name: network_file(link["index"]) for name, link in links.items() if link.get("index")}
    sections: dict[str, dict[str, list[str]]] = {}
    for name, nic in nics.items():
        path = files.get(name)
        if path is None or path == _at(UNMANAGED):
            continue
        alone = list(files.values()).count(path) == 1
        owners = _owners_lines(path)
        told = sections.setdefault(_drop_in_of(path), {"Link": [], "Network": [], "DHCPv4": [], "IPv6AcceptRA": [], "Route": []})
        # Of a file for several NICs only what does no harm to the others can be said.
        if alone and nic.get("mtu"):
            told["Link"].append("MTUBytes=%d" % nic["mtu"])
        if alone and nic.get("mac"):
            told["Link"].append("MACAddress=%s" % nic["mac"])
        if nic.get("master") and not any(line.startswith(MASTERS) for line in owners):
            told["Network"].append("KeepMaster=yes")
            if alone and nic.get("table"):
                # Of a VRF that it does not choose itself networkd does not know the table. DHCPv6 gives no routes.
                told["DHCPv4"].append("RouteTable=%d" % nic["table"])
                told["IPv6AcceptRA"].append("RouteTable=%d" % nic["table"])
        if nic.get("addressed") and not any(line.startswith("KeepConfiguration=") for line in owners):
            told["Network"].append("KeepConfiguration=static")
        # Once it is there it stays: after a boot the first advertisement may come later than this is looked at.
        hears = nic.get("hears") or name in from_routers or "IPv6AcceptRA=yes" in (_text(_at(_drop_in_of(path))) or "")
        if hears and not any(line.startswith("IPv6AcceptRA=") for line in owners):
            told["Network"].append("IPv6AcceptRA=yes")
        for gateway, table, onlink in nic.get("routes", []) if alone else []:
            lines = ["Gateway=%s" % gateway, "Metric=%d" % (1 if ":" in gateway else 0)]
            told["Route"].append(
                "\n".join(["[Route]", *lines, *(["GatewayOnLink=yes"] if onlink else []), *(["Table=%d" % table] if table else [])])
            )
    texts = {}
    for path, told in sections.items():
        parts = ["\n".join(["[%s]" % name, *dict.fromkeys(told[name])]) for name in told if name != "Route" and told[name]]
        parts += told["Route"]
        if parts:
            texts[path] = (
                "\n\n".join([MARK + ": what the network, and not the host, says of these interfaces.\n" + parts[0], *parts[1:]]) + "\n"
            )
    return texts


def stale(files: Sequence[File], interfaces: Interfaces, links: Mapping[str, Any]) -> list[File]:
    """What a manager was told before and needs no more: our files that are there and not among those wanted, each with the manager that has to know.

    A drop-in stays as long as networkd does not run, has not come to all of the NICs, or one is not there: it is not known yet which file it uses.
    """
    # That a NIC is NetworkManager's again, a running one learns without harm.
    known = [
        (NETWORKD_CONF, NETWORKD),
        (UNMANAGED, NETWORKD),
        (NM_MADE, NETWORK_MANAGER),
        (NM_MEMBERS, NETWORK_MANAGER),
        (NM_HOOK, ""),
        (IFUP_HOOK, ""),
    ]
    there = [(path, unit) for path, unit in known if os.path.lexists(_at(path))]
    if NETWORKD in running() and all(_is_settled(links.get(name, {}).get("index")) for name in interfaces.nics):
        drop_ins = glob.glob(os.path.join(_at(NETWORK_DIRECTORIES[0]), "*.network.d", DROP_IN))
        there += [(path[len(ROOT) :], NETWORKD) for path in sorted(drop_ins)]
    wanted_now = {file.path for file in files}
    return [File(path, "", unit=unit) for path, unit in there if path not in wanted_now]


def _is_settled(index: int | None) -> bool:
    """Say whether networkd knows what it does with an interface."""
    lines = (_text(os.path.join(_at(SIGNS[NETWORKD]), str(index))) or "").splitlines()
    return any(line.startswith("NETWORK_FILE=") for line in lines) or "ADMIN_STATE=unmanaged" in lines


# ---- writing and reading -------------------------------------------------------------------------------------------------------------------


def differs(file: File) -> bool:
    """Say whether a file is not as it should be."""
    path = _at(file.path)
    return _text(path) != file.text or bool((os.stat(path).st_mode ^ file.mode) & 0o777)


def write(file: File) -> None:
    """Write a file in one step."""
    path = _at(file.path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = os.path.join(os.path.dirname(path), ".%s.xgn" % os.path.basename(path))
    with open(partial, "w", encoding="utf-8") as stream:
        stream.write(file.text)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(partial, file.mode)
    os.replace(partial, path)


def remove(file: File) -> None:
    """Remove a file that is there."""
    os.unlink(_at(file.path))


class Readers:
    """The managers that run, and which files each of them has read."""

    def __init__(self) -> None:
        self.started = _started(running())
        try:
            known = json.loads(_text(_at(READ_FILE)) or "{}")
        except ValueError:
            known = {}
        self.known: dict[str, dict[str, Any]] = known if isinstance(known, dict) else {}

    def commands(self, files: Sequence[File], changed: Collection[str]) -> list[list[str]]:
        """What has to be run so that all files are read, each manager told once. changed: paths of those that are about to be written or removed."""
        found = []
        for unit in self.started:
            unread = [file for file in files if file.unit == unit and (file.path in changed or not self._has_read(unit, file))]
            if any(file.restart for file in unread):
                found.append(["systemctl", "restart", unit])
            elif unread:
                # Its unit has no ExecReload= before systemd 256.
                found.append(["networkctl", "reload"] if unit == NETWORKD else ["systemctl", "reload", unit])
        return found

    def keep(self, files: Sequence[File]) -> None:
        """Note that the managers have read these files."""
        self.started = _started(list(self.started))
        known = {}
        for unit, (start, _age) in self.started.items():
            known[unit] = {"started": start, "read": {file.path: _digest(file.text) for file in files if file.unit == unit}}
        if known == self.known:
            return
        partial = _at(READ_FILE) + ".new"
        with open(partial, "w", encoding="utf-8") as stream:
            json.dump(known, stream)
        os.replace(partial, _at(READ_FILE))
        self.known = known

    def _has_read(self, unit: str, file: File) -> bool:
        start, age = self.started[unit]
        known = self.known.get(unit, {})
        if known.get("started") == start and file.path in known.get("read", {}):
            return bool(known["read"][file.path] == _digest(file.text))
        try:
            written = os.stat(_at(file.path)).st_ctime
        except OSError:
            return False
        # Older than the process: read at its start.
        return time.time() - written > age


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _started(units: Sequence[str]) -> dict[str, tuple[str, float]]:
    """By unit that runs: when its process started, in ticks since the boot, and how long ago that was, in s."""
    if not units:
        return {}
    command = ["systemctl", "show", "--property=Id,MainPID", *units]
    # There is no AnsibleModule at boot.
    shown = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False).stdout  # pylint: disable=ansible-bad-function
    found = {}
    for block in shown.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        # Behind the name of the program, which may have blanks and brackets: proc(5).
        fields = (_text("/proc/%s/stat" % values.get("MainPID")) or "").rpartition(")")[2].split()
        uptime = float((_text("/proc/uptime") or "0").split()[0])
        if len(fields) > 19:
            found[values["Id"]] = (fields[19], uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    return found
