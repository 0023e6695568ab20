# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes an intent whose form is right still a network that cannot work. Every rule returns all it finds."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.planner import (
    rules_addresses,
    rules_containers,
    rules_links,
    rules_routing,
    rules_services,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.planner.model import Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.problem import Problem

_RULES = (
    rules_addresses.vrf_problems,
    rules_addresses.uplink_problems,
    rules_addresses.network_problems,
    rules_addresses.overlap_problems,
    rules_addresses.loopback_problems,
    rules_links.reserve_problems,
    rules_links.address_problems,
    rules_links.key_problems,
    rules_links.host_problems,
    rules_routing.setting_problems,
    rules_routing.asn_problems,
    rules_routing.session_problems,
    rules_routing.reach_problems,
    rules_routing.shared_asn_problems,
    rules_services.segment_problems,
    rules_services.dns_problems,
    rules_services.docker_problems,
    rules_containers.container_problems,
    rules_services.steering_problems,
    rules_services.firewall_problems,
)


def problems_of(intent: Intent) -> list[Problem]:
    """Return what every rule finds in a numbered intent."""
    return [problem for rule in _RULES for problem in rule(intent)]
