# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The MAC address of an interface, also where the driver takes none while the interface is up.

Many drivers answer EBUSY then (eth_mac_addr() without IFF_LIVE_ADDR_CHANGE in Linux' net/ethernet/eth.c). So the interface goes down for a moment,
and what the kernel drops with that comes back: IPv6 addresses, which it keeps when told to (keep_addr_on_down in Documentation/networking/ip-sysctl.rst),
and the routes that somebody set. Those of a routing daemon are for the daemon to set again.
"""

from __future__ import annotations

from typing import Any

BUSY = "Device or resource busy"
PRESENT = "File exists"
# Of routes that are worth a return: set by hand, by a network manager, by DHCP or from router advertisements.
PROTOCOLS = ("boot", "static", "dhcp", "ra")
KEEP = "/proc/sys/net/ipv6/conf/%s/keep_addr_on_down"


def change(kernel: Any, links: dict[str, Any], name: str, mac: str) -> None:
    """Give an interface a MAC address. kernel and links: as in interface_layer. Raises what the kernel raises."""
    command = ("link", "set", "dev", name, "address", mac)
    if kernel.attempt(BUSY, *command):
        return
    names = [name, *_upper(links, name)]
    routes = [command for each in names for command in _routes(kernel, each)]
    kept = {each: _keep_addresses(each, "1") for each in names}
    try:
        kernel.change("link", "set", "dev", name, "down")
        try:
            kernel.change(*command)
        finally:
            kernel.change("link", "set", "dev", name, "up")
        for route in routes:
            # A network manager that saw the NIC come up may have been first.
            kernel.attempt(PRESENT, *route)
    finally:
        for each, value in kept.items():
            _keep_addresses(each, value)


def _upper(links: dict[str, Any], name: str) -> list[str]:
    """Names of the VLANs and macvlans that lie on an interface and go down with it."""
    direct = [upper for upper, link in links.items() if link["parent"] == name and link["up"]]
    return [upper for each in direct for upper in (each, *_upper(links, each))]


def _routes(kernel: Any, name: str) -> list[tuple[str, ...]]:
    """Commands that bring back the routes of an interface."""
    found = []
    for family in ("-4", "-6"):
        for route in kernel.read(family, "route", "show", "table", "all", "dev", name):
            if route.get("protocol") not in PROTOCOLS or route.get("type", "unicast") != "unicast":
                continue
            arguments = [
                family,
                "route",
                # Behind those that are there: of several with one metric the first is used, and each is as good as before.
                "append",
                route["dst"],
                "dev",
                name,
                "table",
                str(route.get("table", "main")),
                "protocol",
                route["protocol"],
            ]
            for key, word in (("gateway", "via"), ("prefsrc", "src"), ("metric", "metric")):
                if key in route:
                    arguments += [word, str(route[key])]
            found.append(tuple(arguments + ["onlink"] * ("onlink" in route.get("flags", []))))
    # What is on the link comes first: it is what gateways are reached by.
    return sorted(found, key=lambda command: "via" in command)


def _keep_addresses(name: str, value: str) -> str:
    """Tell the kernel whether an interface that goes down keeps its IPv6 addresses; returns what was told before, empty where there is no IPv6."""
    if not value:
        return ""
    try:
        with open(KEEP % name, encoding="ascii") as setting:
            before = setting.read().strip()
        # Opened anew: the kernel takes a value at the beginning of the file only.
        with open(KEEP % name, "w", encoding="ascii") as setting:
            setting.write(value)
    except OSError:
        return ""
    return before
