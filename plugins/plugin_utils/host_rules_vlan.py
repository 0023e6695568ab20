# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for VLANs and default routes of role vrf."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.host_rules_host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.host_rules_interfaces import name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.host_rules_view import FAMILY, View, address_problems, parse_address, twice
from ansible_collections.xuegao.net.plugins.plugin_utils.problem import Problem, show, unknown


def vlan_problems(host: Host) -> Iterator[Problem]:
    """Report VLANs without what they need, or on a parent that cannot carry them."""
    interfaces = {name: view for view in host.root.views("vrf_interfaces") if (name := view.text("name"))}
    order = list(interfaces)
    tags: list[tuple[str, object]] = []
    for view in host.root.views("vrf_interfaces"):
        name, kind, parent, vlan = view.text("name"), view.text("kind"), view.text("parent"), view.number("vlan")
        if kind != "vlan":
            for key in ("parent", "vlan"):
                if view.given(key):
                    yield view.problem(key, "belongs to a VLAN", "write kind: vlan, or leave it out")
            continue
        for key in ("parent", "vlan"):
            if not view.given(key):
                yield Problem(view.at(key), "is required for a VLAN")
        yield from view.in_range("vlan", 1, 4094)
        if parent is None:
            continue
        if vlan is not None:
            tags.append((view.at("vlan"), f"{parent}.{vlan}"))
        yield from name_problems(view.at("parent"), parent, "interface", existing=True)
        if parent == name:
            yield view.problem("parent", "is the VLAN itself", "name the NIC beneath")
        elif parent in interfaces and interfaces[parent].text("kind") and order.index(parent) > order.index(name or ""):
            yield view.problem("parent", "is made after the VLAN on it", f"put {parent} first")
        elif parent in interfaces:
            below, own = interfaces[parent].number("mtu"), view.number("mtu")
            if below is not None and own is not None and own > below:
                yield view.problem(
                    "mtu", f"is larger than what {parent} carries", f"{own} > {below} bytes, see {interfaces[parent].at('mtu')}"
                )
    yield from twice(tags, "VLAN")


def default_route_problems(host: Host) -> Iterator[Problem]:
    """Report default routes that cannot be, or that exclude each other."""
    made = host.made_vrfs
    places: list[tuple[str, object]] = []
    for view in host.root.views("vrf_default_routes"):
        gateway, interface, vrf = view.text("gateway"), view.text("interface"), view.text("vrf")
        if gateway is not None:
            yield from address_problems(view.at("gateway"), gateway)
        address = parse_address(gateway)
        if address is not None:
            places.append((view.at("gateway"), f"{FAMILY[address.version]} default route of {vrf or 'the main table'}"))
        if interface is not None:
            yield from _on(host, view, interface, vrf)
        if vrf is not None and vrf not in made:
            yield unknown(view.at("vrf"), f"VRF {show(vrf)} is not defined in vrf_vrfs", vrf, made, "VRFs there")
    yield from twice(places, "kind of route")


def _on(host: Host, view: View, interface: str, vrf: str | None) -> Iterator[Problem]:
    yield from name_problems(view.at("interface"), interface, "interface", existing=True)
    actual = host.enslaved.get(interface)
    if actual is not None and actual != (vrf or ""):
        yield view.problem(
            "interface",
            f"is in {actual or 'no VRF'}, and the route in {vrf or 'the main table'}",
            "give the route the VRF of its interface",
        )
