# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""FRR's running configuration as variables of role frr: what options say, and as own lines whatever the rules of own lines take."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import PLACEHOLDER
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.configuration import TOP, Configuration, Section
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.frr_bgp import bgp_instances
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.frr_ospf import ospf_instances
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.frr_policy import (
    as_path_lists,
    community_lists,
    prefix_lists,
    route_maps,
    rpki,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import is_address
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_lines import own_line_problems

# What the role prints in any case, or FRR says of itself.
_SAME_EVERYWHERE = (
    r"Building configuration\.\.\.",
    r"Current configuration:",
    r"frr version .*",
    r"frr defaults traditional",
    r"hostname \S+",
    r"service integrated-vtysh-config",
)
_DEFAULT_LOG = "informational"
# They run with any configuration.
_ALWAYS_RUN = frozenset({"zebra", "staticd", "mgmtd", "watchfrr"})
_DAEMON_OF = {"frr_bgp": "bgpd", "frr_ospf": "ospfd", "frr_ospf6": "ospf6d", "frr_bfd_profiles": "bfdd"}


def describe_frr(text: str, running: Collection[str], vrf_of: Mapping[str, str], found: Description) -> None:
    """Describe what FRR runs.

    Parameters:
        text: what ``show running-config`` prints, with ``<secret NAME>`` in place of each secret.
        running: the daemons.
        vrf_of: VRF by interface, of those in one.
        found: gets the variables, and what they do not say.
    """
    configuration = Configuration(text)
    for pattern in _SAME_EVERYWHERE:
        configuration.take(TOP, pattern)
    level = configuration.take_one(TOP, r"log syslog (\S+)")
    if level and level[1] != _DEFAULT_LOG:
        found.give("frr_log_level", level[1])
    if configuration.has(TOP, "no ip forwarding") and configuration.has(TOP, "no ipv6 forwarding"):
        configuration.take(TOP, r"no ip(v6)? forwarding")
        found.variables["frr_forwarding"] = False
    found.give("frr_vrfs", [matches[0][1] for _section, matches in configuration.sections(r"vrf (\S+)")])
    found.give("frr_interfaces", list(_interfaces(configuration)))
    found.give("frr_static_routes", _static_routes(configuration))
    found.give("frr_prefix_lists", prefix_lists(configuration))
    found.give("frr_as_path_lists", as_path_lists(configuration))
    found.give("frr_community_lists", community_lists(configuration))
    found.give("frr_rpki", rpki(configuration))
    found.give("frr_route_maps", route_maps(configuration))
    found.give("frr_bfd_profiles", _bfd_profiles(configuration))
    found.give("frr_bgp", bgp_instances(configuration, found))
    for name, word in (("frr_ospf", "ospf"), ("frr_ospf6", "ospf6")):
        found.give(name, ospf_instances(configuration, word, vrf_of, found))
    _own_lines(configuration, running, found)


def _interfaces(configuration: Configuration) -> list[dict[str, Any]]:
    entries = []
    for section, (opening,) in configuration.sections(r"interface (\S+)"):
        entry: dict[str, Any] = {"name": opening[1]}
        if description := configuration.take_one(section, r"description (.+)"):
            entry["description"] = description[1]
        if addresses := configuration.take(section, r"ip(?:v6)? address (\S+)"):
            entry["addresses"] = [match[1] for match in addresses]
        if configuration.take_line(section, "no link-detect"):
            entry["link_detect"] = False
        if len(entry) > 1:
            entries.append(entry)
    return entries


def _static_routes(configuration: Configuration) -> list[dict[str, Any]]:
    routes = []
    for section, vrf in [(TOP, ""), *((section, matches[0][1]) for section, matches in configuration.sections(r"vrf (\S+)"))]:
        # Those that have more than an option says stay.
        for line in configuration.take(section, _ROUTE):
            route = {"prefix": line["prefix"], **_way(line["way"].split())}
            if line["tag"]:
                route["tag"] = int(line["tag"])
            if line["distance"]:
                route["distance"] = int(line["distance"])
            if line["next_hop_vrf"]:
                route["next_hop_vrf"] = line["next_hop_vrf"]
            if vrf:
                route["vrf"] = vrf
            routes.append(route)
    return routes


# One or two words, none of which is one of those that say more of a route.
_WORD = r"(?!(?:tag|label|table|onlink|nexthop-vrf|segments|bfd|color|\d+)\b(?![.:]))\S+"
_ROUTE = (
    rf"ip(?:v6)? route (?P<prefix>\S+) (?P<way>(?!reject|Null0){_WORD}(?: {_WORD})?)"
    r"(?: tag (?P<tag>\d+))?(?: (?P<distance>\d+))?(?: nexthop-vrf (?P<next_hop_vrf>\S+))?"
)


def _way(words: list[str]) -> dict[str, Any]:
    """Return where a route leads, by the words between its prefix and what else it has."""
    if words == ["blackhole"]:
        return {"blackhole": True}
    way: dict[str, Any] = {}
    if is_address(words[0]):
        way["next_hop"] = words.pop(0)
    if words:
        way["interface"] = words[0]
    return way


def _bfd_profiles(configuration: Configuration) -> list[dict[str, Any]]:
    profiles = []
    for section, (_bfd, opening) in configuration.sections("bfd", r"profile (\S+)"):
        profile: dict[str, Any] = {"name": opening[1]}
        for line in configuration.take(section, r"(detect-multiplier|transmit-interval|receive-interval) (\d+)"):
            profile[line[1].replace("-", "_")] = int(line[2])
        profiles.append(profile)
    return profiles


def _own_lines(configuration: Configuration, running: Collection[str], found: Description) -> None:
    """Give what nobody has taken as own lines, as far as the rules of own lines let it; the rest is left, each line for the reason of a rule."""
    entries = [{**({"section": list(section)} if section else {}), "lines": lines} for section, lines in configuration.rest()]
    needed = {daemon for variable, daemon in _DAEMON_OF.items() if variable in found.variables}
    found.give("frr_daemons", sorted(set(running) - _ALWAYS_RUN - needed))
    names = {name for entry in entries for line in entry["lines"] for name in PLACEHOLDER.findall(line)}
    judged = Host({**found.variables, "frr_lines": entries, "frr_secrets": dict.fromkeys(names, "secret")})
    refused: dict[tuple[int, int | None], str] = {}
    for problem in own_line_problems(judged):
        variable, *keys = problem.path.keys
        if variable == "frr_lines" and isinstance(keys[0], int):
            number = keys[2] if len(keys) > 2 and keys[1] == "lines" and isinstance(keys[2], int) else None
            refused.setdefault((keys[0], number), f"{problem.message}; {problem.hint}" if problem.hint else problem.message)
    kept: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        lines = []
        for number, line in enumerate(entry["lines"]):
            reason = refused.get((index, None)) or refused.get((index, number))
            if reason:
                found.leave(shown(tuple(entry.get("section", ())), line), reason)
            else:
                lines.append(line)
        if lines:
            kept.append({**entry, "lines": lines})
    found.give("frr_lines", kept)
    secrets = {
        name: found.secret(name, shown(tuple(entry.get("section", ())), line))
        for entry in kept
        for line in entry["lines"]
        for name in PLACEHOLDER.findall(line)
    }
    found.give("frr_secrets", secrets)


def shown(section: Section, line: str) -> str:
    """Return where a line of FRR stands, for people."""
    return " / ".join(("FRR", *section, line))
