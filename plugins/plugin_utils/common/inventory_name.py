# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an inventory is called: its path, as short as it can be without two of them sharing a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# Files that stand for the directory they lie in: `-i mine/hosts.yml` and `-i mine` are one inventory.
_WHOLE_DIRECTORY = ("hosts", "inventory")


def inventory_name(sources: Sequence[object], working_directory: Path) -> str:
    """Return the path of an inventory below the working directory, or its whole path without the first slash, when it lies elsewhere.

    The first source names it; connection variables and the like come behind it. It is empty for the working directory itself and for a list of hosts
    on the command line.

    Parameters:
        sources: what Ansible has in ``ansible_inventory_sources``.
        working_directory: absolute.
    """
    first = str(sources[0]) if sources else ""
    if not first or "," in first:
        return ""
    path = working_directory / first
    if not path.is_dir():
        path = path.parent if path.stem in _WHOLE_DIRECTORY else path.with_suffix("")
    if path.is_relative_to(working_directory):
        return "" if path == working_directory else path.relative_to(working_directory).as_posix()
    return path.as_posix().lstrip("/")
