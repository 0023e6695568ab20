# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for what role verify is asked to prove."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.module_utils.prefix_rows import of_rows
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, mtu_range
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import any_vrf_reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, address_problems, network_problems, parse_address


def verify_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of verify_reach, verify_routes, verify_learned, verify_other_routes and the limits beside them."""
    for reach in host.root.views("verify_reach"):
        yield from any_vrf_reference(host, reach)
        yield from _reach(host, reach)
    for route in host.root.views("verify_routes"):
        yield from any_vrf_reference(host, route)
        prefix = route.text("prefix")
        if prefix is not None:
            yield from network_problems(route.at("prefix"), prefix)
    for group in host.root.views("verify_learned"):
        yield from any_vrf_reference(host, group)
        for path, row in group.texts("prefixes"):
            yield from _row(path, row)
        yield from _next_hops(group)
    for other in host.root.views("verify_other_routes"):
        yield from any_vrf_reference(host, other)
        for path, prefix in other.texts("prefixes"):
            yield from network_problems(path, prefix)
        yield from _next_hops(other)
    yield from host.root.in_range("verify_handshake_max_age", 1, 86400, " seconds")
    yield from host.root.in_range("verify_wait", 0, 3600, " seconds")


def _row(path: Place, row: str) -> Iterator[Problem]:
    """Report what is neither a prefix nor the first and last of subnets that follow each other."""
    ends = row.split("-")
    found = [problem for end in ends[:2] for problem in network_problems(path, end)]
    yield from found
    if found or len(ends) == 1:
        return
    if len(ends) > 2:
        yield Problem(path, "has more than a first and a last subnet", show(row), "write 10.0.1.0/24-10.0.9.0/24")
        return
    try:
        list(of_rows([row]))
    except ValueError as error:
        yield Problem(path, f"is no row of subnets: {error}", show(row), "write 10.0.1.0/24-10.0.9.0/24")


def _next_hops(entry: View) -> Iterator[Problem]:
    for path, text in entry.texts("next_hops"):
        yield from address_problems(path, text)


def _reach(host: Host, reach: View) -> Iterator[Problem]:
    for key in ("destination", "source"):
        text = reach.text(key)
        if text is not None:
            yield from address_problems(reach.at(key), text)
    destination, source = parse_address(reach.text("destination")), parse_address(reach.text("source"))
    vrf = reach.text("vrf") or DEFAULT_VRF
    if source is not None:
        if destination is not None and source.version != destination.version:
            yield reach.problem("source", f"is not an {FAMILY[destination.version]} address like the destination")
        elif not host.may_be_own(source, vrf):
            yield reach.problem("source", f"is no address of this host in {vrf_text(vrf)}")
    families = (FAMILY[destination.version],) if destination is not None else ()
    yield from reach.in_range("mtu", *mtu_range(families), " bytes")
