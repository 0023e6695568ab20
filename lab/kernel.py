"""The kernel of guests under User Mode Linux: built from Debian's source, or taken ready, and kept by content."""

from __future__ import annotations

import difflib
import hashlib
import json
import lzma
import re
import shlex
import shutil
import threading
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.bootstrap import KEYRING, bootstrap_command
from lab.build import Runner, keep, temporary_directory
from lab.data import digest_of, read_data, tar_of
from lab.errors import LabError
from lab.paths import KERNEL_DIR
from lab.progress import Progress

# Raise it when the build itself changes in a way that the recipe does not show.
BUILDER_VERSION = 1
# Twenty processor minutes where it was measured; this is for one slow and busy processor.
BUILD_LIMIT_S = 4 * 3600
# Environment, source, and what the compiler writes.
BUILD_DISK_MIB = 4096
MIB = 1024 * 1024
# Files of the recipe that the build itself reads.
FRAGMENT, PATCH, BUILD, MISSING = "uml.fragment", "uml.patch", "build.sh", "missing.sh"
FETCH = "fetch.sh"
BUILTIN = "modules.builtin"
RECORD = "kernel.json"
# Of recipe.yml, what does not decide what a build makes.
NOT_HASHED = ("archive_sha256", "objects")
COMPILED = re.compile(r"  (CC|AS) ")
FETCHED = re.compile(r"dlstatus:\d+:(\d+)")


@dataclass(frozen=True)
class Kernel:
    """A kernel that is there: a program that is a machine, and what belongs to it."""

    directory: Path

    @property
    def binary(self) -> Path:
        """The kernel, a program for the controller."""
        return self.directory / "linux"

    @property
    def builtin(self) -> Path:
        """The list of modules that are part of it; where a guest has it, modprobe of one of them succeeds."""
        return self.directory / BUILTIN

    @property
    def release(self) -> str:
        """What ``uname -r`` says in a guest."""
        return self._recorded("release")

    @property
    def origin(self) -> str:
        """Where it is from, in words."""
        return self._recorded("origin")

    @property
    def identity(self) -> str:
        """Hash of the recipe and of this very binary."""
        return self._recorded("identity")

    def _recorded(self, key: str) -> str:
        return str(json.loads((self.directory / RECORD).read_text(encoding="utf-8"))[key])


@dataclass(frozen=True)
class KernelRecipe:
    """Everything that decides what the kernel is.

    Parameters:
        release: what ``uname -r`` says in a guest.
        package, version: Debian's source package.
        source_suite: the suite that the source is from.
        source_sha256: checksum of the source package.
        suite: the suite that it is built in, whose C library is the oldest that the kernel runs with.
        packages: what the build needs there, sorted.
        files: name -> content, of the other files of the directory.
        objects: how many files the build compiles, for progress.
        archive_sha256: checksum of a ready kernel of this recipe.
    """

    release: str
    package: str
    version: str
    source_suite: str
    source_sha256: str
    suite: str
    packages: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    objects: int
    archive_sha256: str

    @property
    def digest(self) -> str:
        """A short hash over all that decides what a build makes.

        A ready kernel's checksum is not part of it: it says what is trusted beside a build, and whoever has built needs not
        build again because somebody else offers the same kernel ready.
        """
        return digest_of(BUILDER_VERSION, {key: value for key, value in asdict(self).items() if key not in NOT_HASHED})

    @property
    def subject(self) -> str:
        """What progress and errors call it."""
        return f"kernel {self.release}"

    @property
    def builtin(self) -> str:
        """The list of modules that are part of the kernel; a build must make this very list, a ready kernel brings none."""
        return dict(self.files)[BUILTIN]


def load_kernel_recipe(directory: Path = KERNEL_DIR) -> KernelRecipe:
    """Read the recipe in ``directory``.

    Raises:
        LabError: a key is missing or unknown, or a value has the wrong type.
    """
    kinds: dict[str, type] = {
        "release": str,
        "package": str,
        "version": str,
        "source_suite": str,
        "source_sha256": str,
        "suite": str,
        "packages": list,
        "objects": int,
        "archive_sha256": str,
    }
    data: dict[str, Any] = read_data(directory / "recipe.yml", kinds)
    if data["objects"] < 1:
        raise LabError("recipe.yml: objects: must be at least 1")
    files = tuple((name, (directory / name).read_text(encoding="utf-8")) for name in (FRAGMENT, PATCH, FETCH, BUILD, MISSING, BUILTIN))
    return KernelRecipe(**(data | {"packages": tuple(sorted(data["packages"])), "files": files}))


