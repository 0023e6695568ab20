# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What two hosts of a network hold at once, or the plan gives to one and somebody else has: identities, MACs, addresses, prefixes.

Judged over all hosts of a run, by what module ``host_facts`` has found there (facts C(identity) and C(held)) and what the hosts' variables give out. Addresses
count within their VRF, which bears one name in the whole network; link-local ones on their own interface.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    IPAddress,
    IPInterface,
    IPNetwork,
    View,
    parse_address,
    parse_interface,
    parse_network,
)

ALLOW = "preflight_allow_collisions"
MACHINE_ID = "machine-id"
# Variables of a host that give out addresses.
_GIVES_OUT = frozenset(("docker_macvlan_containers", "docker_macvlan_networks", "frr_interfaces"))
# The variables of a host that are looked at. Those that it has not count as not given.
ASKED = frozenset(
    {
        *(ALLOW, "frr_vrfs", "vrf_interfaces", "vrf_vrfs", *_GIVES_OUT),
        *(kind.variable for kind in TUNNELS),
    }
)
# So many hosts, interfaces or prefixes of one collision are named.
_SHOWN = 4
# (name of the host, name of the interface).
Port = tuple[str, str]


@dataclass(frozen=True)
class Looked:
    """One host.

    Attributes:
        name: of the inventory.
        host: the fact C(xgn_host), checked.
        variables: those of `ASKED` that it has.
        former: those that it last applied, as far as that is recorded on this controller.
    """

    name: str
    host: Mapping[str, Any]
    variables: Mapping[str, Any]
    former: Mapping[str, Any]


@dataclass(frozen=True)
class Planned:
    """An address that the plan gives to a host, or to a container on it.

    Attributes:
        host, interface: which has it; of a container, the interface that it hangs on.
        vrf: of the interface; None when the variables do not tell.
        value: with prefix length.
        container: name of the container; empty for the host itself.
        mac: that the variables give with it; empty for none.
    """

    host: str
    interface: str
    vrf: str | None
    value: IPInterface
    container: str = ""
    mac: str = ""

    @property
    def port(self) -> Port:
        """Host and interface."""
        return self.host, self.interface

    @property
    def holder(self) -> str:
        """Who has it, in words."""
        return f"container {self.container} on {self.host}" if self.container else f"{self.host} ({self.interface})"


@dataclass(frozen=True)
class _Collision:
    """What is wrong, in words; what of it, by the word of `ALLOW`; and the hosts of which any may allow it."""

    text: str
    subject: str
    hosts: tuple[str, ...]


def collisions(hosts: Sequence[Looked]) -> list[str]:
    """Return a sentence for each collision that no host of it allows: who holds what, who else, and the remedy.

    Parameters:
        hosts: all of the run that were looked at, in the order of the inventory.
    """
    stations = [_Station(looked) for looked in hosts]
    allowed = {station.name: station.allowed for station in stations}
    found = [*_identities(stations), *_macs(stations), *_addresses(stations), *_overlaps(stations)]
    return [
        f"{item.text} If it is meant: {ALLOW}: ['{item.subject}']."
        for item in found
        if not any(item.subject in allowed[name] for name in item.hosts)
    ]


