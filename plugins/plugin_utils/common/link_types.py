# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The types of links: one entry holds what the planner, the files, the checks and the drawings need to know of one.

A new type begins here and in the intent's schema. Whoever asks for a type that has no entry is refused, so that nothing is left out in silence:
neither the bytes of its headers nor its open ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    ETHERNET_MTU,
    INTERFACE_NAMES,
    SECTION_NAMES,
    UNIT_NAMES,
    VXLAN_PORT,
    NameForm,
    fingerprint_problems,
    wireguard_key_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem


class LinkTypeError(ValueError):
    """A type of link, or a variant of one, that has no entry."""


@dataclass(frozen=True)
class Ports:
    """How a node is addressed by its peer, and so what its packet filter opens.

    Attributes:
        protocol: ``udp`` or ``tcp``; the default where `protocol_option` names an option.
        protocol_option: option of the link that names the protocol.
        listener: which ends listen on a port of the plan: each that has an endpoint, or the server of the two.
        number_option, number: option of the link that names a port both ends have, and its default.
        fixed: protocols and ports of the standard; 0 where the protocol has none, as the protocol of IP itself.
        nat_traversal: the UDP port among them that all packets have which pass a NAT; 0 for none.
    """

    protocol: Literal["udp", "tcp"] = "udp"
    protocol_option: str = ""
    listener: Literal["", "each", "server"] = ""
    number_option: str = ""
    number: int = 0
    fixed: tuple[tuple[str, int], ...] = ()
    nat_traversal: int = 0

    def protocol_of(self, options: Mapping[str, Any]) -> str:
        """Return the protocol of a link with these options."""
        return str(options.get(self.protocol_option, self.protocol)) if self.protocol_option else self.protocol

    def common(self, options: Mapping[str, Any]) -> list[tuple[str, int]]:
        """Return protocols and ports that both ends of a link have open, whoever initiates."""
        chosen = [(self.protocol_of(options), int(options.get(self.number_option, self.number)))] if self.number_option else []
        return [*self.fixed, *chosen]


