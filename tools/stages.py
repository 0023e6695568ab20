"""Run the stages of `make unit`, `make coverage`, `make check`, `make test`, `make live`, `make containers` or `make managers` one
after the other and count what passed.

Each stage shows its output as it runs and leaves it in build/test/NAME.log. A stage that is a pytest run counts by its tests, any other as one.
A stage that does not end within its limit is ended, so that a hang costs one stage; the same goes for all stages together. Some go on
beside those after them, and give way to them: what one stage leaves of the processors, others use. The closing line `N passed, N failed, N skipped`
is what CI reads, and is printed even when the run is interrupted. Before it stands what the tests have measured.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import IO
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test"
BIN = ROOT / ".venv" / "bin"
# CI ends a run after 90 minutes without a word, set-up included.
TOTAL_MINUTES = 82.0
# No group of the hybrid network begins in the last of these minutes: what one takes on a slow machine.
GROUP_MINUTES = 15.0
# From the polite request to the end by force: time to remove virtual machines and containers.
GRACE_SECONDS = 120.0
TAIL_LINES = 40
POLL_SECONDS = 0.1
# What goes on beside the others gets what they leave, about a tenth of what it wants while they want all (nice(1)). Where the kernel groups processes by
# session (sched(7), autogroup), it counts within a session alone: .ci/run turns that off.
NICENESS = 10
# What tests/figures.py writes.
FIGURES = RESULTS / "figures.jsonl"
STOP = threading.Event()
SHOWING = threading.Lock()
# What is shown last has not ended its line, as a row of dots has not.
IN_A_LINE = threading.Event()
# How much of a failed test's message is shown at the end, in characters: its beginning, and its end, where a log says what went wrong.
BEGINNING, END = 500, 1500


@dataclasses.dataclass(frozen=True)
class Stage:
    """One command. pytest: its tests are counted. junit: a file it writes, below the checkout, whose tests are counted.

    minutes: how long it may take, a multiple of what it takes on a quiet machine.
    beside: it goes on while the stages after it run, and gives way to them.
    """

    name: str
    command: tuple[str, ...]
    pytest: bool = False
    junit: str | None = None
    minutes: float = 6
    beside: bool = False

    @property
    def file_name(self) -> str:
        """Its name in build/test, without suffix."""
        return self.name.replace(" ", "_")


@dataclasses.dataclass
class Outcome:
    """Counts and duration (seconds) of a stage, and a line for each way in which its tests failed."""

    passed: int
    failed: int
    skipped: int
    seconds: float
    failures: tuple[str, ...] = ()


class Interrupted(Exception):
    """Somebody wants this run to end."""


# Programs that roles copy to hosts, beside what plugins import.
PROGRAMS = ("roles/dns_anycast/files", "roles/gobgp/files")

# On all processors. An idle one takes tests over from a busy one, since a few of them take as long as a hundred others.
_PARALLEL = ("pytest", "-q", "--numprocesses=auto", "--dist=worksteal", "tests/unit")
UNIT = Stage("unit", (*_PARALLEL, "-m", "not starts_ansible"), pytest=True, minutes=15)
# Unit tests that start Ansible's programs: each of them takes as long as hundreds of the others.
PLAYBOOKS = Stage("playbooks", (*_PARALLEL, "-m", "starts_ansible"), pytest=True, minutes=30, beside=True)
# The same tests, measured, a third slower. What to measure, and how much of it has to be reached, is in pyproject.toml.
COVERAGE = dataclasses.replace(UNIT, name="coverage", command=(*UNIT.command, "--cov"), minutes=20)
# With the table of files in a file: a page that shows the beginning and the end of a run has no room for it.
MEASURED = dataclasses.replace(COVERAGE, command=(*COVERAGE.command, "--cov-report=markdown:build/test/coverage.md"))

CHECK = (
    # It keeps one processor busy for as long as all others of these together.
    Stage("ansible-lint", ("ansible-lint", "--offline", "--strict"), minutes=30, beside=True),
    Stage("ruff", ("ruff", "check", ".")),
    Stage("format", ("ruff", "format", "--check", ".")),
    Stage("types", ("mypy", ".collections/ansible_collections/xuegao/net/plugins", *PROGRAMS, "lab", "tools", "tests", "molecule")),
    Stage("yamllint", ("yamllint", "--strict", ".")),
    Stage(
        "templates",
        ("j2lint", "roles", "--ignore", "jinja-statements-indentation", "single-statement-per-line", "jinja-variable-lower-case"),
    ),
    UNIT,
    PLAYBOOKS,
    Stage("plugin docs", ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", ".")),
    Stage("changelog", ("antsibull-changelog", "lint")),
)

# Container scenarios seen passing as a whole, the longest first. The others are run by hand: docs/testing.md. `make test` takes half of the first LONG, the
# other half with another commit; `make containers` takes them all.
LONG = 6
PROVEN = (
    "dns_anycast",
    "docker_macvlan",
    "gobgp",
    "frr",
    "firewall",
    "openvpn",
    "frr_edge",
    "wireguard",
    "vxlan",
    "vrf",
    "sysctl",
    "adopt",
    "preflight",
)

# Groups of the hybrid network that are run by hand, for their time.
BY_HAND = ("test_reference",)
# Groups of which `make test` takes every other, and those between with another commit. Of what a commit leaves out here it has the roles' side among the
# container scenarios, and the network's in its sample of LIVE.
HALVED = (
    *("test_dns", "test_branch", "test_firewall", "test_docker", "test_steering", "test_system_container"),
    *("test_changes", "test_failover", "test_faults", "test_second_run"),
)
# Groups that take a run of `site` after the other. `make live` takes every group.
LIVE = ("test_life_cycle", "test_maintenance", "test_on_the_wire", "test_removal", "test_rollout", "test_way_back")

# Systems of tests/vm/managers that were seen passing; `make managers` takes every system.
SEEN_SYSTEMS: tuple[str, ...] = ()


# From a tarball to a verified network, as a plain user.
PEOPLE = Stage("people", ("pytest", "-v", "-s", "tests/vm/people"), pytest=True, minutes=20)


def commit_number() -> int:
    """The commit as a number, so that two runs of one commit are the same; 0 outside of a checkout."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        commit = ""
    return int(commit or "0", 16)


