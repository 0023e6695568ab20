"""Overrides as Ansible gives them: with a vault, of several groups, on the command line; in the plan, in its comparison, and on the host that is validated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.xuegao.net.plugins.action import plan, validate
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

Act = Callable[..., dict[str, Any]]
ROOT = Path(__file__).resolve().parents[3]
INTENT: dict[str, Any] = read_yaml((ROOT / "tests" / "golden" / "overrides" / "intent.yml").read_text(encoding="utf-8"))
NEIGHBOR = {
    "address": "10.0.1.9",
    "remote_as": 64999,
    "families": [{"family": "ipv4", "route_map_in": "PUBLISHED", "route_map_out": "PUBLISHED"}],
}


def planned(act: Act, tmp_path: Path, **hosts: dict[str, Any]) -> dict[str, Any]:
    arguments = {
        "directory": str(tmp_path / "plan"),
        "applied": str(tmp_path / ".applied"),
        "rendered": False,
        "vyos": False,
        "drawing": False,
    }
    return act(plan.ActionModule, arguments, {**INTENT, "bgp_password": "x", "hostvars": hosts})


def test_the_plan_has_them_and_says_so(act: Act, tmp_path: Path) -> None:
    done = planned(act, tmp_path, hq={"xgn_overrides": {"frr_log_level": "debugging"}}, branch={})
    assert done["overrides"] == {"hq": ["frr_log_level: informational becomes debugging (xgn_overrides)"]}
    variables = read_yaml((tmp_path / "plan" / "current" / "hq" / "variables.yml").read_text(encoding="utf-8"))
    assert variables["frr_log_level"] == "debugging" and variables["verify_overrides"] == done["overrides"]["hq"]
    assert done["diff"]["prepared"].endswith(
        "hq: new host\nbranch: new host\nOverrides, over what the intent alone comes to:\n"
        "hq: frr_log_level: informational becomes debugging (xgn_overrides)\n"
    )
    assert "warnings" not in done


def test_a_mistake_refuses_the_plan_beside_those_of_the_intent(act: Act, tmp_path: Path) -> None:
    wrong = {"xgn_overrides": {"frr_log_level": "loud"}}
    refused = planned(act, tmp_path, hq=wrong, branch=wrong)
    assert refused["failed"] and refused["msg"] == "1 mistake in the overrides. No host was touched."
    assert refused["problems"][0].startswith("hq, branch: xgn_overrides.frr_log_level: 'loud' is not a valid value; ")
    assert not (tmp_path / "plan").exists()
    both = act(plan.ActionModule, {"directory": str(tmp_path / "plan")}, {**INTENT, "xgn_vrfs": {"CORE": {}}, "hostvars": {"hq": wrong}})
    assert both["msg"] == "2 mistakes in the intent and its overrides. No host was touched."
    assert [problem.partition(":")[0] for problem in both["problems"]] == ["xgn_vrfs.CORE.table", "hq"]


def test_what_does_nothing_is_a_warning(act: Act, tmp_path: Path) -> None:
    done = planned(
        act,
        tmp_path,
        hq={"firewall_ssh_from": ["10.0.0.0/8"], "frr_vrfs": ["CORE"], "xgn_overrides": {"firewall_ssh_from": ["192.0.2.0/24"]}},
        branch={},
        stranger={"xgn_overrides_lab": {"frr_log_level": "debugging"}, "wireguard_interfaces": [{"name": "wg0"}]},
    )
    assert done["warnings"] == [
        (
            "hq: firewall_ssh_from: stands among the host's own variables and does nothing, as the plan has another value; write it in xgn_overrides, and it "
            "lies over the plan"
        ),
        "hq: xgn_overrides.firewall_ssh_from[0]: '192.0.2.0/24' says what the plan says already; leave it out",
        "stranger: xgn_overrides_lab: lies over nothing: the host is no node of the plan; give it the roles' variables themselves",
    ]
    assert done["overrides"] == {}


def test_what_the_command_line_gives_wins_and_is_told(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the plan and its overrides: a contradiction it is not, nor does it do nothing. What says the same is not told."""
    of_the_run = {"firewall_ssh_from": ["10.0.0.0/8"], "frr_vrfs": ["CORE"], "frr_log_level": "errors"}
    monkeypatch.setattr(plan, "load_extra_vars", lambda _loader: of_the_run)
    done = planned(act, tmp_path, hq={**of_the_run, "xgn_overrides": {"frr_log_level": "debugging"}}, branch={})
    hint = "it is for this run: verify and the next site go by the plan unless they are given it, too. To keep it, or to change a part, write xgn_overrides"
    assert "failed" not in done
    assert done["warnings"] == [
        f"hq: {name}: is given on the command line and counts as a whole, in place of the plan's value; {hint}"
        for name in ("firewall_ssh_from", "frr_log_level")
    ]


