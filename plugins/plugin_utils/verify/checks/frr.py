# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of FRR: BGP neighbors, BFD sessions, static routes, and that the running configuration is the file's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF
from ansible_collections.xuegao.net.plugins.module_utils.frr_drain import DRAINED_IN
from ansible_collections.xuegao.net.plugins.module_utils.frr_policy import of_route_map, policy_of
from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import canonical_prefix
from ansible_collections.xuegao.net.plugins.module_utils.live_parse_frr import bfd_neighbor
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import is_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBfdProfile,
    FrrBgp,
    FrrBgpNeighbor,
    FrrLine,
    FrrStaticRoute,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import bfd_timers
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.render.templates import rendered
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.frr import bgp_lists
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import (
    DEFAULT_VRF,
    Ledger,
    Variables,
    Verdict,
    canonical_address,
    duration,
    family_of,
    same,
)

Bgp = Mapping[str, Mapping[str, Mapping[str, Any]]]
Policy = dict[str, list[str]]
# Conditions that zebra knows and bgpd does not show.
_OF_ZEBRA = ("prefix-len", "source-protocol", "source-instance")
_REPAIRED = "one of FRR's daemons has missed a change, and the next run of role frr puts it right"
FAMILY_NAMES = {"ipv4": "ipv4Unicast", "ipv6": "ipv6Unicast"}


def check_frr(ledger: Ledger, variables: Variables) -> None:
    """Check everything that FRR holds for this host."""
    if not is_declared("frr", variables):
        return
    profiles = {profile["name"]: profile for profile in variables.get("frr_bfd_profiles", [])}
    policy = planned_policy(variables)
    optional = {
        (item.get("vrf") or DEFAULT_VRF, canonical_address(item["neighbor"]))
        for item in variables.get("verify_neighbors", [])
        if item.get("optional")
    }
    for instance in variables.get("frr_bgp", []):
        check_instance(ledger, instance, profiles, policy, optional)
    if variables.get("frr_rpki", {}).get("caches"):
        check_rpki(ledger)
    for route in variables.get("frr_static_routes", []):
        check_static(ledger, route)
    if variables.get("verify_frr_config", True):
        command = f"/usr/lib/frr/frr-reload.py --test {FRR_CONF}"
        ledger.judge("FRR configuration runs as in frr.conf", command, "frr_config", no_difference)
    for entry in variables.get("frr_lines", []):
        check_own_lines(ledger, entry)
    ledger.judge("FRR daemons as installed", "ls -l /proc/[0-9]*/exe | grep /frr/", "frr_processes", as_installed)
    children = "ps --ppid $(cat /run/frr/watchfrr.pid)"
    ledger.judge("FRR watchfrr has noticed what ended", children, "frr_processes", all_noticed)


def as_installed(live: Mapping[str, Any]) -> Verdict:
    """Test that the daemons run the programs that are installed. Those that are older than the unit are named: a changed unit holds from its next start."""
    daemons: Mapping[str, Mapping[str, bool]] = live["daemons"]
    replaced = [name for name, found in daemons.items() if found["replaced"]]
    if replaced:
        remedy = "upgrade_frr or reboot (both drain), or a restart of frr.service"
        return False, f"{', '.join(replaced)}: the program was replaced since its start, and the former one runs. Remedy: {remedy}"
    older = [name for name, found in daemons.items() if found["older"]]
    return True, f"{len(daemons)}" + (f"; {', '.join(older)} older than frr.service, which holds from its next start" if older else "")


def all_noticed(live: Mapping[str, Any]) -> Verdict:
    """Test that watchfrr has taken in whatever it started and has ended; one that is behind never starts that daemon again."""
    left = live["unnoticed"]
    return not left, f"not that of {', '.join(map(str, left))}; the next run of role frr has it catch up" if left else "all"


def planned_policy(variables: Variables) -> Policy:
    """Return what frr.conf says of lists and route maps, as `policy_of` does."""
    declared = {name: variables.get(name, []) for name in ("frr_prefix_lists", "frr_route_maps")}
    return policy_of(rendered("frr", "policy.conf.j2", {**declared, "__frr_values": {"bgp_lists": list(bgp_lists(variables))}}))


