"""Runs of the collection's playbooks against the hybrid network, and what they leave behind."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from controller import LOGS, environment
from hybrid_network import CONNECTION, ROOT

INVENTORY = ROOT / "inventories" / "hybrid"
PLAN = LOGS / "hybrid-plan"
REPORT = LOGS / "hybrid-report"
RUN_SECONDS = 900


def play(playbook: str, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the collection against the network, with everything shown that can be shown, and keep its output.

    arguments: among them further inventories, whose connection variables take the place of the lab's.
    variables: of the environment, beside those of every run.
    """
    inventories = ["--inventory", str(INVENTORY), "--inventory", str(CONNECTION)]
    plan = ["--extra-vars", f"xgn_plan_directory={PLAN}"]
    LOGS.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        ["ansible-playbook", *inventories, "--diff", "-vvv", f"xuegao.net.{playbook}", *plan, *arguments],
        cwd=ROOT,
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    log_of(name).write_text(run.stdout + run.stderr, encoding="utf-8")
    return run


def log_of(name: str) -> Path:
    """Where the output of a run is kept; the search for secrets reads all of them."""
    return LOGS / f"vm-hybrid-{name}.log"


def succeed(playbook: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook that must succeed."""
    run = play(playbook, name, *arguments)
    assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
    return run


def adhoc(host: str, module: str, arguments: str) -> str:
    """Run one module on one host; it must succeed."""
    inventories = ["--inventory", str(INVENTORY), "--inventory", str(CONNECTION)]
    command = ["ansible", *inventories, host, "--module-name", module, "--args", arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def changed(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Tasks that changed something, by host."""
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", run.stdout, re.MULTILINE)}


def planned() -> dict[str, Any]:
    """Every host's variables, as the last run planned them."""
    hosts: dict[str, Any] = json.loads((PLAN / "current" / "plan.json").read_text(encoding="utf-8"))
    return hosts


def report() -> list[dict[str, Any]]:
    """The checks of the scenario's report."""
    checks: list[dict[str, Any]] = json.loads((REPORT / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    return checks
