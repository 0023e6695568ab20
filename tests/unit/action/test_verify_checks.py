"""Action verify_checks: one remote call, a fact with every check, and never a failure because of the host."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import verify_demo
import verify_samples as samples
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.xuegao.net.plugins.action.verify_checks import FACT, ActionModule
from ansible_collections.xuegao.net.plugins.plugin_utils.report.form import refuse_cuts, refuse_summary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Act = Callable[..., dict[str, Any]]
VARIABLES, REGISTRY, STATES = samples.network(2)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    for host, keys in REGISTRY.items():
        (tmp_path / f"{host}.txt").write_text("".join(f"{name}: {key}\n" for name, key in keys.items()), encoding="utf-8")
    return tmp_path


def of_host(**more: Any) -> dict[str, Any]:
    return {"inventory_hostname": "T1", "group_names": ["all", "cloud"], **VARIABLES["T1"], **more}


def failed(result: Mapping[str, Any]) -> dict[str, str]:
    return {check["name"]: check["detail"] for check in result["ansible_facts"][FACT]["checks"] if check["status"] == "failed"}


def test_a_healthy_host(act: Act, registry: Path) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []

    def answer(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        sent.append((name, arguments))
        return {"state": STATES["T1"]}

    result = act(ActionModule, {"key_registry": str(registry)}, of_host(), answer=answer)
    assert [name for name, _arguments in sent] == ["xuegao.net.live_state"]
    assert sent[0][1]["expect"]["bgp"] == [{"vrf": "CORE", "address": samples.loopback(2)}]
    assert failed(result) == {}
    fact = result["ansible_facts"][FACT]
    assert (result["changed"], fact["host"], fact["summary"]["site"]) == (False, "T1", "cloud")
    assert result["msg"] == f"{len(fact['checks'])} checks, 0 failed"
    assert samples.PASSWORD not in str(result)


def test_a_registry_that_cannot_be_read_is_as_good_as_none(act: Act, registry: Path) -> None:
    (registry / "T2.txt").write_text("- torn\n", encoding="utf-8")
    result = act(ActionModule, {"key_registry": str(registry)}, of_host(), answer=lambda *_: {"state": STATES["T1"]})
    assert any(name.startswith("WireGuard wg0") for name in failed(result))


def raising(error: Exception) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    def answer(_name: str, _arguments: dict[str, Any]) -> dict[str, Any]:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (raising(AnsibleConnectionFailure("timed out")), "not reachable: timed out"),
        (raising(AnsibleError("no interpreter")), "the live state could not be read: no interpreter"),
        (lambda *_: {"unreachable": True, "msg": "gone"}, "not reachable: gone"),
        (lambda *_: {"failed": True, "msg": "broken"}, "the live state could not be read: broken"),
        (lambda *_: {"module_stderr": "Killed"}, "the live state could not be read: Killed"),
    ],
    ids=["connection", "error", "unreachable", "failed", "killed"],
)
def test_a_host_that_does_not_answer_is_a_failed_check(act: Act, registry: Path, answer: Any, reason: str) -> None:
    result = act(ActionModule, {"key_registry": str(registry)}, of_host(), answer=answer)
    assert "failed" not in result
    assert failed(result) == {"Host reachable": f"{reason}, expected its live state"}


def test_wrong_variables_are_a_failed_check_and_nothing_is_asked(act: Act, registry: Path) -> None:
    result = act(ActionModule, {"key_registry": str(registry), "error": "verify_wait: 'often' is no integer"}, of_host())
    assert failed(result) == {"Host reachable": "verify_wait: 'often' is no integer, expected its live state"}


def test_cuts_that_were_measured_are_checked_too(act: Act, registry: Path) -> None:
    cuts = [{**samples.CUT, "recovered": False}]
    result = act(
        ActionModule, {"key_registry": str(registry)}, of_host(failover_test_results=cuts), answer=lambda *_: {"state": STATES["T1"]}
    )
    assert any("wg1" in name for name in failed(result))


def changed(state: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy of a live state with another value at a place."""
    found = copy.deepcopy(state)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return every place of a live state."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(item, (dict, list)):
            yield from places(item, (*path, key))


PLACES = list(places(STATES["T1"]))
ESCAPES = "\x1b]0;x\x07\x1b[2J<script>\u202e\nPLAY RECAP"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(PLACES),
    st.sampled_from([ESCAPES, "", -1, 10**400, 1.5, float("nan"), None, True, [], {}, [ESCAPES], {ESCAPES: ESCAPES}]),
)
def test_whatever_a_host_says_its_report_is_of_known_form(act: Act, registry: Path, path: tuple[Any, ...], lie: Any) -> None:
    """It is a failed check, or it is text and figures in their places; the reports of the other hosts are none of its business."""
    state = changed(STATES["T1"], path, lie)
    result = act(ActionModule, {"key_registry": str(registry)}, of_host(), answer=lambda *_: {"state": state})
    fact = result["ansible_facts"][FACT]
    refuse_summary("T1", fact["summary"])
    assert fact["checks"] and fact["host"] == "T1"
    assert all(text.isprintable() for check in fact["checks"] for text in check.values())


def test_a_host_that_lies_about_its_state_is_a_failed_check(act: Act, registry: Path) -> None:
    state = dict.fromkeys(STATES["T1"], "x")
    result = act(ActionModule, {"key_registry": str(registry)}, of_host(), answer=lambda *_: {"state": state})
    assert "T1 answers with a live state of another form than it must have" in failed(result)["Host reachable"]


@pytest.mark.parametrize("state", [None, "x", 5, ["x"]])
def test_a_state_that_is_none_is_a_failed_check(act: Act, registry: Path, state: Any) -> None:
    result = act(ActionModule, {"key_registry": str(registry)}, of_host(), answer=lambda *_: {"state": state})
    assert "the live state could not be read" in failed(result)["Host reachable"]


@pytest.mark.parametrize(
    "lie",
    [
        {"lost": "many"},
        {"samples": [[1]]},
        {"samples": [["a", "b"]]},
        {"tunnel": ["wg1"]},
        {"outage_ms": {}},
        {"path_before": 5},
        {"recovered": "no"},
    ],
)
def test_a_host_that_lies_about_its_failover_is_a_failed_check(act: Act, registry: Path, lie: dict[str, Any]) -> None:
    known = of_host(failover_test_results=[{**samples.CUT, **lie}])
    result = act(ActionModule, {"key_registry": str(registry)}, known, answer=lambda *_: {"state": STATES["T1"]})
    assert "T1 answers with figures of another form than it must have: failover[0]" in failed(result)["Host reachable"]
    assert "failover" not in result["ansible_facts"][FACT]["summary"] or not result["ansible_facts"][FACT]["summary"]["failover"]


def test_a_fact_in_place_of_a_variable_is_a_failed_check(act: Act, registry: Path) -> None:
    known = of_host(ansible_facts={"frr_bgp": []})
    result = act(ActionModule, {"key_registry": str(registry)}, known, answer=lambda *_: {"state": STATES["T1"]})
    assert "T1 answers with facts of another form than it must have: frr_bgp: is a variable" in failed(result)["Host reachable"]


@pytest.mark.parametrize("count", [2, 4])
def test_the_form_is_that_of_true_answers(count: int) -> None:
    for faults in (False, True):
        for result in verify_demo.results_of(count, faults):
            refuse_summary(result["host"], result["summary"])
            refuse_cuts(result["host"], [samples.CUT])
