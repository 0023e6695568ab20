"""Playbook site in batches, as Ansible runs it, on hosts that are a callback plugin (stand_in_hosts.py): who is changed when, who is looked at, who goes back.

Two hubs, which are joined by two spokes alone. The canary is s1; then hub1 and s2 go together, and hub2 is last.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import JUDGED

pytestmark = pytest.mark.starts_ansible

ROOT = Path(__file__).resolve().parents[3]
NODES = ("hub1", "hub2", "s1", "s2")
INTENT = {
    "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
    "xgn_bgp": {"asn_base": 65000},
    "xgn_nodes": {name: {"id": number} for number, name in enumerate(NODES, 1)},
    "xgn_links": [
        {
            "id": 10 * hub + spoke,
            "type": "direct",
            "ends": [{"node": f"hub{hub}", "device": f"eth{spoke}"}, {"node": f"s{spoke}", "device": f"eth{hub}"}],
        }
        for hub in (1, 2)
        for spoke in (1, 2)
    ],
}
ROLLOUT = {"canary": "s1", "batches": ["100%"], "settle_seconds": 0}
# Only what role sysctl changes: what is to be seen is the same for all.
TAGS = ("--tags", "sysctl")
# Each host less is time: of the two, the canary goes first.
SPOKES = ("--limit", "s1,s2")
NOT_REACHED = "not reached; what it changed, it puts back by itself"


class Run(NamedTuple):
    """A run. calls: host and module, in order; of way_back what it was told to do."""

    status: int
    said: str
    calls: list[tuple[str, str]]

    def of(self, *modules: str) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[1] in modules]

    def table(self) -> list[list[str]]:
        """The cells of the last table that was printed, without its heading."""
        lines = self.said[self.said.rindex("BATCH  STATE") :].splitlines()[1:]
        rows = [re.match(r"[ -]*(\d+) +(\S.*?)  +(\S.*)", line) for line in lines]
        end = rows.index(None)
        return [[str(cell) for cell in row.groups()] for row in rows[:end] if row]


def session(down: str, neighbor: dict[str, Any]) -> dict[str, Any]:
    state = "Active" if neighbor["description"] == down else "Established"
    more = {"uptime": 100, "families": {}, "reset": "", "local_as": 0, "local_router_id": "", "password": False}
    return {"state": state, "remote_as": neighbor["remote_as"], **more}


def states(down: str) -> dict[str, Any]:
    """What each host says of its sessions, of which those with one neighbor are down."""
    return {
        host: {
            "bgp": {
                "command": "",
                "error": None,
                "data": {"default": {peer["address"]: session(down, dict(peer)) for bgp in known["frr_bgp"] for peer in bgp["neighbors"]}},
            }
        }
        for host, known in make_plan(INTENT).hosts.items()
    }


def play(directory: Path, *arguments: str, rollout: Any = ROLLOUT, down: str = "", containers: str = "", **hosts: Any) -> Run:
    """Run site on hosts that do what stand_in_hosts.py says. containers: of the inventory, a line each."""
    about = {
        "hurt": {},
        "fails": [],
        "cut": [],
        "deaf": [],
        "dead": [],
        "same": [],
        "facts": {},
        "up": states(""),
        "down": states(down),
        **hosts,
    }
    (directory / "callbacks").mkdir()
    (directory / "group_vars").mkdir()
    shutil.copy(Path(__file__).parent / "stand_in_hosts.py", directory / "callbacks")
    texts = {
        "group_vars/all.yml": json.dumps(INTENT if rollout is None else {**INTENT, "xgn_rollout": rollout}),
        "hosts": "\n".join(NODES)
        + (f"\n[containers]\n{containers}" if containers else "")
        + f"\n[all:vars]\nansible_connection=local\nansible_python_interpreter={sys.executable}\n",
        "ansible.cfg": "[defaults]\ncallback_result_format = yaml\n",
        "about.json": json.dumps(about),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    settings = {"CONFIG": "ansible.cfg", "CALLBACK_PLUGINS": "callbacks", "COLLECTIONS_PATH": str(ROOT / ".collections"), "NOCOLOR": "1"}
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "--inventory",
            "hosts",
            "xuegao.net.site",
            *([] if "--tags" in arguments else TAGS),
            *arguments,
        ]
        + ["--extra-vars", "xgn_session_seconds=0"],
        env={**os.environ, **{f"ANSIBLE_{name}": value for name, value in settings.items()}, "STAND_INS": str(directory / "about.json")},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    calls = directory / "calls"
    lines = calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []
    return Run(done.returncode, done.stdout + done.stderr, [(host, module) for host, module in (line.split() for line in lines)])


def together(calls: list[tuple[str, str]]) -> list[str]:
    """Names of the hosts, those that follow each other with one module in alphabetical order."""
    groups: list[tuple[str, list[str]]] = []
    for host, module in calls:
        if not groups or groups[-1][0] != module:
            groups.append((module, []))
        groups[-1][1].append(host)
    return [f"{module}: {' '.join(sorted(hosts))}" for module, hosts in groups]


def test_one_batch_after_the_other_and_each_is_looked_at_before_it_keeps_its_changes(tmp_path: Path) -> None:
    run = play(tmp_path, rollout={**ROLLOUT, "settle_seconds": 1})
    assert run.status == 0, run.said
    assert run.said.count("TASK [xuegao.net.preflight : Let the network settle]") == 3
    assert together(run.calls) == [
        # Nobody else works on any of them.
        "host_facts: hub1 hub2 s1 s2",
        "host_leave: hub1 hub2 s1 s2",
        "host_facts: s1",
        "live_state: hub1 hub2 s1",
        "kernel_settings: s1",
        "hold: s1",
        "live_state: hub1 hub2 s1",
        "way_back: s1",
        "host_leave: s1",
        "host_facts: hub1 s2",
        "live_state: hub1 hub2 s1 s2",
        "kernel_settings: hub1 s2",
        "hold: hub1 s2",
        "live_state: hub1 hub2 s1 s2",
        "way_back: hub1 s2",
        "host_leave: hub1 s2",
        "host_facts: hub2",
        "live_state: hub2 s1 s2",
        "kernel_settings: hub2",
        "hold: hub2",
        "live_state: hub2 s1 s2",
        "way_back: hub2",
        "host_leave: hub2",
    ]
    assert run.table() == [["1", "done", "s1"], ["2", "done", "hub1, s2"], ["3", "done", "hub2"]]
    assert "1      looked at  hub1, hub2" in run.said


def test_what_a_neighbor_loses_sends_the_canary_back_and_ends_the_run(tmp_path: Path) -> None:
    """The canary itself has all its sessions: the loss is seen on hub2 alone, which is not even in this run."""
    run = play(tmp_path, *SPOKES, hurt={"s1": ["hub2"]}, down="s1")
    assert run.status == 2, run.said
    assert "On hub2 this was up before the batch, and is not 0 s after it" in run.said
    assert "BGP default neighbor 10.255.0.3 established: 10.255.0.3 AS 65003 (s1) is Active, expected Established" in run.said
    assert run.of("kernel_settings", "way_back", "restore") == [("s1", "kernel_settings"), ("s1", "restore")]
    assert run.calls[-1] == ("s1", "host_leave")
    assert run.table() == [["1", "went back", "s1"], ["2", "untouched", "s2"]]


def test_a_batch_goes_back_as_a_whole(tmp_path: Path) -> None:
    """hub1 fails; s2 has done nothing wrong. A batch with nothing to change, the canary's here, is not looked at again."""
    run = play(tmp_path, fails=["hub1"], same=["s1"])
    assert run.status == 2, run.said
    assert together(run.calls)[3:] == [
        "live_state: hub1 hub2 s1",
        "kernel_settings: s1",
        "host_leave: s1",
        "host_facts: hub1 s2",
        "live_state: hub1 hub2 s1 s2",
        "kernel_settings: hub1 s2",
        "restore: hub1 s2",
        "host_leave: hub1 s2",
    ]
    assert run.table() == [["1", "done", "s1"], ["2", "went back", "hub1, s2"], ["3", "untouched", "hub2"]]


