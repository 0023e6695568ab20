# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes, exits and leaks of an intent as objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, AddressError, Prefix, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Exit, Intent, Leak, Node, Route
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read_links import known_vrf

_Options = Mapping[str, Any]


def read_routes(written: _Options, options: _Options, intent: Intent, problems: Findings) -> None:
    """Add the routes, exits and leaks to the intent.

    Parameters:
        written: the variables, without what is wrong in them.
        options: those of the schema.
    """
    for path, entry in _listed(written, options, "xgn_routes"):
        node = _node(entry, path, intent, problems)
        vrf = _vrf(entry, path, node, intent, problems)
        prefix = _prefix(entry.get("prefix"), path.at("prefix"), problems)
        next_hop = _address(entry.get("next_hop"), path.at("next_hop"), problems)
        if node is None or vrf is None or prefix is None or problems.within(path):
            continue
        node.routes.append(
            Route(
                path,
                vrf,
                prefix,
                next_hop,
                entry.get("interface"),
                blackhole=entry["blackhole"],
                aggregate=entry["aggregate"],
                distance=entry.get("distance"),
                published=entry["published"] or entry["aggregate"],
            )
        )
    spec = options["xgn_exits"]["values"]["options"]
    for name, item in written.get("xgn_exits", {}).items():
        path, entry = Place.of("xgn_exits", name), with_defaults(item, spec)
        node = _node(entry, path, intent, problems)
        vrf = _vrf(entry, path, node, intent, problems)
        if node is not None and vrf is not None:
            broken = problems.within(path)
            intent.exits.append(Exit(name, path, node, vrf, entry["uplink"], entry.get("reserve_of"), tuple(entry["nat"]), broken))
    for path, entry in _listed(written, options, "xgn_leaks"):
        _read_leak(path, entry, intent, problems)


def _read_leak(path: Place, entry: _Options, intent: Intent, problems: Findings) -> None:
    node = _node(entry, path, intent, problems)
    for key in ("from", "to"):
        known_vrf(entry.get(key), path.at(key), intent.vrfs, problems)
    read = [(_prefix(text, place, problems), place) for place, text in _texts(entry.get("prefixes", ()), path.at("prefixes"))]
    if node is None or problems.within(path) or not {"from", "to"} <= entry.keys():
        return
    prefixes = tuple((prefix, place) for prefix, place in read if prefix is not None)
    intent.leaks.append(Leak(path, node, entry["from"], entry["to"], prefixes))
    node.routes += [
        Route(place, entry["to"], prefix, interface=entry["from"], next_hop_vrf=entry["from"], published=True) for prefix, place in prefixes
    ]


def _listed(written: _Options, options: _Options, section: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    for index, entry in enumerate(written.get(section, ())):
        yield Place.of(section, index), with_defaults(entry, options[section]["options"])


def _texts(values: Any, path: Place) -> Iterator[tuple[Place, str]]:
    for index, text in enumerate(values):
        yield path.at(index), text


def _node(entry: _Options, path: Place, intent: Intent, problems: Findings) -> Node | None:
    name = entry.get("node")
    if name is None:
        return None
    if name not in intent.nodes and not problems.explains(Place.of("xgn_nodes", name)):
        problems.add(unknown(path.at("node"), f"{show(name)} is no node of xgn_nodes", name, intent.nodes, "valid nodes"))
    return intent.nodes.get(name)


def _vrf(entry: _Options, path: Place, node: Node | None, intent: Intent, problems: Findings) -> str | None:
    """Return the VRF of an entry; none where it cannot be known."""
    vrf = entry.get("vrf", node.vrf if node is not None else None)
    if "vrf" in entry:
        known_vrf(vrf, path.at("vrf"), intent.vrfs, problems)
    return vrf if vrf in intent.vrfs else None


def _prefix(text: str | None, path: Place, problems: Findings) -> Prefix | None:
    try:
        return None if text is None else parse_prefix(text)
    except AddressError as error:
        problems.add(Problem(path, str(error)))
        return None


def _address(text: str | None, path: Place, problems: Findings) -> Address | None:
    try:
        return None if text is None else parse_address(text)
    except AddressError as error:
        problems.add(Problem(path, str(error)))
        return None
