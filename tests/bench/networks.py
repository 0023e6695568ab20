# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks of any size as an intent."""

from __future__ import annotations

from typing import Any

_POOLS = {
    "links": {"ipv4": "10.128.0.0/9"},
    "loopbacks": {"ipv4": "10.0.0.0/16"},
    "networks": {"ipv4": "10.64.0.0/11", "ipv4_prefix": 24},
}


def _intent() -> dict[str, Any]:
    return {
        "xgn_pools": _POOLS,
        "xgn_vrfs": {"CORE": {"table": 200}},
        "xgn_bgp": {"asn_base": 4200000000},
        "xgn_firewall": {},
        "xgn_nodes": {},
        "xgn_patterns": [],
    }


def _node(number: int, address: str | None) -> dict[str, Any]:
    uplink = {"device": "eth0", "address": address} if address else {"device": "eth0", "nat": True}
    return {"id": number, "vrf": "CORE", "uplink": uplink, "networks": {"lan0": {"kind": "bridge"}}}


def full_mesh(size: int) -> dict[str, Any]:
    """Return a full mesh of WireGuard links: size (size - 1) / 2 of them."""
    raw = _intent()
    raw["xgn_nodes"] = {f"r{number}": _node(number, f"198.51.{number >> 8}.{number & 255}/32") for number in range(1, size + 1)}
    raw["xgn_patterns"] = [{"type": "full_mesh", "nodes": ["all"], "first_id": 0, "link": {"type": "wireguard"}}]
    return raw


def hub_and_spoke(size: int, hubs: int = 2) -> dict[str, Any]:
    """Return hubs and spokes behind a NAT, every spoke linked to every hub."""
    raw = _intent()
    for number in range(1, size + 1):
        if number <= hubs:
            raw["xgn_nodes"][f"hub{number}"] = _node(number, f"198.51.100.{number}/24")
        else:
            raw["xgn_nodes"][f"site{number}"] = {**_node(number, None), "groups": ["spokes"]}
    raw["xgn_patterns"] = [
        {"type": "hub_spoke", "hub": f"hub{number}", "spokes": ["spokes"], "first_id": 100000 * number, "link": {"type": "wireguard"}}
        for number in range(1, hubs + 1)
    ]
    raw["xgn_links"] = [{"id": number, "type": "wireguard", "ends": ["hub1", f"hub{number}"]} for number in range(2, hubs + 1)]
    return raw


def netlab_mesh(size: int) -> str:
    """Return the same mesh as a netlab topology."""
    names = [f"r{number}" for number in range(1, size + 1)]
    lines = ["defaults.device: frr", "provider: clab", "module: [bgp]", "addressing:", "  p2p:", "    ipv4: 10.128.0.0/9", "    prefix: 30"]
    lines += ["nodes:", *(f"  {name}: {{bgp.as: {65000 + index}}}" for index, name in enumerate(names))]
    lines += ["links:", *(f"- {one}-{two}" for index, one in enumerate(names) for two in names[index + 1 :])]
    return "\n".join([*lines, ""])
