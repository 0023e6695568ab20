# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The intent as objects: names resolved, addresses parsed, patterns expanded. What the rules check and the writers read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, Prefix, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LinkType, link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Findings, Place
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import Settings

# What a link travels over: an uplink of each node, the loopbacks, or the link with an id.
UPLINK: Literal["uplink"] = "uplink"
LOOPBACK: Literal["loopback"] = "loopback"

# The one uplink a node names under `uplink`.
MAIN_UPLINK = "uplink"

# Keys of the addresses of an uplink or a network.
ADDRESS_KEYS: Mapping[str, str] = {"ipv4": "address", "ipv6": "address6"}

# Addresses that count on their own link alone, fe80::/10 (RFC 4291, 2.5.6). Not read from text, which takes a library that an import does without.
LINK_LOCAL = Prefix(6, 0xFE80 << 112, 10)

# Who gives an uplink an address that the intent does not know; the word stands in the address's place.
LEARNED_BY: Mapping[str, tuple[str, ...]] = {"ipv4": ("dhcp",), "ipv6": ("slaac", "dhcp")}

# So many ids are listed.
_LISTED = 20

# Stands for a VRF or a routing protocol that cannot be known because of a mistake that is told already. No rule concludes anything from it.
UNKNOWN = "?"


@dataclass(slots=True)
class Pools:
    """The address plan of one VRF. A pool is absent where the intent names none.

    Attributes:
        links, loopbacks, networks: prefix by family.
        link_length, network_length: prefix length of a subnet in bits, by family.
        per_node: subnets of the network pool that belong to each node id.
        path: where the pools stand in the intent.
    """

    path: Place
    links: dict[str, Prefix] = field(default_factory=dict)
    loopbacks: dict[str, Prefix] = field(default_factory=dict)
    networks: dict[str, Prefix] = field(default_factory=dict)
    link_length: dict[str, int] = field(default_factory=dict)
    network_length: dict[str, int] = field(default_factory=dict)
    per_node: int = 1


@dataclass(slots=True)
class Vrf:
    """A VRF, or the default VRF under the name of an empty string.

    Attributes:
        table: 0 where it could not be read.
        unsure: which pools it has could not be read, or it does not exist.
    """

    name: str
    path: Place
    table: int
    pools: Pools
    unsure: bool = False


@dataclass(slots=True)
class Uplink:
    """What tunnels travel over. MTU in bytes; addresses by family. `unsure` marks one whose own entry has mistakes.

    Attributes:
        gateway, gateway6: as written, the first of either family.
        onlink: they are neighbors although no subnet of the uplink has them.
        learned: by family, who gives the uplink an address that the intent does not know: ``dhcp`` or ``slaac``.
    """

    path: Place
    device: str | None
    addresses: dict[str, Address]
    nat: bool
    public: str | None
    mtu: int
    set_mtu: bool
    mac: str | None
    hw_id: str | None
    gateway: str | None
    vrf: str | None
    unsure: bool = False
    learned: dict[str, str] = field(default_factory=dict)
    gateway6: str | None = None
    onlink: bool = False

    @property
    def families(self) -> tuple[str, ...]:
        """The families it has an address of, known or not."""
        return tuple(family for family in FAMILIES if family in self.addresses or family in self.learned)

    @property
    def gateways(self) -> list[Address]:
        """Its default gateways. Of an intent that the rules have passed."""
        return [parse_address(text) for text in (self.gateway, self.gateway6) if text is not None]

    def is_off_link(self, gateway: Address) -> bool:
        """Tell whether no subnet of the uplink says that a gateway is a neighbor on it; a link-local address is one of its interface by itself."""
        own = self.addresses.get(FAMILY[gateway.version])
        return not LINK_LOCAL.holds(gateway.prefix) and (own is None or not own.prefix.holds(gateway.prefix))

    @property
    def hears_routers(self) -> bool:
        """Whether its IPv6 default route comes from router advertisements: DHCPv6 gives addresses alone (RFC 8415)."""
        return "ipv6" in self.learned

    @property
    def asks_dhcp(self) -> bool:
        """Whether its IPv4 default route comes from a DHCP server, with its address."""
        return "ipv4" in self.learned


