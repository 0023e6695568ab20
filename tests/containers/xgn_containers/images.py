"""Build the images' file systems once and keep them by content."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.bootstrap import LEAN, bootstrap_command
from lab.data import tar_of
from lab.errors import LabError
from lab.paths import RECIPE_DIR
from lab.process import tail
from lab.progress import Progress
from lab.recipe import files_below

from .paths import CONTAINERS_DIR

# Raise it when the build changes in a way that neither images.toml nor customise.sh shows.
BUILDER_VERSION = 1
REPOSITORY = "xgn-test"
# Where Debian's Python finds what keeps byte code for it.
PYTHON = "usr/lib/python3/dist-packages"
BUILD_LIMIT_S = 900
LOG_LINES = 25


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an image's content.

    Parameters:
        kind: "debian" for a bare host, "build" for one that can build from source.
        version: Debian's version, the image's tag.
        suite: Debian's code name.
        packages: what is installed.
        archive: what lies in the image as a local package archive.
        sources: source packages that lie there, too.
        sources_suite: the suite they are from.
        mask: systemd units and generators that must not run.
        files: what it shares with the lab's machines, with path, mode and content.
        customise: the script that ends the build.
    """

    kind: str
    version: str
    suite: str
    packages: tuple[str, ...]
    archive: tuple[str, ...]
    sources: tuple[str, ...]
    sources_suite: str
    mask: tuple[str, ...]
    files: tuple[tuple[str, int, str], ...]
    customise: str

    @property
    def digest(self) -> str:
        """A short hash over all of it."""
        text = json.dumps([BUILDER_VERSION, LEAN, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def image(self) -> str:
        """The image's name in Docker."""
        return f"{REPOSITORY}/{self.kind}:{self.version}"

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return f"{self.kind}-{self.version}"

    def tarball(self, cache: Path) -> Path:
        """Return where the image's file system is or will be."""
        return cache / f"{self.stem}-{self.digest}.tar"


def load_recipes(directory: Path = CONTAINERS_DIR) -> list[Recipe]:
    """Read all recipes from ``images.toml``."""
    data = tomllib.loads((directory / "images.toml").read_text(encoding="utf-8"))
    content, extra = data["content"], data["build"]
    customise = (directory / "customise.sh").read_text(encoding="utf-8")

    def recipe(kind: str, version: str, suite: str, archive: list[str], sources: list[str]) -> Recipe:
        return Recipe(
            kind=kind,
            version=version,
            suite=suite,
            packages=tuple(sorted(content["packages"])),
            archive=tuple(sorted(archive)),
            sources=tuple(sorted(sources)),
            sources_suite=extra["sources_suite"] if sources else "",
            mask=tuple(sorted(content["mask"])),
            files=tuple((f"{PYTHON}/{path}", mode, text) for path, mode, text in files_below(RECIPE_DIR / "files" / PYTHON)),
            customise=customise,
        )

    suites = sorted(data["suites"].items())
    bare = [recipe("debian", version, suite, content["archive"] + content["archive_of"].get(version, []), []) for version, suite in suites]
    build_hosts = [
        recipe("build", version, suite, [*extra["archive"], extra["libyang"][version]], extra["sources"]) for version, suite in suites
    ]
    return bare + build_hosts


def build(recipe: Recipe, cache: Path, progress: Progress) -> Path:
    """Build the file system of ``recipe`` unless it is there, and return it.

    Raises:
        LabError: the build failed; with the end of its log.
    """
    tarball = recipe.tarball(cache)
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{recipe.stem}.lock") as lock:
        if tarball.is_file():
            return tarball
        # Left by an interrupted build; the lock says that nobody works on it.
        for leftover in cache.glob(f".building-{recipe.stem}-*"):
            leftover.unlink()
        unfinished = cache / f".building-{recipe.stem}-{recipe.digest}.tar"
        log = cache / f".building-{recipe.stem}-{recipe.digest}.log"
        progress.step(f"image {recipe.image}", f"installing Debian {recipe.suite}")
        _mmdebstrap(recipe, unfinished, log, lock)
        unfinished.rename(tarball)
        log.unlink()
        unfinished.with_suffix(".files").unlink()
        # Older versions of this image serve nobody in this checkout; another one builds its own again.
        for old in set(cache.glob(f"{recipe.stem}-*.tar")) - {tarball}:
            old.unlink()
    progress.done(f"image {recipe.image}", "built")
    return tarball


def _mmdebstrap(recipe: Recipe, target: Path, log: Path, lock: int) -> None:
    if shutil.which("mmdebstrap") is None:
        raise LabError("mmdebstrap is missing: install the package mmdebstrap")
    customise = f"XGN_ARCHIVE='{' '.join(recipe.archive)}'\nXGN_MASK='{' '.join(recipe.mask)}'\n"
    customise += f"XGN_SOURCES='{' '.join(recipe.sources)}'\nXGN_SOURCES_SUITE='{recipe.sources_suite}'\n{recipe.customise}"
    files = target.with_suffix(".files")
    files.write_bytes(tar_of(recipe.files))
    hooks = [f"--customize-hook=tar-in {shlex.quote(str(files))} /", f"--customize-hook={customise}"]
    command = bootstrap_command(recipe.suite, recipe.packages, hooks, target)
    with log.open("wb") as stream:
        try:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                timeout=BUILD_LIMIT_S,
                check=False,
                # Should this program be killed, the orphan still holds the lock until it ends.
                pass_fds=(lock,),
                env=os.environ | {"LC_ALL": "C.UTF-8"},
            ).returncode
        except subprocess.TimeoutExpired:
            raise LabError(f"image {recipe.image}: the build took more than {BUILD_LIMIT_S} s") from None
    if status != 0:
        raise LabError(f"image {recipe.image}: mmdebstrap failed with status {status}:", tail(log, LOG_LINES))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on ``path``; the kernel frees it when the last holder ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
