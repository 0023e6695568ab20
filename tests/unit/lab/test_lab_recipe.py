"""Image recipes: the hash changes with everything that goes in, and with nothing else."""

from __future__ import annotations

import importlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import build, image
from lab.errors import LabError
from lab.paths import ARCHIVE_DIR, RECIPE_DIR
from lab.progress import Progress
from lab.recipe import load_archive_recipe, load_recipe, recipe_names

CONTAINERS = Path(__file__).resolve().parents[2] / "containers"


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    shutil.copytree(RECIPE_DIR, tmp_path / "images")
    return tmp_path / "images"


def test_the_hash_does_not_depend_on_where_or_in_which_order(recipes: Path) -> None:
    common = recipes / "common.yml"
    text = common.read_text()
    assert text.count("  - dbus\n") == 1
    common.write_text(text.replace("  - dbus\n", "").replace("packages:\n", "packages:\n  - dbus\n"))
    assert load_recipe("trixie", recipes).digest == load_recipe("trixie", RECIPE_DIR).digest


def append(path: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text((root / path).read_text() + text)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "trixie.yml").write_text("suite: trixie\npackages: [tree]\n"), id="package"),
        pytest.param(lambda root: (root / "trixie.yml").write_text("suite: sid\npackages: []\n"), id="suite"),
        pytest.param(
            lambda root: (root / "trixie.yml").write_text("suite: trixie\npackages: []\ndisable: [cron.service]\n"), id="disabled unit"
        ),
        pytest.param(append("customise.sh", "true\n"), id="script"),
        pytest.param(append("files/etc/initramfs-tools/conf.d/lab", "#\n"), id="file content"),
        pytest.param(lambda root: (root / "files/etc/initramfs-tools/hooks/lab").chmod(0o644), id="file mode"),
        pytest.param(lambda root: (root / "files/etc/new").write_text(""), id="new file"),
        pytest.param(lambda root: _replace(root / "common.yml", "disk_mib: 6144", "disk_mib: 8192"), id="disk size"),
        pytest.param(lambda root: _replace(root / "common.yml", "  - fstrim.timer\n", ""), id="masked unit"),
    ],
)
def test_the_hash_changes_with_every_ingredient(recipes: Path, change: Callable[[Path], object]) -> None:
    before = load_recipe("trixie", recipes).digest
    change(recipes)
    assert load_recipe("trixie", recipes).digest != before


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_two_suites_differ_and_common_is_no_image() -> None:
    assert recipe_names(RECIPE_DIR) >= {"bookworm", "trixie"}
    assert "common" not in recipe_names(RECIPE_DIR)
    assert load_recipe("trixie", RECIPE_DIR).digest != load_recipe("bookworm", RECIPE_DIR).digest


def test_scripts_stay_executable_in_the_archive() -> None:
    recipe = load_recipe("trixie", RECIPE_DIR)
    with tarfile.open(fileobj=io.BytesIO(recipe.files_archive())) as archive:
        modes = {member.name: member.mode for member in archive}
        hook = archive.extractfile("etc/initramfs-tools/hooks/lab")
        assert hook is not None
        assert hook.read().startswith(b"#!/bin/sh\n")
    assert modes["etc/initramfs-tools/hooks/lab"] == 0o755
    assert modes["etc/initramfs-tools/scripts/init-bottom/lab"] == 0o755
    assert modes["etc/initramfs-tools/conf.d/lab"] == 0o644


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("suite: trixie\n", "must be a mapping with exactly suite, packages"),
        ("suite: trixie\npackages: []\nextra: 1\n", "must be a mapping with exactly suite, packages"),
        ("suite: 13\npackages: []\n", "suite: must be of type str"),
        ("suite: trixie\npackages: []\ndisable: cron.service\n", "disable: must be of type list"),
    ],
)
def test_a_bad_recipe_is_refused(recipes: Path, text: str, message: str) -> None:
    (recipes / "trixie.yml").write_text(text)
    with pytest.raises(LabError, match=message):
        load_recipe("trixie", recipes)


def test_a_killed_build_is_removed_without_following_its_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still mounted in its directory is unmounted, the innermost first; what cannot be unmounted is named and nothing is removed."""
    work = tmp_path / "work"
    (work / "proc" / "fs").mkdir(parents=True)
    mounted = [Path("/proc"), work / "proc", work / "proc" / "fs"]
    stuck: set[Path] = {work / "proc"}

    def umount(command: list[str], **_: object) -> None:
        if Path(command[-1]) not in stuck:
            mounted.remove(Path(command[-1]))

    monkeypatch.setattr(build, "mount_points", lambda: list(mounted))
    monkeypatch.setattr(subprocess, "run", umount)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LabError, match=f"umount {re.escape(str(work / 'proc'))}$"):
        build.remove_tree(work)
    assert work.exists() and mounted == [Path("/proc"), work / "proc"]
    stuck.clear()
    build.remove_tree(work)
    assert not work.exists() and mounted == [Path("/proc")]


def test_mounts_of_a_killed_build_are_found_behind_a_link_and_with_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel names a mount by the way that it has itself, with white space as octal digits."""
    disk, cache = tmp_path / "a disk", tmp_path / "cache"
    (disk / ".building-x" / "proc").mkdir(parents=True)
    cache.symlink_to(disk)
    asked: list[str] = []
    place = str(disk / ".building-x" / "proc").replace(" ", "\\040")
    text = {"mounts": f"1 2 0:3 / / rw - ext4 a b\n4 5 0:6 / {place} rw - proc proc rw\n"}

    def umount(command: list[str], **_: object) -> None:
        asked.append(command[-1])
        text["mounts"] = text["mounts"].splitlines()[0] + "\n"

    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, **how: text["mounts"] if str(path) == "/proc/self/mountinfo" else read(path, **how))
    monkeypatch.setattr(subprocess, "run", umount)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    build.remove_tree(cache / ".building-x")
    assert asked == [str(disk / ".building-x" / "proc")] and not (disk / ".building-x").exists()


