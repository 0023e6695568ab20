# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a resolver has to answer that has authority for a zone: read from the zone's records as its owner wrote them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.module_utils.dns_question import TYPES, canonical, quoted

# RFC 1035, 5.1: a quoted string, a remark or a parenthesis, or a word.
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|;.*|[()]|((?:[^\s()";\\]|\\.)+)')
_TTL = re.compile(r"(?:\d+[smhdw]?)+", re.IGNORECASE)
# Of these the last word is a name, and those before it are numbers.
_NAMED = ("NS", "CNAME", "PTR", "DNAME", "MX", "SRV")


class Wanted(NamedTuple):
    """What is to be answered. values: as `dns_question.canonical` writes them; empty when it is only known that there has to be something."""

    name: str
    kind: str
    values: list[str]


def wanted_answers(zone: str, records: Iterable[str]) -> list[Wanted]:
    """Return what a zone has to answer, its SOA first, then the records in the order of their first mention.

    What is handed to servers of others (an NS of a name below the zone's, RFC 1034, 4.2.1), and what lies below, is not answered with authority, and
    left out. So are names with a backslash, and types that `dns_question.TYPES` does not have.

    Parameters:
        zone: its name without the closing dot.
        records: as ``dns_anycast_zones`` has them.
    """
    apex = zone.lower()
    found: dict[tuple[str, str], list[str | None]] = {(apex, "SOA"): [None]}
    for name, kind, value in _records(apex, records):
        found.setdefault((name, kind), []).append(value)
    cuts = tuple(name for name, kind in found if kind == "NS" and name != apex)
    return [
        Wanted(name, kind, [] if None in values else sorted({value for value in values if value is not None}))
        for (name, kind), values in found.items()
        if not any(name == cut or name.endswith("." + cut) for cut in cuts)
    ]


def _records(apex: str, records: Iterable[str]) -> Iterator[tuple[str, str, str | None]]:
    for text in records:
        owner, *rest = _words(text) or [""]
        # TTL and class come in either order.
        while rest and (_TTL.fullmatch(rest[0]) or rest[0].upper() == "IN"):
            rest = rest[1:]
        kind = rest[0].upper() if rest else ""
        if kind in TYPES and "\\" not in owner:
            try:
                yield _absolute(owner, apex), kind, _value(kind, rest[1:], apex)
            except (OSError, ValueError):
                # No address, or no number: unbound has refused the zone, so that something has to be answered is enough to see it.
                yield _absolute(owner, apex), kind, None


def _words(text: str) -> list[str]:
    """Return the words of a record, strings without their quotes; parentheses and remarks say nothing."""
    return [
        quote if word is None else word
        for quote, word in (match.groups() for match in _WORD.finditer(text))
        if (quote, word) != (None, None)
    ]


def _value(kind: str, words: list[str], apex: str) -> str | None:
    """Return the data of a record as `dns_question` gives it; None when that is not told here, such as that of an SOA."""
    if any("\\" in text for text in words) or not words:
        return None
    if kind in ("A", "AAAA"):
        family = socket.AF_INET if kind == "A" else socket.AF_INET6
        return socket.inet_ntop(family, socket.inet_pton(family, words[0]))
    if kind == "TXT":
        return canonical(map(quoted, words))
    if kind in _NAMED:
        return canonical([*(str(int(text)) for text in words[:-1]), _absolute(words[-1], apex)])
    return None


def _absolute(name: str, apex: str) -> str:
    """Return a name of a zone file in full, in small letters, without the closing dot."""
    if name == "@":
        return apex
    return name.lower().removesuffix(".") if name.endswith(".") else f"{name.lower()}.{apex}"
