"""A healthy network of any size: the variables, the registry and the live state of each host, as the real ones look."""

from __future__ import annotations

import base64
import hashlib
from itertools import pairwise
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FrrInterface,
    FrrPrefixList,
    FrrRouteMap,
    HostVariables,
    VrfInterface,
)

SITES = ("hq", "cloud-east", "cloud-west", "branch")
PASSWORD = "correct-horse-battery"
BOOT = {"network-online.target": 9_100_000, "interface.service": 14_900_000, "frr.service": 18_400_000}
UNREACHABLE = 4278198272


# A measured failover: a probe every 10 ms for a second; what is sent from 0.30 to 0.49 is lost.
PROBES = [(number / 100, None if 30 <= number < 50 else 0.002) for number in range(100)]
CUT: dict[str, Any] = {
    "host": "hq",
    "peer": "cloud",
    "tunnel": "wg1",
    "method": "packets",
    "spacing_ms": 10,
    "detection_ms": 900,
    "limit_ms": 2700,
    "path_before": "wg1",
    "path_cut": "ovpn2",
    "path_after": "wg1",
    "recovered": True,
    "returned": True,
    "lost": 20,
    "outage_ms": 210,
    "return_lost": 0,
    "return_outage_ms": 10,
    "cut_ms": 300,
    "restore_ms": 700,
    "samples": [[sent * 1000, None if trip is None else trip * 1000] for sent, trip in PROBES],
}


def name_of(number: int, count: int) -> str:
    """Name host ``number`` of ``count``."""
    return f"T{number}" if count == 2 else f"{SITES[number % len(SITES)]}-{number:02d}"


def links_of(count: int) -> list[tuple[int, int]]:
    """Join the hosts: a line, and from 5 hosts on shortcuts, so that each has two or three links."""
    numbers = range(1, count + 1)
    return [*pairwise(numbers), *((number, number + 4) for number in numbers if number + 4 <= count and number % 2)]


def key_of(host: str, interface: str) -> str:
    """Make up the public key of an interface."""
    return base64.b64encode(hashlib.sha256(f"{host} {interface}".encode()).digest()).decode()


def part(data: Any, command: str = "command") -> dict[str, Any]:
    """Wrap data as module live_state does."""
    return {"command": command, "data": data, "error": None}


def network(count: int = 2) -> tuple[dict[str, HostVariables], dict[str, dict[str, str]], dict[str, dict[str, Any]]]:
    """Return variables by host, public keys by interface by host, and live state by host; every check of it passes."""
    variables, registry, states = {}, {}, {}
    for number in range(1, count + 1):
        host = name_of(number, count)
        ends = [(index, end) for index, pair in enumerate(links_of(count)) for end in (0, 1) if pair[end] == number]
        variables[host], registry[host] = host_variables(number, count, ends)
        states[host] = host_state(number, count, ends)
    return variables, registry, states


def loopback(number: int) -> str:
    """Give the loopback address of a host."""
    return f"10.255.0.{number}"


def link_address(index: int, end: int) -> str:
    """Give the address of one end of a link; each link is a /30."""
    return f"10.254.{index // 64}.{index % 64 * 4 + 1 + end}"


