# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about BGP, OSPF and BFD, and about parts of the network that nothing reaches."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common import limits
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import LOOPBACK, UNKNOWN, Intent, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rules.links import variable_problem
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import parts

# Of BFD, all that other timers are compared with.
_TIMERS = ("enabled", "timers", "detect_multiplier", "receive_interval", "transmit_interval")


def setting_problems(intent: Intent) -> Iterator[Problem]:
    """Settings that exclude or contradict each other."""
    bgp, kernel, ospf = intent.settings.bgp, intent.settings.kernel, intent.settings.ospf
    yield from variable_problem(bgp.password_variable, Place.of("xgn_bgp", "password_variable"))
    yield from variable_problem(ospf.password_variable, Place.of("xgn_ospf", "password_variable"))
    if bgp.ttl_security_hops is not None and ("xgn_bgp", "multihop") in intent.settings.chosen:
        value = str(bgp.ttl_security_hops)
        yield Problem(
            Place.of("xgn_bgp", "ttl_security_hops"),
            f"cannot be combined with xgn_bgp.multihop, which is {bgp.multihop}",
            value,
            "GTSM counts the hops itself; keep one of them",
        )
    if bgp.password_variable is not None and kernel.tcp_l3mdev_accept:
        hint = "TCP MD5 passwords do not work in a VRF while sockets of the default VRF answer there; set it to false"
        yield Problem(Place.of("xgn_kernel", "tcp_l3mdev_accept"), "cannot be combined with xgn_bgp.password_variable", "true", hint)
    keepalive_at, holdtime_at = Place.of("xgn_bgp", "keepalive"), Place.of("xgn_bgp", "holdtime")
    yield from limits.bgp_timers_missing(keepalive_at, holdtime_at, bgp.keepalive is not None, bgp.holdtime is not None)
    yield from limits.bgp_timer_problems(keepalive_at, holdtime_at, bgp.keepalive, bgp.holdtime)
    if not _in_doubt(intent, "xgn_ospf", "dead_interval", "hello_interval"):
        dead = ospf.dead_interval
        yield from limits.dead_interval_problems(Place.of("xgn_ospf", "dead_interval"), dead, ospf.hello_interval, dead)
    yield from _keepalives(intent)
    for name, site in intent.sites.items():
        yield from limits.area_problems(Place.of("xgn_sites", name, "area"), site.area)


def limit_problems(intent: Intent) -> Iterator[Problem]:
    """A limit that the planned network itself would exceed."""
    most = intent.settings.bgp.maximum_prefix
    # What could not be read may be prefixes, too.
    if most is None or intent.reading:
        return
    found = [
        address.prefix
        for node in intent.nodes.values()
        for network in node.networks
        if network.published
        for address in network.addresses.values()
    ]
    found += [prefix for segment in intent.segments if segment.options.published for prefix in segment.prefixes.values()]
    found += [address.prefix for container in intent.containers for address, _path in container.networks]
    found += [route.prefix for node in intent.nodes.values() for route in node.routes if route.published]
    found += [parse_prefix(limits.EVERYTHING[family]) for item in intent.exits for family in item.gateways()]
    dns = intent.settings.services.dns
    for family in limits.FAMILIES:
        planned = len({prefix for prefix in found if limits.FAMILY[prefix.version] == family}) + (
            dns is not None and family in dns.addresses()
        )
        if planned > most:
            what = f"is less than the {planned} {limits.TITLE[family]} prefixes that the plan publishes"
            hint = "a neighbor that has them all would lose its session; leave it out, and it comes from the plan"
            yield Problem(Place.of("xgn_bgp", "maximum_prefix"), what, str(most), hint)


def trust_problems(intent: Intent) -> Iterator[Problem]:
    """OSPF with a router that is not trusted: it has no filter for a single neighbor."""
    for link in intent.links:
        for end in link.ends if link.routing == "ospf" else ():
            if end.node.restricted and not {"managed", "trusted"} & end.node.unsure:
                hint = f"OSPF cannot refuse what one router advertises; write routing: bgp, or {end.node.path}.trusted: true if it is yours"
                yield Problem(link.path.at("routing"), f"does not go with {end.node.name}, which is not trusted", show("ospf"), hint)


