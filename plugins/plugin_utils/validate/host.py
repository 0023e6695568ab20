# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one host's variables say about its VRFs, interfaces and addresses, gathered once for all rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, EVERYTHING
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import IPAddress, IPInterface, View, parse_interface

# Defaults of the roles that rules depend on; a unit test keeps them equal to the argument specs.
ALLOWED_IPS = tuple(EVERYTHING.values())
FAMILY_DEFAULT = "ipv4"

DEFAULT_VRF = ""
"""Stands for the default VRF where a VRF's name is asked for."""


@dataclass(frozen=True)
class OwnAddress:
    """An address of this host: where it is written, on which interface, and the VRF (nothing when that cannot be known)."""

    path: Place
    text: str
    interface: str
    vrf: str | None
    value: IPInterface


class Host:
    """One host's variables, with the lookups that several rules share.

    Parameters:
        variables: the variables of the roles by name; absent ones mean that a role is not used or has its defaults.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.root = View(variables)

    @cached_property
    def made_vrfs(self) -> list[str]:
        """VRFs that role vrf makes."""
        return list(dict.fromkeys(name for view in self.root.views("vrf_vrfs") if (name := view.text("name"))))

    @cached_property
    def frr_vrfs(self) -> list[str]:
        """VRFs that FRR's configuration mentions."""
        return list(dict.fromkeys(name for _path, name in self.root.texts("frr_vrfs")))

    @cached_property
    def all_vrfs(self) -> list[str]:
        """Every VRF named by either role, each once, in order."""
        return list(dict.fromkeys(self.made_vrfs + self.frr_vrfs))

    @cached_property
    def enslaved(self) -> dict[str, str]:
        """Interface name to VRF, for the interfaces of role vrf; the default VRF for those that name none."""
        found: dict[str, str] = {}
        for view in self.root.views("vrf_interfaces"):
            if name := view.text("name"):
                found.setdefault(name, view.text("vrf") or DEFAULT_VRF)
        return found

    def vrf_of(self, interface: str) -> str | None:
        """Return the VRF of an interface, or nothing when the variables do not tell.

        A host that uses role frr with VRFs but not role vrf has enslaved its interfaces in some other way.
        """
        if interface in self.all_vrfs:
            return interface
        if interface in self.enslaved:
            return self.enslaved[interface]
        return DEFAULT_VRF if self.made_vrfs or self.enslaved or not self.frr_vrfs else None

    @cached_property
    def addresses(self) -> list[OwnAddress]:
        """Every valid address in frr_interfaces, in order."""
        found = []
        for view in self.root.views("frr_interfaces"):
            name = view.text("name")
            if name is None:
                continue
            vrf = self.vrf_of(name)
            for path, text in view.texts("addresses"):
                value = parse_interface(text)
                if value is not None:
                    found.append(OwnAddress(path, text, name, vrf, value))
        return found

    @cached_property
    def _by_value(self) -> dict[IPAddress, list[OwnAddress]]:
        found: dict[IPAddress, list[OwnAddress]] = {}
        for address in self.addresses:
            found.setdefault(address.value.ip, []).append(address)
        return found

    @cached_property
    def _connected(self) -> dict[tuple[str | None, int], dict[int, set[int]]]:
        """VRF and IP version, to number of host bits, to the prefixes of that length as integers: one look-up a length, not one a prefix."""
        found: dict[tuple[str | None, int], dict[int, set[int]]] = {}
        for address in self.addresses:
            host_bits = BITS[address.value.version] - address.value.network.prefixlen
            lengths = found.setdefault((address.vrf, address.value.version), {})
            lengths.setdefault(host_bits, set()).add(int(address.value.ip) >> host_bits)
        return found

    def own(self, address: IPAddress, vrf: str) -> OwnAddress | None:
        """Return this host's own address when it is surely in that VRF."""
        return next((own for own in self._by_value.get(address, ()) if own.vrf == vrf), None)

    def may_be_own(self, address: IPAddress, vrf: str) -> bool:
        """Tell whether an address may be this host's in that VRF.

        True as well when no address of that family is known there: then something else than FRR sets them.
        """
        if any(own.vrf in (vrf, None) for own in self._by_value.get(address, ())):
            return True
        return not any((known, address.version) in self._connected for known in (vrf, None))

    @cached_property
    def _with_unknown_addresses(self) -> set[str]:
        """VRFs with interfaces whose addresses the variables do not tell; the default one is where the host's own NICs are."""
        return {DEFAULT_VRF, *(vrf for name, vrf in self.enslaved.items() if name not in self.families)}

    def may_be_connected(self, address: IPAddress, vrf: str) -> bool:
        """Tell whether an address may lie in the prefix of an interface in that VRF.

        True as well where something else than FRR may set addresses: in the default VRF, where the host's own NICs are, and in a VRF with a member of which
        no address is known.
        """
        if vrf in self._with_unknown_addresses:
            return True
        known = [where for where in ((vrf, address.version), (None, address.version)) if where in self._connected]
        return not known or any(
            int(address) >> host_bits in networks for where in known for host_bits, networks in self._connected[where].items()
        )

    @cached_property
    def families(self) -> dict[str, set[int]]:
        """Interface name to the IP versions of its addresses."""
        found: dict[str, set[int]] = {}
        for address in self.addresses:
            found.setdefault(address.interface, set()).add(address.value.version)
        return found