def no_difference(lines: list[str]) -> Verdict:
    """Test that nothing is left to reload; ``lines`` are the differences, ``-`` only running, ``+`` only in the file."""
    if not lines:
        return True, "no difference"
    shown = "; ".join(" ".join(line.split()) for line in lines[:6])
    more = f"; and {len(lines) - 6} more" if len(lines) > 6 else ""
    return False, f"{len(lines)} lines differ, expected none (- runs, + is in the file): {shown}{more}"


def check_rpki(ledger: Ledger) -> None:
    """Check that FRR has a cache: without one the origin of every route is unknown, and an invalid one passes."""

    def connected(caches: list[dict[str, Any]]) -> Verdict:
        there = [f"{item['host']} port {item['port']}, preference {item['preference']}" for item in caches if item["connected"]]
        return (True, "; ".join(there)) if there else (False, "no cache answers: no route is invalid, whoever originates it")

    ledger.judge("RPKI cache connected", "vtysh -c 'show rpki cache-connection'", "rpki", connected)


def check_own_lines(ledger: Ledger, entry: FrrLine) -> None:
    """Check that FRR runs the own lines of a section."""
    section = entry.get("section", [])

    def run(missing: list[dict[str, Any]]) -> Verdict:
        lines = next((item["lines"] for item in missing if item["section"] == section), entry["lines"])
        return not lines, f"FRR does not run {'; '.join(lines)}" if lines else "; ".join(entry["lines"])

    where = " / ".join(section) or "no section"
    ledger.judge(f"FRR own lines in {where}", "vtysh -c 'show running-config'", "frr_lines", run)


def check_instance(
    ledger: Ledger, instance: FrrBgp, profiles: Mapping[str, FrrBfdProfile], policy: Policy, optional: Collection[tuple[str, str]]
) -> None:
    """Check one BGP instance and its neighbors.

    Parameters:
        policy: what frr.conf says of prefix lists and route maps.
        optional: VRF and name of the neighbors that may be down.
    """
    vrf = instance.get("vrf") or DEFAULT_VRF
    addresses = {neighbor_name(neighbor) for neighbor in instance.get("neighbors", [])}
    summary = f"vtysh -c 'show bgp vrf {vrf} summary'"

    def exists(bgp: Bgp) -> Verdict:
        peers = bgp.get(vrf)
        if peers is None:
            return False, f"no BGP instance in VRF {vrf}, found {', '.join(sorted(bgp)) or 'none'}"
        wrong = {
            f"AS {peer['local_as']} router ID {peer['local_router_id']}"
            for peer in peers.values()
            if (peer["local_as"], peer["local_router_id"]) != (instance["asn"], instance["router_id"])
        }
        expected = f"AS {instance['asn']} router ID {instance['router_id']}"
        return (False, f"found {', '.join(sorted(wrong))}, expected {expected}") if wrong else (True, expected)

    def others(bgp: Bgp) -> Verdict:
        if vrf not in bgp:
            return False, f"no BGP instance in VRF {vrf}"
        extra = sorted(set(bgp[vrf]) - addresses)
        return not extra, f"found {', '.join(extra)}, which are not declared" if extra else f"{len(addresses)} declared"

    def alive(missed: Mapping[str, list[dict[str, Any]]]) -> Verdict:
        dead = [item["address"] for item in missed["next_hops"] if item["vrf"] == vrf]
        if dead:
            return False, f"bgpd takes {', '.join(dead)} for dead although zebra resolves it: routes over it are lost; {_REPAIRED}"
        return True, "bgpd takes none for dead that zebra resolves"

    ledger.judge(f"BGP {vrf} instance", summary, "bgp", exists)
    ledger.judge(f"BGP {vrf} has no other neighbors", summary, "bgp", others)
    ledger.judge(f"BGP {vrf} next hops", f"vtysh -c 'show bgp vrf {vrf} nexthop'", "frr_missed", alive)
    for prefix in instance.get("networks", []):
        check_network(ledger, vrf, canonical_prefix(prefix))
    for aggregate in instance.get("aggregates", []):
        check_aggregate(ledger, vrf, canonical_prefix(aggregate["prefix"]))
    for neighbor in instance.get("neighbors", []):
        check_inbound(ledger, vrf, neighbor, policy)
        if (vrf, neighbor_name(neighbor)) in optional and not is_up(ledger, vrf, neighbor):
            name = neighbor_name(neighbor)
            command = f"vtysh -c 'show bgp vrf {vrf} neighbors {name}'"
            ledger.skip(f"BGP {vrf} neighbor {name} established", "it is down, and the plan says that it may be", command)
            continue
        check_neighbor(ledger, vrf, neighbor)
        if neighbor.get("bfd_profile"):
            check_bfd(ledger, vrf, neighbor, profiles.get(neighbor["bfd_profile"]))


