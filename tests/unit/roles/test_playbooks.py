"""The playbooks' plays: which hosts each of them takes, with and without routers in containers, and with --limit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MACHINES = {"hq-core", "hq-nfv", "cloud-edge", "cloud-node"}


def plays(playbook: str, inventory: str, *arguments: str) -> list[set[str]]:
    """The hosts of each play, in order."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "--inventory",
            str(ROOT / "inventories" / inventory),
            f"xuegao.net.{playbook}",
            "--list-hosts",
            *arguments,
        ],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # A group that does not exist would be one.
    assert "[WARNING]" not in done.stderr + done.stdout
    return [set(part.split()) for part in re.findall(r"hosts \(\d+\):\n((?:      \S+\n?)*)", done.stdout)]


@pytest.mark.parametrize(
    ("limit", "machines", "containers"),
    [
        ((), MACHINES, {"igp"}),
        (("--limit", "igp"), set(), {"igp"}),
        (("--limit", "cloud-node"), {"cloud-node"}, set()),
        (("--extra-vars", "xgn_hosts=on_prem"), {"hq-core", "hq-nfv"}, set()),
        (("--extra-vars", "xgn_hosts=cloud"), {"cloud-edge", "cloud-node"}, {"igp"}),
    ],
    ids=["all", "container", "node", "on_prem", "cloud"],
)
def test_site_configures_containers_after_the_machines(limit: tuple[str, ...], machines: set[str], containers: set[str]) -> None:
    assert plays("site", "hybrid", *limit) == [machines | containers, machines, containers]


def test_site_without_containers() -> None:
    assert plays("site", "t1_t2") == [{"T1", "T2"}, {"T1", "T2"}, set()]


@pytest.mark.parametrize("playbook", ["reboot", "upgrade_frr"])
def test_containers_are_not_rebooted_and_nothing_is_installed_in_them(playbook: str) -> None:
    first, *verify = plays(playbook, "hybrid")
    assert first == MACHINES
    assert verify == [MACHINES | {"igp"}] * 2
