"""Imports between the rooms of plugins/plugin_utils run one way; see docs/decisions/0019-rooms-by-stage.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins" / "plugin_utils"
PLUGINS = "ansible_collections.xuegao.net.plugins"
DECISION = "docs/decisions/0019-rooms-by-stage.md"

# The way of the data. Each room may import those before it.
WAY = ("common", "intent", "plan", "render", "verify", "report")
MAY_IMPORT = {room: frozenset(WAY[:place]) for place, room in enumerate(WAY)} | {
    # They read what the plan wrote into the hosts' variables, which somebody may have written by hand as well.
    "verify": frozenset({"common", "render"}),
    "report": frozenset({"common", "render", "verify"}),
    # What a build from source consists of: a subject of its own, beside the way.
    "frr_build": frozenset({"common"}),
    # Beside verify and render. It judges variables that somebody wrote by hand, so it must not know a plan or an intent: a host without
    # either is judged the same. It asks frr_build what can be built.
    "validate": frozenset({"common", "frr_build"}),
    # The way back: a running host as the variables that somebody could have written. What is no variable, the rules say.
    "adopt": frozenset({"common", "validate"}),
}
FILES = sorted(path for path in UTILS.rglob("*.py"))
# Files that import Ansible, and what for.
KNOW_ANSIBLE = {
    "common/controller_action.py": "the base of all actions",
    "common/filter_errors.py": "errors of pure functions become those of a filter",
    "common/host_answers.py": "an answer that is refused ends its task with an error of an action",
    "common/host_values.py": "what Ansible hands an action: templates, vaulted values",
    "render/values/sysctl.py": "a boolean as Ansible reads one",
}


def imported(source: str, module: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of all that a module imports, inside functions and under conditions too.

    ``from package import name`` yields ``package.name``: the name may be a module. Parameters: the text, and the module's own full name.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            package = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{package}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield node.lineno, node.args[0].value


def wrong_imports(source: str, path: str) -> list[str]:
    """Return a sentence for each import that a file, named by its path below plugin_utils, must not have."""
    room = path.split("/")[0]
    allowed = MAY_IMPORT[room]
    allowed_text = " and ".join(sorted(allowed, key=list(MAY_IMPORT).index)) or "itself"
    found = []
    for line, name in imported(source, f"{PLUGINS}.plugin_utils.{path.removesuffix('.py').replace('/', '.')}"):
        if not name.startswith(f"{PLUGINS}."):
            continue
        kind, *rest = name.removeprefix(f"{PLUGINS}.").split(".")
        if kind == "module_utils" or (kind == "plugin_utils" and rest and rest[0] in {room, *allowed}):
            continue
        shown = ".".join(rest) if kind == "plugin_utils" else f"plugins.{kind}"
        found.append(
            f"plugins/plugin_utils/{path}:{line} imports {shown}, but {room} may import {allowed_text} only. "
            f"Move what both need to the room where it belongs ({DECISION})."
        )
    return found


@pytest.mark.parametrize("path", [path.relative_to(UTILS).as_posix() for path in FILES])
def test_imports_run_one_way(path: str) -> None:
    room = path.split("/")[0]
    assert room in MAY_IMPORT, f"plugins/plugin_utils/{path} is in no room; the rooms are {', '.join(MAY_IMPORT)} ({DECISION})"
    wrong = wrong_imports((UTILS / path).read_text(encoding="utf-8"), path)
    assert not wrong, "\n".join(wrong)


def of_ansible(path: str) -> list[str]:
    """Return what a file, named by its path below plugin_utils, imports of Ansible itself."""
    source, module = (UTILS / path).read_text(encoding="utf-8"), f"{PLUGINS}.plugin_utils.{path.removesuffix('.py').replace('/', '.')}"
    return [name for _line, name in imported(source, module) if name.partition(".")[0] == "ansible"]


def test_who_knows_ansible_is_named() -> None:
    """What is pure is tested without Ansible, and works outside of it."""
    names = [path.relative_to(UTILS).as_posix() for path in FILES]
    assert {name for name in names if of_ansible(name)} == set(KNOW_ANSIBLE)


@pytest.mark.parametrize("module", ["plan.plan", "validate.variable_rules"])
def test_planner_and_rules_load_nothing_of_ansible(module: str) -> None:
    """By way of what modules share neither."""
    code = f"import sys; sys.path[:0] = {sys.path!r}\nimport {PLUGINS}.plugin_utils.{module}\nprint('ansible' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_every_room_is_a_package_with_files() -> None:
    for room in MAY_IMPORT:
        assert (UTILS / room / "__init__.py").is_file(), f"{room} has no __init__.py"
        assert any(path.name != "__init__.py" for path in (UTILS / room).glob("*.py")), f"{room} is empty"
    assert {path.parent for path in FILES} == {path.parent for path in UTILS.rglob("__init__.py")}


@pytest.mark.parametrize("name", ["report", "verify_checks"])
def test_verify_and_report_plan_nothing(name: str) -> None:
    source = (UTILS.parent / "action" / f"{name}.py").read_text(encoding="utf-8")
    parts = [found.removeprefix(f"{PLUGINS}.plugin_utils.").split(".")[0] for _line, found in imported(source, f"{PLUGINS}.action.{name}")]
    assert "report" in parts
    assert not {"intent", "plan"} & set(parts), f"plugins/action/{name}.py reads the hosts' variables; the plan says there what it needs"


@pytest.mark.parametrize(
    ("path", "source", "shown"),
    [
        ("plan/plan.py", f"from {PLUGINS}.plugin_utils.render.tables import page", "plan.py:1 imports render.tables.page, "),
        ("plan/plan.py", f"def late():\n    from {PLUGINS}.plugin_utils.verify import ledger\n", "plan.py:2 imports verify.ledger, "),
        ("plan/rules/links.py", f"import {PLUGINS}.plugin_utils.render.tables", "links.py:1 imports render.tables, "),
        ("plan/rules/links.py", "from ...report import data", "links.py:1 imports report.data, "),
        ("intent/model.py", f"from {PLUGINS}.plugin_utils import plan", "model.py:1 imports plan, but intent may import common only"),
        ("common/names.py", f"importlib.import_module('{PLUGINS}.plugin_utils.intent.model')", "but common may import itself only"),
        (
            "render/tables.py",
            f"if TYPE_CHECKING:\n    from {PLUGINS}.plugin_utils.report.data import X",
            "tables.py:2 imports report.data.X, ",
        ),
        ("report/data.py", f"from {PLUGINS}.plugin_utils.validate.host import Host", "imports validate.host.Host, "),
        ("validate/host.py", f"from {PLUGINS}.plugin_utils.intent.model import Node", "but validate may import common and frr_build only"),
        ("verify/ledger.py", f"from {PLUGINS}.action.report import verdict", "imports plugins.action, "),
        ("verify/ledger.py", f"from {PLUGINS}.plugin_utils.plan.plan import make_plan", "but verify may import common and render only"),
        (
            "report/data.py",
            f"from {PLUGINS}.plugin_utils.intent.model import Link",
            "but report may import common and render and verify only",
        ),
    ],
)
def test_a_back_import_is_told(path: str, source: str, shown: str) -> None:
    (sentence,) = wrong_imports(source, path)
    assert shown in sentence
    assert DECISION in sentence


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("report/data.py", f"from {PLUGINS}.plugin_utils.verify.ledger import Check"),
        ("report/data.py", "from .links import ends\nfrom ..common import addresses\nimport json"),
        ("plan/rules/links.py", f"def late():\n    from {PLUGINS}.plugin_utils.intent.model import Link"),
        ("validate/rules/frr_build.py", f"from {PLUGINS}.plugin_utils.frr_build.build_plan import bad_option"),
        ("render/role_files.py", f"from {PLUGINS}.module_utils.wireguard import conf_text"),
    ],
)
def test_a_forward_import_is_not(path: str, source: str) -> None:
    assert wrong_imports(source, path) == []