def kernel_of(recipe: KernelRecipe, cache: Path) -> Kernel:
    """Return where the kernel of ``recipe`` is or will be."""
    return Kernel(cache / f"{recipe.release}-{recipe.digest}")


def is_built(recipe: KernelRecipe, cache: Path) -> bool:
    """Tell whether the kernel is there, built or taken; it appears by a rename, so it is whole if it is there."""
    return kernel_of(recipe, cache).directory.is_dir()


def find_kernel(cache: Path) -> Kernel | None:
    """Return the kernel of this checkout's recipe, or None if it was neither built nor taken."""
    recipe = load_kernel_recipe()
    return kernel_of(recipe, cache) if is_built(recipe, cache) else None


def build_kernel(recipe: KernelRecipe, cache: Path, progress: Progress, stop: threading.Event) -> Kernel:
    """Build the kernel of ``recipe`` unless it is there, built or taken.

    Parameters:
        recipe: what to build.
        cache: directory of all kernels.
        progress: where to tell how far it is.
        stop: set it from another thread to abandon the build; what was begun is removed.

    Raises:
        LabError: something is missing, or a step failed; with the end of its log.
    """
    kernel = kernel_of(recipe, cache)
    keep(kernel.directory, recipe.release, recipe.subject, partial(_build_in, recipe), progress, stop)
    return kernel


def take_kernel(recipe: KernelRecipe, archive: Path, cache: Path, progress: Progress) -> Kernel:
    """Take a ready kernel, unless the kernel of ``recipe`` is there.

    Parameters:
        recipe: what it must be a kernel of; it knows the one archive that is accepted.
        archive: the file, compressed by xz.
        cache: directory of all kernels.
        progress: where to tell how far it is.

    Raises:
        LabError: the archive is another one, or cannot be read.
    """
    progress.step(recipe.subject, f"checking {archive.name}")
    try:
        with archive.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise LabError(f"{archive}: {error.strerror}") from None
    if found != recipe.archive_sha256:
        raise LabError(
            f"{archive} is not the ready kernel {recipe.release} that lab/kernels/recipe.yml knows: "
            f"its SHA-256 is {found}, and must be {recipe.archive_sha256}"
        )
    kernel = kernel_of(recipe, cache)
    if is_built(recipe, cache):
        progress.done(recipe.subject, "is there already")
        return kernel
    keep(kernel.directory, recipe.release, recipe.subject, partial(_take_in, recipe, archive), progress, threading.Event(), done="taken")
    return kernel


def _take_in(recipe: KernelRecipe, archive: Path, work: Path, runner: Runner) -> None:
    runner.progress.step(runner.subject, f"unpacking {archive.name}")
    result = work / "result"
    result.mkdir()
    try:
        with lzma.open(archive, format=lzma.FORMAT_XZ) as packed, (result / "linux").open("wb") as binary:
            shutil.copyfileobj(packed, binary, MIB)
    except (lzma.LZMAError, EOFError) as error:
        raise LabError(f"{archive} is not a whole .xz file: {error}") from None
    _finish(result, recipe, f"taken from {archive.name}")


def _build_in(recipe: KernelRecipe, work: Path, runner: Runner) -> None:
    _check_controller(work)
    result = work / "result"
    result.mkdir()
    inputs = work / "inputs.tar"
    inputs.write_bytes(tar_of((f"build/{name}", 0o644, content) for name, content in recipe.files))
    watch = _Watch(recipe.objects)
    try:
        runner.run(
            f"installing what it is built with, from Debian {recipe.suite}",
            bootstrap_command(recipe.suite, recipe.packages, _hooks(recipe, inputs, result), None),
            limit_s=BUILD_LIMIT_S,
            watch=watch,
        )
    except LabError:
        if watch.problems:
            # The scripts know better than the end of the log what is wrong.
            raise LabError(*(f"{recipe.subject}: {problem}" for problem in watch.problems)) from None
        raise
    _check_builtin(recipe, (result / BUILTIN).read_text(encoding="utf-8"))
    if watch.compiled != recipe.objects:
        runner.progress.step(runner.subject, f"compiled {watch.compiled} files; lab/kernels/recipe.yml says {recipe.objects}")
    _finish(result, recipe, "built here")