class _Station:
    """A host with what it holds and is given."""

    def __init__(self, looked: Looked) -> None:
        self.name = looked.name
        self.identity = looked.host.get("identity")
        self._recorded = looked.host.get("recorded") or {}
        held = looked.host.get("held") or {}
        self.links: dict[str, Mapping[str, Any]] = {link["name"]: link for link in held.get("links", ())}
        self.neighbors = list(held.get("neighbors", ()))
        self.routes = list(held.get("routes", ()))
        self._variables, self._former = looked.variables, looked.former
        self._host = Host(looked.variables)

    @cached_property
    def allowed(self) -> frozenset[str]:
        """What may be there twice."""
        return frozenset(text.strip().lower() for _path, text in View(self._variables).texts(ALLOW))

    @cached_property
    def planned(self) -> list[Planned]:
        """What the variables give out, in order."""
        return [*_of_host(self.name, self._host, self._variables), *_of_containers(self.name, self._host, self._variables)]

    @cached_property
    def before(self) -> list[Planned]:
        """What the variables gave out that it last applied. Mostly the same, and then read once."""
        if all(self._former.get(name) == self._variables.get(name) for name in _GIVES_OUT):
            return self.planned
        host = Host(self._former)
        return [*_of_host(self.name, host, self._former), *_of_containers(self.name, host, self._former)]

    @cached_property
    def ours(self) -> frozenset[tuple[str, IPAddress]]:
        """Interfaces and addresses that were given to the host itself, now or before: an address moves to another host in one run."""
        return frozenset((item.interface, item.value.ip) for item in (*self.planned, *self.before) if not item.container)

    @cached_property
    def given(self) -> frozenset[IPAddress]:
        """The addresses of `ours`, on whatever interface: one MAC may be that of several."""
        return frozenset(address for _interface, address in self.ours)

    @cached_property
    def contained(self) -> frozenset[IPAddress]:
        """Addresses of containers that it had before: what neighbors say of those, the containers say."""
        return frozenset(item.value.ip for item in self.before if item.container)

    @cached_property
    def made(self) -> frozenset[str]:
        """Interfaces that the collection makes or has made: nothing on them is somebody else's."""
        names = {words.partition(" ")[2] for objects in self._recorded.values() for words in objects if words.startswith("interface ")}
        for variables in (self._variables, self._former):
            root = View(variables)
            entries = [view for variable in ("vrf_vrfs", *(kind.variable for kind in TUNNELS)) for view in root.views(variable)]
            entries += [view for view in root.views("vrf_interfaces") if any(view.data.get(key) for key in ("kind", "unit", "dynamic"))]
            names.update(view.text("name") or "" for view in entries)
        return frozenset(names)

    @cached_property
    def macs(self) -> frozenset[str]:
        """MACs of its interfaces, and those that its variables give."""
        return frozenset({*(link["mac"] for link in self.links.values()), *(item.mac for item in self.planned)} - {""})

    def vrf_of(self, interface: str, table: str | None = None) -> str | None:
        """Return the VRF that an interface will be in, or a route by it. table: the VRF of the route; None for that of the interface, as it is now."""
        now = self.links.get(interface, {}).get("vrf", DEFAULT_VRF)
        if interface in self._host.enslaved and now == DEFAULT_VRF:
            return self._host.vrf_of(interface)
        return now if table is None else table

    def mac_of(self, item: Planned) -> str:
        """Return the MAC that goes with a planned address: that of the variables, else the live one; empty when neither tells."""
        return item.mac or ("" if item.container else str(self.links.get(item.interface, {}).get("mac", "")))

    def sees(self, interface: str, macs: frozenset[str]) -> bool:
        """Tell whether a neighbor on an interface has one of these MACs."""
        return any(entry["interface"] == interface and entry["mac"] in macs for entry in self.neighbors)


def _of_host(name: str, host: Host, variables: Mapping[str, Any]) -> Iterator[Planned]:
    macs: dict[str, str] = {}
    for variable in ("vxlan_interfaces", "vrf_interfaces"):
        for view in View(variables).views(variable):
            macs[view.text("name") or ""] = (view.text("mac") or macs.get(view.text("name") or "", "")).lower()
    for own in host.addresses:
        yield Planned(name, own.interface, own.vrf, own.value, mac=macs.get(own.interface, ""))


def _of_containers(name: str, host: Host, variables: Mapping[str, Any]) -> Iterator[Planned]:
    root = View(variables)
    networks = {view.text("name"): view for view in root.views("docker_macvlan_networks")}
    for view in root.views("docker_macvlan_containers"):
        network = networks.get(view.text("network"))
        parent = (network.text("parent") if network else None) or ""
        subnets = [found for inner in (network.views("subnets") if network else ()) if (found := parse_network(inner.text("subnet")))]
        for key in ("ipv4", "ipv6"):
            address = parse_address(view.text(key))
            if address is not None and parent:
                length = next(
                    (net.prefixlen for net in subnets if net.version == address.version and address in net), BITS[address.version]
                )
                value = parse_interface(f"{address}/{length}")
                if value is not None:
                    mac = (view.text("mac") or "").lower()
                    yield Planned(name, parent, host.vrf_of(parent), value, view.text("name") or "", mac)


def _few(words: Iterable[str]) -> str:
    """Return words in order, the first ones of many."""
    listed = sorted(dict.fromkeys(words), key=natural_order)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


# ---- identities and MACs ------------------------------------------------------------------------------------------------------------------


def _identities(stations: Sequence[_Station]) -> Iterator[_Collision]:
    """Yield hosts without a machine id, and those that share one: of it and an interface's name come the interface's MAC, and what DHCP knows a host by."""
    groups: dict[str, list[str]] = {}
    for station in stations:
        if station.identity is not None:
            groups.setdefault(station.identity, []).append(station.name)
    again = (
        "`rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup`, then a reboot: its interfaces get new MACs, and DHCP knows it by "
        "another identifier, so it may lease it another address."
    )
    for identity, names in groups.items():
        if not identity:
            yield _Collision(
                f"{', '.join(names)}: /etc/machine-id is empty, so MACs of interfaces and the identifier for DHCP are others with each boot. "
                f"Remedy: {again}",
                MACHINE_ID,
                tuple(names),
            )
        elif len(names) > 1:
            yield _Collision(
                f"{', '.join(names)} have the same /etc/machine-id, as clones of one disk have: interfaces of equal names get equal MACs, and DHCP takes "
                f"them for one host. Remedy, on all of them but one: {again}",
                MACHINE_ID,
                tuple(names),
            )


