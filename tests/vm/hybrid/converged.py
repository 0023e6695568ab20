"""The converged network as a starting point: made once from bare hosts by molecule's scenario, kept as a snapshot, and brought back for each group."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

from controller import LOGS, environment, first_look
from figures import figure
from hybrid_network import ROOT, RULESET, TOPOLOGY, Network, wait_for

from hybrid.runs import PLAN, REPORT

SNAPSHOT = "converged"
STATE = ROOT / "build" / "lab" / TOPOLOGY
RECORD = STATE / "snapshots" / SNAPSHOT / "network.json"
KEPT_PLAN = RECORD.with_name("plan")
# Whatever decides what a converged network is, and how it was proved. The tests themselves do not.
INPUTS = ("inventories/hybrid", "lab", "molecule/hybrid", "playbooks", "plugins", "roles")
# The second leaves the machines up, and leaves those of an earlier run alone.
STEPS = (("destroy",), ("test", "--destroy", "never"))
STEP_SECONDS = 2400
# After a boot of all machines at once. A start of FRR that hangs is made anew after 90 s, and after 150 s once more (docs/decisions/0009).
SETTLE_SECONDS = 600
# Ansible's word for a task that failed, and molecule's for a step that did.
FAILURE = re.compile(r"^fatal: \[|^failed: \[|^ERROR|^CRITICAL|^\[ERROR\]")
# What `state_of` shows.
LOOKED_AT = (
    "journalctl --no-pager --boot --priority=warning --lines=60",
    "vtysh -c 'show bgp vrf CORE summary' -c 'show bfd vrf CORE peers brief' -c 'show ip route vrf CORE' -c 'show bgp vrf CORE nexthop'",
    "vtysh -c 'show ip ospf vrf CORE neighbor'; gobgp --target unix:///run/gobgpd/api.sock neighbor; journalctl --no-pager --boot --unit=gobgpd --lines=20",
    "systemctl --no-pager --failed; systemctl --no-pager list-jobs; ip -brief address; ip route show vrf CORE; ip netns list; uptime",
)
# When the same was applied last is no trace of what was done in between, nor is the number of an interface that was made anew, or the queue that it got.
TRACES = """
find /etc /usr/local /var/lib/xgn -type f ! -name '*.pid' ! -name applied.json -printf '%p %s %T@ %m\\n' 2>/dev/null | sort
ip -o link show | sed 's/^[0-9]*: //; s/ qdisc [^ ]*//; s/ qlen.*//; s/<[^>]*>//' | sort
ip -o address show | sed 's/^[0-9]*: //; s/ valid_lft.*//' | sort
ip rule show; ip -6 rule show
{ @RULESET@; } | sha256sum
vtysh -c 'show running-config' | sha256sum
systemctl list-units --plain --no-legend --type=service,timer --state=active,failed | cut -d' ' -f1
docker ps --format '{{.Names}} {{.Image}}' 2>/dev/null || true
""".replace("@RULESET@", RULESET)


@dataclasses.dataclass
class Machines:
    """What the groups tell each other.

    clean: they are as converge left them, so that the next group needs no boot. proven: the group itself has proved that, whatever it has written. keys:
    every private key that was seen on them.
    """

    clean: bool = False
    proven: bool = False
    keys: set[str] = dataclasses.field(default_factory=set)


class NotWhole(Exception):
    """The converged network does not come up after a boot; the text says what of it."""


def inputs() -> str:
    """Hash of the files that a converged network depends on."""
    digest = hashlib.sha256()
    for path in sorted(path for name in INPUTS for path in (ROOT / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def kept() -> bool:
    """Whether there is a snapshot of the network as these files make it."""
    return RECORD.is_file() and json.loads(RECORD.read_text(encoding="utf-8"))["inputs"] == inputs()


def make() -> int:
    """Run the scenario, and keep what it has made; returns the exit status of its last step."""
    # Before it runs: whoever edits a file meanwhile gets no snapshot of it.
    made_of = inputs()
    # What an earlier run has found says nothing of this one.
    shutil.rmtree(REPORT, ignore_errors=True)
    with (LOGS / "vm-hybrid-scenario.log").open("w", encoding="utf-8") as log:
        for step in STEPS:
            if status := _run_step(step, log):
                return status
    network = Network()
    try:
        # Those of the router in the container come last.
        network.stable()
        sessions = sorted(network.sessions())
    finally:
        network.close()
    lab("snapshot", TOPOLOGY, SNAPSHOT)
    shutil.copytree(PLAN, KEPT_PLAN, symlinks=True)
    RECORD.write_text(json.dumps({"inputs": made_of, "sessions": sessions}, indent=1) + "\n", encoding="utf-8")
    return 0


def what_failed(log: str, checks: Sequence[Mapping[str, Any]]) -> str:
    """Return what names a failure of the scenario; the end of its log where nothing does.

    Of the log its lines, each behind the step and the task it belongs to; of the report's checks, if it came to verify, those that failed.
    """
    told: list[str] = []
    step = task = ""
    for line in log.splitlines():
        if " Executing" in line:
            step = line
        elif line.startswith("TASK ["):
            task = line
        elif FAILURE.search(line):
            told += [part for part in (step, task) if part not in told]
            told.append(line)
    told += [f"{check['host']}: {check['name']}: {check['detail']}" for check in checks if check["status"] == "failed"]
    return "\n".join(told) or log[-8000:]


def bring_back() -> None:
    """Leave the network as the scenario left it, after a boot of all machines at once."""
    lab("restore", TOPOLOGY, SNAPSHOT)
    bring_plan_back()


def bring_plan_back() -> None:
    """Put the scenario's plan back, since what a run calls changed is also a plan other than the last."""
    shutil.rmtree(PLAN, ignore_errors=True)
    shutil.copytree(KEPT_PLAN, PLAN, symlinks=True)


