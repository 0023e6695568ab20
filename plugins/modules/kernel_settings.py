#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_settings
short_description: Kernel settings below /proc/sys, at boot and live, in one call
version_added: 0.1.0
description:
  - Writes one sysctl.d(5) file and sets each live value that differs from it.
  - With O(record), a setting that is no longer given has its former value again, unless somebody else has changed it since.
  - Where a host is to forward IPv6, each interface for which the kernel has a route from a router advertisement gets C(accept_ra) 2 first, as the kernel
    would drop these routes, and hear no more routers. A key of O(settings) or O(left) stands above that.
  - Reads every value back; a value the kernel does not keep is an error.
author: xuegao.net maintainers (@xuegao)
options:
  path:
    description: The file below C(/etc/sysctl.d).
    type: path
    required: true
  settings:
    description:
      - Keys as sysctl(8) writes them, with their values.
      - In a key whose first separator is a dot, a slash stands for a dot within a name, such as that of interface C(eth0.100).
    type: dict
    required: true
  left:
    description: Keys that are somebody else's business now. They are no longer recorded, and keep the value that they have.
    type: list
    elements: str
    default: []
  hears_routers:
    description:
      - Interfaces that get C(accept_ra) 2 as well, whether the kernel has such a route or not yet.
      - One whose C(accept_ra) is 0 is left alone, as a network manager that listens in the kernel's stead sets that.
    type: list
    elements: str
    default: []
  record:
    description: Name of the record of the file and of the former live values.
    type: str
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: Forward packets
  xuegao.net.kernel_settings:
    path: /etc/sysctl.d/90-xgn.conf
    settings:
      net.ipv4.ip_forward: 1
      net.ipv4.conf.eth0/100.rp_filter: 2
"""

RETURN = r"""
live_changed:
  description: Keys whose live value was (or would be) set.
  returned: always
  type: list
  elements: str
