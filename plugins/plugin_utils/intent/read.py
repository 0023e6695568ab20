# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the variables a person wrote to the objects of `model`, with every mistake of form and of reference on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, MAIN_TABLE, TITLE, VERSION, router_id_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check, usable, with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    ADDRESS_KEYS,
    LEARNED_BY,
    MAIN_UPLINK,
    UNKNOWN,
    Intent,
    Network,
    Node,
    Pools,
    Site,
    Uplink,
    Vrf,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_addresses import read_address, read_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_containers import read_containers
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_edge import expand_short_ranges, read_edge
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_links import known_vrf, read_links, read_segments, select
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_routes import read_routes
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.retirement import leave_out_retired
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import SECTIONS, Settings, settings_of

# Other parts of the collection have variables with this prefix too; only what is this near to one of ours is a slip of the pen.
_NEAR = 0.85


def read_intent(raw: Mapping[str, Any], unread: Iterable[Problem] = ()) -> Intent:
    """Read an intent.

    Parameters:
        raw: the ``xgn_…`` variables; others are ignored unless they look like a mistyped one.
        unread: what could not even be templated; something else stands in its place.

    Returns:
        The objects, as far as they could be read; `Intent.reading` holds every problem. What is wrong is left out, and what it concerns is marked,
        so that everything else can be judged in the same run.
    """
    options = intent_options()
    written = {name: value for name, value in raw.items() if is_intent(name)}
    _expand_short_ends(written)
    expand_short_ranges(written)
    problems = Findings(unread)
    problems.extend([problem for problem in check(written, options) if not problems.at(problem.path)])
    return _Reader(written, options, problems).intent()


def is_intent(name: object) -> bool:
    """Tell whether a variable belongs to the intent, or is meant to."""
    if not isinstance(name, str):
        return False
    options = intent_options()
    return name in options or (name.startswith("xgn_") and bool(get_close_matches(name, options, 1, _NEAR)))


def _expand_short_ends(written: dict[str, Any]) -> None:
    """Replace an end that is only a node's name by the dictionary it stands for."""
    links = written.get("xgn_links")
    if not isinstance(links, list):
        return
    written["xgn_links"] = [
        {**link, "ends": [{"node": end} if isinstance(end, str) else end for end in link["ends"]]}
        if isinstance(link, Mapping) and isinstance(link.get("ends"), list)
        else link
        for link in links
    ]


