# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for BGP instances and their neighbors. Ranges are those of FRR's bgpd/bgp_vty.c and bgpd/bgpd.c."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common import limits
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import SECRET, Place, Problem, show, unknown, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import (
    DEFAULT_VRF,
    FAMILY_DEFAULT,
    Host,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_policy import names_of, reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.sysctl import tcp_l3mdev_accept
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import vrf_reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    IPAddress,
    View,
    address_problems,
    line_problems,
    network_problems,
    parse_address,
    parse_network,
    router_problems,
    twice,
)

PASSWORD_MAX = 80  # bgpd.h and the kernel's TCP_MD5SIG_MAXKEYLEN
_DEFAULT = "default"  # FRR's name of the default VRF
_SOURCE_FAMILY = {"ospf": "ipv4", "ospf6": "ipv6"}


def bgp_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of BGP instances."""
    instances = host.root.views("frr_bgp")
    route_maps, profiles = names_of(host, "frr_route_maps"), names_of(host, "frr_bfd_profiles")
    first: dict[str, Place] = {}
    for instance in instances:
        vrf = instance.text("vrf") or DEFAULT_VRF
        if vrf in first:
            yield Problem(instance.path, f"is a second BGP instance in {vrf_text(vrf)}", hint=f"the first stands at {first[vrf]}")
        else:
            first[vrf] = instance.path
        yield from vrf_reference(host, instance)
        yield from _instance(instance, route_maps)
        for neighbor in instance.views("neighbors"):
            yield from _session(host, instance, neighbor, vrf)
            yield from _interface(host, neighbor, vrf)
            yield from _roles(instance, neighbor)
            yield from _timers(neighbor)
            yield from _families(neighbor, route_maps)
            yield from _clients(instance, neighbor)
            yield from reference(neighbor, "bfd_profile", "BFD profile", profiles)
        yield from twice(
            ((one.at("address"), str(parse_address(text) or text)) for one in instance.views("neighbors") if (text := one.text("address"))),
            "neighbor",
        )
        yield from twice(
            ((one.at("interface"), text) for one in instance.views("neighbors") if (text := one.text("interface"))),
            "interface of a neighbor",
        )
        yield from _imports(host, instance, vrf, route_maps)


def _instance(instance: View, route_maps: dict[str, None]) -> Iterator[Problem]:
    yield from asn_problems(instance, "asn")
    yield from router_id_problems(instance, "router_id")
    for path, text in instance.texts("networks"):
        yield from network_problems(path, text)
    yield from twice(((path, str(parse_network(text) or text)) for path, text in instance.texts("networks")), "prefix")
    yield from instance.in_range("maximum_paths", 1, 64)
    yield from _aggregates(instance, route_maps)
    sources: dict[tuple[str, str], Place] = {}
    for view in instance.views("redistribute"):
        yield from reference(view, "route_map", "route map", route_maps)
        source, family = view.text("source"), view.text("family") or FAMILY_DEFAULT
        if source is None:
            continue
        if _SOURCE_FAMILY.get(source, family) != family:
            yield view.problem("source", f"has no {family} routes", f"set family: {_SOURCE_FAMILY[source]}")
        if (source, family) in sources:
            yield view.problem("source", f"is given twice for {family}", f"the first stands at {sources[source, family]}")
        else:
            sources[source, family] = view.at("source")


def _aggregates(instance: View, route_maps: dict[str, None]) -> Iterator[Problem]:
    aggregates = instance.views("aggregates")
    for aggregate in aggregates:
        yield from reference(aggregate, "route_map", "route map", route_maps)
        if aggregate.flag("as_set") and aggregate.given("route_map"):
            yield aggregate.problem(
                "route_map", "does not go with as_set", "keep one of them: bgpd of FRR 10.3 crashes where both are given"
            )
        text = aggregate.text("prefix")
        if text is None:
            continue
        yield from network_problems(aggregate.at("prefix"), text)
        prefix = parse_network(text)
        if prefix is not None and prefix.prefixlen == prefix.max_prefixlen:
            yield aggregate.problem(
                "prefix", "has no more specific prefix", "FRR refuses an aggregate of one address; write it under networks"
            )
    yield from twice(
        ((view.at("prefix"), str(parse_network(text) or text)) for view in aggregates if (text := view.text("prefix"))), "prefix"
    )


def _imports(host: Host, instance: View, vrf: str, route_maps: dict[str, None]) -> Iterator[Problem]:
    """Report what cannot be imported, and a second route map for one family: FRR has one for all of it."""
    there = [view.text("vrf") or _DEFAULT for view in host.root.views("frr_bgp")]
    first: dict[str, View] = {}
    imports = instance.views("imports")
    for view in imports:
        yield from reference(view, "route_map", "route map", route_maps)
        source, family = view.text("vrf"), view.text("family") or FAMILY_DEFAULT
        if source == (vrf or _DEFAULT):
            yield view.problem("vrf", "is the VRF of this instance itself", "name the VRF whose routes are taken over")
        elif source is not None and source not in there:
            message = f"there is no BGP instance in VRF {show(source)}"
            yield unknown(view.at("vrf"), message, source, [name for name in there if name != (vrf or _DEFAULT)], "instances there")
        former = first.setdefault(family, view)
        if former.text("route_map") != view.text("route_map"):
            yield Problem(
                view.at("route_map"),
                f"is not that of the other imports of {family}",
                show(view.data.get("route_map")),
                f"FRR has one route map for all; see {former.path}, and tell VRFs apart in it by match source-vrf",
            )
    yield from twice(
        ((view.at("vrf"), f"{text} {view.text('family') or FAMILY_DEFAULT}") for view in imports if (text := view.text("vrf"))), "import"
    )


def asn_problems(view: View, key: str) -> Iterator[Problem]:
    """Report what is no AS number, or one that no router may have."""
    number = view.number(key)
    if number is not None:
        yield from limits.asn_problems(view.at(key), number)


def router_id_problems(view: View, key: str) -> Iterator[Problem]:
    """Report what is no router ID."""
    router_id = view.text(key)
    if router_id is not None:
        yield from limits.router_id_problems(view.at(key), router_id)


def _session(host: Host, instance: View, neighbor: View, vrf: str) -> Iterator[Problem]:
    """Report what keeps the TCP session from coming up."""
    yield from asn_problems(neighbor, "remote_as")
    asn, remote_as = instance.number("asn"), neighbor.number("remote_as")
    external = asn is not None and remote_as is not None and asn != remote_as
    internal = asn is not None and asn == remote_as
    text = neighbor.text("address")
    address = parse_address(text)
    if text is not None:
        yield from address_problems(neighbor.at("address"), text)
    if address is not None:
        yield from _peer_address(host, neighbor, address, vrf, external=external)
    yield from update_source_problems(host, neighbor, "update_source", address, vrf)
    yield from _hops(neighbor, internal=internal)
    password = neighbor.text("password")
    if password is not None:
        yield from password_problems(host, neighbor, password, vrf)
    description = neighbor.text("description")
    if description is not None:
        yield from line_problems(neighbor.at("description"), description)


def _interface(host: Host, neighbor: View, vrf: str) -> Iterator[Problem]:
    """Report a neighbor with neither address nor interface, or with both, and what an interface cannot be together with."""
    name = neighbor.text("interface")
    if neighbor.given("address") and neighbor.given("interface"):
        yield neighbor.problem("interface", "does not go with address", "keep one: interface for a neighbor that has no known address")
    elif not neighbor.given("address") and not neighbor.given("interface"):
        yield Problem(neighbor.path, "has neither address nor interface", hint="give one of them")
    if name is None:
        return
    yield from limits.name_problems(neighbor.at("interface"), name, existing=True)
    actual = host.vrf_of(name)
    if actual is not None and actual != vrf:
        hint = "put the neighbor into the instance of its VRF"
        yield neighbor.problem("interface", f"is in {vrf_text(actual)}, and the instance in {vrf_text(vrf)}", hint)
    for key in ("update_source", "ebgp_multihop"):
        if neighbor.given(key):
            yield neighbor.problem(
                key, "does not go with interface", "leave it out: the session goes between the link-local addresses of the link"
            )


def _roles(instance: View, neighbor: View) -> Iterator[Problem]:
    """Report what FRR takes for neighbors of another AS alone, given for one of the same."""
    if neighbor.flag("strict_role") and not neighbor.given("local_role"):
        yield neighbor.problem("strict_role", "goes with local_role", "give that too, or leave this out")
    asn = instance.number("asn")
    internal = asn is not None and asn == neighbor.number("remote_as")
    if internal and neighbor.given("local_role"):
        yield neighbor.problem("local_role", "does not go with a neighbor of the same AS", "leave it out")
    for view in neighbor.views("families"):
        if internal and view.flag("remove_private_as"):
            yield view.problem("remove_private_as", "does not go with a neighbor of the same AS", "leave it out")


def _peer_address(host: Host, neighbor: View, address: IPAddress, vrf: str, *, external: bool) -> Iterator[Problem]:
    own = host.own(address, vrf)
    if own is not None:
        yield neighbor.problem("address", "is this router's own address", f"it stands at {own.path}; write the address of the other router")
        return
    unfit = list(router_problems(neighbor.at("address"), neighbor.text("address") or ""))
    yield from unfit
    if (
        external
        and not unfit
        and not neighbor.given("ebgp_multihop")
        and not neighbor.given("ttl_security_hops")
        and not host.may_be_connected(address, vrf)
    ):
        yield neighbor.problem(
            "address",
            f"is not directly connected: no address in frr_interfaces shares a subnet with it in {vrf_text(vrf)}",
            "give ebgp_multihop (2 to 254), or list the address of the interface that leads to it",
        )


def update_source_problems(host: Host, neighbor: View, key: str, address: IPAddress | None, vrf: str) -> Iterator[Problem]:
    """Report a source address that is not this host's, or not of the neighbor's family."""
    text = neighbor.text(key)
    if text is None:
        return
    yield from address_problems(neighbor.at(key), text)
    source = parse_address(text)
    if source is None:
        return
    if address is not None and source.version != address.version:
        yield neighbor.problem(key, f"is not an {FAMILY[address.version]} address like {address}")
    elif source == address:
        yield neighbor.problem(key, "is the address of the neighbor", "write an address of this host")
    elif not host.may_be_own(source, vrf):
        valid = [str(own.value.ip) for own in host.addresses if own.vrf in (vrf, None) and own.value.version == source.version]
        yield neighbor.problem(key, f"is no address of this host in {vrf_text(vrf)}", f"addresses there: {', '.join(valid)}")


def _hops(neighbor: View, *, internal: bool) -> Iterator[Problem]:
    hops = neighbor.number("ebgp_multihop")
    if hops is not None:
        if hops == 1:
            yield neighbor.problem("ebgp_multihop", "is the default", "leave the key out for a neighbor on a shared subnet")
        elif hops == 255:
            yield neighbor.problem(
                "ebgp_multihop", "is not kept by FRR as it is written, so that every run would change it again", "valid: 2 to 254"
            )
        else:
            yield from neighbor.in_range("ebgp_multihop", 2, 254)
        if internal:
            yield neighbor.problem("ebgp_multihop", "does not go with an iBGP neighbor", "leave the key out: iBGP has no limit")
        if neighbor.given("ttl_security_hops"):
            hint = "keep one: ttl_security_hops for a known distance, ebgp_multihop otherwise"
            yield neighbor.problem("ebgp_multihop", "does not go with ttl_security_hops", hint)
    yield from neighbor.in_range("ttl_security_hops", 1, 254)


def password_problems(host: Host, neighbor: View, password: str, vrf: str) -> Iterator[Problem]:
    """Report a TCP MD5 password that cannot work."""
    size = len(password.encode(errors="surrogatepass"))
    if not password:
        yield Problem(neighbor.at("password"), "is empty", hint="leave the key out for a session without password")
    elif size > PASSWORD_MAX:
        yield neighbor.problem("password", "is too long", f"{size} > {PASSWORD_MAX} bytes", secret=True)
    if any(character.isspace() or not character.isprintable() for character in password):
        yield neighbor.problem("password", "contains white space or a control character", "FRR reads one word", secret=True)
    accept = tcp_l3mdev_accept(host)
    if vrf and accept is not None:
        yield Problem(
            neighbor.at("password"),
            f"does not work in {vrf_text(vrf)} together with {accept}=1",
            SECRET,
            f"the kernel looks for the password outside of the VRF; set {accept} to 0: FRR opens its sockets per VRF",
        )


def _timers(neighbor: View) -> Iterator[Problem]:
    """Report timers that FRR refuses, or stores other than they are written."""
    keepalive_at, holdtime_at = neighbor.at("keepalive"), neighbor.at("holdtime")
    yield from limits.bgp_timers_missing(keepalive_at, holdtime_at, neighbor.given("keepalive"), neighbor.given("holdtime"))
    keepalive, holdtime = neighbor.number("keepalive"), neighbor.number("holdtime")
    yield from limits.bgp_timer_problems(keepalive_at, holdtime_at, keepalive, holdtime, never=True)


def _clients(instance: View, neighbor: View) -> Iterator[Problem]:
    """Report a route reflector's client in another AS: bgpd refuses it."""
    asn, remote_as = instance.number("asn"), neighbor.number("remote_as")
    for view in neighbor.views("families"):
        if view.flag("route_reflector_client") and None not in (asn, remote_as) and asn != remote_as:
            hint = f"own AS {asn}, neighbor AS {remote_as}"
            yield view.problem("route_reflector_client", "does not go with a neighbor of another AS", hint)


def _families(neighbor: View, route_maps: dict[str, None]) -> Iterator[Problem]:
    views = neighbor.views("families")
    if neighbor.data.get("families") in ([], ()):
        yield Problem(neighbor.at("families"), "is empty", hint="a neighbor without an address family exchanges nothing")
    for view in views:
        yield from reference(view, "route_map_in", "route map", route_maps)
        yield from reference(view, "route_map_out", "route map", route_maps)
        yield from reference(view, "default_originate_route_map", "route map", route_maps)
        if view.given("default_originate_route_map") and not view.flag("default_originate"):
            yield view.problem("default_originate_route_map", "goes with default_originate", "give that too, or leave this out")
        yield from view.in_range("maximum_prefix", 1, 4294967295)
        yield from view.in_range("maximum_prefix_restart", 1, 65535, " minutes")
        if view.given("maximum_prefix_restart") and not view.given("maximum_prefix"):
            yield view.problem("maximum_prefix_restart", "goes with maximum_prefix", "give that too, or leave this out")
    yield from twice(((view.at("family"), family) for view in views if (family := view.text("family"))), "family")
