# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every rule of this collection returns: one mistake, where it is, and how to correct it; and the collector of them.

Where a mistake is, is data: the keys that lead to the value. A rule that asks whether something is sound asks for keys, never for the text that
people read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import ANY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order

SECRET = ANY
_LONGEST_SHOWN = 60
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Pair(NamedTuple):
    """The key of a link that a pattern makes: it has no entry of its own, only its two nodes."""

    first: str
    second: str


class Place(NamedTuple):
    """Where a value stands: the keys of the dictionaries and the numbers in the lists that lead to it. Without any, all variables.

    As a text it reads ``frr_bgp[0].neighbors[1].remote_as``, and ``xgn_nodes['odd.name']`` where a key is no plain word.
    """

    keys: tuple[object, ...] = ()

    @classmethod
    def of(cls, *keys: object) -> Place:
        """Return the place to which some keys lead."""
        return cls(keys)

    def at(self, *keys: object) -> Place:
        """Return the place to which some keys lead from here."""
        return Place(self.keys + keys)

    def __str__(self) -> str:
        text = ""
        for key in self.keys:
            if isinstance(key, Pair):
                text = f"{text} ({key.first} - {key.second})"
            elif isinstance(key, str) and _PLAIN_KEY.match(key):
                text = f"{text}.{key}" if text else key
            else:
                text = f"{text}[{show(key)}]"
        return text


# All variables.
EVERYTHING = Place()


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        path: where.
        message: what is wrong, without path and value: ``is not an integer``.
        value: the value as `show` prints it; empty when the message needs none. Never a secret.
        hint: how to correct it: the valid values, the nearest key, or the arithmetic. May be empty.
        meant: where its writer meant to write, of a key that does not exist: the key it is like, or else the dictionary it stands in, any key of
            which it may have been. What is missing there follows from this mistake.
    """

    path: Place
    message: str
    value: str = ""
    hint: str = ""
    meant: Place | None = None

    def __str__(self) -> str:
        text = f"{self.value} {self.message}" if self.value else self.message
        if self.hint:
            text = f"{text}; {self.hint}"
        line = f"{self.path}: {text}" if self.path.keys else text
        return line.replace("\n", "\\n")  # a name written over two lines stays one line of the report


class Findings:
    """Collects mistakes, and answers what is sound, so that nobody is told what only follows from a mistake that is told already.

    Parameters:
        problems: what was found before.
    """

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._problems: list[Problem] = []
        self._places: set[tuple[object, ...]] = set()
        self._around: set[tuple[object, ...]] = set()
        self._meant: set[tuple[object, ...]] = set()
        self._targets: set[tuple[object, ...]] = set()
        self.extend(problems)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._problems)

    def __len__(self) -> int:
        return len(self._problems)

    def add(self, problem: Problem) -> None:
        """Add a mistake."""
        self._problems.append(problem)
        self._places.add(problem.path.keys)
        self._around.update(_prefixes(problem.path))
        if problem.meant is not None:
            self._meant.update(_prefixes(problem.meant))
            self._targets.add(problem.meant.keys)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add some mistakes."""
        for problem in problems:
            self.add(problem)

    def at(self, place: Place) -> bool:
        """Tell whether a value itself is wrong, not only something in it."""
        return place.keys in self._places

    def within(self, place: Place) -> bool:
        """Tell whether a value or something in it is wrong."""
        return place.keys in self._around

    def above(self, place: Place) -> bool:
        """Tell whether a value or something that holds it is wrong."""
        return any(keys in self._places for keys in _prefixes(place))

    def doubtful(self, *places: Place) -> bool:
        """Tell whether something may be missing in one of some values: something in it is wrong, or was meant for it and stands under another name."""
        return any(place.keys in self._around or place.keys in self._meant for place in places)

    def told(self, place: Place) -> bool:
        """Tell whether what is wrong with a value, or why it is missing, is said already: of itself, or of a key that was meant for it."""
        return place.keys in self._places or place.keys in self._targets

    def explains(self, *places: Place) -> bool:
        """Tell whether one of some values may be missing, or be another than its writer meant, because of a mistake: in it, in what holds it, or
        of a key that was meant for it.
        """
        return any(
            place.keys in self._around or any(keys in self._places or keys in self._targets for keys in _prefixes(place))
            for place in places
        )


