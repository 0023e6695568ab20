"""docs/validation-rules.md has every mistake that the code makes, each with its own remedy."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools import doc_tables

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "validation-rules.md").read_text(encoding="utf-8")


def test_every_file_that_makes_a_mistake_is_on_the_page() -> None:
    listed = [path for part in doc_tables.RULES for path in doc_tables.rule_files(part)]
    assert len(listed) == len(set(listed))
    made = doc_tables.files_with_rules()
    assert len(made) > 35
    assert set(made) <= set(listed)


@pytest.mark.parametrize("part", doc_tables.RULES)
def test_every_mistake_is_on_the_page(part: str) -> None:
    # A place without words raises.
    for path in doc_tables.rule_files(part):
        for key, mistake, remedy in doc_tables.rules(path):
            row = f"| {f'`{key}`' if key else ''} | {doc_tables.cell(mistake)} | {doc_tables.cell(remedy)} |"
            assert row in PAGE, f"{path.name}: python tools/generate_docs.py"


@pytest.mark.parametrize(
    "sentence",
    [
        "runs in a circle",
        "is behind a NAT",
        "joins two VRFs",
        "does not fit the underlay",
        "is no site of xgn_sites",
        "is not a defined variable",
        "has host bits set",
        "is also the id of",
        "is not an integer",
        "unknown variable of role",
    ],
)
def test_what_was_missing_is_there(sentence: str) -> None:
    assert sentence in PAGE


def rows_of(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """The rows of a file of rules."""
    path = tmp_path / "plugins" / "plugin_utils" / "made_up.py"
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
    monkeypatch.setattr(doc_tables, "ROOT", tmp_path)
    monkeypatch.setattr("importlib.import_module", lambda name: ast)
    return doc_tables.rules(path)


TWICE = """
def problems(wanted, low):
    if wanted > low:
        text = f"3 x {low}"
        yield Problem(wanted.at("one"), "is less than three", str(wanted), text)
    if wanted < low:
        text = f"2 x {low}"
        yield Problem(wanted.at("two"), "is less than two", str(wanted), text)
    hint = "a" if low else "b"
    for index in wanted:
        path, other = index, "of the loop"
        yield Problem(path.at("three"), f"is {hint}", hint=other)
    hint = "of something else"


class Reader:
    def read(self):
        return Problem(self.at("four"), why(self), hint=hint_of(self))


def why(thing):
    if thing:
        return "is one"
    return f"is {thing}"
"""


def test_a_name_assigned_twice_has_the_value_of_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows_of(TWICE, tmp_path, monkeypatch) == [
        ("one", "is less than three", "3 x …"),
        ("two", "is less than two", "2 x …"),
        ("three", "is a", "of the loop"),
        ("three", "is b", "of the loop"),
        ("four", "is one", "…"),
        ("four", "is …", "…"),
    ]


def test_a_mistake_without_words_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"finds no words for the mistake of made_up\.py:3"):
        rows_of("def problems(words):\n    for text in words:\n        yield Problem(text, text.upper())\n", tmp_path, monkeypatch)
