# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role docker_macvlan for each node."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import nth_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    DockerMacvlanContainer,
    DockerMacvlanNetwork,
    DockerMacvlanNetworkSubnet,
    DockerMacvlanVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Node
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.settings import DockerNetwork
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context


def docker_variables(node: Node, shared: Context) -> DockerMacvlanVariables:
    """Return the variables of role docker_macvlan."""
    services = shared.intent.settings.services
    found: DockerMacvlanVariables = {}
    networks = [_docker_network(name, entry, node, shared) for name, entry in services.docker.items() if node.name in entry.nodes]
    if networks:
        found["docker_macvlan_networks"] = networks
        containers = [item for name, entry in services.docker.items() for item in _containers(name, entry, node, shared)]
        if containers:
            found["docker_macvlan_containers"] = containers
    return found


def _docker_network(name: str, entry: DockerNetwork, node: Node, shared: Context) -> DockerMacvlanNetwork:
    segment = next(item for item in shared.intent.segments if item.id == entry.segment)
    subnets: list[DockerMacvlanNetworkSubnet] = []
    for family, prefix in segment.prefixes.items():
        subnets.append({"subnet": str(prefix), "gateway": segment.addresses[segment.gateway.name][family].bare})
    return {"name": name, "parent": segment.vxlan, "mtu": segment.mtu, "subnets": subnets}


def _containers(network: str, entry: DockerNetwork, node: Node, shared: Context) -> list[DockerMacvlanContainer]:
    segment = next(item for item in shared.intent.segments if item.id == entry.segment)
    found: list[DockerMacvlanContainer] = []
    for name, container in entry.containers.items():
        if container.node != node.name:
            continue
        item: DockerMacvlanContainer = {"name": name, "image": container.image, "network": network}
        for family, prefix in segment.prefixes.items():
            address = nth_address(prefix, container.number).bare
            item |= {"ipv4": address} if family == "ipv4" else {"ipv6": address}
        item |= {"memory": container.memory, "memory_swap": container.memory_swap}
        found.append(item)
    return found
