# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as nodes and links: each wire with what runs over it, and the sessions that run over no wire of their own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import STATE_WORDS, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.report.wires import BRIDGED, TAGGED, End, Wire, networks_of, wires_of, within
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import DEFAULT_VRF, canonical_address, duration

KIND_WORDS = {"docker": "Docker"} | {kind.name: kind.word for kind in LINK_TYPES.values()}
# First words of the checks that are about an interface and what it is made of.
LINK_SUBJECTS = ("Interface", *(kind.subject for kind in LINK_TYPES.values() if kind.subject))
FAMILY_WORDS = {"ipv4": "v4", "ipv6": "v6"}


@dataclass
class _Session:
    """The two views of one BGP session."""

    hosts: tuple[str, str]
    families: dict[str, list[str]] = field(default_factory=dict)
    bfd: list[str] = field(default_factory=list)
    leaves: set[tuple[str, str]] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    neighbors: set[str] = field(default_factory=set)

    @property
    def family(self) -> str:
        """The family of its own packets, which may carry the routes of both."""
        return "v6" if any(":" in address for address in self.neighbors) else "v4"


def graph_of(report: Mapping[str, Any]) -> tuple[list[Node], list[Link]]:
    """Return the nodes and links of a report (as `data.build_report` returns it)."""
    hosts: Sequence[Mapping[str, Any]] = report["hosts"]
    owners = {canonical_address(address): host["host"] for host in hosts for address in host["addresses"]}
    wires = wires_of(hosts, owners)
    sessions = _sessions(hosts, owners)
    over: dict[int, list[_Session]] = {}
    apart: dict[tuple[str, str], list[_Session]] = {}
    for session in sessions:
        wire = _carrier(session, wires) or _new_wire(session, hosts)
        if wire is None:
            apart.setdefault(session.hosts, []).append(session)
            continue
        if wire not in wires:
            wires.append(wire)
        over.setdefault(wires.index(wire), []).append(session)
    failures = _failures(report["checks"])
    segments: list[Node] = []
    links: list[Link] = []
    for number, wire in enumerate(wires):
        if len(wire.hosts) == 2:
            links.append(_link(wire, over.get(number, []), failures))
        else:
            segment = _segment(wire, hosts, [node.name for node in segments])
            segments.append(segment)
            links += _attachments(wire, segment, over.get(number, []), failures)
    links += [_session_link(between, found) for between, found in apart.items()]
    nodes = [_node(host, report["checks"], hosts) for host in hosts]
    known = {node.name for node in [*nodes, *segments]}
    strangers = sorted({end for link in links for end in link.ends} - known)
    relations = {session["description"]: session["relation"] for host in hosts for session in host["sessions"] if session["relation"]}
    return [*nodes, *segments, *(_stranger(name, relations.get(name, "")) for name in strangers)], links


# ---- sessions --------------------------------------------------------------------------------------------------------


def _sessions(hosts: Sequence[Mapping[str, Any]], owners: Mapping[str, str]) -> list[_Session]:
    """Put the two views of each session together."""
    order = {host["host"]: number for number, host in enumerate(hosts)}
    found: dict[tuple[tuple[str, str], ...], _Session] = {}
    for host in hosts:
        for session in host["sessions"]:
            address = session["address"]
            peer = _peer(host, session, owners)
            # A session that never came up tells no own address, but that in the neighbor's subnet is meant.
            local = canonical_address(session["local"] or _own_address(host, address) or host["host"])
            between = sorted([host["host"], peer], key=lambda name: (order.get(name, len(order)), name))
            item = found.setdefault(tuple(sorted([(host["host"], local), (peer, address)])), _Session((between[0], between[1])))
            item.neighbors.add(address)
            for family, state in session["families"].items():
                item.families.setdefault(family, []).append(state)
            item.bfd += [session["bfd"]] if session["bfd"] else []
            item.leaves |= {(host["host"], interface) for interface in session["interfaces"]}
            up = f" for {duration(session['uptime'])}, {session['received']} prefixes" if session["state"] == "up" else ""
            bfd = f", BFD {STATE_WORDS[session['bfd']]}" if session["bfd"] else ""
            way = f", by {', '.join(session['interfaces'])}" if session["interfaces"] else ""
            item.lines.append(f"{host['host']} → {address} (VRF {session['vrf']}): {session['text']}{up}{bfd}{way}")
    return list(found.values())


