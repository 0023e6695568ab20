# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables as trees that lie over one another: dictionaries by their keys, lists by what tells their entries apart.

What a person writes over a plan is a tree like the plan itself, in which something may also be removed. So there is one operation, `merge`, for an override
over a plan and for one override over another, and it is associative. Each part knows where it was written.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES, WHOLE, canonical
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place

Spec = Mapping[str, Any]
# What is in a dictionary whose keys are free.
FREE: Spec = {"type": "raw"}


class Shape(Enum):
    """What consists of parts that are merged one by one."""

    KEYS = "a dictionary"
    ENTRIES = "a list of dictionaries"
    VALUES = "a list of plain values"


@dataclass(frozen=True)
class Leaf:
    """A value that counts as a whole. `place`: where it was written, None for the plan."""

    value: Any
    place: Place | None = None


@dataclass(frozen=True)
class Removed:
    """Stands where something goes. `place`: where that was written."""

    place: Place | None = None


@dataclass(frozen=True)
class Branch:
    """Parts by what tells them apart.

    Attributes:
        shape: what they are parts of.
        parts: by the key of a dictionary, by `Entries.key_of`, or by the value itself.
        place: where it was written, None for the plan.
        alone: nothing of what it lies over stays.
        name: of the list, in `ENTRIES`.
    """

    shape: Shape
    parts: Mapping[Hashable, Node] = field(default_factory=dict)
    place: Place | None = None
    alone: bool = False
    name: str = ""


Node = Leaf | Removed | Branch


def shape_of(spec: Spec, name: str) -> Shape | None:
    """Return how the value of an option is merged; None for a value that counts as a whole.

    Parameters:
        spec: as in a role's ``meta/argument_specs.yml``.
        name: of the option.
    """
    kind = spec.get("type", "str")
    if kind == "dict":
        return Shape.KEYS
    if kind != "list" or name in WHOLE:
        return None
    if spec.get("elements") != "dict":
        return Shape.VALUES
    return Shape.ENTRIES if name in ENTRIES else None


def spec_of(spec: Spec, key: str) -> Spec:
    """Return the spec of what a dictionary holds under a key."""
    found: Spec = spec.get("options", {}).get(key, FREE)
    return {**found, "no_log": True} if spec.get("no_log") else found


def tree_of(value: Any, spec: Spec, name: str = "") -> Node:
    """Return the tree of a value of the plan. What has not the shape of its option counts as a whole. Parameters as of `shape_of`."""
    shape = shape_of(spec, name)
    # In a dictionary whose keys are free, another one is merged, too.
    if isinstance(value, Mapping) and (shape is Shape.KEYS or spec.get("type") == "raw"):
        return Branch(Shape.KEYS, {key: tree_of(item, spec_of(spec, str(key)), str(key)) for key, item in value.items()})
    if isinstance(value, (list, tuple)) and shape is Shape.VALUES:
        return Branch(shape, {key: Leaf(item) for key, item in _numbered((value_key(item), item) for item in value)})
    if isinstance(value, (list, tuple)) and shape is Shape.ENTRIES and all(isinstance(item, Mapping) for item in value):
        entry = {"type": "dict", "options": spec.get("options", {})}
        keyed = ((ENTRIES[name].key_of(item), tree_of(item, entry)) for item in value)
        return Branch(shape, dict(_numbered(keyed)), name=name)
    return Leaf(value)


def value_key(value: Any) -> tuple[str, str]:
    """Return what tells a plain value of a list from the others."""
    return ("" if isinstance(value, str) else type(value).__name__, canonical(value))


def _numbered(items: Any) -> Iterator[tuple[Hashable, Any]]:
    """Yield keys and items; a key that came before gets a number, so that none is lost."""
    seen: dict[Hashable, int] = {}
    for key, item in items:
        seen[key] = seen.get(key, 0) + 1
        yield (key if seen[key] == 1 else (*key, seen[key])), item


