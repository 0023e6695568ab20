# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare the live state of a host with the variables of its roles. Pure: no process, no file, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import canonical_prefix
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import cover_values
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import Accepted, Registry
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import ONLINE, TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import one_line
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import COMPARED, entries_of, is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import filter_text
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.sysctl import sysctl_values
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.dns_anycast import check_dns
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.docker_macvlan import check_docker, docker_asked
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.firewall import BEFORE, check_firewall
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr import check_frr, originated
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr_ospf import adjacencies, check_ospf
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.gobgp import check_gobgp
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.gre import check_gre
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.l2tp_ipsec import check_l2tp
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.openvpn import check_openvpn
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.ownership import check_ownership
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.routes import check_reach, check_routes, reach_requests
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.sysctl import check_sysctls
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.units import (
    NETWORK_MANAGER,
    check_units,
    expected_units,
    started_by_timers,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.vrf import check_interfaces, check_vrfs
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.vxlan import check_vxlans
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.wireguard import check_wireguard
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import (
    DEFAULT_VRF,
    Check,
    Ledger,
    State,
    Variables,
    roles_of,
)

__all__ = ["Check", "gather_arguments", "host_checks", "redact", "relevant_variables", "unreachable"]


def relevant_variables(variables: Variables) -> Variables:
    """Return the variables without those of roles that ``verify_roles`` does not name."""
    left_out = tuple(role.prefix for role in COMPARED if role.name not in roles_of(variables))
    return cast(Variables, {name: value for name, value in variables.items() if not name.startswith(left_out)})


def gather_arguments(variables: Variables) -> dict[str, Any]:
    """Return the arguments of module ``live_state`` for a host with these variables.

    Parameters:
        variables: the roles' variables with their defaults.
    """
    known = relevant_variables(variables)
    units = expected_units(known)
    expect: dict[str, list[Any]] = {"bgp": [], "bfd": [], "routes": [], **adjacencies(known)}
    for instance in known.get("frr_bgp", []):
        vrf = instance.get("vrf") or DEFAULT_VRF
        for neighbor in instance.get("neighbors", []):
            session = {"vrf": vrf, "address": neighbor_name(neighbor)}
            expect["bgp"].append(session)
            if neighbor.get("bfd_profile"):
                expect["bfd"].append(session)
    for route in known.get("verify_routes", []):
        expect["routes"].append({"vrf": route.get("vrf") or DEFAULT_VRF, "prefix": canonical_prefix(route["prefix"])})
    filters, routes = is_declared("firewall", known), is_declared("frr", known)
    asks_frr = routes or bool(expect["routes"])
    return {
        "sysctls": list(sysctl_values(known)) if "sysctl" in roles_of(known) else [],
        "units": [*units, *started_by_timers(units), NETWORK_MANAGER, ONLINE, *(BEFORE if filters else [])],
        "verify_units": units,
        "wireguard_files": [item["name"] for item in known.get("wireguard_interfaces", [])],
        "openvpn_tunnels": [{"name": item["name"], "role": item["role"]} for item in known.get("openvpn_tunnels", [])],
        "l2tp": is_declared("l2tp_ipsec", known),
        # What the interface layer makes has a part of the name of its type.
        **{kind.name: bool(entries_of(known, kind.variable)) for kind in TUNNELS if kind.made_as},
        "docker": docker_asked(known),
        "frr": asks_frr,
        "originated": [{"vrf": vrf, "prefix": prefix} for vrf, prefix in originated(known)],
        "inbound": bool(known.get("frr_bgp")),
        "rpki": bool(known.get("frr_rpki")),
        "frr_config": routes and bool(known.get("verify_frr_config", True)),
        "frr_lines": entries_of(known, "frr_lines") if routes else [],
        "gobgp": is_declared("gobgp", known),
        "filter": filter_text(known) if filters else "",
        "anycast": is_declared("dns_anycast", known),
        "listening": bool(known.get("dns_anycast_ssh_listen")),
        "boot_plot": bool(known.get("verify_boot_plot", True)),
        "pings": reach_requests(known),
        "wait": int(known.get("verify_wait", 60))
        if asks_frr or is_declared("gobgp", known) or known.get("docker_macvlan_containers")
        else 0,
        "expect": expect,
    }


def host_checks(
    host: str, variables: Variables, state: State, registry: Registry | None = None, fingerprints: Accepted | None = None
) -> list[Check]:
    """Compare a host's live state with its variables.

    Parameters:
        host: inventory name.
        variables: the roles' variables with their defaults; roles that ``verify_roles`` does not name are skipped.
        state: what module ``live_state`` returned when called with `gather_arguments`.
        registry: public key by WireGuard interface by host.
        fingerprints: those by OpenVPN tunnel by host, the one in use first.

    Returns:
        The checks, in the order of the boot: system, VRFs, interfaces, tunnels, routing, reachability. Names are unique.
    """
    known = relevant_variables(variables)
    ledger = Ledger(host, state)
    ledger.add("Host reachable", "passed", f"ansible {host} -m ping", "the live state was read")
    # What every host has comes first.
    for role in sorted(COMPARED, key=lambda item: item.optional):
        if role.name not in roles_of(known):
            if not role.optional or role.is_declared(variables):
                ledger.skip(f"Role {role.name}", f"verify_roles does not name {role.name}")
        elif not role.optional and not role.is_declared(known):
            ledger.skip(f"Role {role.name}", f"this host declares nothing for role {role.name}")
    if "sysctl" in roles_of(known):
        check_sysctls(ledger, known)
    check_units(ledger, known)
    check_vrfs(ledger, known)
    check_interfaces(ledger, known)
    check_wireguard(ledger, known, registry or {})
    check_openvpn(ledger, known, fingerprints or {})
    check_l2tp(ledger, known)
    check_vxlans(ledger, known)
    check_gre(ledger, known)
    check_frr(ledger, known)
    check_ospf(ledger, known)
    check_gobgp(ledger, known)
    check_firewall(ledger, known)
    check_dns(ledger, known)
    check_routes(ledger, known)
    check_docker(ledger, known)
    check_reach(ledger, known)
    check_ownership(ledger, known)
    return ledger.checks


def unreachable(host: str, reason: str) -> list[Check]:
    """Return the one check of a host whose state could not be read; ``reason`` says why."""
    return [Check(host, "Host reachable", "failed", f"ansible {host} -m ping", one_line(f"{reason}, expected its live state"))]


def retired(host: str, left: str) -> Check:
    """Return the one check of a host whose node is retired; ``left`` says what is still to be done, and is empty when that is nothing."""
    command = f"ansible {host} -b -m ansible.builtin.command -a 'ls /var/lib/xgn'"
    return Check(host, "Retired host cleaned", "failed" if left else "passed", command, left or "nothing is recorded as applied there")


def redact(checks: list[Check], secrets: Mapping[str, str]) -> list[Check]:
    """Return the checks with every secret value replaced by ``<secret NAME>``.

    Parameters:
        secrets: name by value. Values shorter than four characters are left: they would tear up ordinary words.
    """
    names = {value: name for value, name in secrets.items() if len(value) > 3}
    return [
        Check(item.host, cover_values(item.name, names), item.status, cover_values(item.command, names), cover_values(item.detail, names))
        for item in checks
    ]
