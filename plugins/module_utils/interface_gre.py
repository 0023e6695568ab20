# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""GRE tunnels of the interface layer, over IPv4 or IPv6.

A part of xgn-interface (interface_layer.py), installed beside it. A declared GRE tunnel is a dictionary with C(name), C(local), C(remote), C(key),
C(ttl), C(pmtudisc), C(mtu) (bytes) and C(underlay_vrf). What tells one tunnel from another (ends, key, underlay) makes a new interface: changed in
place, two that exchange their keys would be in each other's way. The old ones go before the first new one is made.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.interface_tunnel import Kernel, canonical, new_link, version

TITLE = "GRE tunnel"
KINDS: tuple[str, ...] = ("gre", "ip6gre")
KIND = {4: "gre", 6: "ip6gre"}
TTL = 64


def headers(tunnel: dict[str, Any]) -> list[tuple[int, str]]:
    """Bytes and name of each header behind the outer IP header: RFC 2784, 2 and RFC 2890, 2."""
    return [(4, "GRE")] + ([(4, "key")] if tunnel.get("key") is not None else [])


def settings(tunnel: dict[str, Any]) -> dict[str, Any]:
    """What is wanted of it as of any interface."""
    return {"mtu": tunnel["mtu"]} if tunnel.get("mtu") else {}


def live_key(data: dict[str, Any], direction: str) -> int | None:
    """The key of outgoing (C(okey)) or incoming (C(ikey)) packets in what `ip -json -details` tells, which prints it like an IPv4 address."""
    return int(ipaddress.IPv4Address(data[direction])) if direction in data else None


def must_be_made_again(links: dict[str, Any], tunnel: dict[str, Any]) -> list[str]:
    """What makes it another tunnel than the one that lives, as C(key 1 to 2); empty when nothing differs."""
    link = links.get(tunnel["name"])
    if link is None:
        return []
    data = link["data"]
    now = {
        "kind": link["kind"],
        "local": data.get("local"),
        "remote": data.get("remote"),
        "key": live_key(data, "okey"),
        "incoming key": live_key(data, "ikey"),
        "underlay VRF": data.get("link"),
    }
    wanted = {
        "kind": KIND[version(tunnel)],
        "local": canonical(tunnel["local"]),
        "remote": canonical(tunnel["remote"]),
        "key": tunnel.get("key"),
        "incoming key": tunnel.get("key"),
        "underlay VRF": tunnel.get("underlay_vrf"),
    }
    return ["%s %s to %s" % (key, now[key], wanted[key]) for key in wanted if now[key] != wanted[key]]


def has_other_ends(_links: dict[str, Any], _tunnel: dict[str, Any]) -> bool:
    """Whatever parts it from the other end makes another tunnel of it."""
    return False


def add_command(tunnel: dict[str, Any]) -> list[str]:
    """Arguments of ip(8) that make a tunnel."""
    kind = KIND[version(tunnel)]
    command = ["link", "add", "dev", tunnel["name"], "type", kind, "local", tunnel["local"], "remote", tunnel["remote"]]
    command += ["key", str(tunnel["key"])] if tunnel.get("key") is not None else []
    command += ["dev", tunnel["underlay_vrf"]] if tunnel.get("underlay_vrf") else []
    return command + _outside(tunnel)


def _outside(tunnel: Mapping[str, Any]) -> list[str]:
    """How the outer packets look, in the words of ip(8)."""
    ttl = ["ttl", str(tunnel.get("ttl") or TTL)]
    if version(tunnel) == 4:
        return [*ttl, "pmtudisc" if tunnel.get("pmtudisc", True) else "nopmtudisc"]
    # An option of 8 bytes that counts nested tunnels (RFC 2473, 4.1.1), and that many routers and firewalls drop.
    return [*ttl, "encaplimit", "none"]


def ensure(kernel: Kernel, links: dict[str, Any], tunnel: dict[str, Any]) -> None:
    """Make a GRE tunnel, or change in place how its outer packets look."""
    name, kind, link = tunnel["name"], KIND[version(tunnel)], links.get(tunnel["name"])
    if link is None:
        kernel.change(*add_command(tunnel))
        links[name] = new_link(kind)
        return
    data = link["data"]
    alike = data.get("pmtudisc") == tunnel.get("pmtudisc", True) if kind == "gre" else "encap_limit" not in data
    if data.get("ttl") != (tunnel.get("ttl") or TTL) or not alike:
        kernel.change("link", "set", "dev", name, "type", kind, *_outside(tunnel))
        # The kernel computes the MTU anew when it changes a tunnel over IPv6.
        link["mtu"] = None
