"""Every file in tests/errors/host is one host's variables; the .txt beside it is the whole report."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import report
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, role_variables, variable_problems

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests" / "errors" / "host").glob("*.yml"))
SPECS = load_role_specs(ROOT / "roles")
SECRET_TEXT = "never-print-me"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_report(case: Path) -> None:
    variables = yaml.safe_load(case.read_text(encoding="utf-8"))
    text = report(variable_problems(role_variables(variables, SPECS), SPECS), "T1") + "\n"
    expected = case.with_suffix(".txt")
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    assert SECRET_TEXT not in text


def test_every_text_has_its_case() -> None:
    texts = (ROOT / "tests" / "errors" / "host").glob("*.txt")
    assert {text.stem for text in texts} == {case.stem for case in CASES}
