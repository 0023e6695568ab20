"""The action plugin under real Ansible: what it accepts, what it says, and that a mistake ends the run before any connection."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.starts_ansible

ROOT = Path(__file__).parents[3]
PLAYBOOK = [
    {
        "hosts": "all",
        "gather_facts": False,
        "any_errors_fatal": True,
        "tasks": [{"ansible.builtin.import_role": {"name": "xuegao.net.preflight", "tasks_from": "validate"}}],
    },
    {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.raw": "true"}]},
]
SECRET = "hunter2-hunter2"


PLAN = [
    {
        "hosts": "all",
        "gather_facts": False,
        "any_errors_fatal": True,
        "tasks": [
            {"ansible.builtin.include_role": {"name": "xuegao.net.preflight", "tasks_from": tasks}} for tasks in ("plan", "validate")
        ],
    },
]


SITE = [{"import_playbook": "xuegao.net.site"}]


class Runs:
    """Runs the playbook in a directory of its own, with an ssh that only notes that it was called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls = directory / "ssh-calls"
        ssh = directory / "ssh"
        ssh.write_text(f"#!/bin/sh\necho called >> '{self.calls}'\nexit 255\n", encoding="utf-8")
        ssh.chmod(0o755)
        (directory / "ansible.cfg").write_text("", encoding="utf-8")  # keeps a developer's own settings out
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_EXECUTABLE": str(ssh),
            "ANSIBLE_SSH_RETRIES": "0",
        }

    def run(
        self, inventory: Path, extra: dict[str, Any], *arguments: str, play: list[dict[str, Any]] = PLAYBOOK
    ) -> subprocess.CompletedProcess[str]:
        (self.directory / "playbook.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), "-e", json.dumps(extra), *arguments]
        return subprocess.run(
            [*command, str(self.directory / "playbook.yml")], env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )

    def encrypt(self, text: str) -> str:
        """Return a text as a block of ansible-vault."""
        (self.directory / "password").write_text("test\n", encoding="utf-8")
        command = [sys.executable, "-m", "ansible", "vault", "encrypt_string", "--vault-password-file", str(self.directory / "password")]
        done = subprocess.run([*command, text], env=self.environment, capture_output=True, text=True, timeout=600, check=True)
        return done.stdout


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_inventory_t1_t2_passes_and_only_then_is_connected(runs: Runs) -> None:
    done = runs.run(ROOT / "inventories" / "t1_t2", {})
    assert "mistake" not in done.stdout + done.stderr
    assert done.stdout.count("unreachable=1    failed=0") == 2, done.stdout
    assert runs.calls.exists(), "the play after it must try to connect"


def test_a_mistake_ends_the_run_before_any_connection(runs: Runs) -> None:
    done = runs.run(ROOT / "inventories" / "t1_t2", {"frr_bpg": []}, "--check")
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("frr_bpg: unknown variable of role frr; did you mean 'frr_bgp'?") == 2, "once for each host"
    assert "1 mistake in the variables of T1. No host was touched." in done.stderr + done.stdout
    assert not runs.calls.exists()


def test_templates_and_vault(runs: Runs) -> None:
    encrypted = runs.encrypt(SECRET + " with spaces")
    inventory = runs.directory / "inventory.yml"
    indented = encrypted.rstrip().replace("\n", "\n      ")
    inventory.write_text(
        f"""---
all:
  hosts:
    R1:
  vars:
    secret: {indented}
    own_asn: 65503
    vrf_vrfs:
      - name: "{{{{ core }}}}"
        table: "{{{{ 100 + 100 }}}}"
    frr_log_level: "{{{{ omit }}}}"
    frr_after_units: "{{{{ units }}}}"
    frr_hostname: "{{{{ units + 1 }}}}"
    frr_vrfs: "{{{{ [1] + 2 }}}}"
    wireguard_interfaces: "{{{{ [secret] + 2 }}}}"
    frr_route_maps:
      - {{name: ALL, entries: [{{seq: 10, action: permit}}]}}
    frr_bgp:
      - asn: "{{{{ own_asn }}}}"
        router_id: 1.1.1.1
        neighbors:
          - address: 10.0.0.1
            remote_as: "{{{{ own_asn }}}}"
            password: "{{{{ secret }}}}"
            families: [{{family: ipv4, route_map_in: ALL, route_map_out: "{{{{ out }}}}"}}]
          - address: 10.0.0.2
            remote_as: "{{{{ own_asn }}}}"
            password: "{{{{ secret | int_or_fail }}}}"
            families: [{{family: ipv4, route_map_in: ALL, route_map_out: ALL}}]
""",
        encoding="utf-8",
    )
    done = runs.run(inventory, {}, "--vault-password-file", str(runs.directory / "password"), "-vvv")
    output = done.stdout + done.stderr
    (answer,) = re.findall(r"^fatal: \[R1\]: FAILED! => (\{.*?^\})", done.stdout, re.DOTALL | re.MULTILINE)
    lines = [line.rstrip("\n") for line in json.loads(answer)["problems"]]
    assert "8 mistakes in the variables of R1. No host was touched." in output
    for expected in (
        "frr_after_units: 'units' is not a defined variable; define it, usually in an encrypted file of group_vars/all",
        'frr_vrfs: cannot be templated: Error rendering template: can only concatenate list (not "int") to list',
        "wireguard_interfaces: cannot be templated or decrypted; it may hold a secret, so see the details with ansible.builtin.debug",
        "frr_bgp[0].neighbors[0].families[0].route_map_out: 'out' is not a defined variable; define it, usually in an encrypted file of group_vars/all",
        "frr_bgp[0].neighbors[0].password: <secret> contains white space or a control character; FRR reads one word",
        "frr_bgp[0].neighbors[1].password: cannot be templated or decrypted; it may hold a secret, so see the details with ansible.builtin.debug",
        "vrf_vrfs[0].name: 'core' is not a defined variable; define it, usually in an encrypted file of group_vars/all",
        "frr_hostname: uses a variable that is not defined: 'units' is undefined",
    ):
        assert expected in lines, output
    assert SECRET not in output
    assert not runs.calls.exists()


def test_a_misspelt_name_of_a_password_is_told_once_where_the_intent_has_it(runs: Runs) -> None:
    extra = {"xgn_bgp": {"password_variable": "bgp_pasword"}, "xgn_plan_directory": str(runs.directory / "plan")}
    done = runs.run(ROOT / "inventories" / "t1_t2", extra, play=PLAN)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert output.count("xgn_bgp.password_variable: 'bgp_pasword' is not a defined variable; did you mean 'bgp_password'?") == 1, output
    assert "1 mistake in the intent. No host was touched." in output
    assert "frr_bgp" not in output
    assert not runs.calls.exists()


def test_a_name_that_only_some_hosts_lack_is_told_on_those(runs: Runs) -> None:
    inventory = runs.directory / "inventory"
    shutil.copytree(ROOT / "inventories" / "t1_t2", inventory)
    (inventory / "host_vars").mkdir(exist_ok=True)
    (inventory / "host_vars" / "T1.yml").write_text("half_a_secret: hunter2\n", encoding="utf-8")
    extra = {"xgn_bgp": {"password_variable": "half_a_secret"}, "xgn_plan_directory": str(runs.directory / "plan")}
    done = runs.run(inventory, extra, play=PLAN)
    output = done.stdout + done.stderr
    assert output.count("xgn_bgp.password_variable: 'half_a_secret' is not a defined variable") == 1, output
    assert "1 mistake in the variables of T2. No host was touched." in output
    assert "in the variables of T1" not in output


def test_mistakes_of_the_intent_and_of_hosts_are_told_in_one_run(runs: Runs) -> None:
    """The plan is refused, and what stands beside it is checked all the same; then the run is over."""
    extra = {"xgn_bgp": {"password_variable": "bgp_pasword", "hold": 3}, "frr_bpg": [], "xgn_plan_directory": str(runs.directory / "plan")}
    done = runs.run(ROOT / "inventories" / "t1_t2", extra, play=SITE)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "xgn_bgp.hold: unknown key" in output
    assert "xgn_bgp.password_variable: 'bgp_pasword' is not a defined variable; did you mean 'bgp_password'?" in output
    assert output.count("frr_bpg: unknown variable of role frr; did you mean 'frr_bgp'?") == 2, output
    assert "is required" not in output
    assert not runs.calls.exists()


def test_a_host_that_is_no_node_ends_the_run_before_any_connection(runs: Runs) -> None:
    inventory = runs.directory / "inventory"
    shutil.copytree(ROOT / "inventories" / "t1_t2", inventory)
    (inventory / "more.yml").write_text("all: {hosts: {spare: {}, own: {vrf_vrfs: [{name: X, table: 5}]}}}\n", encoding="utf-8")
    extra = {"xgn_plan_directory": str(runs.directory / "plan")}
    done = runs.run(inventory, extra, play=SITE)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "1 mistake in the variables of spare. No host was touched." in output
    assert "xgn_nodes: 'spare' is a host of the inventory and no node" in output
    assert "in the variables of own" not in output
    assert not runs.calls.exists()
    runs.run(inventory, extra, "--limit", "all:!spare", play=SITE)
    assert runs.calls.exists()


def test_mistakes_are_shown_as_they_are(runs: Runs) -> None:
    """Neither quoted nor folded, where results are shown as YAML."""
    (runs.directory / "ansible.cfg").write_text("[defaults]\ncallback_result_format = yaml\n", encoding="utf-8")
    done = runs.run(ROOT / "inventories" / "t1_t2", {"frr_bpg": []})
    assert "frr_bpg: unknown variable of role frr; did you mean 'frr_bgp'? Valid variables: frr_adopt, frr_after_units" in done.stdout
