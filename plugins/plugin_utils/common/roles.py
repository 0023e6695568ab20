# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles of the collection: their order, which of them verification compares with the live state, and what tells that a host uses one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables


@dataclass(frozen=True)
class Role:
    """One role.

    Attributes:
        name: of its directory; the names of its variables begin with it and an underscore.
        compared: its variables can be compared with the live state.
        optional: variable that tells whether a host uses it, for a role that few hosts use: of one that declares nothing there is nothing
            to say. Empty for a role of every host.
        wanted_by: variables of which one that is not empty gives the role something to make. What it has made goes when none does. Empty for a role
            that always has something to do.
        declares: variables in which a host declares what the role makes there, beside `optional`.
    """

    name: str
    compared: bool = True
    optional: str = ""
    wanted_by: tuple[str, ...] = ()
    declares: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of its variables begin with."""
        return f"{self.name}_"

    @property
    def remove_all(self) -> str:
        """Variable with which a person says that all that the role made may go."""
        return f"{self.name}_remove_all"

    def wanted(self, variables: Mapping[str, Any]) -> bool:
        """Say whether a host's variables give the role something to make."""
        return not self.wanted_by or any(variables.get(name) for name in self.wanted_by)


# In the order of playbooks/site.yml, which is that of the boot; then the roles that other playbooks or roles run. Role vrf makes VXLANs and GRE tunnels, too.
ROLES: Mapping[str, Role] = {
    item.name: item
    for item in (
        Role("preflight", compared=False),
        Role("sysctl"),
        Role("wireguard", declares=("wireguard_interfaces",), wanted_by=("wireguard_interfaces",)),
        Role("openvpn", optional="openvpn_tunnels", wanted_by=("openvpn_tunnels",)),
        Role("l2tp_ipsec", optional="l2tp_ipsec_tunnels", wanted_by=("l2tp_ipsec_tunnels",)),
        Role("vxlan", optional="vxlan_interfaces"),
        Role("gre", optional="gre_interfaces"),
        Role(
            "vrf",
            declares=("vrf_vrfs", "vrf_interfaces", "vrf_default_routes"),
            wanted_by=("vrf_vrfs", "vrf_interfaces", "vrf_default_routes", "vxlan_interfaces", "gre_interfaces"),
        ),
        Role("frr", declares=("frr_interfaces", "frr_static_routes", "frr_bgp", "frr_ospf", "frr_ospf6")),
        Role(
            "firewall",
            optional="firewall_public_interfaces",
            declares=("firewall_tcp_mss_interfaces",),
            wanted_by=("firewall_public_interfaces", "firewall_tcp_mss_interfaces"),
        ),
        Role(
            "docker_macvlan",
            optional="docker_macvlan_networks",
            declares=("docker_macvlan_containers",),
            wanted_by=("docker_macvlan_networks", "docker_macvlan_containers"),
        ),
        Role("dns_anycast", optional="dns_anycast_addresses", wanted_by=("dns_anycast_addresses",)),
        Role("gobgp", optional="gobgp_asn", wanted_by=("gobgp_asn",)),
        Role("frr_build", compared=False),
        Role("failover_test", compared=False),
        Role("verify", compared=False),
    )
}
COMPARED = tuple(item for item in ROLES.values() if item.compared)
# A host that has none of these declares nothing that a role would make there.
DECLARING = frozenset(name for role in ROLES.values() for name in (role.optional, *role.declares) if name)


def entries_of(variables: HostVariables, name: str) -> list[dict[str, Any]]:
    """Return the entries of a variable whose name comes from a registry; none when it is not given."""
    found: list[dict[str, Any]] = cast(Mapping[str, Any], variables).get(name, [])
    return found
