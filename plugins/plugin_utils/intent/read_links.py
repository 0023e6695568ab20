# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Links, patterns and segments of an intent as objects; their ids, their ends, their options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, link_type, types_with, types_with_end
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Pair, Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    LOOPBACK,
    MAIN_UPLINK,
    UNKNOWN,
    UPLINK,
    End,
    Intent,
    Link,
    LinkOptions,
    Node,
    Nowhere,
    Segment,
    SegmentOptions,
    Vrf,
    WrittenEnd,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_addresses import read_address, read_prefix

Options = Mapping[str, Any]
# Keys of a link and of its ends that belong to some types only.
_ONLY_FOR: Mapping[str, tuple[str, ...]] = {key: types_with(key) for kind in LINK_TYPES.values() for key in kind.keys}
_END_ONLY_FOR: Mapping[str, tuple[str, ...]] = {key: types_with_end(key) for kind in LINK_TYPES.values() for key in kind.end_keys}
# They have a default, so that they say nothing about what was written.
_VARIANTS = frozenset(kind.variant for kind in LINK_TYPES.values())
_NOTHING_WRITTEN = WrittenEnd()
_PATTERN_KEYS: Mapping[str, tuple[str, ...]] = {"full_mesh": ("nodes",), "hub_spoke": ("hub", "spokes"), "pairs": ("pairs",)}


def triangle(first: int, second: int) -> int:
    """Return the number of the pair of two different node ids, at least 1 each: 1 for (1, 2), 2 for (1, 3), 3 for (2, 3), 4 for (1, 4) …

    A pair's number depends on nothing but its own two ids, so nodes can come and go.
    """
    low, high = sorted((first, second))
    return (high - 1) * (high - 2) // 2 + low


def read_links(written: Options, options: Options, intent: Intent, problems: Findings) -> None:
    """Add the links of ``xgn_links`` and ``xgn_patterns`` to the intent.

    Parameters:
        written: the variables, without what is wrong in them.
        options: those of the schema.
    """
    _note_unread(("xgn_links", "xgn_patterns"), intent.lost_links, problems)
    for path, entry in _entries(written, options, "xgn_links"):
        before = len(problems)
        link = _written_link(entry, path, intent, problems)
        if link is None:
            intent.lost_links[entry.get("id")] = path
            continue
        link.broken = link.broken or problems.within(path) or len(problems) > before
        intent.links.append(link)
    for path, entry in _entries(written, options, "xgn_patterns"):
        before = len(problems)
        links: list[Link] = []
        if {"type", "first_id", "link"} <= entry.keys() and "type" in entry["link"]:
            links.extend(_pattern_links(entry, path, intent, problems))
        elif "type" in entry:
            # Its nodes can be judged at least.
            list(_pairs(entry, path, intent, problems))
        if problems.within(path) or len(problems) > before:
            # Which links it would have had cannot be known.
            intent.lost_links[None] = path
            for link in links:
                link.broken = True
        intent.links.extend(links)


def _note_unread(sections: Sequence[str], lost: dict[int | None, Place], problems: Findings) -> None:
    """Note that entries may be missing where a whole section could not be read."""
    for place in map(Place.of, sections):
        if problems.told(place):
            lost[None] = place


