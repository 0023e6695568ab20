# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The numbers of the plan: addresses, interface names, ports and MTUs. All of them come from ids and from what is written, none from order."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import (
    Address,
    AddressError,
    PoolExhaustedError,
    address_text,
    link_addresses,
    nth_address,
    nth_subnet,
    parse_address,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.interface_names import InterfaceNameError, interface_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, PORTS, VERSION, VLANS, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import ADDRESS_KEYS, UPLINK, End, Intent, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.mtu import number_segment, size_links

# fe80::/64, and of its interface identifiers those that begin with "xgn" in ASCII and an octet of zeros (RFC 4291, 2.5.6).
_LINK_LOCAL = 0xFE80 << 112 | 0x78676E00 << 32


def link_local(node_id: int) -> Address:
    """Return the link-local address of a node, the same on all of its interfaces: fe80::7867:6e00:HIGH:LOW, the id in two groups of 16 bits.

    The identifier is nobody else's: a person writes small numbers, such as fe80::1 for the gateway of a LAN; one made of a MAC has ff:fe in its fourth and
    fifth octet, where this one has zero first (RFC 4291, 2.5.1 and appendix A), and by its bit "universal" it says that it is none; those that are reserved
    begin otherwise (RFC 5453). One chosen at random (RFC 7217) is one of these with a probability of 2 to the power of -32.

    Parameters:
        node_id: of 32 bits at most.
    """
    return Address(6, _LINK_LOCAL | node_id, 64)


def number_all(intent: Intent) -> Findings:
    """Fill in every number of an intent. Returns the numbers that do not exist, and the MTUs that do not fit."""
    problems = Findings()
    for node in intent.nodes.values():
        if not node.broken:
            _number_node(node, intent, problems)
    carriers = {link.id: link for link in intent.links if not intent.may_be_link(link.id)}
    for link in intent.links:
        if not link.broken:
            before = len(problems)
            _number_link(link, intent, carriers, problems)
            link.broken = len(problems) > before
    size_links(intent, problems)
    for segment in intent.segments:
        number_segment(segment, intent, problems)
    return problems


def _number_node(node: Node, intent: Intent, problems: Findings) -> None:
    pools = intent.vrf(node.vrf).pools
    for family in FAMILIES:
        pool = pools.loopbacks.get(family)
        if family in node.loopback:
            written = node.loopback[family]
            if written.length != BITS[VERSION[family]]:
                problems.add(
                    Problem(node.path.at("loopback", family), "is not a single address", show(str(written)), f"write {written.bare}")
                )
            node.loopback[family] = Address(written.version, written.value, BITS[VERSION[family]])
        elif pool is not None and "loopback" not in node.unsure:
            try:
                number = nth_address(pool, node.id)
            except AddressError as error:
                problems.add(
                    Problem(node.path.at("id"), f"has no loopback: {error}", str(node.id), f"enlarge {pools.path}.loopbacks.{family}")
                )
                node.unsure |= {"loopback"}
                continue
            node.loopback[family] = Address(number.version, number.value, BITS[VERSION[family]])
    if node.router_id is None:
        # A router ID is 32 bits that only look like an address (RFC 6286); without IPv4 the node's id serves.
        node.router_id = node.loopback["ipv4"].bare if "ipv4" in node.loopback else address_text(4, node.id)
    for network in node.networks:
        if not network.pooled:
            continue
        own = intent.vrf(network.vrf).pools
        if network.id >= own.per_node and own.networks and not intent.reading.told(own.path.at("networks", "per_node")):
            hint = f"valid: 0 to {own.per_node - 1}; raise {own.path}.networks.per_node, or give the network an address"
            problems.add(Problem(network.path.at("id"), "is beyond what the pool holds for a node", str(network.id), hint))
            continue
        for family, pool in own.networks.items():
            try:
                subnet = nth_subnet(pool, own.network_length[family], node.id * own.per_node + network.id)
            except PoolExhaustedError as error:
                how = f"{node.id} x {own.per_node} + {network.id} = {node.id * own.per_node + network.id}"
                problems.add(Problem(network.path, f"has no {family} subnet: {error}", hint=f"{how}; enlarge {own.path}.networks.{family}"))
                continue
            network.addresses[family] = nth_address(subnet, 0) if subnet.size == 1 else link_addresses(subnet)[0]
        if not own.networks and not intent.pools_in_doubt(network.vrf, "networks") and not network.unsure:
            problems.add(Problem(network.path, "has no address", hint=f"give it an address, or name {own.path}.networks"))


