# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Take away what is recorded, in the order in which nothing that still runs misses it, and leave what was there before."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import nft
from ansible_collections.xuegao.net.plugins.module_utils.commands import output
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.iproute import give_up_default, json_objects, show_defaults
from ansible_collections.xuegao.net.plugins.module_utils.ownership import KINDS, Key, Record, record_names, was_there
from ansible_collections.xuegao.net.plugins.module_utils.sysctl import sysctl_path, sysctl_value
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import interface_exists, interface_has_master, interface_mtu
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd, has_systemd
from ansible_collections.xuegao.net.plugins.module_utils.way_back import unit_note
from ansible_collections.xuegao.net.plugins.module_utils.way_back_program import INTERFACES, SERVICES, TUNNELS

UNIT_FILES = "/etc/systemd/system/"
# Beginning of a unit's name, and the stage at which a way back starts it again; the others are services. A module cannot ask the registry of link types:
# a test holds the two together.
STAGES = (
    ("wg-quick@", TUNNELS),
    ("openvpn-", TUNNELS),
    ("strongswan.", TUNNELS),
    ("xgn-l2tp-guard.", TUNNELS),
    ("xl2tpd.", TUNNELS),
    ("interface.", INTERFACES),
)
# Which network manager has to read that a file of ours is gone. networkd is not started again: FRR's routes may be there still, and it would take them.
TOLD = (
    ("/etc/systemd/network/", ("networkctl", "reload")),
    ("/etc/NetworkManager/", ("systemctl", "try-restart", "NetworkManager.service")),
)
NOT_SHOWN = "(not shown: only root may read this file)\n"


def unit_before(module: AnsibleModule, unit: str) -> dict[str, bool] | None:
    """Return how a unit is that is not ours yet, for the record; None on a host without systemd."""
    if not has_systemd(module.get_bin_path):
        return None
    systemd = Systemd(module.run_command)
    return {"enabled": systemd.is_enabled(unit), "active": systemd.is_active(unit)}


def stage_of(unit: str) -> int:
    """Return the stage of `way_back_program` at which a unit is started again."""
    return next((stage for begin, stage in STAGES if unit.startswith(begin)), SERVICES)


def shown(path: str) -> str:
    """Return what a diff may show of a file: nothing of one that others may not read."""
    if not os.path.isfile(path):
        return ""
    return read_text(path) if os.stat(path).st_mode & 0o004 else NOT_SHOWN


