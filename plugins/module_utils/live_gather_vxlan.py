# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the live VXLAN interfaces: their ends from `ip`, whom they flood from `bridge`. Nothing is changed."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_links, json_objects
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer, part

FLOOD = "00:00:00:00:00:00"
LINKS = ["ip", "-json", "-details", "link", "show", "type", "vxlan"]
FDB = ["bridge", "-json", "fdb", "show"]


def gather_vxlan(gatherer: Gatherer) -> dict[str, Any]:
    """Give part ``vxlan``: by interface name ``vni, local, port, device`` (VRF of the underlay or None) and ``remotes`` (sorted)."""
    links = gatherer.read(LINKS, parse_vxlans)
    fdb = gatherer.read(FDB, parse_flooded)
    merged = part("ip -details link show type vxlan; bridge fdb show", error=links["error"] or fdb["error"])
    if merged["error"] is None:
        merged["data"] = {name: {**item, "remotes": fdb["data"].get(name, [])} for name, item in links["data"].items()}
    return merged


def parse_vxlans(text: str) -> dict[str, dict[str, Any]]:
    """Read `ip -json -details link show type vxlan`."""
    found = {}
    for name, item in json_links(text).items():
        data = (item.get("linkinfo") or {}).get("info_data")
        if data is not None:
            local = data.get("local") or data.get("local6")
            found[name] = {"vni": data.get("id"), "local": local, "port": data.get("port"), "device": data.get("link")}
    return found


def parse_flooded(text: str) -> dict[str, list[str]]:
    """Read `bridge -json fdb show`: by interface, the remotes that get frames for addresses that are not learned."""
    found: dict[str, set[str]] = {}
    for entry in json_objects(text):
        if entry.get("mac") == FLOOD and "dst" in entry:
            found.setdefault(entry["ifname"], set()).add(entry["dst"])
    return {name: sorted(remotes) for name, remotes in found.items()}
