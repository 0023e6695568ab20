#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_listen
short_description: Change the addresses sshd listens on
version_added: 0.2.0
description:
  - Writes the files, lets sshd check its whole configuration (C(sshd -t)), reloads it, and looks whether it listens where it should, and nowhere else.
    If not, the former files are put back at once.
  - Give it O(way_back_seconds) - a wrong address cuts off whoever could take it back.
author: xuegao.net maintainers (@xuegao)
options:
  files:
    description: The files, each with C(path) and C(content) - a part of sshd's configuration, or units.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file goes.
        type: path
        required: true
      content:
        description: What is in it.
        type: str
        required: true
  absent:
    description: Files that must not exist.
    type: list
    elements: path
    default: []
  addresses:
    description: Addresses with port on which sshd itself must listen, for example C(192.0.2.1:22). Empty when that is not our business.
    type: list
    elements: str
    default: []
  sockets:
    description: Socket units that must be enabled and listening.
    type: list
    elements: str
    default: []
  unit:
    description: sshd's unit.
    type: str
    default: ssh.service
  record:
    description: Name of the record of files and sockets. What is recorded and no longer given goes.
    type: str
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: Listen on one address only
  xuegao.net.ssh_listen:
    files:
      - path: /etc/ssh/sshd_config.d/10-xgn.conf
        content: "ListenAddress 192.0.2.1:22\n"
    addresses: ["192.0.2.1:22"]
"""

RETURN = r"""
"""

import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.loaded import read_otherwise
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import index_path
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK
from ansible_collections.xuegao.net.plugins.module_utils.way_back import command_note, unit_note
from ansible_collections.xuegao.net.plugins.module_utils.way_back_program import SERVICES

MODE = 0o644
BOUND = re.compile(r"^BindToDevice=(.+)$", re.MULTILINE)
WAIT_S = 15
POLL_S = 0.3


def configured(module: AnsibleModule) -> set[str]:
    """Return the addresses of sshd's effective configuration."""
    status, out, err = module.run_command(["sshd", "-T"])
    if status:
        return set()
    return {line.split()[1] for line in out.splitlines() if line.startswith("listenaddress ")}


def listening(module: AnsibleModule) -> set[str]:
    """Return the addresses on which a running sshd listens in the default VRF. Forwarded ports of its clients belong to other processes."""
    process = "pid=%s," % Systemd(module.run_command).main_pid(module.params["unit"])
    status, out, err = module.run_command(["ss", "-Hltnp"])
    lines = [line.split() for line in out.splitlines() if process in line]
    return {words[3] for words in lines if "%" not in words[3]}


def sockets_down(module: AnsibleModule) -> list[str]:
    """Return the socket units that are not enabled, not active, or were started with another definition than the one on disk."""
    states = Systemd(module.run_command).properties(module.params["sockets"], "ActiveState", "UnitFileState", "NeedDaemonReload")
    right = {"ActiveState": "active", "UnitFileState": "enabled"}

    def stands(unit: str) -> bool:
        state = states.get(unit, {})
        files = [item for item in module.params["files"] if item["path"].endswith("/" + unit)]
        devices = [device for item in files for device in BOUND.findall(item["content"])]
        own = [*(item["path"] for item in files), *map(index_path, devices)]
        read = state.get("NeedDaemonReload") != "yes" and not read_otherwise(unit, own)
        return read and all(state.get(key) == value for key, value in right.items())

    return [unit for unit in module.params["sockets"] if not stands(unit)]


def make_live(module: AnsibleModule) -> list[list[str]]:
    """Return what systemctl is asked for to make the files live, as they are after a change as well as after its undoing."""
    sockets = module.params["sockets"]
    units = [["daemon-reload"], *(["restart", unit] for unit in sockets)]
    return [*(units if sockets else []), ["reload-or-restart", module.params["unit"]]]


def has_other_mode(path: str) -> bool:
    """Say whether a file is there, and has another mode than it is written with."""
    return os.path.exists(path) and os.stat(path).st_mode & 0o7777 != MODE


