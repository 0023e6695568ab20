"""Action report: what it reads of the hosts, what it writes and says, and when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import verify_demo
import verify_samples as samples
from ansible.errors import AnsibleActionFail
from ansible_collections.xuegao.net.plugins.action import report
from ansible_collections.xuegao.net.plugins.action.report import ActionModule, shown_path
from ansible_collections.xuegao.net.plugins.action.verify_checks import FACT

Act = Callable[..., dict[str, Any]]
HYBRID = Path(__file__).parents[2] / "golden" / "hybrid" / "intent.yml"


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is shown; the drawing is left out, which takes a second."""
    texts: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.display", lambda _display, text, *_rest, **_named: texts.append(text))
    monkeypatch.setattr(report, "draw", lambda *_graph: (None, "not drawn here"))
    return texts


def variables(faults: bool, **more: Any) -> dict[str, Any]:
    """The variables of the play: two hosts whose checks were made, and one that left nothing."""
    hostvars = {result["host"]: {"ansible_facts": {FACT: result}} for result in verify_demo.results_of(2, faults)}
    return {"hostvars": {**hostvars, "T9": {"group_names": ["cloud"]}}, "ansible_inventory_sources": ["inventories/t1_t2"], **more}


def test_a_healthy_network(act: Act, tmp_path: Path, said: list[str]) -> None:
    arguments = {"dest": str(tmp_path / "report"), "hosts": ["T1", "T2"], "title": "Tuesday", "calls": {"T1": 1, "T2": 2}}
    result = act(ActionModule, arguments, variables(faults=False))
    assert (result["changed"], result["failed"], result["counts"]["failed"]) == (False, False, 0)
    assert set(result["paths"]) == {"html", "json", "xml"}
    assert result["msg"].endswith(f"skipped: {tmp_path}/report/current/report.html")
    assert said[-1] == f"Report: {tmp_path}/report/current/report.html\n"
    kept = json.loads((tmp_path / "report" / "current" / "report.json").read_text(encoding="utf-8"))
    assert (kept["title"], kept["inventory"]) == ("Tuesday", "inventories/t1_t2")
    assert kept["calls"] == {"T1": 1, "T2": 2}
    assert "not drawn here" in (tmp_path / "report" / "current" / "report.html").read_text(encoding="utf-8")


def test_it_fails_for_a_failed_check_unless_told_otherwise(act: Act, tmp_path: Path, said: list[str]) -> None:
    arguments = {"dest": str(tmp_path), "hosts": ["T1", "T2"]}
    result = act(ActionModule, arguments, variables(faults=True), check=True)
    assert result["failed"] and " checks failed on T1, T2: " in result["msg"]
    assert "FAILED" in said[0]
    assert (tmp_path / "current" / "report.html").is_file(), "in check mode, too"
    assert not act(ActionModule, {**arguments, "fail": False}, variables(faults=True))["failed"]


def test_a_host_that_left_nothing_is_a_failed_check(act: Act, tmp_path: Path) -> None:
    result = act(ActionModule, {"dest": str(tmp_path), "hosts": ["T1", "T9"]}, variables(faults=False))
    assert result["failed"] and result["counts"]["failed"] == 1
    assert "1 of " in result["msg"] and " checks failed on T9: " in result["msg"]


def test_a_fact_in_place_of_a_variable_is_refused(act: Act, tmp_path: Path) -> None:
    known = {**variables(faults=False), "inventory_hostname": "T1", "ansible_facts": {"verify_roles": []}}
    with pytest.raises(AnsibleActionFail, match=r"T1 answers with facts .*: verify_roles: is a variable of yours"):
        act(ActionModule, {"dest": str(tmp_path), "hosts": ["T1"]}, known)


def test_what_was_measured_of_failovers_is_shown(act: Act, tmp_path: Path, said: list[str]) -> None:
    known = variables(faults=False)
    known["hostvars"]["T1"]["ansible_facts"][FACT]["summary"]["failover"] = [samples.CUT]
    act(ActionModule, {"dest": str(tmp_path), "hosts": ["T1", "T2"]}, known)
    assert any("ovpn2" in text and "wg1" in text for text in said[1:-1])
    assert (tmp_path / "current" / "failover.svg").is_file()


def test_a_report_that_cannot_be_written_is_an_error(act: Act, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match=r"the report cannot be written: .*file"):
        act(ActionModule, {"dest": str(tmp_path / "file" / "report"), "hosts": ["T1"]}, variables(faults=False))


def test_paths_below_the_working_directory_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "inventories" / "x")) == "inventories/x"
    assert shown_path("inventories/x") == "inventories/x"
    assert shown_path("/elsewhere/x") == "/elsewhere/x"
