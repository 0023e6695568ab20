"""The playbooks' plays: which hosts each of them takes, with and without routers in containers, and with --limit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MACHINES = {"hq-core", "hq-nfv", "cloud-edge", "cloud-node"}


def plays(inventory: str, playbooks: Sequence[str], *arguments: str) -> list[list[set[str]]]:
    """The hosts of each play of each playbook, in order."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "--inventory",
            str(ROOT / "inventories" / inventory),
            *(f"xuegao.net.{playbook}" for playbook in playbooks),
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
    _, *texts = re.split(r"^playbook: .*$", done.stdout, flags=re.MULTILINE)
    return [[set(part.split()) for part in re.findall(r"hosts \(\d+\):\n((?:      \S+\n?)*)", text)] for text in texts]


@pytest.mark.parametrize(
    ("limit", "machines", "containers"),
    [
        (("--limit", "igp"), set(), {"igp"}),
        (("--limit", "cloud-node"), {"cloud-node"}, set()),
        (("--extra-vars", "xgn_hosts=on_prem"), {"hq-core", "hq-nfv"}, set()),
        (("--extra-vars", "xgn_hosts=cloud"), {"cloud-edge", "cloud-node"}, {"igp"}),
    ],
    ids=["container", "node", "on_prem", "cloud"],
)
def test_a_limit_takes_hosts_from_each_play_of_site(limit: tuple[str, ...], machines: set[str], containers: set[str]) -> None:
    assert plays("hybrid", ["site"], *limit) == [[machines | containers, machines, containers]]


def test_site_without_containers() -> None:
    assert plays("t1_t2", ["site"]) == [[{"T1", "T2"}, {"T1", "T2"}, set()]]


def test_containers_come_after_the_machines_are_not_rebooted_and_nothing_is_installed_in_them() -> None:
    everything = MACHINES | {"igp"}
    site, *others = plays("hybrid", ["site", "reboot", "upgrade_frr"])
    assert site == [everything, MACHINES, {"igp"}]
    # Once to see that nobody works on one of them, then one after the other.
    assert others == [[MACHINES, MACHINES, everything, everything]] * 2


def included_roles(directory: Path, *arguments: str) -> dict[str, set[str]]:
    """Offline: only the roles' own checks of their variables run, and the conditions of the roles are evaluated. The hosts of each role."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "--inventory",
            str(ROOT / "inventories" / "hybrid"),
            "xuegao.net.site",
            "--tags",
            "validate",
            "--extra-vars",
            f"xgn_plan_directory={directory}",
            *arguments,
        ],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        role: set(hosts.split(", ")) for role, hosts in re.findall(r"^included: xuegao\.net\.(\w+) for (.*)$", done.stdout, re.MULTILINE)
    }


def test_site_takes_each_host_to_the_roles_it_has_a_use_for(tmp_path: Path) -> None:
    assert included_roles(tmp_path) == {
        "preflight": {*MACHINES, "igp"},
        "openvpn": {"hq-core", "cloud-edge"},
        "l2tp_ipsec": {"hq-core", "cloud-edge"},
        "firewall": {"hq-core", "cloud-edge", "cloud-node"},
        "docker_macvlan": {"cloud-edge", "cloud-node"},
        "dns_anycast": {"hq-nfv", "cloud-edge"},
        "gobgp": {"hq-nfv"},
    }


def test_site_takes_a_host_to_the_roles_of_which_it_still_has_something(tmp_path: Path) -> None:
    recorded = {"packages": [], "recorded": {"l2tp_ipsec": ["unit xl2tpd.service"], "gobgp": ["unit gobgpd.service"]}}
    found = included_roles(tmp_path, "--extra-vars", json.dumps({"ansible_facts": {"xgn_host": recorded}}))
    assert (found["l2tp_ipsec"], found["gobgp"], found["openvpn"]) == (MACHINES, MACHINES, {"hq-core", "cloud-edge"})