def test_without_a_plan_they_lie_over_nothing(act: Act) -> None:
    own = {"inventory_hostname": "r1", "xgn_overrides": {"frr_log_level": "debugging"}, "xgn_overrides_empty": {}}
    refused = act(validate.ActionModule, {}, own)
    assert refused["problems"] == [
        "xgn_overrides: lies over nothing: there is no xgn_nodes, so nothing is planned; give the host the roles' variables themselves\n"
    ]
    assert not act(validate.ActionModule, {"plan": "ours"}, own).get("failed")


# ---- under Ansible itself -------------------------------------------------------------------------------------------------------------------------

HOSTS = """
all:
  hosts: {hq: , branch: }
  children:
    monitoring: {hosts: {hq: , branch: }}
    lab: {hosts: {hq: }}
"""
HQ = """
vault_name: !vault |
%s
partner: "{{ vault_partner }}"
xgn_overrides:
  frr_bgp:
    - vrf: CORE
      neighbors:
        - {address: 10.255.0.2, holdtime: "{{ seconds * 3 }}", keepalive: "{{ seconds }}"}
        - address: 10.0.1.9
          remote_as: 64999
          password: "{{ partner }}"
          description: "{{ vault_name }}"
          families: [{family: ipv4, route_map_in: PUBLISHED, route_map_out: PUBLISHED}]
  frr_lines:
    - {section: [key chain LAN, key 1], lines: [key-string <secret lan>]}
  frr_secrets:
    lan: !vault |
%s
"""
WORK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: xuegao.net.preflight, tasks_from: plan}
    - ansible.builtin.include_role: {name: xuegao.net.preflight, tasks_from: validate}
    # Once more, as playbook verify does behind site: what the first plan left among the host's variables is no contradiction.
    - ansible.builtin.include_role: {name: xuegao.net.preflight, tasks_from: plan}
    - xuegao.net.run_begin: {look: false}
      register: begun
    - end: {begun: "{{ begun }}", complete: true}
    - ansible.builtin.assert:
        that:
          - frr_bgp[0].neighbors[1].password | default('') == 'swordfish1'
          - frr_bgp[0].neighbors[1].description | default('') == 'swordfish2'
          - frr_secrets.lan | default('') == 'swordfish3'
          - frr_bgp[0].neighbors[0].holdtime == 15
      when: inventory_hostname == 'hq'
"""
END = """
from ansible_collections.xuegao.net.plugins.action import run_end