def _macs(stations: Sequence[_Station]) -> Iterator[_Collision]:
    """Yield MACs that two have whose planned addresses are of one subnet, which is one layer-2 network: frames for both go to whoever spoke last."""
    found: dict[tuple[str, IPNetwork, str], dict[tuple[Port, str], str]] = {}
    for station in stations:
        for item in station.planned:
            mac, network = station.mac_of(item), item.value.network
            if mac and item.vrf is not None and network.prefixlen < BITS[network.version] and not network.is_link_local:
                found.setdefault((item.vrf, network, mac), {})[item.port, item.container] = item.holder
    told: set[tuple[str, frozenset[str]]] = set()
    for (_vrf, network, mac), holders in found.items():
        # Both families of one interface are told once.
        if len(holders) > 1 and (mac, frozenset(holders.values())) not in told:
            told.add((mac, frozenset(holders.values())))
            yield _Collision(
                f"{' and '.join(holders.values())} have the same MAC {mac} in {network}, one layer-2 network: frames for both reach only one of them. "
                "Remedy: give one of them another MAC, in the intent where it has one, else a machine-id of its own.",
                mac,
                tuple(dict.fromkeys(port[0] for port, _container in holders)),
            )


# ---- addresses ----------------------------------------------------------------------------------------------------------------------------


def _addresses(stations: Sequence[_Station]) -> Iterator[_Collision]:
    planned: dict[tuple[str, IPAddress], list[Planned]] = {}
    for station in stations:
        for item in station.planned:
            if item.vrf is not None and not item.value.ip.is_link_local:
                planned.setdefault((item.vrf, item.value.ip), []).append(item)
    for station in stations:
        yield from _held_elsewhere(station, planned)
    owners = {mac: (station, name) for station in stations for name, link in station.links.items() if (mac := link["mac"])}
    for station in stations:
        yield from _at_neighbors(station, owners)


def _held_elsewhere(station: _Station, planned: Mapping[tuple[str, IPAddress], Sequence[Planned]]) -> Iterator[_Collision]:
    """Yield addresses of a host on interfaces that are not ours, which the plan gives to another one."""
    for name, link in station.links.items():
        vrf = station.vrf_of(name)
        if name in station.made or vrf is None:
            continue
        for text in link["addresses"]:
            value = parse_interface(text)
            if value is None or (name, value.ip) in station.ours:
                continue
            for item in planned.get((vrf, value.ip), ()):
                # A container's address is where it is: on the host that carries it, somebody would have set it beside.
                if item.host != station.name:
                    yield _Collision(
                        f"{item.holder} is to have {value.ip} in {vrf_text(vrf)}, and {station.name} holds it on {name}, which is not of "
                        f"this plan. Remedy: take it away from {name} on {station.name}, or choose another address or pool in the intent.",
                        str(value.ip),
                        (item.host, station.name),
                    )


def _at_neighbors(station: _Station, owners: Mapping[str, tuple[_Station, str]]) -> Iterator[_Collision]:
    """Yield addresses that a host is to have and that another one on its links has: a neighbor of it, or whom the kernel met when it tried the address."""
    # By text: both sides write addresses as Python does.
    seen: dict[str, list[Mapping[str, Any]]] = {}
    for entry in station.neighbors:
        if entry["mac"] not in station.macs:
            seen.setdefault(entry["address"], []).append(entry)
    gateways = {(route["interface"], route["gateway"]) for route in station.routes if route["gateway"]}
    for item in station.planned:
        address = item.value.ip
        refused = str(item.value) in station.links.get(item.interface, {}).get("refused", ())
        near = [
            entry
            for entry in seen.get(str(address), ())
            if (entry["interface"] == item.interface if address.is_link_local else station.vrf_of(entry["interface"]) == item.vrf)
        ]
        if (not near and not refused) or (item.container and address in station.contained):
            continue
        entry = near[0] if near else {"interface": item.interface, "mac": "", "address": str(address)}
        owner = owners.get(entry["mac"])
        # It moves from there in this run.
        if owner is not None and not refused and address in owner[0].given:
            continue
        who = f"{owner[0].name} ({owner[1]})" if owner else f"a neighbor with MAC {entry['mac']}" if near else "another one on the link"
        role = ", the gateway of a route of it," if (entry["interface"], entry["address"]) in gateways else ""
        yield _Collision(
            f"{item.holder} is to have {address}, and {who}{role} has it already on the link of {entry['interface']}. Remedy: choose another "
            f"address in the intent, or take it away from there. If it is gone from there: `ip neigh flush to {address}` on {station.name}.",
            str(address),
            tuple(dict.fromkeys((item.host, *([owner[0].name] if owner else ())))),
        )


