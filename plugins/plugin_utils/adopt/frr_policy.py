# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""FRR's lists, route maps and RPKI caches as variables."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.configuration import TOP, Configuration
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, EVERYTHING, FAMILY

_LINE = (
    r"(?P<words>ip|ipv6) prefix-list (?P<name>\S+) seq (?P<seq>\d+) (?P<action>permit|deny) (?P<prefix>any|\S+/\d+)"
    r"(?: ge (?P<ge>\d+))?(?: le (?P<le>\d+))?"
)


def prefix_lists(configuration: Configuration) -> list[dict[str, Any]]:
    """Return the prefix lists, in the order of their first lines."""
    lists: dict[tuple[str, str], dict[str, Any]] = {}
    for line in configuration.take(TOP, _LINE):
        version = 6 if line["words"] == "ipv6" else 4
        family = FAMILY[version]
        entry: dict[str, Any] = {"seq": int(line["seq"]), "action": line["action"], "prefix": line["prefix"]}
        entry.update({key: int(line[key]) for key in ("ge", "le") if line[key]})
        if line["prefix"] == "any":
            # The same prefixes, in words that both families have.
            entry.update(prefix=EVERYTHING[family], le=BITS[version])
        of_family = {"family": family} if version == 6 else {}
        known = lists.setdefault((line["name"], family), {"name": line["name"], **of_family, "entries": []})
        known["entries"].append(entry)
    return list(lists.values())


_KINDS = {
    ("community", "standard"): "standard",
    ("community", "expanded"): "expanded",
    ("large-community", "standard"): "large",
    ("large-community", "expanded"): "large_expanded",
}


def as_path_lists(configuration: Configuration) -> list[dict[str, Any]]:
    """Return the AS path lists, in the order of their first lines."""
    lists: dict[str, dict[str, Any]] = {}
    for line in configuration.take(TOP, r"bgp as-path access-list (\S+) seq (\d+) (permit|deny) (.+)"):
        known = lists.setdefault(line[1], {"name": line[1], "entries": []})
        known["entries"].append({"seq": int(line[2]), "action": line[3], "regex": line[4]})
    return list(lists.values())


def community_lists(configuration: Configuration) -> list[dict[str, Any]]:
    """Return the community lists, in the order of their first lines. One whose name is a number stays: FRR prints it in another way."""
    lists: dict[tuple[str, str], dict[str, Any]] = {}
    pattern = r"bgp (community|large-community)-list (standard|expanded) (?!\d+ )(\S+) seq (\d+) (permit|deny) (.+)"
    for line in configuration.take(TOP, pattern):
        kind = _KINDS[line[1], line[2]]
        known = lists.setdefault((line[3], kind), {"name": line[3], "kind": kind, "entries": []})
        known["entries"].append({"seq": int(line[4]), "action": line[5], "value": line[6]})
    return list(lists.values())


def rpki(configuration: Configuration) -> dict[str, Any]:
    """Return the RPKI caches that are reached by TCP, with their intervals; nothing without one."""
    for section, _opening in configuration.sections("rpki"):
        caches = configuration.take(section, r"rpki cache (?:tcp )?(?!ssh )(\S+) (\d+)(?: source (\S+))? preference (\d+)")
        found: dict[str, Any] = {
            "caches": [
                {"host": line[1], "port": int(line[2]), **({"source": line[3]} if line[3] else {}), "preference": int(line[4])}
                for line in caches
            ]
        }
        if not caches:
            return {}
        for line in configuration.take(section, r"rpki (polling_period|expire_interval|retry_interval) (\d+)"):
            found[line[1]] = int(line[2])
        return found
    return {}


def route_maps(configuration: Configuration) -> list[dict[str, Any]]:
    """Return the route maps, in the order of their first entries. What an entry has beside matches and changes stays."""
    maps: dict[str, dict[str, Any]] = {}
    for section, (opening,) in configuration.sections(r"route-map (\S+) (permit|deny) (\d+)"):
        name, action, number = opening.groups()
        entry: dict[str, Any] = {"seq": int(number), "action": action}
        if description := configuration.take_one(section, r"description (.+)"):
            entry["description"] = description[1]
        for key in ("match", "set"):
            if lines := configuration.take(section, rf"{key} (.+)"):
                entry[key] = [line[1] for line in lines]
        maps.setdefault(name, {"name": name, "entries": []})["entries"].append(entry)
    return list(maps.values())
