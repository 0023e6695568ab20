# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""FRR's BGP as variables. A neighbor that is of a peer group is left as a whole: no option describes one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import PLACEHOLDER
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.configuration import Configuration, Section
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import is_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES

_TEXTS = (("description", "(.+)", "description"), ("update-source", r"(\S+)", "update_source"))
# A neighbor by its address, or by the interface on which it is found; IPv4 addresses of the link do not count there, which the option says, too.
_MADE = r"neighbor (\S+) (interface v6only )?remote-as (\d+)"
_NUMBERS = (("ebgp-multihop", "ebgp_multihop"), ("ttl-security hops", "ttl_security_hops"))


def bgp_instances(configuration: Configuration, found: Description) -> list[dict[str, Any]]:
    """Return the instances.

    Parameters:
        configuration: of FRR.
        found: gets the secrets, and the neighbors that are left.
    """
    return [
        _instance(configuration, section, opening, found)
        for section, (opening,) in configuration.sections(r"router bgp (\d+)(?: vrf (\S+))?")
    ]


def _instance(configuration: Configuration, section: Section, opening: re.Match[str], found: Description) -> dict[str, Any]:
    instance: dict[str, Any] = {"asn": int(opening[1]), **({"vrf": opening[2]} if opening[2] else {})}
    if router_id := configuration.take_one(section, r"bgp router-id (\S+)"):
        instance["router_id"] = router_id[1]
    if not configuration.take_line(section, "no bgp network import-check"):
        instance["network_import_check"] = True
    if configuration.take_line(section, "bgp graceful-restart"):
        instance["graceful_restart"] = True
    by_default = not configuration.take_line(section, "no bgp default ipv4-unicast")
    families = {family: (*section, f"address-family {family} unicast") for family in FAMILIES}
    described = _neighbors_of(configuration, section)
    _leave_others(configuration, section, described, found)
    neighbors = [_neighbor(configuration, section, address, found) for address in described]
    networks, sources, aggregates, imports = [], [], [], []
    for family, inner in families.items():
        networks += [line[1] for line in configuration.take(inner, r"network (\S+)")]
        of_family = {"family": family} if family == "ipv6" else {}
        for line in configuration.take(inner, r"redistribute (connected|kernel|ospf|ospf6|static) route-map (\S+)"):
            sources.append({"source": line[1], "route_map": line[2], **of_family})
        aggregates += [_aggregate(line) for line in configuration.take(inner, _AGGREGATE)]
        imports += [{**entry, **of_family} for entry in _imports(configuration, inner)]
        for neighbor in neighbors:
            entry = _in_family(configuration, inner, neighbor_name(neighbor), by_default=by_default and family == "ipv4")
            if entry is not None:
                neighbor["families"].append({"family": family, **entry})
    parts = (("networks", networks), ("aggregates", aggregates), ("redistribute", sources), ("imports", imports))
    instance.update({key: value for key, value in parts if value})
    paths = _maximum_paths(configuration, families.values())
    if paths:
        instance["maximum_paths"] = paths
    instance["neighbors"] = neighbors
    return instance


_AGGREGATE = r"aggregate-address (\S+)( as-set)?( summary-only)?(?: route-map (\S+))?"


def _aggregate(line: re.Match[str]) -> dict[str, Any]:
    flags = {key: True for key, word in (("as_set", line[2]), ("summary_only", line[3])) if word}
    return {"prefix": line[1], **flags, **({"route_map": line[4]} if line[4] else {})}


def _imports(configuration: Configuration, section: Section) -> list[dict[str, Any]]:
    """Return the VRFs that are imported into an address family, each with the route map of all; a route map for none stays."""
    if not configuration.find(section, r"import vrf (?!route-map )\S+"):
        return []
    route_map = configuration.take_one(section, r"import vrf route-map (\S+)")
    more = {"route_map": route_map[1]} if route_map else {}
    return [{"vrf": line[1], **more} for line in configuration.take(section, r"import vrf (?!route-map )(\S+)")]


def _neighbors_of(configuration: Configuration, section: Section) -> list[str]:
    """Return the names of the neighbors that options describe: addresses, and interfaces."""
    in_groups = {line[1] for line in configuration.find(section, r"neighbor (\S+) peer-group(?: \S+)?")}
    return [line[1] for line in configuration.find(section, _MADE) if is_address(line[1]) != bool(line[2]) and line[1] not in in_groups]


