"""One term for each thing: pages, READMEs, options and messages use none of the words that docs/terms.md gives up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# The word that is given up, as a pattern, and the term in its place. Only words that have no other meaning in this field.
GIVEN_UP = {
    r"announc\w*": "advertise",
    r"address translation|masquerad\w*": "NAT",
    r"heartbeats?": "keepalive",
    r"backup (link|tunnel)s?|standby|secondary (link|tunnel)s?": "reserve",
    r"dial(s|led|ling)?|(waits?|wait) to be called|calls? (first|nobody|anew|again)": "initiate",
    r"third-party|foreign": "unmanaged",
    r"WAN": "uplink",
    r"lets? (them |it |us )?in": "accept",
    r"envelopes?": "outer packet",
    r"VXLAN ids?": "VNI",
    r"neighbours?": "neighbor",
    r"peerings?": "session",
    r"hijack\w*|divert\w*": "steer",
    r"source of truth|desired state": "intent",
    r"load balanc\w*": "equal paths",
    r"misconfigur\w*": "mistake",
}
# Names that are not ours to choose, and those of an interface that others read.
ALLOWED = (
    r"`announced`|C\(announced\)|``announced``",
    # In the documentation of what a module returns.
    r"(?m)^announced:",
)
PATTERN = re.compile("|".join(rf"(?P<g{number}>\b(?:{pattern})\b)" for number, pattern in enumerate(GIVEN_UP)), re.IGNORECASE)
TERMS = list(GIVEN_UP.values())


def given_up(text: str) -> Iterator[str]:
    """Yield a sentence for each word of a text that is given up."""
    for allowed in ALLOWED:
        text = re.sub(allowed, "", text)
    for found in PATTERN.finditer(text):
        yield f"{found[0]!r}; the term is {TERMS[int(str(found.lastgroup)[1:])]!r} (docs/terms.md)"


def pages() -> list[Path]:
    """Return every page and README, but the table of terms itself."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md")]
    return sorted(path for path in found if path.name != "terms.md")


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in pages()])
def test_a_page_uses_the_terms(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    assert [f"{page}:{number}: {what}" for number, line in enumerate(lines, 1) for what in given_up(line)] == []


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string in a plugin that is more than one word: messages, and documentation that users read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize("room", sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()))
def test_messages_use_the_terms(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in sorted((ROOT / "plugins" / room).rglob("*.py"))
        for line, text in messages(path)
        for what in given_up(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("It announces its prefix.", "advertise"),
        ("behind address translation", "NAT"),
        ("the server waits to be called", "initiate"),
        ("the firewall lets in UDP", "accept"),
    ],
)
def test_a_word_that_is_given_up_is_found(text: str, term: str) -> None:
    (sentence,) = given_up(text)
    assert repr(term) in sentence


@pytest.mark.parametrize(
    "text", ["a remote call", "what `gobgp_route` returns as `announced`", "the peer advertises", "the result is called a plan"]
)
def test_a_word_with_another_meaning_is_not(text: str) -> None:
    assert list(given_up(text)) == []
