# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for OpenVPN tunnels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    BFD_TIMERS,
    FAMILY,
    PORTS,
    UNIT_NAMES,
    bfd_detection,
    detection_problems,
    fingerprint_problems,
    name_problems,
    ping_restart_problems,
    registered_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import (
    entries_of,
    interface_mtu_problems,
    made_by_daemon_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, is_host_name, parse_address, twice

# Defaults of the role that rules depend on; a unit test keeps them equal to the argument specs.
PING_INTERVAL, PING_RESTART = 5, 20
TRANSPORT, OUTER = "tcp", "ipv4"
_KEYS = {"server": (("listen_port",), ("remote", "remote_port")), "client": (("remote", "remote_port"), ("listen_port",))}


def openvpn_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of OpenVPN tunnels."""
    tunnels = host.root.views("openvpn_tunnels")
    for tunnel in tunnels:
        yield from _name(host, tunnel)
        yield from _ends(tunnel)
        yield from _pings(host, tunnel)
        yield from _mtu(host, tunnel)
    yield from twice(((view.at("name"), name) for view in tunnels if (name := view.text("name"))), "name")
    ports = [(view, port) for view in tunnels if view.text("role") == "server" and (port := view.number("listen_port"))]
    yield from twice(((view.at("listen_port"), f"{_transport(view)} {port}") for view, port in ports), "port")


def _transport(tunnel: View) -> str:
    return tunnel.text("transport") or TRANSPORT


def _name(host: Host, tunnel: View) -> Iterator[Problem]:
    yield from made_by_daemon_problems(host, tunnel, "openvpn", ("kind", "mtu"))
    name = tunnel.text("name")
    if name is None:
        return
    unit = f"openvpn-{tunnel.text('role')}@{name}.service"
    for other in entries_of(host, name):
        if other.text("unit") not in (None, unit):
            yield other.problem("unit", f"does not make {name}", f"write {unit}")
    for wireguard in host.root.views("wireguard_interfaces"):
        if wireguard.text("name") == name:
            yield tunnel.problem("name", f"is also the name at {wireguard.at('name')}", "choose another name for one of the two")


def _ends(tunnel: View) -> Iterator[Problem]:
    role, remote = tunnel.text("role"), tunnel.text("remote")
    wanted, idle = _KEYS.get(role or "", ((), ()))
    peer, peer_interface = tunnel.text("peer"), tunnel.text("peer_interface")
    if peer is not None:
        yield from registered_problems(tunnel.at("peer"), peer)
    if peer_interface is not None:
        yield from name_problems(tunnel.at("peer_interface"), peer_interface, UNIT_NAMES)
    for key in wanted:
        if not tunnel.given(key):
            yield Problem(tunnel.at(key), "is missing", hint=f"a {role} needs it")
    for key in idle:
        if tunnel.given(key):
            yield tunnel.problem(key, f"is not for a {role}", "leave the key out, or change the role")
    yield from tunnel.in_range("listen_port", *PORTS)
    yield from tunnel.in_range("remote_port", *PORTS)
    if remote is not None:
        address = parse_address(remote)
        family = tunnel.text("family") or OUTER
        if address is None and (re.fullmatch(r"[0-9.]+", remote) or not is_host_name(remote)):
            yield tunnel.problem(
                "remote", "is neither an address nor a host name", "write 192.0.2.1, 2001:db8::1 or a name, without a port"
            )
        elif address is not None and FAMILY[address.version] != family:
            yield tunnel.problem("remote", f"is no address of family {family}", f"set {tunnel.at('family')} to {FAMILY[address.version]}")
    if tunnel.data.get("peer_fingerprints") == []:
        yield Problem(tunnel.at("peer_fingerprints"), "is empty", hint="leave the key out for a peer that Ansible manages")
    yield from fingerprint_problems(tunnel.at("peer_fingerprints"), [text for _path, text in tunnel.texts("peer_fingerprints")])


def _pings(host: Host, tunnel: View) -> Iterator[Problem]:
    """Report an own watch of OpenVPN that cannot work, or that would act before BFD does."""
    yield from tunnel.in_range("ping_interval", 1, 3600, " seconds")
    interval = tunnel.number("ping_interval") if tunnel.given("ping_interval") else PING_INTERVAL
    restart = tunnel.number("ping_restart") if tunnel.given("ping_restart") else PING_RESTART
    if interval is None or restart is None:
        return
    key, written = ("ping_restart", restart) if tunnel.given("ping_restart") else ("ping_interval", interval)
    yield from ping_restart_problems(tunnel.at(key), written, interval, restart)
    for profile in host.root.views("frr_bfd_profiles"):
        # One that is no number has its own message.
        if all(profile.number(name) is not None for name in BFD_TIMERS if profile.given(name)):
            yield from detection_problems(tunnel.at("ping_restart"), restart, bfd_detection(profile.data), str(profile.path))


def _mtu(host: Host, tunnel: View) -> Iterator[Problem]:
    mtu, uplink = tunnel.number("mtu"), host.root.number("xgn_uplink_mtu")
    yield from interface_mtu_problems(host, tunnel)
    # TCP cuts the stream to fit by itself; only a datagram can be too large.
    if mtu is not None and uplink is not None and _transport(tunnel) == "udp":
        room = fit(uplink, link_type("openvpn").layers["udp"], tunnel.text("family") if tunnel.text("family") in FAMILY.values() else OUTER)
        if mtu > room.mtu:
            yield tunnel.problem("mtu", "does not fit into xgn_uplink_mtu", f"{room.arithmetic} is the most")
