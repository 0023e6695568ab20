# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Links, patterns and segments of an intent as objects; their ids, their ends, their options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, AddressError, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES, TITLE, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, link_type, types_with, types_with_end
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, key_path, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import MAIN_UPLINK, End, Intent, Link, Node, Segment

Options = Mapping[str, Any]
# Keys of a link and of its ends that belong to some types only.
_ONLY_FOR: Mapping[str, tuple[str, ...]] = {key: types_with(key) for kind in LINK_TYPES.values() for key in kind.keys}
_END_ONLY_FOR: Mapping[str, tuple[str, ...]] = {key: types_with_end(key) for kind in LINK_TYPES.values() for key in kind.end_keys}
# They have a default, so that they say nothing about what was written.
_VARIANTS = frozenset(kind.variant for kind in LINK_TYPES.values())
_NOTHING_WRITTEN: Mapping[str, Any] = {}
_PATTERN_KEYS: Mapping[str, tuple[str, ...]] = {"full_mesh": ("nodes",), "hub_spoke": ("hub", "spokes"), "pairs": ("pairs",)}


def triangle(first: int, second: int) -> int:
    """Return the number of the pair of two different node ids, at least 1 each: 1 for (1, 2), 2 for (1, 3), 3 for (2, 3), 4 for (1, 4) …

    A pair's number depends on nothing but its own two ids, so nodes can come and go.
    """
    low, high = sorted((first, second))
    return (high - 1) * (high - 2) // 2 + low


def read_links(written: Options, options: Options, broken: set[str], intent: Intent, problems: list[Problem]) -> None:
    """Add the links of ``xgn_links`` and ``xgn_patterns`` to the intent."""
    for index, entry in _entries(written, options, "xgn_links", broken):
        path = f"xgn_links[{index}]"
        before = len(problems)
        link = _written_link(entry, path, intent, problems)
        if len(problems) > before:
            broken.add(path)
            if link is not None:
                link.broken = True
        if link is not None:
            intent.links.append(link)
    for index, entry in _entries(written, options, "xgn_patterns", broken):
        path = f"xgn_patterns[{index}]"
        before = len(problems)
        links = list(_pattern_links(entry, path, intent, problems))
        if len(problems) > before:
            broken.add(path)
            for link in links:
                link.broken = True
        intent.links.extend(links)


