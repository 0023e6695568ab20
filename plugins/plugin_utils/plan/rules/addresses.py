# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about VRFs and addresses: nothing twice, nothing overlapping, nothing outside the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, AddressError, Prefix, is_address, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    BITS,
    FAMILIES,
    FAMILY,
    TITLE,
    VERSION,
    VRF_NAMES,
    host_address_problems,
    mac_problems,
    mtu_problems,
    name_problems,
    table_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import ADDRESS_KEYS, UNKNOWN, Intent, Network, Node, Uplink


def vrf_problems(intent: Intent) -> Iterator[Problem]:
    """Reserved names and tables, and a table under two VRFs."""
    owners: dict[int, Place] = {}
    for vrf in intent.vrfs.values():
        if not vrf.name:
            continue
        yield from name_problems(vrf.path, vrf.name, VRF_NAMES)
        if not vrf.table:
            continue
        unfit = list(table_problems(vrf.path.at("table"), vrf.table))
        yield from unfit
        if vrf.table in owners and not unfit:
            yield Problem(vrf.path.at("table"), f"is also the table of {owners[vrf.table]}", str(vrf.table), "every VRF has its own")
        owners.setdefault(vrf.table, vrf.path)


def uplink_problems(intent: Intent) -> Iterator[Problem]:
    """Uplinks that cannot be used as they stand."""
    owners: dict[tuple[str | None, int, int], Place] = {}
    for node in intent.nodes.values():
        devices: dict[str, Place] = {}
        gateways: dict[tuple[str, int], Place] = {}
        for uplink in node.uplinks.values():
            yield from _uplink(node, uplink, intent)
            yield from _second_gateway(uplink, gateways)
            if uplink.device:
                if uplink.device in devices:
                    yield Problem(uplink.path.at("device"), f"is also the device of {devices[uplink.device]}", show(uplink.device))
                devices.setdefault(uplink.device, uplink.path)
            for family, address in uplink.addresses.items():
                key = uplink.path.at(ADDRESS_KEYS[family])
                yield from host_address(address, key)
                # Behind a NAT the same private address may stand at several sites.
                owner = (uplink.vrf, address.version, address.value)
                if not uplink.nat and not uplink.unsure:
                    if owner in owners:
                        yield Problem(key, f"is also the address of {owners[owner]}", show(str(address)))
                    owners.setdefault(owner, uplink.path)


def _uplink(node: Node, uplink: Uplink, intent: Intent) -> Iterator[Problem]:
    for key, mac in (("mac", uplink.mac), ("hw_id", uplink.hw_id)):
        if mac is not None:
            yield from mac_problems(uplink.path.at(key), mac)
    if node.managed and "managed" not in node.unsure and not uplink.device:
        yield Problem(uplink.path.at("device"), "is required", hint="name the NIC, for example eth0")
    if uplink.device:
        yield from name_problems(uplink.path.at("device"), uplink.device, existing=True)
    yield from mtu_problems(uplink.path.at("mtu"), uplink.mtu, uplink.families)
    if uplink.vrf and uplink.vrf not in intent.vrfs and not intent.reading.explains(Place.of("xgn_vrfs", uplink.vrf)):
        names = ", ".join(name for name in intent.vrfs if name) or "none"
        yield Problem(uplink.path.at("vrf"), "is no VRF of xgn_vrfs", show(uplink.vrf), f"valid VRFs: {names}")
    yield from _gateways(uplink)


def _second_gateway(uplink: Uplink, gateways: dict[tuple[str, int], Place]) -> Iterator[Problem]:
    """Report a default route in a VRF that has one already by another uplink: all would leave by one of the two.

    Where the uplink learns its address, it learns a gateway with it. gateways: those known, by VRF and version.
    """
    given = [
        (key, text) for key, text in (("gateway", uplink.gateway), ("gateway6", uplink.gateway6)) if text is not None and is_address(text)
    ]
    known = [(key, text, parse_address(text).version) for key, text in given]
    for key, text, version in [*known, *((ADDRESS_KEYS[family], word, VERSION[family]) for family, word in uplink.learned.items())]:
        place = (uplink.vrf or "", version)
        first = gateways.setdefault(place, uplink.path.at(key))
        if first.keys[:-1] != uplink.path.keys:
            hint = "give this uplink a VRF of its own ('vrf'), and what uses it leaves by it"
            yield Problem(uplink.path.at(key), f"is a second default route of {vrf_text(place[0])}, beside {first}", show(text), hint)


