# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an inventory is called, and where lies what is kept with it. The first of several sources counts; connection variables and the like come behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

APPLIED = ".applied"
"""The directory of `applied` beside an inventory. Hidden: Ansible would take any other for a part of the inventory, and warn that it is none."""
# A file that stands for the directory it lies in, where it is the only one of these: `-i mine/hosts.yml` and `-i mine` are one inventory.
_WHOLE_DIRECTORY = frozenset(
    f"{name}{suffix}" for name in ("hosts", "inventory") for suffix in ("", ".yml", ".yaml", ".json", ".ini", ".toml")
)


def inventory_name(sources: Sequence[object], working_directory: Path) -> str:
    """Return the path of an inventory below the working directory, or its whole path without the first slash, when it lies elsewhere.

    No two inventories share a name. It is empty for the working directory itself and for a list of hosts on the command line.

    Parameters:
        sources: what Ansible has in ``ansible_inventory_sources``.
        working_directory: absolute.
    """
    directory, name = _place(sources, working_directory)
    path = directory / name
    if path.is_relative_to(working_directory):
        return "" if path == working_directory else path.relative_to(working_directory).as_posix()
    return path.as_posix().lstrip("/")


def applied_directory(sources: Sequence[object], working_directory: Path) -> Path:
    """Return the directory in which it is recorded what the hosts of an inventory applied. Parameters: as of `inventory_name`."""
    directory, name = _place(sources, working_directory)
    return directory / APPLIED / name


def name_of_run(variables: Mapping[str, Any]) -> str:
    """Return the name of the inventory of this run. variables: of any host of the run."""
    return inventory_name(_sources(variables), Path.cwd())


def applied_of_run(variables: Mapping[str, Any], given: str | None) -> Path:
    """Return the directory in which it is recorded what the hosts of this run applied: the given one, if any, else that beside the inventory."""
    return Path(given) if given else applied_directory(_sources(variables), Path.cwd())


def _sources(variables: Mapping[str, Any]) -> Sequence[object]:
    return variables.get("ansible_inventory_sources") or []


def _place(sources: Sequence[object], working_directory: Path) -> tuple[Path, str]:
    """Return the directory of an inventory, and the name of its file where that says which of several in it."""
    first = str(sources[0]) if sources else ""
    if not first or "," in first:
        return working_directory, ""
    path = Path(os.path.normpath(working_directory / first))
    if path.is_dir():
        return path, ""
    alone = path.name in _WHOLE_DIRECTORY and not any((path.parent / name).is_file() for name in _WHOLE_DIRECTORY - {path.name})
    # The whole name: beside `prod.yml` may lie `prod.ini`, or a directory `prod`.
    return path.parent, "" if alone else path.name
