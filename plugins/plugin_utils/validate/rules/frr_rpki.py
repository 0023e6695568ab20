# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for RPKI caches. Ranges are those of FRR's bgpd/bgp_rpki.c."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    View,
    address_problems,
    is_host_name,
    parse_address,
    router_problems,
    twice,
)


def rpki_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of RPKI caches."""
    value = host.root.data.get("frr_rpki")
    if not isinstance(value, Mapping) or not value:
        return
    rpki = View(value, host.root.at("frr_rpki"))
    yield from rpki.in_range("polling_period", 1, 86400, " seconds")
    yield from rpki.in_range("expire_interval", 600, 172800, " seconds")
    yield from rpki.in_range("retry_interval", 1, 7200, " seconds")
    caches = rpki.views("caches")
    if not value.get("caches"):
        yield Problem(rpki.at("caches"), "is empty", hint="name a cache, or leave out frr_rpki")
    elif not host.root.views("frr_bgp"):
        yield Problem(rpki.path, "needs BGP, and there is no instance", hint="give frr_bgp, or leave out frr_rpki")
    for cache in caches:
        yield from cache.in_range("port", 1, 65535)
        yield from cache.in_range("preference", 1, 255)
        yield from _addresses(host, cache)
    yield from twice(
        ((view.at("preference"), number) for view in caches if (number := view.number("preference")) is not None), "preference"
    )
    yield from twice(((view.at("host"), f"{name} {view.number('port')}") for view in caches if (name := view.text("host"))), "cache")


def _addresses(host: Host, cache: View) -> Iterator[Problem]:
    name, source = cache.text("host"), cache.text("source")
    address = parse_address(name)
    if name is not None and address is not None:
        yield from address_problems(cache.at("host"), name)
        yield from router_problems(cache.at("host"), name)
    elif name is not None and not is_host_name(name):
        yield Problem(cache.at("host"), "is neither an address nor a name", show(name))
    if source is None:
        return
    yield from address_problems(cache.at("source"), source)
    own = parse_address(source)
    if own is None:
        return
    if address is not None and own.version != address.version:
        yield cache.problem("source", f"is not an {FAMILY[address.version]} address like {address}")
    elif not host.may_be_own(own, DEFAULT_VRF):
        yield cache.problem("source", "is no address of this host in the default VRF", "the caches are asked from there")
