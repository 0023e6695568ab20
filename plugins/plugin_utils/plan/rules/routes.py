# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about routes that a person wants, exits and leaks."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, FAMILY, LINK_LENGTHS, TITLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, unknown, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import LINK_LOCAL, UNKNOWN, Exit, Intent, Leak, Node, Route

_ROUTED = ("bgp", "ospf")


def route_problems(intent: Intent) -> Iterator[Problem]:
    """Routes without a target or with several, with one that is not there, and published ones that nobody would learn or that something else has."""
    for node in intent.nodes.values():
        first: dict[tuple[str, Prefix, int], Place] = {}
        written = [route for route in node.routes if route.next_hop_vrf is None]
        if written:
            yield from _managed(node, written[0].path.at("node"))
        for route in written:
            yield from _target(route)
            if route.aggregate:
                yield from _aggregate(node, route, intent)
            else:
                yield from _way(node, route, intent)
            if route.published:
                yield from _published(node, route, intent)
            key = (route.vrf, route.prefix, route.distance or 1)
            if key in first:
                hint = "write another distance, for a route that waits until the first is gone"
                yield Problem(route.path.at("prefix"), f"is also that of {first[key]}", show(str(route.prefix)), hint)
            first.setdefault(key, route.path)


def _managed(node: Node, path: Place) -> Iterator[Problem]:
    if not node.managed and "managed" not in node.unsure:
        yield Problem(path, "is no node that Ansible manages", show(node.name), "its owner gives it the routes; name a managed node")


def _target(route: Route) -> Iterator[Problem]:
    ways = [key for key in ("blackhole", "aggregate") if getattr(route, key)]
    hops = [key for key in ("next_hop", "interface") if getattr(route, key) is not None]
    if len(ways) == 2 or (ways and hops):
        yield Problem(
            route.path, f"has {' and '.join([*hops, *ways])}", hint="a route sends packets on, drops them, or is an aggregate; keep one"
        )
    elif not ways and not hops:
        yield Problem(route.path, "has no target", hint="give it next_hop, interface, blackhole: true or aggregate: true")
    if route.aggregate and route.distance is not None:
        yield Problem(route.path.at("distance"), "does not go with aggregate", str(route.distance), "BGP has a distance of its own")


def _interfaces_in(node: Node, vrf: str, intent: Intent) -> dict[str, list[Prefix]]:
    """Return the interfaces of a node in a VRF, with the subnets on each."""
    found = {network.interface: list(network.addresses.values()) for network in node.networks if network.vrf == vrf}
    for link in intent.links:
        for end in link.ends:
            if end.node is node and link.vrf == vrf:
                found[end.interface] = list(end.addresses.values())
    for segment in intent.segments:
        if segment.vrf == vrf and node.name in segment.addresses:
            found[segment.interface_of(node)] = list(segment.addresses[node.name].values())
    for uplink in node.uplinks.values():
        if uplink.device and (uplink.vrf or "") == vrf:
            found[uplink.device] = list(uplink.addresses.values())
    return {name: [address.prefix for address in addresses] for name, addresses in found.items()}


def _way(node: Node, route: Route, intent: Intent) -> Iterator[Problem]:
    known = _interfaces_in(node, route.vrf, intent)
    # What could not be read may be an interface or a subnet, too.
    if route.vrf == UNKNOWN or intent.lost_links or intent.lost_segments or {"networks", "uplink", "uplinks", "vrf"} & node.unsure:
        return
    where = f"{node.name} in {vrf_text(route.vrf)}"
    if route.interface is not None and route.interface not in known:
        what = f"{show(route.interface)} is no interface of {where}"
        yield unknown(route.path.at("interface"), what, route.interface, known, "valid interfaces")
        return
    if not known:
        yield Problem(
            route.path.at("vrf"),
            f"is a VRF in which {node.name} has nothing",
            show(route.vrf),
            "name the VRF of one of its networks or links",
        )
        return
    if route.next_hop is None:
        return
    path, text = route.path.at("next_hop"), show(route.next_hop.bare)
    if route.next_hop.version != route.prefix.version:
        yield Problem(path, f"is of another family than {route.prefix}", text, f"write an {TITLE[FAMILY[route.prefix.version]]} address")
        return
    alone = route.next_hop._replace(length={4: 32, 6: 128}[route.next_hop.version]).prefix
    if LINK_LOCAL.holds(alone):
        if route.interface is None:
            yield Problem(path, "is a link-local address, which every interface has", text, "give interface, too")
        return
    subnets = [prefix for name, prefixes in known.items() if route.interface in (None, name) for prefix in prefixes]
    if not any(prefix.holds(alone) for prefix in subnets):
        at = f"{route.interface} of {where}" if route.interface else where
        shown = ", ".join(sorted(str(prefix) for prefix in subnets if prefix.version == alone.version))
        yield Problem(
            path, f"is on no subnet of {at}", text, f"valid: an address of {shown}" if shown else "there is no subnet of that family"
        )


