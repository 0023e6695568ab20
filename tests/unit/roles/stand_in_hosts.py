"""Hosts for a playbook that has none: a callback plugin, which Ansible loads before it forks, takes the place of all modules and remembers what they were.

No process is started and no connection opened. What the hosts do stands in a file, and what was done to them is written to another one:

    up       by host, what module live_state answers.
    hurt     by host, hosts that answer what stands under `down` as long as that one has changes that it did not take back.
    fails    hosts on which the change fails.
    cut      hosts that cannot be reached from the change on, whose own call does not come to its end.
    deaf     hosts that cannot be reached behind the change.
    dead     hosts that cannot be reached at all.
    same     hosts that have nothing to change.
    facts    by host, what it says of itself beside what all say.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

ABOUT: dict[str, Any] = json.loads(Path(os.environ["STAND_INS"]).read_text(encoding="utf-8")) if "STAND_INS" in os.environ else {}
PLACE = Path(os.environ.get("STAND_INS", ".")).parent
HOST = {
    "os_family": "Debian",
    "distribution": "debian",
    "distribution_version": "13",
    "machine": "x86_64",
    "kernel": "6.12.0",
    "kernel_features": {},
    "packages": [],
    "artifacts": {},
    "commands": {name: f"/usr/sbin/{name}" for name in ("ip", "systemctl", "vtysh", "wg")},
    "network_manager": False,
    "systemd": True,
    "container": False,
    "recorded": {},
    "owners": {},
    "interfaces": [],
    "listeners": [],
    "others_behind": [],
    "filtered": True,
    "settled": [],
}
ARMED = {"armed": True, "seconds": 60, "run": "r1"}


def changes(host: str) -> Path:
    """The file that is there while a host has changes that nobody has confirmed."""
    return PLACE / f"{host}.armed"


def answer(host: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a host answers to a module."""
    armed, kept = changes(host), PLACE / f"{host}.kept"
    if host in ABOUT["dead"] or (host in ABOUT["cut"] + ABOUT["deaf"] and armed.exists()):
        raise AnsibleConnectionFailure(f"no route to {host}")
    if module == "host_facts":
        facts = {"xgn_host": {**HOST, **ABOUT["facts"].get(host, {})}}
        return {"changed": False, "ansible_facts": facts, "taken": bool(arguments.get("lock")), "other": None, "applied": {}}
    if module == "host_leave":
        return {"changed": False, "lost": False, "taken_by": None, "applied": {}, "released": True}
    if module == "live_state":
        hurt = any(
            host in hosts and (changes(other).exists() or (PLACE / f"{other}.kept").exists()) for other, hosts in ABOUT["hurt"].items()
        )
        return {"changed": False, "state": ABOUT["down" if hurt else "up"].get(host, {})}
    if module == "kernel_settings":
        if host in ABOUT["same"]:
            return {"changed": False}
        armed.touch()
        if host in ABOUT["cut"]:
            raise AnsibleConnectionFailure(f"no route to {host}")
        if host in ABOUT["fails"]:
            return {"failed": True, "msg": "no room"}
        return {"changed": True, "ansible_facts": {"xgn_way_back": ARMED}}
    if module == "way_back" and not arguments.get("hold_seconds"):
        begun = armed.exists()
        armed.unlink(missing_ok=True)
        if arguments.get("restore"):
            return {"changed": begun, "restored": begun, "failures": []}
        kept.touch()
        return {"changed": False, "ansible_facts": {"xgn_way_back": {"armed": False}}}
    return {"changed": False}


def _execute_module(
    self: ActionBase, module_name: str | None = None, module_args: dict[str, Any] | None = None, **_more: Any
) -> dict[str, Any]:
    task, given = self._task, self._task.args if module_args is None else module_args
    host = str(task.delegate_to or _more["task_vars"]["inventory_hostname"])
    module = str(module_name or task.action).removeprefix("xuegao.net.")
    what = "restore" if given.get("restore") else "hold" if given.get("hold_seconds") else ""
    with (PLACE / "calls").open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(f"{host} {what or module}\n")
    return answer(host, module, given)


ActionBase._execute_module = _execute_module


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Loaded for what it does above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "stand_in_hosts"
