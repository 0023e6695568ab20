"""A role that is used alone looks whose the files are before it installs or writes anything: all roles at once, on hosts that have what each would rewrite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.module_utils import openvpn, owners, wireguard
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

ROOT = Path(__file__).resolve().parents[3]
# By role, whose files those are which it writes: its own, or those of the role that it imports.
WRITERS = {role: role for role in owners.ROLES} | {"vxlan": "vrf", "gre": "vrf"}
# Their one task asks whose the file is before it writes it.
SINGLE = {"sysctl"}
GOLDEN = ("hybrid", "gre")


def hosts_by_role() -> dict[str, dict[str, Any]]:
    """For each role that writes files, the variables of a host that declares something for it."""
    networks = [yaml.safe_load((ROOT / f"tests/golden/{name}/intent.yml").read_text(encoding="utf-8")) for name in GOLDEN]
    hosts = [variables for plan in map(make_plan, networks) for variables in plan.hosts.values()]
    return {role: next(dict(known) for known in hosts if ROLES[role].is_declared(known)) for role in WRITERS}


def made_by_others(role: str, variables: dict[str, Any]) -> list[str]:
    """Everything that a role would rewrite, in words of kind and name."""
    if role == "wireguard":
        return [f"file {wireguard.conf_path(item['name'])}" for item in variables["wireguard_interfaces"]]
    if role == "openvpn":
        return [f"file {openvpn.conf_path(item['name'], item['role'])}" for item in variables["openvpn_tunnels"]]
    return [f"file {pattern}" for name, pattern in owners.WRITTEN if name == WRITERS[role]]


@pytest.mark.parametrize("role", sorted(set(WRITERS) - SINGLE))
def test_the_refusal_is_the_first_step(role: str) -> None:
    """Before it there is but a look at the host; its tags are those of all steps."""
    tasks = yaml.safe_load((ROOT / f"roles/{role}/tasks/main.yml").read_text(encoding="utf-8"))
    if WRITERS[role] != role:
        assert [task["ansible.builtin.import_role"]["name"] for task in tasks] == [f"xuegao.net.{WRITERS[role]}"]
        return
    first, *others = [task for task in tasks if task.get("ansible.builtin.include_role", {}).get("tasks_from") != "facts"]
    assert first["ansible.builtin.include_role"]["tasks_from"] == "owners"
    assert first["vars"] == {"preflight_role": role}
    assert first["ansible.builtin.include_role"]["apply"]["tags"] == first["tags"]
    used = {tag for task in others for part in (task, *task.get("block", [])) for tag in part["tags"]}
    assert used <= set(first["tags"])


@pytest.mark.parametrize("role", sorted(SINGLE))
def test_a_role_of_one_step_needs_none(role: str) -> None:
    assert len(yaml.safe_load((ROOT / f"roles/{role}/tasks/main.yml").read_text(encoding="utf-8"))) == 1


@pytest.mark.starts_ansible
def test_nothing_is_done_to_a_host_with_files_of_its_owners(tmp_path: Path) -> None:
    known = {role: variables for role, variables in hosts_by_role().items() if role not in SINGLE}
    about: dict[str, Any] = {"hurt": {}, "fails": [], "cut": [], "deaf": [], "dead": [], "same": [], "up": {}, "down": {}}
    about["facts"] = {role: {"owners": {WRITERS[role]: made_by_others(role, variables)}} for role, variables in known.items()}
    (tmp_path / "callbacks").mkdir()
    shutil.copy(Path(__file__).parent / "stand_in_hosts.py", tmp_path / "callbacks")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    # Of the intent's owner; each role's check of its arguments reads them.
    secrets = dict.fromkeys(("bgp_password", "ospf_key", "ipsec_key"), "correct-horse-battery-staple")
    texts = {
        "hosts.json": json.dumps({"all": {"hosts": {role: {**variables, **secrets, **local} for role, variables in known.items()}}}),
        "about.json": json.dumps(about),
        "alone.yml": """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: "xuegao.net.{{ inventory_hostname }}"}
""",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = {"CALLBACK_PLUGINS": "callbacks", "COLLECTIONS_PATH": str(ROOT / ".collections"), "NOCOLOR": "1"}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", "hosts.json", "alone.yml"],
        env={**os.environ, **{f"ANSIBLE_{name}": value for name, value in settings.items()}, "STAND_INS": str(tmp_path / "about.json")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    for role in known:
        assert f"{role} has what role {WRITERS[role]} would rewrite. Nothing was changed on it." in said, said
    calls = sorted((tmp_path / "calls").read_text(encoding="utf-8").splitlines())
    assert calls == sorted(f"{role} host_facts" for role in known), said
