# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two states of the hosts' variables, host by host, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import is_sealed
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES

# What the entries of a list are called, and the keys that tell one from another.
NOUNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **{kind.variable: (kind.noun, ("name",)) for kind in LINK_TYPES.values()},
    "peers": ("peer", ("name",)),
    "vrf_vrfs": ("VRF", ("name",)),
    "frr_interfaces": ("addresses of", ("name",)),
    "frr_static_routes": ("static route", ("prefix", "interface")),
    "frr_prefix_lists": ("prefix list", ("name", "family")),
    "frr_route_maps": ("route map", ("name",)),
    "frr_bfd_profiles": ("BFD profile", ("name",)),
    "frr_bgp": ("BGP in", ("vrf",)),
    "frr_ospf": ("OSPF in", ("vrf",)),
    "frr_ospf6": ("OSPFv3 in", ("vrf",)),
    "interfaces": ("interface", ("name",)),
    "neighbors": ("neighbor", ("address",)),
    "entries": ("line", ("seq",)),
    "families": ("family", ("family",)),
    "redistribute": ("redistribution", ("source", "family")),
    "verify_reach": ("check of the path to", ("destination",)),
    "verify_routes": ("check of the route to", ("prefix",)),
    "firewall_open_ports": ("open port", ("protocol", "port")),
    "docker_macvlan_networks": ("Docker network", ("name",)),
    "docker_macvlan_containers": ("container", ("name",)),
    "docker_macvlan_images": ("image", ("name",)),
    "gobgp_neighbors": ("GoBGP neighbor", ("address",)),
    "subnets": ("subnet", ("subnet",)),
    "dns_anycast_zones": ("zone", ("name",)),
    "dns_anycast_ssh_listen": ("sshd at", ("address", "vrf")),
    "vrf_default_routes": ("default route via", ("gateway", "vrf")),
    "failover_test_paths": ("failover test to", ("peer", "vrf")),
    "tunnels": ("tunnel", ("name",)),
}
_NOTHING = object()


def plan_changes(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the changes of every host that has any.

    Parameters:
        before, after: the variables of the hosts by name, with a digest in place of each secret (`applied.Seal`).

    Returns:
        Host to sentences, in the order of the new plan, removed hosts last.
    """
    found: dict[str, list[str]] = {}
    for host, variables in after.items():
        lines = ["new host"] if host not in before else list(_mapping(before[host], variables, ""))
        if lines:
            found[host] = lines
    found.update((host, ["no longer in the inventory: what it last applied is still there"]) for host in before if host not in after)
    return found


def _mapping(before: Mapping[str, Any], after: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key, _NOTHING), after.get(key, _NOTHING)
        if old == new:
            continue
        if key in NOUNS and all(value is _NOTHING or isinstance(value, Sequence) for value in (old, new)):
            yield from _entries([] if old is _NOTHING else old, [] if new is _NOTHING else new, key, where)
        else:
            yield f"{where}{key}: {_words(old, new)}"


def _entries(old: Sequence[Any], new: Sequence[Any], key: str, where: str) -> Iterator[str]:
    noun, names = NOUNS[key]
    before = {_identity(item, names): item for item in old}
    after = {_identity(item, names): item for item in new}
    for name, item in after.items():
        here = f"{where}{noun} {name}"
        if name not in before:
            yield f"{here}: added"
        elif before[name] != item:
            yield from _mapping(before[name], item, f"{here}, ")
    yield from (f"{where}{noun} {name}: removed" for name in before if name not in after)


def _identity(item: Mapping[str, Any], names: Sequence[str]) -> str:
    parts = [str(item[name]) for name in names if name in item]
    return " ".join(parts) or "the default VRF"


def _words(old: Any, new: Any) -> str:
    if old is _NOTHING:
        return f"{_short(new)} added"
    if new is _NOTHING:
        return f"{_short(old)} removed"
    if is_sealed(old) and is_sealed(new):
        return "changed"
    if isinstance(old, list) and isinstance(new, list):
        gone = [f"{_short(item)} removed" for item in old if item not in new]
        come = [f"{_short(item)} added" for item in new if item not in old]
        return ", ".join(gone + come) or "in another order"
    return f"{_short(old)} becomes {_short(new)}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_short, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items()) or "nothing"
    return "a secret" if is_sealed(value) else str(value)
