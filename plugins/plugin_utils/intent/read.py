# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the variables a person wrote to the objects of `model`, with every mistake of form and of reference on the way."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, AddressError, Prefix, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, MAIN_TABLE, TITLE, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check, with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import MAIN_UPLINK, Intent, Network, Node, Pools, Site, Uplink, Vrf
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_containers import read_containers
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_links import read_links, read_segments, select
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import SECTIONS, Settings, settings_of

# Other parts of the collection have variables with this prefix too; only what is this near to one of ours is a slip of the pen.
_NEAR = 0.85


def read_intent(raw: Mapping[str, Any]) -> Intent:
    """Read an intent.

    Parameters:
        raw: the ``xgn_…`` variables; others are ignored unless they look like a mistyped one.

    Returns:
        The objects, as far as they could be read; `Intent.reading` holds every problem. Nodes and links with problems of their own are marked as
        broken and left out of further conclusions.
    """
    options = intent_options()
    written = {name: value for name, value in raw.items() if is_intent(name)}
    _expand_short_ends(written)
    return _Reader(written, options, Findings(check(written, options))).intent()


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
        self.written = written
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
        read_containers(intent, self.problems)
        return intent

    def _entries(self, section: str) -> dict[str, dict[str, Any]]:
        """Return the entries of a dictionary of named things, without the broken ones."""
        value = self.written.get(section, {})
        if self.problems.at(Place.of(section)) or not isinstance(value, Mapping):
            return {}
        spec = self.options[section]["values"]["options"]
        return {name: with_defaults(entry, spec) for name, entry in value.items() if not self.problems.within(Place.of(section, name))}

    def _settings(self) -> Settings:
        written: dict[str, Mapping[str, Any]] = {}
        # Each section is one object: a mistake in one of their keys leaves the others usable.
        for name in SECTIONS:
            default = self.options[name].get("default")
            value = self.written.get(name, default)
            if self.problems.within(Place.of(name)) or not isinstance(value, Mapping):
                value = default
            if value is not None:
                written[name] = with_defaults(value, self.options[name]["options"])
        return settings_of(written)

    def address(self, text: str | None, family: str, path: Place) -> Address | None:
        """Parse an address of the intent; a mistake becomes a problem."""
        if text is None:
            return None
        try:
            address = parse_address(text)
        except AddressError as error:
            self.problems.add(Problem(path, str(error)))
            return None
        if address.version != VERSION[family]:
            self.problems.add(Problem(path, f"is no {TITLE[family]} address", show(text)))
            return None
        return address

    def prefix(self, text: str | None, family: str, path: Place) -> Prefix | None:
        """Parse a prefix of the intent; a mistake becomes a problem."""
        if text is None:
            return None
        try:
            prefix = parse_prefix(text)
        except AddressError as error:
            self.problems.add(Problem(path, str(error)))
            return None
        if prefix.version != VERSION[family]:
            self.problems.add(Problem(path, f"is no {TITLE[family]} prefix", show(text)))
            return None
        return prefix

    def _vrfs(self) -> dict[str, Vrf]:
        main = self._pools(self.written.get("xgn_pools"), Place.of("xgn_pools"))
        vrfs = {"": Vrf("", Place.of("xgn_pools"), MAIN_TABLE, main)}
        for name, entry in self._entries("xgn_vrfs").items():
            path = Place.of("xgn_vrfs", name)
            own = self._pools(entry["pools"], path.at("pools")) if "pools" in entry else main
            vrfs[name] = Vrf(name, path, entry["table"], own)
        return vrfs

    def _pools(self, written: Any, path: Place) -> Pools:
        pools = Pools(path)
        spec = self.options["xgn_pools"]["options"]
        if not isinstance(written, Mapping) or self.problems.at(path):
            written = {}
        clean = {name: value for name, value in written.items() if not self.problems.within(path.at(name))}
        filled = with_defaults(clean, spec)
        for name, target in (("links", pools.links), ("loopbacks", pools.loopbacks), ("networks", pools.networks)):
            for family in FAMILIES:
                here = path.at(name, family)
                prefix = self.prefix(filled[name].get(family), family, here)
                if prefix is not None:
                    target[family] = prefix
        for family in FAMILIES:
            pools.link_length[family] = filled["links"][f"{family}_prefix"]
            pools.network_length[family] = filled["networks"][f"{family}_prefix"]
            for name, target, length in (
                ("links", pools.links, pools.link_length[family]),
                ("networks", pools.networks, pools.network_length[family]),
            ):
                if family in target and length < target[family].length:
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
        value = self.written.get("xgn_nodes")
        if not isinstance(value, Mapping) or self.problems.at(Place.of("xgn_nodes")):
            return {}
        spec = self.options["xgn_nodes"]["values"]["options"]
        nodes: dict[str, Node] = {}
        for name, entry in value.items():
            path = Place.of("xgn_nodes", name)
            if self.problems.within(path):
                nodes[str(name)] = Node(str(name), path, broken=True)
                continue
            before = len(self.problems)
            node = self._node(name, path, with_defaults(entry, spec), vrfs)
            node.broken = len(self.problems) > before
            nodes[name] = node
        return nodes

    def _node(self, name: str, path: Place, entry: Mapping[str, Any], vrfs: Mapping[str, Vrf]) -> Node:
        site = entry.get("site")
        shared = self.sites.get(site) if site else None
        if site and "xgn_sites" in self.written and site not in self.sites and not self.problems.within(Place.of("xgn_sites", site)):
            self.problems.add(unknown(path.at("site"), f"{show(site)} is no site of xgn_sites", site, self.sites, "valid sites"))
        vrf = entry.get("vrf", (shared.vrf if shared else None) or "")
        self._known_vrf(vrf, path.at("vrf") if "vrf" in entry else Place.of("xgn_sites", site, "vrf"), vrfs)
        base = self.written.get("xgn_bgp")
        asn_base = base.get("asn_base") if isinstance(base, Mapping) and not self.problems.within(Place.of("xgn_bgp", "asn_base")) else None
        number = entry.get("id", 0)
        node = Node(name, path, number, site, tuple(entry["groups"]), entry["managed"], vrf=vrf)
        node.asn = entry.get("asn", shared.asn if shared else None)
        if node.asn is None and asn_base and number:
            node.asn = asn_base + number
        for family in FAMILIES:
            loopback = self.address(entry.get("loopback", {}).get(family), family, path.at("loopback", family))
            if loopback is not None:
                node.loopback[family] = loopback
        node.route_reflector = entry["route_reflector"]
        if "router_id" in entry:
            router_id = self.address(entry["router_id"], "ipv4", path.at("router_id"))
            node.router_id = router_id.bare if router_id else None
        if "management" in entry:
            family = "ipv6" if ":" in entry["management"] else "ipv4"
            management = self.address(entry["management"], family, path.at("management"))
            node.management = management.bare if management else None
        if "uplink" in entry:
            node.uplinks[MAIN_UPLINK] = self._uplink(path.at("uplink"), entry["uplink"])
        for label, uplink in entry["uplinks"].items():
            node.uplinks[label] = self._uplink(path.at("uplinks", label), uplink)
        for interface, network in entry["networks"].items():
            node.networks.append(self._network(interface, path.at("networks", interface), network, vrf, vrfs))
        return node

    def _known_vrf(self, vrf: str, path: Place, vrfs: Mapping[str, Vrf]) -> None:
        if vrf and vrf not in vrfs and not self.problems.within(Place.of("xgn_vrfs", vrf)):
            self.problems.add(unknown(path, f"{show(vrf)} is no VRF of xgn_vrfs", vrf, [name for name in vrfs if name], "valid VRFs"))

    def _uplink(self, path: Place, entry: Mapping[str, Any]) -> Uplink:
        addresses: dict[str, Address] = {}
        for family, key in (("ipv4", "address"), ("ipv6", "address6")):
            address = self.address(entry.get(key), family, path.at(key))
            if address is not None:
                addresses[family] = address
        return Uplink(
            path,
            entry.get("device"),
            addresses,
            entry["nat"],
            entry.get("public"),
            entry["mtu"],
            entry["set_mtu"],
            entry.get("mac"),
            entry.get("hw_id"),
            entry.get("gateway"),
            entry.get("vrf"),
        )

    def _network(self, interface: str, path: Place, entry: Mapping[str, Any], vrf: str, vrfs: Mapping[str, Vrf]) -> Network:
        addresses: dict[str, Address] = {}
        for family, key in (("ipv4", "address"), ("ipv6", "address6")):
            address = self.address(entry.get(key), family, path.at(key))
            if address is not None:
                addresses[family] = address
        own = entry.get("vrf", vrf)
        if "vrf" in entry:
            self._known_vrf(own, path.at("vrf"), vrfs)
        return Network(
            interface,
            path,
            entry["id"],
            entry.get("kind"),
            entry.get("parent"),
            entry.get("vlan"),
            addresses,
            own,
            entry.get("mtu"),
            entry.get("mac"),
            entry.get("description"),
            entry["published"],
            pooled="address" not in entry and "address6" not in entry,
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
