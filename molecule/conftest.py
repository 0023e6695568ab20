"""What the verifiers of all scenarios share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

JOURNAL_LINES = 40
# tests/containers sets it, to add up the results of all scenarios.
RESULTS_VARIABLE = "XGN_RESULTS"


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers", "once: what the daemon does when it is hurt; one verify of a run asks, the others look at the state only"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked ``once`` and has passed in an earlier verify of this run of tests/containers."""
    results = Path(os.environ.get(RESULTS_VARIABLE, os.devnull))
    seen = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()] if results.is_file() else []
    passed = {result["name"] for result in seen if result["outcome"] == "passed"}
    again = [item for item in items if item.nodeid in passed and item.get_closest_marker("once")]
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in again]


@pytest.fixture
def needs_kernel(host: Any) -> Callable[[str], None]:
    """Return a function that skips the test, with the reason, where the kernel lacks a feature; see shared/prepare.yml."""
    features = json.loads(host.file("/etc/ansible/facts.d/xgn_kernel.fact").content_string)

    def needs(feature: str) -> None:
        if not features[feature]["works"]:
            pytest.skip(features[feature]["reason"])

    return needs


@pytest.fixture
def own(host: Any) -> int:
    """The last byte of this host's addresses, where the scenario's inventory says it."""
    return int(host.ansible.get_variables()["own"])


@pytest.fixture
def peer(host: Any) -> int:
    """The last byte of the other host's addresses."""
    return int(host.ansible.get_variables()["peer"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journals of the units that the test's module names in UNITS to the report of a failure."""
    report = yield
    host = getattr(item, "funcargs", {}).get("host")
    if report.failed and host is not None:
        for unit in getattr(getattr(item, "module", None), "UNITS", []):
            journal = host.run("journalctl --no-pager --lines=%s --unit=%s", str(JOURNAL_LINES), unit)
            report.sections.append((f"journal of {unit}", journal.stdout))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Append the result of one test to the file that RESULTS_VARIABLE names."""
    target = os.environ.get(RESULTS_VARIABLE)
    # A test has one result: that of its call, or of its preparation or clean-up where these did not pass.
    if not target or (report.when != "call" and report.passed):
        return
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else report.longreprtext
    result = {"name": report.nodeid, "outcome": report.outcome, "seconds": report.duration, "reason": reason}
    with Path(target).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(result) + "\n")
