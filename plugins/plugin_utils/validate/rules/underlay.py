# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules that VXLANs and GRE tunnels share: their entries beside those of role vrf, their ends, and what they travel over."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import Fit, fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, TITLE, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import interface_mtu_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, address_problems, host_problems, parse_address


def made_problems(host: Host, view: View, role: str) -> Iterator[Problem]:
    """Report what is wrong with name, MTU and underlay VRF of a tunnel that role vrf makes.

    Parameters:
        host: the variables.
        view: the tunnel.
        role: the role whose variable has it.
    """
    name, vrf = view.text("name"), view.text("underlay_vrf")
    if name is not None:
        yield from name_problems(view.at("name"), name)
        for other in host.root.views("vrf_interfaces"):
            if other.text("name") != name:
                continue
            if other.given("kind"):
                yield other.problem("kind", f"does not fit: role {role} makes {name}", "leave the key out")
            for key in ("mtu", "mac"):
                if other.given(key):
                    yield other.problem(key, f"belongs to {view.at(key)}", "leave the key out here")
        if name in host.all_vrfs:
            yield view.problem("name", "is the name of a VRF", "choose another name for the interface")
    yield from interface_mtu_problems(host, view)
    if vrf is not None and vrf not in host.made_vrfs:
        yield unknown(view.at("underlay_vrf"), f"VRF {vrf!r} is not defined in vrf_vrfs", vrf, host.made_vrfs, "VRFs there")


def end_problems(path: Place, text: str) -> Iterator[Problem]:
    """Report what is no address of one host: a group of VXLAN is replaced by the list of its members, and GRE has one other end."""
    yield from address_problems(path, text)
    yield from host_problems(path, text)


def remote_problems(view: View, path: Place, text: str) -> Iterator[Problem]:
    """Report a remote address that is the local one, or not of its family."""
    own, remote = parse_address(view.text("local")), parse_address(text)
    if own is None or remote is None:
        return
    if remote == own:
        yield Problem(path, "is the local address", show(text), "remotes are the other ends")
    elif remote.version != own.version:
        yield Problem(
            path, f"is not of the family of {view.at('local')}", show(text), f"all ends are {TITLE[FAMILY[own.version]]} addresses"
        )


def room_problems(host: Host, view: View, layer: str) -> Iterator[Problem]:
    """Report a tunnel larger than what carries it, where the variables tell the MTU of that.

    Parameters:
        host: the variables.
        view: the tunnel.
        layer: a name of `encapsulation.LAYERS`.
    """
    mtu, local = view.number("mtu"), parse_address(view.text("local"))
    if mtu is None or local is None:
        return
    family = FAMILY[local.version]
    holder = next((own.interface for own in host.addresses if own.value.ip == local), None)
    found = _mtu_of(host, holder) if holder is not None else (host.root.number("xgn_uplink_mtu"), host.root.at("xgn_uplink_mtu"))
    if found[0] is None:
        return
    inside: Fit = fit(found[0], layer, family)
    if mtu > inside.mtu:
        enough = found[0] + mtu - inside.mtu
        hint = f"{inside.arithmetic} is the most; the underlay would need {enough}"
        yield view.problem("mtu", f"does not fit {found[1]}", hint)


def _mtu_of(host: Host, interface: str) -> tuple[int | None, Place]:
    """Return the MTU that the variables give an interface, and where."""
    sources = [*((kind.variable, kind.usual_mtu) for kind in TUNNELS if kind.point_to_point), ("vrf_interfaces", None)]
    for view, usual in ((view, usual) for variable, usual in sources for view in host.root.views(variable)):
        if view.text("name") == interface and (view.given("mtu") or usual is not None):
            return (view.number("mtu") if view.given("mtu") else usual), view.at("mtu")
    return None, EVERYTHING
