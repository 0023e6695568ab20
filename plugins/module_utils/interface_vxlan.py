# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""VXLAN interfaces of the interface layer: unicast ends, head-end replication, changed in place where the kernel can.

A part of xgn-interface (interface_layer.py), installed beside it. A declared VXLAN is a dictionary with C(name), C(vni), C(local), C(remotes),
C(port), C(mtu) (bytes), C(mac), C(arp) and C(underlay_vrf). A frame for an address that is not learned yet goes to every entry of the forwarding
database for 00:00:00:00:00:00 (bridge(8)): one for each remote.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Protocol

FLOOD = "00:00:00:00:00:00"
PORT = 4789  # RFC 7348, 8
# By IP version of the outer header: RFC 7348, 5.
OVERHEAD = {4: (20, "IPv4"), 6: (40, "IPv6")}
HEADERS = ((8, "UDP"), (8, "VXLAN"), (14, "Ethernet"))


class Kernel(Protocol):
    """What is needed of interface_layer.Kernel."""

    def read(self, *arguments: str, program: str = "ip") -> list[Any]:
        """Run a command of iproute2 that only shows; return its parsed output."""

    def change(self, *arguments: str, program: str = "ip") -> None:
        """Run a command of iproute2 that changes something."""

    def delete(self, links: dict[str, Any], name: str) -> None:
        """Delete an interface and all that lies on it."""


def new_link(kind: str | None, **known: Any) -> dict[str, Any]:
    """What interface_layer.Kernel.links would tell of an interface that was made a moment ago."""
    unknown = {"table": None, "parent": None, "master": None, "mtu": None, "mac": None}
    return {"kind": kind, **unknown, "up": False, "arp": True, "data": {}, **known}


def version(vxlan: dict[str, Any]) -> int:
    """IP version of the outer packets. Raises ValueError when C(local) is no address."""
    return ipaddress.ip_address(vxlan["local"]).version


def room(underlay_mtu: int, outer: int) -> tuple[int, str]:
    """What an underlay leaves for the packets inside, in bytes, and the arithmetic: C(2000 - 20 (IPv4) - … = 1950)."""
    rest, steps = underlay_mtu, [str(underlay_mtu)]
    for size, name in (OVERHEAD[outer], *HEADERS):
        rest -= size
        steps.append("- %d (%s)" % (size, name))
    return rest, "%s = %d" % (" ".join(steps), rest)


def too_large(kernel: Kernel, links: dict[str, Any], declared: dict[str, Any]) -> list[str]:
    """One sentence for each VXLAN that does not fit the interface its outer packets leave by: the one that has its local address.

    The MTU declared for that interface counts, since it is about to be set; else the live one. Nothing is said of a VXLAN whose local
    address is not there yet.
    """
    vxlans = [item for item in declared.get("vxlans", []) if item.get("mtu")]
    if not vxlans:
        return []
    wanted = {item["name"]: item["mtu"] for item in declared.get("interfaces", []) if item.get("mtu")}
    holders = {}
    for link in kernel.read("address", "show"):
        for entry in link.get("addr_info", []):
            holders[entry.get("local")] = link.get("ifname")
    problems = []
    for item in vxlans:
        under = holders.get(item["local"])
        # The device of a VRF, and lo, carry loopback addresses only: their MTU says nothing of the path.
        if under is None or under == "lo" or links.get(under, {}).get("kind") == "vrf":
            continue
        underlay = wanted.get(under) or links[under]["mtu"]
        most, arithmetic = room(underlay, version(item))
        if item["mtu"] > most:
            problems.append(
                "%s: MTU %d does not fit its underlay %s: %s is the most. Raise the MTU of %s, on every host and switch of the path, to %d, "
                "or lower that of %s" % (item["name"], item["mtu"], under, arithmetic, under, underlay + item["mtu"] - most, item["name"])
            )
    return problems


def contradiction(links: dict[str, Any], vxlan: dict[str, Any]) -> str | None:
    """Why a VXLAN cannot be made: its name is that of another interface; else None."""
    link = links.get(vxlan["name"])
    if link is not None and link["kind"] != "vxlan":
        return "%s exists and is no VXLAN (kind %s): remove it or rename one of the two" % (vxlan["name"], link["kind"])
    return None


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


def _live_version(data: dict[str, Any]) -> int | None:
    return 4 if "local" in data else 6 if "local6" in data else None


def take_down(kernel: Kernel, links: dict[str, Any], declared: dict[str, Any], previous: dict[str, Any]) -> None:
    """Delete the VXLANs that were declared before and no longer are."""
    names = {item["name"] for item in declared.get("vxlans", [])}
    for item in previous.get("vxlans", []):
        if item["name"] not in names and links.get(item["name"], {}).get("kind") == "vxlan":
            kernel.delete(links, item["name"])


def ensure(kernel: Kernel, links: dict[str, Any], vxlan: dict[str, Any]) -> None:
    """Make a VXLAN or change it in place; MTU, MAC, ARP, master and state are the business of interface_layer."""
    name = vxlan["name"]
    unspecified = "0.0.0.0" if version(vxlan) == 4 else "::"
    remotes = [str(ipaddress.ip_address(text)) for text in vxlan["remotes"]]
    # A pair shows its other end in `ip -details link`; several remotes stand in the forwarding database only.
    default = remotes[0] if len(remotes) == 1 else None
    if must_be_made_again(links, vxlan):
        kernel.delete(links, name)
    if name not in links:
        command = ["link", "add", "dev", name]
        if vxlan.get("mac"):
            command += ["address", vxlan["mac"]]
        command += ["type", "vxlan", "id", str(vxlan["vni"]), "local", vxlan["local"]]
        command += ["remote", default] if default else []
        command += ["dev", vxlan["underlay_vrf"]] if vxlan.get("underlay_vrf") else []
        kernel.change(*command, "dstport", str(vxlan.get("port") or PORT))
        links[name] = new_link("vxlan", mac=vxlan.get("mac"), data={"local": vxlan["local"], "remote": default})
        flooded = {default} if default else set()
    else:
        data = links[name]["data"]
        flooded = _flooded(kernel, name)
        if _canonical(data.get("local") or data.get("local6")) != _canonical(vxlan["local"]):
            kernel.change("link", "set", "dev", name, "type", "vxlan", "local", vxlan["local"])
        now = _canonical(data.get("remote") or data.get("remote6"))
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


def _canonical(text: str | None) -> str | None:
    return str(ipaddress.ip_address(text)) if text else None
