# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about links: reserves, addresses, keys, and what must be unique on one host."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, is_address, is_private, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    FAMILIES,
    PORTS,
    VNIS,
    fingerprint_problems,
    host_address_problems,
    mac_problems,
    wireguard_key_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, show, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import LOOPBACK, UNKNOWN, UPLINK, End, Intent, Link, Segment
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import is_server
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import preference

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")

# What FRR gives the routes of eBGP and OSPF, and those of iBGP.
_DISTANCES = {"bgp": 20, "ospf": 110}
_IBGP_DISTANCE = 200


def variable_problem(name: str | None, path: Place) -> Iterator[Problem]:
    """The name of a variable that is a template, or a secret by mistake. The text is not shown, since it may be one."""
    if name is not None and not _VARIABLE.match(name):
        yield Problem(
            path,
            "is not the name of a variable",
            hint="write the name alone, for example vault_bgp_password; the secret itself does not belong here",
        )


def _sound(intent: Intent) -> list[Link]:
    return [link for link in intent.links if not link.broken]


def reserve_problems(intent: Intent) -> Iterator[Problem]:
    """A reserve of itself, of a reserve, of another pair, or of nothing."""
    by_id = {link.id: link for link in intent.links if link.id >= 0}
    for link in intent.links:
        if link.reserve_of is None or intent.may_be_link(link.reserve_of):
            continue
        path = link.path.at("reserve_of")
        shown = str(link.reserve_of)
        first = by_id.get(link.reserve_of)
        if first is None:
            yield Problem(path, "is not the id of a link", shown, f"ids: {intent.link_ids()}")
        elif first is link:
            yield Problem(path, "is the link itself", shown, "a reserve stands in for another link")
        elif first.reserve_of is not None:
            yield Problem(path, "is a reserve too", shown, f"name the link it stands in for, {first.reserve_of}")
        elif {end.node.name for end in first.ends} != {end.node.name for end in link.ends}:
            names = " and ".join(end.node.name for end in first.ends)
            yield Problem(path, f"joins {names}, not the two nodes of this link", shown)
        elif first.vrf != link.vrf and UNKNOWN not in (first.vrf, link.vrf):
            yield Problem(path, f"is in {vrf_text(first.vrf)}, this link in {vrf_text(link.vrf)}", shown, "a reserve carries the same VRF")


def order_problems(intent: Intent) -> Iterator[Problem]:
    """A reserve that carries traffic while the link it stands in for is up, and two reserves of one link of which neither comes first."""
    by_id = {link.id: link for link in _sound(intent) if link.id >= 0 and link.routing in _DISTANCES}
    second: dict[tuple[int, tuple[int, int]], Link] = {}
    for number, link in sorted(by_id.items()):
        first = by_id.get(number if link.reserve_of is None else link.reserve_of)
        if first is None or first is link or first.reserve_of is not None:
            continue
        own, ahead = _rank(link, intent), _rank(first, intent)
        key = "cost" if link.routing == "ospf" else "preference"
        place, value = link.path.at(key), str(abs(own[1]))
        if own[0] != ahead[0]:
            if own[0] < ahead[0]:
                what = f"is used before the routes of link {first.id}, of which this is the reserve: the distance is {own[0]} against {ahead[0]}"
                yield Problem(
                    link.path.at("routing"), what, show(link.routing), f"write routing: {first.routing}, or let that link be the reserve"
                )
            continue
        if link.routing == "ospf" and (link.options.cost is None or first.options.cost is None):
            where = (first if link.options.cost is not None else link).path.at("cost")
            hint = f"OSPF uses several equal ones at once; give link {first.id} a cost, and link {link.id} a greater one"
            yield Problem(where, f"is required, as link {link.id} is the reserve of link {first.id}", hint=hint)
            continue
        if own <= ahead:
            what = f"does not come behind link {first.id}, of which this is the reserve and which has {abs(ahead[1])}"
            yield Problem(place, what, value, "a reserve has a greater cost" if key == "cost" else "a reserve has a lower preference")
        elif (first.id, own) in second:
            what = f"is also that of {second[first.id, own].path}, and both are reserves of link {first.id}"
            hint = f"write another {key} at one of them, a {'greater' if key == 'cost' else 'lower'} one for that which shall be used last"
            yield Problem(place, what, value, hint)
        second.setdefault((first.id, own), link)


