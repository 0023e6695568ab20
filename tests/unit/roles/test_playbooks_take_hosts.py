"""Each playbook that changes hosts takes them first and gives them back last, whatever happens in between; the others say here why they need not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"
NO_LOCK = {
    "adopt": "only reads",
    "assign_ids": "writes the intent, on the controller",
    "build_frr": "builds packages on build hosts: nothing of a network is changed",
    "cloud": "is site",
    "on_prem": "is site",
    "plan": "reaches no host",
    "release": "changes routes that gobgpd holds, not what is declared: it has to work at once, also in the middle of another run",
    "steer": "changes routes that gobgpd holds, not what is declared: it has to work at once, also in the middle of another run",
    "verify": "only reads",
}
# What comes before a play's first change, or changes nothing: the plan, and checks of the run itself.
HARMLESS = ("plan", "validate")
# Modules that only write beside the inventory, or tell how far a rollout has come.
ON_THE_CONTROLLER = ("xuegao.net.departure", "xuegao.net.rollout")
# They are reached through their node, which is taken.
CONTAINERS = ("Configure the routers in containers", "Configure the routers in containers in batches")
INCLUSION = ("ansible.builtin.import_role", "ansible.builtin.include_role")


def plays(name: str) -> list[dict[str, Any]]:
    return [play for play in read_yaml((PLAYBOOKS / f"{name}.yml").read_text(encoding="utf-8")) if "tasks" in play]


def entry(task: dict[str, Any]) -> str:
    """Entry point of role preflight that a task runs; empty when it is another task."""
    for kind in INCLUSION:
        if kind in task and task[kind]["name"] == "xuegao.net.preflight":
            return str(task[kind].get("tasks_from", "main"))
    return ""


def reaches_hosts(task: dict[str, Any]) -> bool:
    """Whether a task that stands beside a block may change a host."""
    if "block" in task:
        return False
    role = any(kind in task for kind in INCLUSION) and entry(task) not in HARMLESS
    return role or any(key.startswith("xuegao.net.") and key not in ON_THE_CONTROLLER for key in task)


def blocks(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The plays of a playbook that take hosts, and the block of each in which it has them."""
    for play in plays(name):
        if play["name"] in CONTAINERS:
            continue
        for task in play["tasks"]:
            if any(entry(step) == "begin" for step in task.get("block", [])):
                yield play, task


TAKING = sorted(path.stem for path in PLAYBOOKS.glob("*.yml") if path.stem not in NO_LOCK)


def test_each_playbook_is_in_one_of_the_two_lists() -> None:
    assert TAKING == ["failover_test", "reboot", "retire", "rotate_openvpn_keys", "rotate_wireguard_keys", "site", "upgrade_frr"]
    assert all((PLAYBOOKS / f"{name}.yml").is_file() and reason for name, reason in NO_LOCK.items())
    assert not [name for name in NO_LOCK for play in plays(name) for task in play["tasks"] if entry(task) == "begin" or list(blocks(name))]


@pytest.mark.parametrize("name", TAKING)
def test_hosts_are_taken_first_and_given_back_last(name: str) -> None:
    found = list(blocks(name))
    assert found
    for play, block in found:
        first, *others = block["block"]
        assert entry(first) == "begin", play["name"]
        # A batch that failed goes back as long as the run has its hosts.
        assert [entry(step) for step in block["always"] if entry(step) != "back"] == ["release"] == [entry(block["always"][-1])], play[
            "name"
        ]
        # Nothing of the play changes the host outside of that.
        assert not [task["name"] for task in play["tasks"] if task is not block and reaches_hosts(task)], play["name"]
        applies = first.get("vars", {}).get("__preflight_applies", "everything")
        notes = [entry(step) for step in others if entry(step) in ("note", "requirements")]
        # Noted as begun once nothing holds it up any more, and only by who changes what is declared.
        assert notes == {"nothing": [], "part": ["note"], "everything": ["requirements", "note"]}[applies], play["name"]
        if applies != "nothing":
            (defaults,) = play["module_defaults"].values()
            assert "__preflight_begun" in defaults["lock_run"], "nobody says that the run goes on"


@pytest.mark.parametrize("name", TAKING)
def test_a_play_that_changes_hosts_takes_them(name: str) -> None:
    """A play without a block that takes its hosts changes none; routers in containers are reached through their node, which is taken."""
    taking = [play["name"] for play, _block in blocks(name)]
    for play in plays(name):
        if play["name"] in (*taking, *CONTAINERS):
            continue
        tasks = [step for task in play["tasks"] for step in (*task.get("block", [task]), *task.get("always", []))]
        assert not [task["name"] for task in tasks if reaches_hosts(task)], play["name"]


def test_a_host_that_was_booted_is_taken_again() -> None:
    """Its note was in /run."""
    steps = [step for _play, block in blocks("reboot") for step in block["block"]]
    names = [entry(step) or next(key for key in step if "." in key) for step in steps]
    place = names.index("ansible.builtin.reboot")
    assert names[place + 1] == "begin"
    # No other playbook or role boots a host.
    root = PLAYBOOKS.parent
    others = [
        path
        for place in ("playbooks", "roles")
        for path in (root / place).rglob("*.yml")
        if "ansible.builtin.reboot" in path.read_text("utf-8")
    ]
    assert others == [PLAYBOOKS / "reboot.yml"]


def test_routers_in_containers_are_noted_and_recorded() -> None:
    play, batch = (play for play in plays("site") if play["name"] in CONTAINERS)
    (block,) = [task["block"] for task in play["tasks"] if "block" in task]
    assert batch["tasks"] is play["tasks"]
    assert [entry(task) for task in block if entry(task)] == ["begin", "note", "look", "confirm", "end"]
    (begin,) = [task for task in block if entry(task) == "begin"]
    assert begin["vars"] == {"__preflight_look": False}