class Listeners:
    """The files that say where sshd listens: applied, or undone as a whole."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.change = HostChange(module, module.params["record"])
        given = [item["path"] for item in module.params["files"]] + module.params["absent"]
        unlisted = [path for path in self.change.recorded_names("file") if path not in given]
        self.unlisted_sockets = [unit for unit in self.change.recorded_names("unit") if unit not in module.params["sockets"]]
        self.paths = given + unlisted
        self.before = {path: read_text(path) if os.path.exists(path) else None for path in self.paths}
        self.after: dict[str, str | None] = {item["path"]: item["content"] for item in module.params["files"]}
        self.after.update(dict.fromkeys(module.params["absent"] + unlisted))

    def record(self) -> None:
        """Record files and sockets, also where nothing else is to be done: a torn record is written again."""
        for item in self.module.params["files"]:
            self.change.own_file(item["path"], item["content"])
        for unit in self.module.params["sockets"]:
            self.change.own("unit", unit)
        self.change.save()

    def write(self, contents: dict[str, str | None]) -> None:
        """Give every file its content; None removes it."""
        for path, text in contents.items():
            if text is not None:
                self.change.write(path, text, MODE)
            else:
                self.change.remove(path)

    def refuse(self, reason: str, live: bool) -> None:
        """Undo everything and fail; ``live`` says whether the new files are live already."""
        self.write(self.before)
        systemd = Systemd(self.module.run_command)
        if self.unlisted_sockets:
            systemd.attempt("daemon-reload")
        for unit in self.unlisted_sockets:
            self.change.own("unit", unit)
            systemd.attempt("enable", "--now", "--quiet", unit)
        self.change.save()
        if live:
            for words in make_live(self.module):
                systemd.attempt(*words)
        self.change.way_back.give_up()
        self.module.fail_json(msg=reason + " The former addresses are in force.")

    def apply(self) -> None:
        """Write, check, make live, and look."""
        module, wanted = self.module, set(self.module.params["addresses"])
        systemd = Systemd(module.run_command)
        self.change.about_to(
            *(unit_note(unit, SERVICES) for unit in self.unlisted_sockets),
            *(command_note(SERVICES, "systemctl", *words) for words in make_live(module)),
        )
        for unit in self.unlisted_sockets:
            systemd.attempt("disable", "--now", "--quiet", unit)
        self.write(self.after)
        status, out, err = module.run_command(["sshd", "-t"])
        if status:
            self.refuse("sshd refuses its configuration: %s." % (err or out).strip(), live=False)
        found = configured(module)
        if wanted and found != wanted:
            names = ", ".join(sorted(found)) or "nothing"
            remedy = "Remedy: take other ListenAddress lines out of it, and let it include the files given here."
            self.refuse("sshd's configuration as a whole leads to %s instead. %s" % (names, remedy), live=False)
        for words in make_live(module):
            status, said = systemd.attempt(*words)
            if status:
                self.refuse("systemctl %s: %s." % (" ".join(words), said), live=True)
        for unit in self.unlisted_sockets:
            self.change.disown("unit", unit)
        if module.params["sockets"]:
            systemd.attempt("enable", "--quiet", *module.params["sockets"])
        if not wanted:
            return
        now = wait_until(lambda: listening(module), lambda addresses: addresses == wanted, WAIT_S, POLL_S)
        if now != wanted:
            names = ", ".join(sorted(now)) or "nothing"
            self.refuse("sshd listens on %s instead of %s." % (names, ", ".join(sorted(wanted))), live=True)


def main() -> None:
    file_options = {"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}}
    strings: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = host_module(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "default": [], "options": file_options},
            "absent": {"type": "list", "elements": "path", "default": []},
            "addresses": strings,
            "sockets": strings,
            "unit": {"type": "str", "default": "ssh.service"},
            "record": {"type": "str"},
            **OWNERS,
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    listeners = Listeners(module)
    listeners.change.refuse_owners({item["path"]: item["content"] for item in module.params["files"]})
    diff = [
        {"before_header": path, "after_header": path, "before": listeners.before[path] or "", "after": listeners.after[path] or ""}
        for path in listeners.paths
        if listeners.before[path] != listeners.after[path]
    ]
    modes = [path for path, text in listeners.after.items() if listeners.before[path] == text and has_other_mode(path)]
    diff += [{"before_header": path, "after_header": path, "before": "another mode\n", "after": "mode %04o\n" % MODE} for path in modes]
    wanted = set(module.params["addresses"])
    live = listening(module) if wanted else set()
    if live != wanted:
        shown = ["".join(address + "\n" for address in sorted(addresses)) for addresses in (live, wanted)]
        diff.append({"before_header": "sshd listens", "after_header": "sshd listens", "before": shown[0], "after": shown[1]})
    changed = bool(diff or listeners.unlisted_sockets) or bool(sockets_down(module))
    if not module.check_mode:
        listeners.record()
    if changed and not module.check_mode:
        listeners.apply()
    module.exit_json(changed=changed, diff=diff)


if __name__ == "__main__":
    main()