@dataclass(frozen=True)
class LinkType:
    """One type of links.

    Attributes:
        name: as the intent has it.
        title: as the field calls it, in headings and drawings.
        noun: what one of them is called in a list of changes.
        legend: what the legend of the report says.
        word: what a drawing says at a line.
        subject: first word of the checks that are about one; empty where none is.
        layer: 2 where it carries Ethernet frames, 3 where it carries IP packets.
        tunnel: its packets travel in others, over an uplink or another link.
        prefix: what the interface's name begins with, before the number; empty where the name comes from the device beneath.
        tagged: that name has a dot and the number behind the device's.
        names: what the interface's name may look like.
        number_option: option of the link that numbers the interface; the link's id where it is not given or none.
        number_required: the option must be given.
        layers: names in `encapsulation.LAYERS` by value of `variant`, the default first; empty where nothing is added.
        variant: option of the link that chooses among the layers.
        layers_with: option and name in `encapsulation.LAYERS`, for options that add to the headers when they are given.
        roams: its peers may change the family of the outer packets, so that the larger header is counted.
        largest_mtu: largest MTU in bytes it is given unasked; none for no bound.
        usual_mtu: MTU in bytes that its role gives an interface whose entry names none; none where the entry must name it, or the kernel chooses.
        keys, end_keys: keys of a link and of its ends that belong to some types only, this one among them.
        preshared_key_required: both ends need a key in common.
        port_settings: variable of the intent whose ``port_base`` numbers the ports.
        ports: how a node is addressed by its peer.
        public_key: what is wrong with what the registry on the controller keeps of an end, by which the other end knows it; none where nothing is kept.
        needs_both: either end sends first, so that each must have an address the other one reaches.
        known_by_address: its peers know an end by the address that it has itself, unless they reach it by a name.
        told_apart_by: option of the link by which the ends tell several between the same outer addresses apart; empty where something else does.
        one_a_peer: a host knows the peers of such tunnels by their addresses alone, so that it has one for each.
        clear: whoever is on the way can read what it carries, and send something into it.
        probed: nothing of its own tells whether the peer is there, so that `verify` sends packets of the planned size over each of them.
        role, variable: role that makes the interface, and its list of them.
        made_as: option of module ``interface_layer``, and key of ``/etc/xgn/interface.json``, under which role ``vrf`` makes it from that list;
            empty where the interface comes otherwise.
        main_socket: its UDP socket is in the default VRF, whatever VRF its uplink is in.
        default_vrf_only: the program beneath it sends and receives outer packets in the default VRF alone, and knows no mark or device to leave it by.
        unit: systemd unit that makes the interface, with ``{name}`` and ``{side}`` (``server`` or ``client``); empty for none. It starts behind
            network-online.target.
        other_units: units that must run before that one and make no interface.
        later_units: units that run behind that one on a host with an entry of some ``role``: that role, and the unit.
        dynamic: the interface comes and goes with its session.
        kernel_kind: kind of the interface as ``ip -details link`` tells it; empty for a NIC.
        kernel_kind_ipv6: the same where its outer packets are IPv6, if it differs.
        kernel_module: module of the kernel without which there is none; empty for a NIC.
        kernel_module_ipv6: the same where its outer packets are IPv6, if it differs.
        kernel_since: release of the kernel that brought the module into the tree, where a supported distribution may be older; none for always.
        written_for: what its commands are written for, for the owner of an unmanaged router: ``wg-quick``, ``iproute2``, ``routeros``, ``vyos``. Of the
            others the owner is told in words.
        fixed: keys of an entry of that list that the other end counts with, beside those that all tunnels have, and the key of the intent that changes each:
            see `plan/fixed.py`.
        failover: how the test of the failover cuts it; see `plan/variables/failover_test.py`. Empty for a type that cannot be cut.
        width: of its line in a drawing, in points.
        mark: at both ends of that line, an arrow shape of Graphviz; empty for none.
    """

    name: str
    title: str
    noun: str
    legend: str
    word: str
    layer: Literal[2, 3]
    tunnel: bool
    role: str
    variable: str
    kernel_kind: str
    width: float
    mark: str
    failover: Literal["", "living_port", "planned_port", "nat_traversal", "gre_header"]
    ports: Ports
    layers: Mapping[str, str]
    subject: str = ""
    prefix: str = ""
    tagged: bool = False
    names: NameForm = INTERFACE_NAMES
    number_option: str = ""
    number_required: bool = False
    variant: str = ""
    layers_with: tuple[tuple[str, str], ...] = ()
    roams: bool = False
    largest_mtu: int | None = None
    usual_mtu: int | None = None
    keys: tuple[str, ...] = ()
    end_keys: tuple[str, ...] = ()
    preshared_key_required: bool = False
    port_settings: str = ""
    public_key: Callable[[Place, str], Iterator[Problem]] | None = None
    needs_both: bool = False
    known_by_address: bool = False
    told_apart_by: str = ""
    one_a_peer: bool = False
    probed: bool = False
    clear: bool = False
    made_as: str = ""
    kernel_kind_ipv6: str = ""
    main_socket: bool = False
    default_vrf_only: bool = False
    unit: str = ""
    other_units: tuple[str, ...] = ()
    later_units: tuple[tuple[str, str], ...] = ()
    dynamic: bool = False
    kernel_module: str = ""
    kernel_module_ipv6: str = ""
    kernel_since: tuple[int, int] | None = None
    written_for: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()

    @property
    def point_to_point(self) -> bool:
        """A tunnel for IP packets, which has two ends and no neighbors beside them."""
        return self.tunnel and self.layer == 3

    def number(self, link_id: int, options: Mapping[str, Any]) -> int:
        """Return what numbers the interface of a link with this id and these options."""
        return int(options.get(self.number_option, link_id)) if self.number_option else link_id

    def encapsulation(self, options: Mapping[str, Any]) -> str | None:
        """Return the name in `encapsulation.LAYERS` of what a link with these options adds, or None for nothing.

        Raises:
            LinkTypeError: the link has a variant without an entry.
        """
        for option, layer in self.layers_with:
            if options.get(option) is not None:
                return layer
        if not self.layers:
            return None
        default = next(iter(self.layers))
        chosen = options.get(self.variant, default) if self.variant else default
        if chosen not in self.layers:
            raise LinkTypeError(f"unknown {self.variant} {chosen!r} of a link of type {self.name}; valid: {', '.join(self.layers)}")
        return self.layers[chosen]

    def kind_of(self, local: str | None) -> str:
        """Return the kind of its interface as ``ip -details link`` tells it.

        Parameters:
            local: own outer address, where the entry of the role names one.
        """
        return self.kernel_kind_ipv6 if self.kernel_kind_ipv6 and ":" in (local or "") else self.kernel_kind

    def module_of(self, local: str | None) -> str:
        """Return the module of the kernel that it needs; parameters as of `kind_of`."""
        return self.kernel_module_ipv6 if self.kernel_module_ipv6 and ":" in (local or "") else self.kernel_module

    @property
    def unit_per_entry(self) -> bool:
        """Each of its interfaces has a unit of its own."""
        return "{" in self.unit

    def unit_of(self, entry: Mapping[str, Any]) -> str:
        """Return the unit that makes the interface of an entry of its variable; empty for none."""
        return self.unit.format(name=entry["name"], side=entry.get("role"))

    def boot_order(self, entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """Return pairs of units of a host with these entries, of which the second starts behind the first; all its units are in them."""
        pairs = []
        for entry in entries if self.unit else ():
            unit = self.unit_of(entry)
            pairs += [(ONLINE, unit), *((first, unit) for first in self.other_units)]
            pairs += [(unit, later) for side, later in self.later_units if entry.get("role") == side]
        return list(dict.fromkeys(pairs))

    def units(self, entries: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the units of a host with these entries, in the order of the boot."""
        pairs = self.boot_order(entries)
        makers = [second for first, second in pairs if first == ONLINE]
        later = [second for first, second in pairs if first in makers]
        return list(dict.fromkeys([*(self.other_units if makers else ()), *makers, *later]))


# Whatever makes a tunnel waits for it: addresses and names of peers are not to be had before.
ONLINE = "network-online.target"
_NAT_TRAVERSAL = 4500  # RFC 3948


def _fingerprint_problems(path: Place, written: str) -> Iterator[Problem]:
    for problem in fingerprint_problems(path, [written]):
        yield replace(problem, path=path)


_TUNNEL_KEYS, _TUNNEL_END_KEYS = ("family",), ("endpoint", "uplink")

# In the order of the boot, tunnels first. Legends and tables keep it.
LINK_TYPES: Mapping[str, LinkType] = {
    item.name: item
    for item in (
        LinkType(
            name="wireguard",
            title="WireGuard",
            noun="WireGuard interface",
            legend="WireGuard tunnel",
            word="WireGuard",
            subject="WireGuard",
            layer=3,
            tunnel=True,
            prefix="wg",
            names=UNIT_NAMES,
            layers={"": "wireguard"},
            roams=True,
            usual_mtu=1412,  # What fits into PPPoE (RFC 2516, 7), over IPv6.
            keys=("keepalive", "preshared_key_variable", *_TUNNEL_KEYS),
            end_keys=("listen_port", "public_port", "public_key", *_TUNNEL_END_KEYS),
            port_settings="xgn_wireguard",
            ports=Ports(listener="each"),
            main_socket=True,
            role="wireguard",
            variable="wireguard_interfaces",
            unit="wg-quick@{name}.service",
            fixed=(
                ("listen_port", "{end}.listen_port"),
                ("peers", "{link}"),
                ("peers.interface", "{ends}[].interface"),
                ("peers.public_key", "{ends}[].public_key"),
                ("peers.preshared_key", "{link}.preshared_key_variable"),
            ),
            kernel_kind="wireguard",
            kernel_module="wireguard",
            kernel_since=(5, 6),  # commit e7096c131e51
            public_key=wireguard_key_problems,
            written_for=("wg-quick", "routeros", "vyos"),
            failover="living_port",
            width=4.0,
            mark="",
        ),
        LinkType(
            name="openvpn",
            title="OpenVPN",
            noun="OpenVPN tunnel",
            legend="OpenVPN tunnel",
            word="OpenVPN",
            subject="OpenVPN",
            layer=3,
            tunnel=True,
            prefix="ovpn",
            names=UNIT_NAMES,
            layers={"tcp": "openvpn_tcp", "udp": "openvpn_udp"},
            variant="transport",
            keys=("transport", *_TUNNEL_KEYS),
            end_keys=("listen_port", "public_port", "fingerprints", *_TUNNEL_END_KEYS),
            port_settings="xgn_openvpn",
            ports=Ports(protocol="tcp", protocol_option="transport", listener="server"),
            role="openvpn",
            variable="openvpn_tunnels",
            unit="openvpn-{side}@{name}.service",
            fixed=(
                ("peer", "{ends}"),
                ("peer_interface", "{ends}[].interface"),
                ("peer_fingerprints", "{ends}[].fingerprints"),
                ("role", "{ends}"),
                ("transport", "{link}.transport"),
                ("family", "{link}.family"),
                ("listen_port", "{end}.listen_port"),
                ("underlay_vrf", "{node}.uplink.vrf"),
            ),
            kernel_kind="tun",
            kernel_module="tun",
            public_key=_fingerprint_problems,
            failover="planned_port",
            width=3.0,
            mark="dot",
        ),
        LinkType(
            name="l2tp_ipsec",
            title="L2TP/IPsec",
            noun="L2TP/IPsec tunnel",
            legend="L2TP/IPsec tunnel",
            word="L2TP/IPsec",
            subject="IPsec",
            layer=3,
            tunnel=True,
            prefix="l2tp",
            names=SECTION_NAMES,
            layers={"aes-cbc": "l2tp_ipsec", "aes-gcm": "l2tp_ipsec_gcm"},
            variant="cipher",
            keys=("preshared_key_variable", "cipher", *_TUNNEL_KEYS),
            end_keys=_TUNNEL_END_KEYS,
            preshared_key_required=True,
            # RFC 4303, RFC 7296 and RFC 3948. Either side may renew keys or look whether the other one is alive.
            ports=Ports(fixed=(("esp", 0), ("udp", 500), ("udp", _NAT_TRAVERSAL)), nat_traversal=_NAT_TRAVERSAL),
            known_by_address=True,
            one_a_peer=True,
            default_vrf_only=True,
            role="l2tp_ipsec",
            variable="l2tp_ipsec_tunnels",
            unit="xl2tpd.service",
            other_units=("xgn-l2tp-guard.service", "strongswan.service"),
            # Only the end that initiates has sessions to initiate again.
            later_units=(("lac", "xgn-l2tp-watch.service"),),
            dynamic=True,
            fixed=(
                ("peer", "{ends}"),
                ("role", "{ends}"),
                ("cipher", "{link}.cipher"),
                ("ike_version", "{link}.cipher"),
                ("preshared_key", "{link}.preshared_key_variable"),
                ("local_address", "{address}"),
                ("remote_address", "{ends}[].ipv4"),
                ("ipv6", "xgn_pools.links.ipv6"),
            ),
            kernel_kind="ppp",
            kernel_module="ppp_generic",
            failover="nat_traversal",
            width=3.0,
            mark="box",
        ),
        LinkType(
            name="vxlan",
            title="VXLAN",
            noun="VXLAN",
            legend="VXLAN",
            word="VXLAN",
            subject="VXLAN",
            layer=2,
            tunnel=True,
            prefix="vxlan",
            number_option="vni",
            layers={"": "vxlan"},
            # Beyond this nothing on a bridge or in a container expects more.
            largest_mtu=ETHERNET_MTU,
            keys=("vni", "port", "insecure", *_TUNNEL_KEYS),
            end_keys=("mac", *_TUNNEL_END_KEYS),
            ports=Ports(number_option="port", number=VXLAN_PORT),
            needs_both=True,
            role="vxlan",
            variable="vxlan_interfaces",
            made_as="vxlans",
            fixed=(
                ("vni", "{link}.vni"),
                ("local", "{node}.uplink.address"),
                ("remotes", "{link}"),
                ("port", "{link}.port"),
                ("underlay_vrf", "{node}.uplink.vrf"),
            ),
            clear=True,
            kernel_kind="vxlan",
            kernel_module="vxlan",
            written_for=("vyos",),
            failover="",
            width=2.4,
            mark="diamond",
        ),
        LinkType(
            name="gre",
            title="GRE",
            noun="GRE tunnel",
            legend="GRE tunnel, not encrypted",
            word="GRE",
            subject="GRE",
            layer=3,
            tunnel=True,
            prefix="gre",
            layers={"": "gre"},
            layers_with=(("key", "gre_key"),),
            keys=("key", "ttl", "pmtudisc", "insecure", *_TUNNEL_KEYS),
            end_keys=_TUNNEL_END_KEYS,
            # RFC 2784, 3: protocol 47 of IP.
            ports=Ports(fixed=(("gre", 0),)),
            needs_both=True,
            told_apart_by="key",
            probed=True,
            clear=True,
            role="gre",
            variable="gre_interfaces",
            made_as="gre_tunnels",
            fixed=(
                ("peer", "{ends}"),
                ("peer_interface", "{ends}[].interface"),
                ("local", "{node}.uplink.address"),
                ("remote", "{ends}[].endpoint"),
                ("key", "{link}.key"),
                ("underlay_vrf", "{node}.uplink.vrf"),
            ),
            kernel_kind="gre",
            kernel_kind_ipv6="ip6gre",
            kernel_module="ip_gre",
            kernel_module_ipv6="ip6_gre",
            written_for=("iproute2", "routeros", "vyos"),
            failover="gre_header",
            width=2.4,
            mark="odot",
        ),
        LinkType(
            name="vlan",
            title="VLAN",
            noun="interface",
            legend="VLAN",
            word="VLAN",
            layer=2,
            tunnel=False,
            tagged=True,
            number_option="vlan",
            number_required=True,
            layers={"": "vlan"},
            keys=("vlan",),
            end_keys=("device", "mac"),
            ports=Ports(),
            role="vrf",
            variable="vrf_interfaces",
            kernel_kind="vlan",
            kernel_module="8021q",
            failover="",
            width=2.0,
            mark="tee",
        ),
        LinkType(
            name="direct",
            title="direct wire",
            noun="interface",
            legend="direct wire",
            word="wire",
            layer=2,
            tunnel=False,
            layers={},
            end_keys=("device",),
            ports=Ports(),
            role="vrf",
            variable="vrf_interfaces",
            kernel_kind="",
            failover="",
            width=2.0,
            mark="",
        ),
    )
}
TUNNELS = tuple(item for item in LINK_TYPES.values() if item.tunnel)
# Protocols of IP that tunnels use and that know no ports.
PORTLESS = tuple(protocol for item in TUNNELS for protocol, port in item.ports.fixed if not port)


def link_type(name: str) -> LinkType:
    """Return the entry of a type.

    Parameters:
        name: as the intent has it, for example ``wireguard``.

    Raises:
        LinkTypeError: no such type; the message names those that are.
    """
    if name not in LINK_TYPES:
        raise LinkTypeError(f"unknown link type {name!r}; valid: {', '.join(LINK_TYPES)}")
    return LINK_TYPES[name]


def types_with(key: str) -> tuple[str, ...]:
    """Return the names of the types that a key of a link belongs to; empty for a key of all types."""
    return tuple(item.name for item in LINK_TYPES.values() if key in item.keys)


def types_with_end(key: str) -> tuple[str, ...]:
    """Return the names of the types that a key of a link's end belongs to; empty for a key of all types."""
    return tuple(item.name for item in LINK_TYPES.values() if key in item.end_keys)
