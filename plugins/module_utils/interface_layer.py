# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The interface layer: VRFs and their members, as declared in /etc/xgn/interface.json.

One program with two uses. The module C(interface_layer) imports it, and role C(vrf) installs it unchanged below
/usr/local/lib/xgn-interface; /usr/local/sbin/xgn-interface starts it, at boot from interface.service, and whenever wg-quick has made a tunnel.
It needs Python 3 and iproute2, and reads before it writes: what already is as declared is left alone.

    xgn-interface apply [--interface NAME] [--previous FILE]   make the live state as declared
    xgn-interface check                      print what apply would do; exit 2 when there is something
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import (
    interface_addresses,
    interface_gre,
    interface_mac,
    interface_managers,
    interface_tunnel,
    interface_vxlan,
)
from ansible_collections.xuegao.net.plugins.module_utils.iproute import (
    BEST_METRIC,
    HARMLESS_TABLES,
    asks_vrfs,
    best_defaults,
    family_option,
    give_up_default,
    is_for_all,
    json_objects,
    show_defaults,
)

STATE_FILE = "/etc/xgn/interface.json"
LOCK_FILE = "/run/xgn-interface.lock"
# Which index of the kernel's each interface has that was made here: by it one is known again that somebody has given another name.
INDEX_FILE = "/run/xgn-interface.index"

# Metric of the route that ends a lookup in a VRF's table; without it the lookup falls through to main.
# The value is the largest with the top byte the kernel keeps free: Documentation/networking/vrf.rst.
UNREACHABLE_METRIC = 4278198272

# The kernel puts `lookup local` at preference 0, before the l3mdev rule at 1000: addresses of the default VRF would
# answer inside every VRF. vrf.rst moves it behind.
LOCAL_RULE_PREFERENCE = 32765
# Holds a `lookup local` while the one behind it is made again: at no moment may the host be without.
SPARE_RULE_PREFERENCE = LOCAL_RULE_PREFERENCE - 1

# The kernel makes the rule that asks the VRFs with the first of them, and never again: Linux' vrf_add_fib_rules() in drivers/net/vrf.c.
L3MDEV_RULE_PREFERENCE = 1000
# Packets of the host's own that have a VRF's mark are looked up in its table, behind the rule that asks the VRFs: WireGuard has one socket for all of them.
MARK_RULE_PREFERENCE = 1010
# Of rules and routes that somebody gave by hand; a network manager has another, and brings its own back.
BY_HAND = ("boot", "unspec", None)

# Whether an interface looks for a duplicate of an IPv6 address before it uses it; Documentation/networking/ip-sysctl.rst.
ACCEPT_DAD = "/proc/sys/net/ipv6/conf/%s/accept_dad"

# Whether an interface hears router advertisements: 0 never, 1 as long as the host does not forward, 2 always; ibid.
IPV6_SETTING = "/proc/sys/net/ipv6/conf/%s/%s"

FAMILIES = ("-4", "-6")

# Interfaces that lie on another one and go with it.
STACKED = ("macvlan", "vlan")

# Tunnels that are made here: key of the declared state, and the module that makes them.
TUNNELS: Mapping[str, interface_tunnel.Part] = {"vxlans": interface_vxlan, "gre_tunnels": interface_gre}


class InterfaceLayerError(Exception):
    """The declared state cannot be reached; the text says why and what to do."""


