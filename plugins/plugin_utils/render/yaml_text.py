# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables as YAML a person likes to read: one short entry a line. Twenty times faster than a general dumper."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_LONGEST_LINE = 120
# Words that are a string without quotes in YAML 1.1 and 1.2, in flow and block context.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*(?: [A-Za-z0-9_./@-]+)*\Z")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+(?:/\d+)?\Z")
_RESERVED = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def yaml_text(value: Mapping[str, Any], heading: str = "") -> str:
    """Return a dictionary of plain values (None, bool, int, float, str, list, dict) as a YAML document.

    Parameters:
        value: what to print; keys stay in their order.
        heading: a comment for the second line, without ``#``; empty for none.
    """
    lines = ["---"]
    if heading:
        lines.append(f"# {heading}")
    lines.extend(_mapping(value, ""))
    return "\n".join([*lines, ""]) if value else "\n".join([*lines, "{}", ""])


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if (_PLAIN.match(value) and value.lower() not in _RESERVED) or _ADDRESS.match(value):
            return value
        if value.isprintable():
            return json.dumps(value, ensure_ascii=False)
        # JSON leaves some control characters as they are and splits others in two; YAML takes neither.
        return '"' + "".join([_escaped(character) for character in value]) + '"'
    return json.dumps(value)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([_flow(item) for item in value]) + "]"
    return _scalar(value)


def _is_leaf(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) < 12 and not any(isinstance(item, dict) or _holds_more(item) for item in value.values())
    return not isinstance(value, list) or (len(value) < 20 and not _holds_more(value))


def _holds_more(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)


def _mapping(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        start = f"{indent}{_scalar(key)}:"
        if _is_leaf(item):
            line = f"{start} {_flow(item)}"
            if len(line) <= _LONGEST_LINE or not isinstance(item, (dict, list)):
                yield line
                continue
        if not item:
            yield f"{start} {_flow(item)}"
            continue
        yield start
        yield from _mapping(item, f"{indent}  ") if isinstance(item, dict) else _items(item, f"{indent}  ")


def _items(value: Sequence[Any], indent: str) -> Iterator[str]:
    for item in value:
        if _is_leaf(item):
            line = f"{indent}- {_flow(item)}"
            if len(line) <= _LONGEST_LINE or not isinstance(item, (dict, list)):
                yield line
                continue
        if not item:
            yield f"{indent}- {_flow(item)}"
        elif isinstance(item, dict):
            first, *others = _mapping(item, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from others
        else:
            yield f"{indent}-"
            yield from _items(item, f"{indent}  ")
