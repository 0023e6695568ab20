# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""External neighbors of an intent as objects, with the lists that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, AddressError, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import usable, with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    MAIN_UPLINK,
    PUBLISHED,
    UNKNOWN,
    WHOLE_TABLE,
    AsPathRule,
    Intent,
    Neighbor,
    NeighborOptions,
    Network,
    Node,
    PrefixRange,
    Rpki,
    RpkiCache,
    Segment,
    Uplink,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_addresses import read_address

Options = Mapping[str, Any]
_REQUIRED = ("node", "relation", "asn")


def expand_short_ranges(written: dict[str, Any]) -> None:
    """Replace each text that stands for a prefix, for the name of a list, or for a regular expression by the dictionary that it stands for."""
    keys: Mapping[str, Callable[[str], str]] = {"xgn_prefix_lists": lambda _text: "prefix", "xgn_as_path_lists": lambda _text: "regex"}
    for section, key in keys.items():
        lists = written.get(section)
        if isinstance(lists, Mapping):
            written[section] = {name: _expanded(entries, key) for name, entries in lists.items()}
    neighbors = written.get("xgn_neighbors")
    if isinstance(neighbors, Mapping):
        written["xgn_neighbors"] = {
            name: {**entry, "accept": _expanded(entry["accept"], _range_or_list)}
            if isinstance(entry, Mapping) and "accept" in entry
            else entry
            for name, entry in neighbors.items()
        }


def _range_or_list(text: str) -> str:
    # No name of a list has a slash or colon, and none begins with a digit.
    return "prefix" if "/" in text or ":" in text or text[:1].isdigit() else "list"


def _expanded(entries: Any, key: Callable[[str], str]) -> Any:
    if not isinstance(entries, list):
        return entries
    return [{key(item): item} if isinstance(item, str) else item for item in entries]


def read_edge(everything: Options, written: Options, options: Options, intent: Intent, problems: Findings) -> None:
    """Add the external neighbors and the caches of RPKI to the intent.

    Parameters:
        everything: the variables as written.
        written: the same, without what is wrong in them.
        options: those of the schema.
        intent: with nodes and segments.
        problems: gets what is wrong with a reference or a prefix.
    """
    reader = _Reader(everything, written, intent, problems)
    spec = options["xgn_neighbors"]["values"]["options"]
    for name, kept in written.get("xgn_neighbors", {}).items():
        if isinstance(kept, Mapping):
            reader.neighbor(str(name), with_defaults(kept, spec))
    rpki = written.get("xgn_rpki", {})
    if problems:
        rpki = usable({"xgn_rpki": rpki}, options, problems, whole=True).get("xgn_rpki", {})
    filled = with_defaults(rpki, options["xgn_rpki"]["options"])
    caches = tuple(RpkiCache(entry["host"], entry["port"]) for entry in filled["caches"] if "host" in entry)
    intent.rpki = Rpki(caches, filled.get("polling_period"), filled.get("retry_interval"), filled.get("expire_interval"))


