#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_tunnels
short_description: OpenVPN tunnels through the distribution's units, each changed without disturbing the others
version_added: 0.1.0
description:
  - Writes the configuration and the unit's drop-in of each tunnel, lets openvpn check the configuration first, and enables and starts the unit.
  - Restarts a tunnel only when the running daemon was started with something else than what is declared, or does not read the interface of that name,
    since somebody deleted or renamed it. Otherwise the interface survives that, since it is made before the daemon and belongs to nobody.
  - A tunnel that does not start gets its former files back, and one that does not start or connect its former key, too, when it has one.
    Needs the key files of M(xuegao.net.openvpn_key).
author: xuegao.net maintainers (@xuegao)
options:
  tunnels:
    description: The tunnels.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the interface and of the unit's instance.
        type: str
        required: true
      role:
        description: Which of the two units runs the tunnel.
        type: str
        choices: [server, client]
        required: true
      config:
        description: Text of the configuration file.
        type: str
        required: true
      dropin:
        description: Text of the unit's drop-in, with a place for the digest.
        type: str
        required: true
      mtu:
        description: MTU of the interface in bytes.
        type: int
        required: true
  remove_unlisted:
    description: Remove tunnels this module made earlier and that are not listed. Their key files stay.
    type: bool
    default: true
  remove_all:
    description: Allow O(tunnels) to be empty although tunnels made earlier would be removed.
    type: bool
    default: false
  connect_seconds:
    description: How long to wait until each tunnel is connected with its peer. V(0) does not wait.
    type: int
    default: 0
  drain_seconds:
    description:
      - FRR sends traffic another way before running tunnels are restarted, and this is how long that may take at most; then how long their sessions may take
        to come back. Needs a session over the tunnel, and is left out where something is drained already. V(0) does not drain.
    type: int
    default: 0
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: One tunnel
  xuegao.net.openvpn_tunnels:
    tunnels:
      - name: ovpn2
        role: server
        mtu: 1414
        config: "{{ lookup('ansible.builtin.template', 'tunnel.conf.j2') }}"
        dropin: "{{ lookup('ansible.builtin.template', 'dropin.conf.j2') }}"
"""

RETURN = r"""
actions:
  description: What was (or would be) done, in words.
  returned: always
  type: list
  elements: str
  sample: ["ovpn2: restart openvpn-server@ovpn2.service (it runs with another configuration)"]
"""

import glob
import os
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain, openvpn, openvpn_daemon
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError, output
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Key, was_there
from ansible_collections.xuegao.net.plugins.module_utils.removal import Removal, shown, unit_before
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import interface_exists, interface_is_up, interface_mtu
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd, has_systemd, instance_of
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK
from ansible_collections.xuegao.net.plugins.module_utils.way_back import command_note, unit_note
from ansible_collections.xuegao.net.plugins.module_utils.way_back_program import TUNNELS
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import UNKNOWN_KEY

POLL_S = 0.5


class Host:
    """What this module asks of the host, and does to it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.systemd = Systemd(module.run_command)
        self.change = HostChange(module, "openvpn")
        self.actions: list[str] = []
        self.diffs: list[dict[str, str]] = []
        self.stale_units = False

    def run(self, *command: str) -> str:
        """Output of a command that must succeed. Raises CommandError."""
        return output(self.module.run_command, *command)

    def units(self, names: list[str]) -> dict[str, dict[str, str]]:
        """ActiveState, UnitFileState and MainPID by unit, once systemd has their definitions as they are; empty on a host without systemd."""
        if not has_systemd(self.module.get_bin_path):
            return {}
        states, noted = self.systemd.settled(names, False, self.module.check_mode)
        self.actions += noted
        return states

    def write(self, path: str, text: str, mode: int) -> bool:
        """Note and, outside of check mode, write a file that is not as it should be; returns whether it was not."""
        before = read_text(path)
        if before == text and os.stat(path).st_mode & 0o7777 == mode:
            return False
        self.diffs.append({"before_header": path, "after_header": path, "before": before_shown(path, before), "after": text})
        self.actions.append("%s %s" % ("rewrite" if before else "write", path))
        if not self.module.check_mode:
            self.change.write(path, text, mode)
        return True

    def reload_units(self) -> None:
        """Let systemd read changed drop-ins."""
        if self.stale_units:
            self.systemd.do("daemon-reload")
            self.stale_units = False