def _aggregate(node: Node, route: Route, intent: Intent) -> Iterator[Problem]:
    if not _speaks(node, route.vrf, intent, ("bgp",)) and not intent.lost_links:
        hint = "only BGP has aggregates; write blackhole: true with published: true"
        yield Problem(route.path.at("aggregate"), f"{node.name} speaks no BGP in {vrf_text(route.vrf)}", hint=hint)
    parts = [prefix for prefix in _there(intent, route.vrf, leaks=True) if route.prefix.holds(prefix) and prefix != route.prefix]
    if not parts and not intent.reading:
        hint = f"an aggregate is there as long as a part of it is; nothing published in {vrf_text(route.vrf)} lies in it"
        yield Problem(route.path.at("prefix"), "would never be advertised", show(str(route.prefix)), hint)


def _there(intent: Intent, vrf: str, *, leaks: bool) -> Iterator[Prefix]:
    """Yield what is published in a VRF. leaks: what comes into it out of another one, too."""
    for node in intent.nodes.values():
        for network in node.networks:
            if network.vrf == vrf and network.published:
                yield from (address.prefix for address in network.addresses.values())
        for route in node.routes:
            if route.vrf == vrf and route.published and (leaks or route.next_hop_vrf is None):
                yield route.prefix
    for segment in intent.segments:
        if segment.vrf == vrf and segment.options.published:
            yield from segment.prefixes.values()
    for container in intent.containers:
        if container.segment.vrf == vrf:
            yield from (address.prefix for address, _path in container.networks)


def _speaks(node: Node, vrf: str, intent: Intent, protocols: tuple[str, ...] = _ROUTED) -> bool:
    """Tell whether a node has a neighbor in a VRF that it could advertise something to by one of some protocols."""
    over_links = any(link.vrf == vrf and link.routing in protocols and node in (end.node for end in link.ends) for link in intent.links)
    to_containers = any(item.segment.gateway is node and item.segment.vrf == vrf for item in intent.containers)
    return over_links or ("bgp" in protocols and to_containers)


def _published(node: Node, route: Route, intent: Intent) -> Iterator[Problem]:
    path, text = route.path.at("prefix"), show(str(route.prefix))
    if not route.aggregate and not _speaks(node, route.vrf, intent) and not intent.lost_links:
        what = f"is to be advertised, and {node.name} has no session in {vrf_text(route.vrf)}"
        yield Problem(route.path.at("published"), what, "true", "leave it out, or give the node a link with routing there")
    if route.prefix.length in LINK_LENGTHS[route.prefix.version]:
        yield Problem(
            path, "has the length of a link's prefix, which is never advertised", text, "write a shorter prefix, or one of a single address"
        )
    pools = intent.vrf(route.vrf).pools
    for name, pool in (("links", pools.links), ("loopbacks", pools.loopbacks)):
        other = pool.get(FAMILY[route.prefix.version])
        if other is not None and other.holds(route.prefix):
            yield Problem(
                path, f"lies inside {pools.path}.{name} ({other}), whose prefixes are not advertised", text, "leave published out"
            )
    for other_node in intent.nodes.values():
        for network in other_node.networks:
            if network.vrf == route.vrf and any(address.prefix == route.prefix for address in network.addresses.values()):
                yield Problem(path, f"is the prefix of {network.path}", text, "the two would be advertised as one; keep one")


def exit_problems(intent: Intent) -> Iterator[Problem]:
    """Exits whose uplink or gateway is not there, that would not be advertised, and whose order is not one."""
    pairs: dict[tuple[str, str, str], Place] = {}
    for item in intent.exits:
        yield from _managed(item.node, item.path.at("node"))
        if item.vrf == UNKNOWN or item.broken:
            continue
        yield from _exit_vrf(item, intent)
        if item.vrf:
            yield from _exit_uplink(item, intent)
        yield from _exit_order(item, intent)
        key = (item.node.name, item.vrf, item.label)
        if key in pairs:
            yield Problem(item.path, f"is the same as {pairs[key]}", hint="name another uplink, VRF or node")
        pairs.setdefault(key, item.path)
    yield from _reserves(intent)


