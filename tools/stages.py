"""Run the stages of `make check` or `make test` one after the other and count what passed.

Each stage shows its output as it runs. A stage that is a pytest run counts by its tests, any other as one. The closing line
`N passed, N failed, N skipped` is what CI reads.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test"
BIN = ROOT / ".venv" / "bin"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One command. pytest: its tests are counted. junit: a file it writes, below the checkout, whose tests are counted."""

    name: str
    command: tuple[str, ...]
    pytest: bool = False
    junit: str | None = None


@dataclasses.dataclass
class Outcome:
    """Counts and duration (seconds) of a stage."""

    passed: int
    failed: int
    skipped: int
    seconds: float


CHECK = (
    Stage("ruff", ("ruff", "check", ".")),
    Stage("format", ("ruff", "format", "--check", ".")),
    Stage("types", ("mypy", ".collections/ansible_collections/xuegao/net/plugins", "lab", "tools")),
    Stage("yamllint", ("yamllint", "--strict", ".")),
    Stage(
        "templates",
        ("j2lint", "roles", "--ignore", "jinja-statements-indentation", "single-statement-per-line", "jinja-variable-lower-case"),
    ),
    Stage("unit", ("pytest", "-q", "tests/unit"), pytest=True),
    Stage("ansible-lint", ("ansible-lint", "--offline", "--strict")),
    Stage("plugin docs", ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", ".")),
    Stage("changelog", ("antsibull-changelog", "lint")),
)

TEST = CHECK + (
    Stage("collection", ("pytest", "-q", "tests/collection"), pytest=True),
    Stage("browser", ("pytest", "-q", "tests/browser"), pytest=True),
    Stage("containers", ("python", "tests/containers", "run"), junit="build/containers/junit.xml"),
    Stage("virtual machines", ("pytest", "-q", "-s", "tests/vm"), pytest=True),
)


def environment() -> dict[str, str]:
    """The tools of the virtual environment first, and the collection found from the checkout."""
    values = dict(os.environ)
    values["PATH"] = f"{BIN}{os.pathsep}{values['PATH']}"
    values["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    values["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".collections")
    return values


def counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of a JUnit file."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, bad, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names) for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return tests - bad - skipped, bad, skipped


def run(stage: Stage) -> Outcome:
    """Run a stage. A pytest run that breaks before it reports counts as one failure, and so does one without a test."""
    report = ROOT / stage.junit if stage.junit else RESULTS / f"{stage.name.replace(' ', '_')}.xml"
    report.unlink(missing_ok=True)
    command = [*stage.command, f"--junitxml={report}"] if stage.pytest else list(stage.command)
    print(f"\n=== {stage.name}: {' '.join(stage.command)}", flush=True)
    started = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    seconds = time.monotonic() - started
    if not report.exists():
        return Outcome(int(status == 0), int(status != 0), 0, seconds)
    passed, failed, skipped = counts(report)
    if status != 0 and failed == 0:
        failed = 1
    return Outcome(passed, failed, skipped, seconds)


def main() -> int:
    """Run the stages of the verb given on the command line; exit 1 when one failed."""
    stages = {"check": CHECK, "test": TEST}[sys.argv[1]]
    RESULTS.mkdir(parents=True, exist_ok=True)
    outcomes = [(stage, run(stage)) for stage in stages]
    print(f"\n{'stage':<20} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for stage, outcome in outcomes:
        print(f"{stage.name:<20} {outcome.passed:>7} {outcome.failed:>7} {outcome.skipped:>8} {outcome.seconds:>8.0f}")
    passed, failed, skipped = (sum(getattr(outcome, name) for stage, outcome in outcomes) for name in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
