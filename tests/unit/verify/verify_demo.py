"""Reports of networks of any size: `python tests/unit/verify/verify_demo.py DIRECTORY HOSTS [healthy]` writes one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import verify_samples as samples
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import build_report, host_summary
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import host_checks, unreachable

PLOT = '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="60"><rect width="600" height="20" fill="#c33"/></svg>'


def break_some(states: dict[str, dict[str, Any]], hosts: list[str]) -> None:
    """Cut a tunnel, drop a session, leak a link, misplace an interface."""
    first, last = hosts[0], hosts[-1]
    for host in (first, last):
        peers = states[host]["wireguard"]["data"][min(states[host]["wireguard"]["data"])]["peers"]
        next(iter(peers.values()))["handshake_age"] = 754
        session = next(iter(states[host]["bgp"]["data"]["CORE"].values()))
        session.update(state="Active", reset="Cease/BFD Down; BGP Notification received")
        states[host]["bfd"]["data"][0].update(status="down", diagnostic="control detection time expired")
    states[last]["rib"]["data"].append(samples.rib_route("10.254.9.0/30", "bgp", "10.254.0.1", "wg0"))
    states[last]["links"]["data"]["br0"]["master"] = None
    states[last]["frr_config"]["data"] = ["- no neighbor 10.255.0.1 bfd", "+ neighbor 10.255.0.1 password <secret>"]


def results_of(count: int, faults: bool = False) -> list[dict[str, Any]]:
    """Return what the checks leave for each host, as action report reads it."""
    variables, registry, states = samples.network(count)
    hosts = list(variables)
    if faults:
        break_some(states, hosts)
    results = []
    for number, host in enumerate(hosts):
        site = host.rpartition("-")[0] if count > 2 else ("on_prem", "cloud")[number]
        state = {**states[host], "boot_plot": samples.part(PLOT)}
        checks = host_checks(host, variables[host], state, registry)
        if faults and count > 4 and number == 2:
            state, checks = {}, unreachable(host, "not reachable: Connection timed out")
        results.append(
            {
                "host": host,
                "checks": [check.as_dict() for check in checks],
                "summary": host_summary(host, [site], variables[host], state, registry),
            }
        )
    return results


def demo_report(count: int, faults: bool = False) -> dict[str, Any]:
    """Return a report as `build_report` makes it."""
    meta = {"title": "Network verification", "inventory": "inventories/demo", "made": "2026-11-23T02:14:57+00:00"}
    return build_report(
        results_of(count, faults), {**meta, "calls": {f"T{number}": 1 for number in range(1, count + 1)} if count == 2 else {}}
    )


if __name__ == "__main__":
    from ansible_collections.xuegao.net.plugins.action.report import ActionModule

    ActionModule._write(Path(sys.argv[1]), demo_report(int(sys.argv[2]), faults="healthy" not in sys.argv))