def _exit_vrf(item: Exit, intent: Intent) -> Iterator[Problem]:
    path, node = item.path.at("vrf"), item.node
    if not item.vrf:
        hint = "there the default routes of the uplinks are, which each node needs for its tunnels; give the networks a VRF"
        yield Problem(path, "is the default VRF", hint=hint)
        return
    if not _interfaces_in(node, item.vrf, intent) and not node.unsure and not intent.lost_links:
        yield Problem(path, f"is a VRF in which {node.name} has nothing", show(item.vrf), "name the VRF of one of its networks or links")
    for link in intent.links:
        if link.vrf == item.vrf and link.routing == "ospf":
            hint = "OSPF does not hand on the default route of an exit; write routing: bgp there, or choose another VRF"
            yield Problem(path, f"has OSPF on {link.path}", show(item.vrf), hint)
            break
    if not intent.settings.firewall.enabled:
        hint = "answers find back by a rule of the packet filter, which also translates the addresses"
        yield Problem(Place.of("xgn_firewall", "enabled"), f"does not go with {item.path}", "false", hint)
    for route in node.routes:
        if route.vrf == item.vrf and str(route.prefix) in EVERYTHING.values():
            yield Problem(route.path.at("prefix"), f"is also the route of {item.path}", show(str(route.prefix)), "keep one of them")
    for box, entry in intent.settings.services.steering.items():
        into = next((link for link in intent.links if entry.reinject is not None and link.id == entry.reinject.link), None)
        if into is not None and into.vrf == item.vrf and node.name in (box, entry.router):
            what = f"has the default route of the return path of xgn_services.steering.{box}"
            yield Problem(path, what, show(item.vrf), "choose another VRF or node")


def _exit_uplink(item: Exit, intent: Intent) -> Iterator[Problem]:
    uplink, path = item.uplink, item.path.at("uplink")
    if uplink is None:
        if intent.misses_uplink(item.node, item.label):
            yield unknown(path, f"{show(item.label)} is no uplink of {item.node.name}", item.label, item.node.uplinks, "valid uplinks")
        return
    if uplink.unsure:
        return
    if not uplink.device:
        yield Problem(uplink.path.at("device"), f"is required by {item.path}", hint="name the NIC")
    if (uplink.vrf or "") == item.vrf:
        hint = "its default route is there already; give the uplink another VRF, or the default VRF"
        yield Problem(path, f"is in VRF {item.vrf} itself", show(item.label), hint)
    gateways = item.gateways()
    for family, way in uplink.learned.items():
        if family not in gateways:
            hint = f"a route into another VRF names its gateway: write it under {uplink.path}, or leave the address out"
            yield Problem(path, f"has an {TITLE[family]} gateway that only {way.upper()} knows", show(item.label), hint)
    if None in gateways.values() and uplink.vrf:
        hint = f"nobody gives VRF {uplink.vrf} a default route, by which answers are judged; write gateway, or leave the uplink in the default VRF"
        yield Problem(path, "has no gateway, and is in a VRF", show(item.label), hint)
    if not gateways and not uplink.learned:
        yield Problem(path, "has no gateway", show(item.label), f"give {uplink.path} gateway, gateway6 or both")
    for gateway in uplink.gateways:
        if uplink.is_off_link(gateway):
            hint = "write the address of the uplink with the length of a subnet that holds the gateway"
            yield Problem(path, f"has the gateway {gateway.bare}, which is on no subnet of it", show(item.label), hint)


def _exit_order(item: Exit, intent: Intent) -> Iterator[Problem]:
    if item.reserve_of is None:
        return
    path, names = item.path.at("reserve_of"), {other.name: other for other in intent.exits}
    first = names.get(item.reserve_of)
    if first is None:
        if not intent.reading.explains(Place.of("xgn_exits", item.reserve_of)):
            yield unknown(
                path,
                f"{show(item.reserve_of)} is no exit of xgn_exits",
                item.reserve_of,
                [name for name in names if name != item.name],
                "valid exits",
            )
    elif first is item:
        yield Problem(path, "is the exit itself", show(item.reserve_of), "name another one")
    elif first.vrf != item.vrf:
        yield Problem(
            path, f"is an exit of {vrf_text(first.vrf)}, not of {vrf_text(item.vrf)}", show(item.reserve_of), "name one of the same VRF"
        )
    elif first.reserve_of is not None:
        yield Problem(path, "is a reserve itself", show(item.reserve_of), "name the exit that is used first")


