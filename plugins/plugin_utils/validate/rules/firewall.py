# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the packet filter."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import MSS_HEADERS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, LARGEST_MTU, MSS_FLOOR, PORTS, TITLE, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import PORTLESS, TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, network_problems, twice

WAY_BACK_MIN, WAY_BACK_MAX = 10, 3600


def firewall_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of the packet filter: names, prefixes, ports, and an MSS that its tunnels cannot carry."""
    root = host.root
    for key in ("firewall_public_interfaces", "firewall_tcp_mss_interfaces"):
        for path, name in root.texts(key):
            yield from name_problems(path, name)
        yield from twice(root.texts(key), "interface")
    for path, text in root.texts("firewall_ssh_from"):
        yield from network_problems(path, text)
    yield from root.in_range("firewall_ssh_port", *PORTS)
    entries = root.views("firewall_open_ports")
    for entry in entries:
        yield from _entry(entry)
    named = [(entry.path, (protocol, entry.number("port"))) for entry in entries if (protocol := entry.text("protocol"))]
    yield from twice(((path, " ".join(str(part) for part in pair if part is not None)) for path, pair in named), "port")
    yield from _mss(host)
    yield from way_back_problems(root, "firewall_way_back_seconds")


def way_back_problems(root: View, key: str) -> Iterator[Problem]:
    """Report a time in which no controller can come back after a change."""
    if root.number(key):
        hint = f" seconds, or 0 for none; below {WAY_BACK_MIN} a controller cannot come back in time"
        yield from root.in_range(key, WAY_BACK_MIN, WAY_BACK_MAX, hint)


def _entry(entry: View) -> Iterator[Problem]:
    protocol = entry.text("protocol")
    if protocol in PORTLESS:
        if entry.given("port"):
            yield entry.problem("port", f"does not go with protocol {protocol}, which has no ports", "leave it out")
    elif protocol in ("tcp", "udp") and not entry.given("port"):
        yield Problem(entry.at("port"), "is missing", hint=f"valid: {PORTS}")
    yield from entry.in_range("port", *PORTS)
    for path, text in entry.texts("from"):
        yield from network_problems(path, text)


def _mss(host: Host) -> Iterator[Problem]:
    root = host.root
    sizes = root.data.get("firewall_tcp_mss")
    if not sizes and root.texts("firewall_tcp_mss_interfaces"):
        yield Problem(
            root.at("firewall_tcp_mss"),
            "is missing, so nothing is set on firewall_tcp_mss_interfaces",
            hint="give ipv4, ipv6 or both in bytes",
        )
    if not isinstance(sizes, dict):
        return
    view = View(sizes, root.at("firewall_tcp_mss"))
    tunnels = {name for _path, name in root.texts("firewall_tcp_mss_interfaces")}
    sized = [(interface, kind.usual_mtu) for kind in TUNNELS for interface in root.views(kind.variable)]
    for family in FAMILY.values():
        mss, headers = view.number(family), MSS_HEADERS[family]
        yield from view.in_range(family, MSS_FLOOR, LARGEST_MTU - headers, " bytes")
        if mss is None or mss > LARGEST_MTU - headers:
            continue
        for interface, usual in sized:
            mtu = interface.number("mtu") if interface.given("mtu") else usual
            if interface.text("name") in tunnels and mtu is not None and mss > mtu - headers:
                text = f"{mtu} - {headers} ({TITLE[family]} and TCP) = {mtu - headers} bytes"
                yield Problem(
                    view.at(family), f"does not fit into {interface.text('name')}", show(mss), f"at most {text}; see {interface.path}"
                )
