# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role sysctl for each node."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import SysctlVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, underlay_vrf


def sysctl_variables(node: Node, shared: Context) -> SysctlVariables:
    """Return the variables of role sysctl that differ from its defaults."""
    kernel = shared.intent.settings.kernel
    found: SysctlVariables = {}
    if kernel.tcp_l3mdev_accept:
        found["sysctl_tcp_l3mdev_accept"] = 1
    outside = any(link.kind.main_socket and underlay_vrf(link, end, shared) for link, end in shared.links.get(node.name, []))
    if kernel.udp_l3mdev_accept or outside:
        found["sysctl_udp_l3mdev_accept"] = 1
    hear = [uplink.device for uplink in node.uplinks.values() if uplink.device and uplink.hears_routers]
    if hear:
        found["sysctl_hears_routers"] = hear
    return found
