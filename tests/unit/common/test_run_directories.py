"""Directories of runs: whole or not at all, the latest behind one link, the old ones gone."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common import run_directories
from ansible_collections.xuegao.net.plugins.plugin_utils.common.run_directories import current, holds, publish, use


def names(base: Path) -> list[str]:
    return sorted(path.name.rpartition("-")[2] for path in (base / "runs").iterdir())


def test_the_latest_is_behind_the_link(tmp_path: Path) -> None:
    assert current(tmp_path) is None
    first = publish(tmp_path, "a", {"one.txt": "1", "sub/two.bin": b"\x00"}, 5)
    assert (first / "sub" / "two.bin").read_bytes() == b"\x00"
    assert current(tmp_path) == first.resolve()
    second = publish(tmp_path, "b", {"one.txt": "2"}, 5)
    assert (tmp_path / "current" / "one.txt").read_text(encoding="utf-8") == "2"
    assert (first / "one.txt").read_text(encoding="utf-8") == "1"
    assert current(tmp_path) == second.resolve()
    assert (second.stat().st_mode & 0o777) == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "runs"]


def test_a_directory_moves_with_its_link(tmp_path: Path) -> None:
    publish(tmp_path / "plan", "a", {"one.txt": "1"}, 5)
    (tmp_path / "plan").rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "current" / "one.txt").is_file()


def test_what_was_killed_or_failed_leaves_the_latest_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish(tmp_path, "a", {"one.txt": "1"}, 5)
    with pytest.raises(OSError, match=r"one\.txt"):
        publish(tmp_path, "b", {"one.txt": "2", "one.txt/under": "3"}, 5)
    assert current(tmp_path) == first.resolve() and names(tmp_path) == ["a"]
    # A run that was killed over it cannot clean up; a later one does, once nobody can be writing there.
    left = tmp_path / "runs" / ".new-killed"
    left.mkdir()
    publish(tmp_path, "c", {"one.txt": "2"}, 5)
    assert left.exists()
    os.utime(left, (0, 0))
    publish(tmp_path, "d", {"one.txt": "3"}, 5)
    assert not left.exists()


def test_old_ones_go_and_what_is_in_use_stays(tmp_path: Path) -> None:
    made = [publish(tmp_path, f"n{number}", {"one.txt": "1"}, 9) for number in range(5)]
    for directory in made:
        os.utime(directory, (0, 0))
    use(made[1])
    publish(tmp_path, "last", {"one.txt": "1"}, 2, unused_seconds=3600)
    assert names(tmp_path) == ["last", "n1", "n4"]
    publish(tmp_path, "end", {"one.txt": "1"}, 1)
    assert names(tmp_path) == ["end"]


def test_the_latest_stays_however_old_it_is(tmp_path: Path) -> None:
    """A plan that is the same for months is written once, and older plans may be written in between by a clock that was wrong."""
    latest = publish(tmp_path, "latest", {"one.txt": "1"}, 5)
    os.utime(latest, (0, 0))
    for number in range(3):
        (tmp_path / "runs" / f"99990101T000000.{number}Z-x").mkdir()
    run_directories._prune(tmp_path, 2, 0)
    assert latest.is_dir()


def test_holds_compares_what_is_asked_for(tmp_path: Path) -> None:
    directory = publish(tmp_path, "a", {"one.txt": "1", "more.txt": "m"}, 5)
    assert holds(directory, {"one.txt": "1"}) and holds(directory, {"one.txt": b"1"})
    assert not holds(directory, {"one.txt": "2"}) and not holds(directory, {"two.txt": "1"})


def test_readers_see_one_of_them_whole_whatever_is_written(tmp_path: Path) -> None:
    """Two writers at once and a reader who looks all the time: the link always leads to a whole directory, all of one run."""
    files = [f"f{number}" for number in range(5)]
    publish(tmp_path, "start", dict.fromkeys(files, "start"), 99)
    over = threading.Event()
    seen: list[set[str]] = []

    def look() -> None:
        while not over.is_set():
            directory = (tmp_path / "current").resolve(strict=True)
            seen.append({(directory / name).read_text(encoding="utf-8") for name in files})
            time.sleep(0)

    def write(label: str) -> None:
        for number in range(10):
            publish(tmp_path, label, dict.fromkeys(files, f"{label}{number}"), 99)

    reader = threading.Thread(target=look)
    writers = [threading.Thread(target=write, args=(label,)) for label in "ab"]
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    assert seen and all(len(found) == 1 for found in seen)
    assert len(names(tmp_path)) == 21
