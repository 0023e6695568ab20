# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""VXLAN interfaces of the interface layer: unicast ends, head-end replication, changed in place where the kernel can.

A part of xgn-interface (interface_layer.py), installed beside it. A declared VXLAN is a dictionary with C(name), C(vni), C(local), C(remotes),
C(port), C(mtu) (bytes), C(mac), C(arp) and C(underlay_vrf). A frame for an address that is not learned yet goes to every entry of the forwarding
database for 00:00:00:00:00:00 (bridge(8)): one for each remote.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.interface_tunnel import Kernel, canonical, new_link, version

TITLE = "VXLAN"
KINDS: tuple[str, ...] = ("vxlan",)
FLOOD = "00:00:00:00:00:00"
PORT = 4789  # RFC 7348, 8


def headers(_vxlan: dict[str, Any]) -> list[tuple[int, str]]:
    """Bytes and name of each header behind the outer IP header: RFC 7348, 5."""
    return [(8, "UDP"), (8, "VXLAN"), (14, "Ethernet")]


def settings(vxlan: dict[str, Any]) -> dict[str, Any]:
    """What is wanted of it as of any interface."""
    return {"arp": vxlan.get("arp", True), **{key: vxlan[key] for key in ("mtu", "mac") if vxlan.get(key)}}


def must_be_made_again(links: dict[str, Any], vxlan: dict[str, Any]) -> list[str]:
    """What the kernel cannot change while the interface lives, as C(vni 1000 to 1001); empty when nothing differs."""
    link = links.get(vxlan["name"])
    if link is None:
        return []
    data = link["data"]
    now = {"vni": data.get("id"), "port": data.get("port", PORT), "underlay VRF": data.get("link"), "outer IP version": _live_version(data)}
    wanted = {
        "vni": vxlan["vni"],
        "port": vxlan.get("port") or PORT,
        "underlay VRF": vxlan.get("underlay_vrf"),
        "outer IP version": version(vxlan),
    }
    return ["%s %s to %s" % (key, now[key], wanted[key]) for key in wanted if now[key] != wanted[key]]


def has_other_ends(links: dict[str, Any], vxlan: dict[str, Any]) -> bool:
    """Say whether its own end, or the other one of a pair, is about to be changed. A member that joins a segment or leaves it parts nobody else."""
    link = links.get(vxlan["name"])
    if link is None:
        return False
    local, remote = _live_ends(link["data"])
    return local != canonical(vxlan["local"]) or (None not in (remote, _default(vxlan)) and remote != _default(vxlan))


def _live_ends(data: dict[str, Any]) -> tuple[str | None, str | None]:
    """Own end, and the other one of a pair."""
    return canonical(data.get("local") or data.get("local6")), canonical(data.get("remote") or data.get("remote6"))


def _live_version(data: dict[str, Any]) -> int | None:
    return 4 if "local" in data else 6 if "local6" in data else None


def _default(vxlan: dict[str, Any]) -> str | None:
    """The other end of a pair, which `ip -details link` shows; several remotes stand in the forwarding database only."""
    return str(ipaddress.ip_address(vxlan["remotes"][0])) if len(vxlan["remotes"]) == 1 else None


def add_command(vxlan: dict[str, Any]) -> list[str]:
    """Arguments of ip(8) that make a VXLAN."""
    default = _default(vxlan)
    command = ["link", "add", "dev", vxlan["name"]]
    command += ["address", vxlan["mac"]] if vxlan.get("mac") else []
    command += ["type", "vxlan", "id", str(vxlan["vni"]), "local", vxlan["local"]]
    command += ["remote", default] if default else []
    command += ["dev", vxlan["underlay_vrf"]] if vxlan.get("underlay_vrf") else []
    return [*command, "dstport", str(vxlan.get("port") or PORT)]


def ensure(kernel: Kernel, links: dict[str, Any], vxlan: dict[str, Any]) -> None:
    """Make a VXLAN or change it in place; MTU, MAC, ARP, master and state are the business of interface_layer."""
    name = vxlan["name"]
    unspecified = "0.0.0.0" if version(vxlan) == 4 else "::"
    remotes = [str(ipaddress.ip_address(text)) for text in vxlan["remotes"]]
    default = _default(vxlan)
    if name not in links:
        kernel.change(*add_command(vxlan))
        links[name] = new_link("vxlan", mac=vxlan.get("mac"), data={"local": vxlan["local"], "remote": default})
        flooded = {default} if default else set()
    else:
        data = links[name]["data"]
        flooded = _flooded(kernel, name)
        local, now = _live_ends(data)
        if local != canonical(vxlan["local"]):
            kernel.change("link", "set", "dev", name, "type", "vxlan", "local", vxlan["local"])
        if now != default:
            # The kernel takes the old remote's entry out of the forwarding database and puts the new one's in.
            kernel.change("link", "set", "dev", name, "type", "vxlan", "remote", default or unspecified)
            flooded = (flooded - {now}) | ({default} if default else set())
    for remote in remotes:
        if remote not in flooded:
            kernel.change("fdb", "append", FLOOD, "dev", name, "dst", remote, program="bridge")
    for remote in sorted(flooded - set(remotes)):
        kernel.change("fdb", "delete", FLOOD, "dev", name, "dst", remote, program="bridge")


def _flooded(kernel: Kernel, name: str) -> set[str]:
    """The remotes that get frames for addresses that are not learned."""
    entries = kernel.read("fdb", "show", "dev", name, program="bridge")
    return {str(ipaddress.ip_address(entry["dst"])) for entry in entries if entry.get("mac") == FLOOD and "dst" in entry}