def _leave_others(configuration: Configuration, section: Section, described: Iterable[str], found: Description) -> None:
    """Leave all that is said of other neighbors, each of which is named once."""
    names = {line[1] for line in configuration.find(section, r"(?:no )?neighbor (\S+) .+")} - set(described)
    for name in sorted(names):
        why = "is of a peer group, is one, or has no number as its AS; describe it as an entry of frr_bgp[].neighbors with all that counts for it"
        found.leave(" / ".join(("FRR", *section, f"neighbor {name}")), why)
        for inner in configuration.below(section):
            configuration.take(inner, rf"(?:no )?neighbor {re.escape(name)} .+")


def _neighbor(configuration: Configuration, section: Section, address: str, found: Description) -> dict[str, Any]:
    begin = f"neighbor {re.escape(address)} "

    def one(pattern: str) -> re.Match[str] | None:
        return configuration.take_one(section, begin + pattern)

    neighbor: dict[str, Any] = {"address" if is_address(address) else "interface": address}
    if remote_as := one(r"(?:interface v6only )?remote-as (\d+)"):
        neighbor["remote_as"] = int(remote_as[1])
    if role := one(r"local-role (provider|customer|peer|rs-server|rs-client)( strict-mode)?"):
        neighbor.update(local_role=role[1].replace("-", "_"), **({"strict_role": True} if role[2] else {}))
    for words, pattern, option in _TEXTS:
        if line := one(f"{words} {pattern}"):
            neighbor[option] = line[1]
    for words, option in _NUMBERS:
        if line := one(rf"{words} (\d+)"):
            neighbor[option] = int(line[1])
    if one("passive"):
        neighbor["passive"] = True
    if timers := one(r"timers (\d+) (\d+)"):
        neighbor.update(keepalive=int(timers[1]), holdtime=int(timers[2]))
    if configuration.has(section, f"neighbor {address} bfd") and (profile := one(r"bfd profile (\S+)")):
        one("bfd")
        neighbor["bfd_profile"] = profile[1]
    if password := one(f"password {PLACEHOLDER.pattern}"):
        neighbor["password"] = found.secret(password[1], f"BGP's password of neighbor {address}")
    neighbor["families"] = []
    return neighbor


def _in_family(configuration: Configuration, section: Section, address: str, *, by_default: bool) -> dict[str, Any] | None:
    """Return what a neighbor has in an address family, None where it is not active. by_default: it is, unless something else is said."""
    begin = f"neighbor {re.escape(address)} "
    if configuration.take_line(section, f"no neighbor {address} activate"):
        return None
    if not configuration.take_line(section, f"neighbor {address} activate") and not by_default:
        return None
    entry: dict[str, Any] = {}
    for way in ("in", "out"):
        if line := configuration.take_one(section, rf"{begin}route-map (\S+) {way}"):
            entry[f"route_map_{way}"] = line[1]
    if configuration.take_line(section, f"neighbor {address} route-reflector-client"):
        entry["route_reflector_client"] = True
    # A reflector's needs the word, another one must not have it: what the option says.
    force = " force" if "route_reflector_client" in entry else ""
    if configuration.take_line(section, f"neighbor {address} next-hop-self{force}"):
        entry["next_hop_self"] = True
    if line := configuration.take_one(section, rf"{begin}default-originate(?: route-map (\S+))?"):
        entry.update(default_originate=True, **({"default_originate_route_map": line[1]} if line[1] else {}))
    if configuration.take_line(section, f"neighbor {address} remove-private-AS"):
        entry["remove_private_as"] = True
    if line := configuration.take_one(section, rf"{begin}maximum-prefix (\d+)(?: restart (\d+))?"):
        entry["maximum_prefix"] = int(line[1])
        if line[2]:
            entry["maximum_prefix_restart"] = int(line[2])
    return entry


def _maximum_paths(configuration: Configuration, families: Iterable[Section]) -> int | None:
    """Return how many paths are used, where all address families that are there say the same for both kinds of neighbors."""
    there = [section for section in families if configuration.knows(section)]
    said = {
        tuple(
            tuple(line[1] for line in configuration.find(section, pattern))
            for pattern in (r"maximum-paths (\d+)", r"maximum-paths ibgp (\d+)")
        )
        for section in there
    }
    if len(said) != 1:
        return None
    external, internal = said.pop()
    if len(external) != 1 or external != internal:
        return None
    for section in there:
        configuration.take(section, r"maximum-paths (?:ibgp )?\d+")
    return int(external[0])
