"""Playbook retire as Ansible runs it: who does what in which order, and what is noted. Roles and other playbooks are stand-ins that say that it was their turn."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.module_utils.openvpn import FORMER, NEXT, key_path
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Moment, Record, known_record, record_file, write_record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

pytestmark = pytest.mark.starts_ansible

ROOT = Path(__file__).resolve().parents[3]
APPLIED = Moment("2026-11-29T03:12:05Z", "run-1", "alice@noc", "mine")
INTENT: dict[str, Any] = {
    "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
    "xgn_bgp": {"asn_base": 64512},
    "xgn_nodes": {
        name: {"id": number, "uplink": {"device": "eth0", "address": f"198.51.100.{number}/24"}} for number, name in enumerate("abcd", 1)
    },
    "xgn_links": [
        {"id": number, "type": "wireguard", "ends": list(ends)}
        for number, ends in enumerate((("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")), 1)
    ],
}
# What each role that makes something on a host has recorded there.
ROLES = ("sysctl", "wireguard", "openvpn", "l2tp_ipsec", "vrf", "frr", "firewall", "docker_macvlan", "dns_anycast", "gobgp")
RECORDED = {role: [f"unit {role}.service"] for role in ROLES} | {
    "wireguard": ["interface wg1", "file /etc/wireguard/wg1.conf"],
    "openvpn": ["interface ovpn2", "file /etc/openvpn/server/ovpn2.conf"],
}
# The second key of a tunnel is there while its keys are rotated (module_utils/openvpn.py).
KEYS = ["wg1.key", *(os.path.basename(key_path("ovpn2", other)) for other in ("", NEXT, FORMER))]
UNREACHABLE = """
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = '''
name: nowhere
short_description: reaches nothing
description: [reaches nothing]
author: [nobody]
version_added: "1"
'''


class Connection(Local):
    transport = "nowhere"

    def exec_command(self, *arguments, **more):
        raise AnsibleConnectionFailure("no route to host")