def sample() -> str:
    """Give the one that `make test` takes of all that would be too long for it, another with another commit: a group of LIVE, a system, or the plain user's way."""
    choice = (*LIVE, PEOPLE.name, *SEEN_SYSTEMS)
    return choice[commit_number() % len(choice)]


def left_out() -> tuple[str, ...]:
    """Which groups `make test` leaves out: half of HALVED, and of LIVE all but what the sample is."""
    return (*BY_HAND, *HALVED[commit_number() % 2 :: 2], *(name for name in LIVE if name != sample()))


def in_containers() -> tuple[str, ...]:
    """Which container scenarios `make test` takes: the short ones, and of the long ones every other, these with one commit and those with another."""
    return (*PROVEN[commit_number() % 2 : LONG : 2], *PROVEN[LONG:])


def hybrid(leaves_out: tuple[str, ...], minutes: float, before: tuple[str, ...] = ()) -> Stage:
    """A run of the hybrid network's groups but these. before: what stands before pytest."""
    ignored = [f"--ignore=tests/vm/hybrid/{name}.py" for name in leaves_out]
    return Stage(
        "hybrid network", (*before, "pytest", "-v", "-s", "--durations=15", "tests/vm/hybrid", *ignored), pytest=True, minutes=minutes
    )


def pair(name: str, variable: str, marked: str, minutes: float) -> Stage:
    """A run of some of the pair's tests: the reference, which leaves its machines, or those that go on with them."""
    command = ("env", variable, "pytest", "-v", "-s", "--durations=8", "-m", marked, "tests/vm/test_t1_t2.py")
    return Stage(name, command, pytest=True, minutes=minutes)


def managers(*systems: str, minutes: float) -> Stage:
    """A run of the matrix of network managers on these systems; without any on those of XGN_SYSTEM, or all."""
    chosen = ("env", f"XGN_SYSTEM={','.join(systems)}") if systems else ()
    return Stage("network managers", (*chosen, "pytest", "-v", "-s", "tests/vm/managers"), pytest=True, minutes=minutes)


