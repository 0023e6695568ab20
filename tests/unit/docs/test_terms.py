"""One term for each thing: no file uses a word that docs/terms.md gives up. The words are read there, so there is no second list."""

from __future__ import annotations

import ast
import functools
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TERMS = ROOT / "docs" / "terms.md"
# Everything in them is looked at: text, comments, messages and names. Of tests only what is said, since their data are anybody's.
WHOLE = (
    "README.md",
    "CONTRIBUTING.md",
    "Makefile",
    "ansible.cfg",
    "changelogs",
    "galaxy.yml",
    "docs",
    "inventories",
    "lab",
    "meta",
    "molecule",
    "playbooks",
    "plugins",
    "roles",
    "tools",
)
SAID = ("tests",)
SUFFIXES = ("", ".cfg", ".conf", ".css", ".in", ".j2", ".js", ".md", ".py", ".sh", ".toml", ".yaml", ".yml")
# What is expected is rendered of what is looked at; options of a kernel and recorded answers are others' words.
LEFT_OUT = ("docs/terms.md", "lab/kernels/", "tests/golden/", "tests/unit/docs/test_terms.py")
# A command of another router.
NOT_OURS = r"/routing bgp connection"
# Of a changelog: former names of options and modules.
FORMER = re.compile(r"``[^`]*``|\bC\([^)]*\)|^ *- [\"']?[\w, ]+ - ", re.MULTILINE)
# What may stand between two words of a phrase.
PRONOUN = r"(?:them |it |us )?"


def forms(word: str) -> str:
    """Return a pattern for a word in all its forms: load, loads, loaded, loading; balance, balancing; dial, dialled."""
    stem, endings = word, r"(?:e?s|ed|ing|(?<=l)l(?:ed|ing|er)|(?<=t)t(?:ed|ing))?"
    if word.endswith("e"):
        stem, endings = word[:-1], r"(?:e[sdr]?|ing|ements?)"
    elif word.endswith("y"):
        stem, endings = word[:-1], r"(?:y|ies|ied|ying)"
    return re.escape(stem) + endings


def patterns(table: str) -> Iterator[tuple[str, str]]:
    """Yield a pattern for each word that is given up, and its term. What has its place elsewhere, with its context in parentheses, is for readers only."""
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or cells[0] == "term" or cells[0].startswith("---"):
            continue
        term, _meaning, words = cells
        for word in words.split(", "):
            if "(" not in word:
                yield rf"\s{PRONOUN}".join(forms(part) for part in word.split()), term


@functools.cache
def given_up_words() -> tuple[re.Pattern[str], list[str]]:
    """Return one pattern for all words that are given up, and the terms by the number of its group. A name's parts are words, too."""
    found = list(patterns(TERMS.read_text(encoding="utf-8")))
    groups = "|".join(rf"(?P<g{number}>{pattern})" for number, (pattern, _term) in enumerate(found))
    return re.compile(rf"(?<![^\W_])(?:{groups})(?![^\W_])", re.IGNORECASE), [term for _pattern, term in found]


def given_up(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and sentence for each word of a text that is given up."""
    pattern, terms = given_up_words()
    text = re.sub(NOT_OURS, "", text)
    for found in pattern.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, f"{found[0]!r}; the term is {terms[int(str(found.lastgroup)[1:])]!r} (docs/terms.md)"


def said(path: str, text: str) -> str:
    """Return comments and docstrings of a file, each in its line."""
    lines = text.splitlines()
    kept = [""] * len(lines)
    if path.endswith(".py"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                kept[token.start[0] - 1] = token.string
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
                kept[node.body[0].lineno - 1 : node.body[0].end_lineno] = lines[node.body[0].lineno - 1 : node.body[0].end_lineno]
    else:
        kept = [line[line.index("#") :] if "#" in line else "" for line in lines]
    return "\n".join(kept)


@functools.cache
def files() -> dict[str, list[str]]:
    """Return the files to look at by their first folder."""
    listed = subprocess.run(["git", "ls-files", *WHOLE, *SAID], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, list[str]] = {}
    for path in listed:
        if not path.startswith(LEFT_OUT) and Path(path).suffix in SUFFIXES:
            found.setdefault(path.split("/")[0], []).append(path)
    return found


@pytest.mark.parametrize("room", [*WHOLE, *SAID])
def test_the_terms_are_used(room: str) -> None:
    found = []
    for path in files()[room]:
        text = (ROOT / path).read_text(encoding="utf-8")
        text = FORMER.sub("", text) if room == "changelogs" else text
        found += [f"{path}:{line}: {what}" for line, what in given_up(said(path, text) if room in SAID else text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("It announces its prefix.", "advertise"),
        ("behind address translation", "NAT"),
        ("the server waits to be called", "initiate"),
        ("the firewall lets them in", "accept"),
        ("steer_result.announced", "advertise"),
        ("load balancing", "equal paths"),
        ("firewall_checkpoint: 60", "way back"),
        ("VRF of the probes; the main table when not given.", "default VRF"),
        ("Address of the default router.", "gateway"),
    ],
)
def test_a_word_that_is_given_up_is_found(text: str, term: str) -> None:
    ((_line, sentence),) = given_up(text)
    assert f"the term is {term!r}" in sentence


@pytest.mark.parametrize(
    "text", ["a remote call", "it wants an answer", "the peer advertises", "the result is called a plan", "the kernel's main table"]
)
def test_a_word_with_another_meaning_is_not(text: str) -> None:
    assert list(given_up(text)) == []


def test_of_tests_only_what_is_said_counts() -> None:
    text = '"""Announces."""\n\nVRF = "WAN"  # the WAN\n'
    assert [line for line, _what in given_up(said("tests/x.py", text))] == [1, 3]
    assert [line for line, _what in given_up(said("tests/x.yml", "vrf: WAN\n# the WAN\n"))] == [2]


def test_terms_stand_once_and_are_not_given_up() -> None:
    terms = [line.split("|")[1].strip() for line in TERMS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    terms = [term for term in terms if term != "term"]
    assert len(terms) == len(set(terms)) > 30
    pattern, replaced = given_up_words()
    assert len(replaced) > 40
    assert [term for term in terms for part in term.split(", ") if pattern.fullmatch(part)] == []
