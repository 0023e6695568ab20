# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates of role frr print, and what else the role needs of its variables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import placeholder
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgp,
    FrrBgpAggregate,
    FrrBgpNeighbor,
    FrrBgpNeighborFamily,
    FrrBgpRedistribute,
    FrrLine,
    FrrRpki,
    FrrStaticRoute,
    HostVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.render.unit_record import record_command

# Daemons frr.conf may speak of, with the variable that needs them.
_OPTIONAL_DAEMONS = {"bgpd": "frr_bgp", "ospfd": "frr_ospf", "ospf6d": "frr_ospf6", "bfdd": "frr_bfd_profiles"}
# What ends a section of frr.conf, by the first word of what begins it.
_ENDS = {"vrf": "exit-vrf", "address-family": "exit-address-family", "vni": "exit-vni"}
# Both versions of OSPF: the variable, what a line of an interface begins with, and what an install filter begins with.
_OSPF = (("frr_ospf", "ip ospf", "ip protocol ospf"), ("frr_ospf6", "ipv6 ospf6", "ipv6 protocol ospf6"))
# FRR's own: a line that says the same is not printed.
_HELLO_S, _DEAD_S, _DISTANCE = 10, 40, 1
# The lines by which both authenticate: MD5 (RFC 2328, D.3), and the trailer (RFC 7166) with the algorithm that every FRR has.
_AUTHENTICATION = {
    "ip ospf": ("authentication message-digest", "message-digest-key 1 md5 {}"),
    "ipv6 ospf6": ("authentication key-id 1 hash-algo hmac-sha-256 key {}",),
}
# Of RPKI, with FRR's own seconds, which it does not print.
_RPKI_INTERVALS, _RPKI_DEFAULTS_S = ("polling_period", "expire_interval", "retry_interval"), (3600, 7200, 600)
# The first word of a community list, and the second, by its kind.
_COMMUNITY_LISTS = {
    "standard": "community-list standard",
    "expanded": "community-list expanded",
    "large": "large-community-list standard",
    "large_expanded": "large-community-list expanded",
}


class InterfaceOspf(TypedDict):
    """What one version of OSPF has on an interface; ``word`` begins each line, intervals are there only where they differ from FRR's."""

    word: str
    area: str
    authentication: NotRequired[list[str]]
    bfd_profile: NotRequired[str]
    cost: NotRequired[int]
    dead_interval: NotRequired[int]
    hello_interval: NotRequired[int]
    network: NotRequired[str]
    passive: bool


class Interface(TypedDict):
    """One section ``interface`` of frr.conf."""

    name: str
    description: NotRequired[str]
    addresses: list[str]
    link_detect: bool
    ospf: list[InterfaceOspf]


class InstallFilter(TypedDict):
    """What a protocol may put into a table: the words of the line, and its route map."""

    words: str
    route_map: str


class Vrf(TypedDict):
    """The routes and install filters of a VRF; the default VRF has no name."""

    name: str
    routes: list[str]
    install_filters: list[InstallFilter]


class BgpNeighbor(FrrBgpNeighbor):
    """A neighbor as declared, with a placeholder for its password: what FRR calls it, and the words of the line that makes it one."""

    name: str
    made: str


class ActivatedNeighbor(TypedDict):
    """A neighbor in an address family; the words of a line are missing where it has none."""

    name: str
    route_reflector_client: bool
    next_hop_self: str | None
    remove_private_as: bool
    default_originate: str | None
    maximum_prefix: NotRequired[int]
    maximum_prefix_restart: NotRequired[int]
    route_map_in: str
    route_map_out: str


class BgpFamily(TypedDict):
    """One section ``address-family`` of a BGP instance."""

    name: str
    networks: list[str]
    aggregates: list[str]
    redistribute: list[FrrBgpRedistribute]
    imports: list[str]
    neighbors: list[ActivatedNeighbor]
    maximum_paths: NotRequired[int]


class BgpInstance(TypedDict):
    """One ``router bgp``: the instance as declared, passwords replaced, and its address families that hold anything."""

    declared: FrrBgp
    neighbors: list[BgpNeighbor]
    families: list[BgpFamily]


