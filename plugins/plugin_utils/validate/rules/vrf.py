# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for VRFs, interfaces, MTUs and the addresses on them (roles vrf and frr, and the interface names of wireguard)."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    BITS,
    FAMILY,
    LARGEST_MTU,
    LOOPBACK_DEVICE,
    VRF_NAMES,
    host_address_problems,
    mac_problems,
    mtu_problems,
    name_problems,
    table_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, unknown, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import (
    DEFAULT_VRF,
    Host,
    OwnAddress,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    View,
    line_problems,
    parse_address,
    parse_interface,
    twice,
    unit_problems,
)


def interface_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of VRFs, of their member interfaces, and of addresses."""
    yield from _vrfs(host)
    yield from _members(host)
    yield from _mtus(host)
    yield from _frr_interfaces(host)
    yield from _addresses(host)
    yield from _shared_subnets(host)


def vrf_reference(host: Host, view: View, key: str = "vrf") -> Iterator[Problem]:
    """Report a VRF that FRR is told to use and that is not in frr_vrfs."""
    name = view.text(key)
    if name is not None and name not in host.frr_vrfs:
        yield unknown(view.at(key), f"VRF {name!r} is not in frr_vrfs", name, host.frr_vrfs, "VRFs there")


def any_vrf_reference(host: Host, view: View, key: str = "vrf") -> Iterator[Problem]:
    """Report a VRF that neither role knows."""
    name = view.text(key)
    if name is not None and name not in host.all_vrfs:
        yield unknown(view.at(key), f"VRF {name!r} is not defined", name, host.all_vrfs, "defined VRFs")


def _vrfs(host: Host) -> Iterator[Problem]:
    views = host.root.views("vrf_vrfs")
    for view in views:
        yield from view.in_range("fwmark", 1, 4294967295)
    yield from twice(((view.at("fwmark"), mark) for view in views if (mark := view.number("fwmark")) is not None), "mark")
    for view in views:
        name, table = view.text("name"), view.number("table")
        if name is not None:
            yield from name_problems(view.at("name"), name, VRF_NAMES)
        if table is not None:
            yield from table_problems(view.at("table"), table)
    yield from twice(((view.at("name"), name) for view in views if (name := view.text("name"))), "name")
    yield from twice(((view.at("table"), table) for view in views if (table := view.number("table")) is not None), "table")
    for path, name in host.root.texts("frr_vrfs"):
        if host.made_vrfs and name not in host.made_vrfs:
            yield unknown(path, f"VRF {name!r} is not in vrf_vrfs, so nothing makes it", name, host.made_vrfs, "VRFs there")
        elif not host.made_vrfs:
            yield from name_problems(path, name, VRF_NAMES)
    yield from twice(host.root.texts("frr_vrfs"), "VRF")


def _members(host: Host) -> Iterator[Problem]:
    members, tunnels = host.root.views("vrf_interfaces"), host.root.views("wireguard_interfaces")
    tunnel_names = {name: view for view in tunnels if (name := view.text("name"))}
    for view in members:
        name, vrf, mac, unit = view.text("name"), view.text("vrf"), view.text("mac"), view.text("unit")
        if name is not None:
            yield from name_problems(view.at("name"), name, existing=not view.given("kind"))
            if name in host.all_vrfs:
                yield view.problem("name", "is the name of a VRF", "a VRF is a device of its own and needs no entry here")
            if name == LOOPBACK_DEVICE and vrf is not None:
                yield view.problem("vrf", "cannot have lo: the kernel enslaves no loopback", "the device of the VRF is its loopback")
            if name in tunnel_names and view.given("kind"):
                yield view.problem("kind", f"does not fit: role wireguard makes {name}", "leave the key out")
        if vrf is not None and vrf not in host.made_vrfs:
            yield unknown(view.at("vrf"), f"VRF {vrf!r} is not defined in vrf_vrfs", vrf, host.made_vrfs, "VRFs there")
        if mac is not None:
            yield from mac_problems(view.at("mac"), mac)
        if unit is not None:
            yield from unit_problems(view.at("unit"), unit)
    yield from twice(((view.at("name"), name) for view in members if (name := view.text("name"))), "name")
    for view in tunnels:
        name = view.text("name")
        if name is None:
            continue
        yield from name_problems(view.at("name"), name, link_type("wireguard").names)
        if name in host.all_vrfs:
            yield view.problem("name", "is the name of a VRF", "choose another name for the interface")
    yield from twice(((view.at("name"), name) for view in tunnels if (name := view.text("name"))), "name")


def _mtus(host: Host) -> Iterator[Problem]:
    tunnels = {name: view for view in host.root.views("wireguard_interfaces") if (name := view.text("name"))}
    for view in host.root.views("vrf_interfaces"):
        yield from interface_mtu_problems(host, view)
        name, mtu = view.text("name"), view.number("mtu")
        if mtu is None or name not in tunnels:
            continue
        tunnel = tunnels[name]
        tunnel_mtu = tunnel.number("mtu") if tunnel.given("mtu") else link_type("wireguard").usual_mtu
        if tunnel_mtu is not None and tunnel_mtu != mtu:
            yield view.problem(
                "mtu", f"differs from {tunnel.at('mtu')}, which is {tunnel_mtu}", "leave the key out: role wireguard sets it"
            )
    for view in host.root.views("wireguard_interfaces"):
        yield from interface_mtu_problems(host, view)


def interface_mtu_problems(host: Host, view: View, most: int = LARGEST_MTU) -> Iterator[Problem]:
    """Report an MTU that is too small for the addresses of its interface, or too large.

    Parameters:
        host: knows the addresses.
        view: an interface with ``name`` and ``mtu``.
        most: largest MTU in bytes.
    """
    mtu = view.number("mtu")
    if mtu is not None:
        families = {FAMILY[version] for version in host.families.get(view.text("name") or "", ())}
        yield from mtu_problems(view.at("mtu"), mtu, families, most=most)


def entries_of(host: Host, name: str) -> list[View]:
    """Return the entries of vrf_interfaces for an interface."""
    return [view for view in host.root.views("vrf_interfaces") if view.text("name") == name]


def made_by_daemon_problems(host: Host, tunnel: View, role: str, keys: tuple[str, ...]) -> Iterator[Problem]:
    """Report what is wrong with the name of a tunnel that the daemon of another role makes, and with its entries of role vrf.

    Parameters:
        host: the variables.
        tunnel: with its ``name``.
        role: the role whose variable has it.
        keys: of vrf_interfaces, that belong to the role.
    """
    name = tunnel.text("name")
    if name is None:
        return
    yield from name_problems(tunnel.at("name"), name, link_type(role).names)
    if name in host.all_vrfs:
        yield tunnel.problem("name", "is the name of a VRF", "choose another name for the interface")
    for other in entries_of(host, name):
        for key in keys:
            if other.given(key):
                yield other.problem(key, f"does not fit: role {role} makes {name}", "leave the key out here")


def _frr_interfaces(host: Host) -> Iterator[Problem]:
    views = host.root.views("frr_interfaces")
    for view in views:
        name, description = view.text("name"), view.text("description")
        if name is not None:
            yield from name_problems(view.at("name"), name, existing=True)
        if description is not None:
            yield from line_problems(view.at("description"), description)
    yield from twice(((view.at("name"), name) for view in views if (name := view.text("name"))), "name")


def _addresses(host: Host) -> Iterator[Problem]:
    for view in host.root.views("frr_interfaces"):
        for path, text in view.texts("addresses"):
            yield from _address(path, text)
    seen: dict[tuple[object, ...], OwnAddress] = {}
    for own in host.addresses:
        # A link-local address counts on its link only; and where the VRF is unknown, two interfaces may be in different ones.
        place = ("vrf", own.vrf) if own.vrf is not None and not own.value.ip.is_link_local else ("interface", own.interface)
        first = seen.setdefault((*place, own.value.ip), own)
        if first is not own:
            where = f"interface {own.interface}" if own.interface == first.interface else vrf_text(own.vrf or DEFAULT_VRF)
            yield Problem(own.path, f"is given twice in {where}", show(own.text), f"the same address stands at {first.path}")


def _address(path: Place, text: str) -> Iterator[Problem]:
    own = parse_interface(text)
    if own is None:
        bare = parse_address(text)
        hint = (
            f"write {bare}/{BITS[bare.version]}, or the prefix length of its subnet"
            if bare
            else "write one such as 10.0.0.1/24 or 2001:db8::1/64"
        )
        yield Problem(path, "is not an address with prefix length", show(text), hint)
        return
    if str(own) != text:
        yield Problem(path, "is not in canonical form", show(text), f"write {own}")
    yield from host_address_problems(path, show(text), own.version, int(own.ip), own.network.prefixlen)


def _shared_subnets(host: Host) -> Iterator[Problem]:
    """Report subnets of two interfaces that overlap in one VRF: the router could not tell where a destination is.

    A host prefix (/32, /128) inside of another interface's subnet is an ordinary loopback. One sweep over the sorted prefixes.
    """
    by_vrf: dict[tuple[str, int], list[OwnAddress]] = {}
    for own in host.addresses:
        if own.vrf is not None and own.value.network.prefixlen < BITS[own.value.version] and not own.value.ip.is_link_local:
            by_vrf.setdefault((own.vrf, own.value.version), []).append(own)
    for (vrf, _version), addresses in by_vrf.items():
        around: list[OwnAddress] = []
        for own in sorted(addresses, key=lambda one: (int(one.value.network.network_address), one.value.network.prefixlen)):
            start = int(own.value.network.network_address)
            while around and int(around[-1].value.network.broadcast_address) < start:
                around.pop()
            if around and around[-1].interface != own.interface:
                other = around[-1]
                message = f"overlaps {other.text} on {other.interface} in {vrf_text(vrf)}"
                yield Problem(own.path, message, show(own.text), f"see {other.path}; one subnet belongs to one interface")
            around.append(own)