def originated(variables: Variables) -> list[tuple[str, str]]:
    """Return VRF and prefix of every network this host originates."""
    instances = variables.get("frr_bgp", [])
    return [(item.get("vrf") or DEFAULT_VRF, canonical_prefix(prefix)) for item in instances for prefix in item.get("networks", [])]


def check_network(ledger: Ledger, vrf: str, prefix: str) -> None:
    """Check that BGP holds a network of this router as valid; FRR 8 may report it as inaccessible although the route is there."""

    def valid(entries: list[dict[str, Any]]) -> Verdict:
        entry = next((item for item in entries if (item["vrf"], item["prefix"]) == (vrf, prefix)), None)
        if entry is None or entry["error"]:
            return False, f"could not be read: {entry['error'] if entry else prefix + ' was not asked for'}"
        if not entry["data"]["known"]:
            return False, f"BGP in VRF {vrf} has no own entry for {prefix}"
        if not entry["data"]["valid"]:
            return False, f"{prefix} is not valid, so no neighbor gets it; expected it valid (no route to it, or bgpd missed it)"
        return True, "valid, advertised" if entry["data"]["advertised"] else "valid, advertised to no neighbor yet"

    command = f"vtysh -c 'show bgp vrf {vrf} ipv{family_of(prefix)} unicast {prefix}'"
    ledger.judge(f"BGP {vrf} originates {prefix}", command, "originated", valid)


def is_up(ledger: Ledger, vrf: str, neighbor: FrrBgpNeighbor) -> bool:
    """Tell whether a session is established; one that could not be read is judged like one that has to be."""
    if ledger.problem("bgp") is not None:
        return True
    live = ledger.state["bgp"]["data"].get(vrf, {}).get(neighbor_name(neighbor), {})
    return bool(live.get("state") == "Established")


def check_aggregate(ledger: Ledger, vrf: str, prefix: str) -> None:
    """Check that BGP originates an aggregate, by the route with which it drops what belongs to none of its parts."""

    def there(rib: list[dict[str, Any]]) -> Verdict:
        found = [item for item in rib if (item["vrf"], item["prefix"], item["protocol"]) == (vrf, prefix, "bgp")]
        if any(item["installed"] and any(hop["blackhole"] for hop in item["nexthops"]) for item in found):
            return True, "originated, and what belongs to none of its parts is dropped"
        if found:
            return False, f"{prefix} comes from another router, expected that this one originates it"
        return False, f"BGP in VRF {vrf} has no {prefix}, expected it: it has no part of that"

    option = "" if family_of(prefix) == 4 else "v6"
    ledger.judge(f"BGP {vrf} originates the aggregate {prefix}", f"vtysh -c 'show ip{option} route vrf {vrf} {prefix}'", "rib", there)


def check_neighbor(ledger: Ledger, vrf: str, neighbor: FrrBgpNeighbor) -> None:
    """Check that a neighbor's session is up, from the right address, with its families and its password."""
    address = neighbor_name(neighbor)
    who = f"{address} AS {neighbor['remote_as']}" + (f" ({neighbor['description']})" if neighbor.get("description") else "")
    title = f"BGP {vrf} neighbor {address}"
    command = f"vtysh -c 'show bgp vrf {vrf} neighbors {address}'"

    def established(bgp: Bgp) -> Verdict:
        peer = bgp.get(vrf, {}).get(address)
        if peer is None:
            return False, f"{who} is not configured in VRF {vrf}"
        if peer["state"] != "Established":
            reset = f"; last reset: {peer['reset']}" if peer["reset"] else ""
            return False, f"{who} is {peer['state']}, expected Established{reset}"
        if peer["remote_as"] != neighbor["remote_as"]:
            return False, f"{who}: found AS {peer['remote_as']}"
        counts = ", ".join(f"{family['accepted']} {name} prefixes received" for name, family in peer["families"].items())
        return True, f"{who}, up {duration(peer['uptime'])}, {counts or 'no address family'}"

    def families(bgp: Bgp) -> Verdict:
        live = bgp.get(vrf, {}).get(address, {}).get("families", {})
        wanted = [FAMILY_NAMES[item["family"]] for item in neighbor.get("families", [])]
        missing = [name for name in wanted if not live.get(name, {}).get("negotiated")]
        if missing:
            return False, f"{who} has not negotiated {', '.join(missing)}"
        return True, ", ".join(f"{name}: {live[name]['accepted']} received, {live[name]['sent']} sent" for name in wanted)

    def password(bgp: Bgp) -> Verdict:
        words = {True: "set", False: "not set"}
        peer = bgp.get(vrf, {}).get(address)
        found = None if peer is None else words[bool(peer["password"])]
        return same(words[bool(neighbor.get("password"))], found)

    ledger.judge(f"{title} established", command, "bgp", established)
    ledger.judge(f"{title} address families", command, "bgp", families)
    ledger.judge(f"{title} TCP password", command, "bgp", password)
    source = neighbor.get("update_source")
    if source and is_address(source):
        ledger.judge(
            f"{title} source address",
            command,
            "bgp",
            lambda bgp: same(canonical_address(source), bgp.get(vrf, {}).get(address, {}).get("local_address")),
        )