def _peer(host: Mapping[str, Any], session: Mapping[str, Any], owners: Mapping[str, str]) -> str:
    """Return the name of the neighbor: a host of the report, else the peer of the tunnel it is behind, else its description."""
    if session["address"] in owners:
        return owners[session["address"]]
    behind = {
        end["peer"]
        for end in host["links"]
        if "peer" in end and end["interface"] in session["interfaces"] and within(end, session["address"])
    }
    return behind.pop() if len(behind) == 1 else str(session["description"] or session["address"])


def _own_address(host: Mapping[str, Any], address: str) -> str | None:
    for end in host["links"]:
        for own in end["addresses"]:
            if within({"addresses": [own]}, address):
                return str(own.partition("/")[0])
    return None


def _carrier(session: _Session, wires: Sequence[Wire]) -> Wire | None:
    """Return the wire that a session runs over: one that its packets leave through, and that joins both hosts."""
    for wire in wires:
        if set(session.hosts) <= set(wire.hosts):
            for end in wire.ends:
                if any((end.host, name) in session.leaves for name in (end.interface, end.entry.get("upper"))):
                    return wire
    return None


def _new_wire(session: _Session, hosts: Sequence[Mapping[str, Any]]) -> Wire | None:
    """Return a wire to a router that Ansible does not manage: only the session tells that something is there."""
    managed = {host["host"] for host in hosts}
    if session.hosts[1] in managed:
        return None
    for host in hosts:
        for entry in host["links"]:
            direct = "peer" not in entry and (host["host"], entry["interface"]) in session.leaves
            if direct and any(within(entry, address) for address in session.neighbors):
                return Wire(entry["kind"], [End(host["host"], entry)], list(session.hosts))
    return None


# ---- words and states ------------------------------------------------------------------------------------------------


def joint(states: Sequence[str]) -> str:
    """Put together what the ends say: ``half`` when only one says up."""
    if len(set(states)) == 1:
        return states[0]
    return "half" if "up" in states else "down"


def worded(groups: Mapping[str, Sequence[str]], up: str = "up") -> str:
    """Write the states of several groups in as few words as they can be told apart: ``v4 v6 up``, ``v4 up, v6 DOWN``, ``v4 1 of 2 up``.

    Parameters:
        groups: states by name; the name may be empty.
        up: the word for ``up``.
    """
    words = {}
    for name, states in groups.items():
        if len(set(states)) == 1:
            words[name] = up if states[0] == "up" else STATE_WORDS[states[0]]
        else:
            words[name] = f"{states.count('up')} of {len(states)} {up}"
    together: dict[str, list[str]] = {}
    for name, word in words.items():
        together.setdefault(word, []).append(name)
    return ", ".join(" ".join([*filter(None, names), word]) for word, names in together.items())


def _line(protocol: str, groups: Mapping[str, Sequence[str]], bfd: Mapping[str, Sequence[str]], up: str = "up") -> tuple[str, str]:
    """Return one line of a label and its state; a protocol without its watchdog is not what was asked for."""
    text = f"{protocol} {worded(groups, up)}"
    if bfd:
        # Where all say the same, the families need not be told again.
        said = {state for states in bfd.values() for state in states}
        text += f" · BFD {worded({'': list(said)} if len(said) == 1 else bfd)}"
    states = [state for states in groups.values() for state in states]
    everything = states + [state for found in bfd.values() for state in found]
    if set(everything) == {"up"}:
        return text, "up"
    return text, "half" if {"up", "half"} & set(states) else joint(states)


def _bgp(sessions: Sequence[_Session], title: str = "BGP") -> tuple[str, str]:
    families: dict[str, list[str]] = {}
    bfd: dict[str, list[str]] = {}
    for session in sessions:
        for family, states in session.families.items():
            families.setdefault(FAMILY_WORDS[family], []).append(joint(states))
        if session.bfd:
            bfd.setdefault(session.family, []).append(joint(session.bfd))
    return _line(title, dict(sorted(families.items())), dict(sorted(bfd.items())))