def _rank(link: Link, intent: Intent) -> tuple[int, int]:
    """Return what decides when a link's routes are used: FRR's distance of their protocol, then what its routers compare; the lower one wins."""
    if link.routing == "ospf":
        return _DISTANCES["ospf"], link.options.cost or 0
    internal = link.ends[0].node.asn == link.ends[1].node.asn
    return _IBGP_DISTANCE if internal else _DISTANCES["bgp"], -preference(link, intent.settings.bgp.reserve_preference)


def address_problems(intent: Intent) -> Iterator[Problem]:
    """Addresses of the two ends that are equal or in different subnets; addresses of one link that another one has."""
    links = _sound(intent)
    if not any(end.written.families for link in links for end in link.ends):
        # Subnets that all come from pools by id cannot meet.
        return
    owners: dict[tuple[str, str, int], Place] = {}
    for link in links:
        first, second = link.ends
        for family in link.families:
            one, two = first.addresses[family], second.addresses[family]
            if family in first.written.families:
                for end, address in ((first, one), (second, two)):
                    yield from host_address_problems(end.path.at(family), show(str(address)), *address)
                yield from _pair_problem(one, two, second.path.at(family))
            for end, address in ((first, one), (second, two)):
                key = (link.vrf, family, address.value)
                if key in owners and one.value != two.value:
                    yield Problem(
                        end.path.at(family) if family in end.written.families else link.path,
                        f"{address} is also an address of {owners[key]}",
                    )
                owners.setdefault(key, link.path)


def _pair_problem(one: Address, two: Address, path: Place) -> Iterator[Problem]:
    if one.value == two.value:
        yield Problem(path, "is the address of the other end too", show(str(two)))
    elif one.prefix != two.prefix:
        hint = "both ends of a link are in one subnet, since each is the next hop of the other"
        yield Problem(path, f"is not in {one.prefix}, the subnet of the other end", show(str(two)), hint)


def key_problems(intent: Intent) -> Iterator[Problem]:
    """Keys, variables and MAC addresses of links."""
    for link in intent.links:
        variable = link.options.preshared_key_variable
        if variable is not None:
            yield from variable_problem(variable, link.path.at("preshared_key_variable"))
        elif link.kind.preshared_key_required:
            yield Problem(
                link.path.at("preshared_key_variable"),
                "is required",
                hint="both ends of IPsec share a key; name the variable that holds it",
            )
        yield from _password(link, intent)
        if link.outer == "ipv6" and link.options.pmtudisc is not None:
            yield Problem(link.path.at("pmtudisc"), "belongs to tunnels over IPv4", hint="leave it out: no router fragments IPv6")
        for end in link.ends:
            if end.written.mac is not None:
                yield from mac_problems(end.path.at("mac"), end.written.mac)
            if "public_key" in link.kind.end_keys:
                yield from _identity(intent, end, "public_key", "the key (wg show … public-key)")
            if "fingerprints" in link.kind.end_keys:
                yield from _identity(intent, end, "fingerprints", "them (openssl x509 -noout -fingerprint -sha256)")


