"""A unit that the first step of a run has seen settled needs no call; of a host that was not looked at, nothing is known, and that is no error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[3]
SAME = {"changed": False, "changed_paths": []}
# File of tasks, the task, the unit, and the variable in which the former task registered its result.
TASKS = [
    ("roles/frr/tasks/service.yml", "Run FRR now and at boot, with the daemons that are listed", "frr.service", "__frr_files"),
    ("roles/firewall/tasks/apply.yml", "Load it at boot", "xgn-firewall.service", "__firewall_unit"),
]


def runs(path: str, name: str, variables: dict[str, Any]) -> bool:
    (task,) = [task for task in yaml.safe_load((ROOT / path).read_text(encoding="utf-8")) if task["name"] == name]
    conditions = task["when"] if isinstance(task["when"], list) else [task["when"]]
    templar = Templar(loader=DataLoader(), variables={"ansible_check_mode": False, "ansible_facts": {}, **variables})
    return all(templar.evaluate_conditional(trust_as_template(condition)) for condition in conditions)


@pytest.mark.parametrize(("path", "name", "unit", "files"), TASKS, ids=[unit for _path, _name, unit, _files in TASKS])
def test_a_settled_unit_is_left_alone_and_any_other_is_seen_to(path: str, name: str, unit: str, files: str) -> None:
    settled = {"ansible_facts": {"xgn_host": {"settled": [unit]}}, "__preflight_begun": {"taken": True}}
    assert not runs(path, name, {files: SAME, **settled})
    assert runs(path, name, {files: {**SAME, "changed": True}, **settled})
    assert runs(path, name, {files: SAME, "ansible_facts": {"xgn_host": {"settled": []}}})


@pytest.mark.parametrize(("path", "name", "unit", "files"), TASKS, ids=[unit for _path, _name, unit, _files in TASKS])
def test_a_host_that_was_not_looked_at(path: str, name: str, unit: str, files: str) -> None:
    """A router in a container: its run has begun, and no remote call was made for that. What an older collection tells has no such list."""
    unseen: list[dict[str, Any]] = [{}, {"__preflight_begun": {"taken": False}}, {"ansible_facts": {"xgn_host": {"packages": []}}}]
    for known in unseen:
        assert runs(path, name, {files: SAME, **known}), unit
