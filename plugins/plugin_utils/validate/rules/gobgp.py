# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for role gobgp. ``gobgpd --dry-run`` reads syntax only: it takes any text for a router ID, an address or a prefix."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, VRF_NAMES, bgp_timer_problems, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, unknown, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_bgp import (
    asn_problems,
    password_problems,
    router_id_problems,
    update_source_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    View,
    address_problems,
    host_problems,
    network_problems,
    parse_address,
    parse_network,
    router_problems,
    twice,
    unit_problems,
)


def gobgp_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of a steering box."""
    root = host.root
    if not root.given("gobgp_asn"):
        return
    yield from asn_problems(root, "gobgp_asn")
    if not root.given("gobgp_router_id"):
        yield Problem(root.at("gobgp_router_id"), "is required", hint="gobgp_asn asks for a steering box")
    yield from router_id_problems(root, "gobgp_router_id")
    vrf = root.text("gobgp_vrf") or DEFAULT_VRF
    if vrf and not host.made_vrfs:
        yield from name_problems(root.at("gobgp_vrf"), vrf, VRF_NAMES)
    elif vrf and host.made_vrfs and vrf not in host.made_vrfs:
        yield unknown(root.at("gobgp_vrf"), f"VRF {vrf!r} is not defined in vrf_vrfs", vrf, host.made_vrfs, "VRFs there")
    for path, text in root.texts("gobgp_prefixes"):
        yield from network_problems(path, text)
    yield from twice(((path, str(parse_network(text) or text)) for path, text in root.texts("gobgp_prefixes")), "prefix")
    yield from _next_hops(root)
    neighbors = root.views("gobgp_neighbors")
    for neighbor in neighbors:
        yield from _neighbor(host, neighbor, vrf)
    yield from twice(((view.at("address"), address) for view in neighbors if (address := view.text("address"))), "address")
    yield from _timers(root)
    yield from _health(root)
    for path, text in root.texts("gobgp_after_units"):
        yield from unit_problems(path, text)


def _next_hops(root: View) -> Iterator[Problem]:
    given = root.data.get("gobgp_next_hops")
    hops = View(given if isinstance(given, dict) else {}, root.at("gobgp_next_hops"))
    for family in ("ipv4", "ipv6"):
        hop = hops.text(family)
        if hop is None:
            continue
        yield from address_problems(hops.at(family), hop)
        address = parse_address(hop)
        if address is not None and FAMILY[address.version] != family:
            yield hops.problem(family, f"is an {FAMILY[address.version]} address")
        yield from host_problems(hops.at(family), hop)


def _neighbor(host: Host, neighbor: View, vrf: str) -> Iterator[Problem]:
    yield from asn_problems(neighbor, "remote_as")
    text = neighbor.text("address")
    address = parse_address(text)
    if text is not None:
        yield from address_problems(neighbor.at("address"), text)
    if address is not None:
        own = host.own(address, vrf)
        if own is not None:
            hint = f"it stands at {own.path}; the router must be another host in {vrf_text(vrf)}"
            yield neighbor.problem("address", "is this box's own address", hint)
        else:
            yield from router_problems(neighbor.at("address"), text or "")
    yield from update_source_problems(host, neighbor, "local_address", address, vrf)
    yield from neighbor.in_range("ebgp_multihop", 2, 254)
    if neighbor.given("ebgp_multihop") and neighbor.number("remote_as") == host.root.number("gobgp_asn"):
        yield neighbor.problem("ebgp_multihop", "does not go with an iBGP neighbor", "leave the key out: iBGP has no limit")
    password = neighbor.text("password")
    if password is not None:
        yield from password_problems(host, neighbor, password, vrf)
        if re.search(r'["\\]', password):
            yield neighbor.problem("password", "has a quote or a backslash", "use other characters", secret=True)


def _timers(root: View) -> Iterator[Problem]:
    yield from bgp_timer_problems(
        root.at("gobgp_keepalive"), root.at("gobgp_holdtime"), root.number("gobgp_keepalive"), root.number("gobgp_holdtime")
    )


def _health(root: View) -> Iterator[Problem]:
    given = root.data.get("gobgp_health")
    health = View(given if isinstance(given, dict) else {}, root.at("gobgp_health"))
    command = health.text("command")
    if command is not None:
        try:
            words = shlex.split(command)
        except ValueError as error:
            yield health.problem("command", f"cannot be split into words: {error}")
        else:
            if not words:
                yield health.problem("command", "is empty")
            for word in words:
                if word in ("|", "||", "&&", ";", ">", "<"):
                    yield health.problem("command", f"has {word!r}, and no shell runs it", "put it into a script")
                    break
    yield from health.in_range("interval", 1, 3600, " seconds")
    yield from health.in_range("timeout", 1, 3600, " seconds")
    yield from health.in_range("fall", 1, 100)
    yield from health.in_range("rise", 1, 100)
    interval, timeout = health.number("interval") or 5, health.number("timeout") or 3
    if timeout > interval and health.given("timeout"):
        yield health.problem("timeout", "is longer than the interval", f"at most {interval}")
    elif timeout > interval:
        yield health.problem("interval", f"is shorter than the timeout of {timeout} s", "give timeout too")
