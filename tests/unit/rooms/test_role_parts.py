"""Each role has its part in each room, and each part is called: what a list forgets would be missed in silence."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES
from ansible_collections.xuegao.net.plugins.plugin_utils.validate import variable_rules

ROOT = Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins" / "plugin_utils"
PACKAGE = "ansible_collections.xuegao.net.plugins.plugin_utils"


def parts(folder: str) -> set[str]:
    """Return the names of the modules in a room's folder."""
    return {path.stem for path in (UTILS / folder).glob("*.py")} - {"__init__"}


def role_of(part: str) -> str:
    """Return the role that a module is about, by the longest name of a role that its name begins with; empty for none."""
    return max((name for name in ROLES if part == name or part.startswith(f"{name}_")), key=len, default="")


def called(path: Path) -> set[str]:
    """Return module and function of all that a file calls of the collection, as ``verify.checks.gre.check_gre``, by whichever name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    origin = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(origin.get(node.func.id, ""))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            found.add(f"{origin.get(node.func.value.id, '')}.{node.func.attr}")
    return {name.removeprefix(f"{PACKAGE}.") for name in found}


def modules_of(names: set[str], folder: str) -> set[str]:
    """Return the modules of a folder of which something is called."""
    begin = folder.replace("/", ".") + "."
    return {name.removeprefix(begin).partition(".")[0] for name in names if name.startswith(begin)}


# Folder, files that call its modules, modules that only help others there, roles that have nothing there.
ROOMS = [
    ("plan/variables", ["plugin_utils/plan/plan.py"], {"context", "frr_edge", "frr_routes", "frr_sessions"}, {"frr_build"}),
    (
        "verify/checks",
        ["plugin_utils/verify/host_checks.py", "action/verify_checks.py"],
        {"underlay"},
        {"preflight", "frr_build", "verify"},
    ),
]


@pytest.mark.parametrize(("folder", "callers", "helpers", "without"), ROOMS, ids=[room[0] for room in ROOMS])
def test_each_part_is_called_and_each_role_has_one(folder: str, callers: list[str], helpers: set[str], without: set[str]) -> None:
    names = {name for caller in callers for name in called(ROOT / "plugins" / caller)}
    assert modules_of(names, folder) >= parts(folder) - helpers
    assert {role_of(part) for part in parts(folder) - helpers} - {""} == set(ROLES) - without


def test_each_file_of_rules_is_asked_and_each_role_has_one() -> None:
    asked = {rule.__module__.rpartition(".")[2] for rule in variable_rules._RULES}
    # What several rules look up.
    assert asked == parts("validate/rules") - {"underlay"}
    assert {role_of(part) for part in asked} == set(ROLES) - {"preflight"}


def test_each_rule_is_asked() -> None:
    """Of a file with several of them, too: what takes a host and no more is a rule."""
    asked = {rule.__name__ for rule in variable_rules._RULES}
    for part in parts("validate/rules"):
        for node in ast.parse((UTILS / f"validate/rules/{part}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.endswith("_problems") and [item.arg for item in node.args.args] == ["host"]:
                assert node.name in asked or node.name.startswith("_"), f"{part}.{node.name}"


def test_each_check_of_a_host_is_made() -> None:
    """Of a file with several of them, too: what takes a ledger and a host's variables, and no more than keys beside, is a check."""
    made = {name.rpartition(".")[2] for name in called(UTILS / "verify/host_checks.py")}
    for part in parts("verify/checks"):
        for node in ast.parse((UTILS / f"verify/checks/{part}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and [item.arg for item in node.args.args][:2] == ["ledger", "variables"]:
                assert node.name in made, f"{part}.{node.name}"


def test_what_the_templates_print_comes_from_the_file_of_the_role() -> None:
    """Through the filter of its name, which a role without such a file has no use for."""
    for role in ROLES:
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / "roles" / role).rglob("*.yml")]
        used = any(f"xuegao.net.{role}_values" in text for text in texts)
        assert used == (role in parts("render/values")) == (ROOT / f"plugins/filter/{role}_values.py").is_file(), role
    assert parts("render/values") <= set(ROLES)