def _ospf(ends: Sequence[End]) -> Iterator[tuple[str, str]]:
    """Yield a line of OSPF if it looks for neighbors at one of the ends."""
    versions: dict[str, list[str]] = {}
    bfd: dict[str, list[str]] = {}
    for end in ends:
        for item in end.entry["ospf"]:
            versions.setdefault(f"v{item['version']}", []).append(item["state"])
            if item["bfd"]:
                bfd.setdefault("v4" if item["version"] == 2 else "v6", []).append(item["bfd"])
    if versions:
        states = {name: [joint(found)] for name, found in sorted(versions.items())}
        yield _line("OSPF", states, {name: [joint(found)] for name, found in sorted(bfd.items())}, "full")


def _failures(checks: Sequence[Mapping[str, str]]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return name and detail of the failed checks about links, by host and interface."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for check in checks:
        words = check["name"].split()
        if check["status"] == "failed" and len(words) > 1 and words[0] in LINK_SUBJECTS:
            found.setdefault((check["host"], words[1]), []).append((check["name"], check["detail"]))
    return found


Failures = Mapping[tuple[str, str], Sequence[tuple[str, str]]]


def _failed_at(end: End, failures: Failures) -> list[tuple[str, str]]:
    """Return the failed checks of an end; those of other peers of the same WireGuard interface are not its own."""
    found = [item for name in (end.interface, end.entry.get("upper", "")) for item in failures.get((end.host, name), ())]
    return [item for item in found if " peer " not in item[0] or f" peer {end.entry.get('peer')} " in item[0]]


def _end_lines(end: End, failures: Failures) -> Iterator[str]:
    entry = end.entry
    detail = f", {entry['detail']}" if entry["detail"] else ""
    yield f"{end.host} {end.interface}: {STATE_WORDS[entry['state']]}{detail}"
    for item in entry["ospf"]:
        bfd = f", BFD {STATE_WORDS[item['bfd']]}" if item["bfd"] else ""
        yield f"{end.host} {end.interface} OSPFv{item['version']}: {item['text']}{bfd}"
    for name, text in _failed_at(end, failures):
        yield f"{end.host} ✗ {name}: {text}"


# ---- links -----------------------------------------------------------------------------------------------------------


def _link(wire: Wire, sessions: Sequence[_Session], failures: Failures) -> Link:
    """Return the line of a wire between two hosts."""
    names = [end.interface for host in wire.hosts for end in wire.ends_of(host)[:1]]
    states = [joint([end.entry["state"] for end in wire.ends_of(host)]) for host in wire.hosts if wire.ends_of(host)]
    lines = [*([_bgp(sessions)] if sessions else []), *_ospf(wire.ends)]
    return _drawn((wire.hosts[0], wire.hosts[1]), wire, wire.ends, names, joint(states), lines, sessions, failures)


def _drawn(
    ends: tuple[str, str],
    wire: Wire,
    own: Sequence[End],
    names: Sequence[str],
    state: str,
    lines: Sequence[tuple[str, str]],
    sessions: Sequence[_Session],
    failures: Failures,
) -> Link:
    """Write what is said at a line: the link itself first, then what runs over it."""
    failed = [item for end in own for item in _failed_at(end, failures)]
    reserve = any(end.entry["reserve"] for end in own)
    text = f"{' – '.join(dict.fromkeys(names))} · {_kind_word(wire, ends)} {STATE_WORDS[state]}" + (" · reserve" if reserve else "")
    if failed and state == "up":
        text += f" · {len(failed)} check{'' if len(failed) == 1 else 's'} FAILED"
    whole = not failed and all(word == "up" for _text, word in lines)
    first = "half" if failed and state == "up" else state
    details = [line for end in own for line in _end_lines(end, failures)] + [line for session in sessions for line in session.lines]
    return Link(
        ends,
        "docker" if wire.kind in BRIDGED and set(ends) & set(wire.networks) else wire.kind,
        "half" if state == "up" and not whole else state,
        "\n".join([text, *(line for line, _word in lines)]),
        "\n".join([", ".join([text, *(line for line, _word in lines)]), *details]),
        reserve=reserve,
        line_states=(first, *(word for _line, word in lines)),
    )


def _kind_word(wire: Wire, ends: Sequence[str]) -> str:
    network = next((wire.networks[host] for host in ends if host in wire.networks), None)
    if network:
        return f"Docker {network}"
    number = next((end.entry["vlan"] for end in wire.ends if "vlan" in end.entry), None)
    return f"{KIND_WORDS[wire.kind]} {number}" if wire.kind in TAGGED else KIND_WORDS[wire.kind]


def _attachments(wire: Wire, segment: Node, sessions: Sequence[_Session], failures: Failures) -> Iterator[Link]:
    """Yield the lines from a segment to everyone on it.

    A session within it is told once, at the end that has fewer of them: with one gateway that is the other end, whose line it fits.
    """
    counts = {host: sum(host in session.hosts for session in sessions) for host in wire.hosts}
    for host in wire.hosts:
        told: dict[str, list[_Session]] = {}
        for session in sessions:
            first, second = session.hosts
            if host == (first if counts[first] < counts[second] else second):
                told.setdefault(second if host == first else first, []).append(session)
        own = wire.ends_of(host)
        lines = [_bgp(found, f"BGP to {peer}") for peer, found in told.items()] + list(_ospf(own))
        state = joint([end.entry["state"] for end in own]) if own else "unknown"
        names = [end.interface for end in own] or [host]
        yield _drawn((host, segment.name), wire, own, names, state, lines, [item for found in told.values() for item in found], failures)


def _session_link(between: tuple[str, str], sessions: Sequence[_Session]) -> Link:
    """Return the thin line of the sessions that run over no link between their hosts."""
    text, state = _bgp(sessions)
    return Link(between, "bgp", state, text, "\n".join([text, *(line for session in sessions for line in session.lines)]))


# ---- nodes -----------------------------------------------------------------------------------------------------------


def _segment(wire: Wire, hosts: Sequence[Mapping[str, Any]], taken: Sequence[str]) -> Node:
    """Return the box of a segment, in the site that all its hosts are in."""
    numbers = sorted({end.entry["vni"] for end in wire.ends if "vni" in end.entry})
    networks = dict.fromkeys(str(address) for end in wire.ends for address in networks_of(end.entry))
    name = f"VNI {numbers[0]}" if numbers else next(iter(networks), "segment")
    sites = {host["site"] for host in hosts if host["host"] in wire.hosts}
    while name in taken:
        name += "′"
    lines = tuple(networks if numbers else list(networks)[1:])
    return Node(name, sites.pop() if len(sites) == 1 else "", (f"{KIND_WORDS[wire.kind]} segment", *lines[:4]), segment=True)


def _stranger(name: str, relation: str) -> Node:
    """Return the box of a router that Ansible does not manage, a small one for a neighbor that is no node, with its relation."""
    return Node(name, lines=(relation or "not managed here",), managed=False, external=bool(relation))


def _node(host: Mapping[str, Any], checks: Sequence[Mapping[str, str]], hosts: Sequence[Mapping[str, Any]]) -> Node:
    own = [check["status"] for check in checks if check["host"] == host["host"]]
    lines = []
    if host["asns"]:
        lines.append("AS " + ", ".join(str(asn) for asn in host["asns"]))
    lines += [f"ID {router_id}" for router_id in host["router_ids"][:2]]
    vrfs = [f"{vrf['name']}:{vrf['table']}" for vrf in host["vrfs"] if vrf["name"] != DEFAULT_VRF]
    if vrfs:
        lines.append("VRF " + ", ".join(vrfs[:3]) + ("…" if len(vrfs) > 3 else ""))
    runs = [other["host"] for other in hosts for item in other["containers"] if set(item["addresses"]) & set(host["addresses"])]
    lines += [f"container on {name}" for name in runs[:1] if name != host["host"]]
    return Node(host["host"], host["site"], tuple(lines), own.count("passed"), own.count("failed"), reachable=host["reachable"])
