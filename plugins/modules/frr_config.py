#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: frr_config
short_description: The whole configuration of FRRouting, applied and proved
version_added: 0.1.0
description:
  - Checks the new file with C(vtysh), replaces C(frr.conf), runs C(frr-reload.py) itself and takes its exit status, then asks it
    again and requires that nothing is left to apply. C(systemctl reload frr) hides a failure; this module does not.
  - A C(maximum-paths) of the number that this FRR was built for is left out, and C(hostname) becomes the system's name, since the running
    configuration shows nothing else.
  - Only lines that differ are touched. A configuration that was changed by hand is brought back.
  - When anything fails, the former file and configuration are put back.
  - An interface that left the configuration goes from FRR whether the kernel still has it or not.
  - Looks at the routes too, not only at the configuration, in each run. A static route that FRR keeps inactive although its interface is up is taken out and
    put in again. A next hop that only bgpd takes for dead is told to it anew by zebra; its session is reset only when that does not
    help. What works is not touched, and a neighbor that is down because its other side is down is not this module's business. It fails when FRR
    stays as it was.
author: xuegao.net maintainers (@xuegao)
options:
  content:
    description: The whole file, with C(<secret NAME>) where a secret goes.
    type: str
    required: true
  secrets:
    description: Name to value for the placeholders in O(content).
    type: dict
    default: {}
  daemons:
    description: Daemons that must answer before anything is applied.
    type: list
    elements: str
    default: [zebra, staticd]
  addresses:
    description:
      - Interface name to the addresses FRR sets on it. An interface that was deleted and made again may have lost them while FRR
        believes them set; they are then set again.
    type: dict
    default: {}
  path:
    description: The file.
    type: path
    default: /etc/frr/frr.conf
  timeout:
    description: Seconds to wait for the daemons.
    type: int
    default: 60
  record:
    description: Name of the record in which the file stands by its digest, so that P(xuegao.net.verify#role) sees what somebody has edited.
    type: str
    version_added: 0.3.0
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: Configure FRR
  xuegao.net.frr_config:
    content: |
      frr defaults traditional
      router bgp 65503
       neighbor 192.0.2.1 remote-as 65502
       neighbor 192.0.2.1 password <secret bgp default 192.0.2.1>
      exit
    secrets:
      bgp default 192.0.2.1: "{{ vaulted_password }}"
    daemons: [zebra, staticd, bgpd]
"""

RETURN = r"""
applied:
  description: Lines that were (or would be) taken away and added, as C(frr-reload.py) prints them, and what was (or would be) repaired, in words.
  returned: always
  type: list
  elements: str
"""

import os
import re
from contextlib import AbstractContextManager
from functools import partial
from ipaddress import ip_interface
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program as program
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF, SECRETS, as_shown, interfaces_deleted, interfaces_losing
from ansible_collections.xuegao.net.plugins.module_utils.frr_policy import PolicyError, give_again, lacking_anywhere, told
from ansible_collections.xuegao.net.plugins.module_utils.frr_repair import Missed, Rib
from ansible_collections.xuegao.net.plugins.module_utils.frr_replace import (
    given_first,
    replacing,
    secrets_given_first,
    sessions_to_begin_anew,
)
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.interface_addresses import given_anew
from ansible_collections.xuegao.net.plugins.module_utils.iproute import addresses_of, json_links, link_addresses
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.ownership import interfaces_made
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import put_in, take_out
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import interface_exists
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file_beside
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.module_utils.watchfrr import catch_up, unnoticed
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK

RELOAD_PROGRAMS = program.RELOAD_PROGRAMS
POLL_SECONDS = 0.5
ADDRESS_SECONDS = 10
# Until zebra has noticed that the kernel's interface is gone.
GONE_SECONDS = 30
# Exit status of timeout(1).
ENDED_BY_TIMEOUT = 124
# Of frr.conf, which holds passwords.
MODE = 0o640


class FrrError(Exception):
    """A step failed; the text is what its program said."""


class Frr:
    """The programs of FRR on this host."""

    def __init__(self, module: AnsibleModule, path: str, secrets: dict[str, str]) -> None:
        self.module = module
        self.path = path
        self.secrets = secrets
        self.vtysh = module.get_bin_path("vtysh")
        self.reload_program = next((name for name in RELOAD_PROGRAMS if os.path.exists(name)), None)

    def covered(self, text: str) -> str:
        """Output without secrets and without what has no meaning to a reader."""
        return take_out(text, SECRETS, self.secrets).strip()

    def shown(self, text: str) -> str:
        """The text as this FRR on this host would print it."""
        version = ""
        bgpd = os.path.join(os.path.dirname(self.reload_program or ""), "bgpd")
        if "maximum-paths" in text and os.path.exists(bgpd):
            version = self.module.run_command([bgpd, "--version"], check_rc=True)[1]
        return as_shown(text, version, os.uname().nodename)

    def answering(self) -> set[str]:
        """Daemons that vtysh is connected to; empty while FRR does not run."""
        status, out, err = self.module.run_command([self.vtysh, "-c", "show daemons"])
        return set(out.split()) if status == 0 else set()

    def wait_for(self, daemons: list[str], timeout: int) -> None:
        """Return as soon as all daemons answer. Raises FrrError naming those that do not."""
        silent = wait_until(lambda: sorted(set(daemons) - self.answering()), lambda left: not left, timeout, POLL_SECONDS)
        if silent:
            raise FrrError(
                "no answer from %s after %d s. Look at `systemctl status frr` and `journalctl -u frr`; is each of them enabled in "
                "/etc/frr/daemons?" % (", ".join(silent), timeout)
            )

    def check_syntax(self, path: str) -> None:
        """Let vtysh read the file without talking to any daemon. Raises FrrError with its complaint."""
        status, out, err = self.module.run_command([self.vtysh, "--dryrun", "--inputfile", path])
        complaint = "\n".join(line for line in (out + err).splitlines() if line.startswith(("line", "%")) or "nknown command" in line)
        if status != 0 or complaint:
            raise FrrError(self.covered(complaint or out + err).replace(path, self.path))

    def reload(self, verb: str, path: str) -> str:
        """Run frr-reload.py. verb: C(--test) or C(--reload). Returns standard output. Raises FrrError on a bad exit status.

        C(--stdout) keeps its log, which holds every line with its secrets, out of /var/log/frr. It asks vtysh, which waits for ever for a daemon that is
        locked.
        """
        arguments = [
            "timeout",
            str(program.RELOAD_S),
            self.reload_program,
            verb,
            "--stdout",
            "--bindir",
            os.path.dirname(self.vtysh),
            "--confdir",
            os.path.dirname(self.path),
        ]
        # It writes the lines that it adds into a file below /run/frr, where everybody may look.
        status, out, err = self.module.run_command(arguments + [path], umask=0o077)
        if status == ENDED_BY_TIMEOUT:
            raise FrrError(
                "frr-reload.py %s has not ended within %d s and was stopped: one of FRR's daemons does not answer vtysh. Remedy: see which by "
                "`vtysh -d NAME -c 'show version'` on the host." % (verb, program.RELOAD_S)
            )
        if status != 0:
            errors = [line for line in (out + err).splitlines() if "INFO:" not in line]
            raise FrrError("frr-reload.py %s: %s" % (verb, self.covered("\n".join(errors))))
        return str(out)

    def pending(self, path: str) -> list[str]:
        """Lines that running and file differ in, without secrets."""
        return [line for line in self.covered(self.reload("--test", path)).splitlines() if line.strip()]

    def lacking_policy(self, text: str) -> list[str]:
        """What single daemons lack of the prefix lists and route maps, which the running configuration of all of them does not show."""
        try:
            return told(lacking_anywhere(self.module.run_command, self.vtysh, text))
        except PolicyError as error:
            raise FrrError(self.covered(str(error))) from error

    def give_policy_again(self, text: str) -> list[str]:
        """Give each daemon the prefix lists and route maps that it lacks; returns what was lacking. Raises FrrError when one still lacks some."""
        try:
            lacked, left = give_again(self.module.run_command, self.vtysh, text)
        except PolicyError as error:
            raise FrrError(self.covered(str(error))) from error
        if left:
            raise FrrError("FRR's daemons do not take all of the policy:\n" + "\n".join(left))
        return lacked

    def begin_anew(self, sessions: list[tuple[str, str]]) -> list[str]:
        """Reset sessions, given as VRF and neighbor; returns what was done. What FRR refuses is no session: one that is new begins by itself."""
        for vrf, address in sessions:
            self.module.run_command([self.vtysh, "-c", "clear bgp %s%s" % ("vrf %s " % vrf if vrf else "", address)])
        return ["The session with %s was reset: it goes by another link-local address." % address for _vrf, address in sessions]

    def links(self) -> dict[str, dict[str, Any]]:
        """Every interface with its addresses, by name."""
        return json_links(self.module.run_command(["ip", "-json", "address", "show"], check_rc=True)[1])

    def strange_addresses(self, addresses: dict[str, list[str]]) -> list[tuple[str, str]]:
        """Interface and address, as ip(8) takes it, for each address that somebody has put beside those of FRR by hand.

        On interfaces that the collection made, and in the families that FRR has there; any other is the owner's to give addresses to.
        """
        found = []
        for name, link in self.links().items():
            wanted = {ip_interface(address) for address in addresses.get(name, [])}
            for entry in link_addresses(link):
                own = ip_interface("%s/%d" % (entry["local"], entry["prefixlen"]))
                passing = (
                    entry.get("scope") in ("link", "host") or entry.get("dynamic") or own.version not in {item.version for item in wanted}
                )
                if own not in wanted and not passing:
                    peer = " peer %s/%d" % (entry["address"], entry["prefixlen"]) if "address" in entry else ""
                    found.append((link, name, entry["local"] + peer if peer else str(own)))
        made = interfaces_made(self.module.warn) if found else set()
        # Of sessions of L2TP there is no record: they come and go.
        return [(name, words) for link, name, words in found if name in made or link.get("link_type") == "ppp"]

    def remove_addresses(self, strange: list[tuple[str, str]]) -> None:
        """Take addresses away that are not FRR's. Raises FrrError when the kernel refuses."""
        HostChange(self.module).about_to()
        for name, words in strange:
            status, out, err = self.module.run_command(["ip", "address", "delete", *words.split(), "dev", name])
            if status != 0:
                raise FrrError("%s cannot be taken from %s: %s" % (words, name, (err or out).strip()))

    def lost_addresses(self, addresses: dict[str, list[str]]) -> list[tuple[str, str]]:
        """Interface and address for each address that its interface lacks. An interface that does not exist lacks nothing."""
        links = self.links()
        live = {name: addresses_of(link) for name, link in links.items()}
        return [(name, address) for name, wanted in addresses.items() if name in live for address in wanted if address not in live[name]]

    def wait_for_addresses(self, addresses: dict[str, list[str]]) -> list[tuple[str, str]]:
        """Give the kernel time to show the addresses; returns those that are still missing when it is over."""
        return wait_until(lambda: self.lost_addresses(addresses), lambda lost: not lost, ADDRESS_SECONDS, POLL_SECONDS)

    def running(self) -> str:
        """The running configuration, with its secrets; an empty text when vtysh fails: what it says then may quote some."""
        status, out, _err = self.module.run_command([self.vtysh, "-c", "show running-config no-header"])
        return str(out) if status == 0 else ""

    def keep(self, running: str) -> None:
        """Keep the running configuration for a way back, once in a run: it may have lines that somebody gave by hand, and that stand in no file."""
        change = HostChange(self.module)
        change.about_to()
        if running and change.way_back.has_begun and not os.path.exists(os.path.join(program.armed(), program.FRR_RUNNING)):
            change.way_back.text(program.FRR_RUNNING, running)

    def give_first(self, lines: list[tuple[str, ...]], text: str) -> None:
        """Put in force what the coming reload adds in place of something. What FRR refuses of it the reload tells of."""
        if lines:
            with trial_file(self, put_in(given_first(lines, text), self.secrets)) as trial:
                self.module.run_command([self.vtysh, "-f", trial])

    def set_addresses_again(self, lost: list[tuple[str, str]], addresses: dict[str, list[str]]) -> None:
        """Take each lost address out of FRR and put it in again. Raises FrrError when the kernel still lacks one."""
        HostChange(self.module).about_to()
        for name, address in lost:
            line = "%s address %s" % ("ipv6" if ":" in address else "ip", address)
            for call in given_anew(name, line):
                self.module.run_command([self.vtysh, *call])
        missing = self.wait_for_addresses(addresses)
        if missing:
            raise FrrError(
                "FRR does not get these addresses into the kernel: " + ", ".join("%s on %s" % (item[1], item[0]) for item in missing)
            )

    def let_go(self, sections: list[str]) -> None:
        """Delete interfaces that the kernel has not any more from FRR's configuration. Raises FrrError when FRR goes on refusing.

        FRR 8 refuses any single line of such an interface. sections: as C(interfaces_losing) gives them; those that live are left alone.
        """
        for section in sections:
            if interface_exists(section.split()[0]):
                continue
            refusal = wait_until(partial(self.delete_interface, section), lambda said: not said, GONE_SECONDS, POLL_SECONDS)
            if refusal and not interface_exists(section.split()[0]):
                raise FrrError("FRR does not let go of interface %s, which the kernel has not: %s" % (section, refusal))

    def delete_interface(self, section: str) -> str:
        """Delete an interface from FRR's configuration; returns why FRR refuses, an empty text when it does not."""
        status, out, err = self.module.run_command([self.vtysh, "-c", "configure terminal", "-c", "no interface " + section])
        return "" if status == 0 else (out or err).strip() or "exit status %d" % status

    def mend_watch(self) -> list[str]:
        """Let watchfrr notice what has ended; returns what was done. Raises FrrError when it goes on not noticing."""
        try:
            return ["watchfrr had not noticed that process %d has ended" % child for child in catch_up()]
        except ValueError as error:
            raise FrrError(
                "%s. Remedy: `systemctl reload frr.service` gives FRR another watchfrr; no session goes down." % error
            ) from error

    def mend_rib(self, text: str) -> list[str]:
        """Find what FRR has missed of its static routes and next hops, and put it right; returns what was done. Raises FrrError when that fails."""
        rib = Rib(self.module.run_command, self.vtysh, text)
        try:
            missed = rib.lasting()
            if missed:
                HostChange(self.module).about_to()
            done, left = rib.repair(missed) if missed else ([], Missed())
        except (CommandError, ValueError) as error:
            raise FrrError("FRR's routes cannot be read: %s" % self.covered(str(error))) from error
        if left:
            wrong = "\n".join(left.told("it stayed so when it was repaired"))
            raise FrrError("%s\nThe reason lies in FRR. Remedy: restart frr.service at a time when its sessions may go down." % wrong)
        return done

    def wrong_in_rib(self, text: str, before: str) -> list[str]:
        """Say what `mend_rib` would do with what is in force already: what is new in text is in no table yet. Raises FrrError."""
        rib = Rib(self.module.run_command, self.vtysh, text)
        rib.leave_out_new(before)
        try:
            return rib.lasting().told("to be repaired")
        except (CommandError, ValueError) as error:
            raise FrrError("FRR's routes cannot be read: %s" % self.covered(str(error))) from error


def trial_file(frr: Frr, text: str) -> AbstractContextManager[str]:
    """A file beside the real one that only FRR can read, for programs that want to look at the new text."""
    owner = os.stat(os.path.dirname(frr.path))
    return trial_file_beside(frr.path, text, MODE, owner.st_uid, owner.st_gid)


def write(frr: Frr, text: str) -> None:
    """Write frr.conf with the owner of its directory, which is frr:frr, and without a right for others."""
    owner = os.stat(os.path.dirname(frr.path))
    HostChange(frr.module, frr.module.params["record"]).write(frr.path, text, MODE, owner.st_uid, owner.st_gid)


def reload(frr: Frr, text: str) -> list[str]:
    """Make the running configuration that of the file, which holds text; returns the lines that were applied.

    An interface that lives cannot be deleted from a configuration, and what is configured on it cannot go with it: it is emptied, after which FRR shows
    it no more. One that is gone must be deleted whole. What replaces something is in force before that is taken away. Of a reload only what it leaves to
    apply counts, and it is tried again while there is less of it, or an interface has gone meanwhile: a first one leaves C(bfd) behind, which a session
    still used. Raises FrrError when something stays.
    """
    changes = left = frr.pending(frr.path)
    if changes:
        running = frr.running()
        frr.keep(running)
        frr.give_first(replacing(changes, running) + secrets_given_first(changes), text)
    while left:
        living = {section for section in interfaces_losing(left) if interface_exists(section.split()[0])}
        frr.let_go([section for section in interfaces_losing(left) if section not in living])
        emptied = "".join("interface %s\nexit\n!\n" % section.split()[0] for section in interfaces_deleted(left) if section in living)
        failed: FrrError | None = None
        try:
            if emptied:
                with trial_file(frr, text + emptied) as trial:
                    frr.reload("--reload", trial)
                # For any other file than frr.conf, frr-reload.py writes the running configuration into that one, in vtysh's own form.
                write(frr, text)
            else:
                frr.reload("--reload", frr.path)
        except FrrError as error:
            # FRR 8 calls it a failure to take out an address that the kernel has lost, and takes it out.
            failed = error
        before, left = left, frr.pending(frr.path)
        if left and len(left) >= len(before) and (not failed or all(interface_exists(section.split()[0]) for section in living)):
            raise failed or FrrError(
                "FRR took the configuration, yet these lines are left to apply:\n%s\nAn own line has to stand as FRR prints it: "
                "under Lines To Delete, where it is in force." % "\n".join(left)
            )
    return changes


def apply(frr: Frr, text: str, before: str) -> list[str]:
    """Bring the running configuration in line with text; returns the lines that were applied.

    Raises FrrError after putting the former file and configuration back.
    """
    if before != text:
        write(frr, text)
    try:
        changes = reload(frr, text)
        return changes + frr.give_policy_again(text) + frr.begin_anew(sessions_to_begin_anew(changes, text))
    except FrrError as error:
        if before == text:
            raise
        write(frr, before)
        try:
            reload(frr, before)
        except FrrError as second:
            raise FrrError("%s\nPutting the former configuration back failed too: %s" % (error, second)) from error
        raise FrrError("%s\nThe former configuration was put back." % error) from error


def predict(frr: Frr, text: str, before: str, addresses: dict[str, list[str]]) -> list[str]:
    """The lines that would be applied, and what would be repaired. Raises FrrError when vtysh refuses the text.

    A daemon that is about to be enabled knows nothing yet, so a prediction needs only those that run.
    """
    running = bool(frr.answering())
    if before == text:
        changes = frr.pending(frr.path) + frr.lacking_policy(text) if running else []
    else:
        with trial_file(frr, text) as trial:
            frr.check_syntax(trial)
            changes = frr.pending(trial) if running else []
    if not running:
        return []
    lost = ["%s was lost from %s; to be set again" % (address, name) for name, address in frr.lost_addresses(addresses)]
    strange = ["%s on %s is not FRR's; to be taken away" % (words, name) for name, words in frr.strange_addresses(addresses)]
    late = ["watchfrr has not noticed that process %d has ended; to be told" % child for child in unnoticed()]
    return late + changes + lost + strange + frr.wrong_in_rib(text, before)


def ensure(frr: Frr, text: str, before: str, params: dict[str, Any]) -> list[str]:
    """Bring file, running configuration and the kernel's addresses in line; returns what was done. Raises FrrError.

    params: C(daemons), C(timeout), C(record) and C(addresses) as the module takes them.
    """
    if before != text:
        with trial_file(frr, text) as trial:
            frr.check_syntax(trial)
    # By its digest verify sees what somebody has edited and let FRR read: file and running configuration agree then.
    change = HostChange(frr.module, params["record"])
    change.own_file(frr.path, text)
    change.save()
    frr.wait_for(params["daemons"], params["timeout"])
    # Before it is asked to write the configuration.
    late = frr.mend_watch()
    applied = apply(frr, text, before)
    addresses = params["addresses"]
    lost = frr.wait_for_addresses(addresses) if applied else frr.lost_addresses(addresses)
    if lost:
        frr.set_addresses_again(lost, addresses)
        applied += ["%s was lost from %s" % (address, name) for name, address in lost]
    strange = frr.strange_addresses(addresses)
    if strange:
        frr.remove_addresses(strange)
        applied += ["%s was put on %s by hand, and taken away" % (words, name) for name, words in strange]
    applied += late + frr.mend_rib(text)
    if os.stat(frr.path).st_mode & 0o777 != MODE:
        HostChange(frr.module).give(frr.path, MODE)
        applied.append("mode of %s" % frr.path)
    return applied


def main() -> None:
    module = host_module(
        argument_spec={
            "content": {"type": "str", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "daemons": {"type": "list", "elements": "str", "default": ["zebra", "staticd"]},
            "addresses": {"type": "dict", "default": {}},
            "path": {"type": "path", "default": FRR_CONF},
            "timeout": {"type": "int", "default": 60},
            "record": {"type": "str"},
            **OWNERS,
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    path, secrets = module.params["path"], module.params["secrets"]
    frr = Frr(module, path, secrets)
    content = frr.shown(module.params["content"])
    try:
        text = put_in(content, secrets)
    except KeyError as error:
        module.fail_json(msg="content has a placeholder for which there is no secret: %s" % error)
    HostChange(module, module.params["record"]).refuse_owners({path: text})
    before = read_text(path)
    diff = [{"before_header": path, "after_header": path, "before": take_out(before, SECRETS, secrets), "after": content}]
    if not (frr.vtysh and frr.reload_program):
        if not module.check_mode:
            module.fail_json(msg="vtysh or frr-reload.py is not installed. Remedy: install frr and frr-pythontools.")
        module.exit_json(changed=True, applied=[], diff=diff)
    try:
        applied = predict(frr, text, before, module.params["addresses"]) if module.check_mode else ensure(frr, text, before, module.params)
    except (FrrError, OSError) as error:
        # A file beside frr.conf may not be written, either: the disk is full, or read-only.
        module.fail_json(msg=re.sub(r"\.frr\.conf\.\w+", "frr.conf", str(error)))
    if applied:
        diff.append({"prepared": "".join(line + "\n" for line in applied)})
    module.exit_json(changed=bool(applied) or before != text, applied=applied, diff=diff)


if __name__ == "__main__":
    main()
