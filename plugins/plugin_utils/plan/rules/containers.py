# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about containers that are routers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, TITLE, asn_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Container, Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rules.addresses import host_address

# Names that Ansible's inventories or this collection give to groups.
_GROUPS = ("all", "containers", "ungrouped")


def container_problems(intent: Intent) -> Iterator[Problem]:
    """Names, AS numbers and router IDs that others have; gateways without what a session needs; networks outside the plan."""
    names: dict[str, str] = dict.fromkeys(intent.nodes, "a node")
    names |= dict.fromkeys((*intent.selectors, *_GROUPS), "a site or group")
    asns = {node.asn: f"node {node.name}" for node in reversed(intent.nodes.values()) if node.asn is not None}
    routers = {node.router_id: f"node {node.name}" for node in intent.nodes.values() if node.router_id is not None}
    for container in intent.containers:
        yield from _name(container, names)
        yield from _asn(container, asns)
        yield from _session(container)
        if container.router_id in routers:
            path = container.path.at("bgp", "router_id")
            yield Problem(
                path, f"is also the router ID of {routers[container.router_id]}", show(container.router_id), "every router has its own"
            )
        names.setdefault(container.name, f"the container {container.path}")
        asns.setdefault(container.asn, f"container {container.name}")
        if container.router_id is not None:
            routers.setdefault(container.router_id, f"container {container.name}")
        vrf = intent.vrf(container.segment.vrf)
        where, pools = vrf.pools.path, {} if vrf.unsure else vrf.pools.networks
        for address, path in container.networks:
            family = FAMILY[address.version]
            yield from host_address(address, path)
            if family not in container.addresses and (container.unsure or container.segment.broken):
                continue
            if family not in container.addresses:
                hint = f"give {container.segment.path} a prefix of that family"
                yield Problem(
                    path, f"cannot be advertised: the container has no {TITLE[family]} session with its gateway", show(str(address)), hint
                )
            elif family in pools and not pools[family].holds(address.prefix):
                what = f"lies outside {where}.networks.{family} ({pools[family]}), and is to be advertised"
                yield Problem(path, what, show(str(address)), "choose a prefix inside of it, or enlarge the pool")


def _name(container: Container, names: dict[str, str]) -> Iterator[Problem]:
    keys = intent_options()["xgn_nodes"]["keys"]
    if not re.fullmatch(keys["pattern"], container.name):
        yield Problem(container.path, keys["pattern_text"], show(container.name), "it is a host of the inventory")
    elif container.name in names:
        yield Problem(container.path, f"is also the name of {names[container.name]}", show(container.name), "it is a host of the inventory")


def _asn(container: Container, owners: dict[int, str]) -> Iterator[Problem]:
    path = container.path.at("bgp", "asn")
    reserved = list(asn_problems(path, container.asn))
    yield from reserved
    if not reserved and container.asn in owners:
        yield Problem(
            path, f"is also that of {owners[container.asn]}", str(container.asn), "BGP drops routes whose AS path holds the own number"
        )


def _session(container: Container) -> Iterator[Problem]:
    gateway, segment = container.segment.gateway, container.segment
    if "asn" not in gateway.unsure and gateway.asn is None:
        yield Problem(
            container.path.at("bgp"), f"needs an AS number of {gateway.name}, the gateway of {segment.path}", hint=f"set {gateway.path}.asn"
        )
    if "managed" not in gateway.unsure and not gateway.managed:
        what = f"needs a gateway that Ansible manages, and {gateway.name} of {segment.path} is none"
        yield Problem(container.path.at("bgp"), what, hint="leave bgp out, and configure both sides by hand")
