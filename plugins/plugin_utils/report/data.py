# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the report says of each host, and the report as one dictionary. Pure; no secret of the variables is taken over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.live_parse_frr import bfd_neighbor
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import Registry, peer_key
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import ONLINE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.report.links import containers_of, data_of, first_hops, gathered, link_ends
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr import FAMILY_NAMES
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.units import expected_units
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import (
    DEFAULT_VRF,
    State,
    Variables,
    tables_of,
)

# Routes of one VRF that the page lists; the rest is counted.
ROUTES_SHOWN = 500


def host_summary(
    host: str,
    groups: Sequence[str],
    variables: Variables,
    state: State,
    registry: Registry | None = None,
    cuts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the facts, tables and sessions of a host that the report shows.

    Parameters:
        host: inventory name.
        groups: names of the groups the host is in, ``all`` and ``ungrouped`` among them or not.
        variables: the roles' variables with their defaults.
        state: what module ``live_state`` returned; empty for a host that could not be reached.
        registry: public key by WireGuard interface by host.
        cuts: what role failover_test measured from this host in the same run.

    Returns:
        ``host, site, reachable, kernel, os, frr, uptime (s), waited (s), asns, router_ids, vrfs, addresses, tunnels, links, sessions,
        containers, ospf, boot, failover`` (the cuts), ``overrides`` (sentences) and ``boot_plot`` (SVG text or None). States are ``up``, ``down`` or
        ``unknown`` (not gathered).
    """
    system = state.get("system") or {}
    instances = variables.get("frr_bgp", [])
    tunnels = tunnels_of(variables, state, registry or {})
    return {
        "host": host,
        "site": site_of(variables, groups),
        "reachable": bool(system),
        "kernel": system.get("kernel"),
        "os": system.get("os"),
        "frr": data_of(state, "frr_version", None),
        "uptime": system.get("uptime"),
        "waited": state.get("waited"),
        "asns": sorted({instance["asn"] for instance in instances}),
        "router_ids": sorted({instance["router_id"] for instance in instances}),
        "vrfs": [vrf_summary(name, table, state) for name, table in shown_tables(variables, state).items()],
        "addresses": [
            address.partition("/")[0] for interface in variables.get("frr_interfaces", []) for address in interface.get("addresses", [])
        ],
        "tunnels": tunnels,
        "links": link_ends(variables, state, tunnels),
        "sessions": sessions_of(variables, state),
        "containers": containers_of(variables),
        "ospf": ospf_of(variables, state),
        "boot": boot_of(variables, state),
        "boot_plot": data_of(state, "boot_plot", None),
        "failover": list(cuts),
        "overrides": list(variables.get("verify_overrides", [])),
    }


def ospf_of(variables: Variables, state: State) -> list[dict[str, Any]]:
    """Return one entry per OSPF neighbor: ``version (2 or 3), vrf, router_id, state, full (bool), interface, uptime (s)``.

    FRR names the VRF of a neighbor in one of the two versions only, so it is read from the variables by the interface; None if they lack it.
    """
    neighbors = []
    for version, part, variable in ((2, "ospf", "frr_ospf"), (3, "ospf6", "frr_ospf6")):
        vrfs = {
            interface["name"]: instance.get("vrf") or DEFAULT_VRF
            for instance in entries_of(variables, variable)
            for interface in instance.get("interfaces", [])
        }
        for item in data_of(state, part, []):
            kept = {key: item[key] for key in ("router_id", "state", "full", "interface", "uptime")}
            neighbors.append({"version": version, "vrf": vrfs.get(item["interface"]), **kept})
    return neighbors


def boot_of(variables: Variables, state: State) -> list[dict[str, Any]]:
    """Return ``unit, at`` (seconds from the kernel's start, None if it never became active) in the order of the boot."""
    units = data_of(state, "units", {})
    names = [ONLINE, *expected_units(variables)] if units else []
    times = {name: int((units.get(name) or {}).get("ActiveEnterTimestampMonotonic", 0)) for name in names}
    return [{"unit": name, "at": round(time / 1e6, 1) if time else None} for name, time in times.items()]


def shown_tables(variables: Variables, state: State) -> dict[str, int]:
    """Return the VRFs whose routes are shown: the declared ones, and the default VRF if a routing daemon put a route there."""
    tables = tables_of(variables)
    used = {route["vrf"] for route in data_of(state, "rib", []) if route["protocol"] not in ("connected", "local", "kernel")}
    return {name: table for name, table in tables.items() if name != DEFAULT_VRF or name in used}


def vrf_summary(name: str, table: int, state: State) -> dict[str, Any]:
    """Return ``name, table, counts`` (routes by protocol) and ``routes`` (selected ones, at most `ROUTES_SHOWN`) of a VRF."""
    routes = [
        {
            "prefix": route["prefix"],
            "protocol": route["protocol"],
            "installed": route["installed"],
            "uptime": route["uptime"] or "",
            "via": ", ".join(hop_text(hop) for hop in route["nexthops"] if hop["interface"] or hop["blackhole"] or hop["ip"]),
        }
        for route in data_of(state, "rib", [])
        if route["vrf"] == name and route["selected"] and not route["prefix"].startswith("fe80:")
    ]
    counts = Counter(route["protocol"] for route in routes)
    return {"name": name, "table": table, "counts": dict(sorted(counts.items())), "routes": routes[:ROUTES_SHOWN]}


def hop_text(hop: Mapping[str, Any]) -> str:
    """Write one next hop."""
    if hop["blackhole"]:
        return "discard"
    if not hop["interface"]:
        return f"{hop['ip']} (recursive)"
    return f"{hop['ip']} dev {hop['interface']}" if hop["ip"] else f"dev {hop['interface']}"


def tunnels_of(variables: Variables, state: State, registry: Registry) -> list[dict[str, Any]]:
    """Return one entry per WireGuard peer: ``interface, peer, remote_interface, state, age (s), endpoint, rx, tx (bytes), mtu``."""
    live = gathered(state, "wireguard")
    limit = int(variables.get("verify_handshake_max_age", 180))
    tunnels = []
    for interface in variables.get("wireguard_interfaces", []):
        for peer in interface.get("peers", []):
            found = ((live or {}).get(interface["name"]) or {}).get("peers", {}).get(peer_key(interface, peer, registry) or "") or {}
            age = found.get("handshake_age")
            up = age is not None and age <= limit
            tunnels.append(
                {
                    "interface": interface["name"],
                    "peer": peer["name"],
                    "remote_interface": peer.get("interface") or interface["name"],
                    "state": "unknown" if live is None else "up" if up else "down",
                    "age": age,
                    "endpoint": found.get("endpoint"),
                    "rx": found.get("rx"),
                    "tx": found.get("tx"),
                    "mtu": interface.get("mtu"),
                }
            )
    return tunnels


def sessions_of(variables: Variables, state: State) -> list[dict[str, Any]]:
    """Return one entry per BGP neighbor: ``vrf, address, local, remote_as, description, state, text, uptime (s), received, bfd``,
    ``families`` (state by address family) and ``interfaces`` (what its packets leave through, as far as that is known).

    ``bfd`` is ``up``, ``down``, ``unknown`` or None (no profile); ``local`` is the own address, if declared or live.
    """
    live = gathered(state, "bgp")
    bfd = gathered(state, "bfd")
    sessions = []
    for instance in variables.get("frr_bgp", []):
        vrf = instance.get("vrf") or DEFAULT_VRF
        for neighbor in instance.get("neighbors", []):
            address = neighbor_name(neighbor)
            found = ((live or {}).get(vrf) or {}).get(address)
            watched = next((item for item in bfd or [] if (item["vrf"], bfd_neighbor(item)) == (vrf, address)), None)
            bfd_state = "unknown" if bfd is None else "up" if watched and watched["status"] == "up" else "down"
            session_state = "unknown" if live is None else "up" if found and found["state"] == "Established" else "down"
            sessions.append(
                {
                    "vrf": vrf,
                    "address": address,
                    "local": neighbor.get("update_source") or (found or {}).get("local_address"),
                    "remote_as": neighbor["remote_as"],
                    "description": neighbor.get("description", ""),
                    "state": session_state,
                    "text": "not read" if live is None else found["state"] if found else "not configured",
                    "uptime": found["uptime"] if found else None,
                    "received": sum(family["accepted"] for family in found["families"].values()) if found else None,
                    "bfd": bfd_state if neighbor.get("bfd_profile") else None,
                    "families": families_of(neighbor, found, session_state),
                    "interfaces": [neighbor["interface"]] if "interface" in neighbor else first_hops(variables, state, vrf, address),
                }
            )
    return sessions


def families_of(neighbor: Mapping[str, Any], found: Mapping[str, Any] | None, state: str) -> dict[str, str]:
    """Return the state of each declared address family: that of its session, but ``down`` where it was not negotiated."""
    negotiated = {name for name, family in ((found or {}).get("families") or {}).items() if family.get("negotiated")}
    return {
        item["family"]: "down" if state == "up" and FAMILY_NAMES[item["family"]] not in negotiated else state
        for item in neighbor.get("families", [])
    }


def site_of(variables: Variables, groups: Sequence[str]) -> str:
    """Return the site in which a host is drawn: that of its variables, else the first group of its own, else nothing."""
    named = sorted(name for name in groups if name not in ("all", "ungrouped"))
    return variables.get("verify_site") or (named[0] if named else "")


def drawn_without_result(variables: Mapping[str, Any]) -> Variables:
    """Return the part of a host's variables by which it is shown although nothing could be compared."""
    found: HostVariables = {"verify_overrides": [str(sentence) for sentence in variables.get("verify_overrides") or ()]}
    if variables.get("verify_site"):
        found["verify_site"] = str(variables["verify_site"])
    return found


def build_report(results: Sequence[Mapping[str, Any]], meta: Mapping[str, Any]) -> dict[str, Any]:
    """Put the results of all hosts together.

    Parameters:
        results: per host ``{"host": str, "checks": [dict], "summary": dict}``.
        meta: ``title, inventory, made (ISO 8601 text), calls (remote calls by host, may be empty)``.

    Returns:
        ``title, inventory, made, calls, counts, checks, hosts``: what ``report.json`` holds. ``counts`` is by status.
    """
    checks = [check for result in results for check in result["checks"]]
    counts = Counter(check["status"] for check in checks)
    return {
        **meta,
        "counts": {status: counts.get(status, 0) for status in ("passed", "failed", "skipped")},
        "checks": checks,
        "hosts": [result["summary"] for result in results],
    }
