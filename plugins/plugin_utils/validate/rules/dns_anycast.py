# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for anycast DNS: addresses that can come and go by themselves, zones, times, and where sshd listens."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    BITS,
    LOOPBACK_DEVICE,
    PORTS,
    host_address_problems,
    name_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.firewall import way_back_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import any_vrf_reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    View,
    address_problems,
    is_host_name,
    network_problems,
    parse_address,
    parse_interface,
    twice,
)

NOTICE_MS = 3000
"""Within this time a resolver that died or hangs must be noticed."""
_INTERVAL, _FALL = 500, 3  # the role's defaults


def dns_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of anycast DNS."""
    root = host.root
    for path, text in root.texts("dns_anycast_addresses"):
        yield from _anycast_address(path, text)
    yield from twice(root.texts("dns_anycast_addresses"), "address")
    yield from any_vrf_reference(host, root, "dns_anycast_vrf")
    yield from _interface(host)
    for path, text in root.texts("dns_anycast_allow_from"):
        yield from network_problems(path, text)
    yield from _zones(root)
    own = {parsed.ip for _path, text in root.texts("dns_anycast_addresses") if (parsed := parse_interface(text))}
    for path, text in root.texts("dns_anycast_forwarders"):
        yield from address_problems(path, text)
        if parse_address(text) in own:
            yield Problem(path, "is an anycast address of this host, which would ask itself", show(text))
    yield from _times(root)
    for view in root.views("dns_anycast_ssh_listen"):
        address = view.text("address")
        if address is not None:
            yield from address_problems(view.at("address"), address)
        yield from any_vrf_reference(host, view)
        if parse_address(address) in own:
            yield view.problem("address", "is an anycast address, which belongs to several hosts", "name addresses of this host alone")
    named = [(view.path, (view.text("address"), view.text("vrf"))) for view in root.views("dns_anycast_ssh_listen")]
    yield from twice(((path, f"{address} in {vrf_text(vrf or DEFAULT_VRF)}") for path, (address, vrf) in named if address), "address")
    yield from root.in_range("dns_anycast_ssh_port", *PORTS)
    yield from way_back_problems(root, "dns_anycast_way_back_seconds")


def _anycast_address(path: Place, text: str) -> Iterator[Problem]:
    parsed = parse_interface(text)
    if parsed is None:
        yield Problem(path, "is not an address with prefix length", show(text), "write for example 1.1.1.1/32")
    elif parsed.network.prefixlen != BITS[parsed.version]:
        yield Problem(path, "is more than one address", show(text), f"write {parsed.ip}/{BITS[parsed.version]}")
    elif str(parsed) != text:
        yield Problem(path, "is not in canonical form", show(text), f"write {parsed}")
    else:
        yield from host_address_problems(path, show(text), parsed.version, int(parsed.ip))


def _interface(host: Host) -> Iterator[Problem]:
    """Report an interface that is not in the VRF of the addresses: they would be advertised where nobody asks."""
    root = host.root
    name, vrf = root.text("dns_anycast_interface"), root.text("dns_anycast_vrf") or DEFAULT_VRF
    if name is not None:
        yield from name_problems(root.at("dns_anycast_interface"), name, existing=True)
    if not root.texts("dns_anycast_addresses"):
        return
    where = host.vrf_of(name or LOOPBACK_DEVICE)
    if where is not None and where != vrf:
        hint = f"give an interface that vrf_interfaces puts into {vrf_text(vrf)}"
        yield Problem(
            Place.of("dns_anycast_interface"),
            f"is in {vrf_text(where)}, the addresses are in {vrf_text(vrf)}",
            show(name or LOOPBACK_DEVICE),
            hint,
        )


def _zones(root: View) -> Iterator[Problem]:
    for view in root.views("dns_anycast_zones"):
        name = view.text("name")
        if name is not None and (not is_host_name(name) or name.endswith(".")):
            yield view.problem("name", "is not the name of a zone", "write it without the closing dot, for example example.org")
        for path, text in view.texts("records"):
            if not text.strip():
                yield Problem(path, "is empty", show(text), "write for example www A 192.0.2.1")
            elif text[0].isspace():
                yield Problem(
                    path, "begins with a space", show(text), "it would have the name of the record before it; write @ for the zone itself"
                )
            elif text.startswith("$"):
                yield Problem(
                    path, "is a directive and no record", show(text), "names are relative to the zone, and another file is not read"
                )
            elif not _is_whole(text):
                yield Problem(path, "goes on in the next line", show(text), "close each quote and each parenthesis in its record")
    yield from twice(((view.at("name"), name.lower()) for view in root.views("dns_anycast_zones") if (name := view.text("name"))), "zone")


def _is_whole(record: str) -> bool:
    """Tell whether a record of a zone file (RFC 1035, 5.1) ends where its line does: quotes and parentheses are closed, and nothing is escaped away."""
    depth, quoted, escaped = 0, False, False
    for character in record:
        if escaped or character == "\\":
            escaped = not escaped
        elif character == '"':
            quoted = not quoted
        elif not quoted and character == ";":
            break
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
            if depth < 0:
                return False
    return not (depth or quoted or escaped)


def _times(root: View) -> Iterator[Problem]:
    yield from root.in_range("dns_anycast_interval", 50, 2000, " milliseconds")
    yield from root.in_range("dns_anycast_fall", 1, 20)
    yield from root.in_range("dns_anycast_rise", 1, 100)
    yield from root.in_range("dns_anycast_grace", 0, 120, " seconds")
    interval, fall = root.number("dns_anycast_interval") or _INTERVAL, root.number("dns_anycast_fall") or _FALL
    if interval * (fall + 1) > NOTICE_MS:
        key = "dns_anycast_fall" if root.given("dns_anycast_fall") else "dns_anycast_interval"
        text = f"({fall} + 1) * {interval} ms = {interval * (fall + 1)} ms, more than {NOTICE_MS}"
        yield root.problem(key, "keeps a dead resolver advertised for too long", text)
