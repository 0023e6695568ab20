# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather what the collection made on a host and whether it is still there, and what carries our names without being recorded."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import ownership
from ansible_collections.xuegao.net.plugins.module_utils.iproute import give_up_default, json_objects, show_defaults
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer, first_line, part
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import interface_exists
from ansible_collections.xuegao.net.plugins.module_utils.systemd import RUNNING, property_blocks, show_command
from ansible_collections.xuegao.net.plugins.module_utils.way_back_program import BOOT_UNIT

COMMAND = "cat /var/lib/xgn/record/*.json"
# Where our files lie, beside those of `ownership.MADE_BEFORE`.
PLACES = ("/etc/systemd/system/xgn-*", "/etc/systemd/system/*.d/*xgn*", "/etc/xgn/*", "/usr/local/sbin/xgn-*", "/etc/sysctl.d/*xgn*")
TABLE = "xgn"


class _Unreadable(Exception):
    """Units or tables cannot be read; the text says why."""


def gather_ownership(gatherer: Gatherer) -> dict[str, Any]:
    """Give part ``ownership``.

    Its data: ``objects``, each with role, kind, name, whether it is ``alive``, and for a file whether it is ``changed``, or gone; ``unrecorded``, words
    of kind and name; ``damaged``, sentences about records.
    """
    damaged: list[str] = []
    records = [ownership.Record(name, damaged.append) for name in ownership.record_names()]
    units = [name for record in records for name in record.names("unit")]
    try:
        active, tables, defaults = _alive_units(gatherer, units), _tables(gatherer), _alive_defaults(gatherer, records)
    except _Unreadable as error:
        return part(COMMAND, error=str(error))
    objects = []
    for record in records:
        for (kind, name), known in record.objects.items():
            found = {"role": ownership.role_of(record.name), "kind": kind, "name": name, "alive": False, "changed": False}
            if kind == "unit":
                found["alive"] = name in active and not (known["before"] or {}).get("enabled")
            elif kind == "interface":
                found["alive"] = interface_exists(name) and not ownership.was_there(known["before"])
            elif kind == "route":
                found["alive"] = name in defaults
            elif kind == "table":
                found["alive"] = name in tables
            elif kind == "file":
                found["alive"] = os.path.lexists(name)
                # One that is gone, too.
                found["changed"] = known["asked"] is not None and _changed(name, known["asked"])
            objects.append(found)
    known_files = {item["name"] for item in objects if item["kind"] == "file"}
    known_tables = {item["name"] for item in objects if item["kind"] == "table"}
    unrecorded = []
    for path in _files_with_our_name():
        if path in known_files:
            continue
        # Made by a program of ours, at boot, or by an older version: it is its role's as long as that is wanted.
        owner = next((record for record, pattern, _others in ownership.MADE_BEFORE if ownership.is_made_by(pattern, path)), None)
        if owner is None:
            unrecorded.append("file " + path)
        else:
            objects.append({"role": ownership.role_of(owner), "kind": "file", "name": path, "alive": True, "changed": False})
    unrecorded += ["table " + name for name in sorted(tables - known_tables) if name.split()[1].startswith(TABLE)]
    return part(COMMAND, data={"objects": objects, "unrecorded": unrecorded, "damaged": damaged})


def _changed(path: str, asked: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return ownership.digest(stream.read()) != asked
    except OSError:
        return True


def _files_with_our_name() -> Iterable[str]:
    found = {path for pattern in PLACES for path in glob.glob(pattern) if ownership.is_ours(path)}
    for _record, pattern, _others in ownership.MADE_BEFORE:
        found.update(path for path in glob.glob(pattern) if ownership.is_made_by(pattern, path))
    # The unit of the way back comes and goes with it.
    return sorted(path for path in found if os.path.isfile(path) and os.path.basename(path) != BOOT_UNIT)


def _alive_units(gatherer: Gatherer, units: list[str]) -> set[str]:
    """Return which of the units run or start at boot."""
    if not units:
        return set()
    done = gatherer.run(show_command(units, "ActiveState", "UnitFileState"))
    if done.rc != 0:
        raise _Unreadable(done.problem or first_line(done.err) or "systemctl failed")
    blocks = property_blocks(done.out)
    return {unit for unit, block in zip(units, blocks) if block.get("ActiveState") in RUNNING or block.get("UnitFileState") == "enabled"}


def _alive_defaults(gatherer: Gatherer, records: Iterable[ownership.Record]) -> set[str]:
    """Return the names of the recorded default routes that live and were not there before."""
    found = set()
    for (kind, name), known in [item for record in records for item in record.objects.items()]:
        if kind != "route":
            continue
        default = json.loads(known["asked"])
        done = gatherer.run(["ip", "-json", *show_defaults(default["gateway"])])
        if done.rc != 0:
            raise _Unreadable(done.problem or first_line(done.err) or "ip route failed")
        if give_up_default(default, known["before"], json_objects(done.out)):
            found.add(name)
    return found


def _tables(gatherer: Gatherer) -> set[str]:
    """Return family and name of every table of nftables; none where there is no nft."""
    done = gatherer.run(["nft", "list", "tables"])
    if done.rc > 0:
        raise _Unreadable(first_line(done.err) or "nft failed")
    lines = done.out.splitlines()
    return {" ".join(line.split()[1:3]) for line in lines if line.startswith("table ")}
