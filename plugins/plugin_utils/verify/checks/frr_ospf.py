# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of OSPF: a full neighbor on every interface that looks for one, and BFD watching it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import DEFAULT_VRF, Ledger, Variables, Verdict, duration

_INSTANCES = (("ospf", "frr_ospf", "OSPF", "show ip ospf"), ("ospf6", "frr_ospf6", "OSPFv3", "show ipv6 ospf6"))


def active_interfaces(variables: Variables, variable: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield VRF and settings of the interfaces of ``frr_ospf`` or ``frr_ospf6`` that are not passive."""
    for instance in entries_of(variables, variable):
        for interface in instance["interfaces"]:
            if not interface.get("passive"):
                yield instance.get("vrf") or DEFAULT_VRF, interface


def adjacencies(variables: Variables) -> dict[str, list[str]]:
    """Return the names of the interfaces with a neighbor, under ``ospf`` and ``ospf6``."""
    return {
        part: [interface["name"] for _vrf, interface in active_interfaces(variables, variable)]
        for part, variable, _family, _command in _INSTANCES
    }


def check_ospf(ledger: Ledger, variables: Variables) -> None:
    """Check every active interface of OSPFv2 and OSPFv3."""
    for part, variable, title, show in _INSTANCES:
        for vrf, interface in active_interfaces(variables, variable):
            name = interface["name"]
            command = f"vtysh -c '{show} vrf {vrf} neighbor'"
            ledger.judge(f"{title} {vrf} neighbor on {name} full", command, part, lambda found, n=name: full(n, found))
            if interface.get("bfd_profile"):
                check = f"BFD {vrf} watches {title} on {name}"
                version = 4 if part == "ospf" else 6
                ledger.judge(
                    check, f"vtysh -c 'show bfd vrf {vrf} peers'", "bfd", lambda live, v=vrf, n=name, f=version: watched(v, n, f, live)
                )


def full(name: str, neighbors: list[dict[str, Any]]) -> Verdict:
    """Test that an interface has a neighbor, and that every one of them is full."""
    here = [item for item in neighbors if item["interface"] == name]
    if not here:
        return False, f"no neighbor on {name}, expected one; same area, timers, network type, MTU and key on both sides?"
    shown = ", ".join(f"{item['router_id']} {item['state']} for {duration(item['uptime'])}" for item in here)
    # Of a broadcast network's routers only two are full with all the others.
    return any(item["full"] for item in here), shown


def watched(vrf: str, name: str, version: int, sessions: list[dict[str, Any]]) -> Verdict:
    """Test that a BFD session of the family is up on the interface."""
    here = [item for item in sessions if (item["vrf"], item["interface"]) == (vrf, name) and (":" in item["peer"]) == (version == 6)]
    if not here:
        return False, f"no IPv{version} session on {name} in VRF {vrf}"
    down = [f"{item['peer']} is {item['status']} (diagnostic {item['diagnostic']})" for item in here if item["status"] != "up"]
    return not down, "; ".join(down) or ", ".join(f"{item['peer']} up {duration(item['uptime'])}" for item in here)