class Removal:
    """Recorded objects on their way out.

    Parameters:
        module: the module that removes them; in check mode nothing is done.

    ``actions`` holds what is done, in words; ``diffs`` what becomes of the files.
    """

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.systemd = Systemd(module.run_command)
        self.actions: list[str] = []
        self.diffs: list[dict[str, str]] = []
        # Keys of the kernel's settings by record, once they have been read.
        self._settings: dict[str, list[str]] | None = None

    def remove(self, change: HostChange, keys: Iterable[Key]) -> None:
        """Take some objects of one record away; parameters as of `remove_all`. Raises CommandError, NftError and OSError."""
        self.remove_all([(change, key) for key in keys])

    def remove_all(self, objects: Iterable[tuple[HostChange, Key]]) -> None:
        """Take objects away, and strike each out of its record once it is gone.

        objects: with what changes the host in the name of their record, in the order in which they were made.

        Raises:
            CommandError, NftError, OSError: one cannot be taken away; it stays recorded.
        """
        # What was made last goes first.
        by_kind: dict[str, list[tuple[HostChange, str]]] = {kind: [] for kind in KINDS}
        for change, (kind, name) in objects:
            by_kind[kind].insert(0, (change, name))
        # What only leaves its VRF does so while the VRF is there: it would fall into the main table else.
        by_kind["interface"].sort(key=lambda item: not was_there(_before(item[0], ("interface", item[1]))))
        units = self._stop(by_kind["unit"])
        for kind, take in (("route", self._route), ("interface", self._interface), ("table", self._table), ("sysctl", self._sysctl)):
            for change, name in by_kind[kind]:
                take(change, name)
                self._forget(change, kind, name)
        stale = False
        there = [path for _change, path in by_kind["file"] if os.path.lexists(path)]
        for change, path in by_kind["file"]:
            stale = self._file(change, path) or stale
        if not self.module.check_mode:
            self._start_again(units, stale)
            for begin, command in TOLD:
                if any(path.startswith(begin) for path in there) and self.module.get_bin_path(command[0]):
                    # One that does not run has nothing to read.
                    self.module.run_command(list(command))

    def _start_again(self, units: list[tuple[HostChange, str, dict[str, Any]]], stale: bool) -> None:
        """Start what ran before, and strike all out. units: as `_stop` returns them; stale: files of units have changed."""
        managed = has_systemd(self.module.get_bin_path)
        if stale and managed:
            self.systemd.do("daemon-reload")
        for change, unit, before in units:
            if managed:
                # One that failed is remembered even without its file.
                self.systemd.attempt("reset-failed", unit)
            # With its package a unit may be gone.
            if managed and before.get("active") and self.systemd.properties([unit], "LoadState")[unit].get("LoadState") != "not-found":
                self.systemd.do("start", unit)
            self._forget(change, "unit", unit)

    def _act(self, change: HostChange, *command: str, notes: Iterable[dict[str, Any]] = ()) -> None:
        """Run a command that must succeed; in check mode none. notes: tell the way back what else than its snapshot it has to look at."""
        if not self.module.check_mode:
            change.about_to(*notes)
            output(self.module.run_command, *command)

    def _forget(self, change: HostChange, kind: str, name: str) -> None:
        if self.module.check_mode:
            return
        change.disown(kind, name)
        if kind == "sysctl" and self._settings is not None and change.record is not None:
            # The next record that gives it is the last one.
            self._settings[change.record.name].remove(name)

    def _stop(self, units: list[tuple[HostChange, str]]) -> list[tuple[HostChange, str, dict[str, Any]]]:
        """Stop units, and disable those that were not enabled before they were ours; returns them, with what was before."""
        if not units or not has_systemd(self.module.get_bin_path):
            return [(change, unit, {}) for change, unit in units]
        states = self.systemd.properties([unit for _change, unit in units], "LoadState", "ActiveState", "UnitFileState")
        found = []
        for change, unit in units:
            before, state = _before(change, ("unit", unit)), states.get(unit, {})
            steps = []
            if state.get("ActiveState") not in ("inactive", "failed", None):
                steps.append("stop")
            if state.get("UnitFileState") == "enabled" and not before.get("enabled"):
                steps.append("disable")
            if steps:
                again = ["start again as it was before"] if before.get("active") else []
                self.actions.append("unit %s: %s" % (unit, ", ".join(steps + again)))
            if steps and not self.module.check_mode:
                change.about_to(unit_note(unit, stage_of(unit)))
                for step in steps:
                    self.systemd.do(step, unit)
            found.append((change, unit, before))
        return found

    def _interface(self, change: HostChange, name: str) -> None:
        """Delete an interface; one that was there before it was ours has its former MTU again, and leaves its VRF or bridge, down."""
        if not interface_exists(name):
            return
        before = _before(change, ("interface", name))
        if not was_there(before):
            self.actions.append("interface %s: delete" % name)
            self._act(change, "ip", "link", "delete", "dev", name)
            return
        if before.get("mtu") and interface_mtu(name) == _asked_mtu(change, name) != before["mtu"]:
            self.actions.append("interface %s: MTU %d, as it was before" % (name, before["mtu"]))
            self._act(change, "ip", "link", "set", "dev", name, "mtu", str(before["mtu"]))
        if interface_has_master(name):
            self.actions.append("interface %s: take down" % name)
            self._act(change, "ip", "link", "set", "dev", name, "down")
            self._act(change, "ip", "link", "set", "dev", name, "nomaster")

    def _route(self, change: HostChange, name: str) -> None:
        """Take a default route of the main table away, or put back the one that it had replaced."""
        default = json.loads(change.recorded["route", name]["asked"])
        routes = json_objects(output(self.module.run_command, "ip", "-json", *show_defaults(default["gateway"])))
        command = give_up_default(default, change.recorded["route", name]["before"], routes)
        if command:
            self.actions.append("route %s via %s: %s" % (name, default["gateway"], command[2]))
            self._act(change, "ip", *command)

    def _table(self, change: HostChange, name: str) -> None:
        if self.module.get_bin_path("nft") is None or not nft.live_table(name, self.module.run_command):
            return
        self.actions.append("table %s: delete" % name)
        self._act(change, "nft", "delete", "table", *name.split())

    def _sysctl(self, change: HostChange, key: str) -> None:
        """Give a setting its former value, unless somebody else has set another one since, or another record gives it, in whichever notation."""
        former, record = _before(change, ("sysctl", key)).get("value"), change.record
        if former is None or record is None or not os.path.exists(sysctl_path(key)):
            return
        if any(sysctl_path(other) == sysctl_path(key) for other in self._given_elsewhere(record)):
            return
        now = sysctl_value(key)
        if now == former or now != record.objects["sysctl", key]["asked"]:
            return
        self.actions.append("sysctl %s: %s to %s" % (key, now, former))
        if not self.module.check_mode:
            change.way_back.note_setting(sysctl_path(key), now)
            with open(sysctl_path(key), "w", encoding="utf-8") as stream:
                stream.write(former)

    def _given_elsewhere(self, record: Record) -> list[str]:
        """Return the keys of the settings that other records give."""
        if self._settings is None:
            self._settings = {name: Record(name, self.module.warn).names("sysctl") for name in record_names()}
        return [key for name, keys in self._settings.items() if name != record.name for key in keys]

    def _file(self, change: HostChange, path: str) -> bool:
        """Remove a file, or put back what was there before; returns whether systemd has to read its units again."""
        former = change.record.former(path) if change.record is not None else None
        there = os.path.lexists(path)
        if there or former is not None:
            self.actions.append("file %s: %s" % (path, "remove" if former is None else "put back what was there before"))
            before = shown(path)
            # What comes back may be a secret though ours was none; a copy has the mode that it had.
            secret = before == NOT_SHOWN or not _before(change, ("file", path)).get("mode", 0o004) & 0o004
            after = "" if former is None else NOT_SHOWN if secret else former
            self.diffs.append({"before_header": path, "after_header": path, "before": before, "after": after})
        if not self.module.check_mode:
            change.remove(path)
        return there and path.startswith(UNIT_FILES)


def _asked_mtu(change: HostChange, name: str) -> int | None:
    """Return the MTU that an interface was given; None where it was none of ours to set."""
    known = change.recorded.get(("interface", name), {})
    _section, item = json.loads(known.get("asked") or "[null, {}]")
    mtu: int | None = item.get("mtu")
    return mtu


def _before(change: HostChange, key: Key) -> dict[str, Any]:
    """Return what was there before an object of ours; empty when nothing was, or nobody knows."""
    known = change.recorded.get(key, {})
    return dict(known.get("before") or {})