def _gateways(uplink: Uplink) -> Iterator[Problem]:
    families: dict[int, str] = {}
    for key, text in (("gateway", uplink.gateway), ("gateway6", uplink.gateway6)):
        if text is None:
            continue
        path = uplink.path.at(key)
        try:
            gateway = parse_address(text)
        except AddressError as error:
            yield Problem(path, str(error))
            continue
        if key == "gateway6" and gateway.version != VERSION["ipv6"]:
            yield Problem(path, f"is no {TITLE['ipv6']} address", show(text), "an IPv4 gateway is written as gateway")
        elif gateway.version in families:
            yield Problem(path, f"is of the same family as {families[gateway.version]}", show(text), "an uplink has one gateway a family")
        elif "/" in text:
            yield Problem(path, "is not a single address", show(text), f"write {gateway.bare}")
        else:
            yield from _gateway(uplink, path, gateway, text)
        families.setdefault(gateway.version, key)


def _gateway(uplink: Uplink, path: Place, gateway: Address, text: str) -> Iterator[Problem]:
    family = FAMILY[gateway.version]
    own, word = uplink.addresses.get(family), uplink.learned.get(family)
    yield from host_address(gateway, path)
    if word:
        source = "the DHCP server gives" if family == "ipv4" else "router advertisements give"
        hint = f"leave it out: with {ADDRESS_KEYS[family]}: {word} {source} the default route"
        yield Problem(path, "is for an address that the intent knows", show(text), hint)
    elif own is None:
        if not uplink.unsure:
            hint = "the gateway is a neighbor on the uplink, so it has an address of its subnet"
            yield Problem(path, "is of another family than the addresses of the uplink", show(text), hint)
    elif own.value == gateway.value:
        yield Problem(path, "is the address of the uplink itself", show(text), "write that of the router there")
    elif uplink.is_off_link(gateway) and own.length < BITS[own.version] and not uplink.onlink:
        hint = "the gateway is a neighbor on the uplink, so it has an address of its subnet; write onlink: true where it is one without such an address"
        yield Problem(path, f"is not in {own.prefix}", show(text), hint)


def host_address(address: Address, path: Place) -> Iterator[Problem]:
    """An address that names a whole subnet, or no host at all."""
    yield from host_address_problems(path, show(str(address)), *address)


def network_problems(intent: Intent) -> Iterator[Problem]:
    """Networks behind nodes that cannot be made, or that would be published although they are not in the plan."""
    for node in intent.nodes.values():
        ids: dict[int, Place] = {}
        free = max((network.id for network in node.networks), default=0) + 1
        devices = {uplink.device for uplink in node.uplinks.values()}
        tags: dict[tuple[str | None, int | None], Place] = {}
        for network in node.networks:
            if network.id in ids and not network.unsure:
                yield Problem(
                    network.path.at("id"), f"is also the id of {ids[network.id]}", str(network.id), f"the next free one is {free}"
                )
            ids.setdefault(network.id, network.path)
            yield from _network(network, intent)
            if network.interface in devices:
                yield Problem(network.path, "is the device of an uplink", show(network.interface), "a network has an interface of its own")
            if network.kind == "vlan" and network.vlan is not None:
                tag = (network.parent, network.vlan)
                if tag in tags:
                    yield Problem(network.path.at("vlan"), f"is also the VLAN of {tags[tag]}", str(network.vlan))
                tags.setdefault(tag, network.path)


def _network(network: Network, intent: Intent) -> Iterator[Problem]:
    yield from name_problems(network.path, network.interface, existing=network.kind is None)
    if network.interface in intent.vrfs:
        yield Problem(network.path, "is the name of a VRF", show(network.interface), "the device of the VRF has that name")
    if network.mac is not None:
        yield from mac_problems(network.path.at("mac"), network.mac)
    if network.mtu is not None:
        yield from mtu_problems(network.path.at("mtu"), network.mtu, network.addresses)
    for key, value in (("parent", network.parent), ("vlan", network.vlan)):
        if network.kind is None and network.unsure and intent.reading.explains(network.path.at("kind")):
            continue
        if network.kind == "vlan" and value is None:
            yield Problem(network.path.at(key), "is required", hint="a network of kind vlan has a parent and a VLAN id")
        elif network.kind != "vlan" and value is not None:
            yield Problem(network.path.at(key), "is for networks of kind vlan only", show(value))
    vrf = intent.vrfs.get(network.vrf)
    # `published: false` may be what a misspelt key says.
    published = network.published and not (network.unsure and intent.reading.explains(network.path.at("published")))
    for family, address in network.addresses.items():
        path = network.path.at(ADDRESS_KEYS[family])
        if not network.pooled:
            yield from host_address(address, path)
        pool = vrf.pools.networks.get(family) if vrf else None
        if published and vrf and not vrf.unsure and pool and not pool.holds(address.prefix):
            what = f"lies outside {vrf.pools.path}.networks.{family} ({pool}), and is to be advertised"
            hint = "leave the address out to get one from there, enlarge the pool, or set published: false"
            yield Problem(path, what, show(str(address)), hint)


