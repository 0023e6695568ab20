# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a schema cannot say about the variables of one host: names that must exist, addresses that must fit, packets that must pass.

Most of it is accepted by the programs themselves, which then end in a network that does not work: ``vtysh -C`` takes a neighbor with the
router's own address, wg takes overlapping AllowedIPs, and the kernel takes a tunnel larger than its uplink.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.dns_anycast import dns_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.docker_macvlan import docker_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.failover_test import failover_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.firewall import firewall_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_bgp import bgp_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_bgp_lists import bgp_list_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_build import build_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_lines import own_line_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_ospf import ospf_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_policy import policy_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_rpki import rpki_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_static_routes import route_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.gobgp import gobgp_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.gre import gre_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.l2tp_ipsec import l2tp_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.openvpn import openvpn_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.sysctl import sysctl_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.verify import verify_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import interface_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf_stacked import (
    default_route_problems,
    port_problems,
    stacked_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vxlan import vxlan_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.wireguard import wireguard_problems

_RULES = (
    sysctl_problems,
    interface_problems,
    stacked_problems,
    port_problems,
    default_route_problems,
    wireguard_problems,
    openvpn_problems,
    l2tp_problems,
    vxlan_problems,
    gre_problems,
    docker_problems,
    policy_problems,
    bgp_list_problems,
    rpki_problems,
    route_problems,
    bgp_problems,
    firewall_problems,
    dns_problems,
    ospf_problems,
    gobgp_problems,
    own_line_problems,
    build_problems,
    verify_problems,
    failover_problems,
)


def host_problems(variables: Mapping[str, Any]) -> Findings:
    """Check the variables of one host against the rules of all subjects.

    Parameters:
        variables: the roles' variables by name, and ``xgn_uplink_mtu`` (bytes, what the uplink carries) where it is known. An absent
            variable means that its role is not used or has its default. A value of the wrong type counts as absent, since
            the schema reports it; nothing is raised for any input made of YAML's types.

    Returns:
        Every problem; empty when there is none.
    """
    host = Host(variables)
    return Findings(problem for rule in _RULES for problem in rule(host))
