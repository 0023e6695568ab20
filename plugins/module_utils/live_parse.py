# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the output of iproute2, wg, systemctl and ping into small, plain structures.

Everything here is pure: text in, data out, no process is started. It runs on managed hosts, so only Python's own library is used.
A text that cannot be read raises ValueError; the caller turns that into the part's ``error``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import wireguard_dump
from ansible_collections.xuegao.net.plugins.module_utils.iproute import asks_vrfs, is_for_all, json_links, json_objects, link_addresses
from ansible_collections.xuegao.net.plugins.module_utils.systemd import property_blocks

# `ip -N` prints kernel numbers. Those that the kernel has for its own addresses are left out; somebody may have set others of them.
ROUTE_TYPES = {
    "1": "unicast",
    "2": "local",
    "3": "broadcast",
    "4": "anycast",
    "5": "multicast",
    "6": "blackhole",
    "7": "unreachable",
    "8": "prohibit",
    "9": "throw",
    "10": "nat",
}
OF_ADDRESSES = ("local", "broadcast", "anycast", "multicast")
# include/uapi/linux/rtnetlink.h, the sources this collection meets.
ROUTE_PROTOCOLS = {
    "2": "kernel",
    "3": "boot",
    "4": "static",
    "9": "ra",
    "11": "zebra",
    "16": "dhcp",
    "186": "bgp",
    "187": "isis",
    "188": "ospf",
    "189": "rip",
    "196": "static (frr)",
}


def prefix_of(text: str, version: int) -> str:
    """Give a destination of `ip route` in canonical form.

    Parameters: ``text`` is ``default``, an address or a prefix; ``version`` is 4 or 6.
    Returns ``address/length``. Raises ValueError if it is none of them.
    """
    if text == "default":
        return "0.0.0.0/0" if version == 4 else "::/0"
    return str(ipaddress.ip_network(text, strict=False))


def parse_links(text: str) -> dict[str, dict[str, Any]]:
    """Read `ip -json -details address show`: one entry per interface, by its name.

    Each has ``index, up, carrier, arp, mtu, mac, kind, table (of a VRF device), master, parent, vlan, oper`` and ``addresses`` as
    ``{address: "a/len", family: 4|6, scope: str, on_link: prefix}``; ``on_link`` is what can be reached by it without a gateway, None if nothing.
    """
    links: dict[str, dict[str, Any]] = {}
    for name, item in json_links(text).items():
        info = item.get("linkinfo") or {}
        data = info.get("info_data") or {}
        links[name] = {
            "index": item.get("ifindex"),
            "up": "UP" in item.get("flags", []),
            "carrier": "LOWER_UP" in item.get("flags", []),
            "arp": "NOARP" not in item.get("flags", []),
            "oper": item.get("operstate"),
            "mtu": item.get("mtu"),
            "mac": item.get("address"),
            "kind": info.get("info_kind"),
            "table": data.get("table") if info.get("info_kind") == "vrf" else None,
            "master": item.get("master"),
            "parent": item.get("link"),
            "vlan": data.get("id") if info.get("info_kind") == "vlan" else None,
            "addresses": [
                {
                    "address": f"{ipaddress.ip_address(entry['local'])}/{entry['prefixlen']}",
                    "family": 4 if entry.get("family") == "inet" else 6,
                    "scope": entry.get("scope"),
                    "on_link": on_link(entry),
                }
                for entry in link_addresses(item)
            ],
        }
    return links


def on_link(entry: dict[str, Any]) -> str | None:
    """Give the subnet that the kernel has put on the link for an address; None while the address is tried out, and for one that asks for none."""
    if any(entry.get(flag) for flag in ("tentative", "dadfailed", "noprefixroute")):
        return None
    return str(ipaddress.ip_network(f"{entry.get('address', entry['local'])}/{entry['prefixlen']}", strict=False))


def parse_kernel_routes(text: str, version: int) -> list[dict[str, Any]]:
    """Read `ip -N -json -4|-6 route show table all`, leaving out the kernel's own local, broadcast and multicast entries.

    Each route has ``prefix, table (int), type, protocol, metric, dev, via``; ``via`` and ``dev`` are lists, one item a next hop.
    """
    routes = []
    for item in json_objects(text):
        kind = ROUTE_TYPES.get(str(item.get("type", "1")), str(item.get("type")))
        # ip(8) leaves out what everything has that is set by hand.
        protocol = str(item.get("protocol", "boot"))
        of_kernel = ROUTE_PROTOCOLS.get(protocol, protocol) == "kernel"
        # The kernel shows a route from an advertisement for some time after its end, and does not use it.
        if (of_kernel and kind in OF_ADDRESSES) or int(item.get("expires", 0)) < 0:
            continue
        hops = item.get("nexthops") or [item]
        routes.append(
            {
                "prefix": prefix_of(item["dst"], version),
                "table": int(item.get("table", 254)),
                "type": kind,
                "protocol": ROUTE_PROTOCOLS.get(protocol, protocol),
                "metric": item.get("metric", 0),
                "dev": [hop["dev"] for hop in hops if "dev" in hop],
                "via": [via_of(hop) for hop in hops if "gateway" in hop or "via" in hop],
            }
        )
    return routes


