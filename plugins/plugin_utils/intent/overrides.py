# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person writes over the plan of a host: its variables ``xgn_overrides`` and ``xgn_overrides_NAME``, read into trees with every mistake of form.

No secret is read. What may be one (an option says ``no_log``, or the value comes from a vault) is referred to where it stands, so that a plan does not hold it.
Ansible is handed in, not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES, Entries
from ansible_collections.xuegao.net.plugins.plugin_utils.common.merge import (
    Branch,
    Leaf,
    Node,
    Removed,
    Shape,
    Spec,
    shape_of,
    spec_of,
    value_key,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import (
    Place,
    Problem,
    nearest,
    show,
    unknown,
    unknown_key,
    with_article,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check_value
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures, failed

OVERRIDES = "xgn_overrides"
REMOVE, ADD = "remove", "add"
"""Keys of an override beside those of the options; no option has these names."""
_NEAR = 0.85
# Of Jinja.
_OPENINGS = ("{{", "{%", "{#")
_EXAMPLE = f"{OVERRIDES}_run"


class Rank(IntEnum):
    """What lies over what: of one rank nothing may contradict, the next lies over it."""

    SHARED = 1
    HOST = 2
    RUN = 3


@dataclass(frozen=True)
class Layer:
    """One variable with overrides.

    Attributes:
        name: of the variable.
        rank: ``xgn_overrides`` lies over those with a name behind it, and what is given to one run over both.
        tree: what it says.
    """

    name: str
    rank: Rank
    tree: Branch


class Resolver(NamedTuple):
    """How the values of a host are resolved.

    Attributes:
        template: resolves templates in a value.
        is_vaulted: tells whether a value, not templated, comes from a vault.
        failures: what ``template`` raises.
        names: of all variables of the host.
    """

    template: Callable[[Any], Any]
    is_vaulted: Callable[[Any], bool]
    failures: Failures
    names: Iterable[str] = ()


def is_layer(name: object) -> bool:
    """Tell whether a variable holds overrides."""
    return isinstance(name, str) and (name == OVERRIDES or name.startswith(f"{OVERRIDES}_"))


def misspelt(names: Iterable[object]) -> list[Problem]:
    """Return the problem of each variable whose name is nearly that of one with overrides."""
    return [
        unknown(Place.of(name), "is no variable of this collection", name, [OVERRIDES], "valid")
        for name in names
        if isinstance(name, str) and name.startswith("xgn_") and _is_nearly_one(str(name))
    ]


@lru_cache(maxsize=256)
def _is_nearly_one(name: str) -> bool:
    return not is_layer(name) and bool(get_close_matches(name, [OVERRIDES], 1, _NEAR))


def reference(place: Place) -> str:
    """Return the template that stands in a plan for what only the host's own variables hold."""
    name, *keys = place.keys
    return "{{ " + str(name) + "".join(f"[{key!r}]" for key in keys) + " }}"


def read_layers(
    variables: Mapping[str, Any], of_the_run: Container[str], options: Mapping[str, Spec], resolver: Resolver
) -> tuple[list[Layer], list[Problem]]:
    """Return the overrides of a host, lowest first, and every mistake of form. What is wrong is left out.

    Parameters:
        variables: of the host, not templated.
        of_the_run: names of those that are given to this run alone, on the command line or by a survey.
        options: of the roles' variables that can be overridden.
        resolver: resolves the values.
    """
    problems = misspelt(variables)
    layers: list[Layer] = []
    for name in sorted(filter(is_layer, variables)):
        if variables[name] is None:
            continue
        if name == OVERRIDES and name in of_the_run:
            text = "is given to this run, so that nothing is known of what stands under this name with the hosts"
            problems.append(Problem(Place.of(name), text, hint=f"give it another name, such as {_EXAMPLE}, and it lies over that"))
            continue
        reader = _Reader(options, resolver, problems)
        tree = reader.variables(variables[name], Place.of(name))
        rank = Rank.RUN if name in of_the_run else Rank.HOST if name == OVERRIDES else Rank.SHARED
        if tree is not None:
            layers.append(Layer(name, rank, tree))
    return sorted(layers, key=lambda layer: layer.rank), problems


def _looks_like_a_template(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_looks_like_a_template, (*value, *value.values())))
    if isinstance(value, (list, tuple)):
        return any(map(_looks_like_a_template, value))
    return isinstance(value, str) and any(opening in value for opening in _OPENINGS)


class _Reader:
    def __init__(self, options: Mapping[str, Spec], resolver: Resolver, problems: list[Problem]) -> None:
        self.options = options
        self.resolver = resolver
        self.problems = problems
        # Keys that lead to what comes from a vault as a whole.
        self.vaulted: list[tuple[object, ...]] = []

    def variables(self, raw: Any, place: Place) -> Branch | None:
        """Read a whole variable with overrides: the roles' variables by name."""
        written = self.container(raw, place)
        if not isinstance(written, Mapping):
            if written is not None:
                self.wrong(place, written, "a dictionary", "the roles' variables by name, such as frr_bgp")
            return None
        known = {key: value for key, value in written.items() if key == REMOVE or self.is_variable(place, key)}
        return self.keys(known, {"type": "dict", "options": self.options}, place)

    def is_variable(self, place: Place, key: object) -> bool:
        """Tell whether a role has a variable of this name, or report it."""
        if key in self.options:
            return True
        word = key if isinstance(key, str) else ""
        role = max((name for name in ROLES if word.startswith(f"{name}_")), key=len, default="")
        if role:
            valid = sorted(name for name in self.options if name.startswith(f"{role}_"))
            self.problems.append(
                unknown(place.at(key), f"is no variable of role {role} that can be overridden", word, valid, "valid variables")
            )
        else:
            near = nearest(word, self.options)
            hint = f"did you mean {near!r}?" if near else "its name begins with that of its role, as in frr_bgp"
            self.problems.append(Problem(place.at(key), "is no variable of a role", hint=hint))
        return False

    def node(self, raw: Any, spec: Spec, name: str, place: Place) -> Node | None:
        """Read a value; None where it is wrong as a whole."""
        shape = shape_of(spec, name)
        if shape is None and spec.get("type") == "raw" and isinstance(raw, Mapping):
            shape = Shape.KEYS
        if shape is None:
            return self.leaf(raw, spec, place)
        written = self.container(raw, place)
        if written is None:
            if raw is None:
                self.null(place)
            return None
        if shape is Shape.KEYS:
            return self.keys(written, spec, place)
        return self.entries(written, spec, ENTRIES[name], name, place) if shape is Shape.ENTRIES else self.values(written, spec, place)

    def leaf(self, raw: Any, spec: Spec, place: Place) -> Node | None:
        """Read a value that counts as a whole. A secret is not looked at."""
        if raw is None and spec.get("type") != "raw":
            self.null(place)
            return None
        if spec.get("no_log") or self.resolver.is_vaulted(raw) or any(place.keys[: len(keys)] == keys for keys in self.vaulted):
            return Leaf(reference(place), place)
        before = len(self.problems)
        value = self.resolved(raw, place)
        if len(self.problems) == before:
            self.problems += check_value(value, spec, place)
        if len(self.problems) > before:
            return None
        # A plan is read with its templates: what only looks like one, such as a text that somebody else wrote, is not to become one.
        return Leaf(reference(place) if _looks_like_a_template(value) else value, place)

    def keys(self, written: Any, spec: Spec, place: Place, own: tuple[str, ...] = ()) -> Branch | None:
        """Read a dictionary. own: keys that tell an entry from others, which cannot be removed."""
        if not isinstance(written, Mapping):
            self.wrong(place, written, "a dictionary")
            return None
        options = spec.get("options")
        parts: dict[Any, Node] = {}
        for key, raw in written.items():
            if key == REMOVE:
                continue
            if options is not None and key not in options:
                self.problems.append(unknown_key(place, key, [*sorted(options), REMOVE]))
                continue
            node = self.node(raw, spec_of(spec, str(key)), str(key), place.at(key))
            if node is not None:
                parts[key] = node
        for key in self.removed(written, options, place, own):
            # What is given as well stands in place of what was there.
            given = parts.get(key)
            if given is None:
                parts[key] = Removed(place.at(REMOVE))
            elif isinstance(given, Branch):
                parts[key] = Branch(given.shape, given.parts, given.place, True, given.name)
        return Branch(Shape.KEYS, parts, place)

    def removed(self, written: Mapping[Any, Any], options: Mapping[str, Spec] | None, place: Place, own: tuple[str, ...]) -> list[str]:
        """Return the names under ``remove``."""
        raw = written.get(REMOVE)
        if raw is None:
            if REMOVE in written:
                self.null(place.at(REMOVE))
            return []
        names = self.resolved(raw, place.at(REMOVE))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            what = "true for the whole entry, or the names of its keys" if own else "the names of keys"
            self.wrong(place.at(REMOVE), names, f"a list of names: {what}")
            return []
        found = []
        for index, name in enumerate(names):
            if options is not None and name not in options:
                self.problems.append(unknown(place.at(REMOVE, index), f"{show(name)} is no key here", name, sorted(options), "valid keys"))
            elif name in own:
                hint = f"write {REMOVE}: true to remove the entry"
                self.problems.append(Problem(place.at(REMOVE, index), "tells the entry from the others, so it stays", show(name), hint))
            else:
                found.append(name)
        return found

    def entries(self, written: Any, spec: Spec, entries: Entries, name: str, place: Place) -> Branch | None:
        """Read a list of dictionaries."""
        if not isinstance(written, (list, tuple)):
            self.wrong(place, written, "a list", f"each entry with what tells it from the others: {', '.join(entries.keys)}")
            return None
        inner: Spec = {"type": "dict", "options": spec.get("options", {}), **({"no_log": True} if spec.get("no_log") else {})}
        parts: dict[Any, Node] = {}
        for index, raw in enumerate(written):
            here = place.at(index)
            entry = self.container(raw, here)
            if not isinstance(entry, Mapping):
                if entry is not None or raw is None:
                    self.wrong(here, entry, "a dictionary")
                continue
            node = self.entry(entry, inner, entries, here)
            key = entries.key_of({key: self.quiet(entry.get(key)) for key in entries.keys if entry.get(key) is not None})
            if node is None:
                continue
            if key in parts:
                shown = f"the same entry stands at {parts[key].place}"
                self.problems.append(Problem(here, "is given twice", hint=f"{shown}; write it once"))
            parts[key] = node
        return Branch(Shape.ENTRIES, parts, place, name=name)

    def entry(self, entry: Mapping[Any, Any], spec: Spec, entries: Entries, place: Place) -> Node | None:
        """Read an entry of a list."""
        options = spec["options"]
        missing = [key for key in entries.keys if options.get(key, {}).get("required") and entry.get(key) is None]
        if missing:
            told = f"an entry is told from the others by {', '.join(entries.keys)}"
            self.problems += [Problem(place.at(key), "is missing", hint=told) for key in missing]
            return None
        if entry.get(REMOVE) is not True:
            return self.keys(entry, spec, place, own=entries.keys)
        for key in entry:
            if key != REMOVE and key not in entries.keys:
                self.problems.append(
                    Problem(place.at(key), f"says something of an entry that {REMOVE} takes away", hint="keep one of them")
                )
        return Removed(place)

    def values(self, written: Any, spec: Spec, place: Place) -> Branch | None:
        """Read what is added to a list of plain values, and what is removed from it."""
        element = {"type": spec.get("elements", "raw"), **{key: spec[key] for key in ("choices", "no_log") if key in spec}}
        if isinstance(written, Mapping):
            for key in written:
                if key not in (ADD, REMOVE):
                    self.problems.append(unknown_key(place, key, [ADD, REMOVE]))
            added, gone = written.get(ADD, []), written.get(REMOVE, [])
            where = ADD
        else:
            added, gone, where = written, [], ""
        parts: dict[Any, Node] = {}
        for raw, key in ((gone, REMOVE), (added, where)):
            here = place.at(key) if key else place
            items = self.container(raw, here)
            if not isinstance(items, (list, tuple)):
                self.wrong(here, items, "a list", f"write the values that are added, or a dictionary with {ADD} and {REMOVE}")
                continue
            for index, item in enumerate(items):
                leaf = self.leaf(item, element, here.at(index))
                if not isinstance(leaf, Leaf):
                    continue
                name = value_key(leaf.value)
                if name in parts:
                    self.problems.append(Problem(here.at(index), "is given twice", show(leaf.value), "write it once"))
                parts[name] = Removed(here.at(index)) if key == REMOVE else leaf
        return Branch(Shape.VALUES, parts, place)

    def container(self, raw: Any, place: Place) -> Any:
        """Return a value whose parts are read one by one; one that is a template as a whole is resolved first. None where that fails."""
        if not isinstance(raw, str):
            return raw
        if self.resolver.is_vaulted(raw):
            self.vaulted.append(place.keys)
        return self.resolved(raw, place)

    def resolved(self, raw: Any, place: Place) -> Any:
        try:
            return plain(self.resolver.template(raw))
        except self.resolver.failures.any as error:
            self.problems.append(failed(error, raw, place, dict.fromkeys(self.resolver.names), self.resolver.failures))
            return None

    def quiet(self, raw: Any) -> Any:
        """Return a value that was resolved before; what is wrong with it is told."""
        try:
            return plain(self.resolver.template(raw))
        except self.resolver.failures.any:
            return ""

    def null(self, place: Place) -> None:
        self.problems.append(Problem(place, "is null", hint=f"give it a value; to remove what is planned, name it under {REMOVE}"))

    def wrong(self, place: Place, value: object, wanted: str, hint: str = "") -> None:
        self.problems.append(Problem(place, f"is {with_article(value)}, not {wanted}", hint=hint))
