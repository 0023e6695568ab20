# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles of the collection: their order, which of them verification compares with the live state, and what tells that a host uses one.

Whether a host uses a role is asked here and nowhere else. What must say it in YAML (``when`` in `playbooks/site.yml`, ``__ROLE_wanted``, what role
``preflight`` looks at) is held to it by `tests/unit/common/test_role_registry.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS

DIRECTORY = Path(__file__).resolve().parents[3] / "roles"
"""Where they lie, in an installed collection as in a checkout."""


@dataclass(frozen=True)
class Role:
    """One role.

    Attributes:
        name: of its directory; the names of its variables begin with it and an underscore.
        compared: its variables can be compared with the live state.
        optional: few hosts use it: of one that declares nothing there is nothing to say.
        declares: variables in which a host declares what the role makes there: its own, and of role vrf also those of the roles whose interfaces it
            makes. None for a role that makes the same everywhere.
        absent: variable and value with which a person takes away what is declared, without touching the declaration; empty for none.
        everywhere: site applies it to a host that declares nothing for it, too.
        removes: what it has made goes when a host declares nothing in these variables any more.
        packages: names, one a family of distributions, of the package without which the role has to install something first.
        more_packages: variable and the package that the role installs too where that is given.
    """

    name: str
    compared: bool = True
    optional: bool = False
    declares: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    everywhere: bool = False
    removes: bool = False
    packages: tuple[str, ...] = ()
    more_packages: tuple[tuple[str, str], ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of its variables begin with."""
        return f"{self.name}_"

    @property
    def remove_all(self) -> str:
        """Variable with which a person says that all that the role made may go."""
        return f"{self.name}_remove_all"

    def is_declared(self, variables: Mapping[str, Any]) -> bool:
        """Say whether a host's variables give the role something to make; one that makes the same everywhere needs none."""
        if self.is_taken_away(variables):
            return False
        return not self.declares or any(variables.get(name) for name in self.declares)

    def is_taken_away(self, variables: Mapping[str, Any]) -> bool:
        """Say whether a person has said in a host's variables that what the role made goes, and the declaration stays."""
        return bool(self.absent) and variables.get(self.absent[0]) == self.absent[1]

    def is_wanted(self, variables: Mapping[str, Any]) -> bool:
        """Say whether what the role has made on a host stays, as its variables are."""
        return not self.removes or self.is_declared(variables)


_MADE_BY_VRF = tuple(item.variable for item in TUNNELS if item.made_as)
# In the order of playbooks/site.yml, which is that of the boot; then the roles that other playbooks or roles run. Role vrf makes VXLANs and GRE tunnels, too.
ROLES: Mapping[str, Role] = {
    item.name: item
    for item in (
        Role("preflight", compared=False, everywhere=True),
        Role(
            "firewall",
            optional=True,
            declares=(
                "firewall_trusted_interfaces",
                "firewall_strict_interfaces",
                "firewall_loose_interfaces",
                "firewall_loose_vrfs",
                "firewall_tcp_mss_interfaces",
                "firewall_nat",
                "firewall_own_chains",
            ),
            absent=("firewall_state", "absent"),
            removes=True,
            packages=("nftables",),
        ),
        Role("sysctl", everywhere=True),
        Role("wireguard", declares=("wireguard_interfaces",), removes=True, packages=("wireguard-tools",)),
        Role("openvpn", optional=True, declares=("openvpn_tunnels",), removes=True, packages=("openvpn",)),
        Role("l2tp_ipsec", optional=True, declares=("l2tp_ipsec_tunnels",), removes=True, packages=("xl2tpd",)),
        Role("vxlan", optional=True, declares=("vxlan_interfaces",)),
        Role("gre", optional=True, declares=("gre_interfaces",)),
        Role("vrf", declares=("vrf_vrfs", "vrf_interfaces", "vrf_default_routes", *_MADE_BY_VRF), removes=True),
        Role(
            "frr",
            # Each is a part of frr.conf.
            declares=(
                *("frr_interfaces", "frr_vrfs", "frr_static_routes", "frr_prefix_lists", "frr_as_path_lists", "frr_community_lists"),
                *("frr_rpki", "frr_route_maps", "frr_bfd_profiles", "frr_bgp", "frr_ospf", "frr_ospf6", "frr_lines"),
            ),
            everywhere=True,
            packages=("frr",),
            more_packages=(("frr_rpki", "frr-rpki-rtrlib"),),
        ),
        Role(
            "docker_macvlan",
            optional=True,
            declares=("docker_macvlan_networks", "docker_macvlan_containers"),
            removes=True,
            packages=("docker.io", "moby-engine"),
        ),
        Role("dns_anycast", optional=True, declares=("dns_anycast_addresses",), removes=True, packages=("unbound",)),
        Role("gobgp", optional=True, declares=("gobgp_asn",), removes=True, packages=("gobgpd",)),
        Role("frr_build", compared=False),
        Role("failover_test", compared=False),
        Role("verify", compared=False),
    )
}
COMPARED = tuple(item for item in ROLES.values() if item.compared)
# A host that has none of these declares nothing that a role would make there.
DECLARING = frozenset(name for role in ROLES.values() for name in role.declares)


def is_declared(role: str, variables: Mapping[str, Any]) -> bool:
    """Say whether a host's variables give a role something to make. Raises KeyError when there is no such role."""
    return ROLES[role].is_declared(variables)


def entries_of(variables: HostVariables, name: str) -> list[dict[str, Any]]:
    """Return the entries of a variable whose name comes from a registry; none when it is not given."""
    found: list[dict[str, Any]] = cast(Mapping[str, Any], variables).get(name, [])
    return found


def missing_packages(variables: Mapping[str, Any]) -> list[str]:
    """Return the packages that the archives of a Debian host have to have, as its roles lack them; beside them what Ansible needs to install any.

    Parameters:
        variables: as of `lacks_packages`. A role that does not take its package from the archives lacks nothing.
    """
    facts = (variables.get("ansible_facts") or {}).get("xgn_host") or {}
    if facts.get("os_family") != "Debian":
        return []
    there = set(facts["packages"])
    names = [
        role.packages[0]
        for role in ROLES.values()
        if role.packages and not there & set(role.packages) and (role.everywhere or role.is_declared(variables))
    ]
    names += _more_packages(variables, there)
    if variables.get("frr_install_method", "package") != "package":
        names = [name for name in names if not name.startswith("frr")]
    return [*names, *(["python3-apt"] if names and "python3-apt" not in there else [])]


def _more_packages(variables: Mapping[str, Any], there: set[str]) -> list[str]:
    return [name for role in ROLES.values() for variable, name in role.more_packages if variables.get(variable) and name not in there]


def lacks_packages(variables: Mapping[str, Any]) -> bool:
    """Say whether a run has to install something on a host, which takes long.

    Parameters:
        variables: the host's variables, with what module ``host_facts`` has told (fact ``xgn_host``); a host it has not looked at lacks nothing.
    """
    facts = variables.get("ansible_facts") or {}
    if "xgn_host" not in facts:
        return False
    there = set(facts["xgn_host"]["packages"])
    return bool(_more_packages(variables, there)) or any(
        role.packages and not there & set(role.packages) and (role.everywhere or role.is_declared(variables)) for role in ROLES.values()
    )
