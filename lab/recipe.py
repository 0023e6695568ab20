"""What goes into an image: data from ``lab/images``, and the hash that names the result."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from lab.data import digest_of, read_data, tar_of
from lab.kernel import load_kernel_recipe
from lab.paths import KERNEL_DIR

# Raise it when the build itself changes in a way that the recipe does not show.
BUILDER_VERSION = 1
COMMON = "common"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an image's content.

    Parameters:
        name: the image's name in topologies.
        suite: the Debian suite.
        packages: what is installed, sorted.
        enable: systemd units enabled beside Debian's own choice.
        disable: systemd units that Debian would start, and a bare host does not.
        mask: systemd units that must not run.
        disk_mib: size of the disk, MiB.
        files: path in the guest -> (mode, content).
        kernel: release of the kernel for User Mode Linux, whose list of built-in modules is among the files.
        customise: the shell script run at the end of the build.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    enable: tuple[str, ...]
    disable: tuple[str, ...]
    mask: tuple[str, ...]
    disk_mib: int
    files: tuple[tuple[str, int, str], ...]
    kernel: str
    customise: str

    @property
    def digest(self) -> str:
        """A short hash over all of it."""
        return _digest(self)

    def files_archive(self) -> bytes:
        """Return ``files`` as a tar archive."""
        return tar_of(self.files)


@dataclass(frozen=True)
class ArchiveRecipe:
    """Everything that decides the content of a root file system for containers.

    Parameters:
        name: the archive's name in topologies.
        suite, packages, mask, customise: as in `Recipe`.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    mask: tuple[str, ...]
    customise: str

    @property
    def digest(self) -> str:
        """A short hash over all of it."""
        return _digest(self)


def _digest(recipe: Recipe | ArchiveRecipe) -> str:
    return digest_of(BUILDER_VERSION, {key: value for key, value in asdict(recipe).items() if key != "name"})


def files_below(directory: Path) -> tuple[tuple[str, int, str], ...]:
    """Return all files of ``directory`` with path, mode and content, as `tar_of` takes them; but no byte code that somebody's Python has left."""
    return tuple(
        (str(path.relative_to(directory)), 0o755 if path.stat().st_mode & 0o100 else 0o644, path.read_text(encoding="utf-8"))
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )


def recipe_names(directory: Path) -> frozenset[str]:
    """Return the names of all images or archives that ``directory`` describes."""
    return frozenset(path.stem for path in directory.glob("*.yml") if path.stem != COMMON)


def load_recipe(name: str, directory: Path, kernels: Path = KERNEL_DIR) -> Recipe:
    """Read ``directory/name.yml`` together with what all images share, and ``kernels``, the recipe of the kernel for User Mode Linux.

    Raises:
        LabError: a key is missing or unknown, or a value has the wrong type.
    """
    common = read_data(directory / f"{COMMON}.yml", {"packages": list, "enable": list, "mask": list, "disk_mib": int})
    own = read_data(directory / f"{name}.yml", {"suite": str, "packages": list}, optional={"disable": list})
    files = files_below(directory / "files")
    kernel = load_kernel_recipe(kernels)
    # With it modprobe knows what is built in. The image's own kernel has modules, and another directory.
    modules = f"usr/lib/modules/{kernel.release}"
    files += ((f"{modules}/modules.builtin", 0o644, kernel.builtin), (f"{modules}/modules.order", 0o644, ""))
    return Recipe(
        name=name,
        suite=own["suite"],
        packages=tuple(sorted({*common["packages"], *own["packages"]})),
        enable=tuple(common["enable"]),
        disable=tuple(own.get("disable", ())),
        mask=tuple(common["mask"]),
        disk_mib=common["disk_mib"],
        files=files,
        kernel=kernel.release,
        customise=(directory / "customise.sh").read_text(encoding="utf-8"),
    )


def load_archive_recipe(name: str, directory: Path) -> ArchiveRecipe:
    """Read ``directory/name.yml``.

    Raises:
        LabError: a key is missing or unknown, or a value has the wrong type.
    """
    own = read_data(directory / f"{name}.yml", {"suite": str, "packages": list}, optional={"mask": list})
    customise = (directory / "customise.sh").read_text(encoding="utf-8")
    return ArchiveRecipe(name, own["suite"], tuple(sorted(own["packages"])), tuple(own.get("mask", ())), customise)