def state_of(network: Network) -> str:
    """What a person would look at first when something is wrong."""
    return first_look({name: shell.run for name, shell in network.on.items()}, LOOKED_AT)


def begin(boot: bool) -> Network:
    """Bring the network back, or go on with it as it is.

    One that does not come up whole is shown and counted, and brought back once more: whether a reboot ends well is what the scenario asserts, and
    here it would hide what the group has to say.

    Raises:
        NotWhole: it does not come up whole the second time either.
    """
    problems = []
    for attempt in (1, 2):
        if boot or attempt > 1:
            bring_back()
        else:
            bring_plan_back()
        network = Network()
        try:
            settle(network)
            return network
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(f"\n{error}\n{state_of(network)}")
            problems.append("; ".join([f"boot {attempt}: {error}", *network.unfinished()]))
            network.close()
            figure("boots of the hybrid network that left something down, see the log", attempt, "boots")
    raise NotWhole("the converged network does not come up after a boot: " + "; ".join(problems))


def settle(network: Network) -> None:
    """Wait until every session is up that was up after converge, and every machine has booted."""
    sessions = json.loads(RECORD.read_text(encoding="utf-8"))["sessions"]

    def missing() -> list[str]:
        up = network.sessions()
        return [name for name in sessions if name not in up]

    wait_for(missing, [], SETTLE_SECONDS)
    network.stable()


def traces(network: Network) -> list[str]:
    """What a group of tests would have changed if it had left something behind: each machine's files, interfaces, addresses, rules, filter, FRR's
    configuration, running units and containers. Each line begins with its machine."""
    with ThreadPoolExecutor(len(network.on)) as pool:
        found = dict(zip(network.on, pool.map(lambda shell: shell.output(TRACES), network.on.values())))
    return [f"{name}: {line}" for name, text in found.items() for line in text.splitlines()]


def lab(*arguments: str, **variables: str) -> None:
    """Run a verb of the lab, with some variables in its environment."""
    run = subprocess.run(
        [sys.executable, "-m", "lab", *arguments], cwd=ROOT, env=environment() | variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def _run_step(step: Sequence[str], log: TextIO) -> int:
    """Run one step of the scenario, show how it gets on, and return its exit status."""
    with subprocess.Popen(
        [sys.executable, "-m", "molecule", *step, "--scenario-name", "hybrid"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        # Reading ends when the process does, so the limit has to end the process.
        timer = threading.Timer(STEP_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                # Progress for whoever waits; the rest of -vvv is in the log.
                if re.match(r"(INFO|ERROR|CRITICAL|TASK|PLAY|RUNNING)|FAILED|=+ ", line):
                    print(line, end="", flush=True)
            return process.wait()
        finally:
            timer.cancel()
