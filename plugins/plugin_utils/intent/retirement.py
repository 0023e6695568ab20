# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nodes that leave the network: they are read like the others, so that every mistake is told, then taken out with all that hangs on them.

What would be left without its one part is refused here, with the place that has to name another: a segment its gateway, a resolver its nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent, Link, Segment
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import DockerNetwork, Services, Steering


def leave_out_retired(intent: Intent, problems: Findings) -> None:
    """Take the retired nodes out of an intent that has been read, but for its containers; they stand in `Intent.retired` then."""
    gone = {name: node for name, node in intent.nodes.items() if node.retired}
    if not gone:
        return
    intent.retired.nodes = gone
    intent.nodes = {name: node for name, node in intent.nodes.items() if name not in gone}
    intent.retired.links = [link for link in intent.links if _ends_at(link, gone)]
    intent.retired.peers = _peers(intent, gone)
    intent.links = [link for link in intent.links if not _ends_at(link, gone)]
    intent.neighbors = [neighbor for neighbor in intent.neighbors if not neighbor.node.retired]
    intent.selectors = {label: [node for node in nodes if not node.retired] for label, nodes in intent.selectors.items()}
    for segment in intent.segments:
        _leave_segment(segment, gone, problems)
    _leave_services(intent, gone, problems)
    _leave_exits(intent, gone, problems)
    intent.leaks = [leak for leak in intent.leaks if leak.node.name not in gone]


def _leave_exits(intent: Intent, gone: Collection[str], problems: Findings) -> None:
    """Leave out the exits of the nodes that leave. The reserve of one of them has to take its place, or to name another one."""
    leaving = {item.name: item for item in intent.exits if item.node.name in gone}
    intent.exits = [item for item in intent.exits if item.name not in leaving]
    for item in intent.exits:
        if item.reserve_of in leaving:
            hint = "take it out, so that this exit is the first one, or name another exit"
            problems.add(Problem(item.path.at("reserve_of"), "is the exit of a node that is retired", show(item.reserve_of), hint))


def _ends_at(link: Link, nodes: Collection[str]) -> bool:
    return any(end.node.name in nodes for end in link.ends)


def _peers(intent: Intent, gone: Collection[str]) -> dict[str, set[str]]:
    """Return the nodes that stay and meet each of those that leave, over a link or in a segment."""
    together = [{end.node.name for end in link.ends} for link in intent.retired.links]
    together += [{node.name for node in segment.members} for segment in intent.segments]
    return {name: {other for names in together if name in names for other in names if other not in gone} for name in gone}


def _leave_segment(segment: Segment, gone: Collection[str], problems: Findings) -> None:
    members = [node for node in segment.members if not node.retired]
    if len(members) == len(segment.members):
        return
    rest = ", ".join(node.name for node in members)
    if segment.gateway.retired:
        hint = f"name another member: {rest or 'none is left'}"
        problems.add(Problem(segment.path.at("gateway"), "is retired", show(segment.gateway.name), hint))
        segment.broken = True
    elif len(members) < 2:
        hint = "take the segment out with what hangs on it, or give it another member"
        problems.add(Problem(segment.path.at("members"), f"has none left but {rest}, as the others are retired", hint=hint))
        segment.broken = True
    segment.members = members
    segment.docker_nodes -= frozenset(gone)
    options = segment.options
    segment.options = replace(options, uplinks=_without(options.uplinks, gone), macs=_without(options.macs, gone))


def _without(values: Mapping[str, str], gone: Collection[str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in gone}


def _leave_services(intent: Intent, gone: Collection[str], problems: Findings) -> None:
    services = intent.settings.services
    was_answered = bool(intent.dns_nodes)
    intent.dns_nodes -= frozenset(gone)
    if was_answered and not intent.dns_nodes:
        hint = "name another node, or take the service out"
        problems.add(Problem(Place.of("xgn_services", "dns", "nodes"), "has none left, as all of them are retired", hint=hint))
    for network in services.docker.values():
        for name, container in network.containers.items():
            if container.node in gone and container.bgp is not None:
                intent.retired.containers[name] = container.node
    docker = {name: _network_without(network, gone) for name, network in services.docker.items()}
    intent.retired.steered = {box: list(entry.prefixes) for box, entry in services.steering.items() if box in gone}
    steering = {box: entry for box, entry in services.steering.items() if box not in gone}
    for box, entry in steering.items():
        _check_steering(box, entry, intent, gone, problems)
    left = Services(services.dns, {name: network for name, network in docker.items() if network.nodes}, steering)
    intent.settings = replace(intent.settings, services=left)


def _network_without(network: DockerNetwork, gone: Collection[str]) -> DockerNetwork:
    containers = {name: container for name, container in network.containers.items() if container.node not in gone}
    return replace(network, nodes=[name for name in network.nodes if name not in gone], containers=containers)


def _check_steering(box: str, entry: Steering, intent: Intent, gone: Collection[str], problems: Findings) -> None:
    path = Place.of("xgn_services", "steering", box)
    if entry.router in gone:
        problems.add(Problem(path.at("router"), "is retired", show(entry.router), "name another router, or take the box out"))
    elif entry.reinject is not None and entry.reinject.into in {link.id for link in intent.retired.links}:
        hint = "name another tunnel of the router, or take the box out"
        problems.add(Problem(path.at("reinject", "into"), "ends at a node that is retired", str(entry.reinject.into), hint))
