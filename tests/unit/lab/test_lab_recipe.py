"""Image recipes: the hash changes with everything that goes in, and with nothing else."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import image
from lab.errors import LabError
from lab.paths import RECIPE_DIR
from lab.recipe import load_recipe, recipe_names


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

    monkeypatch.setattr(image, "_mount_points", lambda: list(mounted))
    monkeypatch.setattr(image.subprocess, "run", umount)
    monkeypatch.setattr(image.os, "geteuid", lambda: 0)
    with pytest.raises(LabError, match=f"umount {re.escape(str(work / 'proc'))}$"):
        image._remove_tree(work)
    assert work.exists() and mounted == [Path("/proc"), work / "proc"]
    stuck.clear()
    image._remove_tree(work)
    assert not work.exists() and mounted == [Path("/proc")]