def _in_doubt(intent: Intent, section: str, *keys: str) -> bool:
    """Tell whether a setting may have its default only because what was written could not be read."""
    return intent.reading.explains(*(Place.of(section, key) for key in keys))


def _keepalives(intent: Intent) -> Iterator[Problem]:
    """A keepalive more frequent than BFD only adds packets."""
    bfd = intent.settings.bfd
    yield from _pings(intent)
    if not bfd.enabled or _in_doubt(intent, "xgn_bfd", *_TIMERS):
        return
    usual = intent.settings.wireguard.keepalive
    found = (
        [(Place.of("xgn_wireguard", "keepalive"), usual)]
        if any(link.kind.port_settings == "xgn_wireguard" for link in intent.links)
        else []
    )
    found += [(link.path.at("keepalive"), link.options.keepalive) for link in intent.links if link.options.keepalive is not None]
    for path, seconds in found:
        if seconds * 1000 < bfd.transmit_interval:
            text = f"{seconds} s = {seconds * 1000} ms; BFD sends every {bfd.transmit_interval} ms"
            yield Problem(path, "is shorter than BFD's interval", str(seconds), text)


def _pings(intent: Intent) -> Iterator[Problem]:
    """OpenVPN's own watch: slower than BFD, which decides where traffic goes, and patient enough for one lost ping."""
    openvpn, bfd = intent.settings.openvpn, intent.settings.bfd
    interval, restart = openvpn.ping_interval, openvpn.ping_restart
    if _in_doubt(intent, "xgn_openvpn", "ping_interval", "ping_restart"):
        return
    restart_at = Place.of("xgn_openvpn", "ping_restart")
    yield from limits.ping_restart_problems(restart_at, restart, interval, restart)
    if not bfd.enabled or _in_doubt(intent, "xgn_bfd", *_TIMERS):
        return
    if not any(link.kind.port_settings == "xgn_openvpn" for link in intent.links):
        return
    if interval * 1000 < bfd.transmit_interval:
        text = f"{interval} s = {interval * 1000} ms; BFD sends every {bfd.transmit_interval} ms"
        yield Problem(Place.of("xgn_openvpn", "ping_interval"), "is shorter than BFD's interval", str(interval), text)
    detection = bfd.detect_multiplier * max(bfd.receive_interval, bfd.transmit_interval)
    yield from limits.detection_problems(restart_at, restart, detection)


def asn_problems(intent: Intent) -> Iterator[Problem]:
    """AS numbers that are reserved, or missing where BGP is spoken."""
    speakers = {end.node.name for link in intent.links if link.routing == "bgp" for end in link.ends}
    speakers |= {neighbor.node.name for neighbor in intent.neighbors}
    for node in intent.nodes.values():
        if node.asn is None:
            if node.name in speakers and "asn" not in node.unsure:
                yield Problem(
                    node.path.at("asn"), "is required", hint="the node speaks BGP; name it here, in its site, or set xgn_bgp.asn_base"
                )
        else:
            yield from limits.asn_problems(node.asn_path, node.asn)


def session_problems(intent: Intent) -> Iterator[Problem]:
    """Two sessions between the same loopbacks; sessions between loopbacks that are not there, or over what travels there; OSPF outside a site."""
    sessions: dict[tuple[str, str, str], Link] = {}
    for link in intent.links:
        first, second = (end.node for end in link.ends)
        if "site" in first.unsure | second.unsure or (link.broken and link.pattern):
            continue
        if link.routing == "ospf" and (first.site is None or first.site != second.site):
            names = f"{first.name} in {first.site or 'none'}, {second.name} in {second.site or 'none'}"
            yield Problem(link.path.at("routing"), "runs inside a site only", show("ospf"), names)
        learned = link.routing == "ospf" or (link.routing == "bgp" and link.session == "loopback")
        if learned and link.options.over == LOOPBACK:
            why = "travels between the loopbacks, and the route to them would lead into it"
            yield Problem(link.path, why, hint="write routing: bgp with session: link, or routing: none")
            continue
        if link.broken or link.routing != "bgp" or link.session != "loopback":
            continue
        common = any(family in first.loopback and family in second.loopback for family in link.families)
        if (
            not common
            and not any(intent.loopback_in_doubt(node) for node in (first, second))
            and not intent.pools_in_doubt(link.vrf, "links")
        ):
            hint = "name xgn_pools.loopbacks, give both nodes a loopback of that family, or write session: link"
            yield Problem(link.path, f"{first.name} and {second.name} have no loopbacks of a family of this link", hint=hint)
        low, high = sorted((first.name, second.name))
        pair = (low, high, link.vrf)
        if pair in sessions:
            hint = "write session: link on one of them, or reserve_of"
            yield Problem(link.path, f"has the same loopback session as {sessions[pair].path}", hint=hint)
        sessions.setdefault(pair, link)


