#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: host_facts
short_description: What a router needs to know about its host, in one call
version_added: 0.1.0
description:
  - Distribution, kernel, kernel features, installed packages, commands, units, and what the collection made here. Replaces a fact run, a package query
    and several probes.
  - Takes the host for a run as well, when told so, since it is the first call of a run; module P(xuegao.net.host_leave#module) gives it back.
    The note of the run is in C(/run/xgn/lock), so a reboot clears it. In check mode it only looks.
author: xuegao.net maintainers (@xuegao)
options:
  commands:
    description: Commands to look for.
    type: list
    elements: str
    default: []
  units:
    description: Units of systemd to look at.
    type: list
    elements: str
    default: []
  paths:
    description:
      - Paths to the other ends of tunnels, as filter P(xuegao.net.outer_paths#filter) gives them. Of those whose tunnel is not there yet is told what they
        take; echo requests are sent for it, for 1.5 s at most.
    type: list
    elements: dict
    default: []
  confirms:
    description: This run confirms what an earlier one has left to confirm, and is given its time for it.
    type: bool
    default: true
  lock:
    description: The run that takes the host. Without it nothing is taken. P(xuegao.net.run_begin#module) fills it in.
    type: dict
    suboptions:
      run:
        description: Name of the run.
        type: str
        required: true
      note:
        description: What other runs are to know of it.
        type: dict
        default: {}
      seconds:
        description: After that time without a word of the run another one may take the host. Each module that changes a host renews it.
        type: int
        required: true
      instead_of:
        description: Name of a run that is known to be over, and from which the host may be taken.
        type: str
        default: ''
      by_force:
        description: Take the host from any other run.
        type: bool
        default: false
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Look at the host
  xuegao.net.host_facts:
    commands: [wg, vtysh]
"""

RETURN = r"""
ansible_facts:
  description: What is known of the host.
  returned: always
  type: dict
  contains:
    xgn_host:
      description:
        - V(os_family) (V(Debian), V(RedHat) or the ID of os-release), V(distribution), V(distribution_version), V(machine), V(kernel) (release),
        - V(kernel_features) (name to V(builtin), V(module), V(loaded), V(missing) or V(unknown)), V(packages) (names),
        - V(artifacts) (name to version of the packages that role frr_build made),
        - V(commands) (name to path or null), V(network_manager) (whether it runs), V(systemd) (whether it is PID 1),
        - V(connection_mtus) (name of an interface to the MTU in bytes that NetworkManager's connection gives it),
        - V(time) (its clock, seconds since 1970), V(clock_offset) (by how many seconds that is ahead of the controller's, which the controller adds),
        - V(container) (whether the kernel is shared), V(recorded) (what each role made, as words of kind and name; roles that made nothing are not in it),
        - V(interfaces) (names), V(networkd) (names of those that systemd-networkd configures),
        - V(listeners) (V(protocol), V(address) and V(port) of the sockets that wait for others, without those of the loopback and of clients),
        - V(others_behind) (names of the interfaces that are up and behind which others are, which are bridges, tunnels, and
          networks from which the host forwards, but for those of a default route),
        - V(filtered) (whether the packet filter of role firewall is in force),
        - V(filters) (tables of packet filters of others, with what their base chains decide, and whose they are; see
          P(xuegao.net.host_requirements#module)),
        - V(owners) (what somebody else has made under names that a role would write, in the same form),
        - V(settled) (those of the units that run, start at boot, and whose files are as systemd, and they themselves, have read them),
        - V(identity) (a digest that stands for the machine id; empty without one),
        - V(held) (V(links) with their MACs, VRFs and addresses, V(neighbors) with their MACs, and V(routes) that no routing daemon made; for
          P(xuegao.net.host_collisions#module), absent without iproute2),
        - V(paths) (of O(paths), by V(interface) and V(to), the V(address), the V(device) that outer packets leave by, the V(mtu) in bytes that it, or
          a router on the way, has said to take, and whether a packet of the planned size V(passes), V(yes), V(no) or V(unknown)).
      type: dict
    xgn_way_back:
      description: That an earlier run has left changes to confirm, with V(armed), V(seconds) and V(run). This run is given a quarter of an hour for it.
      returned: when there are such changes, outside of check mode, when O(confirms), on a host that no other run works on
      type: dict
taken:
  description: Whether the run has the host.
  returned: always
  type: bool
other:
  description:
    - The note of another run that has the host, or from which it was taken; null when there is none. V(left) are the seconds until it expires, 0 or
      less when it had expired.
  returned: always
  type: dict
applied:
  description: What the host keeps of what it last applied, see P(xuegao.net.host_leave#module); empty when it keeps nothing.
  returned: always
  type: dict
"""

import os
import platform
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import held, outer_paths, sysfs, way_back
from ansible_collections.xuegao.net.plugins.module_utils.applied import read_applied
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.interface_managers import NETWORK_MANAGER, network_file, running
from ansible_collections.xuegao.net.plugins.module_utils.listeners import listeners, others_behind
from ansible_collections.xuegao.net.plugins.module_utils.loaded import read_otherwise, record_of
from ansible_collections.xuegao.net.plugins.module_utils.others_filters import others_filters
from ansible_collections.xuegao.net.plugins.module_utils.owners import owners_objects
from ansible_collections.xuegao.net.plugins.module_utils.ownership import recorded
from ansible_collections.xuegao.net.plugins.module_utils.run_lock import look, take
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd

# What the versions of packages contain that role frr_build made; see plugin_utils/frr_build/build_plan.py.
ARTIFACT_MARK = "+xgn."
# What the rules for hosts judge (JUDGED in plugin_utils/validate/host_requirements.py), which no module can ask; a test holds the two together.
KERNEL_FEATURES = (
    *("8021q", "bridge", "dummy", "ip6_gre", "ip_gre", "macvlan", "mpls_router", "ppp_generic"),
    *("tun", "vrf", "vxlan", "wireguard"),
)


def os_release() -> dict[str, str]:
    """/etc/os-release as a dictionary (os-release(5))."""
    values = {}
    for line in read_text("/etc/os-release").splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            values[key] = value.strip().strip("\"'")
    return values


def os_family(release: dict[str, str]) -> str:
    """The family whose package names and paths hold here."""
    ids = [release.get("ID", "")] + release.get("ID_LIKE", "").split()
    for identity, family in (("debian", "Debian"), ("rhel", "RedHat"), ("fedora", "RedHat")):
        if identity in ids:
            return family
    return ids[0]


def kernel_features(release: str) -> dict[str, str]:
    """Where each feature of KERNEL_FEATURES comes from on the running kernel.

    A kernel whose module tree is not on this file system (a container's) tells only what is loaded or built in with
    parameters, so the rest is unknown there.
    """
    tree = "/lib/modules/%s" % release
    builtin = {os.path.basename(line).split(".")[0] for line in read_text(tree + "/modules.builtin").splitlines()}
    loadable = {os.path.basename(line.split(":")[0]).split(".")[0] for line in read_text(tree + "/modules.dep").splitlines()}
    features = {}
    for name in KERNEL_FEATURES:
        if os.path.isdir("/sys/module/" + name):
            features[name] = "loaded"
        elif name in builtin:
            features[name] = "builtin"
        elif name in loadable:
            features[name] = "module"
        else:
            features[name] = "missing" if builtin or loadable else "unknown"
    return features


def installed_packages(module: AnsibleModule, family: str) -> dict[str, str]:
    """Name to version of the installed packages; empty on a family whose package query is not known here."""
    query = {
        "Debian": ["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package} ${Version}\n"],
        "RedHat": ["rpm", "--query", "--all", "--queryformat", "ii %{NAME} %{VERSION}\n"],
    }.get(family)
    if query is None:
        return {}
    status, out, err = module.run_command(query, check_rc=True)
    return dict(line.split()[1:] for line in out.splitlines() if line.startswith(("ii", "hi")))


def connection_mtus(module: AnsibleModule) -> dict[str, int]:
    """The MTU in bytes by interface that an active connection of NetworkManager's gives; nothing for those that say none."""
    nmcli = module.get_bin_path("nmcli")
    if nmcli is None:
        return {}
    active = module.run_command([nmcli, "--terse", "--escape", "no", "--fields", "UUID,DEVICE", "connection", "show", "--active"])[1]
    found = {}
    for uuid, _colon, name in (line.partition(":") for line in active.splitlines()):
        mtu = module.run_command([nmcli, "--get-values", "802-3-ethernet.mtu", "connection", "show", "uuid", uuid])[1].strip()
        if mtu.isdigit() and int(mtu):
            found[name] = int(mtu)
    return found


def settled_units(module: AnsibleModule, units: list[str]) -> list[str]:
    """Those of the units for which there is nothing to do: they run, start at boot, and their files are as systemd, and they themselves, have read them."""
    wanted = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
    try:
        found = Systemd(module.run_command).properties(units, *wanted)
    except CommandError:
        # Whoever has something to do with a unit will say what systemd answers.
        return []
    return [unit for unit in units if found.get(unit) == wanted and not read_otherwise(unit, record_of(unit))]


def is_filtered(module: AnsibleModule, known: dict[str, list[str]]) -> bool:
    """Whether the packet filter is in force. A table that only sets the MSS has not this chain; a host without a record has no table, and loads no module."""
    if "table inet xgn" not in known.get("firewall", []) or module.get_bin_path("nft") is None:
        return False
    status, _out, _err = module.run_command(["nft", "list", "chain", "inet", "xgn", "public"])
    return bool(status == 0)


def what_it_holds(module: AnsibleModule) -> dict[str, Any]:
    """What the host holds that no other may hold as well; empty, with a warning where there was something to read, when it cannot be read."""
    if module.get_bin_path("ip") is None:
        return {}
    try:
        return {"held": held.look(module.run_command)}
    except ValueError as error:
        module.warn("what this host holds cannot be read, so it is compared with no other host: %s" % error)
        return {}


def taken(module: AnsibleModule, lock: dict[str, Any] | None) -> tuple[bool, dict[str, Any] | None]:
    """Take the host for a run; in check mode tell who has it. Returns whether the run has it, and what another run said of itself. Raises OSError."""
    if lock is None:
        return False, None
    if module.check_mode:
        return False, look(lock["run"])
    note = {**lock["note"], "run": lock["run"]}
    return take(note, lock["seconds"], lock["instead_of"], lock["by_force"])


def facts_of(module: AnsibleModule) -> dict[str, Any]:
    """What is known of the host, whoever works on it."""
    release = os_release()
    family = os_family(release)
    kernel = platform.release()
    packages = installed_packages(module, family)
    systemd = os.path.isdir("/run/systemd/system")
    known = recorded(module.warn)
    names = sysfs.interface_names()
    with_network_manager = NETWORK_MANAGER in running()
    return {
        "os_family": family,
        "distribution": release.get("ID", ""),
        "distribution_version": release.get("VERSION_ID", ""),
        "machine": platform.machine(),
        "kernel": kernel,
        "kernel_features": kernel_features(kernel),
        "packages": sorted(packages),
        "artifacts": {name: version for name, version in packages.items() if ARTIFACT_MARK in version},
        "commands": {name: module.get_bin_path(name) for name in module.params["commands"]},
        "network_manager": with_network_manager,
        "connection_mtus": connection_mtus(module) if with_network_manager else {},
        "systemd": systemd,
        "time": time.time(),
        "container": os.path.exists("/run/systemd/container") or os.path.exists("/.dockerenv"),
        "interfaces": names,
        "listeners": listeners(),
        # That role sysctl lets a host forward says nothing of networks of its owner's.
        "others_behind": others_behind(forwarding="sysctl" not in known),
        "filtered": is_filtered(module, known),
        "filters": others_filters(
            module, {words.partition(" ")[2] for items in known.values() for words in items if words.startswith("table ")}
        ),
        "recorded": known,
        "owners": owners_objects(module, known),
        "networkd": [name for name in names if network_file(sysfs.interface_index(name))],
        "settled": settled_units(module, module.params["units"]) if systemd else [],
        "identity": held.identity(),
        "paths": outer_paths.look(module.run_command, module.params["paths"]) if module.get_bin_path("ip") else [],
        **what_it_holds(module),
    }


def main() -> None:
    lock = {
        "run": {"type": "str", "required": True},
        "note": {"type": "dict", "default": {}},
        "seconds": {"type": "int", "required": True},
        "instead_of": {"type": "str", "default": ""},
        "by_force": {"type": "bool", "default": False},
    }
    module = host_module(
        argument_spec={
            "commands": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "dict", "default": []},
            "confirms": {"type": "bool", "default": True},
            "lock": {"type": "dict", "options": lock},
        },
        supports_check_mode=True,
    )
    facts = facts_of(module)
    try:
        has_it, other = taken(module, module.params["lock"])
    except OSError as error:
        remedy = "Nothing was changed. Remedy: run as root there (become), and see that /run can be written and has room."
        module.fail_json(msg="this host cannot be taken for the run: %s. %s" % (error, remedy))
    # What the run that works here has armed is not this run's to put off.
    confirms = module.params["confirms"] and not module.check_mode and (has_it or not other)
    left = way_back.left_armed() if confirms else {}
    found = {"xgn_host": facts, **({way_back.FACT: left} if left else {})}
    module.exit_json(changed=False, ansible_facts=found, taken=has_it, other=other, applied=read_applied())


if __name__ == "__main__":
    main()
