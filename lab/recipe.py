"""What goes into an image: data from ``lab/images``, and the hash that names the result."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lab.errors import LabError

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
    customise: str

    @property
    def digest(self) -> str:
        """A short hash over all of it."""
        return _digest(self)

    def files_archive(self) -> bytes:
        """Return ``files`` as a tar archive."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path, mode, content in self.files:
                info = tarfile.TarInfo(path)
                info.mode = mode
                info.size = len(content.encode())
                archive.addfile(info, io.BytesIO(content.encode()))
        return buffer.getvalue()


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
    content = {key: value for key, value in asdict(recipe).items() if key != "name"}
    return hashlib.sha256(json.dumps([BUILDER_VERSION, content], sort_keys=True).encode()).hexdigest()[:16]


def recipe_names(directory: Path) -> frozenset[str]:
    """Return the names of all images or archives that ``directory`` describes."""
    return frozenset(path.stem for path in directory.glob("*.yml") if path.stem != COMMON)


def load_recipe(name: str, directory: Path) -> Recipe:
    """Read ``directory/name.yml`` together with what all images share.

    Raises:
        LabError: a key is missing or unknown, or a value has the wrong type.
    """
    common = _read(directory / f"{COMMON}.yml", {"packages": list, "enable": list, "mask": list, "disk_mib": int})
    own = _read(directory / f"{name}.yml", {"suite": str, "packages": list}, optional={"disable": list})
    files = tuple(
        (str(path.relative_to(directory / "files")), 0o755 if path.stat().st_mode & 0o100 else 0o644, path.read_text())
        for path in sorted((directory / "files").rglob("*"))
        if path.is_file()
    )
    return Recipe(
        name=name,
        suite=own["suite"],
        packages=tuple(sorted({*common["packages"], *own["packages"]})),
        enable=tuple(common["enable"]),
        disable=tuple(own.get("disable", ())),
        mask=tuple(common["mask"]),
        disk_mib=common["disk_mib"],
        files=files,
        customise=(directory / "customise.sh").read_text(encoding="utf-8"),
    )


def load_archive_recipe(name: str, directory: Path) -> ArchiveRecipe:
    """Read ``directory/name.yml``.

    Raises:
        LabError: a key is missing or unknown, or a value has the wrong type.
    """
    own = _read(directory / f"{name}.yml", {"suite": str, "packages": list}, optional={"mask": list})
    customise = (directory / "customise.sh").read_text(encoding="utf-8")
    return ArchiveRecipe(name, own["suite"], tuple(sorted(own["packages"])), tuple(own.get("mask", ())), customise)


def _read(path: Path, required: dict[str, type], optional: Mapping[str, type] = MappingProxyType({})) -> dict[str, Any]:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or not set(required) <= set(data) <= {*required, *optional}:
        may = f", and perhaps {', '.join(optional)}" if optional else ""
        raise LabError(f"{path.name}: must be a mapping with exactly {', '.join(required)}{may}")
    kinds = {**required, **optional}
    wrong = [key for key, value in data.items() if not isinstance(value, kinds[key])]
    if wrong:
        raise LabError(*(f"{path.name}: {key}: must be of type {kinds[key].__name__}" for key in wrong))
    return data
