# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the output of vtysh and frr-reload.py, of FRR 8 to 10, into small, plain structures.

Pure, and for managed hosts: only Python's own library is used. A text that cannot be read raises ValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.frr import SECRETS
from ansible_collections.xuegao.net.plugins.module_utils.frr_drain import DRAINED_IN, bgp_instances
from ansible_collections.xuegao.net.plugins.module_utils.frr_policy import of_route_map, policy_of
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import ANY, take_out


def split_vtysh(text: str, commands: Iterable[str]) -> dict[str, str]:
    """Split the output of one `vtysh -E -c A -c B ...` into the output of each command.

    ``-E`` prints ``host# COMMAND`` before each; vtysh stops at the first command that fails, so later ones may be missing.
    """
    wanted = set(commands)
    outputs: dict[str, list[str]] = {}
    current: str | None = None
    for line in text.splitlines():
        prompt, mark, echoed = line.rstrip().partition("# ")
        if mark and echoed in wanted and prompt and not any(letter.isspace() for letter in prompt):
            current = echoed
            outputs[current] = []
        elif current is not None:
            outputs[current].append(line + "\n")
    return {command: "".join(lines) for command, lines in outputs.items()}


def json_documents(text: str) -> list[Any]:
    """Read JSON documents that follow each other, as FRR 8 prints them for `vrf all`."""
    decoder = json.JSONDecoder()
    documents = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        document, position = decoder.raw_decode(text, position)
        documents.append(document)
    return documents


