# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What packet filters of others on a host would drop of what is planned there. It is told and never changed: these filters are their owners'."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES

# Variables of a host that are looked at, beside those of the interfaces.
ASKED = frozenset(
    {
        *("firewall_open_ports", "firewall_ssh_port", "firewall_trusted_interfaces", "frr_bgp", "frr_ospf", "frr_ospf6"),
        *("dns_anycast_addresses", "vrf_interfaces"),
        *(kind.variable for kind in TUNNELS),
    }
)
_PASSES, _SOME, _ALL = "", "some", "all"


@dataclass(frozen=True)
class Packet:
    """What is planned to arrive on a host.

    Attributes:
        words: what it is called.
        protocol: empty for any.
        port: destination port; None for a protocol without ports, and for any.
        iif: interface that it arrives on; empty where it may be any public one.
        oifs: interfaces that it may leave on; none for what is for the host itself.
        elsewhere: names of interfaces that it does not arrive on, where it arrives on any public one.
    """

    words: str
    protocol: str = ""
    port: int | None = None
    iif: str = ""
    oifs: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def filter_warnings(host: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each base chain of somebody else's that would drop what is planned on a host.

    host: the fact C(xgn_host), of which ``filters`` is looked at. variables: those of `ASKED` that this host has.
    """
    sentences = []
    arriving, passing = list(arriving_at(variables)), list(passing_through(variables))
    for chain in host.get("filters", []):
        packets = {"input": arriving, "forward": passing}.get(chain["hook"], [*arriving, *passing])
        fates: dict[str, list[str]] = {_SOME: [], _ALL: []}
        for packet in packets if chain["rules"] else ():
            fate = fate_of(packet, chain["rules"])
            if fate:
                fates[fate].append(packet.words)
        parts = [
            f"{begin} {', '.join(dict.fromkeys(fates[fate]))}"
            for fate, begin in ((_ALL, "drops"), (_SOME, "may drop some of"))
            if fates[fate]
        ]
        if parts:
            owner = " and ".join(chain["owners"]) or "somebody else"
            sentences.append(
                f"a packet filter of {owner} (table {chain['table']}, chain {chain['chain']}) {', and '.join(parts)}, which is planned here. What another "
                "table accepts does not count there. It is not touched. Remedy: have its owner let that pass, or take his rules away (docs/troubleshooting.md)."
            )
    return sentences


def arriving_at(variables: Mapping[str, Any]) -> Iterator[Packet]:
    """Yield what others send to a host: SSH, outer packets of tunnels, what is opened, and the routing protocols from inside."""
    inside = _inside(variables)
    for protocol, port in sorted(_open_ports(variables), key=lambda item: (item[0], item[1] or 0)):
        yield Packet(f"{protocol} port {port}" if port else protocol, protocol, port, elsewhere=("lo", *inside))
    for name in inside if variables.get("frr_bgp") else ():
        yield Packet(f"BGP from {name}", "tcp", 179, name)
    for name in inside if variables.get("frr_ospf") or variables.get("frr_ospf6") else ():
        yield Packet(f"OSPF from {name}", "ospf", None, name)


def passing_through(variables: Mapping[str, Any]) -> Iterator[Packet]:
    """Yield what a host forwards among the interfaces that it trusts."""
    inside = _inside(variables)
    for name in inside:
        others = tuple(other for other in inside if other != name)
        if others:
            yield Packet(f"what is forwarded from {name}", iif=name, oifs=others)


def _open_ports(variables: Mapping[str, Any]) -> set[tuple[str, int | None]]:
    """Return protocols and ports that the plan has open on public interfaces; None for a protocol without ports."""
    found: set[tuple[str, int | None]] = {("tcp", int(variables.get("firewall_ssh_port") or 22))}
    found |= {(entry["protocol"], entry.get("port")) for entry in variables.get("firewall_open_ports") or []}
    for kind in TUNNELS:
        for entry in variables.get(kind.variable) or []:
            ports = kind.ports
            found |= {(protocol, port or None) for protocol, port in ports.fixed}
            # A client of OpenVPN has its server's.
            port = entry.get("listen_port") or (entry.get("port") if entry.get("role") != "client" else None) or ports.number
            if port:
                found.add((ports.protocol_of(entry), port))
    if ROLES["dns_anycast"].is_declared(variables):
        found |= {("tcp", 53), ("udp", 53)}
    return found


def _inside(variables: Mapping[str, Any]) -> list[str]:
    """Return the interfaces that are trusted; where nothing is filtered by us, those that are planned."""
    names: Iterable[Any] = variables.get("firewall_trusted_interfaces") or [
        entry.get("name") for name in ("vrf_interfaces", *(kind.variable for kind in TUNNELS)) for entry in variables.get(name) or []
    ]
    return sorted({str(name) for name in names} - {"lo"}, key=natural_order)


def fate_of(packet: Packet, rules: Sequence[Mapping[str, Any]]) -> str:
    """Return what rules do with a packet: nothing (an empty text), drop ``some`` of its kind, or ``all``.

    rules: as module ``host_facts`` tells them of a base chain, in their order. A packet that no rule decides about passes.
    """
    some_dropped = some_accepted = False
    doubtful = False
    for rule in rules:
        meets = _meets(packet, rule)
        if meets == _PASSES:
            continue
        if rule["verdict"] == "accept":
            if meets == _ALL:
                return _SOME if some_dropped else _PASSES
            some_accepted = True
        elif meets == _ALL:
            return _SOME if some_accepted else _ALL
        elif rule["ports"] or rule["iif"] or rule["oif"]:
            some_dropped = True
        else:
            # It names nothing of this packet, and a later rule may accept it as a whole.
            doubtful = True
    return _SOME if some_dropped or doubtful else _PASSES


def _meets(packet: Packet, rule: Mapping[str, Any]) -> str:
    """Return whether a rule concerns packets of a kind: none of them (an empty text), ``some``, or ``all``."""
    some = bool(rule["some"])
    if rule["protocol"]:
        if packet.protocol and packet.protocol != rule["protocol"]:
            return _PASSES
        some = some or not packet.protocol
    if rule["ports"]:
        if packet.port is not None and not any(ports["first"] <= packet.port <= ports["last"] for ports in rule["ports"]):
            return _PASSES
        some = some or packet.port is None
    if rule["iif"]:
        if packet.iif and not fnmatch.fnmatchcase(packet.iif, rule["iif"]):
            return _PASSES
        if any(fnmatch.fnmatchcase(name, rule["iif"]) for name in packet.elsewhere):
            return _PASSES
        some = some or not packet.iif
    if rule["oif"]:
        leaves = [fnmatch.fnmatchcase(name, rule["oif"]) for name in packet.oifs]
        if not any(leaves):
            return _PASSES
        some = some or not all(leaves)
    return _SOME if some else _ALL
