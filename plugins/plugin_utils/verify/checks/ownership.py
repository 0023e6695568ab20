# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks that nothing of ours is on a host that nothing asks for, and that our files are as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.iproute import default_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS, LinkType
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES, entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.units import expected_units
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, roles_of

SHOW = {
    "unit": "systemctl status {}",
    "interface": "ip -details link show dev {}",
    "route": "ip -4 route show default; ip -6 route show default",
    "table": "nft list table {}",
    "sysctl": "sysctl {}",
    "file": "ls -l {}",
}


def check_ownership(ledger: Ledger, variables: Variables) -> None:
    """Check the record of what the collection made: one result for each thing that is left over, or one that says that there is none."""
    if "ownership" not in ledger.state:
        return
    reason = ledger.problem("ownership")
    name, command = "Nothing of ours is left over", ledger.state["ownership"]["command"]
    if reason is not None:
        ledger.add(name, "failed", command, f"could not be read: {reason}")
        return
    found: Mapping[str, Any] = ledger.state["ownership"]["data"]
    before = len(ledger.checks)
    for sentence in found["damaged"]:
        ledger.add(f"Record {sentence.split()[0]} whole", "failed", command, f"{sentence}. The next run of site repairs it")
    objects = [item for item in found["objects"] if item["role"] in roles_of(variables)]
    for item in objects:
        show = SHOW[item["kind"]].format(item["name"])
        wanted = is_wanted(item, variables)
        if item["alive"] and not wanted:
            detail = f"role {item['role']} made it, and nothing asks for it any more. site removes it"
            ledger.add(f"Leftover {item['kind']} {item['name']}", "failed", show, detail)
        elif item["changed"] and (item["alive"] or wanted):
            what = (
                f"its content is not what role {item['role']} wrote" if item["alive"] else f"role {item['role']} wrote it, and it is gone"
            )
            ledger.add(f"File {item['name']} as written", "failed", show, f"{what}. site writes it again")
    for words in found["unrecorded"]:
        kind, _space, rest = words.partition(" ")
        detail = "it carries our name, and no role has recorded it. Remove it by hand, or rename it if it is yours"
        ledger.add(f"Leftover {words}", "failed", SHOW[kind].format(rest), detail)
    if len(ledger.checks) == before:
        ledger.add(name, "passed", command, f"{len(objects)} recorded, each wanted and as written")


def is_wanted(item: Mapping[str, Any], variables: Variables) -> bool:
    """Say whether a host's variables ask for a recorded object. item: with role, kind and name."""
    role, kind, name = item["role"], item["kind"], item["name"]
    if role not in ROLES or not ROLES[role].is_wanted(variables):
        return False
    if kind == "unit" and any(tunnel.role == role and _is_of_an_entry(name, tunnel) for tunnel in TUNNELS):
        return name in expected_units(variables)
    if kind == "interface":
        declared = [*variables.get("vrf_vrfs", []), *variables.get("vrf_interfaces", [])]
        names = {str(entry["name"]) for entry in declared}
        names |= {entry["name"] for tunnel in TUNNELS for entry in entries_of(variables, tunnel.variable)}
        return name in names
    if kind == "route":
        mains = [route for route in variables.get("vrf_default_routes", []) if not route.get("vrf")]
        return name in {default_name(route["gateway"]) for route in mains}
    return True


def _is_of_an_entry(unit: str, tunnel: LinkType) -> bool:
    """Tell whether a unit is one of those that a type has for each of its entries, by its name."""
    return tunnel.unit_per_entry and fnmatchcase(unit, tunnel.unit.format(name="*", side="*"))