def _password(link: Link, intent: Intent) -> Iterator[Problem]:
    """The password of the BGP sessions of a link, where it has none, and where the kernel would not look for it."""
    variable, path = link.options.password_variable, link.path.at("password_variable")
    if variable is None:
        return
    yield from variable_problem(variable, path)
    if link.routing not in ("bgp", UNKNOWN) and not link.broken:
        yield Problem(path, "is for BGP", hint=f"the routing of this link is {link.routing}; leave it out")
    elif link.vrf not in ("", UNKNOWN) and intent.settings.kernel.tcp_l3mdev_accept and intent.settings.bgp.password_variable is None:
        hint = "TCP MD5 passwords do not work in a VRF while sockets of the default VRF answer there; set xgn_kernel.tcp_l3mdev_accept to false"
        yield Problem(path, "does not work with xgn_kernel.tcp_l3mdev_accept", hint=hint)


def _identity(intent: Intent, end: End, key: str, what: str) -> Iterator[Problem]:
    """Report the key of an unmanaged node's end by which its peer knows it, where it is missing or wrong, or its node is managed.

    what: to ask the owner for.
    """
    path, written = end.path.at(key), end.written
    if "managed" in end.node.unsure:
        return
    if not (written.public_key if key == "public_key" else written.fingerprints):
        if not end.node.managed and not intent.reading.within(path):
            yield Problem(path, "is required", hint=f"{end.node.name} is unmanaged: ask its owner for {what}")
    elif end.node.managed:
        yield Problem(path, f"is for unmanaged nodes only; {end.node.name} is managed and makes its own key")
    elif key == "public_key":
        yield from wireguard_key_problems(path, written.public_key or "")
    else:
        yield from fingerprint_problems(path, written.fingerprints)


def learned_problems(intent: Intent) -> Iterator[Problem]:
    """Ends that are reached under an address which is not the one they have, that one being unknown, although their peers know them by it."""
    for link in _sound(intent):
        if not link.kind.known_by_address or link.options.over != UPLINK:
            continue
        for end in link.ends:
            word = end.uplink.learned.get(link.outer or "") if end.uplink is not None else None
            if word and end.endpoint is not None and is_address(end.endpoint):
                what = f"is reached under an address, and {link.kind.title} knows an end by the one that its NIC has, which only the host knows ({word})"
                yield Problem(end.path, what, show(end.endpoint), "let it be reached by a name, or write the address of the NIC")


def underlay_problems(intent: Intent) -> Iterator[Problem]:
    """Tunnels whose outer packets would have to travel in a VRF, where the program beneath them cannot."""
    by_id = {link.id: link for link in intent.links}
    for link in _sound(intent):
        for end in link.ends if link.kind.default_vrf_only else ():
            over = link.options.over
            beneath = end.uplink.vrf if over == UPLINK and end.uplink is not None else None
            if over == LOOPBACK:
                beneath = end.node.vrf
            elif isinstance(over, int) and over in by_id:
                beneath = by_id[over].vrf
            if beneath and beneath != UNKNOWN and end.node.managed:
                hint = "let it travel over an uplink of the default VRF, or take WireGuard or OpenVPN"
                yield Problem(
                    end.path, f"would travel in {vrf_text(beneath)}, and {link.kind.title} speaks in the default VRF alone", hint=hint
                )


def outside_problems(intent: Intent) -> Iterator[Problem]:
    """Ports outside of a NAT that lead nowhere, and two ends that are reached under the same address and port."""
    owners: dict[tuple[str, str, int], tuple[Place, str]] = {}
    for link in _sound(intent):
        listener = link.kind.ports.listener
        for end in link.ends if listener else ():
            responds = end.endpoint is not None and (listener == "each" or is_server(link, end))
            if end.written.public_port is not None and link.options.over != UPLINK:
                hint = "leave it out: what travels over another link passes no NAT"
                yield Problem(end.path.at("public_port"), "belongs to a link over an uplink", str(end.written.public_port), hint)
            elif end.written.public_port is not None and not responds:
                hint = (
                    "leave it out, or give the uplink a 'public' address" if end.endpoint is None else "write it at the end that responds"
                )
                yield Problem(
                    end.path.at("public_port"), f"is of no use: {end.node.name} initiates this link", str(end.written.public_port), hint
                )
            elif responds and end.outside_port and link.options.over == UPLINK:
                key = (end.endpoint or "", link.options.protocol, end.outside_port)
                path, node = owners.setdefault(key, (end.path, end.node.name))
                # Of one node without a port of its own outside, that is told of the port it listens on.
                if path is not end.path and (node != end.node.name or end.written.public_port is not None):
                    where = end.path if end.written.public_port is None else end.path.at("public_port")
                    what = f"{end.endpoint} has {link.options.protocol.upper()} port {end.outside_port} for {path} already"
                    yield Problem(where, what, hint="give one of them another public_port, and have the NAT forward it")


