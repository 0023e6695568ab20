# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order in which people expect names, addresses and places: by the numbers in them, not by their digits."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(\d+)")


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts wg2 before wg10, as FRR prints its interfaces, and ``[2]`` before ``[10]``."""
    # A million digits are no index: the length of the digits orders them as well as their value would.
    return [(len(part.lstrip("0")), 0, part) if part.isdigit() else (0, 1, part) for part in _NUMBER.split(text)]
