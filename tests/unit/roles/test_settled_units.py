"""Units that a run has seen settled at its beginning need no call of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

ROLES = Path(__file__).parents[3] / "roles"
UNITS: list[str] = read_yaml((ROLES / "preflight/vars/main.yml").read_text(encoding="utf-8"))["__preflight_units"]
OWNERS = {"frr.service": "frr", "xgn-firewall.service": "firewall", "xgn-wireguard-endpoints.timer": "wireguard"}


def conditions(role: str) -> list[str]:
    """Return the conditions of a role's tasks that see to units, those of one in one text."""
    tasks = [task for path in sorted((ROLES / role / "tasks").glob("*.yml")) for task in read_yaml(path.read_text(encoding="utf-8"))]
    return [str(task.get("when")) for task in tasks if any(name.startswith("xuegao.net.units") for name in task)]


def test_each_is_some_roles() -> None:
    assert sorted(UNITS) == sorted(OWNERS)


@pytest.mark.parametrize(("unit", "role"), OWNERS.items())
def test_a_settled_one_is_left_alone(unit: str, role: str) -> None:
    settled = [text for text in conditions(role) if ").settled | default([])" in text]
    assert any(unit in text and "changed" in text for text in settled)