def host_variables(number: int, count: int, ends: list[tuple[int, int]]) -> tuple[HostVariables, dict[str, str]]:
    """Write the variables of one host and its public keys."""
    links = links_of(count)
    names = [f"wg{index}" for index, _end in ends]
    peers = [links[index][1 - end] for index, end in ends]
    host = name_of(number, count)
    values: HostVariables = {
        "vrf_vrfs": [{"name": "CORE", "table": 200}],
        "vrf_interfaces": [
            *[VrfInterface(name=name, vrf="CORE", unit=f"wg-quick@{name}.service") for name in names],
            {"name": "br0", "kind": "bridge", "vrf": "CORE", "mac": "02:00:00:00:00:01"},
        ],
        "wireguard_interfaces": [
            {
                "name": name,
                "mtu": 1412,
                "listen_port": 51820 + index,
                "peers": [{"name": name_of(peer, count), "allowed_ips": ["0.0.0.0/0"], "persistent_keepalive": 5}],
            }
            for name, peer, (index, _end) in zip(names, peers, ends, strict=True)
        ],
        "frr_vrfs": ["CORE"],
        "frr_interfaces": [
            {"name": "CORE", "addresses": [f"{loopback(number)}/32"]},
            {"name": "br0", "addresses": [f"10.{number}.0.1/24", f"fd00:{number:x}::1/64"]},
            *[FrrInterface(name=name, addresses=[f"{link_address(*end)}/30"]) for name, end in zip(names, ends, strict=True)],
        ],
        "frr_static_routes": [
            {"vrf": "CORE", "prefix": f"{loopback(peer)}/32", "next_hop": link_address(index, 1 - end), "interface": name}
            for name, peer, (index, end) in zip(names, peers, ends, strict=True)
        ],
        "frr_bfd_profiles": [{"name": "TUNNEL", "detect_multiplier": 3, "receive_interval": 300, "transmit_interval": 300}],
        "frr_bgp": [
            {
                "asn": 65000 + number,
                "vrf": "CORE",
                "router_id": loopback(number),
                "networks": [f"10.{number}.0.0/24"],
                "neighbors": [
                    {
                        "address": loopback(peer),
                        "remote_as": 65000 + peer,
                        "description": name_of(peer, count),
                        "update_source": loopback(number),
                        "password": PASSWORD,
                        "bfd_profile": "TUNNEL",
                        "families": [
                            {
                                "family": "ipv4",
                                "route_map_in": f"FROM-{name_of(peer, count)}",
                                "route_map_out": "OUT",
                                "maximum_prefix": 16,
                                "maximum_prefix_restart": 5,
                            }
                        ],
                    }
                    for peer in peers
                ],
            }
        ],
        "frr_prefix_lists": [
            {"name": "OUT", "entries": [{"seq": 10, "action": "permit", "prefix": "10.0.0.0/8", "le": 24}]},
            *[
                FrrPrefixList(name=f"FROM-{name_of(peer, count)}", entries=[{"seq": 10, "action": "permit", "prefix": f"10.{peer}.0.0/24"}])
                for peer in peers
            ],
        ],
        "frr_route_maps": [
            FrrRouteMap(name=name, entries=[{"seq": 10, "action": "permit", "match": [f"ip address prefix-list {name}"]}])
            for name in ("OUT", *(f"FROM-{name_of(peer, count)}" for peer in peers))
        ],
        "verify_reach": [{"vrf": "CORE", "source": f"10.{number}.0.1", "destination": f"10.{peers[0]}.0.1", "mtu": 1412}],
        "verify_routes": [{"vrf": "CORE", "prefix": f"10.{peers[0]}.0.0/24", "protocol": "bgp"}],
        "verify_learned": [
            {
                "vrf": "CORE",
                "interfaces": names,
                "prefixes": [f"10.{other}.0.0/24" for other in range(1, count + 1) if other != number],
            }
        ],
    }
    return values, {name: key_of(host, name) for name in names}


