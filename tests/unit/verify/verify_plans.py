"""Reports of the golden networks: their planned variables with a live state in which every link, neighbor and session is up."""

from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import verify_samples as samples
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import is_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import neighbor_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import build_report, host_summary

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
META = {"title": "Network verification", "inventory": "inventories/hybrid", "made": "2026-11-23T02:14:57+00:00", "calls": {}}


def plan_of(network: str) -> Plan:
    """Plan a golden network."""
    return make_plan(read_yaml((GOLDEN / network / "intent.yml").read_text(encoding="utf-8")))


def registry_of(plan: Plan) -> dict[str, dict[str, str]]:
    """Make up the public keys."""
    return {
        host: {item["name"]: samples.key_of(host, item["name"]) for item in variables.get("wireguard_interfaces", [])}
        for host, variables in plan.hosts.items()
    }


def state_of(variables: HostVariables, registry: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Write the parts of a live state that the drawing is made from."""
    names = [item["name"] for key in ("frr_interfaces", "vxlan_interfaces") for item in entries_of(variables, key)]
    neighbors = [(item.get("vrf") or "default", one) for item in variables.get("frr_bgp", []) for one in item["neighbors"]]
    watched = [
        (item.get("vrf") or "default", one["name"], address)
        for key, address in (("frr_ospf", "10.0.0.9"), ("frr_ospf6", "fe80::9"))
        for item in entries_of(variables, key)
        for one in item["interfaces"]
        if one.get("bfd_profile")
    ]
    bgp: dict[str, dict[str, Any]] = {}
    for vrf, one in neighbors:
        families = {f"{item['family']}Unicast": {"negotiated": True, "accepted": 3, "sent": 3} for item in one["families"]}
        bgp.setdefault(vrf, {})[neighbor_name(one)] = {
            "state": "Established",
            "uptime": 287,
            "local_address": one.get("update_source") or own_address(variables, neighbor_name(one)),
            "families": families,
        }
    ospf = {
        key: [
            {"router_id": "10.255.0.9", "state": "Full", "full": True, "interface": one["name"], "uptime": 200}
            for item in entries_of(variables, f"frr_{key}")
            for one in item["interfaces"]
            if not one.get("passive")
        ]
        for key in ("ospf", "ospf6")
    }
    peers = {
        item["name"]: {
            "peers": {
                one.get("public_key") or registry[one["name"]][one.get("interface") or item["name"]]: {"handshake_age": 33}
                for one in item["peers"]
            }
        }
        for item in variables.get("wireguard_interfaces", [])
    }
    bfd = [{"vrf": vrf, "peer": neighbor_name(one), "interface": None, "status": "up"} for vrf, one in neighbors]
    bfd += [{"vrf": vrf, "peer": peer, "interface": name, "status": "up"} for vrf, name, peer in watched]
    return {
        "system": {"kernel": "6.12.48+deb13-amd64", "os": "Debian GNU/Linux 13 (trixie)", "uptime": 595},
        "links": samples.part({name: {"up": True, "oper": "UNKNOWN"} for name in names}),
        "wireguard": samples.part(peers),
        "openvpn": samples.part({item["name"]: {"state": "CONNECTED"} for item in variables.get("openvpn_tunnels", [])}),
        "ipsec": samples.part({item["name"]: {"child": "INSTALLED"} for item in variables.get("l2tp_ipsec_tunnels", [])}),
        "bgp": samples.part(bgp),
        "bfd": samples.part(bfd),
        "rib": samples.part(loopback_routes(variables)),
        **{key: samples.part(found) for key, found in ospf.items()},
    }


def own_address(variables: HostVariables, neighbor: str) -> str | None:
    """Find the own address in the subnet of a neighbor."""
    for item in variables.get("frr_interfaces", []):
        for address in map(ip_interface, item["addresses"]):
            if is_address(neighbor) and ip_interface(neighbor).ip in address.network:
                return str(address.ip)
    return None


def loopback_routes(variables: HostVariables) -> list[dict[str, Any]]:
    """Give what OSPF would learn: the loopbacks of neighbors behind the interfaces it looks at."""
    found = []
    for item in variables.get("frr_ospf", []):
        for one in item["interfaces"]:
            if not one.get("passive"):
                found.append(samples.rib_route("10.255.0.0/24", "ospf", "10.254.0.9", one["name"], item.get("vrf") or "default"))
    return found


def golden_report(
    network: str,
    states: dict[str, dict[str, Any]] | None = None,
    checks: list[dict[str, str]] | None = None,
    without: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the report of a golden network.

    Parameters:
        states: parts of the live state that are otherwise, by host.
        checks: the checks that failed.
        without: variables that the hosts do not have, as roles used without a plan.
    """
    plan = plan_of(network)
    registry = registry_of(plan)
    results = []
    for host, planned in plan.hosts.items():
        variables: Any = {name: value for name, value in planned.items() if name not in without}
        state = state_of(variables, registry) | (states or {}).get(host, {})
        summary = host_summary(host, [], variables, state, registry)
        passed = {"host": host, "name": "Host reachable", "status": "passed", "command": "", "detail": "the live state was read"}
        results.append({"host": host, "checks": [passed, *(item for item in checks or [] if item["host"] == host)], "summary": summary})
    return build_report(results, META)
