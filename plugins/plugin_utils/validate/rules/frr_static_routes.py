# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for static routes."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import vrf_reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    View,
    address_problems,
    host_problems,
    network_problems,
    parse_address,
    parse_network,
    router_problems,
)

_DEFAULT = "default"  # FRR's name of the default VRF


def route_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of static routes."""
    first: dict[tuple[object, ...], Place] = {}
    for route in host.root.views("frr_static_routes"):
        yield from vrf_reference(host, route)
        if route.text("next_hop_vrf") != _DEFAULT:
            yield from vrf_reference(host, route, "next_hop_vrf")
        yield from route.in_range("distance", 1, 255)
        yield from route.in_range("tag", 1, 4294967295)
        yield from _target(route)
        yield from _next_hop(host, route)
        yield from _interface(host, route)
        prefix = route.text("prefix")
        if prefix is None:
            continue
        yield from network_problems(route.at("prefix"), prefix)
        identity = (
            parse_network(prefix) or prefix,
            *(route.text(key) for key in ("vrf", "next_hop")),
            route.flag("blackhole"),
        )
        if identity in first:
            yield route.problem("prefix", "is given twice with the same target", f"the same route stands at {first[identity]}")
        else:
            first[identity] = route.path


def _target(route: View) -> Iterator[Problem]:
    given = [key for key in ("next_hop", "interface", "next_hop_vrf") if route.given(key)]
    if route.flag("blackhole"):
        for key in given:
            yield route.problem(key, "does not go with blackhole", "a route either drops packets or sends them on; keep one")
    elif not set(given) - {"next_hop_vrf"}:
        yield Problem(route.path, "has no target", hint="give next_hop, interface, both of them, or blackhole: true")


def _next_hop(host: Host, route: View) -> Iterator[Problem]:
    text = route.text("next_hop")
    if text is None:
        return
    yield from address_problems(route.at("next_hop"), text)
    address, prefix = parse_address(text), parse_network(route.text("prefix"))
    if address is None:
        return
    if prefix is not None and address.version != prefix.version:
        hint = f"write an {FAMILY[prefix.version]} address"
        yield route.problem("next_hop", f"is an {FAMILY[address.version]} address, and the prefix is {FAMILY[prefix.version]}", hint)
    own = host.own(address, _next_hop_vrf(route))
    if own is not None:
        yield route.problem("next_hop", "is this router's own address", f"it stands at {own.path}; write the address of the other router")
    elif route.given("interface"):
        yield from host_problems(route.at("next_hop"), text)
    else:
        yield from router_problems(route.at("next_hop"), text, "give interface too")


def _interface(host: Host, route: View) -> Iterator[Problem]:
    name = route.text("interface")
    if name is None:
        return
    yield from name_problems(route.at("interface"), name, existing=True)
    vrf, actual = _next_hop_vrf(route), host.vrf_of(name)
    if actual is not None and actual != vrf:
        hint = "give the route the VRF of its interface, or that as next_hop_vrf"
        yield route.problem("interface", f"is in {vrf_text(actual)}, and the route in {vrf_text(vrf)}", hint)


def _next_hop_vrf(route: View) -> str:
    """Return the VRF in which the next hop is looked for."""
    name = route.text("next_hop_vrf") or route.text("vrf") or DEFAULT_VRF
    return DEFAULT_VRF if name == _DEFAULT else name
