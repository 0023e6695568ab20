"""Action host_collisions: all hosts of the play at once, by what they said in this run and what they last applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.action.host_collisions import ActionModule
from ansible_collections.xuegao.net.plugins.plugin_utils.common import applied
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import HostAnswerError

Act = Callable[..., dict[str, Any]]
OWN = "10.1.0.1/24"
LINK = {"name": "eth5", "mac": "", "vrf": "", "addresses": [OWN], "refused": []}
HELD = {"links": [LINK], "neighbors": [], "routes": []}


def judged(act: Act, directory: Path, hosts: dict[str, Any], answering: list[str] | None = None) -> dict[str, Any]:
    known = {
        "inventory_hostname": "r1",
        "hostvars": hosts,
        "ansible_play_hosts_all": [*hosts, "not in the inventory"],
        "ansible_play_hosts": [*hosts] if answering is None else answering,
    }
    return act(ActionModule, {"directory": str(directory)}, known, check=True)


def pair() -> dict[str, Any]:
    return {
        "r1": {"frr_interfaces": [{"name": "eth1", "addresses": [OWN]}], "ansible_facts": {"xgn_host": {"identity": "a"}}},
        "r2": {"ansible_facts": {"xgn_host": {"identity": "a", "held": HELD}}},
    }


def test_hosts_that_hold_nothing_twice_pass(act: Act, tmp_path: Path) -> None:
    result = judged(act, tmp_path, {"r1": pair()["r1"]})
    assert result == {"changed": False, "msg": "No two hosts hold the same, and no neighbor has what the plan gives out."}


def test_all_collisions_are_told_at_once_in_check_mode_too(act: Act, tmp_path: Path) -> None:
    result = judged(act, tmp_path, pair())
    assert result["failed"] and not result["changed"]
    first, *lines = result["msg"].splitlines()
    assert first == "2 collision(s). Nothing was changed on any host of this batch."
    assert [line.split(",")[0] for line in lines] == ["- r1", "- r1 (eth1) is to have 10.1.0.1 in the default VRF"]


def test_what_a_host_said_in_another_run_counts_for_nothing(act: Act, tmp_path: Path) -> None:
    assert "failed" not in judged(act, tmp_path, pair(), answering=["r1"])
    # What the plan gives it counts all the same.
    assert judged(act, tmp_path, pair() | {"r1": {**pair()["r1"], "ansible_facts": {}}}, answering=["r2"])["failed"]


def test_what_a_host_last_applied_is_no_strangers(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = applied.Record(variables={"frr_interfaces": [{"name": "eth5", "addresses": [OWN]}]})
    hosts = pair()
    hosts["r2"]["ansible_facts"]["xgn_host"]["identity"] = "b"
    module = "ansible_collections.xuegao.net.plugins.action.host_collisions"
    monkeypatch.setattr(f"{module}.read_record", lambda _directory, host, _former: record if host == "r2" else None)
    assert "failed" not in judged(act, tmp_path, hosts)
    monkeypatch.undo()
    # A record that is torn counts as none.
    applied.record_file(tmp_path, "r2").write_text(json.dumps(["torn"]), encoding="utf-8")
    assert judged(act, tmp_path, hosts)["failed"]


def test_a_fact_of_any_host_is_no_leave(act: Act, tmp_path: Path) -> None:
    hosts = pair()
    hosts["r2"]["ansible_facts"]["preflight_allow_collisions"] = ["machine-id"]
    with pytest.raises(HostAnswerError, match=r"r2 answers with facts .* preflight_allow_collisions"):
        judged(act, tmp_path, hosts)