@pytest.mark.parametrize("rollout", [ROLLOUT, None], ids=["rollout", "at once"])
def test_what_two_hosts_hold_stops_the_first_batch_though_they_are_of_the_last(tmp_path: Path, rollout: Any) -> None:
    features = dict.fromkeys(JUDGED, "module")
    nics = {"kernel_features": features, "interfaces": ["eth1", "eth2", "eth9"]}
    held = {"links": [{"name": "eth9", "mac": "", "vrf": "", "addresses": ["10.255.0.4/32"], "refused": []}], "neighbors": [], "routes": []}
    facts = {name: {**nics, "identity": f"{number:064x}"} for number, name in enumerate(NODES)}
    facts["hub2"] |= {"held": held}
    for check in ((), ("--check",)):
        (tmp_path / f"run{len(check)}").mkdir()
        run = play(tmp_path / f"run{len(check)}", "--tags", "sysctl,preflight", *check, rollout=rollout, facts=facts)
        assert run.status == 2, run.said
        assert run.of("kernel_settings") == []
        # Once for all hosts.
        assert "- s2 (lo) is to have 10.255.0.4 in the default VRF, and hub2 holds it on eth9" in run.said, run.said
        assert run.said.count("fatal: [") == 1, run.said
    (tmp_path / "allowed").mkdir()
    yes = ("--extra-vars", '{"preflight_allow_collisions": ["10.255.0.4"]}')
    assert play(tmp_path / "allowed", "--tags", "sysctl,preflight", *yes, rollout=rollout, facts=facts).status == 0