def _reserves(intent: Intent) -> Iterator[Problem]:
    """Two reserves of a VRF would each wait for the other; two first exits of one node would be one route."""
    seen: dict[tuple[str, str], Exit] = {}
    for item in intent.exits:
        key = (item.vrf, "") if item.reserve_of is not None else (item.vrf, item.node.name)
        if key in seen:
            if item.reserve_of is not None:
                hint = "with all first ones gone, each of the two would wait for the other; keep one"
                yield Problem(item.path.at("reserve_of"), f"makes it a second reserve of VRF {item.vrf} beside {seen[key].path}", hint=hint)
            elif item.label != seen[key].label:
                hint = f"write reserve_of: {seen[key].name}"
                yield Problem(item.path, f"is a second exit of {item.node.name} from VRF {item.vrf} beside {seen[key].path}", hint=hint)
        seen.setdefault(key, item)


def leak_problems(intent: Intent) -> Iterator[Problem]:
    """Leaks whose VRFs are not at the node, of what is not there, over what is there, and without a way for the answers."""
    pairs = {(leak.source, leak.target) for leak in intent.leaks}
    for leak in intent.leaks:
        yield from _managed(leak.node, leak.path.at("node"))
        yield from _leak_vrfs(leak, intent)
        if (leak.target, leak.source) not in pairs and not intent.reading.told(Place.of("xgn_leaks")):
            what = f"leads from VRF {leak.target} into VRF {leak.source}, and no answer leads back"
            yield Problem(leak.path, what, hint=f"add a leak from {leak.target} to {leak.source} with the prefixes that answers go to")
        for prefix, path in leak.prefixes:
            yield from _leaked(leak, prefix, path, intent)
    yield from _leaks_over_each_other(intent)


def _leak_vrfs(leak: Leak, intent: Intent) -> Iterator[Problem]:
    if leak.source == leak.target:
        yield Problem(leak.path.at("to"), "is the same VRF", show(leak.target), "name another one")
        return
    for key, vrf in (("from", leak.source), ("to", leak.target)):
        if not leak.node.unsure and not intent.lost_links and not _interfaces_in(leak.node, vrf, intent):
            hint = "name a node with a network or a link in both"
            yield Problem(leak.path.at(key), f"is a VRF in which {leak.node.name} has nothing", show(vrf), hint)


def _leaked(leak: Leak, prefix: Prefix, path: Place, intent: Intent) -> Iterator[Problem]:
    text = show(str(prefix))
    if not prefix.length:
        hint = f"give VRF {leak.target} an exit of its own in xgn_exits, over the same uplink if you like"
        yield Problem(path, "is everything", text, hint)
        return
    if not any(map(prefix.holds, _there(intent, leak.source, leaks=False))) and not intent.reading:
        yield Problem(path, f"holds nothing that is published in VRF {leak.source}", text, "write a published prefix of it")
    if prefix.length in LINK_LENGTHS[prefix.version]:
        yield Problem(
            path, "has the length of a link's prefix, which is never advertised", text, "write a shorter prefix, or one of a single address"
        )
    there = set(_there(intent, leak.target, leaks=False))
    # An aggregate leaves room for what lies in it.
    there -= {route.prefix for node in intent.nodes.values() for route in node.routes if route.aggregate and route.vrf == leak.target}
    there |= {subnet for subnets in _interfaces_in(leak.node, leak.target, intent).values() for subnet in subnets}
    for other in sorted(there):
        if prefix.holds(other) or other.holds(prefix):
            what = f"overlaps with {other} in VRF {leak.target}"
            yield Problem(path, what, text, "one table has one way to an address; leave it out, or give one of the two other addresses")
            break


def _leaks_over_each_other(intent: Intent) -> Iterator[Problem]:
    listed = [(leak, prefix, path) for leak in intent.leaks for prefix, path in leak.prefixes if prefix.length]
    for index, (leak, prefix, path) in enumerate(listed):
        for other, taken, place in listed[:index]:
            if other.target != leak.target or not (prefix.holds(taken) or taken.holds(prefix)):
                continue
            if other.source != leak.source or other.node is leak.node:
                yield Problem(
                    path, f"overlaps with {place}", show(str(prefix)), "one table has one way to an address; leave one of them out"
                )
                break
