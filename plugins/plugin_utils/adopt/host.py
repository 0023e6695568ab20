# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A running host as the variables that describe it, and what they do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.frr import describe_frr
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.interfaces import (
    WIREGUARD,
    Links,
    describe_interfaces,
    describe_routes,
    vrfs_of,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.wireguard import describe_wireguard
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS

FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
# What module live_state is asked for.
ASKED: Mapping[str, Any] = {
    "frr": False,
    "sysctls": list(FORWARDING),
    "configuration": True,
    **{kind.name: True for kind in TUNNELS if kind.made_as},
}
_OURS = "xgn"


def describe(state: Mapping[str, Any]) -> Description:
    """Describe a host. state: as module live_state gives it, asked for `ASKED`."""
    found = Description()

    def data(part: str, nothing: Any) -> Any:
        if state[part]["error"] is None:
            return state[part]["data"]
        found.leave(state[part]["command"], state[part]["error"])
        return nothing

    links: Links = data("links", {})
    wireguard = data("wireguard_configuration", {"files": {}, "keys": []})
    # A host without wg has nothing to be asked for.
    needed = wireguard["files"] or any(link["kind"] == WIREGUARD for link in links.values())
    living = data("wireguard", {}) if needed or state["wireguard"]["error"] is None else {}
    own = describe_interfaces(links, data("vxlan", {}), data("gre", {}), living, found)
    describe_routes(data("routes", []), links, found)
    describe_wireguard(living, wireguard["files"], wireguard["keys"], links, found)
    frr = data("frr_configuration", None)
    if frr is not None:
        describe_frr(frr["running"], frr["daemons"], vrfs_of(links), found)
    _addresses(own, links, found)
    forwarding = data("sysctl", {})
    if set(forwarding.values()) == {"0"}:
        found.variables["sysctl_ip_forward"] = False
    else:
        for name in (name for name, value in forwarding.items() if value == "0"):
            found.leave(f"{name} = 0", "role sysctl switches forwarding of both families on, or with sysctl_ip_forward: false both off")
    for table in data("tables", []):
        family, name = table.split()
        if name.partition("_")[0] != _OURS:
            found.leave(f"nft table {family} {name}", "is somebody else's, and is never touched")
    found.without_templates()
    return found


def _addresses(own: Sequence[str], links: Links, found: Description) -> None:
    """Give FRR the addresses of interfaces that are the network's, and that somebody else has set."""
    entries = found.variables.get("frr_interfaces", [])
    known = {entry["name"]: entry for entry in entries}
    for name in own:
        live = [entry["address"] for entry in links[name]["addresses"] if entry["scope"] == "global"]
        entry = known.get(name, {"name": name})
        missing = [address for address in live if address not in entry.get("addresses", [])]
        if missing:
            entry["addresses"] = [*entry.get("addresses", []), *missing]
            if name not in known:
                entries.append(entry)
    found.give("frr_interfaces", entries)
