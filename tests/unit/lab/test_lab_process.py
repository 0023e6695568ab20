"""Processes are found and stopped only if they are truly ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import build, cli, process
from lab.errors import LabError

MARKER = "/lab/vms/T1/"
ROOT = Path(__file__).resolve().parents[3]


def sleeper(*arguments: str, prepare: str = "pass") -> subprocess.Popen[bytes]:
    code = f"import signal, time; {prepare}; print('ready', flush=True); time.sleep(3600)"
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


@pytest.fixture
def ours() -> Iterator[subprocess.Popen[bytes]]:
    child = sleeper(f"file={MARKER},if=none")
    yield child
    child.kill()
    child.wait()


def test_our_process_is_found_and_stopped(tmp_path: Path, ours: subprocess.Popen[bytes]) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{ours.pid}\n")
    assert process.is_running(pid_file, MARKER)
    assert process.stop(pid_file, MARKER)
    assert ours.wait(5) == -signal.SIGTERM
    assert not pid_file.exists()
    assert not process.is_running(pid_file, MARKER)


def test_a_foreign_process_with_the_recorded_id_lives_on(tmp_path: Path, ours: subprocess.Popen[bytes]) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{ours.pid}\n")
    other = "/lab/vms/T2/"
    assert not process.is_running(pid_file, other)
    assert not process.stop(pid_file, other)
    assert ours.poll() is None
    assert not pid_file.exists()


@pytest.mark.parametrize("content", ["", "x", "-1", "0", "4194305", "99999999999999999999", "1\n2"])
def test_a_senseless_record_is_no_process(tmp_path: Path, content: str) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(content)
    assert not process.is_running(pid_file, MARKER)
    assert not process.stop(pid_file, MARKER)


def test_a_process_that_ended_but_was_not_collected_is_not_running(tmp_path: Path) -> None:
    child = sleeper(MARKER)
    pid_file = tmp_path / "pid"
    pid_file.write_text(str(child.pid))
    os.kill(child.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while process.is_running(pid_file, MARKER) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not process.is_running(pid_file, MARKER)
    child.wait()


def test_a_process_deaf_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TERMINATE_LIMIT_S", 0.2)
    child = sleeper(MARKER, prepare="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    pid_file = tmp_path / "pid"
    pid_file.write_text(str(child.pid))
    assert process.stop(pid_file, MARKER)
    assert child.wait(60) == -signal.SIGKILL


def test_a_detached_process_has_a_session_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = process.start_detached([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], log)
    assert child.wait(60) == 0
    assert log.read_text() == "True\n"


def test_a_detached_process_writes_its_own_id_and_parts_output_from_errors(tmp_path: Path) -> None:
    log, output, pid_file = tmp_path / "log", tmp_path / "output", tmp_path / "pid"
    output.write_text("before\n")
    code = "import os, sys; print(os.getpid()); print('wrong', file=sys.stderr)"
    child = process.start_detached([sys.executable, "-c", code], log, output=output, pid_file=pid_file)
    assert child.wait(60) == 0
    assert pid_file.read_text() == f"{child.pid}\n"
    assert output.read_text() == f"before\n{child.pid}\n"
    assert log.read_text() == "wrong\n"


VERB = """
import sys, time
from lab import cli, lab
from lab.progress import Progress

def wait(options):
    with lab.exclusive(options.labs, Progress()):
        print("begun", flush=True)
        time.sleep(60)

cli._parser = lambda: type("Parser", (), {"parse_args": lambda self, _: type("Options", (), {"run": staticmethod(wait), "labs": cli.Path(sys.argv[1])})})()
sys.exit(cli.main([]))
"""


def verb(labs: Path, owner: int) -> subprocess.Popen[str]:
    """A verb of the lab that takes the lock and stays, in a session of its own, as molecule has one."""
    return subprocess.Popen(
        [sys.executable, "-c", VERB, str(labs)],
        env={**os.environ, process.OWNER: str(owner)},
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_verb_ends_with_whoever_asked_for_it_and_frees_the_lab(tmp_path: Path) -> None:
    owner = sleeper(MARKER)
    child = verb(tmp_path, owner.pid)
    assert child.stdout is not None and child.stdout.readline() == "begun\n"
    descriptor = os.open(tmp_path, os.O_RDONLY)
    # The one that waits is told for whom.
    told = build.held_by(descriptor)
    assert f"(process {child.pid})" in told and sys.executable in told
    owner.kill()
    owner.wait()
    assert child.wait(60) == cli.INTERRUPTED
    assert "lab: interrupted" in child.stdout.read()
    assert build.held_by(descriptor) == ""
    os.close(descriptor)
    late = verb(tmp_path, owner.pid)
    said, _ = late.communicate(timeout=60)
    assert late.returncode == 1 and f"{process.OWNER} is {owner.pid}, and no such process runs" in said


def test_a_sparse_file_stays_sparse(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as stream:
        stream.seek(1 << 24)
        stream.write(b"x")
    process.copy_sparse(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 < 1 << 20
    with pytest.raises(LabError, match="cannot be copied"):
        process.copy_sparse(tmp_path / "absent", target)


def test_tail_is_short_and_free_of_control_characters(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\r\ntwo\r\n\x1b[0;1;31mthree\x1b[0m\xff\r\n")
    assert process.tail(log, 2) == "two\nthree\ufffd"
    assert process.tail(tmp_path / "absent", 2) == ""