@dataclass(slots=True)
class Network:
    """A network behind a node.

    Attributes:
        pooled: no address is written, so that it comes from the pool.
        unsure: its own entry has mistakes.
    """

    interface: str
    path: Place
    id: int
    kind: str | None
    parent: str | None
    vlan: int | None
    addresses: dict[str, Address]
    vrf: str
    mtu: int | None
    mac: str | None
    description: str | None
    published: bool
    pooled: bool
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A route that a person wants at a node: static, one that drops packets, an aggregate, or one into the VRF that a leak names.

    Attributes:
        path: where its prefix is written.
        interface: of a leak, the device of the other VRF, which is `next_hop_vrf`.
        distance: none for FRR's own.
    """

    path: Place
    vrf: str
    prefix: Prefix
    next_hop: Address | None = None
    interface: str | None = None
    next_hop_vrf: str | None = None
    blackhole: bool = False
    aggregate: bool = False
    distance: int | None = None
    published: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit from a VRF to the internet.

    Attributes:
        label: name of its uplink.
        nat: families whose addresses are translated.
        broken: its own entry has mistakes.
    """

    name: str
    path: Place
    node: Node
    vrf: str
    label: str
    reserve_of: str | None
    nat: tuple[str, ...]
    broken: bool

    @property
    def uplink(self) -> Uplink | None:
        """Its uplink; none where the node has none of that name."""
        return self.node.uplinks.get(self.label)

    def gateways(self) -> dict[str, Address | None]:
        """Return the next hop of its default route by family; none where its uplink leads to one neighbor alone, as PPP does."""
        uplink = self.uplink
        if uplink is None:
            return {}
        found: dict[str, Address | None] = {
            family: None for family, address in uplink.addresses.items() if address.length == BITS[address.version] and not uplink.gateways
        }
        return {**found, **{FAMILY[gateway.version]: gateway for gateway in uplink.gateways}}


@dataclass(frozen=True, slots=True)
class Leak:
    """Prefixes of a VRF that another one reaches at a node."""

    path: Place
    node: Node
    source: str
    target: str
    prefixes: tuple[tuple[Prefix, Place], ...]


@dataclass(slots=True)
class Node:
    """A router.

    Attributes:
        broken: it has no id of its own, so that nothing is concluded from what comes from the id.
        unsure: keys that may be missing, or be others than meant, because of a mistake that is told already.
        asn_path: where its AS number is written: with the node, or with its site.
        was: its former name, where it is renamed.
        routes: what a person wants beside what follows from the rest, those of leaks among it.
    """

    name: str
    path: Place
    id: int = 0
    site: str | None = None
    groups: tuple[str, ...] = ()
    managed: bool = True
    retired: bool = False
    was: str | None = None
    trusted: bool | None = None
    asn: int | None = None
    vrf: str = ""
    router_id: str | None = None
    route_reflector: bool = False
    management: str | None = None
    loopback: dict[str, Address] = field(default_factory=dict)
    uplinks: dict[str, Uplink] = field(default_factory=dict)
    networks: list[Network] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    broken: bool = False
    unsure: frozenset[str] = frozenset()
    asn_path: Place = EVERYTHING

    @property
    def restricted(self) -> bool:
        """Whether its neighbors accept from it only what is its own or lies behind it."""
        return not (self.managed if self.trusted is None else self.trusted)


@dataclass(frozen=True, slots=True)
class Site:
    """What the nodes of a site share.

    Attributes:
        vrf, asn: of a node that names none.
        igp: ``ospf``, or none.
        area: OSPF area.
    """

    vrf: str | None
    asn: int | None
    igp: str | None
    area: str