def check_inbound(ledger: Ledger, vrf: str, neighbor: FrrBgpNeighbor, policy: Policy) -> None:
    """Check that what a neighbor brings is filtered as planned, by bgpd itself: not less, and not more."""
    address = neighbor_name(neighbor)

    def filtered(inbound: Mapping[str, Any]) -> Verdict:
        wrong, told = [], []
        for item in neighbor["families"]:
            family, name = item["family"], item["route_map_in"]
            limit = " restart ".join(str(item[key]) for key in ("maximum_prefix", "maximum_prefix_restart") if key in item) or None
            key = (vrf, address, family)
            found = next((one for one in inbound["neighbors"] if (one["vrf"], one["address"], one["family"]) == key), None)
            if found is None:
                wrong.append(f"{family} is not activated")
                continue
            if (found["route_map"] or "").removeprefix(DRAINED_IN) != name:
                wrong.append(f"{family}: found route map {found['route_map'] or 'none'}, expected {name}")
            if found["limit"] != limit:
                wrong.append(f"{family}: found at most {found['limit'] or 'any number of'} prefixes, expected {limit or 'any number'}")
            wrong += [line for line in deviations(of_route_map(policy, name), of_route_map(inbound["policy"], name)) if line not in wrong]
            told.append(f"{family}: {name}" + (f", at most {limit.partition(' ')[0]} prefixes" if limit else ""))
        return (False, "; ".join(wrong)) if wrong else (True, "; ".join(told))

    ledger.judge(f"BGP {vrf} neighbor {address} inbound filter", "vtysh -d bgpd -c 'show running-config'", "inbound", filtered)


def deviations(planned: Policy, live: Policy) -> list[str]:
    """Return in words how a route map with its prefix lists is other than planned; both as `of_route_map` returns them."""
    found = [f"lacks `{first}`" for first in planned if first not in live]
    found += [f"has `{first}`, which is not planned" for first in live if first not in planned]
    for first in planned.keys() & live.keys():
        wanted, has = ({line.strip() for line in lines if line.startswith(" match ")} for lines in (planned[first], live[first]))
        found += [f"`{first}` lacks `{line}`" for line in sorted(wanted - has) if not any(word in line for word in _OF_ZEBRA)]
        found += [f"`{first}` has `{line}`, which is not planned" for line in sorted(has - wanted)]
    return found