# ---- prefixes -----------------------------------------------------------------------------------------------------------------------------


class _Prefixes:
    """The planned prefixes of one VRF and version, to find those that overlap with a given one without a look at each."""

    def __init__(self, items: Iterable[Planned]) -> None:
        self._by_network: dict[IPNetwork, list[Planned]] = {}
        for item in items:
            self._by_network.setdefault(item.value.network, []).append(item)
        self._ordered = sorted(self._by_network, key=_start)
        self._starts = [_start(network) for network in self._ordered]
        self._lengths = {network.prefixlen for network in self._ordered}

    def overlapping(self, prefix: IPNetwork) -> Iterator[tuple[IPNetwork, list[Planned]]]:
        """Yield the prefixes that lie in a given one, which counts as in itself, or hold it, with who has addresses in them."""
        for length in sorted(self._lengths):
            around = prefix.supernet(new_prefix=length) if length < prefix.prefixlen else None
            if around in self._by_network:
                yield around, self._by_network[around]
        first = bisect_left(self._starts, _start(prefix))
        last = bisect_left(self._starts, int(prefix.broadcast_address) + 1)
        for network in self._ordered[first:last]:
            if network.prefixlen >= prefix.prefixlen:
                yield network, self._by_network[network]


def _start(network: IPNetwork) -> int:
    return int(network.network_address)


def _overlaps(stations: Sequence[_Station]) -> Iterator[_Collision]:
    """Yield routes of hosts, not of ours, that overlap with planned prefixes."""
    groups: dict[tuple[str, int], list[Planned]] = {}
    for station in stations:
        for item in station.planned:
            if item.vrf is not None and not item.value.ip.is_link_local:
                groups.setdefault((item.vrf, item.value.version), []).append(item)
    prefixes = {key: _Prefixes(items) for key, items in groups.items()}
    by_name = {station.name: station for station in stations}
    for station in stations:
        for route in station.routes:
            network = parse_network(route["prefix"])
            vrf = station.vrf_of(route["interface"], route["vrf"])
            # Default routes overlap with everything, and are the way to the rest.
            if network is None or not network.prefixlen or route["interface"] in station.made:
                continue
            known = prefixes.get((vrf, network.version)) if vrf is not None else None
            if known is None or _is_ours(station, route["interface"], network):
                continue
            clash = {
                item.holder: planned
                for planned, items in known.overlapping(network)
                # A wider route that leads to a gateway leaves what is planned alone: the longest prefix wins.
                if not route["gateway"] or planned.prefixlen <= network.prefixlen
                for item in items
                if not _one_wire(station, route["interface"], by_name[item.host], item)
            }
            if clash:
                yield _overlap(station, route, network, clash)


def _overlap(station: _Station, route: Mapping[str, Any], network: IPNetwork, clash: Mapping[str, IPNetwork]) -> _Collision:
    by = f"by {route['gateway']} on {route['interface']}" if route["gateway"] else f"on the link of {route['interface']}"
    what = _few(f"{planned} of {holder}" for holder, planned in clash.items())
    return _Collision(
        f"{station.name} has a route of its own, {network} {by}, which overlaps with the plan ({what}): what is there is not reached from it, or the other "
        "way round. Remedy: choose another prefix or pool in the intent, take that route or address away, or put the interface into a VRF of its own.",
        str(network),
        (station.name,),
    )


def _is_ours(station: _Station, interface: str, network: IPNetwork) -> bool:
    """Tell whether a route is that of an address which the host has, or is to have, on the same interface: one LAN, as it is now and as it is planned."""
    return any(
        item.interface == interface and item.value.version == network.version and item.value.network.overlaps(network)
        for item in (*station.planned, *station.before)
    )


def _one_wire(station: _Station, interface: str, other: _Station, item: Planned) -> bool:
    """Tell whether an interface of a host is known to be in the LAN of a planned address: its gateway is that address, or one sees the other's MAC."""
    if other is station:
        return False
    gateway = str(item.value.ip)
    if any(route["interface"] == interface and route["gateway"] == gateway for route in station.routes):
        return True
    there = frozenset({other.mac_of(item)} - {""})
    here = frozenset({str(station.links.get(interface, {}).get("mac", ""))} - {""})
    return station.sees(interface, there) or other.sees(item.interface, here)