def _number_link(link: Link, intent: Intent, carriers: Mapping[int, Link], problems: Findings) -> None:
    _address_link(link, intent, problems)
    kind = link.kind
    if kind.number_required and not link.number:
        hint = f"a link of type {link.type} has a {kind.title} id, {VLANS}"
        problems.add(Problem(link.path.at(kind.number_option), "is required", hint=hint))
    for end in link.ends:
        _name_end(end, link, carriers, problems)
    if kind.tunnel:
        _call(link, intent, problems)


def _address_link(link: Link, intent: Intent, problems: Findings) -> None:
    pools = intent.vrf(link.vrf).pools
    first, second = link.ends
    families = []
    before = len(problems)
    for family in FAMILIES:
        fixed = [end for end in link.ends if family in end.addresses]
        if len(fixed) == 1:
            other = link.other(fixed[0])
            problems.add(
                Problem(other.path.at(family), "is required", hint=f"the other end has {fixed[0].addresses[family]}; give both or none")
            )
            continue
        if not fixed:
            pool = pools.links.get(family)
            if pool is None:
                continue
            try:
                pair = link_addresses(nth_subnet(pool, pools.link_length[family], link.id))
            except PoolExhaustedError as error:
                where = link.path if link.pattern else link.path.at("id")
                hint = f"enlarge {pools.path}.links.{family}"
                problems.add(Problem(where, f"has no {family} subnet: {error}", str(link.id), hint))
                continue
            first.addresses[family], second.addresses[family] = pair
        families.append(family)
    link.families = tuple(families)
    if not families and len(problems) == before and not intent.pools_in_doubt(link.vrf, "links"):
        hint = f"name {pools.path}.links.ipv4 or .ipv6, or give both ends addresses"
        problems.add(Problem(link.path, "has no addresses", hint=hint))


def _name_end(end: End, link: Link, carriers: Mapping[int, Link], problems: Findings) -> None:
    if not link.kind.prefix:
        end.device = end.written.device or _device_below(end, link, carriers)
        if end.device is None and link.options.over == UPLINK:
            problems.add(Problem(end.path.at("device"), "is required", hint=f"a link of type {link.type} needs the NIC at each end"))
    given = end.written.interface
    if given is not None:
        end.interface = given
        problems.extend(name_problems(end.path.at("interface"), given, link.kind.names))
        return
    if not link.kind.prefix and end.device is None:
        return
    try:
        end.interface = interface_name(link.type, link.number, end.device)
    except InterfaceNameError as error:
        problems.add(Problem(end.path, str(error), hint="give the end an 'interface' of its own"))


def _device_below(end: End, link: Link, carriers: Mapping[int, Link]) -> str | None:
    """Return the interface of the VXLAN, or what else carries Ethernet, that a VLAN travels over, at the same node."""
    below = carriers.get(link.options.over) if isinstance(link.options.over, int) else None
    if below is None or not below.kind.tunnel or below.kind.layer != 2:
        return None
    own = next((item for item in below.ends if item.node is end.node), None)
    return None if own is None else own.written.interface or interface_name(below.type, below.number)


def _call(link: Link, intent: Intent, problems: Findings) -> None:
    """Decide which end initiates, under which address and port."""
    if link.options.over == UPLINK:
        before = len(problems)
        _meet(link, problems)
        if len(problems) > before:
            return
    if link.kind.port_settings:
        _listen(link, intent.settings.port_bases[link.kind.port_settings], problems)