def test_what_a_killed_build_left_goes_though_its_result_is_there(tmp_path: Path) -> None:
    (tmp_path / ".building-trixie-old" / "root").mkdir(parents=True)
    (tmp_path / "trixie-new").mkdir()
    build.keep(tmp_path / "trixie-new", "trixie", "image trixie", lambda work, runner: None, Progress(), threading.Event())
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["trixie-new", "trixie.lock"]


def test_a_container_image_whose_build_was_killed_is_built_in_a_directory_that_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What mmdebstrap makes meanwhile, and mounts, lies in there, too: the next build knows where."""
    monkeypatch.syspath_prepend(str(CONTAINERS))
    container_images = importlib.import_module("xgn_containers.images")
    recipe, *_more = container_images.load_recipes()
    killed = tmp_path / f".building-{recipe.stem}-old"
    (killed / "mmdebstrap.abc" / "proc").mkdir(parents=True)
    (tmp_path / f".building-{recipe.stem}-older.tar").touch()
    seen: list[str] = []

    def mmdebstrap(self: build.Runner, step: str, command: list[str], **_limits: object) -> None:
        seen.append(build.build_environment(self.work)["TMPDIR"])
        (self.work / "root.tar").write_text("tar")

    monkeypatch.setattr(build.Runner, "run", mmdebstrap)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    tarball = container_images.build(recipe, tmp_path, Progress())
    assert seen == [str(tmp_path / f".building-{recipe.stem}-{recipe.digest}")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([tarball.name, f"{recipe.stem}.lock"])


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    shutil.copytree(ARCHIVE_DIR, tmp_path / "archives")
    return tmp_path / "archives"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: _replace(root / "router.yml", "  - procps\n", ""), id="package"),
        pytest.param(lambda root: _replace(root / "router.yml", "suite: trixie", "suite: sid"), id="suite"),
        pytest.param(lambda root: _replace(root / "router.yml", "  - fstrim.timer\n", ""), id="masked unit"),
        pytest.param(append("customise.sh", "true\n"), id="script"),
    ],
)
def test_the_hash_of_an_archive_changes_with_every_ingredient(archives: Path, change: Callable[[Path], object]) -> None:
    before = load_archive_recipe("router", archives).digest
    assert before == load_archive_recipe("router", ARCHIVE_DIR).digest
    change(archives)
    assert load_archive_recipe("router", archives).digest != before


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An mmdebstrap that makes a small archive, and notes its call; it fails when a file says so, and a zstd that copies."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "mmdebstrap").write_text(
        f"""#!/bin/sh
echo "$@" >>{tmp_path}/calls
[ ! -e {tmp_path}/fail ] || {{ echo 'E: no such package' >&2; exit 1; }}
for word; do case "$word" in */root.tar) echo contents >"$word" ;; esac; done
"""
    )
    (binaries / "zstd").write_text('#!/bin/sh\ncp "$4" "$6"\n')
    for program in binaries.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    return tmp_path


def test_an_archive_is_built_once_and_kept_by_content(programs: Path, archives: Path) -> None:
    cache, stop = programs / "cache", threading.Event()
    recipe = load_archive_recipe("router", archives)
    with Progress(io.StringIO()) as progress:
        first = image.build_archive(recipe, cache, progress, stop)
        assert image.build_archive(recipe, cache, progress, stop) == first == image.archive_of(recipe, cache)
        assert first.read_text() == "contents\n"
        before = (programs / "calls").read_text()
        assert before.count("--variant=minbase") == 1 and ",frr," in before and "LAB_MASK='apt-daily-upgrade.timer" in before
        _replace(archives / "router.yml", "  - procps\n", "")
        other = image.build_archive(load_archive_recipe("router", archives), cache, progress, stop)
    assert other != first and first.is_file()
    assert (programs / "calls").read_text().count("--variant=minbase") == 2
    assert not list(cache.glob(".building-*"))


def test_a_failed_archive_leaves_nothing_but_its_log_in_the_message(programs: Path) -> None:
    (programs / "fail").touch()
    recipe = load_archive_recipe("router", ARCHIVE_DIR)
    with Progress(io.StringIO()) as progress, pytest.raises(LabError, match="archive router: mmdebstrap failed with status 1") as caught:
        image.build_archive(recipe, programs / "cache", progress, threading.Event())
    assert "E: no such package" in str(caught.value)
    assert [path.name for path in (programs / "cache").iterdir()] == ["archive-router.lock"]
