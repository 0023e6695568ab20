# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes of what nodes, links and VRFs are, compared with what the hosts last applied: told before anything is done, with what each interrupts.

What one run of site brings about is told. What loses traffic that need not be lost is refused, with the steps that lose none, unless somebody says yes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, FAMILY, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Intent, Link, Network, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.changes import IDENTITY
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.departures import identity
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.pool_changes import Move, changed_pools, pool_problem
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import parts
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import loopback_name

# So many links are listed.
_LISTED = 3
_YES = "--extra-vars xgn_interrupt=true"


@dataclass(slots=True)
class Changes:
    """What changes its identity.

    Attributes:
        refused: what may not be done in this way.
        told: what will be done, in sentences.
        together: hosts that have to change in one run, by a word for the change.
    """

    refused: list[Problem] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    together: dict[str, set[str]] = field(default_factory=dict)

    def say(self, sentence: str, *hosts: Iterable[str]) -> None:
        """Tell a change; hosts: those that have to make it in one run."""
        self.told.append(sentence)
        names = {name for found in hosts for name in found}
        if len(names) > 1:
            self.together[sentence.partition(" (")[0]] = names


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The plan, and what the hosts of its nodes applied before, by the names that they have now.

    Attributes:
        interrupt: somebody has said yes to interruptions.
        waiting: what would get another address by another pool, which is refused.
    """

    plan: Plan
    former: Mapping[str, Record]
    interrupt: bool
    waiting: frozenset[str] = frozenset()

    @property
    def intent(self) -> Intent:
        return self.plan.intent

    def nodes(self) -> Iterator[tuple[Node, Mapping[str, Any], Mapping[str, Any]]]:
        """Yield each node that has applied something, with its variables before and now."""
        for node in self.intent.nodes.values():
            record = self.former.get(node.name)
            if record is not None and record.applied and node.name in self.plan.hosts:
                yield node, record.variables, self.plan.hosts[node.name]


def identity_changes(plan: Plan, former: Mapping[str, Record], interrupt: bool = False) -> Changes:
    """Compare a plan with what its hosts last applied.

    Parameters:
        plan: the plan.
        former: records by name of the host; of a renamed one by the new name.
        interrupt: somebody has said yes to interruptions.
    """
    found, comparison = Changes(), _Comparison(plan, former, interrupt)
    pools = [] if interrupt else changed_pools(_moves(comparison))
    comparison = replace(comparison, waiting=frozenset(move.what for moves in pools for move in moves))
    found.refused += map(pool_problem, pools)
    for node, before, now in comparison.nodes():
        _node_id(node, comparison, found)
        _site(node, before, now, comparison, found)
        _asn(node, before, now, comparison, found)
        _loopback(node, before, now, comparison, found)
        _behind(node, before, now, comparison, found)
    _containers(comparison, found)
    _tables(comparison, found)
    _links(comparison, found)
    return found


def unreachable_after(plan: Plan, former: Mapping[str, Record], reached_by: Mapping[str, str]) -> list[Problem]:
    """Return the problem of each host whose only known way in is an address that goes with this plan.

    Parameters:
        plan: the plan.
        former: records by name of the host, those of retired nodes among them.
        reached_by: address by which Ansible reaches each host, where it is known.
    """
    found = []
    for host, address in reached_by.items():
        record = former.get(host)
        if record is None or address not in _bare(_addresses(record.variables)):
            continue
        if address not in _bare(_addresses(plan.hosts.get(host, {}))):
            hint = f"give {host} another ansible_host first, such as the address of its uplink, which stays"
            found.append(
                Problem(EVERYTHING, f"is the address by which Ansible reaches {host}, and goes with this plan", show(address), hint)
            )
    return found


def _addresses(variables: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the addresses that FRR gives each interface, without link-local ones, which come from the node's id."""
    return {
        entry["name"]: [text for text in entry.get("addresses", []) if not text.startswith("fe80:")]
        for entry in variables.get("frr_interfaces", [])
    }


def _bare(addresses: Mapping[str, list[str]]) -> set[str]:
    return {text.partition("/")[0] for found in addresses.values() for text in found}


def _asns(variables: Mapping[str, Any]) -> set[int]:
    return {instance["asn"] for instance in variables.get("frr_bgp", [])}


def _neighbors(*variables: Mapping[str, Any]) -> set[str]:
    """Return the names of the nodes that a host has BGP sessions with."""
    return {
        neighbor["description"]
        for found in variables
        for instance in found.get("frr_bgp", [])
        for neighbor in instance.get("neighbors", [])
        if "description" in neighbor
    }


