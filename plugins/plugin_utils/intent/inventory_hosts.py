# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts of the inventory and nodes of the intent that do not find each other: a name that differs by a letter makes one of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, nearest, show
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import DECLARING

# So many names are listed; of a slice of a large inventory nearly all nodes have no host.
_LISTED = 5
# Names of hosts have much in common.
_ALIKE = 0.8


def unmatched(
    planned: Collection[str], hosts: Mapping[str, Collection[str]], variables: Mapping[str, Any], retired: Collection[str] = ()
) -> list[Problem]:
    """Return the problems of names that only the intent, or only the inventory knows.

    Parameters:
        planned: names of the managed nodes, and of the containers that are routers.
        hosts: names of the inventory's hosts, each with the names of its variables.
        variables: the intent, which is the same for all hosts.
        retired: names of nodes and containers that leave the network, of which the inventory may still have the host.
    """
    found = []
    missing = sorted(set(planned).difference(hosts))
    strangers = [host for host in hosts if host not in planned and host not in retired and not DECLARING.intersection(hosts[host])]
    if missing:
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        names = ", ".join(show(name) for name in missing[:_LISTED]) + more
        text = (
            "is planned, but no host of this inventory has that name"
            if len(missing) == 1
            else "are planned, but no hosts of this inventory have these names"
        )
        hint = "so nothing is applied there; correct the name, add the host, or write managed: false where Ansible does not log in"
        found.append(Problem(EVERYTHING, f"{text}, {hint}", names))
    found += [problem for host in strangers[:_LISTED] if (problem := host_without_node(host, variables))]
    return found


def host_without_node(host: str, variables: Mapping[str, Any]) -> Problem | None:
    """Return the problem of a host for which nothing is planned and which declares nothing itself.

    The roles would make an empty router of it: forwarding, an own FRR, no links.

    Parameters:
        host: its name; no managed node of the intent has it.
        variables: of that host, templated or not.
    """
    if any(variables.get(name) for name in DECLARING):
        return None
    nodes = variables.get("xgn_nodes")
    nodes = nodes if isinstance(nodes, Mapping) else {}
    out = f"or keep it out of this run: --limit 'all:!{host}'"
    if host in nodes:
        hint = f"it would become a router without links; take it out of the inventory, write managed: true, {out}"
        return Problem(
            Place.of("xgn_nodes", host, "managed"), "is false, so that nothing is planned for this host of the inventory", hint=hint
        )
    near = nearest(host, map(str, nodes), _ALIKE)
    meant = f"did you mean the node {near!r}? Else add" if near else "add"
    hint = f"it would become a router without links; {meant} it to xgn_nodes, give it variables of roles, such as vrf_interfaces, {out}"
    return Problem(Place.of("xgn_nodes"), "is a host of the inventory and no node", show(host), hint)
