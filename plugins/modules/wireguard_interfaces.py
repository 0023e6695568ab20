#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: wireguard_interfaces
short_description: WireGuard interfaces through wg-quick, changed without disturbing their peers
version_added: 0.1.0
description:
  - Writes C(/etc/wireguard/NAME.conf), checks it with C(wg-quick strip), and synchronises a living interface with it.
  - Compares the interface's public key before and after, and puts the identity back should it be lost.
  - Unmasks, enables and starts C(wg-quick@NAME.service). What counts is the interface, and one that somebody deleted or renamed is made again though its
    unit is active.
  - Needs the key files of M(xuegao.net.wireguard_key).
author: xuegao.net maintainers (@xuegao)
options:
  interfaces:
    description: The interfaces.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Interface name.
        type: str
        required: true
      listen_port:
        description: UDP port.
        type: int
      mtu:
        description: MTU in bytes.
        type: int
        default: 1412
      fwmark:
        description: Firewall mark of the outer packets.
        type: int
      peers:
        description: The other ends.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the peer, for people.
            type: str
            required: true
          interface:
            description: Interface at the other end; for the caller's use.
            type: str
          public_key:
            description: Public key; O(public_keys) otherwise.
            type: str
          preshared_key:
            description: Preshared key.
            type: str
          endpoint:
            description: Address and port.
            type: str
          allowed_ips:
            description: Prefixes accepted from and sent to the peer.
            type: list
            elements: str
            default: ["0.0.0.0/0", "::/0"]
          persistent_keepalive:
            description: Seconds between keepalives.
            type: int
  public_keys:
    description: Interface name to peer name to public key, for peers without their own.
    type: dict
    default: {}
  remove_unlisted:
    description: Remove interfaces this module made earlier and that are not listed. Their key files stay.
    type: bool
    default: true
  remove_all:
    description: Allow O(interfaces) to be empty although interfaces made earlier would be removed - all tunnels of the host.
    type: bool
    default: false
  adopt:
    description: Take over files and living interfaces that somebody else has made. Without it they refuse the call, and nothing is changed.
    type: bool
    default: false
  drain_seconds:
    description:
      - FRR sends traffic another way before living interfaces are changed in a way that interrupts them, and this is how long that may take at most; then how
        long their sessions may take to come back. Needs a session over the interface, and is left out where something is drained already. V(0) does not drain.
    type: int
    default: 0
  unit_changed:
    description: The caller has just changed a definition of the units.
    type: bool
    default: false
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
"""

EXAMPLES = r"""
- name: One tunnel
  xuegao.net.wireguard_interfaces:
    interfaces:
      - name: wg0
        listen_port: 1111
        peers:
          - name: T2
            public_key: bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo=
            allowed_ips: [0.0.0.0/0]
"""

RETURN = r"""
actions:
  description: What was (or would be) done, in words.
  returned: always
  type: list
  elements: str
  sample: ["wg0: synchronised (persistent_keepalive of peer T1)"]