def _by_family(addresses: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the family of each address, with the address."""
    return ((FAMILY[6 if ":" in text else 4], text) for text in addresses)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "nobody"


def _owners(names: Iterable[str], comparison: _Comparison) -> str:
    """Return the sentence for those who have to be told."""
    found = sorted(set(names) & comparison.plan.peers.keys())
    return f" Tell the owner of {', '.join(found)}." if found else ""


def _node_id(node: Node, comparison: _Comparison, found: Changes) -> None:
    number = identity(comparison.former[node.name]).get("id", node.id)
    if number == node.id:
        return
    path = node.path.at("id")
    if comparison.interrupt:
        found.say(f"{node.name}: id {number} becomes {node.id} ({path}). Its addresses, ports and interfaces become others.")
        return
    never = "an id never changes, as addresses, ports and names of interfaces come from it"
    hint = f"write {number}: {never}. To give the node other ones, which interrupts it: {_YES}"
    found.refused.append(Problem(path, f"was {number} when {node.name} last applied its variables", str(node.id), hint))


def _site(node: Node, before: Mapping[str, Any], now: Mapping[str, Any], comparison: _Comparison, found: Changes) -> None:
    was = identity(comparison.former[node.name])
    if "id" not in was or was.get("site") == node.site:
        return
    # Behind a node and on its loopback OSPF only says what is there.
    links = {link["interface"] for record in (was, now[IDENTITY]) for link in record.get("links", [])}
    ospf = [
        {item["name"] for key in ("frr_ospf", "frr_ospf6") for entry in variables.get(key, []) for item in entry["interfaces"]} & links
        for variables in (before, now)
    ]
    ends, begins = ospf[0] - ospf[1], ospf[1] - ospf[0]
    text = f" OSPF ends on {_names(ends)}." if ends else ""
    text += f" OSPF begins on {_names(begins)}." if begins else ""
    met = {
        link.other(end).node.name
        for link in comparison.intent.links
        for end in link.ends
        if end.node is node and end.interface in ends | begins
    }
    path = node.path.at("site")
    found.say(
        f"{node.name}: site {was.get('site', 'none')} becomes {node.site or 'none'} ({path}).{text or ' No session changes.'}{_owners(met, comparison)}",
        {node.name} if met else (),
        met & comparison.plan.hosts.keys(),
    )


def _asn(node: Node, before: Mapping[str, Any], now: Mapping[str, Any], comparison: _Comparison, found: Changes) -> None:
    old, new = _asns(before), _asns(now)
    if not old or not new or old == new:
        return
    peers = _neighbors(before, now)
    found.say(
        f"{node.name}: AS number {_numbers(old)} becomes {_numbers(new)} ({node.asn_path}). All its BGP sessions end, those with {_names(peers)}, and begin "
        f"anew with the new number.{_owners(peers, comparison)}",
        {node.name},
        peers & comparison.plan.hosts.keys(),
    )


def _containers(comparison: _Comparison, found: Changes) -> None:
    for container in comparison.intent.containers:
        record, gateway = comparison.former.get(container.name), container.segment.gateway.name
        old = _asns(record.variables) if record is not None else set()
        if old and old != {container.asn}:
            found.say(
                f"{container.name}: AS number {_numbers(old)} becomes {container.asn} ({container.path.at('bgp', 'asn')}). "
                f"Its BGP session with {gateway} ends, and begins anew with the new number.",
                {container.name, gateway},
            )


def _numbers(found: set[int]) -> str:
    return ", ".join(map(str, sorted(found)))


def _moves(comparison: _Comparison) -> Iterator[Move]:
    """Yield each address that came from a pool when a host applied it, and what it would be now."""
    for node, before, _now in comparison.nodes():
        if identity(comparison.former[node.name]).get("id", node.id) != node.id:
            continue
        pools, addresses = comparison.intent.vrf(node.vrf).pools, _addresses(before)
        for family, was in _by_family(addresses.get(loopback_name(node.vrf), ())):
            pool, new = pools.loopbacks.get(family), node.loopback.get(family)
            if pool is not None and new is not None and new.value == pool.value + node.id:
                yield Move(pools.path.at("loopbacks"), family, _loopback_of(node), node.id, was, str(new), BITS[VERSION[family]], pool)
        for network in node.networks:
            pools = comparison.intent.vrf(network.vrf).pools
            for family, was in _by_family(addresses.get(network.interface, ())):
                pool, new = pools.networks.get(family), network.addresses.get(family)
                if network.pooled and pool is not None and new is not None:
                    number = node.id * pools.per_node + network.id
                    place = pools.path.at("networks")
                    yield Move(place, family, _network_of(node, network), number, was, str(new), pools.network_length[family], pool)
    former = _former_ends(comparison)
    for link in comparison.intent.links:
        pools = comparison.intent.vrf(link.vrf).pools
        for end in link.ends:
            known = former.get((link.id, end.node.name))
            for family, was in _by_family(known.addresses) if known is not None and _is_met(link, end, known.peer) else ():
                pool, new = pools.links.get(family), end.addresses.get(family)
                if pool is not None and new is not None and family not in end.written.families:
                    yield Move(pools.path.at("links"), family, _link_of(link, end), link.id, was, str(new), pools.link_length[family], pool)


def _loopback_of(node: Node) -> str:
    """Return what has a loopback address, in words."""
    return f"the loopback of {node.name}"


def _network_of(node: Node, network: Network) -> str:
    """Return what has the address of a network, in words."""
    return f"{network.interface} of {node.name}"


def _link_of(link: Link, end: End) -> str:
    """Return what has the address of an end, in words."""
    return f"link {link.id} at {end.node.name}"


def _loopback(node: Node, before: Mapping[str, Any], now: Mapping[str, Any], comparison: _Comparison, found: Changes) -> None:
    old: list[str] = next((entry["addresses"] for entry in before.get("frr_interfaces", []) if entry.get("description") == "loopback"), [])
    new = _addresses(now).get(loopback_name(node.vrf), []) if node.loopback else []
    ids = [{entry["router_id"] for entry in variables.get("frr_bgp", [])} for variables in (before, now)]
    pools = comparison.intent.vrf(node.vrf).pools
    path = f"{node.path.at('loopback')}, or {pools.path.at('loopbacks')}"
    peers = _neighbors(before, now)
    if old and old != new:
        if _loopback_of(node) in comparison.waiting:
            return
        reset = "All its BGP sessions end, as the router ID changes, too" if ids[0] != ids[1] else "Its BGP sessions between loopbacks end"
        found.say(
            f"{node.name}: loopback {', '.join(old)} becomes {', '.join(new) or 'none'} ({path}). {reset}, those with {_names(peers)}, and others begin."
            f"{_owners(peers, comparison)}",
            {node.name},
            peers & comparison.plan.hosts.keys(),
        )
    elif ids[0] and ids[1] and ids[0] != ids[1]:
        path = str(node.path.at("router_id"))
        found.say(
            f"{node.name}: router ID {_names(ids[0])} becomes {_names(ids[1])} ({path}). All its BGP sessions are reset, those with {_names(peers)}."
        )


def _behind(node: Node, before: Mapping[str, Any], now: Mapping[str, Any], comparison: _Comparison, found: Changes) -> None:
    old, new = _addresses(before), _addresses(now)
    for network in node.networks:
        here, there = old.get(network.interface, []), new.get(network.interface, [])
        if here and here != there and _network_of(node, network) not in comparison.waiting:
            found.say(
                f"{node.name}: {network.interface} {', '.join(here)} becomes {', '.join(there)} ({network.path}). What is behind it loses its gateway until it "
                "has the new one."
            )


def _tables(comparison: _Comparison, found: Changes) -> None:
    changed: dict[tuple[str, int, int], list[str]] = {}
    for node, before, now in comparison.nodes():
        tables = {entry["name"]: entry["table"] for entry in before.get("vrf_vrfs", [])}
        for entry in now.get("vrf_vrfs", []):
            if tables.get(entry["name"], entry["table"]) != entry["table"]:
                changed.setdefault((entry["name"], tables[entry["name"]], entry["table"]), []).append(node.name)
    for (vrf, old, new), hosts in changed.items():
        found.say(
            f"VRF {vrf}: table {old} becomes {new} ({comparison.intent.vrf(vrf).path.at('table')}) on {_names(hosts)}. "
            "It is deleted and made again there with all that is in it, which is interrupted for as long. Hosts need not do so together: --limit takes one "
            "after the other."
        )


@dataclass(frozen=True, slots=True)
class _FormerEnd:
    """What an end of a link was: its interface, the node at the other end, and its addresses."""

    type: str
    interface: str
    peer: str
    addresses: list[str]


def _links(comparison: _Comparison, found: Changes) -> None:
    """Links of another type, and those with other addresses."""
    former = _former_ends(comparison)
    retyped: list[tuple[Link, str, set[str]]] = []
    renumbered: dict[Place, list[tuple[Link, str, list[str], list[str]]]] = {}
    for link in comparison.intent.links:
        known = [
            (end, former[key]) for end in link.ends if (key := (link.id, end.node.name)) in former and _is_met(link, end, former[key].peer)
        ]
        others = [was for _end, was in known if was.type != link.type]
        if others:
            retyped.append((link, others[0].type, {was.interface for was in others}))
            continue
        for end, was in known:
            new = [str(end.addresses[family]) for family in FAMILIES if family in end.addresses]
            if was.addresses and sorted(was.addresses) != sorted(new) and _link_of(link, end) not in comparison.waiting:
                renumbered.setdefault(comparison.intent.vrf(link.vrf).pools.path.at("links"), []).append(
                    (link, end.node.name, was.addresses, new)
                )
                break
    islands = _islands({link.id for link, _was, _gone in retyped}, comparison) if retyped else {}
    for link, type_before, gone in retyped:
        _retype(link, type_before, gone, islands, comparison, found)
    for pool, links in renumbered.items():
        _renumber(pool, links, comparison, found)


def _former_ends(comparison: _Comparison) -> dict[tuple[int, str], _FormerEnd]:
    """Return what was at the ends of links, by the link's id and the node's name."""
    found = {}
    for node, before, _now in comparison.nodes():
        addresses = _addresses(before)
        for link in identity(comparison.former[node.name]).get("links", []):
            end = _FormerEnd(link["type"], link["interface"], link["peer"], addresses.get(link["interface"], []))
            found[link["id"], node.name] = end
    return found


def _is_met(link: Link, end: End, peer: str) -> bool:
    """Tell whether the other end of a link is a node of a name, or was: else its id is that of another link now."""
    other = link.other(end).node
    return peer in (other.name, other.was)


def _retype(
    link: Link, was: str, gone: set[str], islands: Mapping[str, Mapping[str, int]], comparison: _Comparison, found: Changes
) -> None:
    first, second = (end.node.name for end in link.ends)
    other_path = islands[link.vrf][first] == islands[link.vrf][second]
    if other_path or comparison.interrupt:
        path = link.path if link.pattern else link.path.at("type")
        cost = "its traffic takes another path meanwhile" if other_path else "nothing else joins the two, which are interrupted"
        made = sorted({end.interface for end in link.ends})
        found.say(
            f"link {link.id} ({first} - {second}): {was} becomes {link.type} ({path}). {', '.join(sorted(gone))} goes before {', '.join(made)} is made: {cost}."
            f"{_owners((first, second), comparison)}",
            {first, second} & comparison.plan.hosts.keys(),
        )
        return
    waits = "both ends would be without each other until the new link is up. To lose nothing:"
    if link.pattern:
        # One sentence for all links of the pattern.
        pattern = Place(link.path.keys[:-1])
        hint = (
            f"{waits} let the pattern be {was}, give it a reserve of type {link.type}, run xuegao.net.site; then give the pattern type and first_id of its "
            f"reserve, take that out, and run it again. In one go: {_YES}"
        )
        what = f"was {was}, and for some of these links no other path joins the two nodes"
        found.refused.append(
            Problem(pattern.at("link", "type") if link.reserve_of is None else pattern.at("reserve", "type"), what, show(link.type), hint)
        )
        return
    free = max(item.id for item in comparison.intent.links) + 1
    hint = (
        f"{waits} let link {link.id} be {was}, add a link of type {link.type} with the id {free} and reserve_of: {link.id}, run xuegao.net.site; "
        f"then take link {link.id} and reserve_of out, and run it again. In one go: {_YES}"
    )
    found.refused.append(Problem(link.path.at("type"), f"was {was}, and no other path joins {first} and {second}", show(link.type), hint))


def _islands(numbers: Collection[int], comparison: _Comparison) -> dict[str, dict[str, int]]:
    """Return which nodes reach each other without some links: the number of its island by node, by VRF. numbers: ids of those links."""
    joined: dict[str, list[tuple[str, str]]] = {link.vrf: [] for link in comparison.intent.links}
    for link in comparison.intent.links:
        if link.id not in numbers and link.routing != "none":
            joined[link.vrf].append((link.ends[0].node.name, link.ends[1].node.name))
    nodes = comparison.intent.nodes.values()
    return {vrf: {node.name: index for index, part in enumerate(parts(nodes, pairs)) for node in part} for vrf, pairs in joined.items()}


def _renumber(pool: Place, links: list[tuple[Link, str, list[str], list[str]]], comparison: _Comparison, found: Changes) -> None:
    links = sorted(links, key=lambda item: item[0].id)
    shown = "; ".join(f"link {link.id} at {name} {', '.join(old)} becomes {', '.join(new)}" for link, name, old, new in links[:_LISTED])
    more = f"; and {len(links) - _LISTED} more" if len(links) > _LISTED else ""
    ends = {end.node.name for link, *_rest in links for end in link.ends}
    found.say(
        f"addresses of {len(links)} link{'' if len(links) == 1 else 's'} ({pool}, or of the ends): {shown}{more}. What runs over them is interrupted "
        f"until both ends have the new ones.{_owners(ends, comparison)}",
        ends & comparison.plan.hosts.keys(),
    )