"""


def say(*words: str) -> dict[str, Any]:
    return {"ansible.builtin.debug": {"msg": " ".join(("TURN", *words, "{{ inventory_hostname }}"))}}


def stand_ins(collection: Path, tmp_path: Path) -> None:
    """The collection with its plugins, playbook retire and the planning of role preflight; all else says its name."""
    collection.mkdir(parents=True)
    for name in ("plugins", "meta", "galaxy.yml"):
        (collection / name).symlink_to(ROOT / name)
    text = (ROOT / "playbooks" / "retire.yml").read_text(encoding="utf-8")
    real = "'/var/lib/xgn', '/var/cache/xgn', '/run/xgn-loaded'"
    assert text.count(real) == 1 and text.count("ansible.builtin.file:") == 1
    text = text.replace(real, f"'{tmp_path}/host/record'")
    for keys in ("/etc/wireguard/", "/etc/openvpn/keys/"):
        assert keys in text
        text = text.replace(keys, f"{tmp_path}/host/")
    (collection / "playbooks").mkdir()
    (collection / "playbooks" / "retire.yml").write_text(text, encoding="utf-8")
    hosts = {"hosts": "{{ xgn_hosts | default('all') }}", "gather_facts": False}
    fail = {"ansible.builtin.fail": {"msg": "broken"}, "when": "inventory_hostname in broken | default([])"}
    plays = {"site": [{**hosts, "tasks": [say("site"), fail]}], "verify": [{**hosts, "tasks": [say("verify")]}]}
    for name, play in plays.items():
        (collection / "playbooks" / f"{name}.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    looked = {"ansible.builtin.set_fact": {"cacheable": True, "xgn_host": {"recorded": "{{ recorded }}"}}}
    begin = {"ansible.builtin.set_fact": {"__preflight_begun": {"taken": True, "begins": "a part"}}}
    armed = {"ansible.builtin.set_fact": {"cacheable": True, "xgn_way_back": {"armed": True}}}
    emptied = {"ansible.builtin.set_fact": {"cacheable": True, "xgn_host": {"recorded": "{{ still | default({}) }}"}}}
    tasks: dict[str, dict[str, list[Any]]] = {
        "preflight": {
            "begin": [say("begin"), looked, begin],
            "facts": [say("facts"), emptied],
            **{name: [say(name)] for name in ("note", "release", "confirm")},
        },
        "frr": {"drain": [say("drain")]},
    }
    for role in ROLES:
        tasks.setdefault(role, {})["remove"] = [say("remove", role), *([armed] if role == "sysctl" else [])]
    for role, entries in tasks.items():
        directory = collection / "roles" / role / "tasks"
        directory.mkdir(parents=True)
        for entry, found in entries.items():
            (directory / f"{entry}.yml").write_text(yaml.safe_dump(found), encoding="utf-8")
    for part in ("tasks/plan.yml", "tasks/validate.yml", "vars"):
        (collection / "roles" / "preflight" / part).symlink_to(ROOT / "roles" / "preflight" / part)


class Inventory:
    """An inventory whose hosts have applied the intent, and a directory that stands for what lies on the host of b."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path
        self.records = tmp_path / ".applied"
        stand_ins(tmp_path / "ansible_collections" / "xuegao" / "net", tmp_path)
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "nowhere.py").write_text(UNREACHABLE, encoding="utf-8")
        (tmp_path / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
        for host, variables in make_plan(INTENT).hosts.items():
            write_record(self.records, host, Record(APPLIED, "", variables))
        (tmp_path / "wireguard_keys").mkdir()
        (tmp_path / "wireguard_keys" / "b.txt").write_text("wg1: KEY\n", encoding="utf-8")
        (tmp_path / "host" / "record").mkdir(parents=True)
        for name in KEYS:
            (tmp_path / "host" / name).write_text("private\n", encoding="utf-8")

    def retire(self, *arguments: str, names: tuple[str, ...] = ("b",), reached: bool = True, **more: Any) -> tuple[int, list[str], str]:
        """Run it; returns the exit status, whose turn it was, and all that was said."""
        nodes = {name: {**node, "retired": name in names} for name, node in INTENT["xgn_nodes"].items()}
        group = {
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "recorded": RECORDED,
            **INTENT,
            "xgn_nodes": nodes,
            **more,
        }
        (self.path / "group_vars").mkdir(exist_ok=True)
        (self.path / "group_vars" / "all.yml").write_text(yaml.safe_dump(group), encoding="utf-8")
        of_b = {} if reached else {"ansible_connection": "nowhere"}
        hosts = {name: {"ansible_connection": "local", **(of_b if name == "b" else {})} for name in "abcd"}
        (self.path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        settings: Mapping[str, str] = {
            "ANSIBLE_COLLECTIONS_PATH": str(self.path),
            "ANSIBLE_CONNECTION_PLUGINS": "plugins",
            "ANSIBLE_CONFIG": "ansible.cfg",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.path / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.path / "tmp"),
        }
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.json", "xuegao.net.retire", *arguments],
            env={**os.environ, **settings},
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        return done.returncode, re.findall(r'"?msg"?: "?TURN (.*?)"?$', done.stdout, re.MULTILINE), " ".join(said.split())


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path)


def by_task(turns: list[str]) -> list[str]:
    """The turns, with the hosts of one task in alphabetical order: which of them is first is chance."""
    return [turn for _task, found in itertools.groupby(turns, lambda turn: turn.rpartition(" ")[0]) for turn in sorted(found)]


def test_traffic_goes_first_then_the_others_ends_then_what_is_on_the_host(inventory: Inventory) -> None:
    status, turns, said = inventory.retire()
    assert status == 0, said
    assert by_task(turns) == [
        *("begin b", "drain b", "release b"),
        *("site a", "site c", "site d"),
        *("begin b", "note b"),
        *(f"remove {role} b" for role in ("gobgp", "dns_anycast", "docker_macvlan", "wireguard", "openvpn", "l2tp_ipsec", "vrf", "frr")),
        *("remove firewall b", "remove sysctl b", "confirm b", "facts b", "release b"),
        *("verify a", "verify b", "verify c", "verify d"),
    ]
    assert "b (id 2) leaves the network." in said and "a: WireGuard interface wg1: removed" in said
    assert not record_file(inventory.records, "b").exists() and not (inventory.path / "wireguard_keys" / "b.txt").exists()
    assert list((inventory.path / "host").iterdir()) == [], "records and private keys of tunnels"
    assert {path.stem for path in inventory.records.glob("*.txt")} == {"a", "c", "d"}
    # Nothing is left to do: the host is looked at again, and nothing of it is noted.
    status, turns, said = inventory.retire("--extra-vars", json.dumps({"recorded": {}}))
    assert status == 0 and not [turn for turn in turns if turn.startswith("remove")], said
    assert not record_file(inventory.records, "b").exists()


