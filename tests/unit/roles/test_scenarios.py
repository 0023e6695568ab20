"""The molecule scenarios: what molecule would leave out without failing."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

MOLECULE = Path(__file__).resolve().parents[3] / "molecule"
SHARED = read_yaml((MOLECULE.parent / ".config" / "molecule" / "config.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(MOLECULE.glob("*/molecule.yml")), ids=lambda path: path.parent.name)
def test_every_side_effect_is_run(path: Path) -> None:
    """Without a side effect of its own molecule skips each one of the sequence, also one that names its playbook."""
    scenario = read_yaml(path.read_text(encoding="utf-8")) or {}
    sequence = scenario.get("scenario", {}).get("test_sequence", SHARED["scenario"]["test_sequence"])
    playbooks = scenario.get("provisioner", {}).get("playbooks") or scenario.get("ansible", {}).get("playbooks", {})
    own = playbooks.get("side_effect", "side_effect.yml")
    steps = [step.split() for step in sequence if step.split()[0] == "side_effect"]
    missing = [name for _step, *names in steps for name in [*names, own] if not (path.parent / name).is_file()]
    assert missing == []


@pytest.mark.parametrize("path", sorted(MOLECULE.glob("*/molecule.yml")), ids=lambda path: path.parent.name)
def test_shared_playbooks_are_kept(path: Path) -> None:
    """Playbooks below provisioner replace all those below ansible: a container scenario would get the driver's create, and no prepare."""
    scenario = read_yaml(path.read_text(encoding="utf-8")) or {}
    if "driver" not in scenario:
        assert "playbooks" not in scenario.get("provisioner", {})
