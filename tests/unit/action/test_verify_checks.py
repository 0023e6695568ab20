"""Action verify_checks: one remote call, a fact with every check, and never a failure because of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import verify_samples as samples
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.xuegao.net.plugins.action.verify_checks import FACT, ActionModule

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