def _meet(link: Link, problems: Findings) -> None:
    """Choose the family of the outer packets, and the endpoint of each end."""
    choices = [_outer_families(end) for end in link.ends]
    wanted = link.options.family
    common = [family for family in FAMILIES if all(family in choice for choice in choices) and wanted in (None, family)]
    if any(end.unsure for end in link.ends):
        return
    missing = [end for end in link.ends if end.uplink is None and end.written.endpoint is None and end.node.managed]
    for end in missing:
        hint = f"give {end.node.path} an uplink, or the end an endpoint"
        problems.add(Problem(end.path, f"{end.node.name} has no uplink for a link of type {link.type}", hint=hint))
    if missing:
        return
    if not common:
        have = ", ".join(f"{end.node.name} has {' and '.join(choice) or 'none'}" for end, choice in zip(link.ends, choices))
        what = f"no {wanted} uplinks at both ends" if wanted else "no family that both uplinks have"
        problems.add(Problem(link.path, what, hint=have))
        return
    # That in which most ends have an address which the others can know.
    link.outer = max(common, key=lambda family: sum(_endpoint(end, family) is not None for end in link.ends))
    for end in link.ends:
        end.endpoint = _endpoint(end, link.outer)
    if all(end.endpoint is None for end in link.ends):
        hint = "give the uplink of one a 'public' address; without this link, a node that both have links to relays what they send to each other"
        problems.add(Problem(link.path, f"neither end can initiate it: {_hidden(link)}", hint=hint))
    elif link.kind.needs_both:
        hint = f"either end of a {link.kind.noun} sends first, so both need an address that the other reaches; let it travel over a tunnel with 'over'"
        for end in link.ends:
            word = _learned(end, link.outer)
            if word:
                what = f"{end.node.name} has an address that only its host knows ({ADDRESS_KEYS[link.outer]}: {word})"
                problems.add(Problem(end.path, what, hint=hint))
            elif end.endpoint is None:
                problems.add(Problem(end.path, f"{end.node.name} is behind a NAT", hint=hint))


def _learned(end: End, family: str) -> str | None:
    """Return who gives an end its outer address, which the plan does not know; none where it does."""
    return end.uplink.learned.get(family) if end.uplink is not None else None


def _hidden(link: Link) -> str:
    """Return in words why neither end of a link can be reached."""
    reasons = []
    for end in link.ends:
        word = _learned(end, link.outer or "")
        known_to_the_host = f"has an address that only its host knows ({ADDRESS_KEYS[link.outer or '']}: {word})" if word else ""
        reasons.append(known_to_the_host if end.uplink is not None and not end.uplink.nat and word else "is behind a NAT")
    first, second = (end.node.name for end in link.ends)
    if reasons == ["is behind a NAT"] * 2:
        return f"{first} and {second} are both behind a NAT"
    return f"{first} {reasons[0]}, and {second} {reasons[1]}"


def is_server(link: Link, end: End) -> bool:
    """Tell which end of a tunnel responds: the one that has an endpoint; of two, the one with the smaller node id."""
    other = link.other(end)
    if (end.endpoint is None) != (other.endpoint is None):
        return end.endpoint is not None
    return end.node.id < other.node.id


def _listen(link: Link, base: int, problems: Findings) -> None:
    """Give each end that has an endpoint its port."""
    inside = link.options.over != UPLINK
    for end in link.ends:
        peer = link.other(end).node
        given = end.written.listen_port
        if given is None and peer.broken:
            continue
        reachable = inside or end.endpoint is not None
        if given is None and reachable and base + peer.id > PORTS.high:
            text = f"{base} + {peer.id} (id of {peer.name}) = {base + peer.id}, more than {PORTS.high}"
            problems.add(Problem(end.path, f"has no port: {text}", hint="give the end a listen_port"))
        end.listen_port = given if given is not None else (base + peer.id if reachable else None)


def _outer_families(end: End) -> tuple[str, ...]:
    """Return the families an end can speak on the outside; both when that is unknown, as behind a NAT."""
    public = end.written.endpoint or (end.uplink.public if end.uplink else None)
    if public:
        try:
            return ("ipv4",) if parse_address(public).version == VERSION["ipv4"] else ("ipv6",)
        except AddressError:
            return FAMILIES
    if end.uplink is None or (end.uplink.nat and not end.uplink.families):
        return FAMILIES
    return end.uplink.families


def _endpoint(end: End, family: str) -> str | None:
    if end.written.endpoint is not None:
        return end.written.endpoint
    if end.uplink is None:
        return None
    if end.uplink.public:
        return end.uplink.public
    if end.uplink.nat or family not in end.uplink.addresses:
        return None
    return end.uplink.addresses[family].bare
