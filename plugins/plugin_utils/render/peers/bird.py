# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A BIRD 2 configuration for a router that Ansible does not manage, from the same variables as a managed one's frr.conf."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrBgp,
    FrrBgpNeighbor,
    FrrPrefixListEntry,
    HostVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, VERSION, bfd_timers
from ansible_collections.xuegao.net.plugins.plugin_utils.render import unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.policy import neighbors_of, permitted, route_maps_of

Variables = HostVariables
# What the filters of both directions begin with.
_TAKE, _TELL = "take", "tell"


def bird_configuration(name: str, variables: Variables) -> str:
    """Return ``bird.conf``; an empty text when the router speaks no BGP. A placeholder stands for the TCP MD5 password.

    Parameters:
        name: the node.
        variables: its variables, as the plan holds them. Addresses and tunnels are not BIRD's to make.
    """
    instances = variables.get("frr_bgp", [])
    if not instances:
        return ""
    lines = [f"# BIRD 2 of {name}, planned by xuegao.net. The addresses and the tunnels must be there: see README.md.", "log syslog all;"]
    lines += [f"router id {instances[0]['router_id']};", "", "protocol device {", "}", ""]
    families = [family for family in FAMILIES if any(_speaks(neighbor, family) for neighbor in neighbors_of(variables))]
    for family in families:
        lines += [f"protocol direct connected_{family} {{", f"  {family};", "}", ""]
        lines += [
            f"protocol kernel kernel_{family} {{",
            f"  {family} {{",
            "    export where source ~ [RTS_BGP, RTS_STATIC];",
            "  };",
            "}",
            "",
        ]
        lines += _static(variables, family)
        lines += _filters(variables, family)
    lines += _bfd(variables)
    for instance in instances:
        for neighbor in instance["neighbors"]:
            lines += [*_session(instance, neighbor), ""]
    return "\n".join(lines)


def _speaks(neighbor: FrrBgpNeighbor, family: str) -> bool:
    return any(item["family"] == family for item in neighbor["families"])


def _static(variables: Variables, family: str) -> Iterator[str]:
    """Yield the way to the other loopbacks: BIRD wants the interface behind a percent sign."""
    routes = [route for route in variables.get("frr_static_routes", []) if (":" in route["prefix"]) == (family == "ipv6")]
    if not routes:
        return
    yield f"protocol static loopbacks_{family} {{"
    yield f"  {family};"
    for route in routes:
        yield f"  route {route['prefix']} via {route['next_hop']}%'{route['interface']}';"
    yield "}"
    yield ""


def _filters(variables: Variables, family: str) -> Iterator[str]:
    """Yield what may come in and what goes out, a filter for each route map of the plan."""
    for words, names in zip((_TAKE, _TELL), route_maps_of(variables, family)):
        for name in names:
            yield from _filter(_name(words, name, family), [_pattern(entry, family) for entry in permitted(variables, name, family)])


def _name(words: str, route_map: str, family: str) -> str:
    return re.sub(r"\W", "_", f"{words}_{route_map}_{family}")


def _pattern(entry: FrrPrefixListEntry, family: str) -> str:
    if "ge" not in entry and "le" not in entry:
        return str(entry["prefix"])
    lowest = entry.get("ge", int(entry["prefix"].rpartition("/")[2]))
    return f"{entry['prefix']}{{{lowest},{entry.get('le', BITS[VERSION[family]])}}}"


def _filter(name: str, prefixes: list[str]) -> Iterator[str]:
    yield f"filter {name} {{"
    if prefixes:
        yield f"  if net ~ [{', '.join(dict.fromkeys(prefixes))}] then accept;"
    yield "  reject;"
    yield "}"
    yield ""


def _bfd(variables: Variables) -> Iterator[str]:
    watched = {neighbor["bfd_profile"]: neighbor for neighbor in neighbors_of(variables) if "bfd_profile" in neighbor}
    profile = next((item for item in variables.get("frr_bfd_profiles", []) if item["name"] in watched), None)
    if profile is None:
        return
    # BIRD's own defaults are other than FRR's, so they always stand here.
    timers = bfd_timers(profile)
    yield "protocol bfd {"
    for where in ('interface "*"', "multihop"):
        yield f"  {where} {{"
        yield f"    min rx interval {timers['receive_interval']} ms;"
        yield f"    min tx interval {timers['transmit_interval']} ms;"
        yield f"    multiplier {timers['detect_multiplier']};"
        yield "  };"
    yield "}"
    yield ""


def _session(instance: FrrBgp, neighbor: FrrBgpNeighbor) -> Iterator[str]:
    version = 6 if ":" in neighbor["address"] else 4
    # Two sessions may lead to one router.
    label = re.sub(r"\W", "_", f"{neighbor['description']}_{neighbor['address']}")
    yield f"protocol bgp {label} {{"
    yield f'  description "{neighbor["description"]}";'
    source = f"{neighbor['update_source']} " if "update_source" in neighbor else ""
    yield f"  local {source}as {instance['asn']};"
    yield f"  neighbor {neighbor['address']} as {neighbor['remote_as']};"
    if "ttl_security_hops" in neighbor:
        yield f"  multihop {neighbor['ttl_security_hops']};"
        yield "  ttl security on;"
    elif "update_source" in neighbor:
        # Between loopbacks the neighbor is on no interface of this router, in the same AS as well.
        yield f"  multihop {neighbor['ebgp_multihop']};" if "ebgp_multihop" in neighbor else "  multihop;"
    else:
        yield "  direct;"
    if "password" in neighbor:
        yield f'  password "{unknown.TCP_PASSWORD}";'
    if "keepalive" in neighbor:
        yield f"  hold time {neighbor['holdtime']};"
        yield f"  keepalive time {neighbor['keepalive']};"
    if "bfd_profile" in neighbor:
        yield "  bfd on;"
    for item in neighbor["families"]:
        family = item["family"]
        yield f"  {family} {{"
        yield f"    import filter {_name(_TAKE, item['route_map_in'], family)};"
        yield f"    export filter {_name(_TELL, item['route_map_out'], family)};"
        if "maximum_prefix" in item:
            yield f"    import limit {item['maximum_prefix']} action restart;"
        # On a session of the other family there is no own address that would serve.
        if version == VERSION[family]:
            yield "    next hop self;"
        yield "  };"
    yield "}"
