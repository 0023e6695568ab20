"""The playbooks' plays: which hosts each of them takes, with and without routers in containers, and with --limit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

pytestmark = pytest.mark.starts_ansible

ROOT = Path(__file__).resolve().parents[3]
# The plays that only a rollout has hosts for.
NOBODY: set[str] = set()
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
    assert plays("hybrid", ["site"], *limit) == [[machines | containers, NOBODY, machines, NOBODY, containers, NOBODY, NOBODY]]


def test_site_without_containers() -> None:
    assert plays("t1_t2", ["site"]) == [[{"T1", "T2"}, NOBODY, {"T1", "T2"}, *[NOBODY] * 4]]


def test_containers_come_after_the_machines_are_not_rebooted_and_nothing_is_installed_in_them() -> None:
    everything = MACHINES | {"igp"}
    site, *others = plays("hybrid", ["site", "reboot", "upgrade_frr"])
    assert site == [everything, NOBODY, MACHINES, NOBODY, {"igp"}, NOBODY, NOBODY]
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
        "firewall": MACHINES,
        "docker_macvlan": {"cloud-edge", "cloud-node"},
        "dns_anycast": {"hq-nfv", "cloud-edge"},
        "gobgp": {"hq-nfv"},
    }


def test_site_takes_a_host_to_the_roles_of_which_it_still_has_something(tmp_path: Path) -> None:
    recorded = {"packages": [], "recorded": {"l2tp_ipsec": ["unit xl2tpd.service"], "gobgp": ["unit gobgpd.service"]}}
    found = included_roles(tmp_path, "--extra-vars", json.dumps({"ansible_facts": {"xgn_host": recorded}}))
    assert (found["l2tp_ipsec"], found["gobgp"], found["openvpn"]) == (MACHINES, MACHINES, {"hq-core", "cloud-edge"})


def test_site_leaves_the_host_of_a_retired_node_alone(tmp_path: Path) -> None:
    """Its entry and its host may stay for a while; the others are taken to their roles as ever."""
    nodes = read_yaml((ROOT / "inventories/hybrid/group_vars/all/intent.yml").read_text(encoding="utf-8"))["xgn_nodes"]
    nodes["hq-nfv"]["retired"] = True
    given = {"xgn_nodes": nodes, "xgn_applied_directory": str(tmp_path / "applied")}
    found = included_roles(tmp_path / "plan", "--extra-vars", json.dumps(given))
    assert found.pop("preflight") == {*MACHINES, "igp"}, "all of them are planned, and their variables checked"
    assert found == {
        "openvpn": {"hq-core", "cloud-edge"},
        "l2tp_ipsec": {"hq-core", "cloud-edge"},
        "firewall": {"hq-core", "cloud-edge", "cloud-node"},
        "docker_macvlan": {"cloud-edge", "cloud-node"},
        "dns_anycast": {"cloud-edge"},
    }


@pytest.mark.parametrize("skipped", ["always", "frr,always,preflight"])
def test_a_run_without_its_frame_is_refused_before_anything_is_done(skipped: str) -> None:
    """Else most roles would be left out, and nobody would be told."""
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", str(ROOT / "inventories" / "t1_t2"), "xuegao.net.site"]
    done = subprocess.run(
        [*command, "--skip-tags", skipped, "--tags", "frr"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "--skip-tags always would leave out the plan, the check of the variables, and most roles" in said
    assert "TASK" not in said


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_each_playbook_that_tag_always_holds_together_says_so(path: Path) -> None:
    """By tags of its own, or as it takes its hosts, which role preflight does under that tag."""
    text, (first, *_more) = path.read_text(encoding="utf-8"), load(path)
    held = "always" in tags_of(load(path)) or "tasks_from: begin" in text
    assert ("needs_always(ansible_skip_tags)" in first.get("hosts", "")) == held


def tags_of(value: Any) -> list[str]:
    """All tags in a playbook."""
    if isinstance(value, list):
        return [tag for item in value for tag in tags_of(item)]
    if not isinstance(value, dict):
        return []
    own = value.get("tags", [])
    return [*(own if isinstance(own, list) else [own]), *(tag for key, item in value.items() if key != "tags" for tag in tags_of(item))]


def load(path: Path) -> Any:
    return read_yaml(path.read_text(encoding="utf-8"))


def every_task(tasks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for section in ("block", "rescue", "always"):
            yield from every_task(task.get(section) or [])


@pytest.mark.parametrize("name", ["Build the network", "Configure the routers in containers"])
def test_a_rollout_does_the_same_in_batches(name: str) -> None:
    """Without one, a host that fails stops no other."""
    known = {play["name"]: play for play in load(ROOT / "playbooks" / "site.yml")}
    play, batch = known[name], known[f"{name} in batches"]
    assert batch["tasks"] is play["tasks"]
    assert [task["name"] for task in batch["pre_tasks"]] == ["Go on behind a batch that was done"]
    own = {"name", "hosts", "serial", "any_errors_fatal", "pre_tasks"}
    assert {key: value for key, value in batch.items() if key not in own} == {key: play[key] for key in play if key not in own}
    assert batch["any_errors_fatal"] is True
    assert not {"serial", "any_errors_fatal", "max_fail_percentage"} & set(play)


def test_who_stops_all_says_so_plainly_and_nobody_fails_alone_in_a_batch() -> None:
    """A task of Ansible takes any text for a yes, a template's, too. Whoever failed alone would not go back when the others fail behind it: Ansible marks it
    a second time, which ends its section `always`. So only these may: the restoring itself, and what check mode asks."""
    plays = [play for path in sorted((ROOT / "playbooks").glob("*.yml")) for play in load(path)]
    tasks = [
        *(task for play in plays for kind in ("pre_tasks", "tasks", "post_tasks") for task in every_task(play.get(kind) or [])),
        *(task for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")) for task in every_task(load(path) or [])),
    ]
    said = [item for item in (*plays, *tasks) if "any_errors_fatal" in item]
    assert all(isinstance(item["any_errors_fatal"], bool) for item in said)
    assert {item["name"] for item in said if not item["any_errors_fatal"]} == {
        "Put back what was there before",
        "See whether the container is there, as check mode makes none",
    }


def run_with_a_bad_host(directory: Path, name: str, play: str, size: int) -> list[str]:
    """Run a play of a playbook on h1 to h5, in batches of this size, with nothing in its blocks but a failure of h2; returns who came to the end of a block."""
    (found,) = [item for item in load(ROOT / "playbooks" / f"{name}.yml") if item["name"] == play]
    steps: list[dict[str, Any]] = [
        {"ansible.builtin.fail": {}, "when": "inventory_hostname == 'h2'"},
        {"ansible.builtin.debug": {"msg": "done {{ inventory_hostname }}."}},
    ]
    tasks = [task for task in found["tasks"] if "ansible.builtin.assert" in task]
    block = {"block": steps, "always": [{"ansible.builtin.debug": {"msg": "back {{ inventory_hostname }}."}}]}
    kept = {key: found[key] for key in ("any_errors_fatal", "max_fail_percentage") if key in found}
    only = {"hosts": "all", "gather_facts": False, "connection": "local", "serial": size, **kept, "tasks": [*tasks, block]}
    (directory / "play.yml").write_text(json.dumps([only]), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", "h1,h2,h3,h4,h5", "play.yml"],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return sorted(" ".join(found) for found in re.findall(r"(done|back) (h\d)\.", done.stdout))


@pytest.mark.parametrize(
    ("name", "play", "size", "done", "back"),
    [
        ("reboot", "Reboot", 1, ["h1"], ["h1", "h2"]),
        ("reboot", "Reboot", 2, ["h1"], ["h1", "h2"]),
        ("reboot", "Reboot", 3, ["h1", "h3"], ["h1", "h2", "h3"]),
        ("upgrade_frr", "Replace FRR, one router at a time", 1, ["h1"], ["h1", "h2"]),
    ],
)
def test_a_host_that_fails_ends_the_run_once_its_batch_was_given_back(
    tmp_path: Path, name: str, play: str, size: int, done: list[str], back: list[str]
) -> None:
    """Those beside it come to their end, and those behind it are left as they are."""
    assert run_with_a_bad_host(tmp_path, name, play, size) == [f"back {host}" for host in back] + [f"done {host}" for host in done]