class Kernel:
    """Reads and changes the kernel's interfaces through ip(8)."""

    def __init__(self, dry_run: bool = False) -> None:
        self.dry_run = dry_run
        self.commands: list[str] = []
        # What a dry run would have renamed still has its former name.
        self.live_names: dict[str, str] = {}

    def read(self, *arguments: str, program: str = "ip") -> list[Any]:
        """Parsed output of `ip -json ARGUMENTS`; an empty list where the kernel has no such object. program: ip or bridge."""
        arguments = tuple(self.live_names.get(word, word) for word in arguments)
        # There is no AnsibleModule at boot.
        run = subprocess.run(  # pylint: disable=ansible-bad-function
            (program, "-json") + arguments, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if run.returncode != 0:
            # `ip route show table N` fails as long as nothing was ever put into table N.
            if "FIB table does not exist" in run.stderr:
                return []
            raise InterfaceLayerError("%s -json %s: %s" % (program, " ".join(arguments), run.stderr.strip()))
        return json_objects(run.stdout)

    def change(self, *arguments: str, program: str = "ip") -> None:
        """Run `ip ARGUMENTS` (or bridge) and remember it; only remember it in a dry run."""
        self.attempt(None, *arguments, program=program)

    def attempt(self, refusal: str | None, *arguments: str, program: str = "ip") -> bool:
        """Like change; returns False, and forgets the command, when the kernel refuses it with these words."""
        self.commands.append(" ".join((program,) + arguments))
        if self.dry_run:
            return True
        run = subprocess.run(  # pylint: disable=ansible-bad-function
            (program,) + arguments, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if run.returncode != 0 and refusal and refusal in run.stderr:
            self.commands.pop()
            return False
        if run.returncode != 0:
            raise InterfaceLayerError("%s: %s" % (self.commands[-1], run.stderr.strip()))
        return True

    def delete(self, links: dict[str, Any], name: str) -> None:
        """Delete an interface, which the kernel does to all that lies on it, too: none of that is in links any more."""
        self.change("link", "delete", "dev", name)
        _forget(links, name)

    def links(self) -> dict[str, Any]:
        """Every interface by name, with its kind, master, MTU, MAC and flags."""
        links = {}
        for link in self.read("-details", "link", "show"):
            if "ifname" not in link:
                continue
            info = link.get("linkinfo", {})
            links[link["ifname"]] = {
                "index": link.get("ifindex"),
                "kind": info.get("info_kind"),
                "table": info.get("info_data", {}).get("table"),
                "parent": link.get("link"),
                "vlan": info.get("info_data", {}).get("id"),
                "master": link.get("master"),
                "mtu": link.get("mtu"),
                "mac": link.get("address"),
                "up": "UP" in link.get("flags", []),
                "arp": "NOARP" not in link.get("flags", []),
                "data": info.get("info_data", {}),
            }
        return links


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Wait until nobody else reads and changes interfaces through this layer: at a boot several tunnels come up at the same time."""
    with open(LOCK_FILE, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget(links: dict[str, Any], name: str) -> None:
    del links[name]
    for upper in [upper for upper, link in links.items() if link["kind"] in STACKED and link["parent"] == name]:
        _forget(links, upper)


def apply(
    declared: dict[str, Any], previous: dict[str, Any] | None = None, only: str | None = None, dry_run: bool = False
) -> tuple[list[str], list[str]]:
    """Bring the kernel in line with the declared state.

    declared and previous: {"vrfs": [{"name", "table"}], "interfaces": [{"name", "kind", "parent", "vlan", "vrf", "bridge", "mtu",
    "mac"}], "vxlans": […], "gre_tunnels": […], "default_routes": [{"gateway", "interface", "vrf"}], "addressed": names of interfaces that FRR
    gives their addresses}, MTU in bytes; tunnels as in interface_vxlan and interface_gre, and what else is wanted of them stands among the interfaces.
    previous is what was declared before; what it
    has and declared lacks is taken down, and not deleted where it says "found": that was somebody else's; a default route of it may say in "former" what
    it had replaced (`iproute.default_before`). only: handle this one interface and
    its VRF. dry_run: change nothing.

    Returns the ip commands that were (or would be) run, and the names of declared interfaces that do not exist and
    that this layer does not make. Raises InterfaceLayerError when the kernel refuses.
    """
    with contextlib.nullcontext() if dry_run else exclusive():
        return _apply(Kernel(dry_run), declared, previous, only)


def _apply(kernel: Kernel, declared: dict[str, Any], previous: dict[str, Any] | None, only: str | None) -> tuple[list[str], list[str]]:
    links = kernel.links()
    if only is None and any(declared.values()):
        _tell_managers(kernel, links, declared, previous is not None)
    made = _made_here(declared)
    indexes = _indexes()
    _give_names_back(kernel, links, made, indexes)
    tunnels = [(part, item) for part, item in tunnels_of(declared) if only in (None, item["name"])]
    interfaces = [item for item in _with_tunnels(declared) if only in (None, item["name"])]
    wanted = {item.get("vrf") for item in interfaces} | {item.get("underlay_vrf") for _part, item in tunnels}
    vrfs = [item for item in declared.get("vrfs", []) if only is None or item["name"] in wanted]

    for part, tunnel in tunnels:
        reason = interface_tunnel.contradiction(part, links, tunnel)
        if reason:
            raise InterfaceLayerError(reason)
    if previous and only is None:
        for key, part in TUNNELS.items():
            interface_tunnel.take_down(part, kernel, links, declared.get(key, []), previous.get(key, []))
        _take_down(kernel, links, declared, previous)
        for name in (_without_ports(previous) - _without_ports(declared)) & made.keys():
            _look_for_duplicates(kernel, links, name, True)
    others = _give_up_tables(kernel, links, declared, previous) if previous and only is None else []
    made_vrf = any(vrf["name"] not in links for vrf in vrfs)
    for vrf in vrfs:
        _ensure_vrf(kernel, links, vrf)
    if vrfs:
        _move_local_rules(kernel, made_vrf)
    if only is None:
        _ensure_mark_rules(kernel, declared.get("vrfs", []), (previous or {}).get("vrfs", []))
    for part, tunnel in tunnels:
        if part.must_be_made_again(links, tunnel):
            kernel.delete(links, tunnel["name"])
    # Before the interfaces: a VLAN or macvlan may lie on a VXLAN.
    for part, tunnel in tunnels:
        part.ensure(kernel, links, tunnel)
    missing = []
    for interface in interfaces:
        needed = interface["name"] if not interface.get("kind") else interface.get("parent")
        if needed is not None and needed not in links:
            # One that comes and goes with its peer is put in place by what makes it, whenever that happens.
            if not interface.get("dynamic"):
                missing.append(needed)
        else:
            _ensure_interface(kernel, links, interface)
            if interface.get("hears_routers"):
                _hear_routers(kernel, interface["name"])
            if interface["name"] in _without_ports(declared):
                _look_for_duplicates(kernel, links, interface["name"], False)
    for name, vrf, up in others:
        if name in links and not links[name]["master"]:
            _put_back(kernel, links[name], name, vrf, up)
    if previous and only is None:
        # Last: whoever moves to another VRF is there by now.
        _delete_vrfs(kernel, links, declared.get("vrfs", []), previous.get("vrfs", []))
    tables = {item["name"]: item["table"] for item in declared.get("vrfs", [])}
    for route in declared.get("default_routes", []):
        if only in (None, route["interface"]) and route["interface"] in links:
            _ensure_default_route(kernel, route, tables.get(route.get("vrf"), "main"))
    if previous and only is None:
        _give_up_default_routes(kernel, declared.get("default_routes", []), previous.get("default_routes", []))
    if tables and only is None:
        _delete_routes_by_hand(kernel, tables, declared.get("default_routes", []))
    if only in declared.get("addressed", []) and only in links and only not in made:
        kernel.commands += interface_addresses.give_again(only, kernel.dry_run)
    if not kernel.dry_run:
        _keep_indexes(made, indexes, kernel.links() if kernel.commands else links)
    return kernel.commands, missing


def _tell_managers(kernel: Kernel, links: dict[str, Any], declared: dict[str, Any], tidy: bool) -> None:
    """Tell the host's network managers what is not theirs, and have them read it, before anything is changed: see interface_managers.

    tidy: take away what they were told before and need no more.
    """
    interfaces, files = _told(kernel, links, declared)
    new = [file for file in files if interface_managers.differs(file)]
    old = interface_managers.stale(files, interfaces, links) if tidy else []
    kernel.commands += ["write %s" % file.path for file in new] + ["remove %s" % file.path for file in old]
    if not kernel.dry_run:
        for file in new:
            interface_managers.write(file)
        for file in old:
            interface_managers.remove(file)
    readers = interface_managers.Readers()
    commands = readers.commands([*files, *old], {file.path for file in [*new, *old]})
    for program, *arguments in commands:
        kernel.change(*arguments, program=program)
    if commands and not kernel.dry_run:
        readers.keep(files)
    if interface_managers.NETWORK_MANAGER in readers.started:
        for name in interface_managers.left_alone(interfaces):
            _as_new(kernel, name)


def _told(
    kernel: Kernel, links: dict[str, Any], declared: dict[str, Any]
) -> tuple[interface_managers.Interfaces, list[interface_managers.File]]:
    """The declared interfaces as network managers see them, and the files that tell the managers of them."""
    interfaces = interface_managers.interfaces_of(declared, [item["name"] for _part, item in tunnels_of(declared)])
    routes: list[Any] = []
    if interfaces.nics and interface_managers.NETWORKD in interface_managers.running():
        routes = kernel.read("-6", "route", "show", "table", "all", "proto", "ra")
    return interfaces, interface_managers.wanted(interfaces, links, {route["dev"] for route in routes if "dev" in route})


def told(declared: dict[str, Any]) -> dict[str, str | None]:
    """Text by path of the files that tell network managers of what is declared; None for a drop-in, which follows what lives at each boot."""
    kernel = Kernel(dry_run=True)
    files = _told(kernel, kernel.links(), declared)[1] if any(declared.values()) else []
    return {file.path: None if os.path.basename(file.path) == interface_managers.DROP_IN else file.text for file in files}


def tunnels_of(declared: dict[str, Any]) -> list[tuple[interface_tunnel.Part, dict[str, Any]]]:
    """The declared tunnels that are made here, each with the module that makes it."""
    return [(part, item) for key, part in TUNNELS.items() for item in declared.get(key, [])]


def _made_here(declared: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The declared interfaces that this layer makes: kinds that each may have, by name."""
    kinds: dict[str, tuple[str, ...]] = {item["name"]: (item["kind"],) for item in declared.get("interfaces", []) if item.get("kind")}
    vrfs = {item["name"]: ("vrf",) for item in declared.get("vrfs", [])}
    return {**kinds, **vrfs, **{item["name"]: part.KINDS for part, item in tunnels_of(declared)}}


def _indexes() -> dict[str, int]:
    """The indexes that were kept, by name; none after a boot, or where the file is torn."""
    try:
        with open(INDEX_FILE, encoding="utf-8") as stream:
            kept: dict[str, int] = json.load(stream)
            return kept
    except (OSError, ValueError):
        return {}


def _keep_indexes(made: Mapping[str, tuple[str, ...]], before: dict[str, int], links: dict[str, Any]) -> None:
    known = {**before, **{name: link["index"] for name, link in links.items() if link.get("index")}}
    now = {name: known[name] for name in sorted(made) if name in known}
    if now == before:
        return
    with open(INDEX_FILE + ".new", "w", encoding="utf-8") as stream:
        json.dump(now, stream)
    os.replace(INDEX_FILE + ".new", INDEX_FILE)


def _give_names_back(kernel: Kernel, links: dict[str, Any], made: Mapping[str, tuple[str, ...]], indexes: dict[str, int]) -> None:
    """Find declared interfaces under the name somebody gave them; a second one beside them would be refused, or share their addresses."""
    declared_indexes = {indexes[name]: name for name in made.keys() - links.keys() if name in indexes}
    for old in [name for name, link in links.items() if link.get("index") in declared_indexes and name not in made]:
        name, link = declared_indexes[links[old]["index"]], links[old]
        # An interface that comes back from a container brings its index along.
        if link["kind"] not in made[name]:
            continue
        # Kernels before 6.2 want it down.
        if not kernel.attempt("Device or resource busy", "link", "set", "dev", old, "name", name):
            kernel.change("link", "set", "dev", old, "down")
            kernel.change("link", "set", "dev", old, "name", name)
            link["up"] = False
        links[name] = links.pop(old)
        if kernel.dry_run:
            kernel.live_names[name] = old
        for other in links.values():
            for key in ("parent", "master"):
                if other[key] == old:
                    other[key] = name


def _without_ports(declared: dict[str, Any]) -> set[str]:
    """The bridges that have no port: nobody but this host is on them."""
    interfaces = declared.get("interfaces", [])
    return {item["name"] for item in interfaces if item.get("kind") == "bridge"} - {item.get("bridge") for item in interfaces}


def _look_for_duplicates(kernel: Kernel, links: dict[str, Any], name: str, look: bool) -> None:
    """Say whether an interface looks for duplicates of its IPv6 addresses before it uses them.

    A bridge without ports has no carrier, and the kernel waits for one before it looks: its addresses would stay tentative, which is not used.
    """
    path, value = ACCEPT_DAD % name, "1" if look else "0"
    try:
        with open(path, encoding="ascii") as setting:
            if setting.read().strip() == value:
                return
    except OSError:
        # A dry run has not made it; a kernel without IPv6 has no such setting.
        if not (kernel.dry_run and links[name].get("index") is None):
            return
    kernel.commands.append("write %s to %s" % (value, path))
    if not kernel.dry_run:
        with open(path, "w", encoding="ascii") as setting:
            setting.write(value)
    # One that was made a moment ago may have got its addresses before this was said.
    if look or (kernel.dry_run and links[name].get("index") is None):
        return
    for link in kernel.read("-6", "address", "show", "dev", name, "tentative"):
        for entry in link.get("addr_info", []):
            if entry.get("scope") == "global":
                address = "%s/%s" % (entry["local"], entry["prefixlen"])
                kernel.change("-6", "address", "delete", address, "dev", name)
                kernel.change("-6", "address", "add", address, "dev", name)


def _with_tunnels(declared: dict[str, Any]) -> list[dict[str, Any]]:
    """The interfaces, each tunnel among them with what is wanted of it.

    Bridges come first, since others may be put into them; then the tunnels, whose MTU bounds that of what lies on them; the rest as declared.
    """
    tunnels = {item["name"]: part.settings(item) for part, item in tunnels_of(declared)}
    interfaces = [{**item, **tunnels.get(item["name"], {})} for item in declared.get("interfaces", [])]
    listed = {item["name"] for item in interfaces}
    interfaces += [{"name": name, **settings} for name, settings in tunnels.items() if name not in listed]
    return sorted(interfaces, key=lambda item: (item.get("kind") != "bridge", item["name"] not in tunnels))


def _take_down(kernel: Kernel, links: dict[str, Any], declared: dict[str, Any], previous: dict[str, Any]) -> None:
    interfaces = {item["name"]: item for item in declared.get("interfaces", [])}
    old_vrfs = {item["name"] for item in previous.get("vrfs", [])}
    for item in previous.get("interfaces", []):
        link = links.get(item["name"])
        if link is None:
            continue
        if item["name"] in interfaces:
            if item.get("bridge") and item["bridge"] == link["master"] and not interfaces[item["name"]].get("bridge"):
                kernel.change("link", "set", "dev", item["name"], "nomaster")
                link["master"] = None
            continue
        if item.get("kind") and not item.get("found"):
            kernel.delete(links, item["name"])
            continue
        if item.get("former_mtu") and link["mtu"] == item.get("mtu") != item["former_mtu"]:
            kernel.change("link", "set", "dev", item["name"], "mtu", str(item["former_mtu"]))
        if link["master"] and link["master"] in old_vrfs | {item.get("bridge")}:
            # Down first: its addresses and what they reach must not turn up in the main table.
            if link["up"]:
                kernel.change("link", "set", "dev", item["name"], "down")
                link["up"] = False
            kernel.change("link", "set", "dev", item["name"], "nomaster")
            link["master"] = None


def _delete_vrfs(kernel: Kernel, links: dict[str, Any], declared: list[dict[str, Any]], previous: list[dict[str, Any]]) -> None:
    """Delete the VRFs that are no longer declared, with the route that outlives them. The kernel drops members into the main table: they are down then."""
    names, tables = {item["name"] for item in declared}, {item["table"] for item in declared}
    for item in sorted(previous, key=lambda item: str(item["name"])):
        name, table = item["name"], item["table"]
        if name in names or item.get("found") or links.get(name, {}).get("kind", "vrf") != "vrf":
            continue
        if name in links:
            _delete_vrf(kernel, links, name)
        if table not in tables:
            _delete_end(kernel, table)
    if previous and not declared and not any(item.get("found") for item in previous):
        _restore_local_rules(kernel)


def _delete_vrf(kernel: Kernel, links: dict[str, Any], name: str) -> None:
    for member, link in links.items():
        if link["master"] == name:
            if link["up"]:
                kernel.change("link", "set", "dev", member, "down")
            link["master"], link["up"] = None, False
    kernel.delete(links, name)


def _delete_end(kernel: Kernel, table: int) -> None:
    """Delete the route that ends the lookups in a table, which outlives the VRF."""
    for family in FAMILIES:
        for route in kernel.read(family, "route", "show", "table", str(table), "type", "unreachable"):
            if route.get("dst") == "default" and route.get("metric") == UNREACHABLE_METRIC:
                kernel.change(family, "route", "delete", "unreachable", "default", "table", str(table), "metric", str(UNREACHABLE_METRIC))


def _give_up_tables(
    kernel: Kernel, links: dict[str, Any], declared: dict[str, Any], previous: dict[str, Any]
) -> list[tuple[str, str, bool]]:
    """Delete the VRFs of ours that live with another table than the declared one: the kernel cannot give a living VRF another.

    Their members are down meanwhile, never in the main table. Returns those of which nothing is declared, each with its VRF and whether it was up: nobody
    else would put them back.
    """
    known = {item["name"] for item in _with_tunnels(declared)}
    made = {item["name"] for _part, item in tunnels_of(declared)}
    tables = {item["table"] for item in declared.get("vrfs", [])}
    others: list[tuple[str, str, bool]] = []
    for name in tables_to_change(links, declared, previous):
        for tunnel in [tunnel for tunnel, link in links.items() if link["data"].get("link") == name]:
            # Ours would go on over an interface that is gone, or are made again below; the kernel deletes somebody else's VXLAN with it.
            if tunnel in made:
                kernel.delete(links, tunnel)
            elif links[tunnel]["kind"] in interface_vxlan.KINDS:
                _forget(links, tunnel)
        others += [(member, name, link["up"]) for member, link in links.items() if link["master"] == name and member not in known]
        former = links[name]["table"]
        _delete_vrf(kernel, links, name)
        if former not in tables:
            _delete_end(kernel, former)
    return others


def links_to_interrupt(links: dict[str, Any], declared: dict[str, Any]) -> list[str]:
    """The living interfaces over which nothing comes through for a while, since a tunnel or a VLAN is about to be made again, or gets other ends.

    Of a port of a bridge, that is the bridge; what lies on one that is made again goes with it. Parameters as of `apply`.
    """
    again = {item["name"] for part, item in tunnels_of(declared) if part.must_be_made_again(links, item)}
    for item in declared.get("interfaces", []):
        link = links.get(item["name"])
        if link is not None and item.get("kind") in STACKED and link["kind"] == item["kind"] and _lies_elsewhere(link, item):
            again.add(item["name"])
    found = set[str]()
    while again - found:
        found |= again
        again = {name for name, link in links.items() if link["kind"] in STACKED and link["parent"] in again}
    found |= {item["name"] for part, item in tunnels_of(declared) if part.has_other_ends(links, item)}
    bridges = {name for name, link in links.items() if link["kind"] == "bridge"}
    return sorted({links[name]["master"] if links[name]["master"] in bridges else name for name in found})


def tables_to_change(links: dict[str, Any], declared: dict[str, Any], previous: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The VRFs of ours that live with another table than the declared one: live and declared table by name. Parameters as of `apply`."""
    ours = {item["name"] for item in previous.get("vrfs", []) if not item.get("found")}
    found = {}
    for item in declared.get("vrfs", []):
        link = links.get(item["name"])
        if item["name"] in ours and link is not None and link["kind"] == "vrf" and link["table"] != item["table"]:
            found[item["name"]] = (link["table"], item["table"])
    return found


def _put_back(kernel: Kernel, link: dict[str, Any], name: str, vrf: str, up: bool) -> None:
    kernel.change("link", "set", "dev", name, "master", vrf)
    link["master"] = vrf
    if up:
        kernel.change("link", "set", "dev", name, "up")
        link["up"] = True


def _ensure_vrf(kernel: Kernel, links: dict[str, Any], vrf: dict[str, Any]) -> None:
    name, table = vrf["name"], vrf["table"]
    link = links.get(name)
    if link is None:
        kernel.change("link", "add", "dev", name, "type", "vrf", "table", str(table))
        link = links[name] = interface_tunnel.new_link("vrf", table=table)
    elif link["kind"] != "vrf":
        raise InterfaceLayerError("%s exists and is no VRF (kind %s). Remedy: rename one of the two" % (name, link["kind"]))
    elif link["table"] != table:
        raise InterfaceLayerError(
            "VRF %s lives with table %s, declared is %s, and the table of a living VRF cannot change. Role vrf makes those again that it made; "
            "this one is somebody else's. Remedy: declare table %s, or delete it with `ip link delete dev %s`, then run again"
            % (name, link["table"], table, link["table"], name)
        )
    for family in FAMILIES:
        # Read for a new VRF, too: the route outlives the device. ip(8) leaves the type out for `default`, and prints IPv6 metrics like IPv4's.
        routes = kernel.read(family, "route", "show", "table", str(table), "type", "unreachable")
        if not any(route.get("dst") == "default" and route.get("metric") == UNREACHABLE_METRIC for route in routes):
            kernel.change(family, "route", "add", "unreachable", "default", "table", str(table), "metric", str(UNREACHABLE_METRIC))
    if not link["up"]:
        kernel.change("link", "set", "dev", name, "up")


def _local(rules: list[Any]) -> list[Any]:
    """The rules that look every packet up in table local; one for some packets only is somebody else's."""
    return [rule for rule in rules if rule.get("table") == "local" and is_for_all(rule)]


def _move_local_rules(kernel: Kernel, made_vrf: bool) -> None:
    """Let the rule that asks the VRFs come first: `lookup local` goes behind it, and what somebody put before it goes.

    As a rule of the kernel's: those of other protocols are a network manager's to remove. systemd-networkd does so whenever it configures a NIC again, and
    the host then answers nothing until it boots. made_vrf: a VRF was made a moment ago, or in a dry run would have been, and the rule with it.
    """
    for family in FAMILIES:
        # Without -details a rule of the kernel's looks like one that says nothing of its protocol.
        rules = kernel.read("-details", family, "rule", "show")
        first = min((rule.get("priority", 0) for rule in rules if asks_vrfs(rule)), default=None)
        if first is None and not (made_vrf and kernel.dry_run):
            first = L3MDEV_RULE_PREFERENCE
            kernel.change(family, "rule", "add", "preference", str(first), "l3mdev", "protocol", "kernel")
        for rule in rules:
            place, table = rule.get("priority", 0), str(rule.get("table"))
            past = is_for_all(rule) and not asks_vrfs(rule) and place < (first or L3MDEV_RULE_PREFERENCE)
            if past and table not in ("local", *HARMLESS_TABLES) and rule.get("protocol") in BY_HAND and "table" in rule:
                kernel.change(family, "rule", "delete", "preference", str(place), "table", table)
        local = _local(rules)
        behind = [rule.get("protocol") for rule in local if rule.get("priority") == LOCAL_RULE_PREFERENCE]
        places = [rule.get("priority") for rule in local]
        right = ("table", "local", "protocol", "kernel")
        if behind and behind != ["kernel"]:
            if SPARE_RULE_PREFERENCE not in places:
                kernel.change(family, "rule", "add", "preference", str(SPARE_RULE_PREFERENCE), *right)
                places.append(SPARE_RULE_PREFERENCE)
            # All of them: which one the kernel takes of several that differ by their protocol is not for us to say.
            for _each in behind:
                kernel.change(family, "rule", "delete", "preference", str(LOCAL_RULE_PREFERENCE), "table", "local")
        if behind != ["kernel"]:
            kernel.change(family, "rule", "add", "preference", str(LOCAL_RULE_PREFERENCE), *right)
        for place in (0, SPARE_RULE_PREFERENCE):
            if place in places:
                kernel.change(family, "rule", "delete", "preference", str(place), "table", "local")


def _hear_routers(kernel: Kernel, name: str) -> None:
    """Let a NIC hear routers although the host forwards, also after it was made anew, or ifupdown has set it up again.

    Where it hears none, a network manager does in the kernel's stead, or its owner wants it so.
    """
    if _setting(name, "accept_ra") == "1":
        _set(kernel, name, "accept_ra", "2")


def _as_new(kernel: Kernel, name: str) -> None:
    """Let a NIC have IPv6 as one that nobody has configured has it.

    For a connection without IPv6 NetworkManager switches it off, and leaves that so when it lets go of the NIC: FRR's IPv6 addresses would not come in.
    For any connection it takes over making link-local addresses; nobody would do it.
    """
    for setting in ("addr_gen_mode", "disable_ipv6"):
        value = _setting("default", setting)
        if value and _setting(name, setting) not in ("", value):
            _set(kernel, name, setting, value)


def _setting(name: str, setting: str) -> str:
    """An IPv6 setting of an interface; empty without IPv6, or without the interface."""
    try:
        with open(IPV6_SETTING % (name, setting), encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _set(kernel: Kernel, name: str, setting: str, value: str) -> None:
    path = IPV6_SETTING % (name, setting)
    kernel.commands.append("write %s to %s" % (value, path))
    if not kernel.dry_run:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(value)


def _ensure_mark_rules(kernel: Kernel, declared: list[dict[str, Any]], previous: list[dict[str, Any]]) -> None:
    """Have the packets with the mark of a VRF looked up in its table, and no others. As rules of the kernel's, as in `_move_local_rules`.

    What finds no way there ends in the table's unreachable route. At our preference a rule for a table of these VRFs is ours.
    """
    wanted = {(item["fwmark"], str(item["table"])) for item in declared if "fwmark" in item}
    tables = {str(item["table"]) for item in (*declared, *previous)}
    if not wanted and not any("fwmark" in item for item in previous):
        return
    for family in FAMILIES:
        found = []
        # By number, as somebody may have named tables.
        for rule in kernel.read("-N", "-details", family, "rule", "show"):
            if rule.get("priority") == MARK_RULE_PREFERENCE and "fwmark" in rule and str(rule.get("table")) in tables:
                found.append((int(str(rule["fwmark"]), 0), str(rule["table"])))
        for mark, table in sorted(wanted - set(found)):
            words = ("preference", str(MARK_RULE_PREFERENCE), "fwmark", str(mark), "table", table, "protocol", "kernel")
            kernel.change(family, "rule", "add", *words)
        for mark, table in sorted(set(found) - wanted):
            kernel.change(family, "rule", "delete", "preference", str(MARK_RULE_PREFERENCE), "fwmark", str(mark), "table", table)


def _restore_local_rules(kernel: Kernel) -> None:
    """Put `lookup local` back to where the kernel has it, since no VRF is left that it could answer in."""
    for family in FAMILIES:
        rules = kernel.read("-details", family, "rule", "show")
        places = [rule.get("priority") for rule in _local(rules)]
        if 0 not in places:
            kernel.change(family, "rule", "add", "preference", "0", "table", "local", "protocol", "kernel")
        for place in (LOCAL_RULE_PREFERENCE, SPARE_RULE_PREFERENCE):
            if place in places:
                kernel.change(family, "rule", "delete", "preference", str(place), "table", "local")


def _ensure_interface(kernel: Kernel, links: dict[str, Any], interface: dict[str, Any]) -> None:
    name, kind, master = interface["name"], interface.get("kind"), interface.get("bridge") or interface.get("vrf")
    link = links.get(name)
    if link is not None and kind in STACKED and link["kind"] == kind and _lies_elsewhere(link, interface):
        # The kernel cannot move it to another interface, nor a VLAN to another number.
        kernel.delete(links, name)
        link = None
    if link is None:
        parent = interface.get("parent")
        if parent and not links[parent]["up"]:
            kernel.change("link", "set", "dev", parent, "up")
            links[parent]["up"] = True
        kernel.change(*_add_command(interface))
        link = links[name] = interface_tunnel.new_link(kind, parent=parent)
    elif kind and link["kind"] != kind:
        raise InterfaceLayerError(
            "%s exists with kind %s, declared is %s. Remedy: remove it, or rename one of the two" % (name, link["kind"], kind)
        )
    if master and link["master"] != master:
        kernel.change("link", "set", "dev", name, "master", master)
        link["master"] = master
    elif not master and link["master"] and links.get(link["master"], {}).get("kind") == "vrf":
        kernel.change("link", "set", "dev", name, "nomaster")
        link["master"] = None
    mac = interface.get("mac")
    if mac and (link["mac"] or "").lower() != mac.lower():
        interface_mac.change(kernel, links, name, mac)
    mtu = interface.get("mtu")
    if mtu and link["mtu"] != mtu:
        kernel.change("link", "set", "dev", name, "mtu", str(mtu))
    arp = interface.get("arp")
    if arp is not None and link["arp"] != arp:
        kernel.change("link", "set", "dev", name, "arp", "on" if arp else "off")
    if not link["up"]:
        kernel.change("link", "set", "dev", name, "up")
        link["up"] = True


def _lies_elsewhere(link: dict[str, Any], interface: dict[str, Any]) -> bool:
    keys = ("parent", "vlan") if link["kind"] == "vlan" else ("parent",)
    return any(link[key] != interface[key] for key in keys)


def _add_command(interface: dict[str, Any]) -> tuple[str, ...]:
    name, kind = interface["name"], str(interface.get("kind"))
    if kind == "vlan":
        return ("link", "add", "link", interface["parent"], "name", name, "type", "vlan", "id", str(interface["vlan"]))
    if kind == "macvlan":
        return ("link", "add", "link", interface["parent"], "name", name, "type", "macvlan", "mode", "bridge")
    return ("link", "add", "dev", name, "type", kind)


def _ensure_default_route(kernel: Kernel, route: dict[str, Any], table: Any) -> None:
    """Make route the default route that is used: it has the best metric, and whatever had that metric is replaced.

    Replaced, not deleted and added: at no moment is the host without one. Those of DHCP and router advertisements have a
    worse metric and stay, since their makers would bring them back.
    """
    family = family_option(route["gateway"])
    metric = BEST_METRIC[family]
    routes = kernel.read(family, "route", "show", "table", str(table), "default")
    found = [(item.get("gateway"), item.get("dev")) for item in best_defaults(family, routes)]
    # Of several with one metric the kernel takes the first.
    wanted = (route["gateway"], route["interface"])
    end = ("table", str(table), "metric", str(metric))
    if wanted in found:
        # The kernel replaces none by one that it has already.
        for gateway, device in found[: found.index(wanted)]:
            kernel.change(family, "route", "delete", "default", *(("via", gateway) if gateway else ()), "dev", str(device), *end)
    else:
        onlink = ("onlink",) if route.get("onlink") else ()
        kernel.change(family, "route", "replace", "default", "via", route["gateway"], "dev", route["interface"], *end, *onlink)


def _give_up_default_routes(kernel: Kernel, declared: list[dict[str, Any]], previous: list[dict[str, Any]]) -> None:
    """Take the default routes of the main table away that are declared no more; what one had replaced comes back. Another one has replaced it by now.

    In a VRF one is like a route that somebody has set by hand.
    """
    kept = {family_option(route["gateway"]) for route in declared if not route.get("vrf")}
    for route in previous:
        family = family_option(route["gateway"])
        if route.get("vrf") or family in kept:
            continue
        command = give_up_default(route, route.get("former"), kernel.read(*show_defaults(route["gateway"])))
        if command:
            kernel.change(*command)


def _delete_routes_by_hand(kernel: Kernel, tables: Mapping[str, Any], default_routes: list[dict[str, Any]]) -> None:
    """Delete the routes that somebody has set in a VRF's table by hand: routing protocols and this layer alone say where its packets go."""
    names = {str(table): vrf for vrf, table in tables.items()}
    ours = {(names_vrf, route["gateway"], route["interface"]) for route in default_routes if (names_vrf := route.get("vrf"))}
    for family in FAMILIES:
        # By number, as somebody may have named tables. Of what is asked for by its protocol ip(8) does not print that.
        for route in kernel.read("-N", family, "route", "show", "table", "all", "proto", "boot"):
            vrf = names.get(str(route.get("table")))
            if vrf is None or route.get("type", "unicast") not in ("unicast", "1"):
                continue
            if route["dst"] == "default" and (vrf, route.get("gateway"), route.get("dev")) in ours:
                continue
            words = ["metric", str(route["metric"])] if "metric" in route else []
            words += ["dev", route["dev"]] if "dev" in route else []
            kernel.change(family, "route", "delete", route["dst"], "table", str(route["table"]), "proto", "boot", *words)


def load(path: str = STATE_FILE) -> dict[str, Any]:
    """The declared state in path; empty when there is no such file. Raises InterfaceLayerError when it is no JSON."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as stream:
        try:
            declared: dict[str, Any] = json.load(stream)
        except ValueError as error:
            raise InterfaceLayerError("%s is no JSON: %s" % (path, error)) from error
    if not isinstance(declared, dict):
        raise InterfaceLayerError("%s holds no JSON object" % path)
    return declared


def main() -> int:
    """Command line; see the text at the top."""
    parser = argparse.ArgumentParser(prog="xgn-interface", description="VRFs and their members as declared in %s" % STATE_FILE)
    parser.add_argument("verb", choices=["apply", "check"])
    parser.add_argument("--interface", help="handle this interface and its VRF only")
    parser.add_argument("--previous", metavar="FILE", help="what was declared before; what of it is declared no more is taken down")
    options = parser.parse_args()
    try:
        previous = load(options.previous) if options.previous else None
        commands, missing = apply(load(), previous, only=options.interface, dry_run=options.verb == "check")
    except InterfaceLayerError as error:
        sys.stderr.write("xgn-interface: %s\n" % error)
        return 1
    for command in commands:
        sys.stdout.write(command + "\n")
    for name in missing:
        sys.stderr.write("xgn-interface: %s does not exist; what makes it has not run or has failed\n" % name)
    if missing:
        return 1
    return 2 if commands and options.verb == "check" else 0


if __name__ == "__main__":
    raise SystemExit(main())
