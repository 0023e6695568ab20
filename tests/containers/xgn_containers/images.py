"""Build the images' file systems once and keep them by content."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import threading
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.bootstrap import LEAN, bootstrap_command
from lab.build import Runner, locked, remove_work
from lab.data import tar_of
from lab.errors import LabError
from lab.paths import RECIPE_DIR
from lab.progress import Progress
from lab.recipe import files_below

from .paths import CONTAINERS_DIR

# Raise it when the build changes in a way that neither images.toml nor customise.sh shows.
BUILDER_VERSION = 1
REPOSITORY = "xgn-test"
# Where Debian's Python finds what keeps byte code for it.
PYTHON = "usr/lib/python3/dist-packages"
BUILD_LIMIT_S = 900


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
    tarball, subject, stop = recipe.tarball(cache), f"image {recipe.image}", threading.Event()
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{recipe.stem}.lock", progress, subject, stop) as lock:
        # Left by a build that was killed, with what is mounted there; the lock says that nobody works on it.
        for leftover in cache.glob(f".building-{recipe.stem}-*"):
            remove_work(leftover)
        if tarball.is_file():
            return tarball
        work = cache / f".building-{recipe.stem}-{recipe.digest}"
        work.mkdir()
        try:
            _mmdebstrap(recipe, work, Runner(work, subject, progress, stop, lock)).rename(tarball)
        finally:
            remove_work(work)
        # Older versions of this image serve nobody in this checkout; another one builds its own again.
        for old in set(cache.glob(f"{recipe.stem}-*.tar")) - {tarball}:
            old.unlink()
    progress.done(f"image {recipe.image}", "built")
    return tarball


def _mmdebstrap(recipe: Recipe, work: Path, runner: Runner) -> Path:
    """Make the file system in a directory of work, and return its archive."""
    if shutil.which("mmdebstrap") is None:
        raise LabError("mmdebstrap is missing: install the package mmdebstrap")
    customise = f"XGN_ARCHIVE='{' '.join(recipe.archive)}'\nXGN_MASK='{' '.join(recipe.mask)}'\n"
    customise += f"XGN_SOURCES='{' '.join(recipe.sources)}'\nXGN_SOURCES_SUITE='{recipe.sources_suite}'\n{recipe.customise}"
    files, target = work / "files.tar", work / "root.tar"
    files.write_bytes(tar_of(recipe.files))
    hooks = [f"--customize-hook=tar-in {shlex.quote(str(files))} /", f"--customize-hook={customise}"]
    command = bootstrap_command(recipe.suite, recipe.packages, hooks, target)
    runner.run(f"installing Debian {recipe.suite}", command, limit_s=BUILD_LIMIT_S)
    return target