def test_check_mode_tells_all_of_it_and_notes_nothing(inventory: Inventory) -> None:
    status, turns, said = inventory.retire("--check")
    assert status == 0, said
    assert "drain b" in turns and "remove vrf b" in turns and "b (id 2) leaves the network." in said
    assert known_record(inventory.records, "b").left is None and (inventory.path / "host" / "wg1.key").exists()


def test_a_host_that_cannot_be_reached_is_left_and_noted_until_somebody_says_that_it_is_gone(inventory: Inventory) -> None:
    status, turns, said = inventory.retire(reached=False)
    assert status == 0, said
    assert [turn for turn in by_task(turns) if not turn.startswith("verify")] == ["site a", "site c", "site d"]
    assert "b could not be reached: what was applied is still there" in said
    record = known_record(inventory.records, "b")
    assert record.left and record.applied == APPLIED
    status, _turns, said = inventory.retire(reached=False)
    assert status == 0 and "b has left the network since" in said, said
    assert known_record(inventory.records, "b") == record
    status, turns, said = inventory.retire("--extra-vars", "xgn_gone=b", reached=False)
    assert status == 0, said
    assert not record_file(inventory.records, "b").exists() and not [turn for turn in turns if turn.startswith("site")]
    status, _turns, said = inventory.retire("--extra-vars", "xgn_gone=b", reached=False)
    assert status != 0 and "xgn_gone: nothing is recorded of b" in said


def test_a_peer_that_fails_keeps_the_host_from_being_cleaned(inventory: Inventory) -> None:
    status, turns, said = inventory.retire(broken=["c"])
    assert status != 0
    assert "drain b" in turns and not [turn for turn in turns if turn.startswith("remove")]
    assert "c did not come to the end of this run, and may still have an end of a link with b" in said
    assert known_record(inventory.records, "b") == Record(APPLIED, "", known_record(inventory.records, "b").variables), (
        "not left: pending as before"
    )
    # d has no link with b, so it holds nobody up.
    status, turns, said = inventory.retire(broken=["d"])
    assert "remove vrf b" in turns and not record_file(inventory.records, "b").exists(), said


def test_a_host_that_keeps_something_is_not_called_clean(inventory: Inventory) -> None:
    status, _turns, said = inventory.retire(still={"vrf": ["interface CORE"]})
    assert status != 0 and "b still has {'vrf': ['interface CORE']}" in said
    assert (inventory.path / "host" / "wg1.key").exists() and known_record(inventory.records, "b").left
    assert "b could not be cleaned: what was applied is still there" in said


def test_where_no_node_is_retired_nothing_is_done(inventory: Inventory) -> None:
    status, turns, said = inventory.retire(names=())
    assert status == 0, said
    assert {turn.split()[0] for turn in turns} == {"verify"} and "No node is retired that has not left already." in said


def test_a_mistake_ends_it_before_a_host_is_drained(inventory: Inventory) -> None:
    status, turns, said = inventory.retire(names=("a",))
    assert status != 0 and turns == []
    assert "xgn_nodes.d: loses its path to b in the default VRF, as a is retired" in said
    status, turns, said = inventory.retire(vrf_vrfs="none")
    assert status != 0 and turns == [] and "vrf_vrfs" in said, said


def test_every_role_that_records_something_is_asked_to_remove_it() -> None:
    recording = {
        path.parts[-3]
        for path in (ROOT / "roles").glob("*/tasks/*.yml")
        if re.search(r"^ +record: ", path.read_text(encoding="utf-8"), re.MULTILINE) or path.name == "remove.yml"
    }
    (play,) = [item for item in read_yaml((ROOT / "playbooks" / "retire.yml").read_text("utf-8")) if item["name"] == "Clean the hosts"]
    (block,) = [task for task in play["tasks"] if "block" in task]
    (loop,) = [task["loop"] for task in block["block"] if task.get("loop_control", {}).get("loop_var") == "retire_role"]
    assert sorted(loop) == sorted(recording) == sorted(ROLES)
    yes = {name.removesuffix("_remove_all") for name, value in play["vars"].items() if name.endswith("_remove_all") and value is True}
    asked = {role for role in loop if f"{role}_remove_all" in (ROOT / "roles" / role / "tasks" / "remove.yml").read_text("utf-8")}
    assert yes == asked