"""

import glob
import os
import re
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain, owners, wireguard, wireguard_dump
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError, output
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Key
from ansible_collections.xuegao.net.plugins.module_utils.removal import Removal, unit_before
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import interface_exists, interface_is_up, interface_mtu
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd, has_systemd, instance_of
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK
from ansible_collections.xuegao.net.plugins.module_utils.way_back import unit_note
from ansible_collections.xuegao.net.plugins.module_utils.way_back_program import TUNNELS

PEER = {
    "name": {"type": "str", "required": True},
    "interface": {"type": "str"},
    "public_key": {"type": "str", "no_log": False},
    "preshared_key": {"type": "str", "no_log": True},
    "endpoint": {"type": "str"},
    "allowed_ips": {"type": "list", "elements": "str", "default": ["0.0.0.0/0", "::/0"]},
    "persistent_keepalive": {"type": "int"},
}
INTERFACE = {
    "name": {"type": "str", "required": True},
    "listen_port": {"type": "int"},
    "mtu": {"type": "int", "default": 1412},
    "fwmark": {"type": "int"},
    "peers": {"type": "list", "elements": "dict", "default": [], "options": PEER},
}


def unit_of(name: str) -> str:
    """The unit of an interface."""
    return "wg-quick@%s.service" % name


class Host:
    """What this module asks of the host, and does to it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.systemd = Systemd(module.run_command)
        self.change = HostChange(module, "wireguard")
        self.actions: list[str] = []
        self.diffs: list[dict[str, str]] = []

    def run(self, *command: str) -> str:
        """Output of a command that must succeed. Raises CommandError."""
        return output(self.module.run_command, *command)

    def units(self, names: list[str]) -> dict[str, dict[str, str]]:
        """ActiveState and UnitFileState by unit, once systemd has their definitions as they are; empty on a host without systemd."""
        if not has_systemd(self.module.get_bin_path):
            return {}
        states, noted = self.systemd.settled([unit_of(name) for name in names], self.module.params["unit_changed"], self.module.check_mode)
        self.actions += noted
        return states

    def live(self, name: str) -> wireguard_dump.Interface | None:
        """State of a living WireGuard interface, or None. Raises WireGuardError when the name belongs to another kind."""
        if not interface_exists(name):
            return None
        # Asked of wg(8) and not of sysfs: it knows those of a program too (wireguard-go, where the kernel has none).
        if name not in self.run("wg", "show", "interfaces").split():
            raise wireguard.WireGuardError(
                "%s exists and is no WireGuard interface, so it was not touched. Remedy: rename one of the two." % name
            )
        return wireguard_dump.parse_one(self.run("wg", "show", name, "dump"))

    def holder_of(self, private: str) -> str | None:
        """Name of a living interface that nobody lists and that has this private key: the one that is missing, renamed."""
        interfaces = wireguard_dump.parse_all(self.run("wg", "show", "all", "dump"))
        listed = {item["name"] for item in self.module.params["interfaces"]}
        return next((name for name, found in interfaces.items() if found.private_key == private and name not in listed), None)

    def note(self, name: str, action: str) -> None:
        """Remember what is done to an interface."""
        self.actions.append("%s: %s" % (name, action))


def stripped(host: Host, interface: dict[str, Any], text: str, live: wireguard_dump.Interface | None) -> str:
    """Check text with wg-quick; returns what wg(8) understands of it.

    The process substitution of the manual page reads an empty file when strip fails, and an empty file takes the
    interface's identity away: so the output is looked at before anything reads it.
    """
    with trial_file(interface["name"] + ".conf", text) as source:
        out = host.run("wg-quick", "strip", source)
    if "PrivateKey" not in out:
        raise wireguard.WireGuardError(
            "%s was not changed: `wg-quick strip` gives a file without PrivateKey, with which it would lose its identity."
            % interface["name"]
        )
    if live is not None and interface.get("listen_port") is None:
        # Without a port in the file syncconf opens a new socket, and the peer must first learn the new port.
        out = out.replace("[Interface]", "[Interface]\nListenPort = %d" % live.listen_port, 1)
    return out


def synchronise(host: Host, name: str, text: str, public_before: str | None, same_key: bool) -> None:
    """Give a living interface a configuration as `stripped` returns it, and make sure that it keeps its identity."""
    with trial_file(name + ".stripped", text) as path:
        host.run("wg", "syncconf", name, path)
    public_after = host.run("wg", "show", name, "public-key").strip()
    if same_key and public_after != public_before:
        host.run("wg", "set", name, "private-key", wireguard.key_path(name))
        raise wireguard.WireGuardError(
            "%s lost its identity in `wg syncconf` (public key %s, then %s); the private key was put back"
            % (name, public_before, public_after)
        )


