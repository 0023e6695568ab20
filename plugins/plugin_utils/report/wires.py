# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which ends of links belong together: the hosts' own views, put together to wires between them. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES

# Subnets with room for two, and no other use than a link between them.
PAIR_LENGTHS = {4: 30, 6: 126}
TUNNELS = tuple(kind.name for kind in LINK_TYPES.values() if kind.point_to_point)
# Tunnels that a container may hang on as on a wire; links that are told by a number on one.
BRIDGED = tuple(kind.name for kind in LINK_TYPES.values() if kind.tunnel and not kind.point_to_point)
TAGGED = tuple(kind.name for kind in LINK_TYPES.values() if kind.tagged)
# The kind of a wire whose ends say different: the one that says most.
TELLING = ("docker", *(kind.name for kind in LINK_TYPES.values() if not kind.point_to_point))


@dataclass(frozen=True)
class End:
    """One host's end of a wire; ``entry`` is what `links.link_ends` says of it."""

    host: str
    entry: Mapping[str, Any]

    @property
    def interface(self) -> str:
        """Name of the interface."""
        return str(self.entry["interface"])


@dataclass
class Wire:
    """A link between two hosts, or a segment that joins more.

    Attributes:
        kind: a type of link, or ``docker``, a container's way into its network.
        ends: those that are known; a router Ansible does not manage tells none.
        hosts: everyone at it, in the order of the report, those who tell nothing last.
        networks: Docker's network by host that is a container on it.
    """

    kind: str
    ends: list[End]
    hosts: list[str] = field(default_factory=list)
    networks: dict[str, str] = field(default_factory=dict)

    def ends_of(self, host: str) -> list[End]:
        """Return a host's own ends."""
        return [end for end in self.ends if end.host == host]


class _Groups:
    """Ends that share a token belong together, and so do those that share one with them."""

    def __init__(self) -> None:
        self.parents: dict[Hashable, Hashable] = {}

    def root(self, token: Hashable) -> Hashable:
        while self.parents.setdefault(token, token) != token:
            token = self.parents[token]
        return token

    def join(self, first: Hashable, second: Hashable) -> None:
        self.parents[self.root(first)] = self.root(second)


def wires_of(hosts: Sequence[Mapping[str, Any]], owners: Mapping[str, str]) -> list[Wire]:
    """Return every wire between hosts.

    Parameters:
        hosts: the hosts of a report.
        owners: host by canonical address.
    """
    order = {host["host"]: number for number, host in enumerate(hosts)}
    ends = [End(host["host"], entry) for host in hosts for entry in host["links"]]
    wires = _tunnels([end for end in ends if end.entry["kind"] in TUNNELS])
    wires += _shared([end for end in ends if end.entry["kind"] not in TUNNELS], hosts, owners)
    for wire in wires:
        wire.hosts.sort(key=lambda host: (order.get(host, len(order)), host))
    return sorted(wires, key=lambda wire: [order.get(host, len(order)) for host in wire.hosts])


def _tunnels(ends: Sequence[End]) -> list[Wire]:
    found: dict[tuple[Any, ...], Wire] = {}
    for end in ends:
        here, there = (end.host, end.entry["own"]), (end.entry["peer"], end.entry["remote"])
        wire = found.setdefault(
            (end.entry["kind"], *sorted([here, there])), Wire(end.entry["kind"], [], list(dict.fromkeys([here[0], there[0]])))
        )
        wire.ends.append(end)
    return list(found.values())


def _shared(ends: Sequence[End], hosts: Sequence[Mapping[str, Any]], owners: Mapping[str, str]) -> list[Wire]:
    """Return the wires of NICs, VLANs, VXLANs and containers, whose other ends no variable names."""
    groups = _Groups()
    for end in ends:
        for token in _tokens(end):
            groups.join((end.host, end.interface), token)
    inside = _containers(hosts, ends, owners)
    for host, interface, parent, _network in inside:
        groups.join((host, interface), parent)
    for first, second in _sessions_within(hosts, ends, owners):
        groups.join(first, second)
    together: dict[Hashable, list[End]] = {}
    for end in ends:
        together.setdefault(groups.root((end.host, end.interface)), []).append(end)
    wires = []
    for members in together.values():
        names = list(dict.fromkeys([*(end.host for end in members), *_strangers(members)]))
        if len(names) < 2:
            continue
        networks = {host: network for host, _interface, _parent, network in inside if any(end.host == host for end in members)}
        kinds = {end.entry["kind"] for end in members} | ({"docker"} if networks else set())
        # Among more than two, a container is but one of those on the segment.
        telling = [kind for kind in TELLING if kind in kinds and (kind != "docker" or len(names) == 2)]
        wires.append(Wire(telling[0], members, names, networks))
    return wires


def _tokens(end: End) -> Iterator[Hashable]:
    entry = end.entry
    for address in (entry["own"], *entry["remotes"]) if "vni" in entry else ():
        yield "vni", entry["vni"], address
    for network in networks_of(entry):
        # Larger subnets may be used in two places; there it takes a neighbor to tell.
        if network.prefixlen >= PAIR_LENGTHS[network.version] or entry["ospf"]:
            yield "subnet", entry["vrf"], network


def networks_of(entry: Mapping[str, Any]) -> list[Any]:
    """Return the subnets of an end."""
    return [ip_interface(address).network for address in entry["addresses"]]


def _containers(
    hosts: Sequence[Mapping[str, Any]], ends: Sequence[End], owners: Mapping[str, str]
) -> list[tuple[str, str, tuple[str, str], str]]:
    """Return host and interface of each container that is a host, host and interface it hangs on, and the name of Docker's network."""
    found = []
    for host in hosts:
        for container in host["containers"]:
            for end in ends:
                if owners.get(next(iter(container["addresses"]), "")) == end.host != host["host"] and any(
                    address.partition("/")[0] in container["addresses"] for address in end.entry["addresses"]
                ):
                    found.append((end.host, end.interface, (host["host"], container["parent"]), container["network"]))
    return found


def _sessions_within(
    hosts: Sequence[Mapping[str, Any]], ends: Sequence[End], owners: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Yield pairs of host and interface whose hosts have a BGP session between addresses of one subnet."""
    located = {address.partition("/")[0]: (end.host, end.interface) for end in ends for address in end.entry["addresses"]}
    for host in hosts:
        for session in host["sessions"]:
            there = located.get(session["address"])
            if there is None or owners.get(session["address"]) == host["host"]:
                continue
            for end in ends:
                if end.host == host["host"] and within(end.entry, session["address"]):
                    yield (end.host, end.interface), there


def within(entry: Mapping[str, Any], address: str) -> bool:
    """Tell whether an address is in a subnet of an end."""
    try:
        return any(ip_address(address) in network for network in networks_of(entry))
    except ValueError:
        return False


def _strangers(members: Sequence[End]) -> Iterator[str]:
    """Yield the names of VXLAN ends that no host of the report has."""
    known = {end.entry["own"] for end in members if "vni" in end.entry}
    for end in members:
        for address in end.entry.get("remotes", []):
            if address not in known:
                yield end.entry["description"] if len(end.entry["remotes"]) == 1 and end.entry["description"] else address
