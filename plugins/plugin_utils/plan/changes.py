# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two states of the hosts' variables, host by host, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import is_sealed
from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES, Entries
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import DECLARING

_NOTHING = object()
IDENTITY = "preflight_node"
"""The variable that says what a host is in the plan. Its changes are told by themselves, with all that follows from them."""


def plan_changes(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    planned: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, list[str]]:
    """Return the changes of every host that has any.

    Parameters:
        before, after: the variables of the hosts by name, with a digest in place of each secret (`applied.Seal`).
        planned: what the plan alone comes to on hosts with overrides; a change that is not one of these is told as an override.

    Returns:
        Host to sentences, in the order of the new plan, removed hosts last.
    """
    found: dict[str, list[str]] = {}
    for host, variables in after.items():
        lines = ["new host"] if host not in before else list(_mapping(before[host], variables, ""))
        if planned and host in planned and host in before:
            of_the_plan = set(_mapping(before[host], planned[host], ""))
            lines = [line if line in of_the_plan else f"{line} (override)" for line in lines]
        if lines:
            found[host] = lines
    found.update((host, ["no longer in the inventory: what it last applied is still there"]) for host in before if host not in after)
    return found


def things(variables: Mapping[str, Any]) -> list[str]:
    """Return what a host's variables have roles make there, in words: tunnels, VRFs, containers, BGP."""
    interfaces = {kind.variable for kind in LINK_TYPES.values()}
    found: list[str] = []
    seen: set[Any] = set()
    for key, value in variables.items():
        # Of the routing, its lists and maps say nothing to somebody who wants to know what a host does.
        if key not in ENTRIES or key not in DECLARING or not _are_entries(value) or (key.startswith("frr_") and key != "frr_bgp"):
            continue
        # A tunnel's interface stands among those of role vrf, too.
        here = [item for item in value if key not in interfaces or item.get("name") not in seen]
        found += map(ENTRIES[key].name_of, here)
        seen.update(item.get("name") for item in here if key in interfaces)
    return found


def _mapping(before: Mapping[str, Any], after: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key, _NOTHING), after.get(key, _NOTHING)
        if old == new or key == IDENTITY:
            continue
        if key in ENTRIES and all(value is _NOTHING or _are_entries(value) for value in (old, new)):
            yield from _entries([] if old is _NOTHING else old, [] if new is _NOTHING else new, ENTRIES[key], where)
        else:
            yield f"{where}{key}: {_words(old, new)}"


def _are_entries(value: Any) -> bool:
    """Tell whether a value is a list of entries. Variables that stand with a host itself are compared before they are checked."""
    return isinstance(value, (list, tuple)) and all(isinstance(item, Mapping) for item in value)


def _entries(old: Sequence[Any], new: Sequence[Any], entries: Entries, where: str) -> Iterator[str]:
    before = {entries.name_of(item): item for item in old}
    after = {entries.name_of(item): item for item in new}
    for name, item in after.items():
        here = f"{where}{name}"
        if name not in before:
            yield f"{here}: {_short(item[entries.content]) + ' ' if item.get(entries.content) else ''}added"
        elif before[name] != item:
            yield from _mapping(before[name], item, f"{here}, ")
    yield from (f"{where}{name}: removed" for name in before if name not in after)


def _words(old: Any, new: Any) -> str:
    if old is _NOTHING:
        return f"{_short(new)} added"
    if new is _NOTHING:
        return f"{_short(old)} removed"
    if is_sealed(old) and is_sealed(new):
        return "changed"
    if isinstance(old, list) and isinstance(new, list):
        gone = [f"{_short(item)} removed" for item in old if item not in new]
        come = [f"{_short(item)} added" for item in new if item not in old]
        return ", ".join(gone + come) or "in another order"
    return f"{_short(old)} becomes {_short(new)}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_short, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items()) or "nothing"
    return "a secret" if is_sealed(value) else str(value)
