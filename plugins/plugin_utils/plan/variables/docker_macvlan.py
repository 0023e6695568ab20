# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role docker_macvlan for each node."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import nth_address
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, Variables


def docker_variables(node: Node, shared: Context) -> Variables:
    """Return the variables of role docker_macvlan."""
    services = shared.intent.settings["xgn_services"]
    found: Variables = {}
    networks = [_docker_network(name, entry, node, shared) for name, entry in services["docker"].items() if node.name in entry["nodes"]]
    if networks:
        found["docker_macvlan_networks"] = networks
        containers = [item for name, entry in services["docker"].items() for item in _containers(name, entry, node, shared)]
        if containers:
            found["docker_macvlan_containers"] = containers
    return found


def _docker_network(name: str, entry: Variables, node: Node, shared: Context) -> Variables:
    segment = next(item for item in shared.intent.segments if item.id == entry["segment"])
    subnets = []
    for family, prefix in segment.prefixes.items():
        subnets.append({"subnet": str(prefix), "gateway": segment.addresses[segment.gateway.name][family].bare})
    return {"name": name, "parent": segment.vxlan, "mtu": segment.mtu, "subnets": subnets}


def _containers(network: str, entry: Variables, node: Node, shared: Context) -> list[Variables]:
    segment = next(item for item in shared.intent.segments if item.id == entry["segment"])
    found = []
    for name, container in entry["containers"].items():
        if container["node"] != node.name:
            continue
        item: Variables = {"name": name, "image": container["image"], "network": network}
        for family, prefix in segment.prefixes.items():
            item[family] = nth_address(prefix, container["number"]).bare
        found.append(item | {"memory": container["memory"], "memory_swap": container["memory_swap"]})
    return found
