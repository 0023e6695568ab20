"""Build disk images, and root file systems for containers, once and keep them by content."""

from __future__ import annotations

import json
import os
import shlex
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from lab.bootstrap import bootstrap_command
from lab.build import Runner, keep
from lab.progress import Progress
from lab.recipe import ArchiveRecipe, Recipe

BUILD_DISK_MIB = 3072
ARCHIVE_DISK_MIB = 512
# A fifth larger than the best that zstd can do, in a tenth of the time.
ARCHIVE_LEVEL = 10
# A test that reads a package's documents reads them in a container.
NO_DOCUMENTS = ("path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright")


@dataclass(frozen=True)
class Image:
    """A finished image: disk, kernel and initrd, and an identity that a rebuild changes."""

    directory: Path

    @property
    def disk(self) -> Path:
        """The file system that machines' own disks stand on, byte for byte, with holes where nothing is."""
        return self.directory / "disk.raw"

    @property
    def kernel(self) -> Path:
        """The distribution's kernel."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initial RAM disk that goes with it."""
        return self.directory / "initrd"

    @property
    def identity(self) -> str:
        """Hash of the recipe and of this very build: an overlay fits to no other."""
        return f"{self.directory.name}/{self._record.read_text(encoding='utf-8').strip()}"

    @property
    def _record(self) -> Path:
        return self.directory / "build_id"


def image_of(recipe: Recipe, cache: Path) -> Image:
    """Return where the image of ``recipe`` is or will be."""
    return Image(cache / f"{recipe.name}-{recipe.digest}")


def is_built(recipe: Recipe, cache: Path) -> bool:
    """Tell whether the image is there; it appears by a rename, so it is whole if it is there."""
    return image_of(recipe, cache).directory.is_dir()


def build(recipe: Recipe, cache: Path, progress: Progress, stop: threading.Event) -> Image:
    """Build the image of ``recipe`` unless it exists.

    Parameters:
        recipe: what to build.
        cache: directory of all images.
        progress: where to tell how far it is.
        stop: set it from another thread to abandon the build; what was begun is removed.

    Raises:
        LabError: a step failed; with the end of its log.
    """
    image = image_of(recipe, cache)
    keep(image.directory, recipe.name, f"image {recipe.name}", lambda work, runner: _build_in(work, recipe, runner), progress, stop)
    return image


def archive_of(recipe: ArchiveRecipe, cache: Path) -> Path:
    """Return where the archive of ``recipe`` is or will be."""
    return cache / f"archive-{recipe.name}-{recipe.digest}" / f"{recipe.name}.tar.zst"


def build_archive(recipe: ArchiveRecipe, cache: Path, progress: Progress, stop: threading.Event) -> Path:
    """Build the archive of ``recipe`` unless it exists, and return its path. Parameters and errors are those of `build`."""
    archive = archive_of(recipe, cache)
    subject = f"archive {recipe.name}"
    keep(archive.parent, f"archive-{recipe.name}", subject, lambda work, runner: _archive_in(work, recipe, runner), progress, stop)
    return archive


def _build_in(work: Path, recipe: Recipe, runner: Runner) -> None:
    root_tar, files_tar, result = work / "root.tar", work / "files.tar", work / "result"
    files_tar.write_bytes(recipe.files_archive())
    result.mkdir()
    units = {"ENABLE": recipe.enable, "DISABLE": recipe.disable, "MASK": recipe.mask}
    variables = "".join(f"LAB_{verb}='{' '.join(names)}'\n" for verb, names in units.items()) + f"LAB_KERNEL='{recipe.kernel}'\n"
    # The initrd's settings have to be there before the kernel is installed.
    hooks = [f"--essential-hook=tar-in {shlex.quote(str(files_tar))} /", f"--customize-hook={variables}{recipe.customise}"]
    runner.run(f"installing Debian {recipe.suite}", bootstrap_command(recipe.suite, recipe.packages, hooks, root_tar, NO_DOCUMENTS))
    # A user who is not root gets the files' owners right in a namespace of his own.
    namespace = [] if os.geteuid() == 0 else ["unshare", "--map-auto", "--map-root-user", "--"]
    runner.run("making the file system", [*namespace, "sh", "-euc", _DISK_SCRIPT, "sh", str(work), str(recipe.disk_mib)])
    (result / "build_id").write_text(uuid.uuid4().hex + "\n", encoding="utf-8")
    (result / "recipe.json").write_text(json.dumps({"suite": recipe.suite, "packages": recipe.packages}, indent=2) + "\n", encoding="utf-8")


def _archive_in(work: Path, recipe: ArchiveRecipe, runner: Runner) -> None:
    root_tar, result = work / "root.tar", work / "result"
    result.mkdir()
    customise = f"LAB_MASK='{' '.join(recipe.mask)}'\n{recipe.customise}"
    command = bootstrap_command(recipe.suite, recipe.packages, [f"--customize-hook={customise}"], root_tar, NO_DOCUMENTS)
    runner.run(f"installing Debian {recipe.suite}", command)
    target = result / f"{recipe.name}.tar.zst"
    runner.run("compressing", ["zstd", "--quiet", "--threads=0", f"-{ARCHIVE_LEVEL}", str(root_tar), "-o", str(target)])


_DISK_SCRIPT = """
work=$1 size_mib=$2
mkdir "$work/root"
tar --extract --file="$work/root.tar" --directory="$work/root" --numeric-owner --same-permissions --exclude='./dev/*'
rm "$work/root.tar"
cp "$work"/root/boot/vmlinuz-* "$work/result/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$work/result/initrd"
# All tables are written now: the guest would do it in its first minutes, at emulated speed.
mke2fs -q -t ext4 -L root -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 -d "$work/root" \
    "$work/result/disk.raw" "${size_mib}M"
rm -rf "$work/root"
"""
