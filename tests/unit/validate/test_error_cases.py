"""Every file in tests/errors/host is one host's variables; the .txt beside it is the whole report."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ERRORS = Path(__file__).parents[2] / "errors"
UPDATE: dict[str, Any] = runpy.run_path(str(ERRORS / "update_host.py"))
CASES: list[Path] = UPDATE["cases"]()
SECRET_TEXT = "never-print-me"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_report(case: Path) -> None:
    text = UPDATE["message"](case)
    expected = case.with_suffix(".txt").read_text(encoding="utf-8")
    assert text == expected, "if this is what you meant: python tests/update_expected.py"
    assert SECRET_TEXT not in text


def test_every_text_has_its_case() -> None:
    assert CASES
    assert {text.stem for text in (ERRORS / "host").glob("*.txt")} == {case.stem for case in CASES}