def before_shown(path: str, text: str) -> str:
    """What a diff may show of a file as it is: ours holds no key, and somebody else's may have one in it."""
    return text if text.startswith(openvpn.HEADER) else shown(path)


def is_strange(host: Host, name: str, role: str) -> bool:
    """Say whether an interface lives that would be a tunnel's, and that no tunnel of this module has made: another program holds it."""
    there = ("interface", name) in host.change.recorded or os.path.exists(openvpn.conf_path(name, role))
    return not there and interface_exists(name)


def lost_interface(pid: str, name: str) -> str | None:
    """Why a running daemon must be started again: it reads another interface than the one of this name; None when that is not so."""
    read = openvpn_daemon.interface_of(pid)
    if read:
        return None if read == name else "its interface has become %s" % read
    # One that calls a name has not opened any before it has an address; that is no reason, as long as the interface waits for it.
    return "its interface is gone" if read == "" or not interface_exists(name) else None


def validate(host: Host, tunnel: dict[str, Any]) -> None:
    """Let openvpn read a changed configuration; it reads all of it before it answers the question for its digests, and starts nothing."""
    if openvpn.fingerprint(tunnel["name"]) is None and not host.module.check_mode:
        raise openvpn.OpenVPNError("tunnel %s has no key, and was not changed. Remedy: run xuegao.net.openvpn_key first." % tunnel["name"])
    # A fingerprint that only the first run on the peer will make: a prediction can go on without it.
    predicted = host.module.check_mode and UNKNOWN_KEY in tunnel["config"]
    if predicted or read_text(openvpn.conf_path(tunnel["name"], tunnel["role"])) == tunnel["config"]:
        return
    program = host.module.get_bin_path("openvpn")
    if program is None:
        if host.module.check_mode:
            return
        raise openvpn.OpenVPNError(
            "openvpn is not installed, and tunnel %s was not changed. Remedy: install the package openvpn." % tunnel["name"]
        )
    with trial_file(tunnel["name"] + ".conf", tunnel["config"]) as path:
        status, out, err = host.module.run_command([program, "--config", path, "--show-digests"])
    if status != 0:
        text = (err + out).strip().replace(os.path.dirname(path) + "/", "")
        raise openvpn.OpenVPNError("openvpn refuses the new configuration of tunnel %s, which was not changed: %s" % (tunnel["name"], text))


def runs_otherwise(tunnel: dict[str, Any], unit_state: dict[str, str]) -> bool:
    """Say whether a running daemon was started with something else than what is declared, and has to be restarted."""
    if unit_state.get("ActiveState") != "active":
        return False
    digest = openvpn.configuration_digest(tunnel, openvpn.fingerprint(tunnel["name"]))
    return openvpn_daemon.started_with(unit_state.get("MainPID", "0")) != digest