def test_a_canary_that_is_cut_off_ends_the_run(tmp_path: Path) -> None:
    """Ansible itself would go on with the next batch."""
    run = play(tmp_path, *SPOKES, cut=["s1"])
    assert run.status != 0
    assert run.of("kernel_settings", "way_back", "restore") == [("s1", "kernel_settings")]
    assert "Batch 1 was not done on all of its hosts, so this run ends, and changes nothing more." in run.said
    assert run.table() == [["1", NOT_REACHED, "s1"], ["2", "untouched", "s2"]]


def test_a_canary_that_lets_nobody_in_any_more_ends_the_run(tmp_path: Path) -> None:
    """Its change went well, and no new connection is possible."""
    run = play(tmp_path, *SPOKES, deaf=["s1"])
    assert run.status != 0
    assert run.of("kernel_settings", "way_back", "restore") == [("s1", "kernel_settings")]
    assert "Batch 1 was not done on all of its hosts, so this run ends, and changes nothing more." in run.said
    assert run.table() == [["1", NOT_REACHED, "s1"], ["2", "untouched", "s2"]]


@pytest.mark.parametrize("bad", ["cut", "deaf"])
def test_one_host_that_cannot_be_reached_any_more_stops_its_batch_and_the_run(tmp_path: Path, bad: str) -> None:
    """From its change on, or for the first call over a new connection behind it. hub1 has done nothing wrong, and goes back at once."""
    hosts: dict[str, Any] = {bad: ["s2"]}
    run = play(tmp_path, **hosts, same=["s1"])
    assert run.status != 0
    assert sorted(run.of("kernel_settings")) == [(host, "kernel_settings") for host in ("hub1", "s1", "s2")]
    assert run.of("way_back") == []
    assert run.of("restore") == [("hub1", "restore")]
    assert run.calls[-1] == ("hub1", "host_leave")
    assert run.table() == [["1", "done", "s1"], ["2", "went back", "hub1"], ["2", NOT_REACHED, "s2"], ["3", "untouched", "hub2"]]


def test_without_rollout_a_bad_host_stops_no_other(tmp_path: Path) -> None:
    run = play(tmp_path, rollout=None, cut=["s1"], fails=["s2"])
    assert run.status != 0
    assert sorted(run.of("way_back")) == [("hub1", "way_back"), ("hub2", "way_back")]
    assert run.of("restore") == []
    assert "BATCH" not in run.said


@pytest.mark.parametrize("rollout", [None, ROLLOUT], ids=["at once", "in batches"])
def test_check_mode_goes_on_without_a_container_that_is_not_there_yet(tmp_path: Path, rollout: Any) -> None:
    """Its connection is a real one, which is refused; c2, of the same batch, is reached. The filter is not theirs to make, and makes them hosts all the same."""
    lines = (
        "c0\nc1 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\nc2\n[containers:vars]\nfirewall_trusted_interfaces=['eth0']"
    )
    run = play(tmp_path, "--check", "--limit", "containers", "--tags", "frr", containers=lines, rollout=rollout)
    assert run.status == 0, run.said
    assert re.search(r"^fatal: \[c1\]: UNREACHABLE! .*?^\.\.\.ignoring$", run.said, re.MULTILINE | re.DOTALL), run.said
    *_, end = run.said.split("TASK [xuegao.net.preflight : Record what was applied, and give the host back]")
    assert "[c2]" in end.split("PLAY RECAP")[0], run.said
    assert re.search(r"^c1 .* unreachable=0 +failed=0 ", end, re.MULTILINE)


