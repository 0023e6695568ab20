# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The live interfaces, VRFs and tunnels without a daemon, as variables of roles vrf, vxlan and gre. A NIC stays its owner's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address, ip_interface
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import ETHERNET_MTU, LOOPBACK_DEVICE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS, link_type

Links = Mapping[str, Mapping[str, Any]]
# Kinds that role vrf makes.
_MADE = ("bridge", "dummy", "macvlan", "vlan")
# Those of tunnels that options describe: what role vrf makes without a daemon, and WireGuard.
_TUNNEL_KINDS = frozenset(
    name
    for kind in (link_type("wireguard"), *(kind for kind in TUNNELS if kind.made_as))
    for name in (kind.kernel_kind, kind.kernel_kind_ipv6)
    if name
)
# Of kinds that are described, but these are some program's own.
_OF_PROGRAMS = re.compile(r"docker\d+|br-[0-9a-f]{12}|virbr\d+|lxcbr\d+|lxdbr\d+|podman\d+|cni\d+")
# Devices that the kernel makes with a module, for all that are made later.
_OF_THE_KERNEL = frozenset({"gre0", "gretap0", "erspan0", "ip6gre0", "ip6tnl0", "tunl0", "sit0", "ip_vti0", "ip6_vti0"})
WIREGUARD = link_type("wireguard").kernel_kind
_UNITS = {kind.kernel_kind: kind.unit for kind in TUNNELS if kind.unit}
_BY_HAND = ("static", "boot")
DEFAULT = ("0.0.0.0/0", "::/0")


def vrfs_of(links: Links) -> dict[str, str]:
    """Return the VRF of each interface that is in one, and of the devices of the VRFs themselves."""
    vrfs = {name for name, link in links.items() if link["kind"] == "vrf"}
    inside = {name: link["master"] for name, link in links.items() if link["master"] in vrfs}
    # A port of a bridge is where its bridge is; the bridge itself is in `inside`.
    return {**inside, **{name: name for name in vrfs}}


def describe_interfaces(
    links: Links, vxlans: Mapping[str, Any], gres: Mapping[str, Any], wireguards: Collection[str], found: Description
) -> list[str]:
    """Describe what the kernel has. Returns the names of the interfaces whose addresses are the network's business and not their owner's.

    Parameters:
        links, vxlans, gres: parts of the same names of the live state.
        wireguards: the WireGuard interfaces; one of a program is a tun device to the kernel.
        found: gets the variables, and what they do not say.
    """
    vrfs, entries, described = [], [], []
    by_index = sorted(links, key=lambda name: links[name]["index"] or 0)
    for name in by_index:
        link = links[name]
        kind, master = WIREGUARD if name in wireguards else link["kind"], link["master"]
        if name == LOOPBACK_DEVICE or name in _OF_THE_KERNEL:
            continue
        if kind == "vrf":
            vrfs.append({"name": name, "table": link["table"]})
            described.append(name)
        elif _OF_PROGRAMS.fullmatch(name) or not _is_described(kind):
            found.leave(f"interface {name}", f"is of kind {kind} and somebody else's; it stays as it is")
        else:
            entry = {"name": name, **_made(link, links), **_place(master, links)}
            if kind in _UNITS:
                entry["unit"] = _UNITS[kind].format(name=name)
            # What another role makes, and a NIC, is only named where it belongs to something.
            if len(entry) > 1:
                entries.append(entry)
            if kind is not None:
                described.append(name)
    found.give("vrf_vrfs", vrfs)
    found.give("vrf_interfaces", entries)
    found.give("vxlan_interfaces", [entry for name in by_index if name in vxlans for entry in _vxlan(name, vxlans[name], links, found)])
    found.give("gre_interfaces", [entry for name in by_index if name in gres for entry in _gre(name, gres[name], links, found)])
    return described


