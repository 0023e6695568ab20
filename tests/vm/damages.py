"""The damages of damages.yml: what somebody does to a host of the hybrid network, and which of them a run of the tests takes."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("damages.yml")
# A few alone and a few at once, since each costs a run of verify and two of site.
ALONE, AT_ONCE = 3, 2
SEED = 14


@dataclasses.dataclass(frozen=True)
class Damage:
    """One row; `heals` is None where one run of site has to repair it, else the seconds within which it heals by itself."""

    name: str
    kind: str
    host: str
    do: str
    verify: str | None
    heals: float | None
    until: str | None


def damages() -> list[Damage]:
    """Read all of them."""
    rows: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [
        Damage(
            **{"verify": None, "until": None, **row, "heals": None if row["heals"] == "site" else float(row["heals"])},
        )
        for row in rows
    ]


def objects(damage: Damage) -> set[str]:
    """What a damage names, such as wg1 or unbound: two that name the same are not done at once, since the second may not find it any more."""
    return {
        damage.host + " " + word
        for word in re.findall(r"wg1|ovpn2|l2tp6|vxlan\d+|br0|anycast0|CORE|NFV|[a-z0-9-]+\.(?:service|json|conf|nft)|\w+d\b", damage.do)
    }


def sample(asked: str, seed: int) -> list[list[Damage]]:
    """Choose groups of damages, each done at once.

    Parameters:
        asked: ``all`` for every damage alone, a part of names or kinds for those, empty for a sample of each.
        seed: of the sample.
    """
    every = damages()
    if asked == "all":
        return [[damage] for damage in every]
    if asked:
        return [[damage] for damage in every if asked in damage.name or asked == damage.kind]
    chance = random.Random(seed)
    groups = [[damage] for damage in chance.sample(every, ALONE)]
    for _group in range(AT_ONCE):
        group: list[Damage] = []
        wanted = chance.choice((2, 3))
        for damage in chance.sample(every, len(every)):
            if damage.heals is None and not any(objects(damage) & objects(other) for other in group):
                group.append(damage)
            if len(group) == wanted:
                break
        groups.append(group)
    return groups


def name_of(group: Sequence[Damage]) -> str:
    """Name of a group, for people and for files."""
    return " and ".join(f"{damage.host} {damage.name}" for damage in group)
