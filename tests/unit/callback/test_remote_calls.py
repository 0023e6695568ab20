"""Callback remote_calls: what counts as a call, and for which host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.callback.remote_calls import CallbackModule

SENT: dict[str, Any] = {"invocation": {"module_args": {}}}


def result(host: str, values: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(_host=SimpleNamespace(get_name=lambda: host), _result=values)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def callback(said: list[str]) -> CallbackModule:
    made = CallbackModule()
    made._display = SimpleNamespace(display=said.append)
    return made


def test_calls_are_counted_by_host(callback: CallbackModule, said: list[str]) -> None:
    callback.v2_runner_on_ok(result("T2", SENT))
    callback.v2_runner_on_failed(result("T1", SENT), ignore_errors=True)
    callback.v2_runner_on_ok(result("T1", {"results": [SENT, SENT, {"skipped": True}, "text"]}))
    callback.v2_runner_on_ok(result("T1", {"msg": "on the controller only"}))
    callback.v2_runner_on_ok(result("T3", {"msg": "on the controller only"}))
    callback.v2_playbook_on_stats(None)
    assert said == ["remote module calls: T1 3, T2 1"]


def test_a_delegated_call_counts_for_the_host_it_went_to(callback: CallbackModule, said: list[str]) -> None:
    callback.v2_runner_on_ok(result("T1", {**SENT, "_ansible_delegated_vars": {"ansible_delegated_host": "T2"}}))
    callback.v2_playbook_on_stats(None)
    assert said == ["remote module calls: T2 1"]


def test_nothing_is_said_of_a_run_without_calls(callback: CallbackModule, said: list[str]) -> None:
    callback.v2_playbook_on_stats(None)
    assert said == []
