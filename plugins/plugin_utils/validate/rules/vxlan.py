# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for VXLAN interfaces (role vxlan) and for ports of bridges (role vrf)."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import Fit, fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, PORTS, TITLE, VNIS, VXLAN_PORT
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import WIREGUARD_MTU, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import interface_mtu_problems, mac_problems, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, address_problems, parse_address, twice


def vxlan_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of VXLAN interfaces and of bridge ports."""
    vxlans = host.root.views("vxlan_interfaces")
    yield from twice(((view.at("name"), name) for view in vxlans if (name := view.text("name"))), "name")
    # The kernel tells VXLANs apart by VNI and port.
    yield from twice(((view.at("vni"), f"{vni} on port {_port(view)}") for view in vxlans if (vni := view.number("vni"))), "VNI")
    for view in vxlans:
        yield from _vxlan(host, view)
        yield from _underlay(host, view)
    yield from _ports(host)


def _port(view: View) -> int | None:
    return view.number("port") if view.given("port") else VXLAN_PORT


def _vxlan(host: Host, view: View) -> Iterator[Problem]:
    name, mac, vrf = view.text("name"), view.text("mac"), view.text("underlay_vrf")
    if name is not None:
        yield from name_problems(view.at("name"), name, "interface")
        for other in host.root.views("vrf_interfaces"):
            if other.text("name") != name:
                continue
            if other.given("kind"):
                yield other.problem("kind", f"does not fit: role vxlan makes {name}", "leave the key out")
            for key in ("mtu", "mac"):
                if other.given(key):
                    yield other.problem(key, f"belongs to {view.at(key)}", "leave the key out here")
        if name in host.all_vrfs:
            yield view.problem("name", "is the name of a VRF", "choose another name for the interface")
    yield from view.in_range("vni", *VNIS)
    yield from view.in_range("port", *PORTS)
    yield from interface_mtu_problems(host, view)
    if mac is not None:
        yield from mac_problems(view, mac)
    if vrf is not None and vrf not in host.made_vrfs:
        yield unknown(view.at("underlay_vrf"), f"VRF {vrf!r} is not defined in vrf_vrfs", vrf, host.made_vrfs, "VRFs there")
    yield from _ends(view)


def _ends(view: View) -> Iterator[Problem]:
    local = view.text("local")
    own = parse_address(local)
    if local is not None:
        yield from _end(view.at("local"), local)
    remotes = view.texts("remotes")
    if view.data.get("remotes") == []:
        yield Problem(view.at("remotes"), "is empty", hint="name at least one other end")
    for path, text in remotes:
        yield from _end(path, text)
        remote = parse_address(text)
        if own is None or remote is None:
            continue
        if remote == own:
            yield Problem(path, "is the local address", show(text), "remotes are the other ends")
        elif remote.version != own.version:
            yield Problem(
                path, f"is not of the family of {view.at('local')}", show(text), f"all ends are {TITLE[FAMILY[own.version]]} addresses"
            )
    yield from twice(remotes, "address")


def _end(path: Place, text: str) -> Iterator[Problem]:
    yield from address_problems(path, text)
    address = parse_address(text)
    if address is not None and (address.is_multicast or address.is_unspecified):
        yield Problem(path, "is no unicast address", show(text), "a group is replaced by the list of its members")


def _underlay(host: Host, view: View) -> Iterator[Problem]:
    """Report a VXLAN larger than what carries it, where the variables tell the MTU of that."""
    mtu, local = view.number("mtu"), parse_address(view.text("local"))
    if mtu is None or local is None:
        return
    family = FAMILY[local.version]
    holder = next((own.interface for own in host.addresses if own.value.ip == local), None)
    found = _mtu_of(host, holder) if holder is not None else (host.root.number("xgn_uplink_mtu"), host.root.at("xgn_uplink_mtu"))
    if found[0] is None:
        return
    inside: Fit = fit(found[0], "vxlan", family)
    if mtu > inside.mtu:
        enough = found[0] + mtu - inside.mtu
        hint = f"{inside.arithmetic} is the most; the underlay would need {enough}"
        yield view.problem("mtu", f"does not fit {found[1]}", hint)


def _mtu_of(host: Host, interface: str) -> tuple[int | None, Place]:
    """Return the MTU that the variables give an interface, and where."""
    for view in host.root.views("wireguard_interfaces"):
        if view.text("name") == interface:
            return (view.number("mtu") if view.given("mtu") else WIREGUARD_MTU), view.at("mtu")
    for name in ("vrf_interfaces", *(kind.variable for kind in TUNNELS if kind.point_to_point)):
        for view in host.root.views(name):
            if view.text("name") == interface and view.given("mtu"):
                return view.number("mtu"), view.at("mtu")
    return None, EVERYTHING


def _ports(host: Host) -> Iterator[Problem]:
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
