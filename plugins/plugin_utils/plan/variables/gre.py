# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role gre for each node."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import GreInterface, GreVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, outer_address, planned, underlay_vrf


class _Options(TypedDict, total=False):
    """What not every tunnel has."""

    peer_interface: str
    key: int
    ttl: int
    pmtudisc: bool
    underlay_vrf: str


def gre_variables(node: Node, shared: Context) -> GreVariables:
    """Return the variables of role gre."""
    tunnels = [_tunnel(link, end, shared) for link, end in shared.links_of(node, "gre")]
    return {"gre_interfaces": tunnels} if tunnels else {}


def _tunnel(link: Link, end: End, shared: Context) -> GreInterface:
    other, given = link.other(end), link.options
    options: _Options = {}
    if other.interface != end.interface:
        options["peer_interface"] = other.interface
    if given.key is not None:
        options["key"] = given.key
    if given.ttl is not None:
        options["ttl"] = given.ttl
    if given.pmtudisc is not None:
        options["pmtudisc"] = given.pmtudisc
    beneath = underlay_vrf(link, end, shared)
    if beneath:
        options["underlay_vrf"] = beneath
    return {
        "name": end.interface,
        "peer": other.node.name,
        "local": outer_address(link, end),
        "remote": planned(other.endpoint),
        "mtu": link.mtu,
        **options,
    }