def _hooks(recipe: KernelRecipe, inputs: Path, result: Path) -> list[str]:
    """Return the options that make mmdebstrap fetch, build, and hand out the results."""
    scripts = dict(recipe.files)
    settings = {
        "LAB_PACKAGE": recipe.package,
        "LAB_VERSION": recipe.version,
        "LAB_SHA256": recipe.source_sha256,
        "LAB_SUITE": recipe.suite,
        "LAB_SOURCE_SUITE": recipe.source_suite,
    }
    fetch = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()) + scripts[FETCH]
    # No setting of the user's, such as CFLAGS, has a part in it.
    environment = ["PATH=/usr/bin:/bin", "LC_ALL=C", f"LAB_PACKAGE={recipe.package}", f"LAB_RELEASE={recipe.release}"]
    build = f'chroot "$1" env -i {shlex.join(environment)} sh /build/{BUILD}'
    wanted = {"linux": "linux", BUILTIN: BUILTIN, ".config": "config"}
    return [
        f"--customize-hook=tar-in {shlex.quote(str(inputs))} /",
        f"--customize-hook={fetch}",
        f"--customize-hook={build}",
        *(f"--customize-hook=download /build/{inside} {shlex.quote(str(result / outside))}" for inside, outside in wanted.items()),
    ]


class _Watch:
    """Makes a step of what the scripts write for the user, and of the files that the compiler has done."""

    def __init__(self, objects: int) -> None:
        self.objects = objects
        self.compiled = 0
        self.problems: list[str] = []

    def __call__(self, line: str) -> str | None:
        if COMPILED.match(line):
            self.compiled += 1
            # The recipe knows the count; what is not counted, such as linking, comes at the end.
            percent = min(100, self.compiled * 100 // self.objects)
            return f"compiling, {percent} % of {self.objects} files"
        if fetched := FETCHED.match(line):
            return f"fetching the source, {fetched[1]} %"
        kind, _, text = line.partition(": ")
        if kind == "lab-error":
            self.problems.append(text)
        return text if kind == "lab-step" else None


def _check_builtin(recipe: KernelRecipe, made: str) -> None:
    """Refuse a kernel whose modules are not those that the recipe tells."""
    if made != recipe.builtin:
        name = f"lab/kernels/{BUILTIN}"
        difference = difflib.unified_diff(
            recipe.builtin.splitlines(keepends=True), made.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        )
        raise LabError(
            f"{recipe.subject}: the build has made another list of built-in modules than {name}, which a ready kernel is used with. "
            "If it is right, apply this difference (git apply) and build again:",
            "".join(difference),
        )


def _finish(result: Path, recipe: KernelRecipe, origin: str) -> None:
    """Write what a kernel is kept with beside its binary."""
    binary = result / "linux"
    binary.chmod(0o755)
    (result / BUILTIN).write_text(recipe.builtin, encoding="utf-8")
    with binary.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    identity = hashlib.sha256(f"{recipe.digest} {checksum}".encode()).hexdigest()
    record = {"release": recipe.release, "origin": origin, "identity": identity, "binary_sha256": checksum}
    (result / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _check_controller(work: Path) -> None:
    """Check that the controller can build; it needs less for this than for a lab."""
    problems = []
    if shutil.which("mmdebstrap") is None:
        problems.append("mmdebstrap is missing; run tools/system-packages lab")
    if not KEYRING.is_file():
        problems.append(f"{KEYRING} (package debian-archive-keyring) is missing; run tools/system-packages lab")
    place = temporary_directory(work)
    free_mib = shutil.disk_usage(place).free // MIB
    if free_mib < BUILD_DISK_MIB:
        variable = "XDG_CACHE_HOME" if place == work else "TMPDIR"
        problems.append(
            f"{free_mib} MiB are free on the file system of {place.parent}, {BUILD_DISK_MIB} MiB are needed to build the kernel: "
            f"make room, or set {variable} to another file system"
        )
    if problems:
        raise LabError(*problems)
