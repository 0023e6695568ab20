# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about segments, services and the packet filter."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import AddressError, Prefix, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import MSS_HEADERS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    BITS,
    FAMILIES,
    MSS_FLOOR,
    TITLE,
    VERSION,
    VNIS,
    host_address_problems,
    mac_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import UNKNOWN, Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import Reinjection


def segment_problems(intent: Intent) -> Iterator[Problem]:
    """Segments with a VNI that is none, without addresses, or with MACs for others than members."""
    for segment in intent.segments:
        if segment.id >= 0 and not VNIS.holds(segment.vni):
            yield Problem(segment.path.at("vni"), "is no VNI", str(segment.vni), f"valid: {VNIS}; the id serves when no vni is given")
        if len(segment.members) < 2 and not segment.broken:
            yield Problem(segment.path.at("members"), f"is {len(segment.members)} node", hint="a segment joins two or more")
        if not segment.prefixes and not segment.broken:
            yield Problem(segment.path, "has no addresses", hint="give it ipv4 or ipv6")
        names = {node.name for node in segment.members}
        complete = not intent.reading.within(segment.path.at("members"))
        for name, label in segment.options.uplinks.items():
            path = segment.path.at("uplinks", name)
            member = next((node for node in segment.members if node.name == name), None)
            if member is None and complete:
                yield Problem(path, "is not a member of the segment", hint=f"members: {', '.join(sorted(names))}")
            elif member is not None and intent.misses_uplink(member, label):
                yield unknown(path, f"{name} has no uplink {label!r}", label, member.uplinks, "its uplinks")
        for name, mac in segment.options.macs.items():
            path = segment.path.at("macs", name)
            if name not in names and complete:
                yield Problem(path, "is not a member of the segment", hint=f"members: {', '.join(sorted(names))}")
            yield from mac_problems(path, mac)


def dns_problems(intent: Intent) -> Iterator[Problem]:
    """An anycast address that is none, or that lies where it would never be published."""
    dns = intent.settings.services.dns
    if dns is None:
        return
    yield from _ssh_problems(intent)
    for family, text in dns.addresses().items():
        path = Place.of("xgn_services", "dns", "address" if family == "ipv4" else "address6")
        try:
            address = parse_address(text)
        except AddressError as error:
            yield Problem(path, str(error))
            continue
        whole = BITS[VERSION[family]]
        if address.length != whole or address.version != VERSION[family]:
            yield Problem(path, f"is no single {TITLE[family]} address", show(text))
            continue
        yield from host_address_problems(path, show(text), address.version, address.value)
        seen: set[Place] = set()
        for vrf in intent.vrfs.values():
            for name, pools in (("links", vrf.pools.links), ("loopbacks", vrf.pools.loopbacks)):
                where = vrf.pools.path.at(name, family)
                if family in pools and where not in seen and pools[family].holds(Prefix(address.version, address.value, whole)):
                    seen.add(where)
                    yield Problem(path, f"lies inside {pools[family]} of {where}", show(text), "an anycast address has a prefix of its own")
    for index, text in enumerate(dns.forwarders):
        try:
            parse_address(text)
        except AddressError as error:
            yield Problem(Place.of("xgn_services", "dns", "forwarders", index), str(error))


def _ssh_problems(intent: Intent) -> Iterator[Problem]:
    """Resolvers whose sshd would listen on nothing but their loopback, since the plan knows no other address of theirs."""
    dns = intent.settings.services.dns
    for name in sorted(intent.dns_nodes) if dns is not None and dns.ssh_listen else ():
        node = intent.nodes[name]
        own = [uplink for uplink in node.uplinks.values() if not uplink.vrf]
        learned = [uplink for uplink in own if uplink.learned]
        if (
            node.managed
            and not node.vrf
            and not node.unsure
            and not node.management
            and learned
            and not any(item.addresses for item in own)
        ):
            word = " and ".join(learned[0].learned.values())
            hint = f"the anycast address must not be sshd's; write {node.path}.management, or ssh_listen: false"
            yield Problem(learned[0].path, f"leaves sshd of {name} no address that the plan knows ({word})", hint=hint)


def docker_problems(intent: Intent) -> Iterator[Problem]:
    """Docker networks on segments or nodes that do not fit, and addresses that are taken."""
    segments = {segment.id: segment for segment in intent.segments}
    for name, network in intent.settings.services.docker.items():
        path = Place.of("xgn_services", "docker", name)
        segment = segments.get(network.segment)
        if segment is None:
            if intent.may_be_segment(network.segment):
                continue
            yield Problem(
                path.at("segment"),
                "is not the id of a segment",
                str(network.segment),
                f"ids: {', '.join(map(str, sorted(segments))) or 'none'}",
            )
            continue
        names = [node.name for node in segment.members]
        complete = not intent.reading.within(segment.path.at("members"))
        for index, node in enumerate(network.nodes):
            if node not in names and complete:
                yield unknown(path.at("nodes", index), f"{show(node)} is no member of segment {segment.id}", node, names, "members")
        taken = {address.value: f"node {owner}" for owner, found in segment.addresses.items() for address in found.values()}
        for label, container in network.containers.items():
            here = path.at("containers").at(label)
            if container.node not in network.nodes and all(node in names for node in network.nodes):
                listed = ", ".join(network.nodes)
                yield Problem(here.at("node"), "does not run this network", show(container.node), f"valid nodes: {listed}")
            for family, prefix in segment.prefixes.items():
                number = container.number
                if number > prefix.size - (2 if family == "ipv4" else 1):
                    yield Problem(here.at("number"), f"is beyond {prefix}, which holds {prefix.size} addresses", str(number))
                    continue
                value = prefix.value + number
                if value in taken:
                    yield Problem(here.at("number"), f"is the address of {taken[value]}", str(number), "every container has its own")
                taken.setdefault(value, f"container {label}")