class _Reader:
    def __init__(self, everything: Options, written: Options, intent: Intent, problems: Findings) -> None:
        self.intent = intent
        self.problems = problems
        self.written = written
        # A list in which something is wrong exists all the same.
        self.names = {section: _names(everything, section) for section in ("xgn_prefix_lists", "xgn_as_path_lists", "xgn_communities")}
        self.prefixes = {
            str(name): [
                item
                for index, entry in enumerate(entries)
                if "prefix" in entry
                for item in self._range(entry, Place.of("xgn_prefix_lists", name, index))
            ]
            for name, entries in written.get("xgn_prefix_lists", {}).items()
        }

    def neighbor(self, name: str, entry: dict[str, Any]) -> None:
        """Read one neighbor. One without its node, relation or AS number is left out: why is told already."""
        path = Place.of("xgn_neighbors", name)
        before = len(self.problems)
        node = self._node(entry, path)
        addresses, via = (self._addresses(entry.get(key, {}), path.at(key)) for key in ("addresses", "via"))
        accept = list(self._accepted(entry["accept"], path.at("accept"))) if "accept" in entry else None
        lists = list(self._advertised(entry.get("advertise", ()), path.at("advertise")))
        options = self._options(entry, path)
        if node is None or any(key not in entry for key in _REQUIRED):
            return
        place = self._place(node, entry, path)
        from_loopback = entry["source"] == "loopback"
        vrf = node.vrf if from_loopback or place is None else (place.vrf or "")
        if place is None and not from_loopback:
            vrf = UNKNOWN
        families = tuple(family for family in FAMILIES if family in addresses)
        if entry["unnumbered"]:
            families = tuple(family for family in FAMILIES if family in entry.get("families", FAMILIES))
        elif "families" in entry:
            hint = "a session between addresses carries their family alone"
            self.problems.add(Problem(path.at("families"), "is for an unnumbered neighbor", hint=hint))
        broken = self.problems.within(path) or len(self.problems) > before
        self.intent.neighbors.append(
            Neighbor(
                name,
                path,
                node,
                entry["relation"],
                entry["asn"],
                options,
                place,
                vrf,
                addresses,
                entry["unnumbered"],
                families,
                from_loopback,
                via,
                accept,
                lists,
                broken,
            )
        )

    def _node(self, entry: Options, path: Place) -> Node | None:
        if "node" not in entry:
            return None
        node = self.intent.nodes.get(entry["node"])
        if node is None:
            text = f"{show(entry['node'])} is no node of xgn_nodes"
            self.problems.add(unknown(path.at("node"), text, entry["node"], self.intent.nodes, "valid nodes"))
        return node

    def _addresses(self, entry: Options, path: Place) -> dict[str, Address]:
        found = {family: read_address(entry.get(family), family, path.at(family), self.problems) for family in FAMILIES}
        return {family: address for family, address in found.items() if address is not None}

    def _place(self, node: Node, entry: Options, path: Place) -> Uplink | Network | Segment | None:
        """Return what the neighbor is on: an interface by name, else an uplink, unless the loopback is all that the session needs."""
        if "interface" in entry and "uplink" in entry:
            hint = "keep one: the interface of a network or segment, or the name of an uplink"
            self.problems.add(Problem(path.at("interface"), "does not go with uplink", hint=hint))
            return None
        if "interface" in entry:
            return self._interface(node, entry["interface"], path.at("interface"))
        if "uplink" not in entry and entry["source"] == "loopback":
            return None
        label = entry.get("uplink", MAIN_UPLINK)
        if self.intent.misses_uplink(node, label):
            text = f"{show(label)} is no uplink of {node.name}"
            self.problems.add(unknown(path.at("uplink"), text, label, node.uplinks, "valid uplinks"))
        return node.uplinks.get(label)

    def _interface(self, node: Node, name: str, path: Place) -> Uplink | Network | Segment | None:
        found: dict[str, Uplink | Network | Segment] = {network.interface: network for network in node.networks}
        found |= {segment.interface_of(node): segment for segment in self.intent.segments if node in segment.members}
        found |= {uplink.device: uplink for uplink in node.uplinks.values() if uplink.device}
        if name not in found and not self.problems.within(node.path):
            text = f"{show(name)} is no interface of a network, segment or uplink of {node.name}"
            self.problems.add(unknown(path, text, name, found, "valid interfaces"))
        return found.get(name)

    # ---- lists ----

    def _range(self, item: Options, path: Place) -> Iterator[PrefixRange]:
        try:
            yield PrefixRange(parse_prefix(item["prefix"]), path, item.get("ge"), item.get("le"))
        except AddressError as error:
            self.problems.add(Problem(path.at("prefix"), str(error)))

    def _accepted(self, entries: Sequence[Options], path: Place) -> Iterator[PrefixRange]:
        for index, item in enumerate(entries):
            here = path.at(index)
            if "prefix" in item and "list" in item:
                self.problems.add(Problem(here.at("list"), "does not go with prefix", hint="write an entry for each"))
            elif "prefix" in item:
                yield from self._range(item, here)
            elif "list" in item:
                if "ge" in item or "le" in item:
                    self.problems.add(Problem(here.at("list"), "does not go with ge or le", hint="write them in the list"))
                yield from self._prefixes_of(item["list"], here.at("list"))
            elif not self.problems.within(here):
                self.problems.add(Problem(here, "names no prefix and no list", hint="write one of them"))

    def _advertised(self, names: Sequence[str], path: Place) -> Iterator[PrefixRange]:
        for index, name in enumerate(names):
            if name not in (PUBLISHED, WHOLE_TABLE):
                yield from self._prefixes_of(name, path.at(index))

    def _prefixes_of(self, name: str, path: Place) -> list[PrefixRange]:
        self._known(name, "xgn_prefix_lists", path)
        return self.prefixes.get(name, [])

    def _known(self, name: str, section: str, path: Place) -> None:
        if name not in self.names[section] and not self.problems.explains(Place.of(section, name)):
            text = f"{show(name)} is no entry of {section}"
            self.problems.add(unknown(path, text, name, self.names[section], "valid names"))

    def _communities(self, texts: Sequence[str], path: Place) -> tuple[tuple[str, Place], ...]:
        """Return communities, those of names among them, each with where it is written."""
        found: list[tuple[str, Place]] = []
        named = self.written.get("xgn_communities", {})
        for index, text in enumerate(texts):
            if text in self.names["xgn_communities"]:
                found += [(item, Place.of("xgn_communities", text, number)) for number, item in enumerate(named.get(text, ()))]
            else:
                found.append((text, path.at(index)))
        return tuple(found)

    def _as_paths(self, names: Sequence[str], path: Place) -> Iterator[AsPathRule]:
        for index, name in enumerate(names):
            self._known(name, "xgn_as_path_lists", path.at(index))
            for number, item in enumerate(self.written.get("xgn_as_path_lists", {}).get(name, ())):
                if "regex" in item:
                    yield AsPathRule(item["regex"], item.get("action", "permit"), Place.of("xgn_as_path_lists", name, number))

    def _options(self, entry: Options, path: Place) -> NeighborOptions:
        usual = WHOLE_TABLE if entry.get("relation") == "customer" else PUBLISHED
        communities = entry["communities"]
        return NeighborOptions(
            entry.get("multihop"),
            entry.get("ttl_security_hops"),
            entry.get("password_variable"),
            entry["bfd"],
            entry.get("keepalive"),
            entry.get("holdtime"),
            entry["role"],
            tuple(self._as_paths(entry["accept_as_paths"], path.at("accept_as_paths"))),
            self._communities(entry["accept_communities"], path.at("accept_communities")),
            entry["private"],
            entry["rpki"],
            entry.get("preference"),
            entry.get("maximum_prefix"),
            entry.get("maximum_prefix_restart"),
            tuple(entry.get("advertise", (usual,))),
            entry["default_originate"],
            entry.get("prepend"),
            entry.get("med"),
            self._communities(communities.get("add", ()), path.at("communities", "add")),
            self._communities(communities.get("send", ()), path.at("communities", "send")),
            entry["optional"],
        )


def _names(everything: Options, section: str) -> list[str]:
    value = everything.get(section)
    return list(map(str, value)) if isinstance(value, Mapping) else []