class FrrValues(TypedDict):
    """What `frr_values` returns.

    Attributes:
        daemons: those that run, zebra and staticd first.
        optional_daemons: those of FRR's file ``daemons`` that may run, with ``yes`` or ``no``.
        record: the command by which the unit records what FRR reads of its daemons.
        more_daemons: others, that run for own lines.
        own_files: the files of the daemons that run, as module config_files takes them. All is in frr.conf, so they are empty.
        graceful_restart: whether zebra has to keep routes over a restart.
        addresses: those of each interface, as module frr_config proves them.
        secrets: passwords by the name in their placeholders.
        main_table, vrfs: routes and install filters.
        bgp_lists: the lines of AS path and community lists, each list for itself.
        rpki: the lines of section rpki, none without caches. They are those of FRR 10; module frr_config gives an older one its own.
        interfaces: the table of interfaces, those with OSPF alone last.
        bgp: the BGP instances.
        own_lines: those of a person, with what opens and ends their sections. A section that stands above already is entered again.
    """

    daemons: list[str]
    optional_daemons: dict[str, str]
    record: str
    own_files: list[dict[str, Any]]
    graceful_restart: bool
    addresses: dict[str, list[str]]
    secrets: dict[str, str]
    main_table: Vrf
    vrfs: list[Vrf]
    interfaces: list[Interface]
    bgp: list[BgpInstance]
    bgp_lists: list[list[str]]
    rpki: list[str]
    more_daemons: list[str]
    own_lines: list[str]


def frr_values(variables: HostVariables) -> FrrValues:
    """Return what the templates of role frr print.

    Parameters:
        variables: those of the role; what is not given counts as empty.
    """
    asked = variables.get("frr_daemons", [])
    wanted = [daemon for daemon, variable in _OPTIONAL_DAEMONS.items() if entries_of(variables, variable) or daemon in asked]
    more = [daemon for daemon in dict.fromkeys(asked) if daemon not in _OPTIONAL_DAEMONS]
    daemons = ["zebra", "staticd", *wanted, *more]
    instances = variables.get("frr_bgp", [])
    return {
        "daemons": daemons,
        "optional_daemons": {daemon: "yes" if daemon in wanted else "no" for daemon in _OPTIONAL_DAEMONS},
        "record": record_command(["/etc/frr/daemons"]),
        "own_files": [_own_file(daemon) for daemon in daemons],
        "graceful_restart": any(instance.get("graceful_restart") for instance in instances),
        "addresses": {item["name"]: item.get("addresses", []) for item in variables.get("frr_interfaces", [])},
        "secrets": dict(_secrets(variables)),
        "main_table": _vrf("", variables),
        "vrfs": [_vrf(name, variables) for name in variables.get("frr_vrfs", [])],
        "interfaces": _interfaces(variables),
        "bgp": [_bgp(instance) for instance in instances],
        "bgp_lists": list(bgp_lists(variables)),
        "rpki": list(_rpki(variables.get("frr_rpki", {}))),
        "more_daemons": more,
        "own_lines": [line for entry in variables.get("frr_lines", []) for line in _own_lines(entry)],
    }


def static_route(route: FrrStaticRoute) -> str:
    """Return the line of a static route, as FRR itself prints it."""
    distance = route.get("distance", _DISTANCE)
    words = (
        "ipv6" if ":" in route["prefix"] else "ip",
        "route",
        route["prefix"],
        "blackhole" if route.get("blackhole") else "",
        route.get("next_hop"),
        route.get("interface"),
        f"tag {route['tag']}" if "tag" in route else "",
        distance if distance != _DISTANCE else "",
        f"nexthop-vrf {route['next_hop_vrf']}" if "next_hop_vrf" in route else "",
    )
    return " ".join(str(word) for word in words if word)


def bgp_lists(variables: HostVariables) -> Iterator[list[str]]:
    """Yield the lines of each AS path list and community list, as FRR itself prints them."""
    for paths in variables.get("frr_as_path_lists", []):
        yield [f"bgp as-path access-list {paths['name']} seq {line['seq']} {line['action']} {line['regex']}" for line in paths["entries"]]
    for found in variables.get("frr_community_lists", []):
        words = f"bgp {_COMMUNITY_LISTS[found['kind']]} {found['name']}"
        yield [f"{words} seq {line['seq']} {line['action']} {line['value']}" for line in found["entries"]]