def clear_problems(intent: Intent) -> Iterator[Problem]:
    """What would travel in clear over addresses that others share: VXLAN and GRE have neither encryption nor a proof of who has sent something.

    Of what travels in a tunnel in clear that tunnel is judged: it meets the wire.
    """
    for link in _sound(intent):
        if link.kind.clear and not link.options.insecure and link.options.over == UPLINK:
            shared = _shared([end.endpoint for end in link.ends if end.endpoint])
            what = "frames" if link.kind.layer == 2 else "packets"
            if shared:
                yield Problem(
                    link.path,
                    f"carries {what} in clear over {shared}: whoever is on the way can read them and send some",
                    hint="let it travel over an encrypted tunnel with 'over', or write insecure: true if nobody else is on that network",
                )
    for segment in intent.segments:
        if not segment.broken and not segment.options.insecure and (shared := _shared(_addresses_of(segment))):
            yield Problem(
                segment.path,
                f"carries frames in clear over {shared}: whoever is on the way can read them and send some",
                hint="choose uplinks with private addresses, or write insecure: true if nobody else is on that network",
            )


def _addresses_of(segment: Segment) -> list[str]:
    """Return the outer addresses of a segment's members."""
    uplinks = [uplink for member in segment.members if (uplink := segment.uplink_of(member)) is not None]
    family = next((name for name in FAMILIES if all(name in uplink.addresses for uplink in uplinks)), None)
    return [uplink.addresses[family].bare for uplink in uplinks] if family else []


def _shared(endpoints: list[str]) -> str:
    """Return in words the first endpoint that is not known to be private; empty when there is none."""
    for endpoint in endpoints:
        if not is_address(endpoint):
            return f"{endpoint}, which may lead anywhere"
        if not is_private(parse_address(endpoint)):
            return f"{endpoint}, which is no private address"
    return ""


def host_problems(intent: Intent) -> Iterator[Problem]:
    """What two links of one host may not share: interface name, port, VNI, outer addresses with a key; what a network or uplink of the host has already."""
    names: dict[tuple[str, str], Place] = {}
    ports: dict[tuple[str, str, int], Place] = {}
    vnis: dict[tuple[str, int], Place] = {}
    tunnels: dict[tuple[object, ...], Place] = {}
    for node in intent.nodes.values():
        for network in node.networks:
            names[(node.name, network.interface)] = network.path
        for uplink in node.uplinks.values():
            if uplink.device:
                names.setdefault((node.name, uplink.device), uplink.path)
        if node.vrf:
            names.setdefault((node.name, node.vrf), intent.vrfs[node.vrf].path if node.vrf in intent.vrfs else EVERYTHING)
    for segment in intent.segments:
        for node in segment.members:
            for name in (segment.vxlan, segment.interface_of(node)):
                names.setdefault((node.name, name), segment.path)
            key = (node.name, segment.vni)
            if key in vnis:
                yield Problem(segment.path.at("vni"), f"is also the VNI of {vnis[key]} on {node.name}", str(segment.vni))
            vnis.setdefault(key, segment.path)
    # A link to any node may come, and needs its port then.
    expected = {base + node.id for base in intent.settings.port_bases.values() for node in intent.nodes.values()}
    for link in _sound(intent):
        yield from _same_tunnel(link, tunnels)
        for end in link.ends:
            yield from _host_end(link, end, names, ports, vnis, expected)


