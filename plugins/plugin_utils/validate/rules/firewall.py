# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the packet filter."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import MSS_HEADERS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    FAMILY,
    LARGEST_MTU,
    LOOPBACK_DEVICE,
    MSS_FLOOR,
    PORTS,
    TITLE,
    name_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import PORTLESS, TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, network_problems, twice

WAY_BACK_MIN, WAY_BACK_MAX = 10, 3600
_QUOTED = re.compile(r'"[^"]*"')
# What begins no rule but something else in an nft file.
_STATEMENTS = frozenset(
    "add chain create define delete destroy flush include insert list policy redefine replace reset table type undefine".split()
)


def firewall_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of the packet filter: names, prefixes, ports, and an MSS that its tunnels cannot carry."""
    root = host.root
    for key in ("firewall_trusted_interfaces", "firewall_tcp_mss_interfaces"):
        for path, name in root.texts(key):
            yield from name_problems(path, name, existing=key == "firewall_trusted_interfaces")
        yield from twice(root.texts(key), "interface")
    for path, text in root.texts("firewall_ssh_from"):
        yield from network_problems(path, text)
    yield from root.in_range("firewall_ssh_port", *PORTS)
    entries = root.views("firewall_open_ports")
    for entry in entries:
        yield from _entry(entry)
    named = [(entry.path, (protocol, entry.number("port"))) for entry in entries if (protocol := entry.text("protocol"))]
    yield from twice(((path, " ".join(str(part) for part in pair if part is not None)) for path, pair in named), "port")
    yield from _trust(root)
    yield from _reverse_path(root)
    yield from _nat(root)
    yield from _own_chains(root)
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


def _trust(root: View) -> Iterator[Problem]:
    """Report a VRF that is trusted, and forwarding that cannot be."""
    entries = root.views("firewall_forward")
    vrfs = {view.text("name") for view in root.views("vrf_vrfs")} | {entry.text("vrf") for entry in entries}
    trusted = dict(reversed([(name, path) for path, name in root.texts("firewall_trusted_interfaces")]))
    for name, path in trusted.items():
        if name in vrfs:
            hint = "list those of its interfaces that are; what the host sends to itself in the VRF is accepted without"
            yield Problem(path, "is a VRF, whose public interfaces would be trusted, too", show(name), hint)
    if entries and not trusted:
        yield Problem(
            root.at("firewall_forward"),
            "does nothing, as firewall_trusted_interfaces lists no interface and so nothing is filtered",
            hint="list lo there, or leave this out",
        )
    yield from twice(((entry.path, f"{entry.text('interface') or 'trusted interfaces'}{_in_vrf(entry)}") for entry in entries), "origin")
    for entry in entries:
        for key in ("vrf", "interface"):
            if (named := entry.text(key)) is not None:
                yield from name_problems(entry.at(key), named)
        if (device := entry.text("interface")) and device in trusted:
            yield entry.problem("interface", "is trusted, and stands for a public one here", f"leave it out; see {trusted[device]}")
        for path, text in entry.texts("from") + entry.texts("destinations"):
            yield from network_problems(path, text)
        if entry.data.get("to") in ([], ()):
            yield Problem(entry.at("to"), "is empty", hint="name an interface, or remove the entry")
        yield from twice(entry.texts("to"), "interface")
        for path, name in entry.texts("to"):
            yield from name_problems(path, name)


def _reverse_path(root: View) -> Iterator[Problem]:
    """Report names that cannot be, and where a look at the source of packets would drop what is wanted."""
    variables = ("firewall_strict_interfaces", "firewall_loose_interfaces", "firewall_loose_vrfs")
    listed = [(path, name) for key in variables for path, name in root.texts(key)]
    for path, name in listed:
        if name == LOOPBACK_DEVICE:
            yield Problem(path, "brings what this host sends to itself", show(name), "leave it out; its sources are not looked at")
        else:
            yield from name_problems(path, name)
    yield from twice(listed, "interface")
    homes = {own: (view, vrf) for view in root.views("vrf_interfaces") if (own := view.text("name")) and (vrf := view.text("vrf"))}
    vrfs = {own for view in root.views("vrf_vrfs") if (own := view.text("name"))}
    vrfs |= {vrf for _path, vrf in root.texts("firewall_loose_vrfs") if vrf not in homes}
    tunnels = {own: view.path for kind in TUNNELS for view in root.views(kind.variable) if (own := view.text("name"))}
    for path, name in root.texts("firewall_strict_interfaces"):
        if name in tunnels:
            hint = f"leave it out, so that a reserve can carry one direction alone; see {tunnels[name]}"
            yield Problem(path, "is a tunnel, and packets may come in by another one than their answers leave by", show(name), hint)
        elif name in vrfs:
            yield Problem(
                path, "is a VRF, by whose device every route of it leaves", show(name), "list those of its interfaces that have one way"
            )
    for path, name in root.texts("firewall_loose_interfaces"):
        if name in vrfs:
            yield Problem(path, "is a VRF", show(name), "list it in firewall_loose_vrfs")
        elif name in homes:
            view, vrf = homes[name]
            hint = f"list the VRF in firewall_loose_vrfs; see {view.path}"
            yield Problem(path, f"is in VRF {vrf}, and before Linux 6.16 only the default VRF is asked", show(name), hint)
    leaks = {
        vrf: route.path for route in reversed(root.views("frr_static_routes")) if (vrf := route.text("vrf")) and route.given("next_hop_vrf")
    }
    for path, name in root.texts("firewall_loose_vrfs"):
        if name in homes:
            yield Problem(
                path, "is an interface", show(name), f"list it in firewall_strict_interfaces, or its VRF here; see {homes[name][0].path}"
            )
        elif name in leaks:
            hint = f"leave it out; see {leaks[name]}"
            yield Problem(
                path, "has a route into another VRF, which would not count, so that what it answers by that is dropped", show(name), hint
            )


def _nat(root: View) -> Iterator[Problem]:
    """Report NAT that no packet passes, or whose answers do not find back."""
    marks = {name: (view, view.number("fwmark")) for view in root.views("vrf_vrfs") if (name := view.text("name"))}
    homes = {name: view.text("vrf") for view in root.views("vrf_interfaces") if (name := view.text("name"))}
    entries = root.views("firewall_nat")
    pairs = [(entry.path, f"{vrf} on {name}") for entry in entries if (vrf := entry.text("vrf")) and (name := entry.text("interface"))]
    yield from twice(pairs, "NAT")
    for entry in entries:
        for key in ("vrf", "interface"):
            if (named := entry.text(key)) is not None:
                yield from name_problems(entry.at(key), named, existing=key == "interface")
        yield from entry.in_range("mark", 1, 4294967295)
        vrf, mark = entry.text("vrf"), entry.number("mark")
        if marks and vrf is not None and mark is not None:
            view, wanted = marks.get(vrf, (None, None))
            if view is None:
                yield entry.problem("vrf", "is no VRF of vrf_vrfs", f"valid: {', '.join(sorted(marks))}")
            elif wanted != mark:
                what = f"is not that of VRF {vrf}, so its answers are not routed there"
                yield entry.problem(
                    "mark", what, f"write the number of {view.path}.fwmark, {wanted}" if wanted else f"give {view.path} that fwmark"
                )
        if vrf is not None and homes.get(entry.text("interface") or "") == vrf:
            yield entry.problem("interface", f"is in VRF {vrf} itself", "name an uplink in another VRF, or in the default VRF")
        yield from twice(entry.texts("families"), "family")


def _in_vrf(entry: View) -> str:
    return f" in VRF {entry.text('vrf')}" if entry.text("vrf") else ""


def _own_chains(root: View) -> Iterator[Problem]:
    """Report own rules that leave their chain, and those of a chain that no packet passes."""
    chains = root.views("firewall_own_chains")
    yield from twice(((chain.at("chain"), name) for chain in chains if (name := chain.text("chain"))), "chain")
    for chain in chains:
        if chain.text("chain") == "public" and not root.texts("firewall_trusted_interfaces"):
            yield chain.problem(
                "chain", "sees no packet, as firewall_trusted_interfaces lists no interface", "name one, or choose chain input"
            )
        if chain.data.get("rules") in ([], ()):
            yield Problem(chain.at("rules"), "is empty", hint="give it a rule, or remove the entry")
        for path, text in chain.texts("rules"):
            yield from _own_rule(path, text)


def _own_rule(path: Place, text: str) -> Iterator[Problem]:
    """Report a rule that is more than one statement of nft: it would end up outside of its chain."""
    # What stands in quotation marks is a name or a comment.
    bare = _QUOTED.sub("", text)
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            break
    if not bare.strip() or not text.isprintable():
        yield Problem(path, "is no rule of one line", show(text), "write each rule as an entry of the list")
    elif depth or '"' in bare:
        yield Problem(path, "has a bracket or quotation mark without its other half", show(text), "write one whole rule")
    # At the end of a line, nft takes the next one for a part of it.
    elif any(character in bare for character in ";#\\") or bare.split()[0] in _STATEMENTS:
        yield Problem(
            path,
            "is more than a rule",
            show(text),
            "write one rule an entry, and no definition or comment; nft's word comment keeps a remark",
        )


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
