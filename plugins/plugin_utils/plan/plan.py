# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan: intent in, the roles' variables of every host out, or every mistake at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.cycle_collector import without_collection
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import tcp_mss
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Problem, report
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.ids import id_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read import read_intent
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import intent_rules
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.numbers import number_all
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables import (
    containers,
    context,
    dns_anycast,
    docker_macvlan,
    failover_test,
    firewall,
    frr,
    gobgp,
    gre,
    l2tp_ipsec,
    openvpn,
    preflight,
    sysctl,
    verify,
    vrf,
    vxlan,
    wireguard,
)


class IntentError(ValueError):
    """An intent with mistakes. `problems` holds all of them; the text is the report for a person."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda problem: (natural_order(str(problem.path)), str(problem)))
        super().__init__(report(self.problems, "the intent"))


class Override(NamedTuple):
    """One thing that a person writes over the plan of a host.

    Attributes:
        layer: the variable that says it.
        sentence: what becomes of the plan by it.
    """

    layer: str
    sentence: str


@dataclass(slots=True)
class Plan:
    """A computed network.

    Attributes:
        hosts: variables of the roles, by inventory name, for every managed node and every container that is a router.
        peers: the same for the nodes Ansible does not manage.
        intent: the numbered intent: nodes, links with MTU and its arithmetic, segments.
        tcp_mss: the largest TCP MSS in bytes that passes every link, by family; empty without links.
        overrides: what people have written over the plan, by host (`overrides.with_overrides`); it is in the variables already.
    """

    hosts: dict[str, HostVariables]
    peers: dict[str, HostVariables]
    intent: Intent
    tcp_mss: dict[str, int]
    overrides: dict[str, list[Override]] = field(default_factory=dict)


def check_intent(raw: Mapping[str, Any], unread: Iterable[Problem] = ()) -> tuple[Intent, Findings]:
    """Read, number and check an intent. Returns the objects and every problem. Parameters as of `read_intent`."""
    intent = read_intent(raw, unread)
    problems = Findings(intent.reading)
    for found in (id_problems(raw, intent), number_all(intent), intent_rules.problems_of(intent)):
        # What is missing because it could not be read is no second mistake.
        problems.extend(problem for problem in found if not intent.reading.told(problem.path))
    return intent, problems


def smallest_mss(intent: Intent) -> dict[str, int]:
    """Return the largest TCP MSS in bytes that passes every link and segment of the network, by family."""
    sizes: dict[str, list[int]] = {}
    for link in intent.links:
        for family in link.families:
            sizes.setdefault(family, []).append(link.mtu)
    for segment in intent.segments:
        for family in segment.prefixes:
            sizes.setdefault(family, []).append(segment.mtu)
    return {family: tcp_mss(min(found), family) for family, found in sizes.items() if found}


def make_plan(raw: Mapping[str, Any], unread: Iterable[Problem] = ()) -> Plan:
    """Compute the plan of an intent.

    Parameters:
        raw: the ``xgn_…`` variables as written; see the data model under ``docs/``.
        unread: what could not even be templated.

    Raises:
        IntentError: the intent has mistakes; all of them are named.
        MissingLibraryError: netaddr is not installed.
    """
    with without_collection():
        return _compute(raw, unread)


def _compute(raw: Mapping[str, Any], unread: Iterable[Problem]) -> Plan:
    intent, problems = check_intent(raw, unread)
    if problems:
        raise IntentError(problems)
    mss = smallest_mss(intent)
    shared = context.context_of(intent)
    managed: dict[str, HostVariables] = {}
    peers: dict[str, HostVariables] = {}
    for node in intent.nodes.values():
        made, routed = vrf.vrf_variables(node, shared), frr.frr_variables(node, shared)
        variables: HostVariables = {
            **preflight.node_variables(node, shared),
            **sysctl.sysctl_variables(node, shared),
            **wireguard.wireguard_variables(node, shared),
            **made,
            **routed,
            **openvpn.openvpn_variables(node, shared),
            **l2tp_ipsec.l2tp_variables(node, shared),
            **vxlan.vxlan_variables(node, shared),
            **gre.gre_variables(node, shared),
            **docker_macvlan.docker_variables(node, shared),
            **gobgp.gobgp_variables(node, shared),
            **dns_anycast.dns_variables(node, shared),
            **firewall.firewall_variables(node, shared, mss, made, routed),
            **verify.verify_variables(node, shared, routed.get("frr_static_routes", [])),
            **failover_test.failover_variables(node, shared),
        }
        (managed if node.managed else peers)[node.name] = variables
    for container in sorted(intent.containers, key=lambda item: item.name):
        managed[container.name] = {**preflight.container_node(container), **containers.container_variables(container, shared)}
    return Plan(managed, peers, intent, mss)
