"""Callback report_path: the last line of a run says where its report is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.xuegao.net.plugins.callback.report_path import CallbackModule


def said(*results: tuple[str, dict[str, Any]]) -> list[str]:
    """Return what is printed after the results of some actions."""
    lines: list[str] = []
    callback = CallbackModule()
    callback._display = SimpleNamespace(display=lines.append)
    for number, (action, values) in enumerate(results):
        result = SimpleNamespace(_task=SimpleNamespace(action=action), _result=values)
        (callback.v2_runner_on_failed if number % 2 else callback.v2_runner_on_ok)(result)
    callback.v2_playbook_on_stats(None)
    return lines


def test_the_last_report_is_named() -> None:
    first, last = ({"paths": {"html": f"/r/{name}/report.html"}} for name in ("a", "b"))
    assert said(("xuegao.net.report", first), ("xuegao.net.report", last)) == ["Report: /r/b/report.html"]
    assert said(("xuegao.net.report", first), ("xuegao.net.report", {"msg": "it cannot be written"})) == ["Report: /r/a/report.html"]


def test_without_a_report_nothing_is_said() -> None:
    assert said(("xuegao.net.plan", {"paths": {"html": "x"}})) == []