def test_check_mode_ends_at_the_batch_that_would_fail(tmp_path: Path) -> None:
    run = play(tmp_path, "--check", fails=["s2"])
    assert run.status == 2, run.said
    assert sorted(run.of("kernel_settings")) == [(host, "kernel_settings") for host in ("hub1", "s1", "s2")]
    assert run.of("live_state", "restore", "hold") == []


def test_check_mode_ends_behind_a_batch_with_a_host_that_is_lost(tmp_path: Path) -> None:
    """It names it, and foretells nothing of the batches behind it."""
    run = play(tmp_path, "--check", cut=["s2"])
    assert run.status != 0
    assert "s2 cannot be reached any more. The run would end with batch 2, so nothing is foretold of those behind it." in " ".join(
        run.said.split()
    )
    assert sorted(host for host, _module in run.of("kernel_settings")) == ["hub1", "s1", "s2"]


def test_what_reaches_no_host_is_no_rollout(tmp_path: Path) -> None:
    run = play(tmp_path, "--tags", "validate")
    assert (run.status, run.calls) == (0, []), run.said
    assert "to come" in run.said


def test_a_host_of_the_last_batch_that_is_cut_off_fails_the_run(tmp_path: Path) -> None:
    """No batch comes behind it that would be stopped."""
    run = play(tmp_path, *SPOKES, cut=["s2"], same=["s1"])
    assert run.status != 0
    assert run.table() == [["1", "done", "s1"], ["2", NOT_REACHED, "s2"]]


@pytest.mark.parametrize(
    ("more", "told", "calls"),
    [
        ({"dead": ["hub2"]}, "hub2 cannot be reached, and the rollout would end there. Nothing was changed.", {"host_facts", "host_leave"}),
        (
            {"rollout": {**ROLLOUT, "batches": ["0%"]}},
            "xgn_rollout.batches[0]: '0%' is no size of a batch; valid: a whole number from 1",
            set(),
        ),
    ],
)
def test_what_is_refused_before_any_host_is_changed(tmp_path: Path, more: dict[str, Any], told: str, calls: set[str]) -> None:
    run = play(tmp_path, **more)
    assert run.status != 0
    assert told in " ".join(run.said.split())
    assert {module for _host, module in run.calls} == calls
    # Whoever was taken was given back.
    assert len(run.of("host_leave")) == len(run.of("host_facts")) - len(more.get("dead", []) if calls else [])


def test_without_a_way_back_there_is_no_rollout(tmp_path: Path) -> None:
    run = play(tmp_path, "--extra-vars", "xgn_way_back_seconds=0", "--limit", "s1")
    assert run.status != 0
    assert "xgn_way_back_seconds is 0, so a bad batch of this rollout could not go back" in run.said
    assert run.calls == [("s1", "host_facts"), ("s1", "host_leave")]


def test_without_rollout_nothing_of_it_costs_a_call(tmp_path: Path) -> None:
    """What the inventory says is taken back on the command line."""
    run = play(tmp_path, "--extra-vars", "xgn_rollout=", cut=[], same=["hub1"])
    assert run.status == 0, run.said
    everybody = " ".join(NODES)
    assert together(run.calls) == [
        f"host_facts: {everybody}",
        f"kernel_settings: {everybody}",
        "way_back: hub2 s1 s2",
        f"host_leave: {everybody}",
    ]
    assert "BATCH" not in run.said


def test_check_mode_tells_the_batches_first_and_limit_is_kept_to(tmp_path: Path) -> None:
    run = play(tmp_path, "--check", "--limit", "hub1,hub2")
    assert run.status == 0, run.said
    assert run.table() == [["1", "to come", "hub1"], ["1", "looked at", "s1, s2"], ["2", "to come", "hub2"], ["2", "looked at", "s1, s2"]]
    assert run.said.index("BATCH") < run.said.index("PLAY [Build the network in batches]")
    assert "xgn_rollout.canary: s1 is not in this run, so hub1 goes first" in " ".join(run.said.split())
    assert run.of("live_state", "restore", "hold") == []