TEST = (
    # Beside the checks, as ansible-lint is.
    Stage("collection", ("pytest", "-q", "tests/collection"), pytest=True, minutes=60, beside=True),
    # CI holds the tests to what they have to reach.
    *(MEASURED if stage is UNIT else stage for stage in CHECK),
    Stage("browser", ("pytest", "-q", "tests/browser"), pytest=True),
    # Where there is no KVM this one emulates: nothing runs beside it but what gives way.
    pair("reference pair", "XGN_PAIR=keep", "reference", minutes=35),
    # They wait for what happens in containers, and the machines of the pair and of the hybrid network wait for routing: together they keep two
    # processors busy.
    Stage(
        "containers", ("python", "tests/containers", "run", *in_containers()), junit="build/containers/junit.xml", minutes=60, beside=True
    ),
    pair("pair of machines", "XGN_PAIR=kept", "not reference", minutes=20),
    *((PEOPLE,) if sample() == PEOPLE.name else (managers(sample(), minutes=20),) if sample() in SEEN_SYSTEMS else ()),
    # From bare hosts, though an earlier run may have left the network.
    hybrid(left_out(), minutes=70, before=("env", "XGN_HYBRID=bare")),
)

MANAGERS_TEST = (managers(minutes=180),)
CONTAINERS_TEST = (Stage("containers", ("python", "tests/containers", "run", *PROVEN), junit="build/containers/junit.xml", minutes=90),)
LIVE_TEST = (hybrid(BY_HAND, minutes=240), PEOPLE)


def environment() -> dict[str, str]:
    """The tools of the virtual environment first, and the collection found from the checkout."""
    values = dict(os.environ)
    values["PATH"] = f"{BIN}{os.pathsep}{values['PATH']}"
    values["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    values["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".collections")
    # Progress is shown as it happens, though the output goes through a pipe.
    values["PYTHONUNBUFFERED"] = "1"
    return values


def counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of a JUnit file."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, bad, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names) for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return tests - bad - skipped, bad, skipped


def failures(report: Path) -> tuple[str, ...]:
    """What failed of a JUnit file, a line for each test and its message; tests that say the same share one. What most tests say comes first.

    The reason why so many failed stands with few of them, and is read where a terminal or a CI's page ends.
    """
    said: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        for problem in (*case.findall("failure"), *case.findall("error")):
            # pytest shortens the message of a failed assertion; the lines that it marks with E in the text are whole.
            marked = [line[1:] for line in (problem.text or "").splitlines() if line.startswith("E ")]
            message = " ".join((" ".join(marked) or problem.get("message") or problem.text or "").split())
            said.setdefault(message, []).append(f"{case.get('classname')}: {case.get('name')}")
    return tuple(
        f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {shortened(message)}"
        for message, names in sorted(said.items(), key=lambda item: -len(item[1]))
    )


def shortened(message: str) -> str:
    """Return the beginning and the end of a long message."""
    return message if len(message) <= BEGINNING + END else f"{message[:BEGINNING]} […] {message[-END:]}"


