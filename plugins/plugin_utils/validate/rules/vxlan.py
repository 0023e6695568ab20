# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for VXLAN interfaces (role vxlan)."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import PORTS, VNIS, VXLAN_PORT, mac_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.underlay import (
    end_problems,
    made_problems,
    remote_problems,
    room_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, twice


def vxlan_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of VXLAN interfaces."""
    vxlans = host.root.views("vxlan_interfaces")
    yield from twice(((view.at("name"), name) for view in vxlans if (name := view.text("name"))), "name")
    # The kernel tells VXLANs apart by VNI and port.
    yield from twice(((view.at("vni"), f"{vni} on port {_port(view)}") for view in vxlans if (vni := view.number("vni"))), "VNI")
    for view in vxlans:
        yield from _vxlan(host, view)
        yield from room_problems(host, view, "vxlan")


def _port(view: View) -> int | None:
    return view.number("port") if view.given("port") else VXLAN_PORT


def _vxlan(host: Host, view: View) -> Iterator[Problem]:
    mac = view.text("mac")
    yield from made_problems(host, view, "vxlan")
    yield from view.in_range("vni", *VNIS)
    yield from view.in_range("port", *PORTS)
    if mac is not None:
        yield from mac_problems(view.at("mac"), mac)
    yield from _ends(view)


def _ends(view: View) -> Iterator[Problem]:
    local = view.text("local")
    if local is not None:
        yield from end_problems(view.at("local"), local)
    remotes = view.texts("remotes")
    if view.data.get("remotes") == []:
        yield Problem(view.at("remotes"), "is empty", hint="name at least one other end")
    for path, text in remotes:
        yield from end_problems(path, text)
        yield from remote_problems(view, path, text)
    yield from twice(remotes, "address")