def _entries(written: Options, options: Options, section: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    spec = options[section]["options"]
    for index, entry in enumerate(written.get(section, ())):
        yield Place.of(section, index), with_defaults(entry, spec)


def _written_link(entry: dict[str, Any], path: Place, intent: Intent, problems: Findings) -> Link | None:
    kind = entry.get("type")
    ends: list[End] = []
    written_ends = entry.get("ends", [])
    if "ends" in entry and len(written_ends) != 2:
        problems.add(Problem(path.at("ends"), f"has {len(written_ends)} entries", hint="a link has two ends"))
    for number, end in enumerate(written_ends):
        here = path.at("ends", number)
        if "node" in end:
            node = intent.nodes.get(end["node"])
            if node is not None:
                ends.append(_end(node, here, end, intent, problems))
            else:
                problems.add(unknown(here, f"{show(end['node'])} is no node of xgn_nodes", end["node"], intent.nodes, "valid nodes"))
        for key, types in _END_ONLY_FOR.items():
            if key in end and kind is not None and kind not in types:
                problems.add(Problem(here.at(key), f"is not for links of type {kind}", hint=f"it belongs to {', '.join(types)}"))
    if kind is None:
        return None
    problems.extend(_keys_of_other_types(entry, path))
    if len(ends) != 2:
        return None
    if ends[0].node is ends[1].node:
        problems.add(Problem(path.at("ends"), f"both are {show(ends[0].node.name)}", hint="a link joins two nodes"))
        return None
    number = entry.get("id", -1)
    link = Link(number, path, kind, (ends[0], ends[1]), _options(entry), _number(number, entry), entry.get("reserve_of"))
    _settle(link, entry, intent, problems)
    return link


def _keys_of_other_types(entry: Options, path: Place) -> Iterator[Problem]:
    """Keys of a link, or of what the links of a pattern have in common, that belong to other types."""
    for key, types in _ONLY_FOR.items():
        if key in entry and entry["type"] not in types and key not in _VARIANTS:
            yield Problem(path.at(key), f"is not for links of type {entry['type']}", hint=f"it belongs to {', '.join(types)}")


def _options(entry: Options) -> LinkOptions:
    """Return what an entry, or what the links of a pattern have in common, says about a link. The defaults of its type are applied here and nowhere else."""
    kind = link_type(entry["type"])
    over = entry.get("over", UPLINK)
    usable = over in (UPLINK, LOOPBACK) or (isinstance(over, int) and not isinstance(over, bool))
    return LinkOptions(
        over if usable else Nowhere(over),
        entry.get("family"),
        entry.get("mtu"),
        entry["bfd"],
        entry.get("password_variable"),
        entry.get("preference"),
        entry.get("cost"),
        entry.get("keepalive"),
        entry.get("preshared_key_variable"),
        entry.get("key"),
        entry.get("ttl"),
        entry.get("pmtudisc"),
        entry.get(kind.told_apart_by) if kind.told_apart_by else None,
        kind.encapsulation(entry),
        entry[kind.variant] if kind.variant else "",
        kind.ports.protocol_of(entry),
        tuple(kind.ports.common(entry)),
        entry.get("insecure", False),
    )


def _number(link_id: int, entry: Options) -> int:
    """Return what numbers the interface of a link, or 0 where its type demands what the entry does not give."""
    kind = link_type(entry["type"])
    return kind.number(0 if kind.number_required else link_id, entry)


def _end(node: Node, path: Place, written: Mapping[str, Any], intent: Intent, problems: Findings) -> End:
    end = End(
        node,
        path,
        WrittenEnd(
            written.get("interface"),
            written.get("device"),
            tuple(family for family in FAMILIES if family in written),
            written.get("listen_port"),
            written.get("endpoint"),
            written.get("public_key"),
            tuple(written.get("fingerprints", ())),
            written.get("mac"),
            written.get("public_port"),
        ),
    )
    label = written.get("uplink", MAIN_UPLINK)
    end.uplink = node.uplinks.get(label)
    if "uplink" in written and intent.misses_uplink(node, label):
        problems.add(unknown(path.at("uplink"), f"{show(label)} is no uplink of {node.name}", label, node.uplinks, "valid uplinks"))
    for family in FAMILIES:
        address = read_address(written.get(family), family, path.at(family), problems)
        if address is not None:
            end.addresses[family] = address
    return end


def _settle(link: Link, entry: Options, intent: Intent, problems: Findings) -> None:
    """Decide VRF, protocol and session of a link from what it, its nodes and their site say."""
    first, second = link.ends[0].node, link.ends[1].node
    given = entry.get("vrf")
    if given is not None:
        link.vrf = given
        known_vrf(given, link.path.at("vrf"), intent.vrfs, problems)
    else:
        link.vrf = first.vrf if first.vrf == second.vrf else UNKNOWN
        if first.vrf != second.vrf and UNKNOWN not in (first.vrf, second.vrf):
            ends = ", ".join(f"{node.name} in {node.vrf or 'the default VRF'}" for node in (first, second))
            problems.add(Problem(link.path, f"joins two VRFs: {ends}", hint="name the VRF of the link in its key 'vrf'"))
    same_site = first.site is not None and first.site == second.site
    site = intent.sites.get(first.site) if same_site and first.site else None
    link.routing = entry.get("routing") or ("ospf" if site is not None and site.igp == "ospf" else "bgp")
    if "routing" not in entry and (_site_in_doubt(first, second, problems) or problems.explains(link.path.at("routing"))):
        link.routing = UNKNOWN
    at_home = link.vrf == first.vrf == second.vrf
    # With a router that is not ours the plain session is also the one whose BFD works: BIRD sends multihop BFD with TTL 64, which FRR drops.
    on_link = link.reserve_of is not None or not at_home or not (first.managed and second.managed)
    link.session = entry.get("session") or ("link" if on_link else "loopback")
    if "session" not in entry and problems.explains(link.path.at("session")):
        link.session = UNKNOWN
    if link.session == "loopback" and not at_home and UNKNOWN not in (link.vrf, first.vrf, second.vrf):
        problems.add(
            Problem(
                link.path.at("session"), "is not possible: the loopbacks are not in the VRF of the link", show("loopback"), "write 'link'"
            )
        )


def known_vrf(name: str | None, path: Place, vrfs: Mapping[str, Vrf], problems: Findings) -> None:
    """Add the problem of a VRF that does not exist. Parameters: its name, none or empty for the default VRF; where it is named; those there are."""
    if name and name not in vrfs and not problems.explains(Place.of("xgn_vrfs", name)):
        problems.add(unknown(path, f"{show(name)} is no VRF of xgn_vrfs", name, [known for known in vrfs if known], "valid VRFs"))


def _site_in_doubt(first: Node, second: Node, problems: Findings) -> bool:
    """Tell whether two nodes may be in one site with an IGP, or be not, for a mistake that is told already."""
    if {"site"} & (first.unsure | second.unsure):
        return True
    return first.site is not None and first.site == second.site and problems.explains(Place.of("xgn_sites", first.site, "igp"))


def _pattern_links(entry: Mapping[str, Any], path: Place, intent: Intent, problems: Findings) -> Iterator[Link]:
    mine = _PATTERN_KEYS[entry["type"]]
    for key in ("nodes", "hub", "spokes", "pairs"):
        if entry.get(key) and key not in mine:
            problems.add(Problem(path.at(key), f"is not for patterns of type {entry['type']}", hint=f"it takes {', '.join(mine)}"))
        elif not entry.get(key) and key in mine and not problems.told(path.at(key)):
            problems.add(Problem(path.at(key), "is required", hint=f"a pattern of type {entry['type']} takes {', '.join(mine)}"))
    reserve = entry.get("reserve")
    if reserve is not None and "first_id" not in reserve and not problems.told(path.at("reserve", "first_id")):
        problems.add(Problem(path.at("reserve", "first_id"), "is required", hint="the reserve links need ids of their own"))
    if reserve is not None and not {"first_id", "type"} <= reserve.keys():
        reserve = None
    for key, spec in (("link", entry["link"]), ("reserve", reserve or {})):
        if "type" in spec:
            problems.extend(_keys_of_other_types(spec, path.at(key)))
        if "type" in spec and "device" in link_type(spec["type"]).end_keys:
            problems.add(
                Problem(path.at(key, "type"), "needs a device at each end", show(spec["type"]), "write such links under xgn_links")
            )
            return
    # The options are resolved once for all links of the pattern: there may be thousands.
    kinds = [(entry["first_id"], entry["link"], _options(entry["link"]))]
    if reserve is not None:
        kinds.append((reserve["first_id"], reserve, _options(reserve)))
    for first, second, number in _pairs(entry, path, intent, problems):
        label = path.at(Pair(first.name, second.name))
        for index, (first_id, common, options) in enumerate(kinds):
            ends = (
                End(first, label, _NOTHING_WRITTEN, first.uplinks.get(MAIN_UPLINK)),
                End(second, label, _NOTHING_WRITTEN, second.uplinks.get(MAIN_UPLINK)),
            )
            link_id = -1 if number is None else first_id + number
            reserve_of = entry["first_id"] + number if index and number is not None else None
            link = Link(link_id, label, common["type"], ends, options, _number(link_id, common), reserve_of, pattern=True)
            _settle(link, common, intent, problems)
            yield link


def _pairs(entry: Mapping[str, Any], path: Place, intent: Intent, problems: Findings) -> Iterator[tuple[Node, Node, int | None]]:
    """Yield both nodes of each link and its number, none where a node that numbers it has no id."""
    if entry["type"] == "hub_spoke":
        hub = _node(entry.get("hub"), path.at("hub"), intent, problems) if entry.get("hub") else None
        for spoke in select(entry["spokes"], path.at("spokes"), intent, problems):
            if hub is not None and spoke is not hub:
                yield hub, spoke, spoke.id or None
        return
    if entry["type"] == "full_mesh":
        before = len(problems)
        members = select(entry["nodes"], path.at("nodes"), intent, problems)
        if len(members) == 1 and len(problems) == before and not any(_may_be_group(name, intent) for name in entry["nodes"]):
            problems.add(Problem(path.at("nodes"), "is one node", hint="a mesh needs two or more"))
        for index, second in enumerate(members):
            for first in members[:index]:
                yield first, second, _pair_number(first, second)
        return
    for index, pair in enumerate(entry["pairs"]):
        here = path.at("pairs", index)
        if not isinstance(pair, Sequence) or len(pair) != 2 or pair[0] == pair[1]:
            problems.add(Problem(here, "is no pair", hint="write two different nodes, for example [hq, branch]"))
            continue
        nodes = [_node(name, here.at(number), intent, problems) for number, name in enumerate(pair)]
        if nodes[0] is not None and nodes[1] is not None:
            yield nodes[0], nodes[1], _pair_number(nodes[0], nodes[1])


def _pair_number(first: Node, second: Node) -> int | None:
    return triangle(first.id, second.id) if first.id and second.id else None


def _node(name: Any, path: Place, intent: Intent, problems: Findings) -> Node | None:
    node = intent.nodes.get(name) if isinstance(name, str) else None
    if node is None:
        problems.add(unknown(path, f"{show(name)} is no node of xgn_nodes", str(name), intent.nodes, "valid nodes"))
    return node


def select(names: Sequence[str], path: Place, intent: Intent, problems: Findings) -> list[Node]:
    """Return the nodes that names of nodes, groups or sites stand for, each once, in the order of their ids."""
    found: dict[str, Node] = {}
    for index, name in enumerate(names):
        if name in intent.nodes:
            found[name] = intent.nodes[name]
        elif name in intent.selectors:
            found.update((node.name, node) for node in intent.selectors[name])
        elif not _may_be_group(name, intent):
            valid = [*intent.nodes, *intent.selectors]
            problems.add(unknown(path.at(index), f"{show(name)} is no node, group or site", name, valid, "valid names"))
    return sorted(found.values(), key=lambda node: (node.id, node.name))


def _may_be_group(name: str, intent: Intent) -> bool:
    """Tell whether a node whose site or groups could not be read may belong to the site or group of a name."""
    return any("groups" in node.unsure or ("site" in node.unsure and name in intent.sites) for node in intent.nodes.values())


def read_segments(written: Options, options: Options, intent: Intent, problems: Findings) -> None:
    """Add the segments of ``xgn_segments`` to the intent. Parameters as of `read_links`."""
    _note_unread(("xgn_segments",), intent.lost_segments, problems)
    for path, entry in _entries(written, options, "xgn_segments"):
        before = len(problems)
        members = select(entry.get("members", ()), path.at("members"), intent, problems)
        gateway = _node(entry["gateway"], path.at("gateway"), intent, problems) if "gateway" in entry else None
        prefixes = {}
        for family in FAMILIES:
            prefix = read_prefix(entry.get(family), family, path.at(family), problems)
            if prefix is not None:
                prefixes[family] = prefix
        if gateway is not None and members and gateway not in members and not problems.within(path.at("members")):
            problems.add(
                Problem(path.at("gateway"), "is not a member", show(gateway.name), f"members: {', '.join(n.name for n in members)}")
            )
        known_vrf(entry.get("vrf"), path.at("vrf"), intent.vrfs, problems)
        if gateway is None or "members" not in entry:
            intent.lost_segments[entry.get("id")] = path
            continue
        broken = problems.within(path) or len(problems) > before
        vrf = entry.get("vrf", UNKNOWN if broken and problems.explains(path.at("vrf")) else gateway.vrf)
        number = entry.get("id", -1)
        networks = [item for item in intent.settings.services.docker.values() if item.segment == number]
        # Where containers of a node that Ansible does not manage run is its owner's business.
        runs = frozenset(node.name for node in members if node.managed and any(node.name in item.nodes for item in networks))
        vni, mtu = entry.get("vni", number), entry.get("mtu")
        decided = SegmentOptions(vni, entry["port"], mtu, entry["uplinks"], entry["macs"], entry["published"], entry.get("insecure", False))
        intent.segments.append(Segment(number, path, members, gateway, prefixes, vrf, decided, runs, broken=broken))
