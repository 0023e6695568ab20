"""Templates and variables of roles and playbooks print: what has to be computed is a function in plugins/plugin_utils/render/values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# What a program has and a printed text has not: statements for their effect, variables that outlive a loop, lists that grow.
PROGRAM = re.compile(r"""\{%-?\s*(set\s+_\w*\s*=|do\s)|\bnamespace\s*\(|\.(append|extend|insert|update|setdefault|pop)\s*\(""")
# A loop in YAML makes a value, which a function does better. In a message it prints, a line an item.
STATEMENT = re.compile(r"\{%-?\s*(set|for|macro)\b")
# File and statement in it: why it stays.
PRINTED_IN_YAML = {
    ("roles/frr_build/tasks/artifact.yml", "{% for sentence in __frr_build_plan.problems %}"): "a message with a line for each problem",
}
PLACES = (
    "roles/*/templates/**/*",
    "roles/*/vars/*.yml",
    "roles/*/defaults/*.yml",
    "roles/*/tasks/*.yml",
    "roles/*/handlers/*.yml",
    "playbooks/*.yml",
)
FILES = sorted(path for place in PLACES for path in ROOT.glob(place) if path.is_file())


def statements(text: str) -> Iterator[str]:
    """Yield what stands between Jinja's braces; the rest may be a program of its own, in a language of its own."""
    yield from (match.group() for match in re.finditer(r"\{[{%].*?[}%]\}", text, re.DOTALL))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_program(path: Path) -> None:
    found = [part for part in statements(path.read_text(encoding="utf-8")) if PROGRAM.search(part)]
    assert not found, "compute it in plugins/plugin_utils/render/values"


def test_no_statement_in_yaml() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), part)
        for path in FILES
        if path.suffix == ".yml"
        for part in statements(path.read_text(encoding="utf-8"))
        if STATEMENT.search(part)
    }
    assert found == set(PRINTED_IN_YAML)


def test_no_template_names_a_secret_itself() -> None:
    """One function does: module_utils.placeholders.placeholder, through the values of the role."""
    assert not [path for path in FILES if "<secret" in path.read_text(encoding="utf-8")]
    written = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "plugins").glob("*_utils/**/*.py"))
        if re.search(r"""["']<secret [^"']""", path.read_text(encoding="utf-8")) and path.name != "placeholders.py"
    ]
    assert written == []


@pytest.mark.parametrize(
    "line",
    [
        "{%- set _ = found.append(1) -%}",
        "{%- set\n  _ = 1 -%}",
        "{% set _unused = a.update(b) %}",
        "{% do found.append(1) %}",
        "{% set found = namespace(names=[]) %}",
        "{{ [].extend(x) }}",
        "{{ table.setdefault(name, []) }}",
    ],
)
def test_a_program_is_seen(line: str) -> None:
    assert [part for part in statements(f"x = {line} y") if PROGRAM.search(part)]


@pytest.mark.parametrize(
    "line",
    [
        "{% set peer = 'neighbor ' ~ neighbor.address %}",
        "{% for route in vrf.routes %}",
        "{{ names | join(' ') }}",
        "sys.path.insert(0, '{{ path }}')",
    ],
)
def test_a_printed_line_is_not(line: str) -> None:
    assert not [part for part in statements(line) if PROGRAM.search(part)]
