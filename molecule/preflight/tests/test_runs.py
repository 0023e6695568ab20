"""Two operators at once, and what a host is recorded to have applied: real runs of Ansible against both hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra

HERE = Path(__file__).parent.parent
HOSTS = ("preflight-debian12", "preflight-debian13")
LOCK = "/run/xgn/lock"
# While it is there, a run with work=first does not come to its end.
HOLD = "/run/first.hold"
WAIT_SECONDS = 60
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
RECORDS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "applied")
# The run of another controller, which says nothing of its process.
STRANGER = {
    "run": "stranger",
    "by": "bob@noc-2",
    "since": "2026-11-29T03:12:05Z",
    "inventory": "mine",
    "place": "another kernel",
    "pid": 1,
    "ticks": 1,
}


def command(*arguments: str) -> list[str]:
    """The command line of a run."""
    return ["ansible-playbook", "--inventory", INVENTORY, str(HERE / "work.yml"), *arguments]


def environment() -> dict[str, str]:
    """With the calls counted, and the output as the tests read it."""
    return {**os.environ, "ANSIBLE_CALLBACKS_ENABLED": "xuegao.net.remote_calls", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(command(*arguments), env=environment(), capture_output=True, text=True, check=False, timeout=300)


def record(name: str) -> dict[str, Any]:
    """What is recorded of a host on the controller."""
    found: dict[str, Any] = json.loads((RECORDS / f"{name}.txt").read_text(encoding="utf-8"))
    return found


def said(done: subprocess.CompletedProcess[str]) -> str:
    """All that it printed, whichever way: where failures go is a setting."""
    return " ".join((done.stdout + done.stderr).split())


def recap(done: subprocess.CompletedProcess[str], counter: str) -> list[int]:
    """A number of the recap, for each host."""
    found = {name: int(number) for name, number in re.findall(rf"^(\S+) +: ok=.*\b{counter}=(\d+)", done.stdout, re.MULTILINE)}
    return [found[name] for name in HOSTS]


def calls(done: subprocess.CompletedProcess[str]) -> list[int]:
    """Remote calls, for each host."""
    return [int(re.findall(rf"remote module calls:.*\b{name} (\d+)", done.stdout)[0]) for name in HOSTS]


@pytest.fixture(scope="module")
def hosts() -> list[Any]:
    """Both hosts, as testinfra reaches them."""
    return [testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}") for name in HOSTS]


@pytest.fixture(autouse=True)
def clean(hosts: list[Any]) -> Iterator[None]:
    """Nobody works there, before and after."""
    yield
    for host in hosts:
        host.run(f"rm -f {LOCK} /run/first /run/second")


def notes(hosts: list[Any]) -> list[dict[str, Any] | None]:
    """Who works on each host."""
    texts = [host.run(f"cat {LOCK}").stdout for host in hosts]
    return [json.loads(text) if text.strip() else None for text in texts]


def worked(hosts: list[Any], name: str) -> list[bool]:
    """Whether a run has worked on each host."""
    return [host.file(f"/run/{name}").exists for host in hosts]


def until(condition: Callable[[], bool]) -> None:
    """Wait for something."""
    for _second in range(WAIT_SECONDS):
        if condition():
            return
        time.sleep(1)
    pytest.fail(f"it did not happen within {WAIT_SECONDS} s")


@pytest.fixture
def first(hosts: list[Any]) -> Iterator[subprocess.Popen[str]]:
    """A run that works on the first host alone, and will as long as it is held there."""
    hosts[0].check_output(f"touch {HOLD}")
    arguments = ("--limit", HOSTS[0], "-e", "work=first")
    with subprocess.Popen(command(*arguments), env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: worked(hosts, "first")[0])
            yield process
        finally:
            hosts[0].run(f"rm -f {HOLD}")


def test_the_second_operator_is_told_before_any_host_is_touched(hosts: list[Any], first: subprocess.Popen[str]) -> None:
    before = notes(hosts)
    second = run("-e", "work=second")
    assert second.returncode != 0
    told = said(second)
    assert f"{HOSTS[0]} is taken: " in told and "This run stops, and changes nothing more there." in told and "xgn_break_lock=true" in told
    assert before[0] and f"(run {before[0]['run']}, inventory " in told
    assert worked(hosts, "second") == [False, False], "the host that nobody works on is not touched, either"
    assert notes(hosts) == [before[0], None], "and it is given back"
    tried = run("-e", "work=second", "--check")
    assert tried.returncode == 0 and "Without --check this run would stop here." in said(tried)
    assert notes(hosts) == [before[0], None]
    hosts[0].check_output(f"rm {HOLD}")
    output, _errors = first.communicate(timeout=WAIT_SECONDS)
    assert first.returncode == 0, output
    assert notes(hosts) == [None, None]
    assert run("-e", "work=second").returncode == 0
    assert worked(hosts, "second") == [True, True]


def test_a_killed_run_of_this_controller_blocks_nobody(hosts: list[Any], first: subprocess.Popen[str]) -> None:
    first.kill()
    first.wait()
    assert notes(hosts)[0], "it could not give the host back"
    second = run("-e", "work=second")
    assert second.returncode == 0, second.stdout
    assert worked(hosts, "second") == [True, True] and notes(hosts) == [None, None]


def stranger(host: Any, seconds: int) -> None:
    """Leave the note of another controller's run, that expires in some seconds."""
    code = "import json, sys, time; note = json.loads(sys.argv[1]); note['until'] = time.clock_gettime(time.CLOCK_BOOTTIME) + float(sys.argv[2])"
    host.check_output("mkdir -p /run/xgn")
    host.check_output("python3 -c %s %s %s > %s", f"{code}; print(json.dumps(note))", json.dumps(STRANGER), str(seconds), LOCK)