class ActionModule(run_end.ActionModule):
    def _execute_module(self, module_name, module_args, task_vars):
        return {"changed": True, "lost": False, "taken_by": None, "applied": module_args["record"]}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    secret = VaultSecret(b"word")
    vault = VaultLib([("default", secret)])

    def encrypted(text: str, indentation: int) -> str:
        return "\n".join(" " * indentation + line for line in vault.encrypt(text, secret).decode().splitlines())

    texts = {
        "hosts.yml": HOSTS,
        "word": "word\n",
        "ansible.cfg": "[defaults]\n",
        "work.yml": WORK,
        "action_plugins/end.py": END,
        "group_vars/all/intent.yml": yaml.safe_dump(INTENT),
        "group_vars/all/own.yml": "bgp_password: x\nseconds: 5\n",
        "group_vars/monitoring.yml": "xgn_overrides_monitoring: {firewall_ssh_from: [203.0.113.0/24]}\n",
        "group_vars/lab.yml": "xgn_overrides_lab: {firewall_ssh_from: [198.51.100.0/24]}\n",
        "host_vars/hq.yml": HQ % (encrypted("swordfish2", 2), encrypted("swordfish3", 6)),
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "group_vars" / "all" / "vault.yml").write_bytes(vault.encrypt("vault_partner: swordfish1\n", secret))
    return tmp_path


def play(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ACTION_PLUGINS": "action_plugins",
        "VAULT_PASSWORD_FILE": "word",
        "NOCOLOR": "1",
    }
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", "hosts.yml", *arguments],
        env={**os.environ, **{f"ANSIBLE_{name}": value for name, value in settings.items()}, "ANSIBLE_CONFIG": "ansible.cfg"},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def texts_below(directory: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in directory.rglob("*") if path.is_file() and path.name != ".key")


@pytest.mark.starts_ansible
def test_groups_add_up_and_no_secret_is_written(directory: Path) -> None:
    done = play(directory, "work.yml", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    current = next((directory / "build" / "plan").rglob("current"))
    hq, branch = (read_yaml((current / host / "variables.yml").read_text(encoding="utf-8")) for host in ("hq", "branch"))
    assert hq["firewall_ssh_from"] == ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]
    assert branch["firewall_ssh_from"] == ["192.0.2.0/24", "203.0.113.0/24"]
    written = texts_below(directory / "build") + texts_below(directory / ".applied") + done.stdout + done.stderr
    assert "swordfish" not in written
    assert "[WARNING]" not in done.stderr + done.stdout
    # What was applied is what is planned, secrets among it; one that changes is told.
    same = play(directory, "xuegao.net.plan", "--check", "--diff")
    assert "No host changes." in same.stdout, same.stdout
    path = directory / "host_vars" / "hq.yml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("{{ partner }}", "{{ seconds }}{{ partner }}").replace("64999", "64998"), encoding="utf-8"
    )
    changed = play(directory, "xuegao.net.plan", "--check", "--diff").stdout
    assert "hq: BGP in CORE, neighbor 10.0.1.9, password: changed (override)\n" in changed
    assert "hq: BGP in CORE, neighbor 10.0.1.9, remote_as: 64999 becomes 64998 (override)\n" in changed
    assert "swordfish" not in changed


@pytest.mark.starts_ansible
def test_the_command_line(directory: Path) -> None:
    refused = play(directory, "xuegao.net.plan", "--check", "-e", '{"xgn_overrides": {"frr_log_level": "errors"}}')
    assert refused.returncode != 0 and "give it another name, such as xgn_overrides_run" in refused.stdout
    done = play(directory, "xuegao.net.plan", "-e", '{"xgn_overrides_run": {"frr_log_level": "errors"}}')
    assert done.returncode == 0, done.stdout
    current = next((directory / "build" / "plan").rglob("current"))
    for host in ("hq", "branch"):
        assert read_yaml((current / host / "variables.yml").read_text(encoding="utf-8"))["frr_log_level"] == "errors"


@pytest.mark.starts_ansible
def test_a_secret_that_is_not_there_is_told_with_its_place(directory: Path) -> None:
    path = directory / "host_vars" / "hq.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("{{ partner }}", "{{ parner }}"), encoding="utf-8")
    refused = play(directory, "work.yml")
    assert refused.returncode != 0
    said = " ".join(refused.stdout.split())
    assert "frr_bgp[0].neighbors[1].password: uses a variable that is not defined: 'parner' is undefined" in said
    assert "that stands at xgn_overrides['frr_bgp'][0]['neighbors'][1]['password']" in said