def host_state(number: int, count: int, ends: list[tuple[int, int]]) -> dict[str, Any]:
    """Write the live state that fits `host_variables`."""
    links = links_of(count)
    names = [f"wg{index}" for index, _end in ends]
    peers = [links[index][1 - end] for index, end in ends]
    host = name_of(number, count)
    units = {name: unit(name, time) for name, time in BOOT.items()}
    units.update({f"wg-quick@{name}.service": unit(f"wg-quick@{name}.service", 12_000_000 + 300_000 * i) for i, name in enumerate(names)})
    for name in names:
        units[f"wg-quick@{name}.service"]["After"] = ["network-online.target", "nss-lookup.target"]
    units["interface.service"]["After"] = ["network.target", *(f"wg-quick@{name}.service" for name in names)]
    units["frr.service"]["After"] = ["network-pre.target", "interface.service"]
    bgp = {
        loopback(peer): {
            "state": "Established",
            "uptime": 90_000 + 311 * peer,
            "remote_as": 65000 + peer,
            "local_as": 65000 + number,
            "local_address": loopback(number),
            "local_router_id": loopback(number),
            "remote_router_id": loopback(peer),
            "password": True,
            "established": 1,
            "dropped": 0,
            "reset": "",
            "tcp_mss": 1260,
            "families": {"ipv4Unicast": {"negotiated": True, "accepted": count - 1, "sent": count - 1}},
        }
        for peer in peers
    }
    bfd = [
        {
            "vrf": "CORE",
            "peer": loopback(peer),
            "local": loopback(number),
            "interface": None,
            "multihop": True,
            "status": "up",
            "uptime": 90_000,
            "diagnostic": "ok",
            "remote_diagnostic": "ok",
            "multiplier": 3,
            "receive": 300,
            "transmit": 300,
            "remote_multiplier": 3,
            "remote_receive": 300,
            "remote_transmit": 300,
        }
        for peer in peers
    ]
    rib = [rib_route(f"{loopback(number)}/32", "connected", None, "CORE"), rib_route(f"10.{number}.0.0/24", "connected", None, "br0")]
    kernel = [
        kernel_route("0.0.0.0/0", "unreachable", "boot", metric=UNREACHABLE),
        kernel_route("::/0", "unreachable", "boot", metric=UNREACHABLE),
        kernel_route(f"10.{number}.0.0/24", "unicast", "kernel", "", "br0"),
        kernel_route(f"fd00:{number:x}::/64", "unicast", "kernel", "", "br0"),
        kernel_route("fe80::/64", "unicast", "kernel", "", "br0"),
        kernel_route("192.0.2.0/24", "unicast", "kernel", "", "eth0", table=254),
        kernel_route("0.0.0.0/0", "unicast", "dhcp", "192.0.2.254", "eth0", table=254),
    ]
    for name, peer, (index, end) in zip(names, peers, ends, strict=True):
        hop = link_address(index, 1 - end)
        rib.append(rib_route(f"{link_address(index, -1)}/30", "connected", None, name))
        kernel.append(kernel_route(f"{link_address(index, -1)}/30", "unicast", "kernel", "", name))
        rib.append(rib_route(f"{loopback(peer)}/32", "static", hop, name))
        kernel.append(kernel_route(f"{loopback(peer)}/32", "unicast", "static (frr)", hop, name))
    for other in range(1, count + 1):
        if other != number:
            near = peers.index(other) if other in peers else other % len(peers)
            index, end = ends[near]
            rib.append(rib_route(f"10.{other}.0.0/24", "bgp", link_address(index, 1 - end), names[near]))
            kernel.append(kernel_route(f"10.{other}.0.0/24", "unicast", "bgp", link_address(index, 1 - end), names[near]))
    return {
        "system": {
            "kernel": "6.12.48+deb13-amd64" if number % 2 else "6.1.0-40-amd64",
            "os": f"Debian GNU/Linux {'13 (trixie)' if number % 2 else '12 (bookworm)'}",
            "python": "3.13.5",
            "hostname": host,
            "time": 1795398527,
            "uptime": 91_000 + 411 * number,
        },
        "waited": 0.4,
        "links": part(live_links(number, ends)),
        "routes": part(kernel),
        "written": part([]),
        "rules4": part(rules()),
        "rules6": part(rules()),
        "wireguard": part(
            {
                name: {
                    "public_key": key_of(host, name),
                    "listen_port": 51820 + index,
                    "fwmark": 0,
                    "peers": {
                        key_of(name_of(peer, count), name): {
                            "endpoint": f"100.64.0.{peer}:{51820 + index}",
                            "allowed_ips": ["0.0.0.0/0"],
                            "handshake_age": 17 + 7 * peer % 90,
                            "rx": 73_400_123 * peer,
                            "tx": 31_200_877 * number,
                            "keepalive": 5,
                            "preshared": False,
                        }
                    },
                }
                for name, peer, (index, _end) in zip(names, peers, ends, strict=True)
            }
        ),
        "wireguard_files": part({name: {"mode": "0600", "owner": "0:0", "address": False, "table": "off"} for name in names}),
        "sysctl": part(
            {
                "net.ipv4.conf.all.rp_filter": "2",
                "net.ipv4.fib_multipath_hash_policy": "1",
                "net.ipv6.fib_multipath_hash_policy": "1",
                "net.ipv4.ip_forward": "1",
                "net.ipv6.conf.all.forwarding": "1",
                "net.ipv4.tcp_l3mdev_accept": "0",
                "net.ipv4.udp_l3mdev_accept": "0",
                "net.core.default_qdisc": "fq",
                "net.ipv4.tcp_congestion_control": "bbr",
            }
        ),
        "sysctl_behind": part({}),
        "units": part(units),
        "boot": part({"finished": 21_000_000}),
        "ordering_cycles": part([]),
        "units_verify": part([]),
        "frr_version": part("10.3" if number % 2 else "8.4.4"),
        "bgp": part({"CORE": bgp}),
        "originated": part([{"vrf": "CORE", "prefix": f"10.{number}.0.0/24", **part({"known": True, "valid": True, "advertised": True})}]),
        "bfd": part(bfd),
        "rib": part(rib),
        "frr_missed": part({"routes": [], "next_hops": []}),
        "frr_processes": part({"daemons": {"bgpd": {"replaced": False, "older": False}}, "unnoticed": []}),
        "inbound": part(
            {
                "neighbors": [
                    {
                        "vrf": "CORE",
                        "address": loopback(peer),
                        "family": "ipv4",
                        "route_map": f"FROM-{name_of(peer, count)}",
                        "limit": "16 restart 5",
                    }
                    for peer in peers
                ],
                "policy": {
                    line: inside
                    for name, number in ((f"FROM-{name_of(peer, count)}", peer) for peer in peers)
                    for line, inside in (
                        (f"ip prefix-list {name} seq 10 permit 10.{number}.0.0/24", []),
                        (f"route-map {name} permit 10", [f" match ip address prefix-list {name}"]),
                    )
                },
            }
        ),
        "ospf": part([]),
        "frr_config": part([]),
        "pings": part(
            [
                ping("reach 0", f"10.{peers[0]}.0.1", 3),
                ping("fits 0", f"10.{peers[0]}.0.1", 3),
                {**ping("over 0", f"10.{peers[0]}.0.1", 0), "too_long": True, "note": "ping: local error: message too long, mtu=1412"},
            ]
        ),
    }


