# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a session of a router that Ansible does not manage lets pass, for those who write it in other words than FRR's."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import FrrBgpNeighbor, FrrPrefixListEntry, HostVariables

_WORDS = {"ipv4": "ip address prefix-list ", "ipv6": "ipv6 address prefix-list "}


def neighbors_of(variables: HostVariables) -> Iterator[FrrBgpNeighbor]:
    """Yield the BGP neighbors of all instances."""
    for instance in variables.get("frr_bgp", []):
        yield from instance["neighbors"]


def route_maps_of(variables: HostVariables, family: str) -> tuple[list[str], list[str]]:
    """Return the route maps of the sessions of a family, those in and those out, each once and in order."""
    families = [item for neighbor in neighbors_of(variables) for item in neighbor["families"] if item["family"] == family]
    return list(dict.fromkeys(item["route_map_in"] for item in families)), list(dict.fromkeys(item["route_map_out"] for item in families))


def permitted(variables: HostVariables, route_map: str, family: str) -> list[FrrPrefixListEntry]:
    """Return the lines of the prefix lists that a route map of the plan lets pass.

    Parameters:
        variables: those of the router.
        route_map: name.
        family: of the prefixes.
    """
    names = [
        line.removeprefix(_WORDS[family])
        for item in variables.get("frr_route_maps", [])
        if item["name"] == route_map
        for entry in item["entries"]
        if entry["action"] == "permit"
        for line in entry.get("match", [])
        if line.startswith(_WORDS[family])
    ]
    lists = {item["name"]: item["entries"] for item in variables.get("frr_prefix_lists", []) if item.get("family", "ipv4") == family}
    return [entry for name in dict.fromkeys(names) for entry in lists[name] if entry["action"] == "permit"]