def describe_routes(routes: Sequence[Mapping[str, Any]], links: Links, found: Description) -> None:
    """Describe the routes that somebody has put into tables of VRFs. Parameters: part ``routes`` of the live state; as of `describe_interfaces`."""
    vrf_of_table = {link["table"]: name for name, link in links.items() if link["kind"] == "vrf"}
    defaults = []
    for route in routes:
        vrf = vrf_of_table.get(route["table"])
        if vrf is None or route["protocol"] not in _BY_HAND:
            continue
        if route["prefix"] in DEFAULT and len(route["via"]) == len(route["dev"]) == 1:
            default = {"gateway": route["via"][0], "interface": route["dev"][0], "vrf": vrf}
            defaults.append(default if _is_neighbor(route["via"][0], links.get(route["dev"][0], {})) else {**default, "onlink": True})
        # That of the kernel's own, which it gives each VRF so that nothing leaves it for another table.
        elif route["type"] == "unicast":
            found.leave(
                f"route {route['prefix']} in VRF {vrf}", "was put there by hand; it stays until a boot. Write it as frr_static_routes"
            )
    found.give("vrf_default_routes", defaults)


def _is_neighbor(gateway: str, link: Mapping[str, Any]) -> bool:
    """Tell whether an address is on the link by itself, or by a subnet of the interface."""
    address = ip_address(gateway)
    subnets = [ip_interface(item["address"]).network for item in link.get("addresses", [])]
    return address.is_link_local or any(address in subnet for subnet in subnets)


def _is_described(kind: str | None) -> bool:
    return kind is None or kind in _MADE or kind in _TUNNEL_KINDS


def _made(link: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Return how role vrf makes an interface; nothing for one that it does not make."""
    if link["kind"] not in _MADE:
        return {}
    made = {"kind": link["kind"], **{key: link[key] for key in ("parent", "vlan") if link[key] is not None}}
    usual = links.get(link["parent"] or "", {}).get("mtu", ETHERNET_MTU)
    return made if link["mtu"] == usual else {**made, "mtu": link["mtu"]}


def _place(master: str | None, links: Links) -> dict[str, str]:
    kind = links.get(master or "", {}).get("kind")
    return {kind: master} if master and kind in ("vrf", "bridge") else {}


def _underlay(name: str, device: str | None, links: Links, found: Description) -> dict[str, str]:
    if device is None:
        return {}
    if links.get(device, {}).get("kind") == "vrf":
        return {"underlay_vrf": device}
    found.leave(f"interface {name}", f"is bound to {device}, which nothing says here; the outer packets would follow the routes")
    return {}


def _vxlan(name: str, vxlan: Mapping[str, Any], links: Links, found: Description) -> list[dict[str, Any]]:
    if not vxlan["local"] or not vxlan["remotes"]:
        found.leave(f"interface {name}", "is a VXLAN without an own address, or without remotes; vxlan_interfaces needs both")
        return []
    entry = {"name": name, "vni": vxlan["vni"], "local": vxlan["local"], "remotes": vxlan["remotes"], "port": vxlan["port"]}
    arp = {} if links[name]["arp"] else {"arp": False}
    return [{**entry, "mtu": links[name]["mtu"], **arp, **_underlay(name, vxlan["device"], links, found)}]


def _gre(name: str, gre: Mapping[str, Any], links: Links, found: Description) -> list[dict[str, Any]]:
    if name in _OF_THE_KERNEL:
        return []
    if not gre["local"] or not gre["remote"] or gre["key"] != gre["incoming_key"] or not gre["ttl"]:
        why = (
            "is a GRE tunnel without one of its ends, with two keys, or with the TTL of the inner packet; gre_interfaces says none of these"
        )
        found.leave(f"interface {name}", why)
        return []
    entry = {"name": name, "peer": gre["remote"], "local": gre["local"], "remote": gre["remote"], "ttl": gre["ttl"]}
    key = {} if gre["key"] is None else {"key": gre["key"]}
    pmtudisc = {"pmtudisc": False} if gre["pmtudisc"] is False else {}
    return [{**entry, **key, **pmtudisc, "mtu": links[name]["mtu"], **_underlay(name, gre["device"], links, found)}]
