"""tools/stages.py: a stage that hangs, breaks or is interrupted costs itself, never the closing line."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).resolve().parents[3] / "tools" / "stages.py"
# Runs the program with stages of the test's choice: `{results}` and `{stages}` are filled in. Its clock jumps by 100 s once a stage has said that
# it hangs now, so that a limit is reached then, however busy the machine is.
RUNNER = """
import pathlib, sys, time, types
sys.path.insert(0, {tools!r})
import stages
stages.RESULTS = pathlib.Path({results!r})
log = stages.RESULTS / "hangs.log"
stages.time = types.SimpleNamespace(monotonic=lambda: time.monotonic() + 100 * (log.exists() and "before the hang" in log.read_text()))
stages.FIGURES = stages.RESULTS / "figures.jsonl"
stages.CHECK = ({stages})
sys.argv[1:] = ["check"]
sys.exit(stages.main())
"""
HANG = "import time; print('before the hang', flush=True); time.sleep(3600)"


def command(results: Path, stages: str) -> list[str]:
    """The command line that runs these stages."""
    return [sys.executable, "-c", RUNNER.format(tools=str(PROGRAM.parent), results=str(results), stages=stages)]


def stage(name: str, code: str, seconds: float = 600, beside: bool = False) -> str:
    """Source of a stage that runs Python code."""
    return f"stages.Stage({name!r}, ({sys.executable!r}, '-c', {code!r}), minutes={seconds / 60}, beside={beside}),"


def test_a_stage_that_hangs_is_ended_and_the_others_run(tmp_path: Path) -> None:
    stages = stage("good", "print('fine')") + stage("hangs", HANG, seconds=90) + stage("bad", "raise SystemExit(3)") + stage("last", "pass")
    run = subprocess.run(command(tmp_path, stages), capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 1
    assert run.stdout.splitlines()[-1] == "2 passed, 2 failed, 0 skipped"
    told = run.stdout[run.stdout.index("=== hangs: ended") :]
    assert "before the hang" in told.splitlines()[1]
    assert "failed: hangs: ended, because it took more than 2 minutes" in run.stdout.splitlines()
    assert (tmp_path / "good.log").read_text(encoding="utf-8") == "fine\n"


def test_the_tests_of_a_pytest_stage_are_counted(tmp_path: Path) -> None:
    tests = tmp_path / "test_some.py"
    tests.write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('no')\ndef test_c(): assert 1 == 2, 'sums'\n", encoding="utf-8"
    )
    stages = f"stages.Stage('some', ({sys.executable!r}, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', {str(tests)!r}), pytest=True),"
    run = subprocess.run(command(tmp_path, stages), capture_output=True, text=True, timeout=600, check=False)
    failed, closing = run.stdout.splitlines()[-2:]
    assert closing == "1 passed, 1 failed, 1 skipped", run.stdout
    assert re.fullmatch(r"failed: some: \S*test_some: test_c: AssertionError: sums assert 1 == 2", failed), failed


def test_the_reason_of_many_failures_is_said_last(tmp_path: Path) -> None:
    """Tests that fail for the same reason share a line; of a long message the end is shown, too."""
    tests = tmp_path / "test_some.py"
    tests.write_text(
        "import pytest\ndef test_reason(): assert False, 'it begins' + 'x' * 9000 + 'the network is gone'\n"
        "@pytest.mark.parametrize('n', range(3))\ndef test_a(n): pytest.fail('see test_reason', pytrace=False)\n",
        encoding="utf-8",
    )
    stages = f"stages.Stage('some', ({sys.executable!r}, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', {str(tests)!r}), pytest=True),"
    run = subprocess.run(command(tmp_path, stages), capture_output=True, text=True, timeout=600, check=False)
    many, reason, closing = run.stdout.splitlines()[-3:]
    assert closing == "0 passed, 4 failed, 0 skipped", run.stdout
    assert re.fullmatch(r"failed: some: \S*test_some: test_a\[0\] and 2 more: Failed: see test_reason", many), many
    assert "test_reason: AssertionError: it begins" in reason
    assert "the network is gone" in reason
    assert len(reason) < 2500


def test_interrupted_it_still_counts(tmp_path: Path) -> None:
    stages = stage("good", "pass") + stage("hangs", HANG) + stage("never", "print('never')")
    process = subprocess.Popen(command(tmp_path, stages), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith("before the hang"):
            process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 1
    assert "=== hangs: interrupted" in lines
    assert lines[-1] == "1 passed, 2 failed, 0 skipped"


def test_one_goes_on_beside_those_after_it(tmp_path: Path) -> None:
    """Its lines tell whose they are, and its log does not; the table keeps the order of the stages."""
    meet = "import pathlib, time\nend = time.monotonic() + 300\nmine, other = map(pathlib.Path, {})\nmine.touch()\n"
    meet += "while not other.exists():\n    assert time.monotonic() < end\n    time.sleep(0.01)\nprint('met')"
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    stages = stage("long", meet.format((one, two)), beside=True) + stage("short", meet.format((two, one))) + stage("last", "pass")
    run = subprocess.run(command(tmp_path, stages), capture_output=True, text=True, timeout=600, check=False)
    assert run.stdout.splitlines()[-1] == "3 passed, 0 failed, 0 skipped", run.stdout
    assert {"met", "long | met"} <= set(run.stdout.splitlines())
    assert (tmp_path / "long.log").read_text(encoding="utf-8") == "met\n"
    table = [line.split()[0] for line in run.stdout.splitlines()[-6:-1]]
    assert table == ["stage", "long", "short", "last", "all"]


def test_what_goes_on_beside_the_others_gives_way_to_them(tmp_path: Path) -> None:
    """Its programs are nicer than those of a stage that has its turn, up to what the kernel knows."""
    nice = "import os; print(f'nice {os.nice(0)}')"
    run = subprocess.run(
        command(tmp_path, stage("beside", nice, beside=True) + stage("turn", nice)),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    beside, turn = (int((tmp_path / f"{name}.log").read_text(encoding="utf-8").split()[1]) for name in ("beside", "turn"))
    own = os.nice(0)
    assert (turn, beside) == (own, min(own + 10, 19))


def test_figures_are_shown_and_fail_nothing(tmp_path: Path) -> None:
    line = '{"name": "plain path", "value": 1.5, "unit": "s", "pressure": 42.0}'
    code = f"import pathlib; pathlib.Path({str(tmp_path / 'figures.jsonl')!r}).write_text({line!r})"
    run = subprocess.run(command(tmp_path, stage("measures", code)), capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0
    assert re.search(r"^plain path +1\.50 s +42 %$", run.stdout, re.MULTILINE), run.stdout


def test_what_does_not_get_its_turn_counts_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    program: dict[str, Any] = runpy.run_path(str(PROGRAM))
    (outcome,) = program["run_all"]([program["Stage"]("late", ("true",))], 0)
    assert (outcome.passed, outcome.failed) == (0, 1)
    assert re.search(r"late: not run, because all stages together took more than 0 minutes", capsys.readouterr().out)


def test_pytest_enters_every_directory_of_tests(pytestconfig: pytest.Config) -> None:
    """It leaves out what is named like the product of a build, `build` and `dist` among them, and says nothing."""
    left_out = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in TESTS.rglob("test_*.py")}
    names = {part for folder in folders for part in folder.relative_to(TESTS).parts}
    assert not [name for name in names if any(fnmatch(name, pattern) for pattern in left_out)]


def test_groups_that_leave_traces_on_the_machines_come_behind_those_that_do_not() -> None:
    """So the former need no boot. What looks at the others' logs is the last of all."""
    listing = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", "tests/vm/hybrid"]
    run = subprocess.run(listing, cwd=TESTS.parent, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout
    groups = list(dict.fromkeys(re.findall(r"^tests/vm/hybrid/(\w+)\.py::", run.stdout, re.MULTILINE)))
    assert set(groups) == {path.stem for path in (TESTS / "vm" / "hybrid").glob("test_*.py")}
    marked = ["leaves_traces" in (TESTS / "vm" / "hybrid" / f"{group}.py").read_text(encoding="utf-8") for group in groups]
    last = ["test_reference", "test_secrets"]
    assert groups[-2:] == last
    assert marked[:-2] == sorted(marked[:-2]) and not all(marked[:-2]) and any(marked)
    assert groups[0] == "test_network", "the others begin only as long as there is time"
    stages = runpy.run_path(str(PROGRAM))
    assert {*stages["BY_HAND"], *stages["HALVED"], *stages["LIVE"]} <= set(groups)


def test_a_few_commits_take_every_group_of_the_hybrid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = runpy.run_path(str(PROGRAM))
    chosen = stages["left_out"]
    always_left_out = {*stages["HALVED"], *stages["LIVE"], *stages["BY_HAND"]}
    for number in range(100):
        monkeypatch.setitem(chosen.__globals__, "commit_number", lambda number=number: number)
        left = {*chosen()}
        assert len(left & {*stages["HALVED"]}) == len(stages["HALVED"]) // 2
        assert len(left & {*stages["LIVE"]}) >= len(stages["LIVE"]) - 1
        always_left_out &= left
    assert always_left_out == set(stages["BY_HAND"])


def test_two_commits_take_every_container_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = runpy.run_path(str(PROGRAM))
    chosen = stages["in_containers"]
    found = []
    for number in (6, 7):
        monkeypatch.setitem(chosen.__globals__, "commit_number", lambda number=number: number)
        found.append(chosen())
    assert {*found[0], *found[1]} == set(stages["PROVEN"])
    assert len(found[0]) == len(found[1]) == len(stages["PROVEN"]) - stages["LONG"] // 2


def test_ci_measures_what_the_unit_tests_reach_and_not_in_those_that_try_many_inputs(pytestconfig: pytest.Config) -> None:
    stages = runpy.run_path(str(PROGRAM))
    unit, playbooks = [stage for stage in stages["TEST"] if "tests/unit" in stage.command]
    assert "--cov" in unit.command and "--cov" not in playbooks.command
    # Between them they take every test.
    assert unit.command[unit.command.index("-m") + 1] == f"not {playbooks.command[playbooks.command.index('-m') + 1]}"
    assert [stage for stage in stages["CHECK"] if "--cov" in stage.command] == [], "the inner loop is fast"
    (conftest,) = [
        plugin
        for plugin in pytestconfig.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", "") == str(TESTS / "unit" / "conftest.py")
    ]
    marked: list[str] = []

    def item(name: str, tries: bool, *fixtures: str) -> SimpleNamespace:
        return SimpleNamespace(
            obj=SimpleNamespace(is_hypothesis_test=tries), fixturenames=fixtures, add_marker=lambda mark: marked.append(f"{name} {mark}")
        )

    conftest.pytest_collection_modifyitems([item("plain", False, "tmp_path"), item("tries", True), item("counts", False, "lines")])
    assert marked == ["tries no_cover", "counts no_cover"]