@dataclass(frozen=True, slots=True)
class WrittenEnd:
    """What the intent fixes at one end of a link; what is absent, the plan chooses.

    Attributes:
        families: those whose address is written.
    """

    interface: str | None = None
    device: str | None = None
    families: tuple[str, ...] = ()
    listen_port: int | None = None
    endpoint: str | None = None
    public_key: str | None = None
    fingerprints: tuple[str, ...] = ()
    mac: str | None = None
    public_port: int | None = None


@dataclass(slots=True)
class End:
    """One end of a link. `addresses` holds what the intent fixes, then what the plan adds."""

    node: Node
    path: Place
    written: WrittenEnd
    uplink: Uplink | None = None
    interface: str = ""
    # The interface beneath that of a VLAN or direct link.
    device: str | None = None
    addresses: dict[str, Address] = field(default_factory=dict)
    listen_port: int | None = None
    # Address or name to which the other end sends, without port; none when this end must initiate.
    endpoint: str | None = None

    @property
    def outside_port(self) -> int | None:
        """The port to which the other end sends; that it listens on, unless a NAT in front of it has another one."""
        return self.listen_port if self.written.public_port is None else self.written.public_port

    @property
    def unsure(self) -> bool:
        """Whether its uplink could not be read whole."""
        return self.uplink.unsure if self.uplink is not None else bool({"uplink", "uplinks", "managed"} & self.node.unsure)


@dataclass(frozen=True, slots=True)
class Nowhere:
    """What stands where a link should name what it travels over. `written` is the value, which the plan refuses."""

    written: object


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """What a person decides about a link, or about all links of a pattern, with the defaults of its type.

    Attributes:
        over: `UPLINK`, `LOOPBACK`, or the id of a link.
        family: of the outer packets; none for what both ends have.
        mtu: in bytes; none for what fits.
        bfd: BFD watches its session.
        password_variable: name of the variable that holds the password of its BGP sessions; none for that of all.
        preference: BGP local preference of what comes in.
        cost: in OSPF.
        keepalive: seconds between WireGuard keepalives.
        preshared_key_variable: name of the variable that holds the key.
        key: of a GRE tunnel.
        ttl: of the outer packets of a GRE tunnel, or their hop limit; none for that of the role.
        pmtudisc: the outer packets of a GRE tunnel over IPv4 may not be fragmented; none for what the role does.
        told_apart_by: what tells it from another link of its type between the same outer addresses; none where something else does, or nothing.
        encapsulation: name in `encapsulation.LAYERS` of what it adds to a packet; none for nothing.
        variant: the chosen one of its type's layers; empty where the type has no choice.
        protocol: ``udp`` or ``tcp``, of its outer packets.
        open_ports: protocols and ports that both ends have open, whoever initiates.
        insecure: it may carry frames, or packets, in clear where others are on the way.
    """

    over: str | int | Nowhere
    family: str | None
    mtu: int | None
    bfd: bool
    password_variable: str | None
    preference: int | None
    cost: int | None
    keepalive: int | None
    preshared_key_variable: str | None
    key: int | None
    ttl: int | None
    pmtudisc: bool | None
    told_apart_by: int | None
    encapsulation: str | None
    variant: str
    protocol: str
    open_ports: tuple[tuple[str, int], ...]
    insecure: bool


