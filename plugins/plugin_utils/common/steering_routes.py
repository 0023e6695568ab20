# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes for module gobgp_route out of what a person types into a survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What module gobgp_route takes as a list.
_LISTS = ("communities", "large_communities")


def steering_routes(prefixes: str | Sequence[str], attributes: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return a route for each prefix.

    Parameters:
        prefixes: a list, or a text with commas, spaces or lines between them.
        attributes: what all the routes have; communities may be a text like the prefixes.
    """
    shared = {key: words(value) if key in _LISTS else value for key, value in (attributes or {}).items()}
    return [{**shared, "prefix": prefix} for prefix in words(prefixes)]


def words(given: str | Sequence[str]) -> list[str]:
    """Return a list as it is, and a text as the words between its commas, spaces and lines."""
    return given.replace(",", " ").split() if isinstance(given, str) else list(given)
