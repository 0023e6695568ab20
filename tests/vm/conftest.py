"""The pair on virtual machines: brought up once by its molecule scenario, used by every test, removed at the end."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import ansible_mitogen
import pytest

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test"
TOPOLOGY = "test_t1_t2"
INVENTORY = ROOT / "inventories" / "t1_t2"
CONNECTION = ROOT / "build" / "lab" / TOPOLOGY / "connection.yml"
SCENARIO_SECONDS = 2400
RUN_SECONDS = 900
# The tests before may have restarted tunnels and daemons.
SESSION_SECONDS = 120
POLL_SECONDS = 3

MITOGEN = {
    "ANSIBLE_STRATEGY": "mitogen_linear",
    "ANSIBLE_STRATEGY_PLUGINS": f"{next(iter(ansible_mitogen.__path__))}/plugins/strategy",
}
STOCK = {"ANSIBLE_STRATEGY": "linear"}


def environment(strategy: dict[str, str]) -> dict[str, str]:
    """Environment of an Ansible run against emulated machines, which answer late on a busy controller."""
    return {
        **os.environ,
        **strategy,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_TIMEOUT": "60",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished playbook run."""

    status: int
    output: str

    def recap(self, host: str, counter: str) -> int:
        """A number of the recap, for example ``changed``."""
        match = re.search(rf"^{host}\s+:.*\b{counter}=(\d+)", self.output, re.MULTILINE)
        assert match, f"no recap of {host}:\n{self.output[-3000:]}"
        return int(match[1])

    def remote_calls(self, host: str) -> int:
        """Module calls that went to a host, as the callback remote_calls counts them."""
        match = re.search(rf"^remote module calls:.*\b{host} (\d+)", self.output, re.MULTILINE)
        assert match, self.output[-3000:]
        return int(match[1])


class Pair:
    """T1 and T2, reached as a user reaches them."""

    def __init__(self, scenario_status: int) -> None:
        self.scenario_status = scenario_status
        self.runs = 0

    def command(self, playbook: str, *arguments: str) -> list[str]:
        """The command line of a run, with everything shown that can be shown."""
        inventories = ["--inventory", str(INVENTORY), "--inventory", str(CONNECTION)]
        return [
            "ansible-playbook",
            *inventories,
            "--diff",
            "-vvv",
            f"xuegao.net.{playbook}",
            "--extra-vars",
            f"xgn_plan_directory={LOGS}/plan",
            *arguments,
        ]

    def log(self, name: str) -> Path:
        """A new file for the output of a run; the search for secrets reads all of them."""
        self.runs += 1
        return LOGS / f"vm-{self.runs:02}-{name}.log"

    def play(self, playbook: str, *arguments: str, strategy: dict[str, str] = MITOGEN) -> Run:
        """Run a playbook of the collection and keep its output."""
        log = self.log(playbook)
        with log.open("w", encoding="utf-8") as stream:
            status = subprocess.run(
                self.command(playbook, *arguments),
                cwd=ROOT,
                env=environment(strategy),
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=RUN_SECONDS,
                check=False,
            ).returncode
        return Run(status, log.read_text(encoding="utf-8"))

    def play_and_kill(self, playbook: str, seconds: float, *arguments: str) -> None:
        """Start a run and kill it with everything it started, as a lost controller would."""
        with self.log(f"{playbook}-killed").open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                self.command(playbook, *arguments),
                cwd=ROOT,
                env=environment(STOCK),
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                process.wait(seconds)
                pytest.fail(f"the run ended within {seconds} s, so it could not be killed")
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def shell(self, host: str, command: str) -> str:
        """Output of a command on a host; it must succeed."""
        run = subprocess.run(
            [sys.executable, "-m", "lab", "ssh", TOPOLOGY, host, command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert run.returncode == 0, f"{host}: {command}: {run.stdout}{run.stderr}"
        return run.stdout

    def established_at(self, host: str) -> int:
        """Since when the host's BGP session is up, in seconds since 1970; it changes when the session is reset."""
        deadline = time.monotonic() + SESSION_SECONDS
        while True:
            (session,) = json.loads(self.shell(host, "vtysh -c 'show bgp vrf CORE neighbors json'")).values()
            if session["bgpState"] == "Established":
                return int(session["bgpTimerUpEstablishedEpoch"])
            assert time.monotonic() < deadline, f"{host}: {session['bgpState']} after {SESSION_SECONDS} s"
            time.sleep(POLL_SECONDS)


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """Run the scenario t1_t2 up to its last step, hand out the machines, remove them."""
    LOGS.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(LOGS / "plan", ignore_errors=True)
    for old in LOGS.glob("vm-*.log"):
        old.unlink()
    log = LOGS / "vm-00-scenario.log"
    molecule = [sys.executable, "-m", "molecule"]
    with (
        subprocess.Popen(
            [*molecule, "test", "--scenario-name", "t1_t2", "--destroy", "never"],
            cwd=ROOT,
            env=environment(MITOGEN),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
        log.open("w", encoding="utf-8") as stream,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            stream.write(line)
            # Progress for whoever waits; the rest of -vvv is in the log.
            if re.match(r"(INFO|ERROR|CRITICAL|TASK|PLAY|RUNNING)|\S+\.py.*(PASSED|FAILED|ERROR)|FAILED|=+ ", line):
                print(line, end="", flush=True)
        status = process.wait(SCENARIO_SECONDS)
    try:
        yield Pair(status)
    finally:
        subprocess.run(
            [*molecule, "destroy", "--scenario-name", "t1_t2"], cwd=ROOT, env=environment(MITOGEN), capture_output=True, check=True
        )
