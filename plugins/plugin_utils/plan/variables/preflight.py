# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host is in the plan: recorded with what it applies, it is how a later plan knows the host again."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import PreflightNode, PreflightNodeLink, PreflightVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Container, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context


def node_variables(node: Node, shared: Context) -> PreflightVariables:
    """Return what a node is."""
    found: PreflightNode = {"id": node.id}
    if node.site:
        found["site"] = node.site
    links: list[PreflightNodeLink] = [
        {"id": link.id, "type": link.type, "peer": link.other(end).node.name, "interface": end.interface}
        for link, end in shared.links.get(node.name, [])
    ]
    if links:
        found["links"] = links
    return {"preflight_node": found}


def container_node(container: Container) -> PreflightVariables:
    """Return what a container is that is a router."""
    return {"preflight_node": {"runs_on": container.node.name}}