@dataclass(slots=True)
class Link:
    """A link between two nodes.

    Attributes:
        options: what its writer decides; one object for all links of a pattern.
        number: what numbers its interface, by default its id; 0 where the type demands one and it is not given.
        pattern: it comes from ``xgn_patterns``, where it has no entry of its own.
        vrf: VRF at both ends; empty for the default VRF.
        routing: ``bgp``, ``ospf`` or ``none``.
        session: ``loopback`` or ``link``.
        families: what it carries.
        mtu: in bytes; with `arithmetic`, how it comes about.
        outer: family of the outer packets of a tunnel.
        broken: its own entry has mistakes, or a number of it does not exist, so that nothing is concluded from what comes from them.
    """

    id: int
    path: Place
    type: str
    ends: tuple[End, End]
    options: LinkOptions
    number: int
    reserve_of: int | None = None
    pattern: bool = False
    vrf: str = ""
    routing: str = "bgp"
    session: str = "loopback"
    families: tuple[str, ...] = ()
    mtu: int = 0
    arithmetic: str = ""
    outer: str | None = None
    broken: bool = False

    @property
    def kind(self) -> LinkType:
        """What is known of links of its type."""
        return link_type(self.type)

    def other(self, end: End) -> End:
        """Return the opposite end."""
        return self.ends[1] if end is self.ends[0] else self.ends[0]


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """What a person decides about a segment, with its defaults.

    Attributes:
        vni: by default the segment's id.
        port: of UDP.
        mtu: in bytes; none for what fits.
        uplinks: name of the uplink it travels over, by node; `MAIN_UPLINK` for those not named.
        macs: MAC address of the interface with the node's address, by node.
        published: the gateway advertises it.
        insecure: it may carry frames in clear where others are on the way.
    """

    vni: int
    port: int
    mtu: int | None
    uplinks: Mapping[str, str]
    macs: Mapping[str, str]
    published: bool
    insecure: bool


@dataclass(slots=True)
class Segment:
    """A layer-2 network over VXLAN.

    Attributes:
        docker_nodes: names of the managed members that have a Docker network on it.
        addresses: of the members, by node name and family.
        broken: its own entry has mistakes.
    """

    id: int
    path: Place
    members: list[Node]
    gateway: Node
    prefixes: dict[str, Prefix]
    vrf: str
    options: SegmentOptions
    docker_nodes: frozenset[str] = frozenset()
    mtu: int = 0
    addresses: dict[str, dict[str, Address]] = field(default_factory=dict)
    broken: bool = False

    @property
    def vni(self) -> int:
        """Its VXLAN network identifier."""
        return self.options.vni

    @property
    def vxlan(self) -> str:
        """Name of its VXLAN interface."""
        return f"{link_type('vxlan').prefix}{self.vni}"

    def interface_of(self, node: Node) -> str:
        """Return the interface that has a member's addresses: the VXLAN, or beside containers a macvlan interface on it.

        Docker's are macvlan interfaces on the VXLAN, which reach each other and what is beyond the VXLAN, but never the VXLAN interface itself.
        """
        return f"seg{self.vni}" if node.name in self.docker_nodes else self.vxlan

    def uplink_of(self, node: Node) -> Uplink | None:
        """Return the uplink of a member that the segment travels over."""
        return node.uplinks.get(self.options.uplinks.get(node.name, MAIN_UPLINK))


@dataclass(slots=True)
class Container:
    """A system container that is a router: a host of the inventory, whose one neighbor is the gateway of its segment.

    Attributes:
        node: the node that runs it.
        addresses: in the segment, by family.
        networks: what it has on its loopback, with the path of each.
        unsure: it has no address of a family of its segment.
    """

    name: str
    path: Place
    node: Node
    segment: Segment
    asn: int
    router_id: str | None
    bfd: bool
    addresses: dict[str, Address] = field(default_factory=dict)
    networks: list[tuple[Address, Place]] = field(default_factory=list)
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class PrefixRange:
    """A prefix, or the parts of it with some lengths.

    Attributes:
        path: where it is written.
        ge, le: the lengths as written.
    """

    prefix: Prefix
    path: Place
    ge: int | None = None
    le: int | None = None

    @property
    def lengths(self) -> tuple[int, int]:
        """Shortest and longest length of what is meant, as FRR's prefix lists read them: with neither, the prefix alone."""
        if self.ge is None and self.le is None:
            return self.prefix.length, self.prefix.length
        return (self.prefix.length if self.ge is None else self.ge), (BITS[self.prefix.version] if self.le is None else self.le)


@dataclass(frozen=True, slots=True)
class AsPathRule:
    """A line of a list of AS paths. action: ``permit`` or ``deny``."""

    regex: str
    action: str
    path: Place