def parse_bgp(text: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Read `show bgp vrf all neighbors json`: per VRF, per neighbor address.

    Each has ``state, uptime (s), remote_as, local_as, local_address, remote_router_id, local_router_id, password (bool),
    established, dropped (counts), reset (text), families: {name: {accepted, sent}}`` and ``tcp_mss``.
    """
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for document in json_documents(text):
        for vrf, instance in document.items():
            if not isinstance(instance, dict):
                continue
            peers = {address: bgp_peer(peer) for address, peer in instance.items() if isinstance(peer, dict) and "bgpState" in peer}
            result[vrf] = peers
    return result


def bgp_peer(peer: dict[str, Any]) -> dict[str, Any]:
    """Keep of one neighbor what a check or the report says."""
    reset = [peer.get("lastNotificationReason"), peer.get("lastResetDueTo")]
    negotiated = (peer.get("neighborCapabilities") or {}).get("multiprotocolExtensions") or {}
    return {
        "state": peer["bgpState"],
        "uptime": int(peer.get("bgpTimerUpMsec", 0)) // 1000,
        "remote_as": peer.get("remoteAs"),
        "local_as": peer.get("localAs"),
        "local_address": None if peer.get("hostLocal") == "Unknown" else peer.get("hostLocal"),
        "local_router_id": peer.get("localRouterId"),
        "remote_router_id": peer.get("remoteRouterId"),
        "password": bool(peer.get("authenticationEnabled")),
        "established": peer.get("connectionsEstablished", 0),
        "dropped": peer.get("connectionsDropped", 0),
        "reset": "; ".join(text for text in reset if text),
        "tcp_mss": peer.get("bgpTcpMssSynced"),
        "families": {
            name: {
                "negotiated": bool((negotiated.get(name) or {}).get("advertisedAndReceived")),
                "accepted": family.get("acceptedPrefixCounter", 0),
                "sent": family.get("sentPrefixCounter", 0),
            }
            for name, family in (peer.get("addressFamilyInfo") or {}).items()
        },
    }


def parse_own_entry(text: str) -> dict[str, bool]:
    """Read `show bgp vrf V ipv4|ipv6 unicast PREFIX json`: ``known`` (an entry of this router's own), ``valid``, ``advertised``."""
    entry: dict[str, Any] = next(iter(json_documents(text)), {})
    own = [path for path in entry.get("paths", []) if path.get("sourced") or path.get("local")]
    return {
        "known": bool(own),
        "valid": any(bool(path.get("valid")) for path in own),
        "advertised": bool(entry.get("advertisedTo")),
    }


def parse_inbound(text: str) -> dict[str, Any]:
    """Read `show running-config` of bgpd itself: what each neighbor may bring, and how much.

    ``neighbors`` is a list of ``vrf, address, family (ipv4 or ipv6), route_map, limit`` (both None where there is none), ``policy`` has the lines of the
    route maps that are named there and of their prefix lists, as `frr_policy.policy_of` returns them. Nothing else of the text is kept: it holds passwords.
    """
    neighbors = [
        {
            "vrf": instance.vrf,
            "address": address,
            "family": name.split()[0],
            "route_map": family.policies.get((address, "in")),
            "limit": family.limits.get(address),
        }
        for instance in bgp_instances(text)
        for name, family in instance.families.items()
        for address in sorted(family.activated)
    ]
    everything = policy_of(text)
    policy: dict[str, list[str]] = {}
    for name in sorted({str(item["route_map"]) for item in neighbors if item["route_map"]}):
        policy.update(of_route_map(everything, name))
        # That of a drain asks the one before it.
        policy.update(of_route_map(everything, name.removeprefix(DRAINED_IN)))
    return {"neighbors": neighbors, "policy": policy}


def parse_rpki(text: str) -> list[dict[str, Any]]:
    """Read `show rpki cache-connection`: ``host, port, preference, connected (bool)`` of each cache; none while FRR asks no cache."""
    found = re.findall(r"^rpki tcp cache (\S+) (\d+) pref (\d+)( \(connected\))?", text, re.MULTILINE)
    return [
        {"host": host, "port": int(port), "preference": int(preference), "connected": bool(connected)}
        for host, port, preference, connected in found
    ]


def parse_bfd(text: str) -> list[dict[str, Any]]:
    """Read `show bfd peers json`: every session of every VRF; intervals in ms, as this side has them and as the peer says."""
    sessions = []
    for document in json_documents(text):
        for item in document:
            sessions.append(
                {
                    "vrf": item.get("vrf", "default"),
                    "peer": item["peer"],
                    "local": item.get("local"),
                    "interface": item.get("interface"),
                    "multihop": bool(item.get("multihop")),
                    "status": item.get("status"),
                    "uptime": item.get("uptime"),
                    "diagnostic": item.get("diagnostic"),
                    "remote_diagnostic": item.get("remote-diagnostic"),
                    "multiplier": item.get("detect-multiplier"),
                    "receive": item.get("receive-interval"),
                    "transmit": item.get("transmit-interval"),
                    "remote_multiplier": item.get("remote-detect-multiplier"),
                    "remote_receive": item.get("remote-receive-interval"),
                    "remote_transmit": item.get("remote-transmit-interval"),
                }
            )
    return sessions


def bfd_neighbor(session: Mapping[str, Any]) -> str:
    """Give what BGP calls the neighbor of a session of `parse_bfd`: the interface of a link-local address, else the address."""
    link_local = session.get("interface") and ip_address(session["peer"]).is_link_local
    return str(session["interface"] if link_local else session["peer"])


def parse_ospf(text: str) -> list[dict[str, Any]]:
    """Read `show ip ospf vrf all neighbor json`: ``router_id, state, full (bool), address, interface, uptime (s)`` of each neighbor."""
    found = []
    for document in json_documents(text):
        for instance in document.values():
            if not isinstance(instance, dict):
                continue
            for router_id, entries in (instance.get("neighbors") or {}).items():
                for entry in entries:
                    found.append(
                        {
                            "router_id": router_id,
                            "state": str(entry.get("nbrState") or entry.get("state")),
                            "full": str(entry.get("nbrState") or entry.get("state")).startswith("Full"),
                            "address": entry.get("ifaceAddress"),
                            "interface": str(entry.get("ifaceName", "")).split(":", maxsplit=1)[0],
                            "uptime": int(entry.get("upTimeInMsec", 0)) // 1000,
                        }
                    )
    return found


def parse_ospf6(text: str) -> list[dict[str, Any]]:
    """Read `show ipv6 ospf6 vrf all neighbor json`: as `parse_ospf`, without the address, which is a link-local one."""
    return [
        {
            "router_id": entry.get("neighborId"),
            "state": str(entry.get("state")),
            "full": entry.get("state") == "Full",
            "interface": entry.get("interfaceName"),
            "uptime": clock_seconds(str(entry.get("duration", ""))),
        }
        for document in json_documents(text)
        for entry in document.get("neighbors", [])
    ]


def clock_seconds(text: str) -> int:
    """Read a time span such as ``00:02:10`` or ``1d02:03:04``; 0 for anything else."""
    match = re.fullmatch(r"(?:(\d+)d)?(\d+):(\d+):(\d+)", text)
    if not match:
        return 0
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def parse_rib(text: str) -> list[dict[str, Any]]:
    """Read `show ip|ipv6 route vrf all json`: one document per VRF (FRR 8) or one by VRF (FRR 10).

    Each route has ``vrf, prefix, protocol, selected, installed (bool), table, distance, metric, uptime, nexthops``;
    a next hop has ``ip, interface, active, recursive, blackhole``.
    """
    routes = []
    for document in json_documents(text):
        by_vrf = [value for value in document.values() if isinstance(value, dict)] or [document]
        for table in by_vrf:
            for entries in table.values():
                for entry in entries:
                    routes.append(
                        {
                            "vrf": entry.get("vrfName", "default"),
                            "prefix": entry["prefix"],
                            "protocol": entry["protocol"],
                            "selected": bool(entry.get("selected")),
                            "installed": bool(entry.get("installed")),
                            "table": entry.get("table"),
                            "distance": entry.get("distance"),
                            "metric": entry.get("metric"),
                            "uptime": entry.get("uptime"),
                            "nexthops": [
                                {
                                    "ip": hop.get("ip"),
                                    "interface": hop.get("interfaceName"),
                                    "active": bool(hop.get("active")),
                                    "recursive": bool(hop.get("recursive")),
                                    "blackhole": bool(hop.get("blackhole") or hop.get("unreachable")),
                                }
                                for hop in entry.get("nexthops", [])
                            ],
                        }
                    )
    return routes


def parse_frr_version(text: str) -> str | None:
    """Find the version in `show version`, for example ``10.3``."""
    match = re.search(r"^FRRouting (\S+)", text, re.MULTILINE)
    return match.group(1) if match else None


def hide_secrets(line: str) -> str:
    """Replace the secret in a line of FRR configuration."""
    return take_out(line, SECRETS, unknown=ANY)


def parse_reload_test(text: str) -> list[str]:
    """Read the standard output of `frr-reload.py --test`: the lines that differ, as ``+ line`` and ``- line``, without secrets."""
    lines: list[str] = []
    sign = ""
    for line in text.splitlines():
        if line.startswith("Lines To Delete"):
            sign = "-"
        elif line.startswith("Lines To Add"):
            sign = "+"
        elif sign and line.strip() and not set(line.strip()) <= {"="}:
            lines.append(f"{sign} {hide_secrets(line)}")
    return lines
