"""The schema engine: each type, each key of the format, and what is said about a mistake."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, report, show
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check, check_value, usable, with_defaults
from hypothesis import given, settings
from hypothesis import strategies as st

PEER: dict[str, dict[str, Any]] = {
    "address": {"type": "str", "required": True},
    "remote_as": {"type": "int", "required": True},
    "password": {"type": "str", "no_log": True},
    "passive": {"type": "bool", "default": False},
}
X = Place.of("x")
OPTIONS: dict[str, dict[str, Any]] = {
    "peers": {"type": "list", "elements": "dict", "options": PEER, "default": []},
    "level": {"type": "str", "choices": ["low", "high"], "default": "low"},
    "tables": {"type": "list", "elements": "int"},
    "extra": {"type": "dict", "default": {}},
    "anything": {"type": "raw"},
}


def said(value: object, options: dict[str, Any], *path: object) -> list[str]:
    return [str(problem) for problem in check(value, options, Place.of(*path))]


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"type": "str"}, ""),
        ({}, "str is the type when none is given"),
        ({"type": "path"}, "/etc"),
        ({"type": "int"}, -5),
        ({"type": "float"}, 1),
        ({"type": "float"}, 1.5),
        ({"type": "bool"}, False),
        ({"type": "list"}, [1, "a", None]),
        ({"type": "list", "elements": "int"}, (1, 2)),
        ({"type": "dict"}, {"a": [1], 5: None}),
        ({"type": "raw"}, None),
        ({"type": "int", "choices": [0, 1]}, 1),
        ({"type": "list", "elements": "str", "choices": ["a", "b"]}, ["b", "a"]),
        ({"type": "int", "minimum": 1, "maximum": 2}, 2),
        ({"type": "str", "pattern": "[a-z]+"}, "abc"),
        ({"type": "str", "min_length": 2}, "ab"),
        ({"type": "dict", "values": {"type": "int"}}, {"hq.core": 1}),
        ({"type": "dict", "values": {"type": "int"}, "keys": {"type": "int"}}, {7: 1}),
    ],
)
def test_fits(spec: dict[str, Any], value: object) -> None:
    assert check_value(value, spec, X) == []


@pytest.mark.parametrize(
    ("spec", "value", "sentence"),
    [
        ({"type": "str"}, 5, "x: 5 is not a string; put it in quotes"),
        ({"type": "str"}, True, "x: true is not a string; put it in quotes"),
        ({"type": "str"}, [], "x: a list is not a string"),
        ({"type": "str"}, None, "x: null is not a string; leave the key out or give it a value"),
        ({"type": "path"}, {}, "x: a dictionary is not a string"),
        ({"type": "int"}, "200", "x: '200' is not an integer; write it without quotes"),
        ({"type": "int"}, "two hundred", "x: 'two hundred' is not an integer"),
        ({"type": "int"}, True, "x: true is not an integer"),
        ({"type": "int"}, 1.5, "x: 1.5 is not an integer"),
        ({"type": "float"}, "1.5", "x: '1.5' is not a number"),
        ({"type": "float"}, False, "x: false is not a number"),
        ({"type": "bool"}, "yes", "x: 'yes' is not a boolean; write true without quotes"),
        ({"type": "bool"}, "Off", "x: 'Off' is not a boolean; write false without quotes"),
        ({"type": "bool"}, 1, "x: 1 is not a boolean; write true without quotes"),
        ({"type": "bool"}, "maybe", "x: 'maybe' is not a boolean; valid values: true, false"),
        ({"type": "list", "elements": "str"}, "a", "x: is a string, not a list; put it in brackets"),
        ({"type": "list", "elements": "int"}, "a", "x: is a string, not a list"),
        ({"type": "list"}, None, "x: is null, not a list; leave the key out or give it a value"),
        ({"type": "list", "elements": "int"}, [1, "a"], "x[1]: 'a' is not an integer"),
        ({"type": "list", "elements": "str", "choices": ["a"]}, ["b"], "x[0]: 'b' is not a valid value; valid values: a"),
        ({"type": "list", "min_items": 2}, [1], "x: has 1 entries; it needs at least 2"),
        ({"type": "dict"}, [], "x: is a list, not a dictionary"),
        ({"type": "dict", "options": PEER}, 5, "x: is an integer, not a dictionary; valid keys: address, passive, password, remote_as"),
        ({"type": "dict", "values": {"type": "int"}}, {"hq.core": "a"}, "x['hq.core']: 'a' is not an integer"),
        ({"type": "dict", "values": {"type": "int"}}, {5: 1}, "x[5]: 5 is not a string; put it in quotes"),
        (
            {"type": "dict", "values": {"type": "raw"}, "keys": {"pattern": "[a-z]+", "pattern_text": "must be lower-case letters"}},
            {"A": 1},
            "x.A: 'A' must be lower-case letters",
        ),
        ({"type": "int", "choices": [0, 1]}, 2, "x: 2 is not a valid value; valid values: 0, 1"),
        ({"type": "bool", "choices": [True]}, "on", "x: 'on' is not a boolean; write true without quotes"),
        ({"type": "int", "minimum": 1, "maximum": 4094}, 4095, "x: 4095 is out of range; valid: 1 to 4094"),
        ({"type": "int", "minimum": 1}, 0, "x: 0 is out of range; valid: 1 or more"),
        ({"type": "float", "maximum": 1}, float("nan"), "x: nan is out of range; valid: at most 1"),
        ({"type": "str", "min_length": 1}, "", "x: is empty; leave the key out or give it a value"),
        ({"type": "str", "min_length": 1, "choices": ["a"]}, "", "x: is empty; leave the key out or give it a value"),
        ({"type": "raw", "min_length": 1}, "", "x: is empty; leave the key out or give it a value"),
        ({"type": "str", "min_length": 3}, "ab", "x: 'ab' is too short; it needs at least 3 characters"),
        ({"type": "list", "elements": "str", "min_length": 1}, ["a", ""], "x[1]: is empty; leave the key out or give it a value"),
        ({"type": "str", "pattern": "[a-z]+"}, "a ", "x: 'a ' does not match [a-z]+"),
    ],
)
def test_mistakes(spec: dict[str, Any], value: object, sentence: str) -> None:
    assert [str(problem) for problem in check_value(value, spec, X)] == [sentence]


def test_unknown_key_names_the_nearest_and_all_valid_ones() -> None:
    assert said({"address": "a", "remote_ass": 1}, PEER, "bgp", 0, "peers", 1) == [
        "bgp[0].peers[1].remote_as: is required",
        "bgp[0].peers[1].remote_ass: unknown key; did you mean 'remote_as'? Valid keys: address, passive, password, remote_as",
    ]


def test_unknown_key_far_from_all_and_of_another_type() -> None:
    assert said({"zzz": 1, 5: 2}, {"a": {"type": "int"}}, "x") == [
        "x.zzz: unknown key; valid keys: a",
        "x[5]: unknown key; valid keys: a",
    ]


def test_all_mistakes_are_found_beside_and_below_each_other() -> None:
    value = {"peers": [{"address": 1}, "b", {"address": "c", "remote_as": "5", "passive": "no"}], "level": "mid", "tables": [1, None]}
    assert said(value, OPTIONS) == [
        "peers[0].address: 1 is not a string; put it in quotes",
        "peers[0].remote_as: is required",
        "peers[1]: is a string, not a dictionary; valid keys: address, passive, password, remote_as",
        "peers[2].remote_as: '5' is not an integer; write it without quotes",
        "peers[2].passive: 'no' is not a boolean; write false without quotes",
        "level: 'mid' is not a valid value; valid values: low, high",
        "tables[1]: null is not an integer; leave the key out or give it a value",
    ]


@pytest.mark.parametrize("value", [12345678, True, ["hunter2"], {"hunter2": 1}, 1.5])
def test_secrets_are_masked(value: object) -> None:
    (problem,) = check({"address": "a", "remote_as": 1, "password": value}, PEER)
    assert problem.value == "<secret>"
    assert "hunter2" not in str(problem)
    assert "12345678" not in repr(problem)


def test_secrets_are_masked_whatever_is_wrong_with_them() -> None:
    options = {
        "choice": {"type": "str", "no_log": True, "choices": ["a"]},
        "range": {"type": "int", "no_log": True, "maximum": 1},
        "pattern": {"type": "str", "no_log": True, "pattern": "a"},
        "list": {"type": "list", "elements": "int", "no_log": True},
    }
    problems = check({"choice": "hunter2", "range": 31337, "pattern": "hunter2", "list": ["hunter2"]}, options)
    assert [problem.value for problem in problems] == ["<secret>"] * 4
    assert not any("hunter2" in str(problem) or "31337" in str(problem) for problem in problems)


def test_alias_former_name_and_both() -> None:
    options = {"address": {"type": "str", "required": True, "aliases": ["addr"], "renamed_from": ["ip"]}}
    assert said({"addr": "a"}, options) == []
    assert said({"addr": 5}, options) == ["addr: 5 is not a string; put it in quotes"]
    assert said({"address": "a", "addr": "b"}, options) == ["addr: is another name of 'address', which is given too; keep one of them"]
    assert said({"ip": "a"}, options) == ["address: is required", "ip: is the former name of this key; write 'address'"]


def test_with_defaults_fills_every_depth_and_changes_nothing_given() -> None:
    given_value: dict[str, Any] = {"peers": [{"address": "a", "remote_as": 1}], "unknown": [1]}
    filled = with_defaults(given_value, OPTIONS)
    assert filled == {
        "peers": [{"address": "a", "remote_as": 1, "passive": False}],
        "level": "low",
        "extra": {},
        "unknown": [1],
    }
    assert given_value == {"peers": [{"address": "a", "remote_as": 1}], "unknown": [1]}
    filled["extra"]["a"] = 1
    assert with_defaults({}, OPTIONS)["extra"] == {}


def test_with_defaults_of_free_keys_and_aliases() -> None:
    nodes = {"nodes": {"type": "dict", "values": {"type": "dict", "options": PEER}}}
    assert with_defaults({"nodes": {"hq": {"address": "a"}}}, nodes) == {"nodes": {"hq": {"address": "a", "passive": False}}}
    assert with_defaults({"addr": "a"}, {"address": {"type": "str", "aliases": ["addr"]}}) == {"address": "a"}


def test_what_is_usable_of_a_value_with_mistakes() -> None:
    options: dict[str, Any] = {
        "id": {"type": "int"},
        "peer": {"type": "dict", "options": PEER},
        "peers": {"type": "list", "elements": "dict", "options": PEER},
        "names": {"type": "list", "elements": "str"},
        "nodes": {"type": "dict", "values": {"type": "dict", "options": PEER}},
    }
    good = {"address": "a", "remote_as": 1}
    written = {
        "id": "1",
        "peer": {**good, "colour": "red"},
        "peers": [{**good, "remote_as": "x"}, good, "b"],
        "names": ["a", 5],
        "nodes": {"hq": {"remote_as": 1, "passive": "yes"}, "cloud": good, "branch": 7},
        "typo": 1,
    }
    wrong = Findings(check(written, options))
    assert usable(written, options, wrong) == {
        "peer": good,
        "peers": [{"address": "a"}, good, {}],
        "nodes": {"hq": {"remote_as": 1}, "cloud": good},
    }
    # Of what is needed whole, nothing is left that lacks what is required.
    assert usable(written, options, wrong, whole=True)["nodes"] == {"cloud": good}
    assert usable(good, PEER, Findings()) == good
    assert usable({"addr": "a", "b": 1}, {"address": {"type": "str", "aliases": ["addr"]}}, Findings()) == {"addr": "a"}


def test_report_is_in_the_order_of_paths_and_counts() -> None:
    problems = [Problem(Place.of("a", *keys), "is wrong") for keys in ((10, "b"), (2,), (2,), (2, "c"))]
    assert report(problems, "the variables of T1").splitlines() == [
        "a[2]: is wrong",
        "a[2].c: is wrong",
        "a[10].b: is wrong",
        "3 mistakes in the variables of T1. No host was touched.",
    ]
    assert report([], "the intent") == ""
    assert report(problems[:1], "the intent").endswith("1 mistake in the intent. No host was touched.")


def test_values_and_paths_are_shown_as_their_writer_knows_them() -> None:
    assert [show(value) for value in (None, True, "a", 5, [1], {"a": 1}, "x" * 99)] == [
        "null",
        "true",
        "'a'",
        "5",
        "a list",
        "a dictionary",
        "'" + "x" * 59 + "…'",
    ]
    assert str(Place.of("xgn_nodes", "hq.core", "id")) == "xgn_nodes['hq.core'].id"
    assert str(Place.of("a").at("b", 3, "c")) == "a.b[3].c"
    assert str(Place.of("a", True)) == "a[true]"
    assert str(Place()) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9) | st.integers() | st.sampled_from(sorted(OPTIONS)), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(JSON)
def test_nothing_is_raised_for_any_input(value: Any) -> None:
    problems = check(value, OPTIONS)
    assert len(report(problems, "the intent").splitlines()) == len({str(problem) for problem in problems}) + bool(problems)
    if isinstance(value, dict):
        filled = with_defaults(value, OPTIONS)
        assert with_defaults(filled, OPTIONS) == filled or "nan" in repr(filled)
        assert {str(problem) for problem in check(filled, OPTIONS)} == {str(problem) for problem in problems}


def test_sixteen_lines_a_scalar(lines: Callable[[Callable[[], object]], int]) -> None:
    count = 1000
    value = {"peers": [{"address": "a", "remote_as": number, "passive": True} for number in range(count)]}
    assert check(value, OPTIONS) == []
    assert lines(lambda: check(value, OPTIONS)) <= 16 * 3 * count


# ---- control characters --------------------------------------------------------------------------------------------------------------------

# Each class once: C0, DEL, C1, line and paragraph separators, controls of bidirectional writing, half a character.
CONTROLS = (
    "\0",
    "\t",
    "\n",
    "\r",
    "\x0b",
    "\x1b",
    "\x7f",
    "\x85",
    "\x9b",
    "\u2028",
    "\u2029",
    "\u200e",
    "\u202e",
    "\u2066",
    "\u061c",
    "\ud800",
)


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
@pytest.mark.parametrize(
    ("spec", "shape", "path"),
    [
        ({"type": "str"}, "{}", "x"),
        ({"type": "path"}, "{}", "x"),
        ({"type": "raw"}, "{}", "x"),
        ({"type": "str", "choices": ["a"]}, "{}", "x"),
        ({"type": "str", "pattern": r"[\s\S]*"}, "{}", "x"),
        ({"type": "list"}, [["{}"]], "x[0][0]"),
        ({"type": "list", "elements": "str"}, ["a", "{}"], "x[1]"),
        ({"type": "dict"}, {"a": {"b": "{}"}}, "x.a.b"),
        ({"type": "raw"}, {"a": [{"b": "{}"}]}, "x.a[0].b"),
        ({"type": "dict", "values": {"type": "str"}}, {"a": "{}"}, "x.a"),
        ({"type": "dict", "options": {"a": {"type": "raw"}}}, {"a": "{}"}, "x.a"),
    ],
)
def test_a_control_character_is_refused_wherever_it_stands(spec: dict[str, Any], shape: Any, path: str, control: str) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        return [filled(item) for item in value] if isinstance(value, list) else value.format(f"a{control}b")

    (problem,) = check_value(filled(shape), spec, X)
    assert str(problem).startswith(f"{path}: ")
    assert "holds a control character; character 2 is " in str(problem) and f"(U+{ord(control):04X})" in str(problem)
    assert str(problem).isprintable()


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
@pytest.mark.parametrize("spec", [{"type": "dict"}, {"type": "raw"}, {"type": "dict", "values": {"type": "int"}}], ids=str)
def test_so_is_one_in_a_key(spec: dict[str, Any], control: str) -> None:
    (problem,) = check_value({f"a{control}": 1}, spec, X)
    assert "holds a control character; character 2 is " in str(problem) and str(problem).isprintable()


def test_a_secret_that_holds_one_is_not_shown() -> None:
    for spec, value in (({"type": "str"}, "hidden\n"), ({"type": "raw"}, ["hidden\n"]), ({"type": "dict"}, {"a": "hidden\n"})):
        (problem,) = check_value(value, {**spec, "no_log": True}, X)
        assert "<secret> holds a control character" in str(problem) and "hidden" not in str(problem)


@settings(max_examples=300)
@given(st.text(), st.sampled_from(["str", "path", "raw"]))
def test_whatever_a_spec_lets_pass_is_one_line(text: str, kind: str) -> None:
    accepted = not check_value(text, {"type": kind}, X)
    assert accepted == _is_plain(text)
    if accepted:
        assert len(f"a{text}b".splitlines()) == 1
        text.encode()


def _is_plain(text: str) -> bool:
    """By the classes of the Unicode database: no control, no separator of lines, no half of a character, nothing that turns the direction of writing."""
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return not any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in turning
        or unicodedata.name(character, "").endswith(("LEFT-TO-RIGHT MARK", "RIGHT-TO-LEFT MARK", "ARABIC LETTER MARK"))
        for character in text
    )