def ensure(host: Host, interface: dict[str, Any], unit: dict[str, str]) -> None:
    """Bring one interface in line: its file, the living interface, its unit."""
    name, module = interface["name"], host.module
    private = wireguard.private_key(name)
    if private is None:
        if not module.check_mode:
            raise wireguard.WireGuardError("%s has no private key, and was not changed. Remedy: run xuegao.net.wireguard_key first." % name)
        private = ""
    # A refused file makes wg-quick quote lines of it, and no placeholder reaches into what a program says: Ansible blots out what it knows to be
    # secret. This key is the only secret of a module that comes from a file of the host, and not by an option with no_log.
    module.no_log_values.update({private} - {""})
    path = wireguard.conf_path(name)
    before, text = read_text(path), wireguard.conf_text(interface, private)
    file_differs = before != text or (os.path.exists(path) and os.stat(path).st_mode & 0o777 != 0o600)
    if file_differs:
        host.note(name, "%s %s" % ("rewrite" if before else "write", path))
        host.diffs.append(
            {
                "before_header": path,
                "after_header": path,
                "before": wireguard.without_secrets(before),
                "after": wireguard.without_secrets(text),
            }
        )
    live = host.live(name)
    active = unit.get("ActiveState") == "active"
    differences = wireguard.drift(interface, private, live) if live and private else []
    mtu = interface_mtu(name)
    if live and active:
        if file_differs or differences:
            host.note(name, "synchronise (%s)" % ("; ".join(differences) or "file"))
        if mtu != interface["mtu"]:
            host.note(name, "MTU %s, declared %s" % (mtu, interface["mtu"]))
        if not interface_is_up(name):
            host.note(name, "set up")
    elif live:
        host.note(name, "delete the interface that wg-quick@%s does not know, and start the unit" % name)
    elif active:
        host.note(name, "restart wg-quick@%s, whose interface is gone" % name)
    else:
        host.note(name, "start wg-quick@%s" % name)
    other = None if live or not private else host.holder_of(private)
    if other:
        host.note(name, "delete %s, which has its key and port" % other)
    if unit.get("UnitFileState") != "enabled":
        host.note(name, "enable wg-quick@%s" % name)
    if module.check_mode:
        return
    host.change.own("unit", unit_of(name), partial(unit_before, module, unit_of(name)))
    host.change.own("interface", name)
    host.change.own_file(path, text)
    host.change.save()
    if any(action.startswith(name + ": ") for action in host.actions):
        host.change.about_to(unit_note(unit_of(name), TUNNELS), {"wireguard": name})

    if file_differs or differences or not (live and active):
        checked = stripped(host, interface, text, live)
    if live and active:
        if file_differs or differences:
            synchronise(host, name, checked, live.public_key, live.private_key == private)
        if mtu != interface["mtu"]:
            host.run("ip", "link", "set", "dev", name, "mtu", str(interface["mtu"]))
        if not interface_is_up(name):
            host.run("ip", "link", "set", "dev", name, "up")
    # The file comes after the living interface took the same content: a refused one never stays for the next boot.
    if file_differs:
        host.change.write(path, text, 0o600)
    if not (live and active):
        if live:
            host.run("ip", "link", "delete", "dev", name)
        if other:
            host.run("ip", "link", "delete", "dev", other)
        start(host, name, path, before)
    if unit.get("UnitFileState") != "enabled":
        host.systemd.do("enable", "--quiet", unit_of(name))


def interrupted(host: Host, interface: dict[str, Any], unit: dict[str, str]) -> bool:
    """Say whether a living interface is about to be changed in a way that its peers do not follow at once."""
    private, live = wireguard.private_key(interface["name"]), host.live(interface["name"])
    if private is None or live is None:
        return False
    return unit.get("ActiveState") != "active" or wireguard.interrupts(wireguard.drift(interface, private, live))


def start(host: Host, name: str, path: str, before: str) -> None:
    """Start wg-quick@NAME; on failure put the former file back and tell what the journal says."""
    try:
        # Not start: of a unit that is active without its interface that would change nothing.
        host.systemd.do("restart", unit_of(name))
    except CommandError as error:
        if before:
            host.change.write(path, before, 0o600)
        else:
            host.change.remove(path)
        journal = wireguard.without_secrets(host.systemd.journal(unit_of(name), 10))
        raise wireguard.WireGuardError("%s\n%s" % (error, journal)) from error