def ensure(host: Host, tunnel: dict[str, Any], unit_state: dict[str, str]) -> None:
    """Bring one tunnel in line: its files, its unit, the running daemon, the interface's MTU."""
    name, role = tunnel["name"], tunnel["role"]
    unit = openvpn.unit_name(name, role)
    digest = openvpn.configuration_digest(tunnel, openvpn.fingerprint(name))
    paths = {
        openvpn.conf_path(name, role): tunnel["config"],
        openvpn.dropin_path(name, role): tunnel["dropin"].replace(openvpn.DIGEST, digest),
    }
    before = {path: read_text(path) for path in paths}
    config, dropin = paths
    if not host.module.check_mode:
        host.change.own("unit", unit, partial(unit_before, host.module, unit))
        # One that somebody else has made is not deleted with the tunnel.
        host.change.own("interface", name, lambda: {"found": True} if is_strange(host, name, role) else None)
        for path, text in paths.items():
            host.change.own_file(path, text)
        host.change.save()
    host.write(config, paths[config], 0o600)
    if host.write(dropin, paths[dropin], 0o644):
        host.stale_units = True
    active = unit_state.get("ActiveState") == "active"
    other = runs_otherwise(tunnel, unit_state)
    enabled = unit_state.get("UnitFileState") == "enabled"
    mtu = interface_mtu(name)
    lost = lost_interface(unit_state.get("MainPID", "0"), name) if active and not other else None
    if other:
        host.actions.append("%s: restart %s (it runs with another configuration)" % (name, unit))
    elif lost:
        host.actions.append("%s: restart %s (%s)" % (name, unit, lost))
    elif not active:
        host.actions.append("%s: start %s" % (name, unit))
    elif not interface_is_up(name):
        host.actions.append("%s: set up" % name)
    elif mtu != tunnel["mtu"]:
        host.actions.append("%s: MTU %s, declared %s" % (name, mtu, tunnel["mtu"]))
    if not enabled:
        host.actions.append("%s: enable %s" % (name, unit))
    if host.module.check_mode:
        return
    if any(action.startswith(name + ": ") for action in host.actions):
        notes = [unit_note(unit, TUNNELS), {"link": name}]
        host.change.about_to(*notes, *([command_note(TUNNELS, "systemctl", "restart", unit)] if other else []))
    host.reload_units()
    if other or lost or not active:
        renamed = openvpn_daemon.interface_of(unit_state.get("MainPID", "0")) if lost else None
        if renamed:
            delete_interface(host, renamed)
        start(host, name, unit, before)
    elif not interface_is_up(name):
        host.run("ip", "link", "set", "dev", name, "mtu", str(tunnel["mtu"]), "up")
    elif mtu != tunnel["mtu"]:
        host.run("ip", "link", "set", "dev", name, "mtu", str(tunnel["mtu"]))
    if not enabled:
        host.systemd.do("enable", "--quiet", unit)


def start(host: Host, name: str, unit: str, before: dict[str, str]) -> None:
    """Start or restart a unit; on failure put the former files back, start that, and tell what the journal says."""
    try:
        host.systemd.do("restart", unit)
    except CommandError as error:
        journal = host.systemd.journal(unit, 15)
        # Or systemd would try again, and again.
        host.systemd.attempt("stop", unit)
        openvpn.switch_back(HostChange(host.module), name)
        for path, text in before.items():
            if text:
                host.change.write(path, text, 0o600 if path.startswith(openvpn.DIRECTORY) else 0o644)
            else:
                host.change.remove(path)
        host.systemd.do("daemon-reload")
        if all(before.values()):
            host.systemd.attempt("restart", unit)
        elif not was_there(host.change.recorded.get(("interface", name), {}).get("before")):
            delete_interface(host, name)
        raise openvpn.OpenVPNError(
            "tunnel %s: %s. What was there before was put back. The journal ends with:\n%s" % (name, error, journal)
        ) from error


def connect(host: Host, tunnel: dict[str, Any], seconds: int) -> None:
    """Wait until a tunnel is connected. Raises OpenVPNError when it is not in time; the former key is in use again then, if there was one."""
    name, unit = tunnel["name"], openvpn.unit_name(tunnel["name"], tunnel["role"])

    def state() -> str | None:
        try:
            return openvpn_daemon.ask(name).state
        except OSError:
            # It has only begun, or systemd starts it again.
            return None

    found = wait_until(state, lambda told: told == openvpn_daemon.CONNECTED, seconds, POLL_S)
    if found == openvpn_daemon.CONNECTED:
        return
    journal = host.systemd.journal(unit, 15)
    text = "tunnel %s is not connected with its peer after %d s (%s)." % (name, seconds, found or "its daemon does not answer")
    # Keys are in no record.
    if openvpn.switch_back(HostChange(host.module), name):
        ensure(host, tunnel, host.units([unit]).get(unit, {}))
        text += " Its former key is in use again; the new one waits as the next, and the peer may go on accepting both."
    raise openvpn.OpenVPNError("%s The journal ends with:\n%s" % (text, journal))


def delete_interface(host: Host, name: str) -> None:
    """Delete the interface of a tunnel, which outlives its daemon."""
    if interface_exists(name):
        host.run("ip", "link", "delete", "dev", name)


