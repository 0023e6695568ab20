# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The links of one host as it sees them: its end of each, and which of them a session leaves through. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import LOOPBACK_DEVICE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr_ospf import adjacencies
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import DEFAULT_VRF, State, Variables, canonical_address, duration

# What the kernel says of an interface without a wire. Tunnels say UNKNOWN, which is no fault.
NO_CARRIER = ("DOWN", "LOWERLAYERDOWN", "NOTPRESENT")
# Links that are no tunnels, by the kind of their interface; a NIC has none.
_PLAIN = {kind.kernel_kind: kind for kind in LINK_TYPES.values() if not kind.tunnel}
# These have no other end.
ENDLESS = ("dummy", "vrf")


def data_of(state: State, part: str, empty: Any) -> Any:
    """Return a part's data, or ``empty`` when it was not gathered."""
    return (state.get(part) or {}).get("data") or empty


def gathered(state: State, part: str) -> Any:
    """Return a part's data, which may be empty, or None when it was not gathered."""
    return (state.get(part) or {}).get("data")


def link_ends(variables: Variables, state: State, tunnels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the host's end of every link that its roles declare, whether there is another end or not.

    Parameters:
        variables: the roles' variables.
        state: what module ``live_state`` returned.
        tunnels: WireGuard's, as `data.tunnels_of` returns them.

    Returns:
        Per end ``kind`` (the name of a type of link), ``interface``, ``state``, ``detail``,
        ``vrf``, ``description``, ``reserve`` (bool), ``addresses`` (with length; without host prefixes and link-local ones, which no other end
        shares), ``ospf``;
        of a tunnel ``peer`` and, to find the other end, ``own`` and ``remote``; of a VXLAN ``vni, own`` and ``remotes``; of a VLAN ``vlan``;
        ``upper`` of a VXLAN whose addresses are on another interface: the bridge it is a port of, or a macvlan on it.
    """
    live = gathered(state, "links")
    by_type = {
        "wireguard": _wireguard_ends(tunnels),
        "openvpn": _openvpn_ends(variables, state),
        "l2tp_ipsec": _l2tp_ends(variables, state, live),
        "vxlan": _vxlan_ends(variables, live),
        "gre": _gre_ends(variables, live),
    }
    ends = [end for kind in TUNNELS for end in by_type[kind.name]]
    taken = {end["interface"] for end in ends}
    ends += [end for end in _plain_ends(variables, live) if end["interface"] not in taken]
    vrfs, descriptions, uppers = vrf_by_interface(variables), _descriptions(variables), _uppers(variables)
    addresses, watched = _addresses(variables), _ospf(variables, state)
    reserves = variables.get("verify_reserves", [])
    for end in ends:
        # Where its addresses are, it has its neighbors.
        name = uppers.get(end["interface"], end["interface"])
        end["vrf"] = vrfs.get(name, DEFAULT_VRF)
        end["description"] = descriptions.get(name, "")
        end["reserve"] = end["interface"] in reserves
        end["addresses"] = addresses.get(name, [])
        end["ospf"] = watched.get(name, [])
        if name != end["interface"]:
            end["upper"] = name
    shown = {end["upper"] for end in ends if "upper" in end}
    return [end for end in ends if end["interface"] not in shown]


def _wireguard_ends(tunnels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "kind": "wireguard",
            "interface": item["interface"],
            "peer": item["peer"],
            "own": item["interface"],
            "remote": item["remote_interface"],
            "state": item["state"],
            "detail": "" if item["age"] is None else f"handshake {duration(item['age'])} ago",
        }
        for item in tunnels
    ]


def _openvpn_ends(variables: Variables, state: State) -> list[dict[str, Any]]:
    live = gathered(state, "openvpn")
    ends = []
    for item in variables.get("openvpn_tunnels", []):
        name = item["name"]
        found = (live or {}).get(name, {}).get("state")
        word = "unknown" if live is None else "up" if found == "CONNECTED" else "down"
        ends.append(
            {
                "kind": "openvpn",
                "interface": name,
                "peer": item["peer"],
                "own": name,
                "remote": item.get("peer_interface") or name,
                "state": word,
                "detail": found or "",
            }
        )
    return ends


def _l2tp_ends(variables: Variables, state: State, links: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Both parts of such a tunnel must be there: the security association and the PPP interface."""
    live = gathered(state, "ipsec")
    ends = []
    for item in variables.get("l2tp_ipsec_tunnels", []):
        name = item["name"]
        protected = (live or {}).get(name, {}).get("child") == "INSTALLED"
        word, _detail = _interface_state(links, name)
        ends.append(
            {
                "kind": "l2tp_ipsec",
                "interface": name,
                "peer": item["peer"],
                # The names of the interfaces may differ, and neither end is told the other's.
                "own": canonical_address(item["local_address"]) if item.get("local_address") else name,
                "remote": canonical_address(item["remote_address"]) if item.get("remote_address") else name,
                "state": "unknown" if live is None else word if protected else "down",
                "detail": "" if live is None else "ESP installed" if protected else "no ESP",
            }
        )
    return ends


def _vxlan_ends(variables: Variables, links: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    ends = []
    for item in variables.get("vxlan_interfaces", []):
        word, detail = _interface_state(links, item["name"])
        ends.append(
            {
                "kind": "vxlan",
                "interface": item["name"],
                "vni": item["vni"],
                "own": canonical_address(item["local"]),
                "remotes": [canonical_address(address) for address in item.get("remotes", [])],
                "state": word,
                "detail": f"VNI {item['vni']}" + (f", {detail}" if detail else ""),
            }
        )
    return ends


def _gre_ends(variables: Variables, links: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    ends = []
    for item in variables.get("gre_interfaces", []):
        name = item["name"]
        word, detail = _interface_state(links, name)
        ends.append(
            {
                "kind": "gre",
                "interface": name,
                "peer": item["peer"],
                "own": name,
                "remote": item.get("peer_interface") or name,
                "state": word,
                "detail": ", ".join(filter(None, (f"key {item['key']}" if "key" in item else "", detail))),
            }
        )
    return ends


def _plain_ends(variables: Variables, links: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return NICs, bridges and VLANs with addresses; what is at their other end only the other hosts can tell."""
    vrfs = {item["name"] for item in variables.get("vrf_vrfs", [])}
    entries = {item["name"]: item for item in entries_of(variables, _PLAIN[""].variable)}
    ends: list[dict[str, Any]] = []
    for item in variables.get("frr_interfaces", []):
        name = item["name"]
        kind = entries[name].get("kind") if name in entries else None
        if name in vrfs or name == LOOPBACK_DEVICE or kind in ENDLESS:
            continue
        word, detail = _interface_state(links, name)
        plain = _PLAIN.get(kind or "", _PLAIN[""])
        end: dict[str, Any] = {"kind": plain.name, "interface": name, "state": word, "detail": detail}
        if plain.tagged:
            end[plain.number_option] = entries[name][plain.number_option]
        ends.append(end)
    return ends


def _interface_state(links: Mapping[str, Any] | None, name: str) -> tuple[str, str]:
    """Return whether an interface is up, and why not."""
    if links is None:
        return "unknown", ""
    found = links.get(name)
    if found is None:
        return "down", "no such interface"
    if not found["up"]:
        return "down", "switched off"
    return ("down", "no carrier") if found.get("oper") in NO_CARRIER else ("up", "")


def vrf_by_interface(variables: Variables) -> dict[str, str]:
    """Return the VRF of every interface that is in one; VRF devices are in themselves."""
    members = {item["name"]: item["vrf"] for item in variables.get("vrf_interfaces", []) if item.get("vrf")}
    return members | {item["name"]: item["name"] for item in variables.get("vrf_vrfs", [])}


def _uppers(variables: Variables) -> dict[str, str]:
    """Return the interface with the addresses by interface without any: its bridge, or a macvlan on it."""
    interfaces = variables.get("vrf_interfaces", [])
    uppers = {item["parent"]: item["name"] for item in interfaces if item.get("kind") == "macvlan"}
    uppers |= {item["name"]: item["bridge"] for item in interfaces if item.get("bridge")}
    addressed = {item["name"] for item in variables.get("frr_interfaces", []) if item.get("addresses")}
    return {name: upper for name, upper in uppers.items() if name not in addressed}


def _descriptions(variables: Variables) -> dict[str, str]:
    return {item["name"]: item["description"] for item in variables.get("frr_interfaces", []) if item.get("description")}


def _addresses(variables: Variables) -> dict[str, list[str]]:
    """Return the addresses of each interface whose subnet another host can be in."""
    result: dict[str, list[str]] = {}
    for item in variables.get("frr_interfaces", []):
        own = [ip_interface(address) for address in item.get("addresses", [])]
        result[item["name"]] = [str(address) for address in own if address.network.num_addresses > 1 and not address.is_link_local]
    return result


def _ospf(variables: Variables, state: State) -> dict[str, list[dict[str, Any]]]:
    """Return ``version, state, text, bfd`` of OSPF by interface that looks for neighbors; ``bfd`` is None where it does not watch."""
    bfd = gathered(state, "bfd")
    result: dict[str, list[dict[str, Any]]] = {}
    for version, part, variable in ((2, "ospf", "frr_ospf"), (3, "ospf6", "frr_ospf6")):
        live = gathered(state, part)
        watching = {
            interface["name"]
            for instance in entries_of(variables, variable)
            for interface in instance["interfaces"]
            if interface.get("bfd_profile")
        }
        for name in adjacencies(variables)[part]:
            here = [item for item in live or [] if item["interface"] == name]
            watched = [item["status"] for item in bfd or [] if item["interface"] == name and (":" in item["peer"]) == (version == 3)]
            up = "up" if watched and set(watched) == {"up"} else "down"
            result.setdefault(name, []).append(
                {
                    "version": version,
                    # Of a broadcast network's routers only two are full with all the others.
                    "state": "unknown" if live is None else "up" if any(item["full"] for item in here) else "down",
                    "text": ", ".join(f"{item['router_id']} {item['state']}" for item in here) or "no neighbor",
                    "bfd": None if name not in watching else "unknown" if bfd is None else up,
                }
            )
    return result


def containers_of(variables: Variables) -> list[dict[str, Any]]:
    """Return ``name, network, parent`` (the interface beneath) and ``addresses`` of every container on a macvlan network of this host."""
    parents = {item["name"]: item["parent"] for item in variables.get("docker_macvlan_networks", [])}
    return [
        {
            "name": item["name"],
            "network": item["network"],
            "parent": parents.get(item["network"]),
            "addresses": [canonical_address(item[family]) for family in ("ipv4", "ipv6") if item.get(family)],
        }
        for item in variables.get("docker_macvlan_containers", [])
    ]


def first_hops(variables: Variables, state: State, vrf: str, address: str) -> list[str]:
    """Return the interfaces that packets to a neighbor leave through; none when that is not known.

    What is declared comes first, an own subnet or a static route: a session that is down because its tunnel is down still belongs to that
    tunnel, while the live routes then lead elsewhere, or nowhere. A default route says nothing of the way planned, and is left out.
    """
    try:
        wanted = ip_address(address)
    except ValueError:
        return []
    vrfs = vrf_by_interface(variables)
    connected = [
        (item["name"], ip_interface(own).network)
        for item in variables.get("frr_interfaces", [])
        if vrfs.get(item["name"], DEFAULT_VRF) == vrf
        for own in item.get("addresses", [])
    ]
    statics = [
        (route.get("interface"), ip_network(route["prefix"], strict=False))
        for route in variables.get("frr_static_routes", [])
        if (route.get("vrf") or DEFAULT_VRF) == vrf
    ]
    live = (
        (hop.get("interface"), ip_network(route["prefix"], strict=False))
        for route in data_of(state, "rib", [])
        if route["vrf"] == vrf and route["selected"]
        for hop in route["nexthops"]
    )
    for source in (connected, statics, live):
        found = _longest(source, wanted)
        if found:
            return found
    return []


def _longest(routes: Iterable[tuple[str | None, IPv4Network | IPv6Network]], address: Any) -> list[str]:
    fitting = [(name, network) for name, network in routes if name and network.prefixlen and address in network]
    longest = max((network.prefixlen for _name, network in fitting), default=0)
    return list(dict.fromkeys(name for name, network in fitting if network.prefixlen == longest))
