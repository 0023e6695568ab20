# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look for own lines in FRR's running configuration. Nothing is changed, and no line of it leaves the host but those that were asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import PLACEHOLDER

# FRR before 8 names the VRF of an interface, too.
_INTERFACE = re.compile(r"^(interface \S+) vrf \S+$")


def gather_frr_lines(gatherer: Gatherer, asked: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give part ``frr_lines``: the entries of ``asked`` with those ``lines`` alone that FRR does not run.

    asked: each with ``section`` and ``lines``, as role frr takes them; a placeholder stands for any secret.
    """
    return gatherer.running_config(lambda text: missing_lines(text, asked))


def missing_lines(text: str, asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give, for each entry of ``asked``, its ``section`` and those of its ``lines`` that a running configuration lacks there.

    Raises ValueError: the text is none.
    """
    if "frr version" not in text and "frr defaults" not in text:
        raise ValueError("no configuration")
    found = lines_by_section(text)
    return [
        {
            "section": list(entry["section"]),
            "lines": [line for line in entry["lines"] if not any(map(pattern_of(line).fullmatch, found.get(tuple(entry["section"]), ())))],
        }
        for entry in asked
    ]


def lines_by_section(text: str) -> dict[tuple[str, ...], list[str]]:
    """Give the lines of a configuration by what opens the sections around them, outermost first; FRR indents each section by one space more."""
    found: dict[tuple[str, ...], list[str]] = {}
    around: list[str] = []
    for raw in text.splitlines():
        line = _INTERFACE.sub(r"\1", raw.strip())
        if not line or line == "!":
            continue
        del around[len(raw) - len(raw.lstrip(" ")) :]
        found.setdefault(tuple(around), []).append(line)
        around.append(line)
    return found


def pattern_of(line: str) -> re.Pattern[str]:
    """Give the pattern of an own line, in which a placeholder stands for any text."""
    return re.compile(".+".join(re.escape(piece) for piece in PLACEHOLDER.split(line)[::2]))
