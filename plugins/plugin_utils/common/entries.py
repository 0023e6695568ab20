# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lists in the roles' variables: what an entry of each is called, and which of its keys tell it from the others.

By these keys two states of a host are compared, and overrides are merged over the plan. A test holds every list of the argument specs to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES

_DEFAULT_VRF = "the default VRF"
# What stands before the value of a key that is not the first one.
_WORDS: Mapping[str, str] = {"vrf": "in ", "next_hop": "via ", "interface": "over ", "source": "from "}


@dataclass(frozen=True)
class Entries:
    """A list of dictionaries.

    Attributes:
        noun: what an entry is called, before the values of its keys.
        keys: those that tell one entry from another. An entry without one of them differs from one that has it.
        nothing: what an entry is called that has none of them.
        default: family of an entry that names none.
        content: the list in an entry that is all it says; empty where an entry says more.
        numbered: the entries stand in the order of their one key, a number.
    """

    noun: str
    keys: tuple[str, ...]
    nothing: str = _DEFAULT_VRF
    default: str = "ipv4"
    content: str = ""
    numbered: bool = False

    def name_of(self, item: Mapping[str, Any]) -> str:
        """Return what an entry is called, for people."""
        words: list[str] = []
        for key in self.keys:
            if not item.get(key):
                continue
            text = " / ".join(map(str, item[key])) if isinstance(item[key], (list, tuple)) else str(item[key])
            words.append(f"{_WORDS.get(key, '')}{text}" if words else text)
        return f"{self.noun} {' '.join(words) or self.nothing}"

    def key_of(self, item: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what tells an entry from the others. An address counts by its value, not by its spelling."""
        return tuple(canonical(item.get(key, self.default if key == "family" else "")) for key in self.keys)


# By the name of the variable, or of the key of an entry.
ENTRIES: Mapping[str, Entries] = {
    **{kind.variable: Entries(kind.noun, ("name",)) for kind in LINK_TYPES.values()},
    "peers": Entries("peer", ("name",)),
    "vrf_vrfs": Entries("VRF", ("name",)),
    "vrf_default_routes": Entries("default route via", ("gateway", "interface", "vrf")),
    "frr_interfaces": Entries("addresses of", ("name",)),
    "frr_static_routes": Entries("static route", ("prefix", "next_hop", "interface", "vrf")),
    "frr_prefix_lists": Entries("prefix list", ("name", "family")),
    "frr_as_path_lists": Entries("AS path list", ("name",)),
    "frr_community_lists": Entries("community list", ("name", "kind")),
    "caches": Entries("RPKI cache", ("host", "port")),
    "frr_route_maps": Entries("route map", ("name",)),
    "frr_bfd_profiles": Entries("BFD profile", ("name",)),
    "frr_bgp": Entries("BGP in", ("vrf",)),
    "frr_ospf": Entries("OSPF in", ("vrf",)),
    "frr_ospf6": Entries("OSPFv3 in", ("vrf",)),
    "frr_lines": Entries("own lines in", ("section",), nothing="no section", content="lines"),
    "interfaces": Entries("interface", ("name",)),
    "links": Entries("link", ("id",)),
    "neighbors": Entries("neighbor", ("address", "interface")),
    "entries": Entries("line", ("seq",), numbered=True),
    "families": Entries("family", ("family",)),
    "aggregates": Entries("aggregate", ("prefix",)),
    "imports": Entries("import from", ("vrf", "family")),
    "redistribute": Entries("redistribution", ("source", "family")),
    "verify_reach": Entries("check of the path to", ("destination", "source", "vrf")),
    "verify_routes": Entries("check of the route to", ("prefix", "vrf")),
    "verify_learned": Entries("what is learned over", ("interfaces", "reserves", "next_hops", "vrf")),
    "verify_other_routes": Entries("other routes", ("prefixes", "protocols", "interfaces", "next_hops", "vrf")),
    "verify_neighbors": Entries("check of the neighbor", ("neighbor", "vrf")),
    "firewall_forward": Entries("forwarding from", ("vrf", "interface")),
    "firewall_open_ports": Entries("open port", ("protocol", "port")),
    "firewall_nat": Entries("NAT of", ("vrf", "interface")),
    "firewall_own_chains": Entries("own rules of chain", ("chain",), content="rules"),
    "docker_macvlan_images": Entries("Docker image", ("name",)),
    "docker_macvlan_networks": Entries("Docker network", ("name",)),
    "docker_macvlan_containers": Entries("container", ("name",)),
    "gobgp_neighbors": Entries("GoBGP neighbor", ("address",)),
    "subnets": Entries("subnet", ("subnet",)),
    "dns_anycast_zones": Entries("zone", ("name",)),
    "dns_anycast_ssh_listen": Entries("sshd at", ("address", "vrf")),
    "failover_test_paths": Entries("failover test to", ("peer", "vrf")),
    "tunnels": Entries("tunnel", ("name",)),
}
WHOLE = frozenset({"changes", "command"})
"""Names of lists of plain values whose order and repetitions say something, such as the arguments of a command: there is no adding to them."""


def canonical(value: Any) -> str:
    """Return a text that is the same for two spellings of one address or prefix, and tells any other two values apart."""
    if isinstance(value, (list, tuple)):
        return " / ".join(map(canonical, value))
    if not isinstance(value, str):
        return str(value)
    for parse in (ip_address, ip_interface):
        try:
            return str(parse(value))
        except ValueError:
            continue
    return value