def _prefixes(place: Place) -> Iterator[tuple[object, ...]]:
    return (place.keys[:length] for length in range(1, len(place.keys) + 1))


def show(value: object) -> str:
    """Return a value the way its writer knows it (YAML's words), on one line and at most about 60 characters long.

    Lists and dictionaries are named by their kind only: they may hold a secret further down.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(_shortened(str(value)))
    if isinstance(value, (int, float)):
        try:
            return _shortened(str(value))
        except ValueError:  # CPython refuses to print integers of more than 4,300 digits
            return "an integer of thousands of digits"
    return with_article(value)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def one_line(text: str) -> str:
    """Return a text that somebody else wrote as one line that changes nothing on the terminal of who reads it."""
    return "".join(character if character.isprintable() else " " if character in "\t\n\r" else "?" for character in text)


def with_article(value: object) -> str:
    """Return `kind` as it stands in a sentence: ``an integer``, ``a list``, ``null``."""
    word = kind(value)
    if value is None:
        return word
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def kind(value: object) -> str:
    """Return what a value is in YAML's words: string, integer, boolean, number, list, dictionary or null."""
    if value is None:
        return "null"
    for types, word in _KINDS:
        if isinstance(value, types):
            return word
    return type(value).__name__


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (dict, "dictionary"),
    ((list, tuple), "list"),
)


def vrf_text(vrf: str) -> str:
    """Return a VRF as it stands in a sentence. vrf: its name, empty for the default VRF."""
    return f"VRF {vrf}" if vrf else "the default VRF"


def nearest(word: str, valid: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the valid word nearest to a mistyped one, or an empty string when none is near: less alike than ``cutoff``, 0 to 1."""
    # Upper and lower case are a slip of the pen as well, so that `core` is near CORE.
    by_form = {name.lower(): name for name in valid}
    found = get_close_matches(word[:100].lower(), list(by_form), n=1, cutoff=cutoff)
    return by_form[found[0]] if found else ""


def unknown(path: Place, message: str, word: str, valid: Iterable[str], label: str) -> Problem:
    """Return the problem of a name that does not exist.

    Parameters:
        path: where.
        message: for example ``unknown key`` or ``is not defined``.
        word: the name as written.
        valid: the names that exist.
        label: how the list of valid names begins, for example ``valid keys``.
    """
    names = list(valid)
    near = nearest(word, names)
    listing = f"{label}: {', '.join(names) or 'none'}"
    return Problem(path, message, hint=f"did you mean {near!r}? {listing[0].upper()}{listing[1:]}" if near else listing)


def unknown_key(parent: Place, key: object, valid: Iterable[str]) -> Problem:
    """Return the problem of a key that does not exist in a dictionary, with the place it was meant for: one of the valid keys when one is near."""
    names = list(valid)
    word = key[:100] if isinstance(key, str) else ""
    near = nearest(word, names)
    return replace(unknown(parent.at(key), "unknown key", word, names, "valid keys"), meant=parent.at(near) if near else parent)


def report(problems: Iterable[Problem], place: str) -> str:
    """Return the text for a person: one line a problem, in the order of paths, and one closing sentence.

    Parameters:
        problems: the mistakes; duplicates are printed once.
        place: where they are: ``the intent`` or ``the variables of T1``.

    Returns:
        An empty string when there are no problems.
    """
    lines = sentences(problems)
    return "\n".join([*lines, counted(len(lines), place)]) if lines else ""


def sentences(problems: Iterable[Problem]) -> list[str]:
    """Return one line a problem, in the order of paths, each once."""
    lines = sorted({str(problem): str(problem.path) for problem in problems}.items(), key=lambda line: (natural_order(line[1]), line[0]))
    return [text for text, _path in lines]


def counted(number: int, place: str) -> str:
    """Return the sentence that closes a report, or stands for one: how many mistakes there are, and where."""
    return f"{number} mistake{'' if number == 1 else 's'} in {place}. No host was touched."
