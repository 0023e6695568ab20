# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""FRR's prefix lists and route maps as variables."""

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