def value_of(node: Node) -> Any:
    """Return the value that a tree stands for, without what is removed in it."""
    if isinstance(node, Leaf):
        return node.value
    if isinstance(node, Removed):
        return None
    if node.shape is Shape.KEYS:
        return {key: value_of(part) for key, part in node.parts.items() if not isinstance(part, Removed)}
    return [value_of(part) for part in living(node)]


def living(branch: Branch) -> list[Leaf | Branch]:
    """Return the parts of a list that are there, in the order of its value."""
    found = [part for part in branch.parts.values() if not isinstance(part, Removed)]
    entries = ENTRIES.get(branch.name)
    if entries is not None and entries.numbered:
        (key,) = entries.keys
        numbers = [_number(part, key) for part in found]
        if None not in numbers:
            return [part for _number, part in sorted(zip(numbers, found), key=lambda item: item[0] or 0)]
    return found


def _number(node: Leaf | Branch, key: str) -> int | None:
    leaf = node.parts.get(key) if isinstance(node, Branch) else None
    return leaf.value if isinstance(leaf, Leaf) and isinstance(leaf.value, int) else None


def merge(below: Node, above: Node) -> Node:
    """Return one tree over another. Associative, and the same once more changes nothing."""
    if not isinstance(above, Branch):
        return above
    if not isinstance(below, Branch) or below.shape is not above.shape:
        # What lay beneath is gone for whatever this comes to lie over.
        return replace(above, alone=True)
    if above.alone:
        return above
    parts = dict(below.parts)
    for key, node in above.parts.items():
        parts[key] = merge(parts[key], node) if key in parts else node
    return replace(above, parts=parts, alone=below.alone)


def part_at(node: Node | None, keys: Sequence[Hashable]) -> Node | None:
    """Return the part of a tree to which keys of parts lead, or what decides it on the way: a removal, a whole value, a list that stands alone."""
    for key in keys:
        if not isinstance(node, Branch) or (node.alone and key not in node.parts):
            return node
        node = node.parts.get(key)
    return node


def contradictions(one: Node, other: Node, keys: tuple[Hashable, ...] = ()) -> Iterator[tuple[tuple[Hashable, ...], Node, Node]]:
    """Yield what two trees say differently, so that it would matter which lies over the other: the keys that lead there, and the parts of both."""
    if isinstance(one, Branch) and isinstance(other, Branch) and one.shape is other.shape and not one.alone and not other.alone:
        for key, part in one.parts.items():
            if key in other.parts:
                yield from contradictions(part, other.parts[key], (*keys, key))
    elif type(one) is not type(other) or value_of(one) != value_of(other):
        yield keys, one, other


def written_at(node: Node, place: Place) -> Place | None:
    """Return where a person has written what stands at a place of the merged value, None where that is the plan's alone.

    What a person says something in counts as written there, also for a key that it lacks; a variable of which nothing is said does not.

    Parameters:
        node: the tree of all variables.
        place: in the value: keys of dictionaries and numbers in lists.
    """
    for index, key in enumerate(place.keys):
        inner = _inner(node, key) if isinstance(node, Branch) else None
        if inner is None:
            return node.place.at(*place.keys[index:]) if index and node.place is not None else None
        node = inner
    return node.place


def key_path(node: Node, place: Place) -> tuple[Hashable, ...]:
    """Return the keys of the parts that stand at a place of the value, so that the same part has the same keys in two values."""
    found: list[Hashable] = []
    for index, key in enumerate(place.keys):
        inner = _inner(node, key) if isinstance(node, Branch) else None
        if inner is None or not isinstance(node, Branch):
            return (*found, *map(str, place.keys[index:]))
        found.append(next(name for name, part in node.parts.items() if part is inner))
        node = inner
    return tuple(found)


def _inner(branch: Branch, key: object) -> Node | None:
    if branch.shape is Shape.KEYS:
        return branch.parts.get(key) if isinstance(key, Hashable) else None
    parts = living(branch)
    return parts[key] if isinstance(key, int) and key < len(parts) else None