def _same_tunnel(link: Link, tunnels: dict[tuple[object, ...], Place]) -> Iterator[Problem]:
    """Two tunnels between the same outer addresses, without anything by which their packets could be told apart."""
    option = link.kind.told_apart_by
    if not option:
        return
    value = link.options.told_apart_by
    ends = tuple(sorted((end.node.name, end.endpoint or "") for end in link.ends))
    # One without a key and one with any are two tunnels.
    identity = (link.type, ends, value)
    if identity in tunnels:
        path, hint = link.path.at(option), "the ends tell tunnels between the same addresses apart by it"
        if value is None:
            yield Problem(path, f"is required: {tunnels[identity]} joins the same addresses without one", hint=hint)
        else:
            yield Problem(path, f"is also that of {tunnels[identity]}, which joins the same addresses", str(value), hint)
    tunnels.setdefault(identity, link.path)


def peer_problems(intent: Intent) -> Iterator[Problem]:
    """Two tunnels of a host whose packets come from one address, or both from one that it does not know, of a type that nothing else tells apart."""
    owners: dict[tuple[str, str, str | None], Link] = {}
    for link in _sound(intent):
        for end in link.ends if link.kind.one_a_peer else ():
            other = link.other(end)
            if not end.node.managed or other.unsure:
                continue
            first = owners.setdefault((end.node.name, link.type, other.endpoint), link)
            if first is not link:
                known = f"at {other.endpoint}" if other.endpoint else "that initiates from anywhere"
                hint = f"give {other.node.name} another uplink for one of them, or let one be of another type"
                if not other.endpoint:
                    hint = "give the uplink of one a 'public' address, or let one link be of another type"
                yield Problem(
                    link.path, f"{end.node.name} has another {link.kind.noun} with a peer {known}, that of {first.path}", hint=hint
                )
                break


def _host_end(
    link: Link,
    end: End,
    names: dict[tuple[str, str], Place],
    ports: dict[tuple[str, str, int], Place],
    vnis: dict[tuple[str, int], Place],
    expected: set[int],
) -> Iterator[Problem]:
    node = end.node.name
    name = (node, end.interface)
    # A direct link and the uplink may be the same NIC: the wire carries both.
    if end.interface and name in names:
        path = end.path.at("interface") if end.written.interface is not None else end.path
        yield Problem(
            path, f"interface {end.interface} of {node} is also that of {names[name]}", hint="give the end an 'interface' of its own"
        )
    names.setdefault(name, link.path)
    if link.kind.number_option == "vni":
        vni = (node, link.number)
        if vni[1] > VNIS.high:
            yield Problem(link.path.at("vni"), "is required", hint=f"the id {link.id} is too large for a VNI; valid: {VNIS}")
        if vni in vnis:
            yield Problem(link.path.at("vni"), f"is also the VNI of {vnis[vni]} on {node}", str(vni[1]))
        vnis.setdefault(vni, link.path)
    if end.listen_port is None or (link.kind.ports.listener == "server" and not is_server(link, end)):
        return
    protocol = link.options.protocol
    port = (node, protocol, end.listen_port)
    if port in ports:
        where = end.path.at("listen_port") if end.written.listen_port is not None else end.path
        taken = {number for owner, kind, number in ports if (owner, kind) == (node, protocol)} | expected
        free = min(set(range(end.listen_port + 1, end.listen_port + len(taken) + 2)) - taken)
        hint = f"give the end a listen_port; the next free one is {free}" if PORTS.holds(free) else "give the end a listen_port"
        if link.pattern:
            hint = "links of a pattern listen on no other; let them differ in type or transport, or write these under xgn_links with a listen_port"
        yield Problem(where, f"{protocol.upper()} port {end.listen_port} of {node} is also that of {ports[port]}", hint=hint)
    ports.setdefault(port, link.path)
