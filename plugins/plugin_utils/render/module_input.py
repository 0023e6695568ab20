# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several roles give to modules config_files and units, as those take it."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class File(TypedDict):
    """A file as module config_files takes it."""

    path: str
    content: str
    validate: NotRequired[str]


class Unit(TypedDict):
    """A unit as module units takes it."""

    name: str
    state: str
    enabled: bool
    restart_on: NotRequired[list[str]]
    reload_on: NotRequired[list[str]]
    interrupts: NotRequired[list[str]]