def unit(name: str, time: int) -> dict[str, Any]:
    """Describe a unit that is as it should be."""
    return {
        "Id": name,
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "exited",
        "UnitFileState": "enabled",
        "Result": "success",
        "After": [],
        "NeedDaemonReload": False,
        "ActiveEnterTimestampMonotonic": time,
    }


def live_links(number: int, ends: list[tuple[int, int]]) -> dict[str, dict[str, Any]]:
    """Describe the interfaces of a host."""

    def link(
        kind: str, mtu: int, addresses: list[tuple[str, str]], master: str | None = "CORE", table: int | None = None
    ) -> dict[str, Any]:
        return {
            "index": 1,
            "up": True,
            "oper": "UP",
            "mtu": mtu,
            "mac": "02:00:00:00:00:01",
            "kind": kind,
            "table": table,
            "master": master,
            "addresses": [{"address": text, "family": 6 if ":" in text else 4, "scope": scope} for text, scope in addresses],
        }

    links = {
        "eth0": link("", 1500, [(f"192.0.2.{number}/24", "global")], None) | {"kind": None},
        "CORE": link("vrf", 65575, [(f"{loopback(number)}/32", "global")], None, 200),
        "br0": link("bridge", 1500, [(f"10.{number}.0.1/24", "global"), (f"fd00:{number:x}::1/64", "global"), ("fe80::1/64", "link")]),
    }
    links.update({f"wg{index}": link("wireguard", 1412, [(f"{link_address(index, end)}/30", "global")]) for index, end in ends})
    return links


def rules() -> list[dict[str, Any]]:
    """Give the rules as role vrf leaves them."""
    order = ((1000, True, None), (32765, False, 255), (32766, False, 254), (32767, False, 253))
    return [{"priority": priority, "l3mdev": l3mdev, "table": table, "kernel": True, "every": True} for priority, l3mdev, table in order]


def rib_route(prefix: str, protocol: str, hop: str | None, interface: str, vrf: str = "CORE") -> dict[str, Any]:
    """Describe a route as FRR knows it."""
    return {
        "vrf": vrf,
        "prefix": prefix,
        "protocol": protocol,
        "selected": True,
        "installed": True,
        "table": 200,
        "distance": 20,
        "metric": 0,
        "uptime": "1d01h02m",
        "nexthops": [{"ip": hop, "interface": interface, "active": True, "recursive": False, "blackhole": False}],
    }


def kernel_route(
    prefix: str, kind: str, protocol: str, hop: str = "", device: str = "", metric: int = 20, table: int = 200
) -> dict[str, Any]:
    """Describe a route as the kernel has it."""
    return {
        "prefix": prefix,
        "table": table,
        "type": kind,
        "protocol": protocol,
        "metric": metric,
        "dev": [device] if device else [],
        "via": [hop] if hop else [],
    }


def ping(identity: str, destination: str, received: int) -> dict[str, Any]:
    """Describe a ping."""
    return {
        "id": identity,
        "command": f"ping -n -c 3 -I CORE {destination}",
        "error": None,
        "transmitted": 3,
        "received": received,
        "rtt_ms": 2.4 if received else None,
        "too_long": False,
        "note": "",
    }
