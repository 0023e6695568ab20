"""Damages of damages.yml: each heals by itself within its time, or verify names it, one run of site repairs it, and the second changes nothing.

XGN_DAMAGES=all does every one of them, XGN_DAMAGES=unit those of a kind, XGN_DAMAGES=renamed those with that in their name; else it is a sample, and
XGN_DAMAGES_SEED another one.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from damages import SEED, Damage, name_of, sample
from figures import figure
from hybrid_network import CONTAINER, HOSTS, Network, wait_for

from hybrid.runs import changed, play, succeed

pytestmark = pytest.mark.leaves_traces
CHOICE = int(os.environ.get("XGN_DAMAGES_SEED", SEED))
GROUPS = sample(os.environ.get("XGN_DAMAGES", ""), CHOICE)


def failed_checks(directory: Path, name: str) -> set[tuple[str, str]]:
    """Host and name of each check that fails now."""
    play("verify", name, "--extra-vars", f"xgn_report_dir={directory} verify_wait=1 verify_boot_plot=false")
    found = json.loads((directory / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    return {(check["host"], check["name"]) for check in found if check["status"] == "failed"}


def heal(network: Network, damage: Damage) -> None:
    """Wait until one that heals by itself has healed."""
    assert damage.heals is not None and damage.until, damage
    shell = network.on[damage.host]
    took = wait_for(lambda: shell.run(str(damage.until)).returncode, 0, damage.heals)
    figure(f"{damage.host}: {damage.name}, until it has healed by itself", round(took, 1), "s")


@pytest.mark.parametrize("group", GROUPS, ids=name_of)
def test_damage(network: Network, group: list[Damage], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    print(f"\nseed {CHOICE}: {name_of(group)}")
    label = f"damage-{GROUPS.index(group):02}"
    for damage in group:
        network.on[damage.host].output(damage.do)
    for damage in group:
        if damage.heals is not None:
            heal(network, damage)
    by_site = [damage for damage in group if damage.heals is None]
    if any(damage.verify for damage in by_site):
        failed = failed_checks(tmp_path, f"{label}-verify")
        for damage in by_site:
            named = [name for host, name in failed if host == damage.host and re.search(damage.verify or "", name)]
            assert named or not damage.verify, f"verify does not name it: {damage.name}: {sorted(failed)}"
    if by_site:
        counts = changed(succeed("site", f"{label}-repair"))
        assert all(counts[damage.host] for damage in by_site), counts
    assert changed(succeed("site", f"{label}-second")) == dict.fromkeys((*HOSTS, CONTAINER), 0)
    succeed("verify", f"{label}-after", "--extra-vars", f"xgn_report_dir={tmp_path} verify_boot_plot=false")
