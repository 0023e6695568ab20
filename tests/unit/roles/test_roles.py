"""Every role has the same anatomy, and its specs, defaults and README say the same."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> Any:
    """A YAML file."""
    return read_yaml(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_anatomy(role: Path) -> None:
    for part in ("README.md", "defaults/main.yml", "meta/argument_specs.yml", "tasks/main.yml"):
        assert (role / part).is_file(), part


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_specs_do_not_drift_apart(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load(role / "defaults" / "main.yml")
    assert defaults.keys() <= options.keys(), "a default without a spec"
    for name, option in options.items():
        if "default" in option:
            assert defaults.get(name, "missing") == option["default"], name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_variables_carry_the_name_of_their_role(role: Path) -> None:
    for name in load(role / "defaults" / "main.yml"):
        assert name.startswith(f"{role.name}_"), name
    internal = role / "vars" / "main.yml"
    for name in load(internal) if internal.exists() else {}:
        assert name.startswith(f"__{role.name}_"), name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_failure_or_change_is_hidden(role: Path) -> None:
    for path in role.glob("*/*.yml"):
        text = path.read_text(encoding="utf-8")
        for word in ("failed_when: false", "ignore_errors", "changed_when: false", "ansible.builtin.shell"):
            assert word not in text, f"{path}: {word}"


@pytest.mark.parametrize("tool", ["generate_docs.py", "generate_contract.py"])
def test_what_is_made_from_the_specs_is_current(tool: str) -> None:
    check = subprocess.run([sys.executable, str(ROOT / "tools" / tool), "--check"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout


@pytest.mark.parametrize("program", sorted((ROOT / "roles").glob("*/files/*.py")), ids=lambda path: path.name)
def test_programs_copied_to_hosts_need_only_python_itself(program: Path) -> None:
    for node in ast.walk(ast.parse(program.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            assert module.partition(".")[0] in sys.stdlib_module_names, f"line {node.lineno}: {module}"  # type: ignore[attr-defined]
    installs = (program.parents[1] / "vars" / "main.yml").read_text(encoding="utf-8")
    assert f"lookup('ansible.builtin.file', '{program.name}')" in installs, "no role installs it"


def test_sshd_goes_back_on_the_way_out_of_dns_anycast_whatever_its_variable_still_says() -> None:
    """By what the role computes: no variable given at a task outranks one of a plan."""
    tasks = load(ROOT / "roles" / "dns_anycast" / "tasks" / "remove.yml")
    ssh = next(task for task in tasks if task.get("ansible.builtin.import_tasks") == "ssh.yml")
    assert ssh["vars"] == {"__dns_anycast_values": {"ssh": {"main": [], "files": [], "sockets": []}}}


def test_facts_are_read_as_facts() -> None:
    """As a variable, a fact is there only where Ansible makes variables of all facts, which it will stop to do, and warns of; ansible.cfg has it off."""
    assert "inject_facts_as_vars = False" in (ROOT / "ansible.cfg").read_text(encoding="utf-8")
    places = [
        path
        for room in ("roles", "playbooks", "molecule", "inventories")
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".yml", ".j2")
    ]
    found = []
    for path in places:
        code = re.sub(r"(?m)^\s*#.*$|C\(xgn_\w+\)", "", path.read_text(encoding="utf-8"))
        names = re.findall(
            r"(?<![\w.])(?:xgn_(?:host|way_back|verify)|ansible_(?:distribution|os_family|kernel|architecture|hostname|default_ipv)\w*)\b",
            code,
        )
        found += [f"{path.relative_to(ROOT)}: {name}" for name in names]
    assert len(places) > 200 and found == []