def steering_problems(intent: Intent) -> Iterator[Problem]:
    """Steering boxes and routers that do not exist, and prefixes that are none."""
    for name, entry in intent.settings.services.steering.items():
        path = Place.of("xgn_services", "steering", name)
        for node, here in ((name, path), (entry.router, path.at("router"))):
            found = intent.nodes.get(node)
            if found is None:
                yield unknown(here, f"{show(node)} is no node of xgn_nodes", node, intent.nodes, "valid nodes")
            elif found.asn is None and "asn" not in found.unsure:
                yield Problem(here, f"{node} has no AS number", hint="GoBGP and its router speak BGP")
            elif not found.loopback and not intent.loopback_in_doubt(found):
                yield Problem(here, f"{node} has no loopback", hint="the session runs between loopbacks")
        for link in intent.links:
            if link.routing == "bgp" and {end.node.name for end in link.ends} == {name, entry.router}:
                hint = "a router has one session with a box; give the link routing: ospf"
                yield Problem(path.at("router"), f"speaks BGP with the box over {link.path} already", show(entry.router), hint)
        for index, text in enumerate(entry.prefixes):
            try:
                parse_prefix(text)
            except AddressError as error:
                yield Problem(path.at("prefixes", index), str(error))
        if entry.reinject is not None:
            yield from _reinjection_problems(intent, name, entry.router, entry.reinject, path.at("reinject"))


def _reinjection_problems(intent: Intent, box: str, router: str, reinject: Reinjection, path: Place) -> Iterator[Problem]:
    """A return path that leads elsewhere than into the tunnel, or in a circle."""
    links = {link.id: link for link in intent.links}
    for key, number in (("link", reinject.link), ("into", reinject.into)):
        if number not in links:
            if intent.may_be_link(number):
                continue
            yield Problem(path.at(key), "is not the id of a link", str(number), f"ids: {intent.link_ids()}")
    known = box in intent.nodes and router in intent.nodes
    link, tunnel = (links.get(number) if known and not intent.may_be_link(number) else None for number in (reinject.link, reinject.into))
    home = intent.nodes[router].vrf if known else UNKNOWN
    if link is not None:
        if {end.node.name for end in link.ends} != {box, router}:
            yield Problem(path.at("link"), f"does not join {box} and {router}", str(link.id), f"{link.path} is another link")
        elif link.vrf == home != UNKNOWN:
            hint = f"give {link.path} a VRF of its own: in this one the router would send the traffic to the box again"
            yield Problem(path.at("link"), f"lies in the VRF of {router}", str(link.id), hint)
        if link.routing not in ("none", UNKNOWN):
            hint = f"give {link.path} routing: none"
            yield Problem(
                path.at("link"),
                f"runs {link.routing}, and the VRF of this link must have nothing but its default route",
                str(link.id),
                hint,
            )
    if tunnel is not None:
        names = {end.node.name for end in tunnel.ends}
        if router not in names or box in names:
            yield Problem(path.at("into"), f"does not lead from {router} to another node than {box}", str(tunnel.id), f"see {tunnel.path}")
        elif tunnel.vrf != home and UNKNOWN not in (tunnel.vrf, home):
            yield Problem(path.at("into"), f"does not lie in the VRF of {router}", str(tunnel.id), f"see {tunnel.path}")


def firewall_problems(intent: Intent) -> Iterator[Problem]:
    """Prefixes that are none, and an MSS that some link cannot carry."""
    settings = intent.settings.firewall
    for index, text in enumerate(settings.ssh_from):
        try:
            parse_prefix(text)
        except AddressError as error:
            yield Problem(Place.of("xgn_firewall", "ssh_from", index), str(error))
    wanted = settings.tcp_mss
    if wanted == "path":
        return
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < MSS_FLOOR:
        yield Problem(Place.of("xgn_firewall", "tcp_mss"), "is no MSS", show(wanted), f"valid: path, or {MSS_FLOOR} or more")
        return
    for family in FAMILIES:
        sized = [link for link in intent.links if family in link.families and link.mtu]
        if not sized:
            continue
        link = min(sized, key=lambda item: (item.mtu, item.id))
        room = link.mtu - MSS_HEADERS[family]
        if wanted > room:
            text = f"{link.mtu} - {MSS_HEADERS[family]} ({TITLE[family]} and TCP) = {room}"
            yield Problem(Place.of("xgn_firewall", "tcp_mss"), f"does not fit {link.path}", str(wanted), text)
