# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a host holds that another one may not hold as well: its identity, addresses and MACs, what its neighbors have, and where its routes lead."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_links, json_objects
from ansible_collections.xuegao.net.plugins.module_utils.live_parse import ROUTE_PROTOCOLS, parse_kernel_routes, parse_links

MACHINE_ID = "/etc/machine-id"
# machine-id(5): systemd has not given one yet.
_NONE_YET = "uninitialized"
_SALT = b"xuegao.net collisions"
# Who makes routes that no routing daemon has: the kernel for its addresses, a person, DHCP, router advertisements. Asked for one by one, so that a
# host with the routes of the Internet prints none of those.
_MAKERS = {4: ("kernel", "boot", "static", "dhcp"), 6: ("kernel", "boot", "static", "ra")}
# By number, since the names stand in a file that a host may not have.
_NUMBERS = {name: number for number, name in ROUTE_PROTOCOLS.items()}
_MAIN_TABLE = 254
# rtnetlink.h: entries that nobody has answered for.
_NOT_LEARNED = frozenset(("FAILED", "INCOMPLETE", "NOARP", "PERMANENT", "NONE"))

# Runs a command; returns its exit status and both outputs.
Run = Callable[[list[str]], tuple[int, str, str]]


def identity() -> str:
    """Return what stands for the machine id: 64 hexadecimal digits, equal for equal ids; empty for a host without one.

    The id itself stays on the host: machine-id(5) calls it confidential, and tells to hash it with a key of the application (HMAC-SHA256).
    """
    text = read_text(MACHINE_ID).strip()
    return hmac.new(text.encode(), _SALT, hashlib.sha256).hexdigest() if text and text != _NONE_YET else ""


def look(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return what the host holds, each part as a list.

    Returns:
        C(links): C(name), C(mac) (empty for what is no Ethernet), C(vrf) (empty for the default VRF), C(addresses) (with prefix length) and C(refused),
        those of them that another one on the link has, as the kernel saw when it tried them (RFC 4862, 5.4).
        C(neighbors): C(interface), C(address), C(mac).
        C(routes): C(prefix), C(interface), C(gateway) (empty for what is on the link), C(vrf), by the table; none of other tables.

    Raises:
        ValueError: what iproute2 prints cannot be read, or it fails.
    """
    text = _printed(run, ["-details", "address", "show"])
    links = parse_links(text)
    refused = _refused(text)
    tables = {link["table"]: name for name, link in links.items() if link["table"]}
    return {
        "links": [
            {
                "name": name,
                "mac": link["mac"] if _is_mac(link["mac"]) else "",
                "vrf": _vrf(links, name),
                "addresses": [entry["address"] for entry in link["addresses"] if entry["scope"] != "host"],
                "refused": refused.get(name, []),
            }
            for name, link in sorted(links.items())
        ],
        "neighbors": _neighbors(_printed(run, ["neighbor", "show"])),
        "routes": _routes(run, {_MAIN_TABLE: "", **tables}),
    }


def _printed(run: Run, arguments: list[str]) -> str:
    command = ["ip", "-json", *arguments]
    status, out, err = run(command)
    if status:
        raise ValueError("%s: %s" % (" ".join(command), err.strip() or "exit status %d" % status))
    return out


def _is_mac(text: Any) -> bool:
    """Say whether a link-layer address is a MAC: an outer address of a tunnel stands in the same place."""
    return isinstance(text, str) and text.count(":") == 5 and text != "00:00:00:00:00:00"


def _vrf(links: Mapping[str, Any], name: str) -> str:
    """Return the VRF that an interface, or the bridge that it is a port of, belongs to. A VRF's own device, its loopback, is in it."""
    seen = set()
    while name in links and name not in seen:
        if links[name]["kind"] == "vrf":
            return name
        seen.add(name)
        name = links[name]["master"] or ""
    return ""


def _refused(text: str) -> dict[str, list[str]]:
    found = {}
    for name, item in json_links(text).items():
        entries = [entry for entry in item.get("addr_info", []) if "local" in entry and entry.get("dadfailed")]
        if entries:
            found[name] = ["%s/%s" % (ipaddress.ip_address(entry["local"]), entry["prefixlen"]) for entry in entries]
    return found


def _neighbors(text: str) -> list[dict[str, Any]]:
    return [
        {"interface": item["dev"], "address": str(ipaddress.ip_address(item["dst"])), "mac": item["lladdr"]}
        for item in json_objects(text)
        if "dst" in item and "dev" in item and _is_mac(item.get("lladdr")) and not _NOT_LEARNED.intersection(item.get("state", []))
    ]


def _routes(run: Run, tables: Mapping[int, str]) -> list[dict[str, Any]]:
    found = []
    for version, makers in _MAKERS.items():
        for maker in makers:
            text = _printed(run, ["-N", "-%d" % version, "route", "show", "table", "all", "proto", _NUMBERS[maker]])
            for route in parse_kernel_routes(text, version):
                if maker == "boot" and route["table"] != _MAIN_TABLE:
                    # What is set by hand in a VRF is no owner's: it goes (decision 0028).
                    continue
                if route["type"] == "unicast" and route["table"] in tables and route["dev"]:
                    gateway = route["via"][0] if route["via"] else ""
                    vrf = tables[route["table"]]
                    found.append({"prefix": route["prefix"], "interface": route["dev"][0], "gateway": gateway, "vrf": vrf})
    return found