@dataclass(frozen=True, slots=True)
class RpkiCache:
    """A cache that validates the origin of routes."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Rpki:
    """``xgn_rpki``. Times in s."""

    caches: tuple[RpkiCache, ...] = ()
    polling_period: int | None = None
    retry_interval: int | None = None
    expire_interval: int | None = None


@dataclass(frozen=True, slots=True)
class NeighborOptions:
    """What a person decides about an external neighbor and a session with it, with its defaults. What each means is said in the schema.

    Attributes:
        accept_communities, communities_add, communities_send: the communities themselves, with where each is written.
        accept_as_paths: the lines of the named lists, one after the other.
        advertise: names of lists, or the words `PUBLISHED` and `WHOLE_TABLE`.
        role: ``offer``, ``require`` or ``none``.
    """

    multihop: int | None
    ttl_security_hops: int | None
    password_variable: str | None
    bfd: bool
    keepalive: int | None
    holdtime: int | None
    role: str
    accept_as_paths: tuple[AsPathRule, ...]
    accept_communities: tuple[tuple[str, Place], ...]
    private: bool
    rpki: bool
    preference: int | None
    maximum_prefix: int | None
    maximum_prefix_restart: int | None
    advertise: tuple[str, ...]
    default_originate: bool
    prepend: int | None
    med: int | None
    communities_add: tuple[tuple[str, Place], ...]
    communities_send: tuple[tuple[str, Place], ...]
    optional: bool


# What may be advertised to a neighbor, besides lists by name.
PUBLISHED: Literal["published"] = "published"
WHOLE_TABLE: Literal["everything"] = "everything"
# Relations whose neighbor is part of the network of the plan in all but name, and those whose prefixes are published in it.
INTERNAL: Literal["internal"] = "internal"
PUBLISHED_RELATIONS = ("customer", INTERNAL)


@dataclass(slots=True)
class Neighbor:
    """A BGP neighbor that is no node.

    Attributes:
        node: who has the session.
        relation: ``customer``, ``peer``, ``upstream``, ``route_server`` or ``internal``.
        place: the uplink, network or segment of the node that it is on; none where only the loopback is named.
        vrf: of the session.
        addresses: by family; empty for an unnumbered one.
        families: of the routes that are exchanged.
        from_loopback: the session's own address is that of the loopback.
        via: the next router on the way to it, by family.
        accept: what is accepted; none for what its relation says.
        lists: the prefixes of the lists that `options.advertise` names.
        broken: its own entry has mistakes, so that nothing is concluded from what is missing.
    """

    name: str
    path: Place
    node: Node
    relation: str
    asn: int
    options: NeighborOptions
    place: Uplink | Network | Segment | None
    vrf: str
    addresses: dict[str, Address]
    unnumbered: bool
    families: tuple[str, ...]
    from_loopback: bool
    via: dict[str, Address]
    accept: list[PrefixRange] | None
    lists: list[PrefixRange]
    broken: bool = False

    @property
    def outside(self) -> bool:
        """Whether it belongs to somebody else."""
        return self.relation != INTERNAL

    @property
    def same_as(self) -> bool:
        """Whether the session is one of iBGP."""
        return self.asn == self.node.asn

    @property
    def interface(self) -> str | None:
        """The interface that it is on."""
        if isinstance(self.place, Uplink):
            return self.place.device
        if isinstance(self.place, Segment):
            return self.place.interface_of(self.node)
        return None if self.place is None else self.place.interface

    @property
    def own_addresses(self) -> dict[str, Address]:
        """The node's addresses on that interface by family, as far as the plan knows them."""
        if isinstance(self.place, Segment):
            return self.place.addresses.get(self.node.name, {})
        return {} if self.place is None else self.place.addresses

    def on_subnet(self, address: Address) -> bool:
        """Tell whether an address lies in a subnet of the interface, or may do so where the plan does not know them."""
        own = self.own_addresses.get(FAMILY[address.version])
        if own is None:
            return isinstance(self.place, Uplink) and FAMILY[address.version] in self.place.learned
        return own.prefix.holds(Prefix(address.version, address.value, BITS[address.version]))


