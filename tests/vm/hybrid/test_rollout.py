"""A rollout on a network that carries traffic: a bad canary goes back and is the only host that was changed; a good change goes from batch to batch."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from figures import figure
from hybrid_network import CONTAINER, Network, Pinger, reset, wait_for

from hybrid.runs import changed, play, succeed

# The network behind the canary, to which its neighbors lose the route, and an address in it that is reached from the host behind hq-nfv.
BEHIND = "10.40.0.0/24"
DESTINATION = "10.40.0.10"
CANARY = "cloud-node"
ROLLOUT = {"canary": CANARY, "batches": ["100%"], "settle_seconds": 10}
# How long the neighbors' routes may take to be back. Short here: what is looked for does not come back.
SECONDS = 15
ARMED = "/var/lib/xgn/way-back/armed"

Variables = dict[str, Any]


def said(run: subprocess.CompletedProcess[str]) -> str:
    """All that a run has printed, in one line: long sentences are wrapped."""
    return " ".join((run.stdout + run.stderr).split())


def table(run: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """State of each host in the last table that a run has printed."""
    found: dict[str, str] = {}
    for line in run.stdout[run.stdout.rindex("BATCH  STATE") :].splitlines()[1:]:
        cells = re.match(r"[ -]*\d+ +(\S.*?)  +(\S.*)", line)
        if cells is None:
            break
        found.update(dict.fromkeys(cells[2].split(", "), cells[1]))
    return found


def silent(plan: dict[str, Variables]) -> Variables:
    """Extra variables by which the canary advertises nothing any more, though it has all its sessions and routes; each other host has what is planned."""
    maps = {host: known.get("frr_route_maps", []) for host, known in plan.items()}
    maps[CANARY] = [{**item, "entries": [{"seq": 10, "action": "deny"}]} if item["name"] == "PUBLISHED" else item for item in maps[CANARY]]
    assert maps[CANARY] != plan[CANARY]["frr_route_maps"]
    return {"maps_by_host": maps, "frr_route_maps": "{{ maps_by_host[inventory_hostname] }}"}


@pytest.fixture
def extra(tmp_path: Path) -> Callable[[Variables], str]:
    """Writes extra variables to a file, and returns the argument that names it."""

    def write(variables: Variables) -> str:
        path = tmp_path / "extra.yml"
        path.write_text(json.dumps({"xgn_rollout": ROLLOUT, **variables}), encoding="utf-8")
        return f"@{path}"

    return write


def test_a_bad_canary_goes_back_and_nobody_else_is_changed(
    network: Network, plan: dict[str, Variables], extra: Callable[[Variables], str]
) -> None:
    """All its sessions and routes are there. Only who asks whether its own networks are answered sees that nobody knows the way back to them."""
    node, core = network.on[CANARY], network.on["hq-core"]
    wait_for(partial(network.leaves_by, "hq-core", BEHIND), ["wg1"])
    conf, sessions = node.output("sha256sum /etc/frr/frr.conf"), set(network.sessions())
    stream = Pinger(core, "office", DESTINATION)
    run = play("site", "rollout-bad", "--extra-vars", extra({**silent(plan), "xgn_session_seconds": SECONDS}))
    assert run.returncode != 0
    assert f"On {CANARY} this was up before the batch, and is not {SECONDS} s after it" in said(run)
    assert "Reach 8.8.8.8 from 10.40.0.1 in VRF CORE: 0 of 3 answered" in said(run)
    assert table(run) == {CANARY: "went back", **dict.fromkeys(("hq-core", "hq-nfv", "cloud-edge", CONTAINER), "untouched")}
    counts = changed(run)
    assert counts[CANARY] > 0
    assert {host: count for host, count in counts.items() if host != CANARY and count} == {}
    assert node.output("sha256sum /etc/frr/frr.conf") == conf
    for name, shell in network.on.items():
        assert not shell.succeeds(f"test -e {ARMED}"), name
    assert {name: shell.output("cat /run/xgn/lock") for name, shell in network.on.items()} == dict.fromkeys(network.on, "")
    wait_for(partial(network.leaves_by, "hq-core", BEHIND), ["wg1"])
    wait_for(lambda: sessions <= set(network.sessions()), True)
    figure("a canary that advertises nothing: without an answer from behind it", stream.longest_gap(), "s")


def test_a_good_change_goes_from_the_canary_to_the_others(network: Network, extra: Callable[[Variables], str]) -> None:
    """Check mode tells the batches and changes nothing. Then two hosts, one after the other, while a stream of numbered packets loses none."""
    arguments = ("--limit", f"{CANARY},hq-core", "--extra-vars", extra({"frr_log_level": "warnings"}))
    foreseen = succeed("site", "rollout-check", *arguments, "--check", "--tags", "sysctl")
    assert table(foreseen) == {CANARY: "to come", "hq-core": "to come", "cloud-edge": "looked at", "hq-nfv": "looked at"}
    conf = {name: shell.output("sha256sum /etc/frr/frr.conf") for name, shell in network.on.items()}
    sessions = network.sessions()
    stream = Pinger(network.on["hq-core"], "office", DESTINATION)
    run = succeed("site", "rollout", *arguments)
    sent, lost = stream.lost()
    figure("a change in two batches: packets lost", len(lost), f"of {sent}")
    assert lost == [], f"{len(lost)} of {sent} were not answered: {lost}"
    assert reset(sessions, network.sessions()) == []
    assert table(run) == {CANARY: "done", "hq-core": "done"}
    # The canary had kept its changes before the other one was changed.
    built = run.stdout[run.stdout.index("PLAY [Build the network in batches]") :]
    order = [match[1] for match in re.finditer(r"^changed: \[([\w-]+)\]", built, re.MULTILINE)]
    assert order and order.index("hq-core") > max(index for index, host in enumerate(order) if host == CANARY)
    now = {name: shell.output("sha256sum /etc/frr/frr.conf") for name, shell in network.on.items()}
    assert {name for name in conf if conf[name] != now[name]} == {CANARY, "hq-core"}