def via_of(hop: dict[str, Any]) -> str:
    """Give the gateway of a next hop; an IPv4 route over an IPv6 gateway has it in ``via.host``."""
    return str(hop["gateway"] if "gateway" in hop else hop["via"].get("host"))


def parse_rules(text: str) -> list[dict[str, Any]]:
    """Read `ip -N -json -details rule show`, in the kernel's order.

    Each rule has ``priority, l3mdev (bool), table (int or None), kernel`` (bool: its protocol), ``every`` (bool: for every packet)
    and ``mark`` (of the packets that it is for, as a whole; None for any).
    """
    rules = []
    for item in json_objects(text):
        table = item.get("table")
        rules.append(
            {
                "priority": int(item.get("priority", 0)),
                "l3mdev": asks_vrfs(item),
                "table": int(table) if table is not None and str(table).isdigit() else None,
                # RTPROT_KERNEL (linux/rtnetlink.h)
                "kernel": str(item.get("protocol", "kernel")) in ("2", "kernel"),
                "every": is_for_all(item),
                "mark": int(str(item["fwmark"]), 0) if "fwmark" in item and "fwmask" not in item else None,
            }
        )
    return sorted(rules, key=lambda rule: rule["priority"])


def parse_wireguard(text: str, now: float) -> dict[str, dict[str, Any]]:
    """Read `wg show all dump`, dropping private and preshared keys at once.

    ``now`` is seconds since 1970, to turn the handshake's time into its age.
    Returns by interface ``public_key, listen_port, fwmark`` and ``peers`` by public key:
    ``endpoint, allowed_ips (sorted), handshake_age (s or None), rx, tx (bytes), keepalive (s or 0), preshared (bool)``.
    """
    return {
        name: {
            "public_key": interface.public_key,
            "listen_port": interface.listen_port,
            "fwmark": interface.fwmark,
            "peers": {
                key: {
                    "endpoint": peer.endpoint,
                    "allowed_ips": sorted(peer.allowed_ips),
                    "handshake_age": max(0, int(now) - peer.handshake) if peer.handshake else None,
                    "rx": peer.received,
                    "tx": peer.sent,
                    "keepalive": peer.keepalive,
                    "preshared": peer.preshared_key is not None,
                }
                for key, peer in interface.peers.items()
            },
        }
        for name, interface in wireguard_dump.parse_all(text).items()
    }


def parse_nm_devices(text: str) -> dict[str, str]:
    """Read `nmcli --terse --escape no --fields DEVICE,STATE device`: the state by device. A name may hold a colon, a state does not."""
    return {device: state for device, colon, state in (line.rpartition(":") for line in text.splitlines()) if colon}


def parse_units(text: str) -> dict[str, dict[str, Any]]:
    """Read `systemctl show UNIT...`: the properties by unit; ``After`` is a list, monotonic timestamps are int microseconds."""
    units: dict[str, dict[str, Any]] = {}
    for block in property_blocks(text):
        values: dict[str, Any] = {}
        for key, value in block.items():
            if key == "After":
                values[key] = value.split()
            elif key.endswith("Monotonic"):
                values[key] = int(value or 0)
            elif key == "NeedDaemonReload":
                values[key] = value == "yes"
            else:
                values[key] = value
        if "Id" in values:
            units[values["Id"]] = values
    return units


def parse_ping(text: str) -> dict[str, Any]:
    """Read the output of iputils' ping: ``transmitted, received, rtt_ms (average or None), too_long (bool), note (str)``.

    ``too_long`` says that the kernel or a router refused the size, which is what a DF ping one byte over the path MTU must meet.
    """
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    times = re.search(r"= [\d.]+/([\d.]+)/", text)
    notes = [line.strip() for line in text.splitlines() if re.search(r"(?i)^ping:|^From |unreachable|local error", line.strip())]
    return {
        "transmitted": int(counts.group(1)) if counts else 0,
        "received": int(counts.group(2)) if counts else 0,
        "rtt_ms": float(times.group(1)) if times else None,
        "too_long": bool(re.search(r"(?i)message too long|frag needed|packet too big", text)),
        "note": notes[0] if notes else "",
    }