@dataclass(slots=True)
class Retired:
    """What leaves the network. It keeps its ids, and no stage but the reading knows more of it.

    Attributes:
        nodes: by name.
        links: those that end at one of them.
        containers: the node of each container that is a router and ran on one of them.
        peers: names of the nodes that stay and have a link or a segment with each of them.
        steered: the prefixes that each of them might steer.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    containers: dict[str, str] = field(default_factory=dict)
    peers: dict[str, set[str]] = field(default_factory=dict)
    steered: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Intent:
    """Everything a person wrote, resolved."""

    vrfs: dict[str, Vrf]
    nodes: dict[str, Node]
    links: list[Link]
    segments: list[Segment]
    settings: Settings
    # Names of groups and sites that stand for nodes.
    selectors: dict[str, list[Node]]
    # Names of the nodes that answer the anycast address.
    dns_nodes: frozenset[str] = frozenset()
    sites: Mapping[str, Site] = field(default_factory=dict)
    containers: list[Container] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    retired: Retired = field(default_factory=Retired)
    neighbors: list[Neighbor] = field(default_factory=list)
    rpki: Rpki = field(default_factory=Rpki)
    # What was found when it was read, so that rules do not draw conclusions from what could not be.
    reading: Findings = field(default_factory=Findings)
    # Ids that belong to an entry which could not be read, or to two, and where that is; None for such an entry whose id could not be read either.
    lost_links: dict[int | None, Place] = field(default_factory=dict)
    lost_segments: dict[int | None, Place] = field(default_factory=dict)

    def vrf(self, name: str) -> Vrf:
        """Return a VRF by its name. One that does not exist has no pools."""
        return self.vrfs.get(name) or Vrf(name, Place.of("xgn_vrfs", name), 0, Pools(Place.of("xgn_vrfs", name, "pools")), unsure=True)

    def exits_of(self, node: Node) -> list[Exit]:
        """Return the exits of a node."""
        return [item for item in self.exits if item.node is node]

    def pools_in_doubt(self, vrf: str, name: str) -> bool:
        """Tell whether a pool of a VRF, ``links``, ``loopbacks`` or ``networks``, may be missing only because it could not be read."""
        found, reading = self.vrf(vrf), self.reading
        path = found.pools.path.at(name)
        return found.unsure or any(reading.explains(path.at(family)) or reading.told(path.at(f"{family}_prefix")) for family in FAMILIES)

    def misses_uplink(self, node: Node, label: str) -> bool:
        """Tell whether a node has no uplink of a name, and no mistake that is told already is the reason."""
        place = node.path.at("uplink") if label == MAIN_UPLINK else node.path.at("uplinks", label)
        return label not in node.uplinks and not self.reading.told(place) and not self.reading.above(place)

    def loopback_in_doubt(self, node: Node) -> bool:
        """Tell whether a loopback that a node lacks may be missing only because of a mistake that is told already."""
        return node.broken or "loopback" in node.unsure or self.pools_in_doubt(node.vrf, "loopbacks")

    def may_be_link(self, number: int) -> bool:
        """Tell whether an id that no link has may be that of one that could not be read."""
        return None in self.lost_links or number in self.lost_links

    def link_ids(self) -> str:
        """Return the ids of all links, or whose they are where there are many."""
        ids = sorted({link.id for link in self.links if link.id >= 0} | {number for number in self.lost_links if number is not None})
        return f"those of {len(ids)} links" if len(ids) > _LISTED else ", ".join(map(str, ids)) or "none"

    def may_be_segment(self, number: int) -> bool:
        """Tell whether an id that no segment has may be that of one that could not be read."""
        return None in self.lost_segments or number in self.lost_segments
