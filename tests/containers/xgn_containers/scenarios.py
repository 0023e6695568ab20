"""Run the container scenarios, several at a time, and say what came of each."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError

from .paths import CHECKOUT, MOLECULE_DIR, REPORT_DIR

# A scenario takes one to two minutes, and one that compiles up to fifteen; this is for one that hangs.
SCENARIO_LIMIT_S = 2400
BUILD_IMAGE = re.compile(r"xgn-test/build:\S+")
END_LIMIT_S = 60
# What is shown of the output of a step that failed.
EXCERPT_LINES = 80
# All secrets of the scenarios contain it, so that a leak is found by one search.
SECRET_MARK = "xgnSecret"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# The line with which molecule begins a step of its sequence.
STEP = re.compile(r"INFO +(?P<scenario>\S+) ➜ (?P<step>\S+): Executing$")
OWN_DRIVER = re.compile(r"^driver:", re.MULTILINE)
FAILED_STEP = re.compile(r"ERROR +(?P<scenario>\S+) ➜ (?P<step>\S+): Executed: Failed")


@dataclass(frozen=True)
class Case:
    """One result: a step of a scenario, or one test of its verifier.

    Parameters:
        scenario: which one.
        name: the step, or the test's id.
        outcome: "passed", "failed" or "skipped".
        seconds: how long it took.
        detail: why it failed or was skipped.
    """

    scenario: str
    name: str
    outcome: str
    seconds: float
    detail: str = ""


@dataclass
class Progress:
    """Prints one line for each step, with the seconds since the start; safe to use from several threads."""

    begin: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str) -> None:
        """Print one line."""
        with self.lock:
            print(f"[{time.monotonic() - self.begin:5.0f} s] {text}", flush=True)


def scenario_names(directory: Path = MOLECULE_DIR) -> list[str]:
    """Return the scenarios that run in containers, those that name no driver of their own; the longest first.

    What has most to say takes longest, and begun last it would run alone at the end.
    """
    own = [path.parent for path in directory.glob("*/molecule.yml") if not OWN_DRIVER.search(path.read_text("utf-8"))]
    sizes = {path: sum(file.stat().st_size for file in path.rglob("*.*") if file.is_file()) for path in own}
    return [path.name for path in sorted(own, key=lambda path: (-sizes[path], path.name))]


def build_images(names: Sequence[str], directory: Path = MOLECULE_DIR) -> set[str]:
    """Return the images that can build from source which the scenarios run on."""
    files = [directory / name / "molecule.yml" for name in names]
    return {image for path in files if path.is_file() for image in BUILD_IMAGE.findall(path.read_text("utf-8"))}


def run(names: Sequence[str], jobs: int, environment: dict[str, str]) -> list[Case]:
    """Run the scenarios and return all results.

    Parameters:
        names: which ones.
        jobs: how many at a time.
        environment: variables that lead to the engine.

    Raises:
        LabError: there is no such scenario.
    """
    unknown = sorted(set(names) - set(scenario_names()))
    if unknown:
        raise LabError(f"no container scenario {', '.join(unknown)}; there are: {', '.join(scenario_names())}")
    REPORT_DIR.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    running: set[subprocess.Popen[str]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(_run_one, name, environment, progress, running) for name in names]
        try:
            return [case for future in futures for case in future.result()]
        except BaseException:
            # Ctrl-C: what has not begun never will, and what runs ends before the engine is stopped under it.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                _end(process)
            raise


def _run_one(name: str, environment: dict[str, str], progress: Progress, running: set[subprocess.Popen[str]]) -> list[Case]:
    log, results = REPORT_DIR / f"{name}.log", REPORT_DIR / f"{name}.results"
    results.unlink(missing_ok=True)
    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "molecule", "test", "-s", name],
        cwd=CHECKOUT,
        env=os.environ | environment | {"COLUMNS": "160", "XGN_RESULTS": str(results)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    running.add(process)
    timer = threading.Timer(SCENARIO_LIMIT_S, _end, [process])
    timer.start()
    try:
        cases = list(_follow(process, name, log, progress))
    finally:
        timer.cancel()
        process.wait()
        running.discard(process)
    seconds = time.monotonic() - begin
    if process.returncode != 0 and not any(case.outcome == "failed" for case in cases):
        cases.append(Case(name, "molecule", "failed", seconds, f"exit status {process.returncode}, see {log}"))
    cases += _verifier_cases(name, results)
    if not any(case.name == "verify" for case in cases):
        cases.append(Case(name, "verify", "failed", 0, f"the verifier never ran, see {log}"))
    cases.append(_secrecy(name, log))
    failed = [case for case in cases if case.outcome == "failed"]
    progress.say(f"{name}: {'FAILED' if failed else 'passed'} after {seconds:.0f} s")
    for case in failed:
        progress.say(f"{name}: {case.name}: {case.detail.strip() or 'failed'}")
    if failed:
        progress.say(f"{name}: all of its output is in {log.relative_to(CHECKOUT)}")
    return cases


def _follow(process: subprocess.Popen[str], name: str, log: Path, progress: Progress) -> Iterator[Case]:
    """Write the output to the log, show each step as it begins, and yield the steps that have ended."""
    step, begin, detail = "", time.monotonic(), ""
    recent: deque[str] = deque(maxlen=EXCERPT_LINES)
    assert process.stdout is not None
    with log.open("w", encoding="utf-8") as stream:
        for raw in process.stdout:
            line = COLOUR.sub("", raw).rstrip()
            stream.write(line + "\n")
            stream.flush()
            recent.append(line)
            if FAILED_STEP.search(line):
                detail = "\n".join(recent)
            started = STEP.search(line)
            if started:
                if step:
                    yield Case(name, step, "failed" if detail else "passed", time.monotonic() - begin, detail)
                step, begin, detail = started["step"], time.monotonic(), ""
                progress.say(f"{name}: {step}")
    if step:
        yield Case(name, step, "failed" if detail else "passed", time.monotonic() - begin, detail)


def _verifier_cases(name: str, results: Path) -> list[Case]:
    """Return what molecule/conftest.py noted of each test."""
    if not results.is_file():
        return []
    found: list[dict[str, Any]] = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return [Case(name, item["name"], item["outcome"], item["seconds"], item["reason"] or "") for item in found]


def _secrecy(name: str, log: Path) -> Case:
    """Return whether the scenario's output, at whatever verbosity it runs, shows a secret."""
    lines = log.read_text(encoding="utf-8").splitlines()
    shown = [number for number, line in enumerate(lines, 1) if SECRET_MARK in line]
    detail = f"a secret is shown in {log}, line {', '.join(map(str, shown))}" if shown else ""
    return Case(name, "no secret in the output", "failed" if shown else "passed", 0, detail)


def _end(process: subprocess.Popen[str]) -> None:
    """End one molecule and all it started: politely, then by force."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
