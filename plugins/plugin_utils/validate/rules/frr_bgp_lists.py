# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for AS path and community lists, and for what names them in route maps. What FRR takes is that of bgpd/bgp_filter.c and bgpd/bgp_clist.c."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import canonical_communities
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, line_problems, twice, word_problems

SEQ_MAX = 4294967295
_NAME_LENGTH = 128
_PATH_REGEX = re.compile(r"[0-9 _^$.*+?()\[\]{}|,-]+\Z")
_EXPANDED = frozenset({"expanded", "large_expanded"})
_LARGE = frozenset({"large", "large_expanded"})
_NAMES_A_LIST = re.compile(r"(as-path|community|large-community) (\S+)(?: (?:exact-match|any))?\Z")
_DELETES_BY = re.compile(r"(comm-list|large-comm-list) (\S+) delete\Z")
_SETS = re.compile(r"(community|large-community) (?!none\Z)(.*?)( additive)?\Z")
_RPKI_STATES = ("valid", "invalid", "notfound")


def bgp_list_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of AS path lists and community lists, and of route maps that name them."""
    for route_map in host.root.views("frr_route_maps"):
        yield from _clauses(host, route_map)
    paths, communities = host.root.views("frr_as_path_lists"), host.root.views("frr_community_lists")
    for view in paths:
        yield from _named(view, "list of AS paths")
        for entry in view.views("entries"):
            if (regex := entry.text("regex")) is not None:
                yield from _regex_problems(entry.at("regex"), regex)
                if not _PATH_REGEX.match(regex):
                    yield entry.problem(
                        "regex", "has characters that no AS path has", "FRR takes digits and _ ^ $ . * + ? ( ) [ ] { } | , -"
                    )
    yield from twice(((view.at("name"), name) for view in paths if (name := view.text("name"))), "name")
    for view in communities:
        yield from _named(view, "community list")
        kind = view.text("kind") or ""
        for entry in view.views("entries"):
            value = entry.text("value")
            if value is None:
                continue
            if kind in _EXPANDED:
                yield from _regex_problems(entry.at("value"), value)
            elif kind:
                yield from _communities(entry.at("value"), value, "", large=kind in _LARGE)
    # Large ones have names of their own; the two kinds of either have not.
    named = [(view, name) for view in communities if (name := view.text("name"))]
    for large in (False, True):
        yield from twice(((view.at("name"), name) for view, name in named if (view.text("kind") in _LARGE) == large), "name of a list")


def _clauses(host: Host, route_map: View) -> Iterator[Problem]:
    """Report what a route map asks of BGP and is not defined, or would be printed in another way."""
    defined = {
        "as-path": _names(host.root.views("frr_as_path_lists")),
        "community": _names(view for view in host.root.views("frr_community_lists") if view.text("kind") not in _LARGE),
        "large-community": _names(view for view in host.root.views("frr_community_lists") if view.text("kind") in _LARGE),
    }
    defined.update({"comm-list": defined["community"], "large-comm-list": defined["large-community"]})
    for entry in route_map.views("entries"):
        for path, text in entry.texts("match"):
            if (found := _NAMES_A_LIST.match(text)) and found[2] not in defined[found[1]]:
                yield _undefined(path, found[1], found[2], defined[found[1]])
            if text.startswith("rpki "):
                yield from _rpki(host, path, text)
        for path, text in entry.texts("set"):
            if (found := _DELETES_BY.match(text)) and found[2] not in defined[found[1]]:
                yield _undefined(path, found[1], found[2], defined[found[1]])
            if found := _SETS.match(text):
                yield from _communities(path, found[2], f"{found[1]} {{}}{found[3] or ''}", large=found[1] == "large-community")


def sequence_problems(named: View, highest: int) -> Iterator[Problem]:
    """Report numbers out of range, given twice, or out of order: FRR prints entries in the order of their numbers."""
    entries = named.views("entries")
    numbered = [(entry, seq) for entry in entries if (seq := entry.number("seq")) is not None]
    previous: int | None = None
    for entry, seq in numbered:
        yield from entry.in_range("seq", 1, highest)
        if previous is not None and seq < previous:
            yield entry.problem("seq", f"comes after {previous}", "write the entries in the order of their numbers")
        previous = seq
    yield from twice(((entry.at("seq"), seq) for entry, seq in numbered), "number")
    if named.data.get("entries") in ([], ()):
        yield Problem(named.at("entries"), "is empty", hint="FRR keeps nothing that has no entry; give it one, or remove it")


def _named(view: View, noun: str) -> Iterator[Problem]:
    name = view.text("name")
    if name is not None:
        yield from word_problems(view.at("name"), name, noun, _NAME_LENGTH)
        if name.isdigit():
            yield view.problem("name", "is a number, which FRR prints in another way", "begin it with a letter")
    yield from sequence_problems(view, SEQ_MAX)


def _names(views: Iterable[View]) -> list[str]:
    return list(dict.fromkeys(name for view in views if (name := view.text("name"))))


def _undefined(path: Place, word: str, name: str, defined: list[str]) -> Problem:
    noun = "AS path list" if word == "as-path" else f"{'large ' if word.startswith('large') else ''}community list"
    return unknown(path, f"{noun} {show(name)} is not defined", name, defined, f"defined {noun}s")


def _regex_problems(path: Place, regex: str) -> Iterator[Problem]:
    """Report a regular expression that FRR would not keep or take. A pipe between spaces would be a filter of its output."""
    yield from line_problems(path, regex if re.search(r"(^|\s)\||\|(\s|$)", regex) else regex.replace("|", ""))
    try:
        re.compile(regex)
    except re.error as error:
        yield Problem(path, f"is no regular expression: {error}", show(regex))


def _communities(path: Place, value: str, line: str, *, large: bool) -> Iterator[Problem]:
    """Report what is no community, or is not as FRR prints it. line: what stands around them, with {} in their place."""
    try:
        printed = canonical_communities(value, large=large)
    except ValueError as error:
        yield Problem(path, "cannot be read as communities", show(value), str(error))
        return
    if printed != value:
        yield Problem(path, "is not as FRR prints it", show(value), f"write {(line or '{}').format(printed)}")


def _rpki(host: Host, path: Place, text: str) -> Iterator[Problem]:
    state = text.removeprefix("rpki ")
    if state not in _RPKI_STATES:
        yield unknown(path, f"RPKI has no state {show(state)}", state, list(_RPKI_STATES), "states")
    rpki = host.root.data.get("frr_rpki")
    if not (isinstance(rpki, Mapping) and rpki.get("caches")):
        yield Problem(path, "needs a cache", show(text), "name one in frr_rpki.caches: without it FRR does not know this condition")
