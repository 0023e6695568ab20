"""Build disk images, and root file systems for containers, once and keep them by content."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.bootstrap import bootstrap_command
from lab.errors import LabError
from lab.process import tail
from lab.progress import Progress
from lab.recipe import ArchiveRecipe, Recipe

BUILD_LIMIT_S = 1800
BUILD_DISK_MIB = 3072
ARCHIVE_DISK_MIB = 512
# A fifth larger than the best that zstd can do, in a tenth of the time.
ARCHIVE_LEVEL = 10
LOG_LINES = 25
POLL_S = 0.2
# A test that reads a package's documents reads them in a container.
NO_DOCUMENTS = ("path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright")


@dataclass(frozen=True)
class Image:
    """A finished image: disk, kernel and initrd, and an identity that a rebuild changes."""

    directory: Path

    @property
    def disk(self) -> Path:
        """The qcow2 that overlays stand on."""
        return self.directory / "disk.qcow2"

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
    _keep(image.directory, recipe.name, f"image {recipe.name}", lambda work, runner: _build_in(work, recipe, runner), progress, stop)
    return image


def archive_of(recipe: ArchiveRecipe, cache: Path) -> Path:
    """Return where the archive of ``recipe`` is or will be."""
    return cache / f"archive-{recipe.name}-{recipe.digest}" / f"{recipe.name}.tar.zst"


def build_archive(recipe: ArchiveRecipe, cache: Path, progress: Progress, stop: threading.Event) -> Path:
    """Build the archive of ``recipe`` unless it exists, and return its path. Parameters and errors are those of `build`."""
    archive = archive_of(recipe, cache)
    subject = f"archive {recipe.name}"
    _keep(archive.parent, f"archive-{recipe.name}", subject, lambda work, runner: _archive_in(work, recipe, runner), progress, stop)
    return archive


def _keep(
    directory: Path, name: str, subject: str, make: Callable[[Path, _Runner], None], progress: Progress, stop: threading.Event
) -> None:
    """Have ``make`` fill ``result`` in a directory of work, and keep that as ``directory``. What is there already is left alone."""
    cache = directory.parent
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{name}.lock", progress, subject, stop) as lock:
        if directory.is_dir():
            return
        for leftover in cache.glob(f".building-{name}-*"):
            _remove_tree(leftover)
        work = cache / f".building-{directory.name}"
        work.mkdir()
        try:
            make(work, _Runner(work, subject, progress, stop, lock))
        except LabError:
            # The log is all that is worth keeping, and it is in the message.
            _remove_tree(work)
            raise
        (work / "result").rename(directory)
        _remove_tree(work)
    progress.done(subject, "built")


class _Runner:
    """Runs the build's commands, each in a process group that can be ended as a whole."""

    def __init__(self, work: Path, subject: str, progress: Progress, stop: threading.Event, lock: int) -> None:
        self.log = work / "build.log"
        self.work = work
        self.subject = subject
        self.progress = progress
        self.stop = stop
        self.lock = lock

    def run(self, step: str, command: list[str]) -> None:
        """Run ``command`` to its end, or raise `LabError` with the end of the log."""
        self.progress.step(self.subject, step)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Should this program be killed, the orphan still holds the lock until it ends.
                pass_fds=(self.lock,),
                env=_build_environment(self.work),
            )
        try:
            waited_s = 0.0
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    status = process.wait(POLL_S)
                    break
                waited_s += POLL_S
                if self.stop.is_set():
                    raise LabError(f"{self.subject}: interrupted")
                if waited_s > BUILD_LIMIT_S:
                    raise LabError(f"{self.subject}: {command[0]} took more than {BUILD_LIMIT_S} s")
        except BaseException:
            _end_group(process)
            raise
        if status != 0:
            raise LabError(
                f"{self.subject}: {command[0]} failed with status {status}; the end of its log:",
                tail(self.log, LOG_LINES),
            )


def _build_in(work: Path, recipe: Recipe, runner: _Runner) -> None:
    root_tar, files_tar, result = work / "root.tar", work / "files.tar", work / "result"
    files_tar.write_bytes(recipe.files_archive())
    result.mkdir()
    units = {"ENABLE": recipe.enable, "DISABLE": recipe.disable, "MASK": recipe.mask}
    customise = "".join(f"LAB_{verb}='{' '.join(names)}'\n" for verb, names in units.items()) + recipe.customise
    # The initrd's settings have to be there before the kernel is installed.
    hooks = [f"--essential-hook=tar-in {shlex.quote(str(files_tar))} /", f"--customize-hook={customise}"]
    runner.run(f"installing Debian {recipe.suite}", bootstrap_command(recipe.suite, recipe.packages, hooks, root_tar, NO_DOCUMENTS))
    # A user who is not root gets the files' owners right in a namespace of his own.
    namespace = [] if os.geteuid() == 0 else ["unshare", "--map-auto", "--map-root-user", "--"]
    runner.run("making the file system", [*namespace, "sh", "-euc", _DISK_SCRIPT, "sh", str(work), str(recipe.disk_mib)])
    runner.run(
        "making the disk",
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(work / "disk.raw"), str(result / "disk.qcow2")],
    )
    (result / "build_id").write_text(uuid.uuid4().hex + "\n", encoding="utf-8")
    (result / "recipe.json").write_text(json.dumps({"suite": recipe.suite, "packages": recipe.packages}, indent=2) + "\n", encoding="utf-8")


def _archive_in(work: Path, recipe: ArchiveRecipe, runner: _Runner) -> None:
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
    "$work/disk.raw" "${size_mib}M"
rm -rf "$work/root"
"""


@contextlib.contextmanager
def _locked(path: Path, progress: Progress, subject: str, stop: threading.Event) -> Iterator[int]:
    """Hold an exclusive lock on ``path``; the kernel frees it when the last holder ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.step(subject, "waiting for another build of it")
                if stop.wait(POLL_S):
                    raise LabError(f"{subject}: interrupted") from None
        yield descriptor
    finally:
        os.close(descriptor)


def _build_environment(work: Path) -> dict[str, str]:
    """Return the environment of a build command."""
    # mke2fs lies in a directory that is not on every user's PATH.
    path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    environment = os.environ | {"LC_ALL": "C.UTF-8", "PATH": path}
    # Within the user namespace of an ordinary user, mmdebstrap cannot enter a private home; /tmp it can.
    return environment | ({"TMPDIR": str(work)} if os.geteuid() == 0 else {})


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End ``process`` and its children: politely, so that mmdebstrap unmounts, then by force."""
    for number, limit_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit_s)


def _mount_points() -> list[Path]:
    """Return where something is mounted, in the order it was mounted."""
    return [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]


def _remove_tree(path: Path) -> None:
    """Remove a build directory, after unmounting what a killed build left mounted in it (say /proc), never through a mount."""
    inside = [mount for mount in _mount_points() if mount.is_relative_to(path)]
    # A mount lies below the one that was made before it.
    for mount in reversed(inside):
        subprocess.run(["umount", "--", str(mount)], capture_output=True, check=False)
    if left := [str(mount) for mount in _mount_points() if mount.is_relative_to(path)]:
        raise LabError(f"a killed build left mounts that are in use; end what uses them, then: umount {' '.join(reversed(left))}")
    if os.geteuid() != 0:
        # Files of other owners, made in a user namespace, can only be removed in one.
        subprocess.run(["unshare", "--map-auto", "--map-root-user", "--", "rm", "-rf", "--", str(path)], check=False)
    if path.exists():
        shutil.rmtree(path)