def reach_problems(intent: Intent) -> Iterator[Problem]:
    """Nodes from which no chain of links leads to the rest of their VRF."""
    if (
        intent.lost_links
        or intent.lost_segments
        or any(link.broken for link in intent.links)
        or any(item.broken for item in intent.segments)
    ):
        return
    if any(node.vrf == UNKNOWN for node in intent.nodes.values()) or intent.reading.told(Place.of("xgn_nodes")):
        return
    for vrf in sorted({node.vrf for node in intent.nodes.values()}):
        members = [node for node in intent.nodes.values() if node.vrf == vrf]
        yield from _islands(members, vrf, intent)


def _islands(members: list[Node], vrf: str, intent: Intent) -> Iterator[Problem]:
    joined = [_names(link) for link in intent.links if link.vrf == vrf and link.routing != "none"]
    joined += [(segment.gateway.name, node.name) for segment in intent.segments if segment.vrf == vrf for node in segment.members]
    # Nodes at home in another VRF may be on the way.
    through = [node for node in intent.nodes.values() if node.vrf != vrf and any(node.name in pair for pair in joined)]
    islands = [home for part in parts([*members, *through], joined) if (home := [node for node in part if node.vrf == vrf])]
    mainland = max(islands, key=lambda part: (len(part), -min(node.id for node in part)))
    leaving = [node for node in intent.retired.nodes.values() if node.vrf == vrf]
    before = joined + [_names(link) for link in intent.retired.links if link.vrf == vrf and link.routing != "none"]
    formerly = [{node.name for node in part} for part in parts([*members, *through, *leaving], before)] if leaving else []
    together = next((names for names in formerly if mainland[0].name in names), set())
    for part in islands:
        if part is mainland:
            continue
        for node in part:
            where = f"VRF {vrf}" if vrf else "the default VRF"
            anchor = min(mainland, key=lambda item: item.id).name
            if node.name in together:
                names = ", ".join(item.name for item in leaving)
                hint = f"its only path leads through {names}: give it another link first, or retire it, too"
                yield Problem(node.path, f"loses its path to {anchor} in {where}, as {names} is retired", hint=hint)
            else:
                yield Problem(node.path, f"has no path to {anchor} in {where}", hint="add a link, or move the node to another VRF")


def _names(link: Link) -> tuple[str, str]:
    return link.ends[0].node.name, link.ends[1].node.name


def shared_asn_problems(intent: Intent) -> Iterator[Problem]:
    """Nodes with one AS number that meet only through others: each drops the other's routes, since they hold its own number (RFC 4271, 9)."""
    if (
        intent.lost_links
        or any(link.routing == UNKNOWN for link in intent.links)
        or any("asn" in node.unsure for node in intent.nodes.values())
    ):
        # Two may be joined by what could not be read.
        return
    speakers = {name for link in intent.links if link.routing == "bgp" and not link.broken for name in _names(link)}
    by_asn: dict[int, list[Node]] = {}
    for node in intent.nodes.values():
        if node.asn is not None and not node.broken and node.name in speakers:
            by_asn.setdefault(node.asn, []).append(node)
    if all(len(members) < 2 for members in by_asn.values()):
        return
    inside = [_names(link) for link in intent.links if link.routing == "ospf" or link.ends[0].node.asn == link.ends[1].node.asn]
    groups = parts([node for node in intent.nodes.values() if not node.broken], inside)
    group_of = {node.name: index for index, group in enumerate(groups) for node in group}
    for asn, members in sorted(by_asn.items()):
        first = min(members, key=lambda node: node.id)
        for node in members:
            if group_of[node.name] != group_of[first.name]:
                what = f"is also that of {first.name}, and the two are joined only through other ASes"
                hint = "BGP drops routes whose AS path holds the own number; give each a number of its own, or link the two"
                yield Problem(node.path.at("asn"), what, str(asn), hint)