"""

import os
import re
from functools import partial

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.files import is_as_declared, read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.removal import Removal
from ansible_collections.xuegao.net.plugins.module_utils.sysctl import (
    FORWARDING,
    accepts_when_forwarding,
    router_listeners,
    set_behind,
    settings_text,
    sysctl_name,
    sysctl_path,
    sysctl_value,
)
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK

# Settings that name a kernel module, and how the module's name begins.
MODULES = {"net/ipv4/tcp_congestion_control": "tcp_", "net/core/default_qdisc": "sch_"}

# A line of ours for an interface that hears router advertisements.
LISTENS = re.compile(r"net/ipv6/conf/\S+/accept_ra = 2")

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "settings": {"type": "dict", "required": True},
    "left": {"type": "list", "elements": "str", "default": []},
    "hears_routers": {"type": "list", "elements": "str", "default": []},
    "record": {"type": "str"},
    **OWNERS,
    **WAY_BACK,
}


def load_module_of(module: AnsibleModule, key: str, value: str) -> None:
    """A congestion control is known only once its module is loaded; so is its queueing discipline."""
    prefix = MODULES.get(sysctl_name(key))
    modprobe = module.get_bin_path("modprobe")
    if prefix and modprobe:
        # A built-in algorithm has no module, so the exit status decides nothing: reading the value back does.
        module.run_command([modprobe, "--quiet", prefix + value])


def former(live: str, wanted: str) -> dict[str, str] | None:
    """What to put back one day; nothing where the value was the same before, or an older version of this collection has set it."""
    return {"value": live} if live != wanted else None


def listening_itself(interfaces: list[str]) -> list[str]:
    """Return the interfaces on which the kernel hears routers: where a manager does in its stead, accept_ra is 0; one that is not there yet has no value."""
    keys = {name: accepts_when_forwarding(name) for name in interfaces}
    return [name for name, key in keys.items() if os.path.exists(sysctl_path(key)) and sysctl_value(key) != "0"]


def going_on_to_listen(settings: dict[str, str], left: list[str], file: str, declared: list[str]) -> dict[str, str]:
    """Return what has to be set before a host forwards IPv6, so that it goes on hearing the routers that gave it addresses and a default route.

    Else the kernel drops these at once and takes no others. left: keys that are somebody else's. file: what sets the values at boot now; what stands
    there stays, as an advertisement may just not have come yet. declared: interfaces of which one is to come.
    """
    forwards = {sysctl_path(key): value for key, value in settings.items()}.get(sysctl_path(FORWARDING))
    if forwards != "1":
        return {}
    given = {sysctl_path(key) for key in (*settings, *left)}
    kept = [line.partition(" = ")[0] for line in file.splitlines() if LISTENS.fullmatch(line)]
    names = dict.fromkeys([*router_listeners(), *listening_itself(declared)])
    keys = [*kept, *(accepts_when_forwarding(name) for name in names)]
    return {key: "2" for key in keys if sysctl_path(key) not in given and os.path.exists(sysctl_path(key))}


def names_as_given(change: HostChange, settings: dict[str, str]) -> list[str]:
    """Return the recorded keys, those that are given in another notation now by that; what was before them stays known. Those left to others go."""
    if change.record is None:
        return []
    given = {sysctl_path(key): key for key in settings}
    for key in change.record.names("sysctl"):
        change.record.rename("sysctl", key, given.get(sysctl_path(key), key))
    left = {sysctl_path(key) for key in change.module.params["left"]} - given.keys()
    for key in [key for key in change.record.names("sysctl") if sysctl_path(key) in left]:
        change.record.drop("sysctl", key)
    return change.record.names("sysctl")


def set_live(module: AnsibleModule, change: HostChange, key: str, value: str, before: str) -> None:
    """Give the kernel a value; before: what it has. Ends the module where the kernel refuses it or keeps another one."""
    change.way_back.note_setting(sysctl_path(key), before)
    load_module_of(module, key, value)
    try:
        with open(sysctl_path(key), "w", encoding="utf-8") as stream:
            stream.write(value)
    except OSError as error:
        module.fail_json(
            msg="The kernel refuses %r for %s: %s. %s has the new values, and those before this one are live."
            % (value, key, error.strerror, module.params["path"])
        )
    if sysctl_value(key) != value:
        module.fail_json(
            msg="%s was set to %r, and the kernel keeps %r. Remedy: write what it keeps, or look for what sets it back."
            % (key, value, sysctl_value(key))
        )


def warn_of_others(module: AnsibleModule, settings: dict[str, str]) -> None:
    """Name the files that are read behind ours and set a key otherwise: the next boot, or `sysctl --system`, would bring theirs."""
    for key, (file, value) in set_behind(module.params["path"], settings).items():
        if value != settings[key]:
            text = "%s sets %s to %s, and is read behind %s, which sets it to %s: so it becomes at the next boot, or by `sysctl --system`. Take it out there."
            module.warn(text % (file, key, value, module.params["path"], settings[key]))


def main() -> None:
    module = host_module(argument_spec=ARGUMENTS, supports_check_mode=True)
    settings = {key: " ".join(str(value).split()) for key, value in module.params["settings"].items()}
    listening = going_on_to_listen(settings, module.params["left"], read_text(module.params["path"]), module.params["hears_routers"])
    settings = {**listening, **settings}
    unknown = sorted(key for key in settings if not os.path.exists(sysctl_path(key)))
    if unknown:
        module.fail_json(
            msg="This kernel (%s) has no such setting: %s. Nothing was changed. Remedy: correct the name, or load the module that brings it."
            % (os.uname().release, ", ".join(unknown)),
        )
    warn_of_others(module, settings)
    text = settings_text(settings)
    before = read_text(module.params["path"])
    file_differs = not is_as_declared(module.params["path"], text, 0o644)
    live = {key: sysctl_value(key) for key in settings}
    # Before the host forwards: at that moment the kernel drops what it heard.
    drifted = sorted((key for key in settings if live[key] != settings[key]), key=lambda key: (key not in listening, key))
    change, removal = HostChange(module, module.params["record"]), Removal(module)
    change.refuse_owners({module.params["path"]: text})
    recorded = names_as_given(change, settings)
    try:
        removal.remove(change, [("sysctl", key) for key in recorded if key not in settings])
    except OSError as error:
        module.fail_json(
            msg="The kernel refuses the former value of a setting: %s. It is still recorded, and the next run tries again." % error
        )
    if not module.check_mode:
        for key, value in settings.items():
            change.own("sysctl", key, partial(former, live[key], value), value)
        change.own_file(module.params["path"], text)
        change.save()
        if file_differs:
            change.write(module.params["path"], text, 0o644)
        for key in drifted:
            set_live(module, change, key, settings[key], live[key])
    module.exit_json(
        changed=bool(drifted or removal.actions) or file_differs,
        live_changed=drifted,
        diff=[
            {"before_header": module.params["path"], "after_header": module.params["path"], "before": before, "after": text},
            {
                "before_header": "live",
                "after_header": "live",
                "before": "".join("%s = %s\n" % (key, live[key]) for key in drifted),
                "after": "".join("%s = %s\n" % (key, settings[key]) for key in drifted),
            },
            {"prepared": "".join(action + "\n" for action in removal.actions)},
        ],
    )


if __name__ == "__main__":
    main()