def remove_unlisted(host: Host, listed: set[str], remove_all: bool) -> None:
    """Take down and forget the interfaces this module made and that are no longer listed.

    Raises WireGuardError when that would be all of them and nobody said so: a variable that got lost looks the same.
    """
    # One whose file somebody deleted is ours all the same, and so is what a killed run has left.
    names = [*host.change.recorded_names("interface"), *map(instance_of, host.change.recorded_names("unit"))]
    recorded = {wireguard.conf_path(name) for name in names}
    gone: list[Key] = []
    for path in sorted({*glob.glob(os.path.join(wireguard.DIRECTORY, "*.conf")), *recorded}):
        name = os.path.basename(path)[: -len(".conf")]
        text = read_text(path)
        if name in listed or (path not in recorded and not text.startswith(wireguard.HEADER)):
            continue
        if not listed and not remove_all:
            raise wireguard.WireGuardError(
                "no interface is listed, and %s made by this role exists: every tunnel of this host would go. "
                "If that is meant, set wireguard_remove_all: true. Nothing was changed." % name
            )
        host.note(name, "stop, disable and remove; its key file stays")
        host.diffs.append({"before_header": path, "after_header": path, "before": wireguard.without_secrets(text), "after": ""})
        gone += [("unit", unit_of(name)), ("interface", name)]
        gone += [("file", path)] if host.change.owns_file(path) or text.startswith(wireguard.HEADER) else []
    if not host.module.check_mode:
        Removal(host.module).remove(host.change, gone)


def main() -> None:
    module = host_module(
        argument_spec={
            "interfaces": {"type": "list", "elements": "dict", "required": True, "options": INTERFACE},
            "public_keys": {"type": "dict", "default": {}, "no_log": False},
            "remove_unlisted": {"type": "bool", "default": True},
            "remove_all": {"type": "bool", "default": False},
            "adopt": {"type": "bool", "default": False},
            "drain_seconds": {"type": "int", "default": 0},
            "unit_changed": {"type": "bool", "default": False},
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    interfaces = module.params["interfaces"]
    host = Host(module)
    for interface in interfaces:
        for peer in interface["peers"]:
            peer["public_key"] = peer["public_key"] or module.params["public_keys"].get(interface["name"], {}).get(peer["name"], "")
    problems = [
        "%s: peer %s: %r is no WireGuard public key" % (interface["name"], peer["name"], peer["public_key"])
        for interface in interfaces
        for peer in interface["peers"]
        if not re.match(wireguard.KEY_PATTERN, peer["public_key"])
        and not (module.check_mode and peer["public_key"] == wireguard.UNKNOWN_KEY)
    ]
    if problems:
        module.fail_json(msg="\n".join(problems))
    owners.refuse(module, [item["name"] for item in interfaces], host.change.recorded)
    # What is left says where copies are kept.
    host.change.refuse_owners({wireguard.conf_path(item["name"]): None for item in interfaces})
    try:
        units = host.units([interface["name"] for interface in interfaces])
        states = [units.get(unit_of(interface["name"]), {}) for interface in interfaces]
        changing = [item["name"] for item, state in zip(interfaces, states) if interrupted(host, item, state)]
        with frr_drain.drained(module, changing, module.params["drain_seconds"]) as told:
            host.actions += told
            for interface, state in zip(interfaces, states):
                ensure(host, interface, state)
        if module.params["remove_unlisted"]:
            remove_unlisted(host, {interface["name"] for interface in interfaces}, module.params["remove_all"])
    except (wireguard.WireGuardError, CommandError) as error:
        module.fail_json(msg=str(error), actions=host.actions)
    module.exit_json(changed=bool(host.actions), actions=host.actions, diff=host.diffs)


if __name__ == "__main__":
    main()