def check_bfd(ledger: Ledger, vrf: str, neighbor: FrrBgpNeighbor, profile: FrrBfdProfile | None) -> None:
    """Check that a neighbor's BFD session is up in its VRF with the timers of its profile."""
    address = neighbor_name(neighbor)
    title = f"BFD {vrf} peer {address}"
    command = f"vtysh -c 'show bfd vrf {vrf} peers'"

    def session(sessions: list[dict[str, Any]]) -> dict[str, Any] | None:
        return next((item for item in sessions if item["vrf"] == vrf and bfd_neighbor(item) == address), None)

    def up(sessions: list[dict[str, Any]]) -> Verdict:
        found = session(sessions)
        if found is None:
            elsewhere = [item["vrf"] for item in sessions if bfd_neighbor(item) == address]
            return False, f"no session with {address} in VRF {vrf}" + (f", found it in VRF {', '.join(elsewhere)}" if elsewhere else "")
        if found["status"] != "up":
            words = f"diagnostic {found['diagnostic']}, remote {found['remote_diagnostic']}"
            return False, f"session with {address} is {found['status']}, expected up ({words})"
        return True, f"up {duration(found['uptime'])}"

    def timers(sessions: list[dict[str, Any]]) -> Verdict:
        found = session(sessions)
        if found is None:
            return False, f"no session with {address} in VRF {vrf}"
        if profile is None:
            return False, f"profile {neighbor['bfd_profile']} is not declared"
        keys, wanted = (
            (("receive_interval", "receive"), ("transmit_interval", "transmit"), ("detect_multiplier", "multiplier")),
            bfd_timers(profile),
        )
        wrong = [f"{live} {found[live]}, expected {wanted[name]}" for name, live in keys if found[live] != wanted[name]]
        if wrong:
            return False, "; ".join(wrong)
        # RFC 5880 6.8.4: the peer's multiplier times the slower of its sending and our receiving.
        if found["remote_multiplier"] is None:
            return True, f"receive {found['receive']} ms, transmit {found['transmit']} ms × {found['multiplier']}"
        detection = found["remote_multiplier"] * max(found["receive"], found["remote_transmit"])
        sending = max(found["transmit"], found["remote_receive"])
        return True, f"sends every {sending} ms, notices a dead peer after {detection} ms"

    ledger.judge(f"{title} up", command, "bfd", up)
    ledger.judge(f"{title} timers of profile {neighbor['bfd_profile']}", command, "bfd", timers)


def check_static(ledger: Ledger, route: FrrStaticRoute) -> None:
    """Check that a static route is installed in its VRF with its next hop."""
    vrf, prefix = route.get("vrf") or DEFAULT_VRF, canonical_prefix(route["prefix"])
    hop, interface = route.get("next_hop"), route.get("interface")
    wanted = (
        "blackhole"
        if route.get("blackhole")
        else " ".join(filter(None, [f"via {hop}" if hop else "", f"dev {interface}" if interface else ""]))
    )
    option = "" if family_of(prefix) == 4 else "v6"

    def matches(found: Mapping[str, Any]) -> bool:
        if route.get("blackhole"):
            return bool(found["blackhole"])
        if hop and canonical_address(found["ip"] or "") != canonical_address(hop):
            return False
        return not interface or found["interface"] == interface

    def installed(rib: list[dict[str, Any]], missed: Mapping[str, list[dict[str, Any]]]) -> Verdict:
        key = (vrf, prefix, canonical_address(hop) if hop else None, interface)
        if any((item["vrf"], item["prefix"], item["next_hop"], item["interface"]) == key for item in missed["routes"]):
            return False, f"{prefix} {wanted} is inactive in FRR although its interface is up; {_REPAIRED}"
        candidates = [item for item in rib if item["vrf"] == vrf and item["prefix"] == prefix and item["protocol"] == "static"]
        fitting = [item for item in candidates if any(matches(found) for found in item["nexthops"])]
        if any(item["installed"] for item in fitting):
            return True, f"{wanted}, installed"
        if best := waits_for(fitting, [item for item in rib if (item["vrf"], item["prefix"]) == (vrf, prefix)]):
            return True, f"{wanted}, waits until the one by {best['protocol']} is gone"
        if fitting:
            return False, f"{prefix} {wanted} is known to FRR but not installed: its next hop is not reachable or another route is better"
        hops = [found["ip"] or found["interface"] for item in candidates for found in item["nexthops"]]
        return False, f"no static route {prefix} {wanted} in VRF {vrf}" + (f", found via {', '.join(map(str, hops))}" if hops else "")

    def waits_for(fitting: list[dict[str, Any]], others: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Return the better route behind which one with a distance of its own could work."""
        ready = any(found["active"] and matches(found) for item in fitting for found in item["nexthops"])
        distance = route.get("distance", 1)
        better = (item for item in others if item["installed"] and item["distance"] is not None and item["distance"] < distance)
        return min(better, key=lambda item: int(item["distance"]), default=None) if ready else None

    # Several routes to one prefix differ in their next hops only.
    name = f"Route {vrf} {prefix} static {wanted}"
    ledger.judge(name, f"vtysh -c 'show ip{option} route vrf {vrf} {prefix}'", "rib frr_missed", installed)
