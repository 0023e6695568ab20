"""The converged network as a starting point: made once from bare hosts by molecule's scenario, kept as a snapshot, and brought back for each group."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
from typing import TextIO

from conftest import LOGS, environment
from hybrid_network import ROOT, TOPOLOGY, Network, wait_for

from hybrid.runs import PLAN

SNAPSHOT = "converged"
STATE = ROOT / "build" / "lab" / TOPOLOGY
RECORD = STATE / "snapshots" / SNAPSHOT / "network.json"
KEPT_PLAN = RECORD.with_name("plan")
# Whatever decides what a converged network is, and how it was proved. The tests themselves do not.
INPUTS = ("inventories/hybrid", "lab", "molecule/hybrid", "playbooks", "plugins", "roles")
# Without verify and idempotence: the reboot verifies, and test_second_run.py looks at the second run.
STEPS = ("destroy", "converge", "side-effect")
STEP_SECONDS = 1500
# After a boot of all machines at once.
SETTLE_SECONDS = 300


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
    shutil.copytree(PLAN, KEPT_PLAN)
    RECORD.write_text(json.dumps({"inputs": made_of, "sessions": sessions}, indent=1) + "\n", encoding="utf-8")
    return 0


def bring_back() -> Network:
    """Return the network as the scenario left it, after a boot of all machines at once, with every session up."""
    lab("restore", TOPOLOGY, SNAPSHOT)
    # What a run calls changed is also a plan other than the last.
    shutil.rmtree(PLAN, ignore_errors=True)
    shutil.copytree(KEPT_PLAN, PLAN)
    sessions = json.loads(RECORD.read_text(encoding="utf-8"))["sessions"]
    network = Network()
    wait_for(lambda: [name for name in sessions if name not in network.sessions()], [], SETTLE_SECONDS)
    network.stable()
    return network


def lab(*arguments: str, **variables: str) -> None:
    """Run a verb of the lab, with some variables in its environment."""
    run = subprocess.run(
        [sys.executable, "-m", "lab", *arguments], cwd=ROOT, env=environment() | variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def _run_step(step: str, log: TextIO) -> int:
    """Run one step of the scenario, show how it gets on, and return its exit status."""
    with subprocess.Popen(
        [sys.executable, "-m", "molecule", step, "--scenario-name", "hybrid"],
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