class _Reader:
    def __init__(self, written: Mapping[str, Any], options: Mapping[str, Any], problems: Findings) -> None:
        self.all = written
        self.written = usable(written, options, problems) if problems else written
        self.options = options
        self.problems = problems

    def intent(self) -> Intent:
        self.sites = {name: _site(entry) for name, entry in self._entries("xgn_sites").items()}
        vrfs = self._vrfs()
        nodes = self._nodes(vrfs)
        selectors = _selectors(nodes, self.problems)
        # A site needs no entry of its own.
        plain = _site(with_defaults({}, self.options["xgn_sites"]["values"]["options"]))
        sites = {**{node.site: plain for node in nodes.values() if node.site}, **self.sites}
        intent = Intent(vrfs, nodes, [], [], self._settings(), selectors, sites=sites, reading=self.problems)
        dns = intent.settings.services.dns
        if dns is not None:
            chosen = select(dns.nodes, Place.of("xgn_services", "dns", "nodes"), intent, self.problems)
            intent.dns_nodes = frozenset(node.name for node in chosen)
        read_links(self.written, self.options, intent, self.problems)
        read_segments(self.written, self.options, intent, self.problems)
        read_edge(self.all, self.written, self.options, intent, self.problems)
        read_routes(self.written, self.options, intent, self.problems)
        leave_out_retired(intent, self.problems)
        read_containers(intent, self.problems)
        return intent

    def _entries(self, section: str) -> dict[str, dict[str, Any]]:
        """Return the entries of a dictionary of named things, with an empty one for each that could not be read."""
        value = self.all.get(section, {})
        if not isinstance(value, Mapping):
            return {}
        spec, kept = self.options[section]["values"]["options"], self.written.get(section, {})
        return {name: with_defaults(kept.get(name, {}), spec) for name in value}

    def _settings(self) -> Settings:
        written: dict[str, Mapping[str, Any]] = {}
        kept = {name: self.all[name] for name in SECTIONS if name in self.all}
        if self.problems:
            kept = usable(kept, self.options, self.problems, whole=True)
        for name in SECTIONS:
            value = kept.get(name, self.options[name].get("default"))
            if value is not None:
                written[name] = with_defaults(value, self.options[name]["options"])
        chosen = {
            (name, key)
            for name, section in written.items()
            for key, value in section.items()
            if value != self.options[name]["options"][key].get("default")
        }
        return settings_of(written, frozenset(chosen))

    def _addresses(self, entry: Mapping[str, Any], path: Place) -> dict[str, Address]:
        """Return the addresses of an uplink or a network by family."""
        found = {family: read_address(entry.get(key), family, path.at(key), self.problems) for family, key in ADDRESS_KEYS.items()}
        return {family: address for family, address in found.items() if address is not None}

    def _vrfs(self) -> dict[str, Vrf]:
        main = self._pools(self.written.get("xgn_pools", {}), Place.of("xgn_pools"))
        vrfs = {"": Vrf("", Place.of("xgn_pools"), MAIN_TABLE, main)}
        for name, entry in self._entries("xgn_vrfs").items():
            path = Place.of("xgn_vrfs", name)
            own = self._pools(entry["pools"], path.at("pools")) if "pools" in entry else main
            unsure = "pools" not in entry and self.problems.explains(path.at("pools"))
            vrfs[name] = Vrf(name, path, entry.get("table", 0), own, unsure)
        return vrfs

    def _pools(self, written: Mapping[str, Any], path: Place) -> Pools:
        pools = Pools(path)
        filled = with_defaults(written, self.options["xgn_pools"]["options"])
        for name, target in (("links", pools.links), ("loopbacks", pools.loopbacks), ("networks", pools.networks)):
            for family in FAMILIES:
                here = path.at(name, family)
                prefix = read_prefix(filled[name].get(family), family, here, self.problems)
                if prefix is not None:
                    target[family] = prefix
        for family in FAMILIES:
            pools.link_length[family] = filled["links"][f"{family}_prefix"]
            pools.network_length[family] = filled["networks"][f"{family}_prefix"]
            for name, target, length in (
                ("links", pools.links, pools.link_length[family]),
                ("networks", pools.networks, pools.network_length[family]),
            ):
                if self.problems.told(path.at(name, f"{family}_prefix")):
                    target.pop(family, None)
                elif family in target and length < target[family].length:
                    self.problems.add(
                        Problem(
                            path.at(name, f"{family}_prefix"),
                            f"does not fit into the pool {target[family]}",
                            str(length),
                            f"valid: {target[family].length} to {BITS[VERSION[family]]}",
                        )
                    )
                    del target[family]
        pools.per_node = filled["networks"]["per_node"]
        return pools

    def _nodes(self, vrfs: Mapping[str, Vrf]) -> dict[str, Node]:
        nodes = {}
        for name, entry in self._entries("xgn_nodes").items():
            node = self._node(name, Place.of("xgn_nodes", name), entry, vrfs)
            if self.problems:
                node.unsure = self._unsure(node)
            if "vrf" in node.unsure:
                node.vrf = UNKNOWN
            for network in node.networks:
                doubtful = network.unsure and self.problems.explains(network.path.at("vrf"))
                network.vrf = entry["networks"][network.interface].get("vrf", UNKNOWN if doubtful else node.vrf)
            nodes[str(name)] = node
        return nodes

    def _unsure(self, node: Node) -> frozenset[str]:
        """Return the keys of a node that may be missing, or other than meant, because of a mistake in the node, its site or a setting."""
        kept = self.written.get("xgn_nodes", {}).get(node.name, {})
        found = {key for key in self.options["xgn_nodes"]["values"]["options"] if self._in_doubt(node.path.at(key), key in kept)}
        if node.site and "xgn_sites" in self.all and node.site not in self.sites:
            found.add("site")
        site, of_site = Place.of("xgn_sites", node.site), self.written.get("xgn_sites", {}).get(node.site, {})
        for key in ("vrf", "asn"):
            if key not in kept and ("site" in found or (node.site and self._in_doubt(site.at(key), key in of_site))):
                found.add(key)
        if node.asn is None and self.problems.explains(Place.of("xgn_bgp", "asn_base")):
            found.add("asn")
        return frozenset(found)

    def _in_doubt(self, place: Place, written: bool) -> bool:
        """Tell whether there is a mistake in a value, or one that explains why it is not written."""
        return self.problems.within(place) if written else self.problems.explains(place)

    def _node(self, name: str, path: Place, entry: Mapping[str, Any], vrfs: Mapping[str, Vrf]) -> Node:
        site = entry.get("site")
        shared = self.sites.get(site) if site else None
        if site and "xgn_sites" in self.all and site not in self.sites and not self.problems.explains(Place.of("xgn_sites", site)):
            self.problems.add(unknown(path.at("site"), f"{show(site)} is no site of xgn_sites", site, self.sites, "valid sites"))
        vrf = entry.get("vrf", (shared.vrf if shared else None) or "")
        known_vrf(vrf, path.at("vrf") if "vrf" in entry else Place.of("xgn_sites", site, "vrf"), vrfs, self.problems)
        asn_base = self.written.get("xgn_bgp", {}).get("asn_base")
        number = entry.get("id", 0)
        node = Node(
            name,
            path,
            number,
            site,
            tuple(entry["groups"]),
            entry["managed"],
            entry["retired"],
            entry.get("was"),
            entry.get("trusted"),
            vrf=vrf,
        )
        node.asn = entry.get("asn", shared.asn if shared else None)
        of_the_site = "asn" not in entry and node.asn is not None
        node.asn_path = (Place.of("xgn_sites", site) if of_the_site else path).at("asn")
        if node.asn is None and asn_base and number:
            node.asn = asn_base + number
        for family in FAMILIES:
            loopback = read_address(entry.get("loopback", {}).get(family), family, path.at("loopback", family), self.problems)
            if loopback is not None:
                node.loopback[family] = loopback
        node.route_reflector = entry["route_reflector"]
        if "router_id" in entry:
            unfit = list(router_id_problems(path.at("router_id"), entry["router_id"]))
            self.problems.extend(unfit)
            node.router_id = None if unfit else entry["router_id"]
        if "management" in entry:
            family = "ipv6" if ":" in entry["management"] else "ipv4"
            management = read_address(entry["management"], family, path.at("management"), self.problems)
            node.management = management.bare if management else None
        if "uplink" in entry:
            node.uplinks[MAIN_UPLINK] = self._uplink(path.at("uplink"), entry["uplink"])
        for label, uplink in entry["uplinks"].items():
            node.uplinks[label] = self._uplink(path.at("uplinks", label), uplink)
        for interface, network in entry["networks"].items():
            node.networks.append(self._network(interface, path.at("networks", interface), network, vrfs))
        return node

    def _uplink(self, path: Place, entry: Mapping[str, Any]) -> Uplink:
        written = {family: entry[key] for family, key in ADDRESS_KEYS.items() if key in entry}
        learned = {family: text for family, text in written.items() if text in LEARNED_BY[family]}
        known: dict[str, Address] = {}
        for family, text in written.items():
            key = path.at(ADDRESS_KEYS[family])
            if text.isalpha() and family not in learned:
                ways = " or ".join(LEARNED_BY[family])
                hint = f"valid: an {TITLE[family]} address with prefix length, or {ways}"
                self.problems.add(Problem(key, "is neither an address nor who gives one", show(text), hint))
            elif family not in learned and (address := read_address(text, family, key, self.problems)) is not None:
                known[family] = address
        return Uplink(
            path,
            entry.get("device"),
            known,
            entry["nat"],
            entry.get("public"),
            entry["mtu"],
            entry["set_mtu"],
            entry.get("mac"),
            entry.get("hw_id"),
            entry.get("gateway"),
            entry.get("vrf"),
            self.problems.within(path),
            learned,
            entry.get("gateway6"),
            entry["onlink"],
        )

    def _network(self, interface: str, path: Place, entry: Mapping[str, Any], vrfs: Mapping[str, Vrf]) -> Network:
        known_vrf(entry.get("vrf"), path.at("vrf"), vrfs, self.problems)
        return Network(
            interface,
            path,
            entry["id"],
            entry.get("kind"),
            entry.get("parent"),
            entry.get("vlan"),
            self._addresses(entry, path),
            "",
            entry.get("mtu"),
            entry.get("mac"),
            entry.get("description"),
            entry["published"],
            pooled="address" not in entry and "address6" not in entry,
            unsure=self.problems.within(path),
        )


def _site(entry: Mapping[str, Any]) -> Site:
    return Site(entry.get("vrf"), entry.get("asn"), entry.get("igp"), entry["area"])


def _selectors(nodes: Mapping[str, Node], problems: Findings) -> dict[str, list[Node]]:
    """Return the nodes of each group and site. A name must not stand for two things."""
    groups: dict[str, list[Node]] = {}
    sites: dict[str, list[Node]] = {}
    for node in nodes.values():
        if node.site:
            sites.setdefault(node.site, []).append(node)
        for index, group in enumerate(node.groups):
            if group in nodes or group == "all":
                problems.add(
                    Problem(node.path.at("groups", index), "is also the name of a node" if group in nodes else "is reserved", show(group))
                )
            groups.setdefault(group, []).append(node)
    for name in sorted(groups.keys() & sites.keys()):
        member = groups[name][0]
        problems.add(Problem(member.path.at("groups"), f"{show(name)} is also the name of a site", hint="rename one of them"))
    return {**sites, **groups, "all": list(nodes.values())}
