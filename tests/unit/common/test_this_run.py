"""What names a run, whether another one is over, and what an inventory is called."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common import this_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_directory, inventory_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, began, claim, is_over, operator, partly, shown

ROOT = Path(__file__).resolve().parents[3]
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a controller without /proc cannot tell")


def test_a_run_has_one_name_in_all_of_its_workers() -> None:
    """A forked worker has what its parent imported."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, this_run.RUN.run.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100).decode() == RUN.run
    assert str(os.getpid()) in RUN.run


def test_two_runs_have_two_names() -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}\nfrom {this_run.__name__} import RUN; print(RUN.run)"
    names = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(names | {RUN.run}) == 3


@linux
def test_a_run_of_this_controller_is_over_when_its_process_is_gone() -> None:
    mine: dict[str, Any] = claim({"ansible_inventory_sources": ["inventories/hybrid"]})
    assert not is_over(mine)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other = {**mine, "run": "another", "pid": process.pid, "ticks": began(process.pid)}
    assert other["ticks"] and not is_over(other)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_over(other), "killed, and its parent has not heard of it yet"
    process.communicate()
    assert is_over(other)
    assert is_over({**mine, "ticks": mine["ticks"] + 1}), "the number has been given to another process"


@linux
def test_a_process_that_proc_hides_is_not_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounted with hidepid, /proc shows nobody's processes but one's own: that of a colleague is not dead for that."""
    other = {**claim({}), "run": "another"}
    monkeypatch.setattr(this_run, "_process", lambda _pid: None)
    assert not is_over(other), "it can be signalled, and so it is there"

    def refused(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refused)
    assert not is_over(other)
    for state, ticks, over in (("R", other["ticks"], False), ("R", other["ticks"] + 1, True), ("Z", other["ticks"], True)):
        monkeypatch.setattr(this_run, "_process", lambda _pid, found=(state, ticks): found)
        assert is_over(other) is over

    def gone(_pid: int, _signal: int) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    assert is_over(other)


@pytest.mark.parametrize(
    "unknown",
    [{"place": "another kernel"}, {"place": ""}, {"ticks": 0}, {"place": None}, {"pid": -1}, {"pid": 0}, {"pid": 2**70}],
    ids=["elsewhere", "no place", "no /proc", "no note of it", "all processes", "a group of them", "no number of a process"],
)
def test_a_run_is_not_over_where_that_cannot_be_told(unknown: dict[str, Any]) -> None:
    """Another controller, a container with processes of its own, a system without /proc: there the note expires."""
    assert not is_over({**claim({}), "pid": 2**22 + 1, **unknown})
    assert not is_over({"run": "from an older collection"})


def test_who_runs_it_is_told_as_people_call_them() -> None:
    assert operator({}) == f"{RUN.user}@{RUN.controller}"
    assert operator({"awx_job_id": 42, "awx_user_name": "alice"}) == "alice (AWX job 42)"
    assert operator({"tower_job_id": 7}) == f"{RUN.user} (AWX job 7)"


def test_times_are_utc() -> None:
    assert shown("2026-11-29T03:12:05Z") == "2026-11-29 03:12:05 UTC"
    assert shown("yesterday") == "yesterday"
    assert shown(this_run.now()).endswith(" UTC")


@pytest.mark.parametrize(
    ("run_tags", "skip_tags", "start_at", "expected"),
    [
        (["all"], [], None, ""),
        ([], [], None, ""),
        (["frr", "all"], [], None, ""),
        (["frr", "vrf"], [], None, "--tags frr,vrf"),
        (["all"], ["docker_macvlan"], None, "--skip-tags docker_macvlan"),
        (["all"], ["molecule-notest", "notest"], None, ""),
        (["all"], ["notest", "ssh", "always"], None, "--skip-tags ssh,always"),
        (["all"], [], "Make the keys", "--start-at-task 'Make the keys'"),
        (["frr"], ["install"], None, "--tags frr --skip-tags install"),
    ],
)
def test_a_run_that_leaves_something_out_says_by_what(
    run_tags: list[str], skip_tags: list[str], start_at: str | None, expected: str
) -> None:
    assert partly({"ansible_run_tags": run_tags, "ansible_skip_tags": skip_tags}, start_at) == expected


def test_an_inventory_is_called_by_its_path(tmp_path: Path) -> None:
    here = tmp_path / "here"
    for directory in (here / "inventories" / "hybrid", tmp_path / "elsewhere" / "hybrid"):
        directory.mkdir(parents=True)
        (directory / "hosts.yml").touch()
        (directory / "prod.yml").touch()
    hybrid = here / "inventories" / "hybrid"
    names = {
        inventory_name([str(hybrid)], here): "inventories/hybrid",
        inventory_name([str(hybrid / "hosts.yml")], here): "inventories/hybrid",
        inventory_name([str(hybrid), "/somewhere/connection.yml"], here): "inventories/hybrid",
        inventory_name([str(hybrid / "prod.yml")], here): "inventories/hybrid/prod.yml",
        inventory_name([str(tmp_path / "elsewhere" / "hybrid")], here): f"{tmp_path}/elsewhere/hybrid".lstrip("/"),
        inventory_name([str(here / "inventories" / ".." / ".." / "elsewhere" / "hybrid")], here): f"{tmp_path}/elsewhere/hybrid".lstrip(
            "/"
        ),
        inventory_name([str(here / "hosts.yml")], here): "",
        inventory_name(["r1,r2,"], here): "",
        inventory_name([], here): "",
    }
    assert [found for found, expected in names.items() if found != expected] == []
    beside = [applied_directory([source], here) for source in (str(hybrid), str(hybrid / "hosts.yml"), str(hybrid / "prod.yml"), "r1,r2,")]
    assert beside == [hybrid / ".applied", hybrid / ".applied", hybrid / ".applied" / "prod.yml", here / ".applied"]


def test_no_two_inventories_share_a_directory(tmp_path: Path) -> None:
    """Whatever follows a point may be all that tells two of them apart."""
    files = [
        "hosts.eu",
        "hosts.us",
        "prod.yml",
        "prod.ini",
        "prod.east.yml",
        "prod.west.yml",
        "inventory.py",
        "hosts",
        "hosts.yml",
        "inventory.ini",
    ]
    for name in files:
        (tmp_path / name).touch()
    (tmp_path / "prod").mkdir()
    sources = [str(tmp_path), *(str(tmp_path / name) for name in [*files, "prod"])]
    for found in (
        [inventory_name([source], tmp_path) for source in sources],
        [applied_directory([source], tmp_path) for source in sources],
    ):
        assert len(set(map(str, found))) == len(sources)
    for name in ("hosts", "hosts.yml"):
        (tmp_path / name).unlink()
    assert inventory_name([str(tmp_path / "inventory.ini")], tmp_path) == "", "the only one that stands for its directory"
    assert inventory_name([str(tmp_path / "hosts.eu")], tmp_path) == "hosts.eu"


def test_each_tag_of_the_collection_leaves_something_out() -> None:
    texts = [path.read_text(encoding="utf-8") for room in ("roles", "playbooks") for path in (ROOT / room).rglob("*.yml")]
    tags = {tag for text in texts for found in re.findall(r"\btags: *\[([^]]*)]", text) for tag in re.split(", *", found)}
    assert {"frr", "install", "always"} < tags
    assert [tag for tag in sorted(tags) if not partly({"ansible_run_tags": ["all"], "ansible_skip_tags": [tag]}, None)] == []
