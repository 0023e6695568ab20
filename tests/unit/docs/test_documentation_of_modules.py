"""What a module says of itself is YAML: a colon in a plain sentence makes something else of it, and nobody but ansible-test would notice."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

MODULES = sorted((Path(__file__).resolve().parents[3] / "plugins" / "modules").glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_each_part_is_yaml(path: Path) -> None:
    found = {
        str(target.id): ast.literal_eval(node.value)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }
    assert set(found) == {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    assert isinstance(read_yaml(found["EXAMPLES"]), list)
    assert isinstance(read_yaml(found["DOCUMENTATION"]), dict)
    # It is empty where a module returns nothing of its own.
    assert isinstance(read_yaml(found["RETURN"]) or {}, dict)
