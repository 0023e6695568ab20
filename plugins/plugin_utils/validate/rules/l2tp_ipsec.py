# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for L2TP/IPsec tunnels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import SECRET, Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import (
    entries_of,
    interface_mtu_problems,
    made_by_daemon_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, parse_address, twice

_SECRET_LENGTH = 16
# What stands in swanctl.conf as it is: an address, a name, an e-mail address, or a distinguished name, with nothing that ends a value there.
_IDENTITY = re.compile(r"(?=.{1,255}\Z)[A-Za-z0-9@%.:_=,/*+-]+( [A-Za-z0-9@%.:_=,/*+-]+)*")
_IDENTITY_HINT = "write an address, a name, an e-mail address or a distinguished name: A-Z a-z 0-9 @ % . : _ = , / * + - and single spaces"
_MTU_MAX = 1500  # pppd's own default, and what an MRU is negotiated from (RFC 1661, 6.1)


def l2tp_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of L2TP/IPsec tunnels."""
    tunnels = host.root.views("l2tp_ipsec_tunnels")
    for tunnel in tunnels:
        yield from _name(host, tunnel)
        yield from _ends(tunnel)
        yield from _mtu(host, tunnel)
    yield from twice(((view.at("name"), name) for view in tunnels if (name := view.text("name"))), "name")
    yield from twice(((view.at("remote"), remote) for view in tunnels if (remote := view.text("remote"))), "remote")
    open_ends = [view for view in tunnels if view.text("role") == "lns" and not view.given("remote")]
    for view in open_ends[1:]:
        hint = f"as it is at {open_ends[0].path}; nothing could tell apart the two ends that initiate. Give one of them a remote"
        yield Problem(view.at("remote"), "is missing", hint=hint)
    for key, low in (("l2tp_ipsec_echo_interval", 1), ("l2tp_ipsec_echo_failure", 1)):
        yield from host.root.in_range(key, low, 3600)


def _name(host: Host, tunnel: View) -> Iterator[Problem]:
    yield from made_by_daemon_problems(host, tunnel, "l2tp_ipsec", ("kind", "mtu", "mac"))
    for other in entries_of(host, tunnel.text("name") or ""):
        if not other.flag("dynamic"):
            yield Problem(other.at("dynamic"), "must be true", hint=f"{tunnel.text('name')} comes and goes with its session")


def _ends(tunnel: View) -> Iterator[Problem]:
    remote, key = tunnel.text("remote"), tunnel.text("preshared_key")
    if tunnel.text("role") == "lac" and not tunnel.given("remote"):
        yield Problem(tunnel.at("remote"), "is missing", hint="a lac initiates, and has to know where the other end is")
    if remote is not None and (not remote or re.search(r"[^A-Za-z0-9_.:-]", remote)):
        yield tunnel.problem("remote", "is neither an address nor a host name", "write 192.0.2.1 or a name, without a port")
    elif remote is not None and ":" in remote:
        yield tunnel.problem("remote", "is an IPv6 address", "xl2tpd travels over IPv4 only")
    identity = tunnel.text("remote_id")
    if identity is not None and not _IDENTITY.fullmatch(identity):
        yield tunnel.problem("remote_id", "is no identity", _IDENTITY_HINT)
    if key is not None and len(key) < _SECRET_LENGTH:
        yield Problem(tunnel.at("preshared_key"), f"has less than {_SECRET_LENGTH} characters", SECRET, "openssl rand -base64 24 makes one")
    elif key is not None and re.search(r'["\\<>]', key):
        yield Problem(tunnel.at("preshared_key"), "has a quote, a backslash or an angle bracket", SECRET, "use other characters")
    elif key is not None and key[:2] in ("0x", "0s"):
        yield Problem(tunnel.at("preshared_key"), "begins with 0x or 0s", SECRET, "charon would read digits or base64; use another key")
    addresses = [name for name in ("local_address", "remote_address") if tunnel.given(name)]
    if len(addresses) == 1 or not (addresses or tunnel.flag("ipv6")):
        missing = "remote_address" if addresses == ["local_address"] else "local_address"
        yield Problem(tunnel.at(missing), "is missing", hint="PPP needs both addresses, or ipv6: true when the tunnel has no IPv4")
    for name in addresses:
        address = parse_address(tunnel.text(name))
        if address is None or address.version != 4:
            yield tunnel.problem(name, "is no IPv4 address", "write one without a prefix length")


def _mtu(host: Host, tunnel: View) -> Iterator[Problem]:
    mtu, uplink = tunnel.number("mtu"), host.root.number("xgn_uplink_mtu")
    yield from interface_mtu_problems(host, tunnel, _MTU_MAX)
    if mtu is None or uplink is None:
        return
    layers = link_type("l2tp_ipsec").layers
    room = fit(uplink, layers.get(tunnel.text("cipher") or "", layers["aes-cbc"]), "ipv4")
    if mtu > room.mtu:
        yield tunnel.problem("mtu", "does not fit into xgn_uplink_mtu", f"{room.arithmetic} is the most")
