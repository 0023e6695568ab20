"""Each module and each action has unit tests: nothing in their room is found by Ansible alone."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "plugins"


def test_each_module_and_action_is_run_by_a_unit_test() -> None:
    """A module that documents an action of its name has no other code."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "unit").rglob("*.py"))
    names = re.findall(
        r"^from ansible_collections\.xuegao\.net\.plugins\.(action\.\w+ import|(?:action|modules) import (?:\([^)]+\)|[^(\n]+))",
        text,
        re.MULTILINE,
    )
    words = set(re.findall(r"\w+", " ".join(names)))
    actions = {path.stem for path in (PLUGINS / "action").glob("*.py")}
    modules = {path.stem for path in (PLUGINS / "modules").glob("*.py")}
    assert actions <= modules, "Ansible finds an action by the module that documents it"
    assert not modules - words