def _rpki(rpki: FrrRpki) -> Iterator[str]:
    caches = rpki.get("caches", [])
    intervals = rpki.get("polling_period"), rpki.get("expire_interval"), rpki.get("retry_interval")
    for word, default, seconds in zip(_RPKI_INTERVALS, _RPKI_DEFAULTS_S, intervals):
        if caches and seconds is not None and seconds != default:
            yield f"rpki {word} {seconds}"
    for cache in caches:
        source = f" source {cache['source']}" if "source" in cache else ""
        yield f"rpki cache tcp {cache['host']} {cache['port']}{source} preference {cache['preference']}"


def _own_file(daemon: str) -> dict[str, Any]:
    return {"path": f"/etc/frr/{daemon}.conf", "content": "", "owner": "frr", "group": "frr", "mode": "0640", "keep": True}


def _own_lines(entry: FrrLine) -> Iterator[str]:
    """Yield the lines of an entry with what opens and ends its sections, indented as FRR does."""
    section = entry.get("section", [])
    yield from (" " * depth + opening for depth, opening in enumerate(section))
    yield from (" " * len(section) + line for line in entry["lines"])
    for depth, opening in reversed(list(enumerate(section))):
        yield " " * depth + _ENDS.get(opening.partition(" ")[0], "exit")
    yield "!"


def _bgp_secret(instance: FrrBgp, neighbor: FrrBgpNeighbor) -> str:
    return f"bgp {instance.get('vrf', 'default')} {neighbor_name(neighbor)}"


def _ospf_secret(word: str, interface: Mapping[str, Any]) -> str:
    return f"{word.split()[1]} {interface['name']}"


def _secrets(variables: HostVariables) -> Iterator[tuple[str, str]]:
    for instance in variables.get("frr_bgp", []):
        for neighbor in instance.get("neighbors", []):
            if "password" in neighbor:
                yield _bgp_secret(instance, neighbor), neighbor["password"]
    for variable, word, _words in _OSPF:
        for version in entries_of(variables, variable):
            for interface in version["interfaces"]:
                if "password" in interface:
                    yield _ospf_secret(word, interface), interface["password"]
    yield from variables.get("frr_secrets", {}).items()


def _vrf(name: str, variables: HostVariables) -> Vrf:
    filters: list[InstallFilter] = []
    for variable, _word, words in _OSPF:
        for instance in entries_of(variables, variable):
            if instance.get("vrf", "") == name and "install_route_map" in instance:
                filters.append({"words": words, "route_map": instance["install_route_map"]})
    routes = [static_route(route) for route in variables.get("frr_static_routes", []) if route.get("vrf", "") == name]
    return {"name": name, "routes": routes, "install_filters": filters}


def _interfaces(variables: HostVariables) -> list[Interface]:
    found: dict[str, Interface] = {}
    for item in variables.get("frr_interfaces", []):
        found[item["name"]] = {
            "name": item["name"],
            "addresses": item.get("addresses", []),
            "link_detect": item.get("link_detect", True),
            "ospf": [],
        }
        if "description" in item:
            found[item["name"]]["description"] = item["description"]
    for variable, word, _words in _OSPF:
        for instance in entries_of(variables, variable):
            for settings in instance["interfaces"]:
                name = settings["name"]
                entry = found.setdefault(name, {"name": name, "addresses": [], "link_detect": True, "ospf": []})
                entry["ospf"].append(_on_interface(word, settings))
    return list(found.values())


