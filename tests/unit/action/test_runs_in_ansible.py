"""What a run records and what a plan is compared with, as Ansible itself gives the variables: with a vault, templates, and a host that is no node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

pytestmark = pytest.mark.starts_ansible

ROOT = Path(__file__).resolve().parents[3]
OWN = """
bgp_password: "{{ vault_bgp }}"
frr_log_level: "{{ vault_level }}"
frr_hostname: "{{ inventory_hostname | upper }}"
sysctl_settings: {1: 2026-01-01, a: "{{ inventory_hostname }}-{{ vault_bgp }}", b: "{{ groups.all | length }}", c: "{{ hostvars.T1.region }}"}
frr_pasword: swordfish2
vrf_remove_all: true
verify_wait: 5
"""
# The last call of a run, without the host that it is made to.
END = """
from ansible_collections.xuegao.net.plugins.action import run_end


class ActionModule(run_end.ActionModule):
    def _execute_module(self, module_name, module_args, task_vars):
        return {"changed": True, "lost": False, "taken_by": None, "applied": module_args["record"]}
"""
WORK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: xuegao.net.preflight, tasks_from: plan}
    - xuegao.net.run_begin: {look: false}
      register: begun
    - xuegao.net.run_note: {begun: "{{ begun }}"}
    - end: {begun: "{{ begun }}", complete: true}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "action_plugins").mkdir()
    shutil.copy(ROOT / "tests" / "golden" / "t1_t2" / "intent.yml", tmp_path / "group_vars" / "all" / "intent.yml")
    secret = VaultSecret(b"word")
    vault = VaultLib([("default", secret)]).encrypt("vault_bgp: swordfish1\nvault_level: debugging\n", secret)
    (tmp_path / "group_vars" / "all" / "vault.yml").write_bytes(vault)
    texts = {
        "hosts": "T1 region=a\nT2\nbuild1\n",
        "word": "word\n",
        "ansible.cfg": "[defaults]\n",
        "work.yml": WORK,
        "group_vars/all/own.yml": OWN,
        "action_plugins/end.py": END,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def play(directory: Path, *arguments: str) -> str:
    settings = {
        "COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ACTION_PLUGINS": "action_plugins",
        "VAULT_PASSWORD_FILE": "word",
        "NOCOLOR": "1",
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", "hosts", *arguments],
        env={**os.environ, **{f"ANSIBLE_{name}": value for name, value in settings.items()}, "ANSIBLE_CONFIG": "ansible.cfg"},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_plan_is_the_same_as_what_was_recorded_of_it_and_no_secret_stands_in_clear(directory: Path) -> None:
    play(directory, "work.yml")
    records = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (directory / ".applied").glob("*.txt")}
    assert set(records) == {"T1", "T2", "build1"}
    found = records["build1"]["variables"]
    sealed = {name: found.pop(name)[:8] for name in ("frr_log_level", "frr_pasword")} | {"a": found["sysctl_settings"].pop("a")[:8]}
    assert set(sealed.values()) == {"<secret "}
    assert found == {"frr_hostname": "BUILD1", "sysctl_settings": {"1": "2026-01-01", "b": 3, "c": "a"}}
    assert "frr_hostname" not in records["T1"]["variables"], "in other words the same as its default"
    said = play(directory, "xuegao.net.plan", "--check", "--diff")
    assert "No host changes." in said
    (directory / "group_vars" / "all" / "own.yml").write_text(OWN.replace("swordfish2", "swordfish3"), encoding="utf-8")
    changed = play(directory, "xuegao.net.plan", "--check", "--diff")
    assert [f"{host}: frr_pasword: changed" in changed for host in records] == [True] * 3
    texts = [path.read_text(encoding="utf-8") for path in (directory / ".applied").iterdir() if path.name != ".key"]
    assert "swordfish" not in "".join([said, changed, *texts])
