"""What all unit tests share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Generator
from pathlib import PurePath
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no counterexample, neither by the time an example takes nor by that of making it. What takes too long is for
# `pytest --durations` to tell.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")

# What changes the machine that the tests run on, where a test has not put another place or a host's programs in.
PROGRAMS = {
    "ip",
    "bridge",
    "tc",
    "nft",
    "sysctl",
    "systemctl",
    "systemd-run",
    "ifup",
    "ifdown",
    "wg",
    "wg-quick",
    "vtysh",
    "service",
    "docker",
}
ANSIBLE = {"ansible", "ansible-playbook", "ansible-inventory"}
# Whether the test that runs is one of those that `make unit` leaves out.
_may_start_ansible = False
PLACES = ("/etc/", "/run/xgn", "/var/lib/xgn")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _leave_this_machine_alone(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: it sees whatever Python does, a test's threads included. A test once took away the machine's default route."""
    if event == "subprocess.Popen":
        command = arguments[1] if not isinstance(arguments[1], str | bytes) else [arguments[1]]
        name, path = os.fsdecode(command[0]), (arguments[3] or os.environ).get("PATH")
        if PurePath(name).name in ANSIBLE and not _may_start_ansible:
            raise RuntimeError(f"this test starts Ansible, which takes seconds: mark it starts_ansible ({command})")
        if PurePath(name).name in PROGRAMS and (shutil.which(name, path=path) or "").startswith(("/usr/", "/bin/", "/sbin/")):
            raise RuntimeError(f"a unit test runs a program of this machine: {command}")
    elif event in ("os.mkdir", "os.remove", "os.rename", "open"):
        path = arguments[1] if event == "os.rename" else arguments[0]
        if isinstance(path, str) and path.startswith(PLACES) and not (event == "open" and not (arguments[2] or 0) & WRITING):
            raise RuntimeError(f"a unit test writes on this machine: {event} {path}")


sys.addaudithook(_leave_this_machine_alone)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers", "starts_ansible: it starts one of Ansible's programs, which takes seconds; `make unit` leaves it out"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a marked test, and the fixtures that are made for it, start Ansible."""
    global _may_start_ansible  # an audit hook knows no test
    _may_start_ansible = item.get_closest_marker("starts_ansible") is not None
    return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out of what is measured what tries hundreds of inputs, or counts lines itself: it would take several times as long, and others reach the same."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False) or "lines" in getattr(item, "fixturenames", ()):
            item.add_marker("no_cover")


def _lines(work: Callable[[], object]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        # Whoever measures coverage goes on.
        sys.settrace(former)
    return count


@pytest.fixture
def lines() -> Callable[[Callable[[], object]], int]:
    """How many lines of Python a piece of work executes: its cost, the same on any machine however busy, where seconds are not."""
    return _lines
