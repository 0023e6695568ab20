# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for VLANs, macvlan interfaces, ports of bridges and default routes of role vrf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, VLANS, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, address_problems, host_problems, parse_address, twice

_NOUNS = {"vlan": "VLAN", "macvlan": "macvlan interface"}


def stacked_problems(host: Host) -> Iterator[Problem]:
    """Report VLANs and macvlan interfaces without what they need, or on a parent that cannot carry them."""
    vxlans = {name: view for view in host.root.views("vxlan_interfaces") if (name := view.text("name"))}
    members = {name: view for view in host.root.views("vrf_interfaces") if (name := view.text("name"))}
    tags: list[tuple[Place, object]] = []
    for view in host.root.views("vrf_interfaces"):
        kind, parent, vlan = view.text("kind"), view.text("parent"), view.number("vlan")
        if kind != "vlan" and view.given("vlan"):
            yield view.problem("vlan", "belongs to a VLAN", "write kind: vlan, or leave it out")
        for key in ("hears_routers", "asks_dhcp"):
            if view.flag(key) and (view.given("kind") or view.given("unit")):
                yield view.problem(key, "is for a NIC, whose default route comes from its network", "leave the key out")
        if kind not in _NOUNS:
            if view.given("parent"):
                yield view.problem("parent", "belongs to a VLAN or macvlan interface", "write kind: vlan or kind: macvlan, or leave it out")
            continue
        for key in ("parent", "vlan") if kind == "vlan" else ("parent",):
            if not view.given(key):
                yield Problem(view.at(key), f"is required for a {_NOUNS[kind]}")
        if kind == "vlan":
            yield from view.in_range("vlan", *VLANS)
        if parent is None:
            continue
        if kind == "vlan" and vlan is not None:
            tags.append((view.at("vlan"), f"{parent}.{vlan}"))
        yield from name_problems(view.at("parent"), parent, existing=True)
        yield from _parent(view, parent, members, vxlans)
    yield from twice(tags, "VLAN")


def _parent(view: View, parent: str, members: Mapping[str, View], vxlans: Mapping[str, View]) -> Iterator[Problem]:
    """Report a parent that is not there in time or refuses what is to lie on it."""
    name, kind, order = view.text("name") or "", view.text("kind") or "", list(members)
    below = members.get(parent)
    if parent == name:
        yield view.problem("parent", f"is the {_NOUNS[kind]} itself", "name the NIC beneath")
        return
    if below is not None and kind == "macvlan" and below.text("kind") == "macvlan":
        # The kernel would put it on the parent's own parent.
        yield view.problem("parent", "is a macvlan interface, too", f"name what {parent} lies on")
    elif below is not None and kind == "macvlan" and below.text("bridge"):
        yield view.problem("parent", f"is a port of {below.text('bridge')}, and an interface cannot be both", f"use {below.text('bridge')}")
    elif below is not None and below.text("kind") and name in members and order.index(parent) > order.index(name):
        yield view.problem("parent", f"is made after the {_NOUNS[kind]} on it", f"put {parent} first")
    # Role vxlan's, where a VXLAN is in both lists.
    sized = vxlans.get(parent, below)
    if sized is None:
        return
    most, own = sized.number("mtu"), view.number("mtu")
    if most is not None and own is not None and own > most:
        yield view.problem("mtu", f"is larger than what {parent} carries", f"{own} > {most} bytes, see {sized.at('mtu')}")
    mac = view.text("mac")
    if kind == "macvlan" and mac is not None and mac.lower() == (sized.text("mac") or "").lower():
        yield view.problem("mac", f"is that of {parent}", f"see {sized.at('mac')}; the parent needs another one")


def port_problems(host: Host) -> Iterator[Problem]:
    """Report ports of what is no bridge, and ports that are to be in a VRF of their own."""
    kinds = {name: view.text("kind") for view in host.root.views("vrf_interfaces") if (name := view.text("name"))}
    for view in host.root.views("vrf_interfaces"):
        bridge = view.text("bridge")
        if bridge is None:
            continue
        if view.given("vrf"):
            yield view.problem("vrf", f"cannot be: the interface is a port of {bridge}", f"give {bridge} the VRF instead")
        if kinds.get(bridge, "bridge") != "bridge" or bridge == view.text("name"):
            bridges = [name for name, kind in kinds.items() if kind == "bridge"]
            yield unknown(view.at("bridge"), f"{bridge!r} is no bridge", bridge, bridges, "bridges")
        elif bridge not in kinds:
            yield unknown(view.at("bridge"), f"bridge {bridge!r} is not in vrf_interfaces", bridge, kinds, "interfaces there")


def default_route_problems(host: Host) -> Iterator[Problem]:
    """Report default routes that cannot be, or that exclude each other."""
    made = host.made_vrfs
    places: list[tuple[Place, object]] = []
    for view in host.root.views("vrf_default_routes"):
        gateway, interface, vrf = view.text("gateway"), view.text("interface"), view.text("vrf")
        if gateway is not None:
            yield from address_problems(view.at("gateway"), gateway)
            yield from host_problems(view.at("gateway"), gateway)
        address = parse_address(gateway)
        if address is not None:
            places.append((view.at("gateway"), f"{FAMILY[address.version]} default route of {vrf or 'the default VRF'}"))
        if interface is not None:
            yield from _on(host, view, interface, vrf)
        if vrf is not None and vrf not in made:
            yield unknown(view.at("vrf"), f"VRF {show(vrf)} is not defined in vrf_vrfs", vrf, made, "VRFs there")
    yield from twice(places, "kind of route")


def _on(host: Host, view: View, interface: str, vrf: str | None) -> Iterator[Problem]:
    yield from name_problems(view.at("interface"), interface, existing=True)
    actual = host.enslaved.get(interface)
    if actual is not None and actual != (vrf or ""):
        yield view.problem(
            "interface",
            f"is in {actual or 'no VRF'}, and the route in {vrf or 'the default VRF'}",
            "give the route the VRF of its interface",
        )