def _entries(written: Options, options: Options, section: str, broken: set[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    value = written.get(section, [])
    if not isinstance(value, list) or section in broken:
        return
    spec = options[section]["options"]
    for index, entry in enumerate(value):
        if f"{section}[{index}]" not in broken:
            yield index, with_defaults(entry, spec)


def _written_link(entry: dict[str, Any], path: str, intent: Intent, problems: list[Problem]) -> Link | None:
    ends: list[End] = []
    if len(entry["ends"]) != 2:
        problems.append(Problem(f"{path}.ends", f"has {len(entry['ends'])} entries", hint="a link has two ends"))
    for number, end in enumerate(entry["ends"]):
        here = f"{path}.ends[{number}]"
        node = intent.nodes.get(end["node"])
        if node is None:
            problems.append(unknown(here, f"{show(end['node'])} is no node of xgn_nodes", end["node"], intent.nodes, "valid nodes"))
            continue
        ends.append(_end(node, here, end, problems))
        for key, types in _END_ONLY_FOR.items():
            if key in end and entry["type"] not in types:
                problems.append(
                    Problem(f"{here}.{key}", f"is not for links of type {entry['type']}", hint=f"it belongs to {', '.join(types)}")
                )
    problems += _foreign_keys(entry, path)
    if len(ends) != 2:
        return None
    if ends[0].node is ends[1].node:
        problems.append(Problem(f"{path}.ends", f"both are {show(ends[0].node.name)}", hint="a link joins two nodes"))
        return None
    link = Link(entry.get("id", -1), path, entry["type"], (ends[0], ends[1]), entry, entry.get("reserve_of"))
    _settle(link, intent, problems)
    return link


def _foreign_keys(entry: Options, path: str) -> Iterator[Problem]:
    """Keys of a link, or of what the links of a pattern have in common, that belong to other types."""
    for key, types in _ONLY_FOR.items():
        if key in entry and entry["type"] not in types and key not in _VARIANTS:
            yield Problem(f"{path}.{key}", f"is not for links of type {entry['type']}", hint=f"it belongs to {', '.join(types)}")


def _end(node: Node, path: str, written: Mapping[str, Any], problems: list[Problem]) -> End:
    end = End(node, path, written)
    label = written.get("uplink", MAIN_UPLINK)
    end.uplink = node.uplinks.get(label)
    if "uplink" in written and end.uplink is None and not node.broken:
        problems.append(unknown(f"{path}.uplink", f"{show(label)} is no uplink of {node.name}", label, node.uplinks, "valid uplinks"))
    for family in FAMILIES:
        if family in written:
            address = _address(written[family], family, f"{path}.{family}", problems)
            if address is not None:
                end.addresses[family] = address
    return end


def _address(text: str, family: str, path: str, problems: list[Problem]) -> Address | None:
    try:
        address = parse_address(text)
    except AddressError as error:
        problems.append(Problem(path, str(error)))
        return None
    if address.version != VERSION[family]:
        problems.append(Problem(path, f"is no {TITLE[family]} address", show(text)))
        return None
    return address


def _settle(link: Link, intent: Intent, problems: list[Problem]) -> None:
    """Decide VRF, protocol and session of a link from what it, its nodes and their site say."""
    first, second = link.ends[0].node, link.ends[1].node
    given = link.options.get("vrf")
    if given is not None:
        link.vrf = given
        if given and given not in intent.vrfs and key_path("xgn_vrfs", given) not in intent.broken:
            problems.append(
                unknown(f"{link.path}.vrf", f"{show(given)} is no VRF of xgn_vrfs", given, [n for n in intent.vrfs if n], "valid VRFs")
            )
    else:
        link.vrf = first.vrf
        if first.vrf != second.vrf and not first.broken and not second.broken:
            ends = ", ".join(f"{node.name} in {node.vrf or 'the main table'}" for node in (first, second))
            problems.append(Problem(link.path, f"joins two VRFs: {ends}", hint="name the VRF of the link in its key 'vrf'"))
    link.broken = link.broken or first.broken or second.broken
    same_site = first.site is not None and first.site == second.site
    site = intent.sites.get(first.site, {}) if same_site and first.site else {}
    link.routing = link.options.get("routing") or ("ospf" if site.get("igp") == "ospf" else "bgp")
    at_home = link.vrf == first.vrf == second.vrf
    # With a router that is not ours the plain session is also the one whose BFD works: BIRD sends multihop BFD with TTL 64, which FRR drops.
    on_link = link.reserve_of is not None or not at_home or not (first.managed and second.managed)
    link.session = link.options.get("session") or ("link" if on_link else "loopback")
    if link.session == "loopback" and not at_home and not link.broken:
        problems.append(
            Problem(
                f"{link.path}.session", "is not possible: the loopbacks are not in the VRF of the link", show("loopback"), "write 'link'"
            )
        )


def _pattern_links(entry: Mapping[str, Any], path: str, intent: Intent, problems: list[Problem]) -> Iterator[Link]:
    mine = _PATTERN_KEYS[entry["type"]]
    for key in ("nodes", "hub", "spokes", "pairs"):
        if entry.get(key) and key not in mine:
            problems.append(Problem(f"{path}.{key}", f"is not for patterns of type {entry['type']}", hint=f"it takes {', '.join(mine)}"))
        elif not entry.get(key) and key in mine:
            problems.append(Problem(f"{path}.{key}", "is required", hint=f"a pattern of type {entry['type']} takes {', '.join(mine)}"))
    reserve = entry.get("reserve")
    if reserve is not None and "first_id" not in reserve:
        problems.append(Problem(f"{path}.reserve.first_id", "is required", hint="the reserve links need ids of their own"))
        reserve = None
    for key, spec in (("link", entry["link"]), ("reserve", reserve or {})):
        if "type" in spec:
            problems += _foreign_keys(spec, f"{path}.{key}")
        if "type" in spec and "device" in link_type(spec["type"]).end_keys:
            problems.append(
                Problem(f"{path}.{key}.type", "needs a device at each end", show(spec["type"]), "write such links under xgn_links")
            )
            return
    # One dictionary for all links of the pattern: there may be thousands.
    kinds = [(entry["first_id"], {"over": "uplink", **entry["link"]})]
    if reserve is not None:
        kinds.append((reserve["first_id"], {"over": "uplink", **reserve}))
    for first, second, number in _pairs(entry, path, intent, problems):
        label = f"{path} ({first.name} - {second.name})"
        for index, (first_id, options) in enumerate(kinds):
            ends = (
                End(first, label, _NOTHING_WRITTEN, first.uplinks.get(MAIN_UPLINK)),
                End(second, label, _NOTHING_WRITTEN, second.uplinks.get(MAIN_UPLINK)),
            )
            link = Link(first_id + number, label, options["type"], ends, options, entry["first_id"] + number if index else None)
            _settle(link, intent, problems)
            yield link


def _pairs(entry: Mapping[str, Any], path: str, intent: Intent, problems: list[Problem]) -> Iterator[tuple[Node, Node, int]]:
    """Yield both nodes of each link and its number."""
    if entry["type"] == "hub_spoke":
        hub = _node(entry.get("hub"), f"{path}.hub", intent, problems) if entry.get("hub") else None
        for spoke in select(entry["spokes"], f"{path}.spokes", intent, problems):
            if hub is not None and spoke is not hub:
                yield hub, spoke, spoke.id
        return
    if entry["type"] == "full_mesh":
        before = len(problems)
        members = select(entry["nodes"], f"{path}.nodes", intent, problems)
        if len(members) == 1 and len(problems) == before:
            problems.append(Problem(f"{path}.nodes", "is one node", hint="a mesh needs two or more"))
        for index, second in enumerate(members):
            for first in members[:index]:
                yield first, second, triangle(first.id, second.id)
        return
    for index, pair in enumerate(entry["pairs"]):
        here = f"{path}.pairs[{index}]"
        if not isinstance(pair, Sequence) or len(pair) != 2 or pair[0] == pair[1]:
            problems.append(Problem(here, "is no pair", hint="write two different nodes, for example [hq, branch]"))
            continue
        nodes = [_node(name, f"{here}[{number}]", intent, problems) for number, name in enumerate(pair)]
        if nodes[0] is not None and nodes[1] is not None:
            yield nodes[0], nodes[1], triangle(nodes[0].id, nodes[1].id)


def _node(name: Any, path: str, intent: Intent, problems: list[Problem]) -> Node | None:
    node = intent.nodes.get(name) if isinstance(name, str) else None
    if node is None:
        problems.append(unknown(path, f"{show(name)} is no node of xgn_nodes", str(name), intent.nodes, "valid nodes"))
    return node


def select(names: Sequence[str], path: str, intent: Intent, problems: list[Problem]) -> list[Node]:
    """Return the nodes that names of nodes, groups or sites stand for, each once, in the order of their ids."""
    found: dict[str, Node] = {}
    for index, name in enumerate(names):
        if name in intent.nodes:
            found[name] = intent.nodes[name]
        elif name in intent.selectors:
            found.update((node.name, node) for node in intent.selectors[name])
        else:
            valid = [*intent.nodes, *intent.selectors]
            problems.append(unknown(f"{path}[{index}]", f"{show(name)} is no node, group or site", name, valid, "valid names"))
    return sorted(found.values(), key=lambda node: (node.id, node.name))


def read_segments(written: Options, options: Options, broken: set[str], intent: Intent, problems: list[Problem]) -> None:
    """Add the segments of ``xgn_segments`` to the intent."""
    for index, entry in _entries(written, options, "xgn_segments", broken):
        path = f"xgn_segments[{index}]"
        before = len(problems)
        members = select(entry["members"], f"{path}.members", intent, problems)
        gateway = _node(entry["gateway"], f"{path}.gateway", intent, problems)
        prefixes = {}
        for family in FAMILIES:
            if family not in entry:
                continue
            try:
                prefix = parse_prefix(entry[family])
            except AddressError as error:
                problems.append(Problem(f"{path}.{family}", str(error)))
                continue
            if prefix.version != VERSION[family]:
                problems.append(Problem(f"{path}.{family}", f"is no {TITLE[family]} prefix", show(entry[family])))
                continue
            prefixes[family] = prefix
        if gateway is not None and members and gateway not in members:
            problems.append(
                Problem(f"{path}.gateway", "is not a member", show(gateway.name), f"members: {', '.join(n.name for n in members)}")
            )
        vrf = entry.get("vrf", gateway.vrf if gateway else "")
        if vrf and vrf not in intent.vrfs and key_path("xgn_vrfs", vrf) not in intent.broken:
            problems.append(unknown(f"{path}.vrf", f"{show(vrf)} is no VRF of xgn_vrfs", vrf, [n for n in intent.vrfs if n], "valid VRFs"))
        if len(problems) > before or gateway is None:
            broken.add(path)
            continue
        number = entry.get("id", -1)
        networks = [item for item in intent.settings["xgn_services"]["docker"].values() if item["segment"] == number]
        # Where containers of a node that Ansible does not manage run is its owner's business.
        runs = frozenset(node.name for node in members if node.managed and any(node.name in item["nodes"] for item in networks))
        segment = Segment(number, path, entry.get("vni", number), members, gateway, prefixes, vrf, entry["port"], entry, runs)
        intent.segments.append(segment)
