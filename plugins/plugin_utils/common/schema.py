# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check values against options written as in a role's ``meta/argument_specs.yml``, and report every mistake at once.

The format is Ansible's own: ``type`` (str, int, bool, float, dict, list, path, raw), ``elements``, ``options``, ``choices``,
``required``, ``default``, ``no_log``, ``aliases``. It is stricter than Ansible in three ways: nothing is converted (``'5'`` is no
integer and ``'yes'`` no boolean, since ansible-core 2.19 keeps the type a template yields), null is no value, and all mistakes are
found, not the first.

No string, and no key, holds a control character, whatever its option says: a line break would begin a line of its own in some file, and what changes the
direction of writing shows people another line than the one a program reads. What else a string must not hold depends on where it is written; its
own rule, or the renderer, says so.

The intent model may add these keys; the roles' specs must not, so that they stay valid for Ansible:

``values``
    Spec of every value of a dictionary with free keys, such as nodes by name. Used in place of ``options``.
``keys``
    Spec of every such key, for example ``{type: str, pattern: …}``; strings when not given.
``minimum``, ``maximum``
    Bounds of an int or float, both inclusive.
``min_items``
    Fewest elements of a list or entries of a dictionary.
``min_length``
    Fewest characters of a string, also of one that is written where anything fits.
``pattern``, ``pattern_text``
    Regular expression that a whole string must match, and the words that say so (``must be …``).
``renamed_from``
    Former names of a key: whoever writes one is told the new name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import (
    EVERYTHING,
    SECRET,
    Findings,
    Place,
    Problem,
    report,
    show,
    unknown_key,
    with_article,
)

__all__ = ["HOLDS_CONTROL", "Problem", "check", "check_value", "report", "usable", "with_defaults"]

Spec = Mapping[str, Any]
Options = Mapping[str, Spec]

_BOOLEAN_WORDS = {"yes": "true", "true": "true", "on": "true", "y": "true", "no": "false", "false": "false", "off": "false", "n": "false"}
_GIVE_A_VALUE = "leave the key out or give it a value"
HOLDS_CONTROL = "holds a control character"
# Of which a copy is the value itself. Not their subclasses: what Ansible tags is one.
_NEVER_CHANGE = frozenset({str, int, float, bool, type(None)})
_INTEGER = re.compile(r"[+-]?\d{1,20}\Z")
# C0 and C1 (ISO 6429), the line and paragraph separators, the controls of bidirectional writing (Unicode, UAX 9), and halves of characters (surrogates),
# which no file can hold.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_NAMES = {"\0": "NUL", "\t": "a tab", "\n": "a line break", "\r": "a carriage return", "\x1b": "an escape", "\x85": "a line break"}


def check(value: object, options: Options, path: Place = EVERYTHING) -> list[Problem]:
    """Check a dictionary against options.

    Parameters:
        value: what was written; any type.
        options: the ``options`` dictionary of an argument spec.
        path: where the value stands; empty for the variables of a host themselves.

    Returns:
        Every problem, in the order of the options, then the unknown keys. Empty when the value fits.

    Raises:
        KeyError: the options themselves name a type that does not exist.
    """
    problems: list[Problem] = []
    _check_options(value, options, path, problems)
    return problems


def check_value(value: object, spec: Spec, path: Place = EVERYTHING) -> list[Problem]:
    """Check one value against the spec of one option. Parameters, result and errors as in `check`."""
    problems: list[Problem] = []
    _check_spec(value, spec, path, problems)
    return problems


