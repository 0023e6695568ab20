# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What iproute2 prints as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Looked up by every packet before the VRFs, and holding nothing but what IPsec policies need: strongSwan's (charon.routing_table).
HARMLESS_TABLES = ("220",)
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


def is_for_all(rule: Mapping[str, Any]) -> bool:
    """Say whether a rule of `ip -json rule show` is for every packet."""
    return rule.get("src") == "all" and not rule.keys() & _SELECTORS


def asks_vrfs(rule: Mapping[str, Any]) -> bool:
    """Say whether a rule of `ip -json rule show` is the one that asks the VRFs: a flag, which older versions print in the table's place."""
    return "l3mdev" in rule or rule.get("table") == "[l3mdev-table]"
