# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of VRF devices, rules, and interfaces: membership, state, MTU, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.interface_layer import LOCAL_RULE_PREFERENCE, UNREACHABLE_METRIC
from ansible_collections.xuegao.net.plugins.module_utils.iproute import HARMLESS_TABLES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import VrfInterface
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, LOCAL_TABLE, TITLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import (
    Ledger,
    Variables,
    Verdict,
    canonical_interface,
    family_of,
    same,
    same_set,
)

Links = Mapping[str, Mapping[str, Any]]


def check_vrfs(ledger: Ledger, variables: Variables) -> None:
    """Check each VRF's device, table and closing route, and the order of the rules."""
    vrfs = variables.get("vrf_vrfs", [])
    for vrf in vrfs:
        name, table = vrf["name"], int(vrf["table"])

        def device(links: Links, name: str = name, table: int = table) -> Verdict:
            link = links.get(name)
            if link is None:
                return False, f"no device {name}, expected a VRF device with table {table}"
            if link["kind"] != "vrf":
                return False, f"{name} is a {link['kind'] or 'plain device'}, expected a VRF device"
            if not link["up"]:
                return False, f"{name} is down, expected up"
            return same(table, link["table"])

        ledger.judge(f"VRF {name} exists with table {table}", f"ip -details link show dev {name}", "links", device)
        for family, prefix, option in ((TITLE["ipv4"], EVERYTHING["ipv4"], ""), (TITLE["ipv6"], EVERYTHING["ipv6"], "-6 ")):

            def closing(routes: list[dict[str, Any]], prefix: str = prefix, table: int = table) -> Verdict:
                found = [route for route in routes if route["table"] == table and route["prefix"] == prefix]
                metrics = [route["metric"] for route in found if route["type"] == "unreachable"]
                if UNREACHABLE_METRIC in metrics:
                    return True, f"unreachable default, metric {UNREACHABLE_METRIC}"
                shown = ", ".join(f"{route['type']} metric {route['metric']}" for route in found) or "no default route"
                return False, f"table {table} has {shown}, expected unreachable default with metric {UNREACHABLE_METRIC}"

            command = f"ip {option}route show table {table} type unreachable"
            ledger.judge(f"VRF {name} {family} lookups end in its table", command, "routes", closing)
        if vrf.get("fwmark"):
            for version, option in ((4, ""), (6, "-6 ")):
                ledger.judge(
                    f"VRF {name} routes packets with its mark, IPv{version}",
                    f"ip {option}rule show fwmark {vrf['fwmark']}",
                    f"rules{version}",
                    lambda rules, mark=int(vrf["fwmark"]), table=table: marked(rules, mark, table),
                )
    if vrfs:
        for version, option in ((4, ""), (6, "-6 ")):
            ledger.judge(f"VRF rules IPv{version} ask the VRF before local", f"ip {option}rule show", f"rules{version}", rules_in_order)


def marked(rules: list[dict[str, Any]], mark: int, table: int) -> Verdict:
    """Test that packets with a mark are looked up in a table before they are in the main one, by a rule that no network manager removes."""
    found = [rule for rule in rules if rule.get("mark") == mark]
    if not found:
        what = "WireGuard's outer packets leave by the default VRF, and answers from an exit do not find back"
        return False, f"no rule for mark {mark}, expected one for table {table}: {what}"
    first = min(found, key=lambda rule: int(rule["priority"]))
    if first["table"] != table or first["priority"] > LOCAL_RULE_PREFERENCE:
        return False, f"found table {first['table']} at priority {first['priority']}, expected table {table} before the main one"
    vrfs = min((int(rule["priority"]) for rule in rules if rule["l3mdev"]), default=None)
    if vrfs is not None and first["priority"] > vrfs:
        return False, f"the rule at {first['priority']} comes behind l3mdev at {vrfs}: it is not asked for what arrives in another VRF"
    if not first["kernel"]:
        return (
            False,
            f"the rule at {first['priority']} is not of protocol kernel: systemd-networkd removes it when it configures a NIC again",
        )
    return True, f"table {table}, priority {first['priority']}"


def rules_in_order(rules: list[dict[str, Any]]) -> Verdict:
    """Test that the l3mdev rule comes before every rule for the local table, and that a local rule is left that no network manager removes."""
    l3mdev = [rule["priority"] for rule in rules if rule["l3mdev"]]
    local = [rule["priority"] for rule in rules if rule["table"] == LOCAL_TABLE]
    if not l3mdev:
        return False, "no l3mdev rule, expected one at priority 1000"
    if not local:
        return False, "no rule for table local, expected one at priority 32765"
    if min(local) < min(l3mdev):
        return False, f"local at priority {min(local)} comes before l3mdev at {min(l3mdev)}, expected local at 32765 only"
    past = [rule for rule in rules if rule["every"] and not rule["l3mdev"] and rule["priority"] < min(l3mdev)]
    past = [rule for rule in past if rule["table"] is not None and str(rule["table"]) not in HARMLESS_TABLES]
    if past:
        shown = ", ".join(f"{rule['priority']} for table {rule['table']}" for rule in past)
        return (
            False,
            f"rule {shown} comes before l3mdev at {min(l3mdev)}: packets of a VRF may leave it that way. site removes one that was set by hand",
        )
    if not all(rule["kernel"] for rule in rules if rule["table"] == LOCAL_TABLE):
        return (
            False,
            f"the rule for local at {max(local)} is not of protocol kernel: systemd-networkd removes it when it configures a NIC again",
        )
    return True, f"l3mdev {min(l3mdev)}, local {min(local)}"


