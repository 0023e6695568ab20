# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The containers of an intent that are routers, as objects."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import AddressError, nth_address, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import router_id_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Container, Intent, Node, Segment
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import ContainerBgp


def read_containers(intent: Intent, problems: Findings) -> None:
    """Add the containers with BGP to the intent. One whose segment or node is wrong is left out: the rules of Docker name that, and a wrong number."""
    segments = {segment.id: segment for segment in intent.segments}
    for network, entry in intent.settings.services.docker.items():
        segment = segments.get(entry.segment)
        for name, written in entry.containers.items():
            node = intent.nodes.get(written.node)
            if written.bgp is not None and segment is not None and node is not None:
                path = Place.of("xgn_services", "docker", network, "containers", name)
                intent.containers.append(_container(name, path, written.number, written.bgp, node, segment, problems))


def _container(name: str, path: Place, number: int, bgp: ContainerBgp, node: Node, segment: Segment, problems: Findings) -> Container:
    container = Container(name, path, node, segment, bgp.asn, bgp.router_id, bgp.bfd)
    for family, prefix in segment.prefixes.items():
        if number >= prefix.size:
            container.unsure = True
            continue
        container.addresses[family] = nth_address(prefix, number)
    for index, text in enumerate(bgp.networks):
        here = path.at("bgp", "networks", index)
        try:
            container.networks.append((parse_address(text), here))
        except AddressError as error:
            problems.add(Problem(here, str(error)))
    if container.router_id is None:
        if "ipv4" in container.addresses:
            container.router_id = container.addresses["ipv4"].bare
        elif not container.unsure and not problems.explains(segment.path.at("ipv4"), path.at("bgp", "router_id")):
            problems.add(Problem(path.at("bgp", "router_id"), "is required", hint=f"{segment.path} has no IPv4 address to take it from"))
    else:
        problems.extend(router_id_problems(path.at("bgp", "router_id"), container.router_id))
    return container