def overlap_problems(intent: Intent) -> Iterator[Problem]:
    """Prefixes of one VRF that overlap: pools, networks, segments, explicit link subnets, and uplinks in the table they live in."""
    for vrf in intent.vrfs.values():
        for family in FAMILIES:
            yield from _overlaps(sorted(_claims(intent, vrf.name, family), key=lambda item: (item.prefix.value, item.prefix.length)))


class _Claim(NamedTuple):
    """A prefix that something has in a VRF. `shared`: it is a pool of the intent, which several VRFs use."""

    prefix: Prefix
    path: Place
    kind: str
    shared: bool = False


def _claims(intent: Intent, vrf: str, family: str) -> Iterator[_Claim]:
    """Yield everything that has a prefix in a VRF. Kinds that lie in their own pool by design are left out."""
    pools = intent.vrfs[vrf].pools
    unsure = intent.vrfs[vrf].unsure
    # VRFs that share the pools of the intent share one address plan, which is checked in itself once, in the name of the default VRF.
    shared = bool(vrf) and pools is intent.vrfs[""].pools
    for name, found in (("links", pools.links), ("loopbacks", pools.loopbacks), ("networks", pools.networks)):
        if family in found and not unsure:
            yield _Claim(found[family], pools.path.at(name, family), name, shared)
    for node in intent.nodes.values():
        for network in node.networks:
            if network.vrf == vrf and family in network.addresses and not network.pooled:
                inside = family in pools.networks and pools.networks[family].holds(network.addresses[family].prefix)
                yield _Claim(network.addresses[family].prefix, network.path, "inside" if inside else "network")
        for uplink in node.uplinks.values():
            if (uplink.vrf or "") == vrf and family in uplink.addresses and not uplink.nat and not uplink.unsure:
                yield _Claim(uplink.addresses[family].prefix, uplink.path, "uplink")
    for segment in intent.segments:
        if segment.vrf == vrf and family in segment.prefixes:
            yield _Claim(segment.prefixes[family], segment.path.at(family), "segment")
    for container in intent.containers:
        for address, path in container.networks:
            if container.segment.vrf == vrf and address.version == VERSION[family]:
                inside = family in pools.networks and pools.networks[family].holds(address.prefix)
                yield _Claim(address.prefix, path, "inside" if inside else "network")
    for link in intent.links:
        if link.vrf == vrf and not link.broken and family in link.ends[0].written.families and family in link.ends[0].addresses:
            prefix = link.ends[0].addresses[family].prefix
            inside = family in pools.links and pools.links[family].holds(prefix)
            yield _Claim(prefix, link.path, "inside link" if inside else "link")


# Pairs that may lie in each other: an address chosen by hand in its own pool, two nodes on one wire.
_BY_DESIGN = {
    frozenset(("networks", "inside")),
    frozenset(("links", "inside link")),
    frozenset(("uplink",)),
}


def _overlaps(listed: list[_Claim]) -> Iterator[Problem]:
    open_ones: list[_Claim] = []
    for item in listed:
        open_ones = [other for other in open_ones if other.prefix.last >= item.prefix.value]
        for other in open_ones:
            if not (item.shared and other.shared) and frozenset((item.kind, other.kind)) not in _BY_DESIGN:
                how = "is the same as" if item.prefix == other.prefix else "lies inside"
                yield Problem(item.path, f"{item.prefix} {how} {other.prefix} of {other.path}", hint="no two prefixes of a VRF may overlap")
        open_ones.append(item)


def loopback_problems(intent: Intent) -> Iterator[Problem]:
    """Loopbacks and router IDs that stand twice, or inside something else."""
    owners: dict[tuple[str, int, int], Place] = {}
    routers: dict[str, Place] = {}
    for node in intent.nodes.values():
        pools = intent.vrf(node.vrf).pools
        for family, address in node.loopback.items():
            path = node.path.at("loopback", family)
            key = (node.vrf, address.version, address.value)
            if key in owners and node.vrf != UNKNOWN:
                yield Problem(path, f"is also the loopback of {owners[key]}", show(address.bare))
            owners.setdefault(key, node.path)
            yield from host_address_problems(path, show(address.bare), address.version, address.value)
            if family in pools.loopbacks and pools.loopbacks[family].holds(address.prefix):
                # That the pools themselves overlap is told of them.
                continue
            for name, found in (("links", pools.links), ("networks", pools.networks)):
                if family in found and found[family].holds(address.prefix):
                    yield Problem(path, f"lies inside the pool {found[family]} of {pools.path}.{name}", show(address.bare))
        if node.router_id is not None:
            if node.router_id in routers:
                yield Problem(node.path.at("router_id"), f"is also the router ID of {routers[node.router_id]}", show(node.router_id))
            routers.setdefault(node.router_id, node.path)