def test_a_dead_run_of_another_controller_is_broken_or_expires(hosts: list[Any]) -> None:
    stranger(hosts[1], 600)
    refused = run("-e", "work=first")
    assert refused.returncode != 0
    assert "bob@noc-2 has worked there since 2026-11-29 03:12:05 UTC (run stranger, inventory mine)" in said(refused)
    assert worked(hosts, "first") == [False, False]
    taken = run("-e", "work=first", "-e", "xgn_break_lock=true")
    assert taken.returncode == 0 and "This run has taken it over." in said(taken)
    assert worked(hosts, "first") == [True, True] and notes(hosts) == [None, None]
    stranger(hosts[1], 0)
    assert run("-e", "work=second").returncode == 0


def test_a_host_that_fails_is_given_back_and_not_recorded(hosts: list[Any]) -> None:
    assert run().returncode == 0
    failed = run("-e", f"work_fails={HOSTS[0]}", "-e", "work_log_level=errors")
    assert failed.returncode != 0 and recap(failed, "failed") == [1, 0]
    assert notes(hosts) == [None, None]
    assert [record(name)["variables"]["frr_log_level"] for name in HOSTS] == ["warnings", "errors"]
    assert [bool(record(name)["later"]) for name in HOSTS] == [True, False]
    assert run().returncode == 0
    assert [record(name)["later"] for name in HOSTS] == [None, None]


def test_what_was_applied_is_kept_on_both_sides_without_secrets(hosts: list[Any]) -> None:
    assert run("-e", "work_password=xgnSecretTwo").returncode == 0
    again = run("-e", "work_password=xgnSecretTwo")
    assert recap(again, "changed") == [0, 0]
    # The first, which looks and takes, and the last, which gives back.
    assert calls(again) == [2, 2]
    before = [json.loads(host.check_output("cat /var/lib/xgn/applied.json")) for host in hosts]
    other = run("-e", "work_password=xgnSecretOne")
    assert recap(other, "changed") == [1, 1] and calls(other) == [2, 2]
    after = [json.loads(host.check_output("cat /var/lib/xgn/applied.json")) for host in hosts]
    assert [item["variables"] for item in before] == [item["variables"] for item in after]
    assert [item["secrets"] for item in before] != [item["secrets"] for item in after]
    for host, name in zip(hosts, HOSTS, strict=True):
        file = host.file("/var/lib/xgn/applied.json")
        assert (file.user, file.mode) == ("root", 0o600)
        assert record(name)["applied"]["run"] == json.loads(file.content_string)["run"]
    kept = [path.read_text(encoding="utf-8") for path in RECORDS.iterdir()] + [json.dumps(after)]
    assert not any("xgnSecret" in text for text in kept)


def test_a_part_and_check_mode_record_nothing(hosts: list[Any]) -> None:
    assert run().returncode == 0
    before = [host.check_output("cat /var/lib/xgn/applied.json") for host in hosts]
    for arguments in (("--tags", "work", "-e", "work=first"), ("--check",), ("--start-at-task", "Fail there")):
        done = run("-e", "work_log_level=errors", *arguments)
        assert done.returncode == 0, done.stdout
        assert [host.check_output("cat /var/lib/xgn/applied.json") for host in hosts] == before, arguments
        assert [record(name)["variables"]["frr_log_level"] for name in HOSTS] == ["warnings", "warnings"]
        assert notes(hosts) == [None, None]
