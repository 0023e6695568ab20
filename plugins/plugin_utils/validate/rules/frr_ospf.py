# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for OSPF instances and their interfaces. Ranges are those of FRR's ospfd/ospf_vty.c and ospf6d/ospf6_interface.c."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common import limits
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_policy import names_of, reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import vrf_reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, twice

# What needs a neighbor says nothing on an interface that looks for none.
_ACTIVE_ONLY = ("network", "hello_interval", "dead_interval", "bfd_profile", "password")
# OSPF_AUTH_MD5_SIZE in ospfd/ospf_packet.h; ospfd cuts a longer key off. Of HMAC-SHA-256 a block, the longest key that counts as it is (RFC 2104).
_PASSWORD_MAX = {"frr_ospf": 16, "frr_ospf6": 64}
_HELLO, _DEAD = 10, 40


def ospf_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of OSPF instances for both families."""
    route_maps, profiles = names_of(host, "frr_route_maps"), names_of(host, "frr_bfd_profiles")
    for variable in ("frr_ospf", "frr_ospf6"):
        instances = host.root.views(variable)
        first: dict[str, Place] = {}
        for instance in instances:
            vrf = instance.text("vrf") or DEFAULT_VRF
            if vrf in first:
                yield Problem(instance.path, f"is a second instance in {vrf_text(vrf)}", hint=f"the first stands at {first[vrf]}")
            first.setdefault(vrf, instance.path)
            yield from vrf_reference(host, instance)
            yield from _instance(instance, route_maps)
            for interface in instance.views("interfaces"):
                yield from _interface(host, interface, vrf, _PASSWORD_MAX[variable])
                yield from reference(interface, "bfd_profile", "BFD profile", profiles)
        interfaces = [interface for instance in instances for interface in instance.views("interfaces")]
        yield from twice(((view.at("name"), name) for view in interfaces if (name := view.text("name"))), "interface")


def _instance(instance: View, route_maps: dict[str, None]) -> Iterator[Problem]:
    router_id = instance.text("router_id")
    if router_id is not None:
        yield from limits.router_id_problems(instance.at("router_id"), router_id)
    yield from instance.in_range("reference_bandwidth", 1, 4294967, " Mbit/s")
    for source in instance.views("redistribute"):
        yield from reference(source, "route_map", "route map", route_maps)
    yield from twice(((view.at("source"), origin) for view in instance.views("redistribute") if (origin := view.text("source"))), "source")
    yield from reference(instance, "install_route_map", "route map", route_maps)


def _interface(host: Host, interface: View, vrf: str, longest: int) -> Iterator[Problem]:
    name = interface.text("name")
    if name is not None:
        yield from limits.name_problems(interface.at("name"), name, existing=True)
        actual = host.vrf_of(name)
        if actual is not None and actual != vrf:
            hint = "put it into the instance of its VRF"
            yield interface.problem("name", f"is in {vrf_text(actual)}, and the instance in {vrf_text(vrf)}", hint)
    area = interface.text("area")
    if area is not None:
        yield from limits.area_problems(interface.at("area"), area)
    yield from interface.in_range("cost", 1, 65535)
    yield from interface.in_range("hello_interval", 1, 65535, " seconds")
    yield from interface.in_range("dead_interval", 1, 65535, " seconds")
    if interface.flag("passive"):
        for key in _ACTIVE_ONLY:
            if interface.given(key):
                yield interface.problem(
                    key, "has no effect on a passive interface", "leave it out, or leave out passive", secret=key == "password"
                )
    hello, dead = (
        interface.number(key) if interface.given(key) else default
        for key, default in (("hello_interval", _HELLO), ("dead_interval", _DEAD))
    )
    if hello is not None and dead is not None:
        key, written = ("dead_interval", dead) if interface.given("dead_interval") else ("hello_interval", hello)
        yield from limits.dead_interval_problems(interface.at(key), written, hello, dead)
    password = interface.text("password")
    if password is not None:
        yield from _password(interface, password, longest)


def _password(interface: View, password: str, longest: int) -> Iterator[Problem]:
    size = len(password.encode(errors="surrogatepass"))
    if not password:
        yield Problem(interface.at("password"), "is empty", hint="leave the key out for an adjacency without authentication")
    elif size > longest:
        yield interface.problem("password", "is too long", f"{size} > {longest} bytes", secret=True)
    if any(character.isspace() or not character.isprintable() for character in password):
        yield interface.problem("password", "contains white space or a control character", "FRR reads one word", secret=True)
