"""What a person wants beside the plan's own: NAT of an exit as the kernel has it, and a static route that waits behind a better one."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import FrrStaticRoute, HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr import check_aggregate, check_static
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import host_checks
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger

VARIABLES = cast(
    HostVariables,
    {
        "verify_roles": ["firewall"],
        "firewall_trusted_interfaces": ["lo"],
        "firewall_nat": [{"vrf": "CORE", "interface": "eth0", "mark": 200}],
    },
)
# As nft 1.0.6 and 1.1.3 list it.
LISTED = """table inet xgn {
\tchain exits {
\t\ttype filter hook forward priority mangle; policy accept;
\t\tiifname "CORE" oifname "eth0" ct state new ct mark set 0x000000c8
\t}

\tchain answers {
\t\ttype filter hook prerouting priority mangle; policy accept;
\t\tiifname "eth0" ct direction reply ct mark 0x000000c8 meta mark set ct mark
\t}

\tchain nat {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tiifname "CORE" oifname "eth0" masquerade
\t}
}
"""


@pytest.mark.parametrize(
    ("lost", "status", "detail"),
    [
        ("", "passed", "marked, translated, and answers find back"),
        ("masquerade", "failed", 'missing iifname "CORE" oifname "eth0" masquerade in chain nat'),
        ("ct state new", "failed", 'missing iifname "CORE" oifname "eth0" ct state new ct mark set 200 in chain exits'),
        ("meta mark set", "failed", 'missing iifname "eth0" ct direction reply ct mark 200 meta mark set ct mark in chain answers'),
        ("type nat", "failed", "missing chain nat"),
    ],
)
def test_nat_of_an_exit_is_looked_at_as_a_whole(lost: str, status: str, detail: str) -> None:
    live = "".join(line for line in LISTED.splitlines(keepends=True) if not lost or lost not in line)
    state = {"filter": {"command": "nft", "data": {"live": live, "declared": LISTED}, "error": None}}
    found = [item for item in host_checks("r1", VARIABLES, state) if item.name == "Firewall NAT of VRF CORE on eth0"]
    assert [(item.status, item.detail) for item in found] == [(status, detail)]


RESERVE: FrrStaticRoute = {
    "vrf": "CORE",
    "prefix": "0.0.0.0/0",
    "next_hop": "192.0.2.9",
    "interface": "wwan0",
    "next_hop_vrf": "LTE",
    "distance": 210,
}


def route(protocol: str, distance: int, ip: str, interface: str, **other: Any) -> dict[str, Any]:
    """Return an entry of FRR's table: in force, unless something else is said."""
    hop = {"ip": ip, "interface": interface, "active": other.get("active", True), "recursive": False, "blackhole": False}
    used = bool(other.get("used", True))
    return {
        "vrf": "CORE",
        "prefix": "0.0.0.0/0",
        "protocol": protocol,
        "selected": used,
        "installed": used,
        "distance": distance,
        "nexthops": [hop],
    }


FIRST = route("bgp", 20, "10.254.0.5", "wg1")


@pytest.mark.parametrize(
    ("rib", "status", "detail"),
    [
        ([FIRST, route("static", 210, "192.0.2.9", "wwan0", used=False)], "passed", "waits until the one by bgp is gone"),
        ([route("static", 210, "192.0.2.9", "wwan0")], "passed", "installed"),
        # Its uplink is down, so it would not take over.
        ([FIRST, route("static", 210, "192.0.2.9", "wwan0", used=False, active=False)], "failed", "known to FRR but not installed"),
        # Behind one that comes after it nothing waits.
        (
            [route("kernel", 255, "10.254.0.5", "wg1"), route("static", 210, "192.0.2.9", "wwan0", used=False)],
            "failed",
            "known to FRR but not installed",
        ),
        ([FIRST], "failed", "no static route"),
    ],
)
def test_a_static_route_waits_behind_a_better_one(rib: list[dict[str, Any]], status: str, detail: str) -> None:
    missed: dict[str, list[Any]] = {"routes": [], "next_hops": []}
    ledger = Ledger(
        "r1", {name: {"command": "vtysh", "data": data, "error": None} for name, data in (("rib", rib), ("frr_missed", missed))}
    )
    check_static(ledger, RESERVE)
    assert [(item.status, detail in item.detail) for item in ledger.checks] == [(status, True)]


# As FRR 8.4 and 10.3 have it, here and by way of another router.
OWN = {"ip": None, "interface": None, "active": True, "recursive": False, "blackhole": True}
ELSEWHERE = route("bgp", 20, "10.254.0.5", "wg1")


@pytest.mark.parametrize(
    ("rib", "status", "detail"),
    [
        ([{**ELSEWHERE, "nexthops": [OWN]}], "passed", "originated, and what belongs to none of its parts is dropped"),
        ([ELSEWHERE], "failed", "0.0.0.0/0 comes from another router, expected that this one originates it"),
        (
            [{**ELSEWHERE, "protocol": "static", "nexthops": [OWN]}],
            "failed",
            "BGP in VRF CORE has no 0.0.0.0/0, expected it: it has no part of that",
        ),
    ],
)
def test_an_aggregate_drops_what_belongs_to_none_of_its_parts(rib: list[dict[str, Any]], status: str, detail: str) -> None:
    ledger = Ledger("r1", {"rib": {"command": "vtysh", "data": rib, "error": None}})
    check_aggregate(ledger, "CORE", "0.0.0.0/0")
    assert [(item.status, item.detail) for item in ledger.checks] == [(status, detail)]
