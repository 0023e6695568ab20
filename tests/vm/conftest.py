"""The pair on virtual machines: brought up once by its molecule scenario, used by every test, removed at the end.

The scenario runs on the distribution's own kernels, emulated where there is no KVM: it is the reference, as are the tests so marked. What comes after
it goes on with the same disks and the fastest way there is to run machines. XGN_PAIR=keep leaves the disks to a later run, which goes on with them when
it is called with XGN_PAIR=kept.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from controller import LOGS, ROOT, environment, first_look

TOPOLOGY = "test_t1_t2"
HOSTS = ("T1", "T2")
PAIR = os.environ.get("XGN_PAIR")
INVENTORY = ROOT / "inventories" / "t1_t2"
CONNECTION = ROOT / "build" / "lab" / TOPOLOGY / "connection.yml"
# What a scenario takes on two busy cores without KVM, and some more; the limit of the stage in tools/stages.py is larger.
SCENARIO_SECONDS = 1500
RUN_SECONDS = 600
# A session that was reset is initiated again after its connect timer, 120 s at most (FRR 8).
SESSION_SECONDS = 180
POLL_SECONDS = 2
# What of the scenario's output shows that it goes on; all of it, with -vvv, is in its log.
PROGRESS = re.compile(r"(INFO|ERROR|CRITICAL|TASK|PLAY|RUNNING)|\S+\.py.*(PASSED|FAILED|ERROR|SKIPPED)|FAILED|=+ ")
FAILURE_LINES = 250
# Looked at on both machines when a test fails. None of these shows a secret.
STATE = (
    "vtysh -c 'show bgp vrf CORE summary' -c 'show bfd vrf CORE peers'",
    "ip -4 route show table 200; ip -brief address; wg show",
    "journalctl --no-pager --lines=60 --unit=frr --unit=interface --unit=wg-quick@wg0",
)
BEGIN = time.monotonic()


def say(text: str) -> None:
    """Print a line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - BEGIN:5.0f} s] {text}", flush=True)


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

    def __init__(self) -> None:
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

    def play(self, playbook: str, *arguments: str) -> Run:
        """Run a playbook of the collection and keep its output."""
        log = self.log(playbook)
        say(f"{playbook} {' '.join(arguments)}")
        with log.open("w", encoding="utf-8") as stream:
            status = subprocess.run(
                self.command(playbook, *arguments),
                cwd=ROOT,
                env=environment(),
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=RUN_SECONDS,
                check=False,
            ).returncode
        say(f"exit status {status}")
        return Run(status, log.read_text(encoding="utf-8"))

    def play_and_kill(self, playbook: str, seconds: float, *arguments: str) -> None:
        """Start a run and kill it with everything it started, as a lost controller would."""
        say(f"{playbook}, killed after {seconds:.0f} s")
        with self.log(f"{playbook}-killed").open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                self.command(playbook, *arguments),
                cwd=ROOT,
                env=environment(),
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
        run = self.attempt(host, command)
        assert run.returncode == 0, f"{host}: {command}: {run.stdout}{run.stderr}"
        return run.stdout

    def attempt(self, host: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on a host, whatever comes of it."""
        ssh = [sys.executable, "-m", "lab", "ssh", TOPOLOGY, host, command]
        return subprocess.run(ssh, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)

    def everywhere(self, command: str) -> list[str]:
        """Output of a command that is run on all hosts at the same time; it must succeed."""
        with ThreadPoolExecutor(len(HOSTS)) as pool:
            return list(pool.map(lambda host: self.shell(host, command), HOSTS))

    def established_at(self, host: str) -> int:
        """Since when the host's BGP session is up, in seconds since 1970; it changes when the session is reset.

        A machine that has just started answers ssh before its bgpd does, and its bgpd before it has read its configuration.
        """
        deadline = time.monotonic() + SESSION_SECONDS
        while True:
            asked = self.attempt(host, "vtysh -c 'show bgp vrf CORE neighbors json'")
            sessions = json.loads(asked.stdout).values() if asked.returncode == 0 else ()
            assert len(sessions) <= 1, asked.stdout
            for session in sessions:
                if session.get("bgpState") == "Established":
                    return int(session["bgpTimerUpEstablishedEpoch"])
            assert time.monotonic() < deadline, f"{host}: no session is established after {SESSION_SECONDS} s: {asked.stdout}{asked.stderr}"
            time.sleep(POLL_SECONDS)

    def state(self) -> str:
        """What a person would look at first when something is wrong."""
        return first_look({host: partial(self.attempt, host) for host in HOSTS}, STATE)


def run_scenario() -> tuple[int, str]:
    """Run the scenario t1_t2 up to its last step; returns its exit status and what is worth showing of a failure.

    The kernels are the distribution's, unless XGN_ACCEL asks for others.
    """
    log = LOGS / "vm-00-scenario.log"
    command = [sys.executable, "-m", "molecule", "test", "--scenario-name", "t1_t2", "--destroy", "never"]
    with (
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={"XGN_ACCEL": "qemu"} | environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
        log.open("w", encoding="utf-8") as stream,
    ):
        timer = threading.Timer(SCENARIO_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                stream.write(line)
                if PROGRESS.match(line):
                    say(line.rstrip())
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
    lines = log.read_text(encoding="utf-8").splitlines()
    start = next((number for number, line in enumerate(lines) if "= FAILURES =" in line), len(lines))
    return status, "\n".join(lines[start:][:FAILURE_LINES] or lines[-FAILURE_LINES:])


def run_lab(*arguments: str) -> None:
    """Run a verb of the lab."""
    subprocess.run([sys.executable, "-m", "lab", *arguments], cwd=ROOT, env=environment(), check=True)


def remove_machines() -> None:
    """Remove the lab with all it has, if there is one, and let molecule forget it."""
    run_lab("down", TOPOLOGY)
    subprocess.run(
        [sys.executable, "-m", "molecule", "destroy", "--scenario-name", "t1_t2"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=True,
    )


def clean_up() -> None:
    """Remove what an earlier run has left: plan, report, logs, and machines, which `molecule test --destroy never` does not remove either."""
    LOGS.mkdir(parents=True, exist_ok=True)
    for directory in ("plan", "after-reboot"):
        shutil.rmtree(LOGS / directory, ignore_errors=True)
    for old in LOGS.glob("vm-*.log"):
        old.unlink()
    remove_machines()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "reference: what is shown on the distribution's own kernels")


@pytest.fixture(scope="session")
def scenario() -> Iterator[tuple[int, str]]:
    """The outcome of the scenario. When all tests are over its machines are removed, or left for a later run."""
    leave = False
    try:
        if PAIR == "kept":
            assert CONNECTION.exists(), f"XGN_PAIR=kept, but no run with XGN_PAIR=keep has left machines: {CONNECTION} is missing"
            yield 0, ""
        else:
            clean_up()
            status, failure = run_scenario()
            leave = PAIR == "keep" and status == 0
            # The verifier shows the journals of the host it looks at; the cause may be on the other.
            yield status, failure if status == 0 else f"{failure}\n{Pair().state()}"
    finally:
        if leave:
            run_lab("down", TOPOLOGY, "--keep")
        else:
            remove_machines()


@pytest.fixture(scope="session")
def pair(scenario: tuple[int, str]) -> Pair:
    """The running machines. Where the scenario failed every test fails at once, instead of waiting for sessions that will not come."""
    if scenario[0] != 0:
        pytest.fail("the scenario t1_t2 failed: see test_scenario", pytrace=False)
    say("on to the fastest way to run machines")
    run_lab("up", TOPOLOGY)
    pair = Pair()
    for host in HOSTS:
        pair.established_at(host)
    return pair


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of both machines to the report of a failure."""
    report = yield
    machines = getattr(item, "funcargs", {}).get("pair")
    if report.when == "call" and report.failed and machines is not None:
        report.sections.append(("state of the machines", machines.state()))
    return report
