# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the variables of all roles are made from: the links and segments of each node, the prefix lists, and a few words."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import NotRequired, TypedDict, TypeVar, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import FrrPrefixList, FrrRouteMap
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES, LOOPBACK_DEVICE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import (
    LOOPBACK,
    UPLINK,
    Container,
    End,
    Intent,
    Link,
    Neighbor,
    Node,
    Segment,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.inbound import Inbound
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.learned import Learned
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.sessions import Borders, border_sessions, ospf_parts

_Value = TypeVar("_Value")
ANYCAST_DEVICE = "anycast0"
"""Carries the anycast addresses, and only as long as they are answered."""


class InVrf(TypedDict):
    """The VRF of an entry that lies in one."""

    vrf: NotRequired[str]


@dataclass
class Context:
    """What all hosts share, computed once.

    Attributes:
        links: the links of each node with the node's own end, in the order of their ids.
        segments: the segments each node is a member of.
        lists: the prefix lists of the plan.
        inbound: what is accepted from which neighbor.
    """

    intent: Intent
    inbound: Inbound
    links: dict[str, list[tuple[Link, End]]] = field(default_factory=dict)
    segments: dict[str, list[Segment]] = field(default_factory=dict)
    lists: list[FrrPrefixList] = field(default_factory=list)
    igp_lists: list[FrrPrefixList] = field(default_factory=list)
    maps: dict[str, FrrRouteMap] = field(default_factory=dict)
    # Names of the GoBGP boxes by the router that listens to them.
    steered: dict[str, list[str]] = field(default_factory=dict)
    # Sessions with other borders of the site, by node.
    borders: dict[str, list[Borders]] = field(default_factory=dict)
    # Those that OSPF connects with a node, by its name and the VRF.
    areas: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    # Containers that are routers, by the gateway of their segment.
    containers: dict[str, list[Container]] = field(default_factory=dict)
    # External neighbors by the node that has the session, in the order of their names.
    neighbors: dict[str, list[Neighbor]] = field(default_factory=dict)

    @cached_property
    def learned(self) -> Learned:
        """By which way each node learns what it learns."""
        return Learned(self.intent, self.inbound)

    def links_of(self, node: Node, role: str) -> list[tuple[Link, End]]:
        """Return the links of a node, with its own end, whose interfaces a role makes."""
        return [(link, end) for link, end in self.links.get(node.name, []) if link.kind.role == role]


def context_of(intent: Intent) -> Context:
    """Return what the hosts of a plan share."""
    links: dict[str, list[tuple[Link, End]]] = defaultdict(list)
    for link in sorted(intent.links, key=lambda item: item.id):
        for end in link.ends:
            links[end.node.name].append((link, end))
    segments: dict[str, list[Segment]] = defaultdict(list)
    for segment in sorted(intent.segments, key=lambda item: item.id):
        for node in segment.members:
            segments[node.name].append(segment)
    inbound = Inbound(intent)
    published = policies.prefix_lists(policies.PUBLISHED, policies.published_entries(intent, inbound.origins))
    loopbacks = policies.prefix_lists(policies.LOOPBACKS, policies.loopback_entries(intent))
    shared = Context(intent, inbound, dict(links), dict(segments), published, loopbacks)
    for name, box in sorted(intent.settings.services.steering.items()):
        shared.steered.setdefault(box.router, []).append(name)
    for container in sorted(intent.containers, key=lambda item: item.name):
        shared.containers.setdefault(container.segment.gateway.name, []).append(container)
    for vrf in {link.vrf for link in intent.links if link.routing == "ospf"}:
        for family in FAMILIES:
            for part in ospf_parts(intent, vrf, family):
                for node in part:
                    shared.areas.setdefault((node.name, vrf), set()).update(item.name for item in part)
    for session in border_sessions(intent):
        for node in (session.first, session.second):
            shared.borders.setdefault(node.name, []).append(session)
    for neighbor in sorted(intent.neighbors, key=lambda item: natural_order(item.name)):
        shared.neighbors.setdefault(neighbor.node.name, []).append(neighbor)
    return shared


def secret(variable: str) -> str:
    """Return the reference that stands for a secret in the variables: the plan never sees the secret itself."""
    return "{{ " + variable + " }}"


def loopback_name(vrf: str) -> str:
    """Return the interface that carries the loopback addresses of a VRF: the VRF's device, or lo in the default VRF."""
    return vrf or LOOPBACK_DEVICE


def in_vrf(vrf: str) -> InVrf:
    """Return the key that puts an entry into a VRF; nothing for the default VRF."""
    return {"vrf": vrf} if vrf else {}


def planned(value: _Value | None) -> _Value:
    """Return a value that an intent may lack, where the rules have refused one that does."""
    return cast(_Value, value)


def outer_address(link: Link, end: End) -> str:
    """Return the address that the outer packets of a tunnel without a session of its own leave an end with."""
    # The other end may reach the uplink under another address than the one it has.
    over_uplink = link.options.over == UPLINK
    own = end.uplink.addresses.get(link.outer or "") if end.uplink is not None and over_uplink else None
    return own.bare if own else planned(end.endpoint)


def mark_of(vrf: str, shared: Context) -> int:
    """Return the firewall mark of packets that are routed in a VRF although their socket is in the default VRF: the number of its table."""
    return shared.intent.vrfs[vrf].table


def underlay_vrf(link: Link, end: End, shared: Context) -> str | None:
    """Return the VRF of the outer addresses: beside those of the link beneath, on the loopback, or on the uplink. None for the default VRF."""
    over = link.options.over
    if isinstance(over, int):
        return next(item.vrf for item in shared.intent.links if item.id == over) or None
    if over == LOOPBACK:
        return end.node.vrf or None
    return end.uplink.vrf if end.uplink is not None else None