def check_interfaces(ledger: Ledger, variables: Variables) -> None:
    """Check every interface the roles name: exists and up, kind, VRF, MTU, MAC address."""
    tunnels = {
        item["name"]: {**item, "kind": kind.kind_of(item.get("local"))}
        for kind in TUNNELS
        if kind.point_to_point
        for item in entries_of(variables, kind.variable)
    }
    declared: Mapping[str, VrfInterface] = {item["name"]: item for item in variables.get("vrf_interfaces", [])}
    addressed = {item["name"]: item for item in variables.get("frr_interfaces", [])}
    vrfs = {item["name"] for item in variables.get("vrf_vrfs", [])}
    for name in dict.fromkeys([*declared, *tunnels, *addressed]):
        if name in vrfs:
            continue
        kind = tunnels[name]["kind"] if name in tunnels else declared[name].get("kind") if name in declared else None
        show = f"ip -details link show dev {name}"

        def up(links: Links, name: str = name, kind: str | None = kind) -> Verdict:
            link = links.get(name)
            if link is None:
                return False, f"no interface {name}" + (f", expected a {kind}" if kind else "")
            if kind and link["kind"] != kind:
                return False, f"{name} is a {link['kind'] or 'plain device'}, expected a {kind}"
            if not link["up"]:
                return False, f"{name} is down, expected up"
            return True, f"up, {link['kind'] or 'plain device'}"

        if kind in ("vlan", "macvlan"):
            check_parent(ledger, name, declared[name], show)
        ledger.judge(f"Interface {name} up", show, "links", up)
        if name in declared:
            check_membership(ledger, name, declared[name].get("vrf"), show)
        own = declared.get(name)
        mtu = (own.get("mtu") if own else None) or tunnels.get(name, {}).get("mtu")
        if mtu:
            ledger.judge(f"Interface {name} MTU", show, "links", lambda links, n=name, m=mtu: same(m, links.get(n, {}).get("mtu")))
        mac = own.get("mac") if own else None
        if mac:
            ledger.judge(f"Interface {name} MAC", show, "links", lambda links, n=name, m=mac: same(m.lower(), links.get(n, {}).get("mac")))
    for name, item in addressed.items():
        check_addresses(ledger, name, item.get("addresses", []))


def check_parent(ledger: Ledger, name: str, declared: VrfInterface, command: str) -> None:
    """Check what a VLAN or macvlan interface lies on, and the number of a VLAN."""

    def words(link: Mapping[str, Any] | VrfInterface) -> str:
        return f"{'macvlan' if declared['kind'] == 'macvlan' else 'VLAN {}'.format(link['vlan'])} on {link['parent']}"

    def lies(links: Links) -> Verdict:
        return same(words(declared), words(links[name]) if name in links else None)

    ledger.judge(f"Interface {name} is {words(declared)}", command, "links", lies)


def check_membership(ledger: Ledger, name: str, vrf: str | None, command: str) -> None:
    """Check that an interface is in its VRF, or in none."""

    def member(links: Links) -> Verdict:
        if name not in links:
            return False, f"no interface {name}"
        master = links[name]["master"]
        if vrf is None:
            in_vrf = master is not None and links.get(master, {}).get("kind") == "vrf"
            return not in_vrf, f"found in VRF {master}, expected in the default VRF" if in_vrf else "in the default VRF"
        return same(vrf, master)

    ledger.judge(f"Interface {name} in VRF {vrf}" if vrf else f"Interface {name} in the default VRF", command, "links", member)


def check_addresses(ledger: Ledger, name: str, addresses: list[str]) -> None:
    """Check that an interface has the declared addresses and, in their families, no other global one."""
    wanted = {canonical_interface(address) for address in addresses}
    families = {family_of(address) for address in wanted} or {4, 6}

    def exact(links: Links) -> Verdict:
        if name not in links:
            return False, f"no interface {name}, expected {', '.join(sorted(wanted)) or 'one without addresses'}"
        # Link-local addresses come by themselves; only a declared one must be there.
        live = [
            item["address"]
            for item in links[name]["addresses"]
            if item["address"] in wanted or (item["family"] in families and item["scope"] not in ("link", "host"))
        ]
        return same_set(wanted, live)

    ledger.judge(f"Interface {name} addresses", f"ip address show dev {name}", "links", exact)