def _on_interface(word: str, settings: Mapping[str, Any]) -> InterfaceOspf:
    found: InterfaceOspf = {"word": word, "area": settings["area"], "passive": settings.get("passive", False)}
    hello, dead = settings.get("hello_interval", _HELLO_S), settings.get("dead_interval", _DEAD_S)
    if hello != _HELLO_S:
        found["hello_interval"] = hello
    # OSPFv2 derives the dead interval from the hello interval unless it is given; OSPFv3 does not.
    if dead != _DEAD_S or (hello != _HELLO_S and word == "ip ospf"):
        found["dead_interval"] = dead
    if "password" in settings:
        found["authentication"] = [words.format(placeholder(_ospf_secret(word, settings))) for words in _AUTHENTICATION[word]]
    if "bfd_profile" in settings:
        found["bfd_profile"] = settings["bfd_profile"]
    if "cost" in settings:
        found["cost"] = settings["cost"]
    if "network" in settings:
        found["network"] = settings["network"]
    return found


def _bgp(instance: FrrBgp) -> BgpInstance:
    neighbors: list[BgpNeighbor] = []
    for neighbor in instance.get("neighbors", []):
        # Without v6only, a session would go by IPv4 where the interface has a subnet of two addresses.
        unnumbered = "" if "address" in neighbor else "interface v6only "
        made = f"{unnumbered}remote-as {neighbor['remote_as']}"
        covered: BgpNeighbor = {**neighbor, "name": neighbor_name(neighbor), "made": made}
        if "password" in neighbor:
            covered["password"] = placeholder(_bgp_secret(instance, neighbor))
        neighbors.append(covered)
    families = (_family(instance, family) for family in FAMILIES)
    return {"declared": instance, "neighbors": neighbors, "families": [family for family in families if family is not None]}


def _family(instance: FrrBgp, family: str) -> BgpFamily | None:
    found: BgpFamily = {
        "name": family,
        "networks": [network for network in instance.get("networks", []) if (":" in network) == (family == "ipv6")],
        "aggregates": [_aggregate(item) for item in instance.get("aggregates", []) if (":" in item["prefix"]) == (family == "ipv6")],
        "redistribute": [source for source in instance.get("redistribute", []) if source.get("family", "ipv4") == family],
        "imports": list(_imports(instance, family)),
        "neighbors": list(_activated(instance.get("neighbors", []), family)),
    }
    if not any(found[part] for part in ("networks", "aggregates", "redistribute", "imports", "neighbors")):
        return None
    if "maximum_paths" in instance:
        found["maximum_paths"] = instance["maximum_paths"]
    return found


def _aggregate(aggregate: FrrBgpAggregate) -> str:
    words = (
        aggregate["prefix"],
        "as-set" if aggregate.get("as_set") else "",
        "summary-only" if aggregate.get("summary_only") else "",
        f"route-map {aggregate['route_map']}" if "route_map" in aggregate else "",
    )
    return " ".join(filter(None, words))


def _imports(instance: FrrBgp, family: str) -> Iterator[str]:
    """Yield what is imported into an address family: its one route map, then the VRFs."""
    imports = [item for item in instance.get("imports", []) if item.get("family", "ipv4") == family]
    yield from dict.fromkeys(f"route-map {item['route_map']}" for item in imports if "route_map" in item)
    yield from (item["vrf"] for item in imports)


def _activated(neighbors: Iterable[FrrBgpNeighbor], family: str) -> Iterator[ActivatedNeighbor]:
    for neighbor in neighbors:
        for item in neighbor["families"]:
            if item["family"] != family:
                continue
            client = item.get("route_reflector_client", False)
            found: ActivatedNeighbor = {
                "name": neighbor_name(neighbor),
                "route_reflector_client": client,
                # A reflector leaves the next hop of what it reflects alone, unless forced.
                "next_hop_self": ("next-hop-self force" if client else "next-hop-self") if item.get("next_hop_self") else None,
                "remove_private_as": item.get("remove_private_as", False),
                "default_originate": _default_originate(item),
                "route_map_in": item["route_map_in"],
                "route_map_out": item["route_map_out"],
            }
            if "maximum_prefix" in item:
                found["maximum_prefix"] = item["maximum_prefix"]
                if "maximum_prefix_restart" in item:
                    found["maximum_prefix_restart"] = item["maximum_prefix_restart"]
            yield found


def _default_originate(item: FrrBgpNeighborFamily) -> str | None:
    if not item.get("default_originate"):
        return None
    route_map = item.get("default_originate_route_map")
    return f"default-originate route-map {route_map}" if route_map else "default-originate"
