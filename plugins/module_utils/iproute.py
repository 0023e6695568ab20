# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What iproute2 prints as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

# Looked up by every packet before the VRFs, and holding nothing but what IPsec policies need: strongSwan's (charon.routing_table).
HARMLESS_TABLES = ("220",)
# By family, as an option of ip(8). In IPv6 metric 0 stands for 1024.
BEST_METRIC = {"-4": 0, "-6": 1}
# What makes a rule one for some packets only.
_SELECTORS = {"not", "dst", "tos", "fwmark", "iif", "oif", "ipproto", "sport", "dport", "uid_start", "tun_id"}


def json_objects(text: str) -> list[dict[str, Any]]:
    """Read the output of `ip -json` or `bridge -json`: a list of objects, none where nothing is printed. Raises ValueError.

    Older versions leave an empty object for every link that was filtered out; those are left out here.
    """
    return [item for item in json.loads(text or "[]") if item]


def json_links(text: str) -> dict[str, dict[str, Any]]:
    """Read the output of `ip -json link show` or `ip -json address show`: the interfaces by name. Raises ValueError."""
    return {item["ifname"]: item for item in json_objects(text) if "ifname" in item}


def link_addresses(link: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the addresses of one of `json_links`, as objects with C(local), C(prefixlen), C(family) and C(scope)."""
    return [entry for entry in link.get("addr_info", []) if "local" in entry]


def addresses_of(link: dict[str, Any]) -> set[str]:
    """Give the addresses of one of `json_links`, each with its prefix length."""
    return {"%s/%d" % (entry["local"], entry["prefixlen"]) for entry in link_addresses(link)}


def is_for_all(rule: Mapping[str, Any]) -> bool:
    """Say whether a rule of `ip -json rule show` is for every packet."""
    return rule.get("src") == "all" and not rule.keys() & _SELECTORS


def asks_vrfs(rule: Mapping[str, Any]) -> bool:
    """Say whether a rule of `ip -json rule show` is the one that asks the VRFs: a flag, which older versions print in the table's place."""
    return "l3mdev" in rule or rule.get("table") == "[l3mdev-table]"


def family_option(address: str) -> str:
    """The option of ip(8) for the family of an address."""
    return "-6" if ":" in address else "-4"


def default_name(gateway: str) -> str:
    """The name that the record has for a default route of the main table."""
    return "IPv6 default" if ":" in gateway else "IPv4 default"


def show_defaults(gateway: str) -> tuple[str, ...]:
    """Arguments of ip(8) that show the default routes of the main table, in the family of a gateway."""
    return (family_option(gateway), "route", "show", "table", "main", "default")


def best_defaults(family: str, routes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of a table's default routes, of `ip -json route show`, that have the best metric. The kernel uses the first. family: as an option of ip(8)."""
    return [route for route in routes if route.get("metric", 0) == BEST_METRIC[family]]


def is_default_via(route: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    """Say whether a default route of `ip -json route show` is a declared one, with C(gateway) and C(interface)."""
    return (route.get("gateway"), route.get("dev")) == (default["gateway"], default["interface"])


def default_before(default: Mapping[str, Any], routes: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What a declared default route is about to replace, for the record: C(found) where it is that itself; None where there is none.

    None, too, for one with several next hops, which nobody puts back. routes: the table's default routes.
    """
    for route in best_defaults(family_option(default["gateway"]), routes):
        if is_default_via(route, default):
            return {"found": True}
        if "dev" not in route:
            return None
        known = {key: route[key] for key in ("gateway", "dev", "protocol") if key in route}
        return {**known, "onlink": "onlink" in route.get("flags", [])}
    return None


def give_up_default(default: Mapping[str, Any], before: Mapping[str, Any] | None, routes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Arguments of ip(8) that take a default route of the main table away, or put back what it has replaced.

    Empty where it does not live any more, or was found. default: as it was declared; before: as of `default_before`; routes: the default routes there are.
    """
    family, before = family_option(default["gateway"]), before or {}
    if before.get("found") or not any(is_default_via(route, default) for route in best_defaults(family, routes)):
        return []
    metric = ["metric", str(BEST_METRIC[family])]
    if not before:
        return [family, "route", "delete", "default", "via", default["gateway"], "dev", default["interface"], *metric]
    via = ["via", before["gateway"]] if before.get("gateway") else []
    end = [*(["proto", before["protocol"]] if before.get("protocol") else []), *(["onlink"] if before.get("onlink") else [])]
    return [family, "route", "replace", "default", *via, "dev", before["dev"], *metric, *end]
