# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes an intent whose form is right still a network that cannot work. Every rule returns all it finds."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rules import (
    addresses,
    containers,
    edge,
    links,
    names,
    propagation,
    routes,
    routing,
    services,
)

_RULES = (
    names.former_name_problems,
    addresses.vrf_problems,
    addresses.uplink_problems,
    addresses.network_problems,
    addresses.overlap_problems,
    addresses.loopback_problems,
    links.reserve_problems,
    links.order_problems,
    links.address_problems,
    links.key_problems,
    links.host_problems,
    links.peer_problems,
    links.learned_problems,
    links.outside_problems,
    links.underlay_problems,
    links.clear_problems,
    routing.setting_problems,
    routing.limit_problems,
    routing.trust_problems,
    routing.asn_problems,
    routing.session_problems,
    routing.reach_problems,
    routing.shared_asn_problems,
    edge.neighbor_problems,
    edge.exchange_problems,
    routes.route_problems,
    routes.exit_problems,
    routes.leak_problems,
    services.segment_problems,
    services.dns_problems,
    services.docker_problems,
    containers.container_problems,
    services.steering_problems,
    services.firewall_problems,
    propagation.propagation_problems,
)


def problems_of(intent: Intent) -> list[Problem]:
    """Return what every rule finds in a numbered intent."""
    return [problem for rule in _RULES for problem in rule(intent)]