def show(source: IO[bytes], log: IO[bytes], prefix: bytes) -> None:
    """Copy what a stage prints to our output, each line behind a prefix, and to its log, until it is over."""
    rest = b""
    while chunk := os.read(source.fileno(), 65536):
        log.write(chunk)
        log.flush()
        if prefix:
            *lines, rest = (rest + chunk).split(b"\n")
            chunk = b"".join(prefix + line + b"\n" for line in lines)
        if not chunk:
            continue
        with SHOWING:
            if prefix and IN_A_LINE.is_set():
                sys.stdout.buffer.write(b"\n")
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            if chunk.endswith(b"\n"):
                IN_A_LINE.clear()
            else:
                IN_A_LINE.set()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a stage and what it started: as Ctrl-C does, so that it removes machines and containers, then by force."""
    for number, seconds in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def execute(command: Sequence[str], log_file: Path, seconds: float, prefix: str = "") -> int | None:
    """Run a command with a limit; returns its exit status, or None when it had to be ended.

    Raises Interrupted, after ending it, when this program is told to end.
    """
    deadline = time.monotonic() + seconds
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        # Not read to its end before waiting: a process that outlives the stage may keep the pipe open.
        reader = threading.Thread(target=show, args=(process.stdout, log, prefix.encode()), daemon=True)
        reader.start()
        try:
            while True:
                try:
                    return process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if STOP.is_set() or time.monotonic() > deadline:
                        end(process)
                        if STOP.is_set():
                            raise Interrupted from None
                        return None
        finally:
            reader.join(5)


def run(stage: Stage, seconds: float) -> Outcome:
    """Run a stage for at most so many seconds. One that breaks before it reports counts as one failure, and so does one without a test."""
    report = ROOT / stage.junit if stage.junit else RESULTS / f"{stage.file_name}.xml"
    report.unlink(missing_ok=True)
    command = ["nice", "-n", str(NICENESS)] if stage.beside else []
    command += [*stage.command, f"--junitxml={report}"] if stage.pytest else stage.command
    log = RESULTS / f"{stage.file_name}.log"
    print(f"\n=== {stage.name}: {' '.join(stage.command)}", flush=True)
    started = time.monotonic()
    status = execute(command, log, seconds, f"{stage.name} | " if stage.beside else "")
    ended: tuple[str, ...] = ()
    if status is None:
        ended = (f"ended, because it took more than {seconds / 60:.0f} minutes",)
        print(f"\n=== {stage.name}: {ended[0]}. The last lines of its log:", flush=True)
        print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]), flush=True)
    passed, failed, skipped = counts(report) if report.exists() else (int(status == 0), 0, 0)
    if status != 0 and failed == 0:
        failed = 1
    return Outcome(passed, failed, skipped, time.monotonic() - started, (*(failures(report) if report.exists() else ()), *ended))


def run_all(stages: Sequence[Stage], seconds: float) -> list[Outcome]:
    """Run stages as long as there is time; one that does not get to run, or is interrupted, counts as one failure."""
    deadline = time.monotonic() + seconds

    def one(stage: Stage) -> Outcome:
        left = deadline - time.monotonic()
        if STOP.is_set():
            return Outcome(0, 1, 0, 0)
        if left <= 0:
            why = f"not run, because all stages together took more than {seconds / 60:.0f} minutes"
            print(f"\n=== {stage.name}: {why}", flush=True)
            return Outcome(0, 1, 0, 0, (why,))
        try:
            return run(stage, min(stage.minutes * 60, left))
        except Interrupted:
            print(f"\n=== {stage.name}: interrupted", flush=True)
            return Outcome(0, 1, 0, 0)

    outcomes: list[Outcome | Future[Outcome]] = []
    with ThreadPoolExecutor() as pool:
        for stage in stages:
            outcomes.append(pool.submit(one, stage) if stage.beside else one(stage))
        return [outcome if isinstance(outcome, Outcome) else outcome.result() for outcome in outcomes]


def print_figures() -> None:
    """Print what the tests have measured, with how busy the machine was at that moment: no test fails for it."""
    if not FIGURES.is_file():
        return
    rows = [json.loads(line) for line in FIGURES.read_text(encoding="utf-8").splitlines()]
    print(f"\n{'figure':<90} {'value':>12} {'processors waited for':>22}")
    for row in rows:
        busy = "?" if row["pressure"] is None else f"{row['pressure']:.0f} %"
        print(f"{row['name']:<90} {row['value']:>10.2f} {row['unit']} {busy:>20}")


def interrupt(number: int, frame: FrameType | None) -> None:
    """Once is enough: what follows is the clean-up."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    STOP.set()


def main() -> int:
    """Run the stages of the verb given on the command line; exit 1 when one failed."""
    stages = {
        "unit": (UNIT,),
        "coverage": (COVERAGE,),
        "check": CHECK,
        "test": TEST,
        "live": LIVE_TEST,
        "containers": CONTAINERS_TEST,
        "managers": MANAGERS_TEST,
    }[sys.argv[1]]
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, interrupt)
    FIGURES.unlink(missing_ok=True)
    started = time.monotonic()
    # CI runs one verb; the others are not bound by its time.
    minutes = TOTAL_MINUTES if stages is TEST else sum(stage.minutes for stage in stages)
    # tests/vm/hybrid/conftest.py reads it: the clock is the machine's, not this process's.
    os.environ["XGN_BEGIN_UNTIL"] = str(started + (minutes - GROUP_MINUTES) * 60)
    outcomes = run_all(stages, minutes * 60)
    elapsed = time.monotonic() - started
    print_figures()
    print(f"\n{'stage':<20} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for stage, outcome in zip(stages, outcomes, strict=True):
        print(f"{stage.name:<20} {outcome.passed:>7} {outcome.failed:>7} {outcome.skipped:>8} {outcome.seconds:>8.0f}")
    passed, failed, skipped = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("passed", "failed", "skipped"))
    print(f"{'all':<20} {passed:>7} {failed:>7} {skipped:>8} {elapsed:>8.0f}")
    for stage, outcome in zip(stages, outcomes, strict=True):
        for line in outcome.failures:
            print(f"failed: {stage.name}: {line}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