def with_defaults(value: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Return a copy with the defaults filled in, at every depth, and aliases replaced by their names.

    A key without a default stays absent. What does not fit the options is copied as it is: report it with `check`.
    """
    filled: dict[str, Any] = {}
    known = set(options)
    for name, spec in options.items():
        written = name
        # Most options have none, and this is asked for each option of each entry.
        if "aliases" in spec:
            known.update(spec["aliases"])
            written = next((key for key in (name, *spec["aliases"]) if key in value), name)
        if written in value:
            filled[name] = _fill(value[written], spec)
        elif spec.get("default") is not None:
            filled[name] = _fill(spec["default"], spec)
    filled.update((key, deepcopy(rest)) for key, rest in value.items() if key not in known)
    return filled


def usable(value: Mapping[str, Any], options: Options, wrong: Findings, path: Place = EVERYTHING, *, whole: bool = False) -> dict[str, Any]:
    """Return a copy without what is wrong, so that the rest can be read and judged.

    Left out is each value that is wrong itself, and each unknown key. A list of dictionaries keeps the places of the others: an empty dictionary
    stands for one that is wrong. Of another list nothing is left when one of its elements is wrong.

    Parameters:
        value: what was written.
        options: the ``options`` dictionary of an argument spec.
        wrong: what `check` found.
        path: where the value stands.
        whole: a dictionary in it that lacks what is required is left out as a whole; else it stays without that.
    """
    kept: dict[str, Any] = {}
    names = {alias: name for name, spec in options.items() for alias in (name, *spec.get("aliases", ()))}
    for key, item in value.items():
        here = path.at(key)
        if key not in names or wrong.at(here):
            continue
        if not wrong.within(here):
            kept[key] = item
        elif (left := _usable(item, options[names[key]], wrong, here, whole)) is not None:
            kept[key] = left
    return kept


def _usable(value: Any, spec: Spec, wrong: Findings, path: Place, whole: bool) -> Any:
    """Return what is left of a value in which something is wrong, None for nothing."""
    if isinstance(value, Mapping) and "options" in spec:
        left = usable(value, spec["options"], wrong, path, whole=whole)
        required = ((name, *inner.get("aliases", ())) for name, inner in spec["options"].items() if inner.get("required"))
        return None if whole and any(left.keys().isdisjoint(names) for names in required) else left
    if isinstance(value, Mapping) and "values" in spec:
        each: Spec = spec["values"]
        return usable(value, dict.fromkeys(value, each), wrong, path, whole=whole)
    if isinstance(value, list) and "options" in spec:
        element = _element_spec(spec)["options"]
        places = [path.at(index) for index in range(len(value))]
        return [
            usable(item, element, wrong, here, whole=whole) if isinstance(item, Mapping) and not wrong.at(here) else {}
            for item, here in zip(value, places)
        ]
    return None


def _fill(value: Any, spec: Spec) -> Any:
    if type(value) in _NEVER_CHANGE:
        return value
    inner = spec.get("options")
    if isinstance(value, Mapping):
        if inner is not None:
            return with_defaults(value, inner)
        if "values" in spec:
            return {key: _fill(item, spec["values"]) for key, item in value.items()}
    elif isinstance(value, (list, tuple)) and spec.get("type") == "list":
        element = _element_spec(spec)
        return [_fill(item, element) for item in value]
    return deepcopy(value)


def _element_spec(spec: Spec) -> Spec:
    """Return the spec of a list's elements; Ansible puts their ``options`` and ``choices`` beside ``elements``."""
    moved = ("options", "choices", "no_log", "keys", "values", "minimum", "maximum", "min_length", "pattern", "pattern_text")
    return {"type": spec.get("elements", "raw"), **{key: spec[key] for key in moved if key in spec}}


def _check_options(value: object, options: Options, path: Place, problems: list[Problem]) -> None:
    if not isinstance(value, Mapping):
        hint = _GIVE_A_VALUE if value is None else f"valid keys: {', '.join(sorted(options))}"
        problems.append(Problem(path, f"is {with_article(value)}, not a dictionary", hint=hint))
        return
    unmatched = len(value)
    for name, spec in options.items():
        if name in value:
            unmatched -= 1
            _check_spec(value[name], spec, path.at(name), problems)
        elif spec.get("required") and not any(alias in value for alias in spec.get("aliases", ())):
            problems.append(Problem(path.at(name), "is required"))
    if unmatched:
        _check_other_keys(value, options, path, problems)


def _check_other_keys(value: Mapping[Any, Any], options: Options, path: Place, problems: list[Problem]) -> None:
    aliases = {alias: name for name, spec in options.items() for alias in spec.get("aliases", ())}
    renamed = {old: name for name, spec in options.items() for old in spec.get("renamed_from", ())}
    for key, item in value.items():
        if key in options:
            continue
        here = path.at(key)
        if key in aliases:
            if aliases[key] in value:
                problems.append(Problem(here, f"is another name of {aliases[key]!r}, which is given too", hint="keep one of them"))
            _check_spec(item, options[aliases[key]], here, problems)
        elif key in renamed:
            problems.append(Problem(here, "is the former name of this key", hint=f"write {renamed[key]!r}", meant=path.at(renamed[key])))
        else:
            problems.append(unknown_key(path, key, sorted(options)))


def _check_spec(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    _CHECKS[spec.get("type", "str")](value, spec, path, problems)


def _check_string(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    if not isinstance(value, str):
        hint = "put it in quotes" if isinstance(value, (int, float)) else ""
        problems.append(_mismatch(value, spec, path, "is not a string", hint))
        return
    if _CONTROL.search(value) or len(value) < spec.get("min_length", 0):
        problems.append(_control(value, spec, path) if _CONTROL.search(value) else _too_short(value, spec, path))
        return
    if "choices" in spec:
        _check_choice(value, spec, path, problems)
    if "pattern" in spec and not _compiled(spec["pattern"]).fullmatch(value):
        problems.append(Problem(path, spec.get("pattern_text", f"does not match {spec['pattern']}"), _shown(value, spec)))


def _control(value: str, spec: Spec, path: Place) -> Problem:
    """Return the problem of the first control character of a string that holds one."""
    found = next(_CONTROL.finditer(value))
    name = _CONTROL_NAMES.get(found[0]) or unicodedata.name(found[0], "a control character").lower()
    hint = f"character {found.start() + 1} is {name} (U+{ord(found[0]):04X}); write it without"
    return Problem(path, HOLDS_CONTROL, _shown(value, spec), hint)


def _check_free(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    """Check all strings and keys of a value of which nothing else is known."""
    if isinstance(value, str):
        if _CONTROL.search(value):
            problems.append(_control(value, spec, path))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_free(key if isinstance(key, str) and _CONTROL.search(key) else item, spec, path.at(key), problems)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_free(item, spec, path.at(index), problems)


def _too_short(value: str, spec: Spec, path: Place) -> Problem:
    if not value:
        return Problem(path, "is empty", hint=_GIVE_A_VALUE)
    return Problem(path, "is too short", _shown(value, spec), f"it needs at least {spec['min_length']} characters")


def _check_integer(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        numeric = isinstance(value, str) and _INTEGER.match(value)
        problems.append(_mismatch(value, spec, path, "is not an integer", "write it without quotes" if numeric else ""))
        return
    if "choices" in spec:
        _check_choice(value, spec, path, problems)
    _check_bounds(value, spec, path, problems)


def _check_number(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        problems.append(_mismatch(value, spec, path, "is not a number"))
        return
    if "choices" in spec:
        _check_choice(value, spec, path, problems)
    _check_bounds(value, spec, path, problems)


def _check_bounds(value: float, spec: Spec, path: Place, problems: list[Problem]) -> None:
    low, high = spec.get("minimum"), spec.get("maximum")
    # The negated form refuses NaN too.
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"{low} to {high}" if low is not None and high is not None else f"{low} or more" if high is None else f"at most {high}"
        problems.append(Problem(path, "is out of range", _shown(value, spec), f"valid: {bounds}"))


def _check_boolean(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    if isinstance(value, bool):
        return
    meant = ""
    if isinstance(value, str):
        meant = _BOOLEAN_WORDS.get(value.lower(), "")
    elif isinstance(value, int) and value in (0, 1):
        meant = "true" if value else "false"
    hint = f"write {meant} without quotes" if meant else "valid values: true, false"
    problems.append(_mismatch(value, spec, path, "is not a boolean", hint))


def _check_list(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    if not isinstance(value, (list, tuple)):
        hint = _GIVE_A_VALUE if value is None else "put it in brackets" if _is_element(value, spec) else ""
        problems.append(Problem(path, f"is {with_article(value)}, not a list", hint=hint))
        return
    _check_length(value, spec, path, problems)
    element = _element_spec(spec)
    check_element = _CHECKS[element["type"]]
    for index, item in enumerate(value):
        check_element(item, element, path.at(index), problems)


def _is_element(value: object, spec: Spec) -> bool:
    """Tell whether somebody wrote the only element where the list belongs."""
    return "elements" in spec and not check_value(value, _element_spec(spec))


def _check_dictionary(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    if "options" in spec:
        _check_options(value, spec["options"], path, problems)
        return
    if not isinstance(value, Mapping):
        problems.append(Problem(path, f"is {with_article(value)}, not a dictionary", hint=_GIVE_A_VALUE if value is None else ""))
        return
    _check_length(value, spec, path, problems)
    key_spec = spec.get("keys", {"type": "str"}) if "values" in spec else spec.get("keys")
    for key, item in value.items():
        here = path.at(key)
        if key_spec is not None:
            _check_spec(key, key_spec, here, problems)
        if "values" in spec:
            _check_spec(item, spec["values"], here, problems)
        elif key_spec is None:
            _check_free({key: item}, spec, path, problems)
        else:
            _check_free(item, spec, here, problems)


def _check_length(value: Mapping[Any, Any] | Sequence[Any], spec: Spec, path: Place, problems: list[Problem]) -> None:
    fewest = spec.get("min_items", 0)
    if len(value) < fewest:
        problems.append(Problem(path, f"has {len(value)} entries", hint=f"it needs at least {fewest}"))


def _check_raw(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    """Anything fits but a string that is too short, and control characters anywhere."""
    if isinstance(value, str) and len(value) < spec.get("min_length", 0):
        problems.append(_too_short(value, spec, path))
    else:
        _check_free(value, spec, path, problems)


def _check_choice(value: object, spec: Spec, path: Place, problems: list[Problem]) -> None:
    choices = spec["choices"]
    # 1 == True and 1 == 1.0 in Python, and neither is meant.
    if not any(value == choice and isinstance(choice, bool) == isinstance(value, bool) for choice in choices):
        hint = f"valid values: {', '.join(show(choice).strip(chr(39)) for choice in choices)}"
        problems.append(Problem(path, "is not a valid value", _shown(value, spec), hint))


def _mismatch(value: object, spec: Spec, path: Place, message: str, hint: str = "") -> Problem:
    if value is None:
        hint = _GIVE_A_VALUE
    return Problem(path, message, _shown(value, spec), hint)


def _shown(value: object, spec: Spec) -> str:
    return SECRET if spec.get("no_log") else show(value)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_Check = Callable[[Any, Spec, Place, list[Problem]], None]
_CHECKS: Mapping[str, _Check] = {
    "str": _check_string,
    "path": _check_string,
    "int": _check_integer,
    "float": _check_number,
    "bool": _check_boolean,
    "list": _check_list,
    "dict": _check_dictionary,
    "raw": _check_raw,
}