def remove_unlisted(host: Host, listed: set[tuple[str, str]], remove_all: bool) -> None:
    """Stop and forget the tunnels this module made and that are no longer listed.

    Raises OpenVPNError when that would be all of them and nobody said so: a variable that got lost looks the same.
    """
    names = {name for name, _role in listed}
    units = host.change.recorded_names("unit")
    gone: list[Key] = []
    for role in openvpn.ROLES:
        # One whose file somebody deleted is ours all the same.
        recorded = {openvpn.conf_path(instance_of(unit), role) for unit in units if "-%s@" % role in unit}
        for path in sorted({*glob.glob(os.path.join(openvpn.DIRECTORY, role, "*.conf")), *recorded}):
            name = os.path.basename(path)[: -len(".conf")]
            text = read_text(path)
            if (name, role) in listed or (path not in recorded and not text.startswith(openvpn.HEADER)):
                continue
            if not listed and not remove_all:
                raise openvpn.OpenVPNError(
                    "no tunnel is listed, and %s made by this role exists: every OpenVPN tunnel of this host would go. "
                    "If that is meant, set openvpn_remove_all: true. Nothing was changed." % name
                )
            unit = openvpn.unit_name(name, role)
            host.actions.append("%s: stop, disable and remove %s; its key file stays" % (name, unit))
            host.diffs.append({"before_header": path, "after_header": path, "before": before_shown(path, text), "after": ""})
            gone.append(("unit", unit))
            # A tunnel whose two ends changed places has only changed its unit.
            gone += [("interface", name)] if name not in names else []
            files = (path, openvpn.dropin_path(name, role))
            gone += [("file", file) for file in files if host.change.owns_file(file) or read_text(file).startswith(openvpn.HEADER)]
    if not host.module.check_mode:
        Removal(host.module).remove(host.change, gone)


def main() -> None:
    options = {
        "name": {"type": "str", "required": True},
        "role": {"type": "str", "choices": list(openvpn.ROLES), "required": True},
        "config": {"type": "str", "required": True},
        "dropin": {"type": "str", "required": True},
        "mtu": {"type": "int", "required": True},
    }
    module = host_module(
        argument_spec={
            "tunnels": {"type": "list", "elements": "dict", "required": True, "options": options},
            "remove_unlisted": {"type": "bool", "default": True},
            "remove_all": {"type": "bool", "default": False},
            "connect_seconds": {"type": "int", "default": 0},
            "drain_seconds": {"type": "int", "default": 0},
            **OWNERS,
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    tunnels = module.params["tunnels"]
    host = Host(module)
    # A drop-in has our name.
    host.change.refuse_owners(
        {openvpn.conf_path(tunnel["name"], tunnel["role"]): tunnel["config"] for tunnel in tunnels},
        interfaces=[tunnel["name"] for tunnel in tunnels if is_strange(host, tunnel["name"], tunnel["role"])],
    )
    try:
        for tunnel in tunnels:
            validate(host, tunnel)
        # First, since an end that changed its role still holds the interface.
        if module.params["remove_unlisted"]:
            remove_unlisted(host, {(tunnel["name"], tunnel["role"]) for tunnel in tunnels}, module.params["remove_all"])
        units = host.units([openvpn.unit_name(tunnel["name"], tunnel["role"]) for tunnel in tunnels])
        states = [units.get(openvpn.unit_name(tunnel["name"], tunnel["role"]), {}) for tunnel in tunnels]
        interrupted = [tunnel["name"] for tunnel, state in zip(tunnels, states) if runs_otherwise(tunnel, state)]
        with frr_drain.drained(module, interrupted, module.params["drain_seconds"]) as told:
            host.actions += told
            for tunnel, state in zip(tunnels, states):
                ensure(host, tunnel, state)
            if not module.check_mode:
                host.reload_units()
                for tunnel in tunnels if module.params["connect_seconds"] else ():
                    connect(host, tunnel, module.params["connect_seconds"])
    except (openvpn.OpenVPNError, CommandError) as error:
        module.fail_json(msg=str(error), actions=host.actions)
    module.exit_json(changed=bool(host.actions), actions=host.actions, diff=host.diffs)


if __name__ == "__main__":
    main()
