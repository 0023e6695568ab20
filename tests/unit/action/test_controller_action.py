"""What all actions do alike: options, facts in place of variables, the form of a result; and that each documents the options that it takes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import (
    ControllerAction,
    HostAction,
    Options,
    failing,
    mistakes,
    refused,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import HostAnswerError
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

Act = Callable[..., dict[str, Any]]
PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
ACTIONS = sorted(path.stem for path in (PLUGINS / "action").glob("*.py"))


def plugin(name: str) -> Any:
    return import_module(f"ansible_collections.xuegao.net.plugins.action.{name}").ActionModule


class Counting(ControllerAction):
    """Takes two options and returns what it is told."""

    OPTIONS: ClassVar[Options] = {"result": {"type": "dict", "default": {}}, "number": {"type": "int", "default": 7}}
    VARIABLES = frozenset({"frr_bgp"})

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        return {"number": options["number"], "check": self.check_mode, "seen": self.templated(["a", "b"], known), **options["result"]}


def test_a_result_is_unchanged_unless_it_says_so_and_warns_once(act: Act) -> None:
    assert act(Counting, {}, {"a": 1}) == {"changed": False, "number": 7, "check": False, "seen": {"a": 1}}
    told = act(Counting, {"number": "3", "result": {"changed": True, "warnings": ["x", "y", "x"]}}, check=True)
    assert told == {"changed": True, "number": 3, "check": True, "seen": {}, "warnings": ["x", "y"]}
    assert "warnings" not in act(Counting, {"result": {"warnings": []}})


def test_wrong_options_are_told_at_once(act: Act) -> None:
    with pytest.raises(AnsibleActionFail) as refusal:
        act(Counting, {"number": "many", "result": "none", "nmber": 1})
    assert all(words in refusal.value.message for words in ("'number' is of type", "'result' is of type", "for (an action) module: nmber."))


@pytest.mark.parametrize("fact", ["frr_bgp", "xgn_nodes"])
def test_a_fact_in_place_of_a_variable_ends_the_task_before_its_work(act: Act, fact: str) -> None:
    class Working(Counting):
        def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
            pytest.fail("it went to work")

    with pytest.raises(HostAnswerError, match=f"T1 answers with facts .*: {fact}: is a variable of yours"):
        act(Working, {}, {"inventory_hostname": "T1", "ansible_facts": {fact: 1}})


def test_what_is_refused_is_told_line_by_line() -> None:
    assert refused("Two things.", ["one", "two"], lost=2) == {"failed": True, "msg": "Two things.\n- one\n- two", "lost": 2}
    assert refused("No.") == {"failed": True, "msg": "No."}
    assert mistakes(["one"], "the intent") == {
        "failed": True,
        "msg": "1 mistake in the intent. No host was touched.",
        "problems": ["one\n"],
    }


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, "Permission denied", "/a/b"), "cannot write /a/b: Permission denied"),
        (OSError(errno.EACCES, "Permission denied", "/a"), "cannot write /a/b: Permission denied"),
        (OSError(errno.EACCES, "Permission denied", "/c"), "cannot write /a/b: /c: Permission denied"),
        (OSError("full"), "cannot write /a/b: full"),
        (KeyError("k"), "cannot write /a/b: 'k'"),
    ],
)
def test_what_cannot_be_done_is_raised_with_its_reason(error: Exception, words: str) -> None:
    with pytest.raises(AnsibleActionFail) as failed, failing("cannot write /a/b", KeyError):
        raise error
    assert failed.value.message == words
    with pytest.raises(ZeroDivisionError), failing("cannot write"):
        raise ZeroDivisionError


def test_who_calls_no_host_opens_no_connection() -> None:
    """And the other way round: a method of `HostAction` is used."""
    for name in ACTIONS:
        text = (PLUGINS / "action" / f"{name}.py").read_text(encoding="utf-8")
        calls = any(f"self.{method}(" in text for method in ("call", "look_at_host", "live_state"))
        assert issubclass(plugin(name), HostAction) == calls, name
        assert "_execute_module" not in text, name


@pytest.mark.parametrize("name", [name for name in ACTIONS if plugin(name).OPTIONS is not None])
def test_an_action_takes_what_its_module_documents(name: str) -> None:
    """Types, choices, defaults, and what must be given."""
    module = import_module(f"ansible_collections.xuegao.net.plugins.modules.{name}")
    written = read_yaml(module.DOCUMENTATION).get("options", {})
    words = ("type", "elements", "required", "choices", "default")

    def form(options: Any) -> dict[str, dict[str, Any]]:
        return {key: {word: option[word] for word in words if option.get(word) not in (None, False)} for key, option in options.items()}

    assert form(plugin(name).OPTIONS) == form(written)
