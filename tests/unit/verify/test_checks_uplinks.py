"""Checks of uplinks that learn their addresses, gateways and peers from others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.live_parse import parse_kernel_routes, parse_rules
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

# As ip -N -json -6 route show table all prints it (iproute2 6.1), of a kernel that has heard a router.
HEARD = {
    "type": "1",
    "dst": "default",
    "gateway": "fe80::3068:9eff:feb0:3b4d",
    "dev": "eth1",
    "protocol": "9",
    "metric": 1024,
    "flags": [],
    "expires": 29,
    "metrics": [{"hoplimit": 64}],
    "pref": "medium",
}
UPLINK: HostVariables = {"vrf_interfaces": [{"name": "eth1", "hears_routers": True}]}
IN_VRF: HostVariables = {
    "vrf_vrfs": [{"name": "WAN", "table": 300}],
    "vrf_interfaces": [{"name": "eth1", "vrf": "WAN", "hears_routers": True}],
}


def heard(variables: HostVariables, *routes: dict[str, Any]) -> tuple[str, str, str]:
    """Return name, status and detail of the check of the default route from routers."""
    found = {"routes": {"command": "ip route", "data": parse_kernel_routes(json.dumps(routes), 6), "error": None}}
    (check,) = [item for item in host_checks("r1", variables, found) if "from routers" in item.name]
    return check.name, check.status, check.detail


def test_the_default_route_of_a_slaac_uplink() -> None:
    assert heard(UPLINK, HEARD) == ("Route default IPv6 default from routers on eth1", "passed", "via fe80::3068:9eff:feb0:3b4d")
    assert heard(IN_VRF, {**HEARD, "table": "300"}) == (
        "Route WAN IPv6 default from routers on eth1",
        "passed",
        "via fe80::3068:9eff:feb0:3b4d",
    )


def test_one_that_has_expired_is_elsewhere_or_is_somebody_elses_does_not_count() -> None:
    for variables, route in ((UPLINK, {**HEARD, "expires": -1}), (UPLINK, {**HEARD, "dev": "eth0"}), (IN_VRF, HEARD)):
        _name, status, detail = heard(variables, route)
        assert (status, detail.partition(",")[0]) == ("failed", "found none")
    _name, status, detail = heard(UPLINK, {**HEARD, "protocol": "3"})
    assert status == "failed"
    assert detail == (
        "found one of protocol boot only, expected a default route from a router on eth1: none advertises itself there, "
        "or the host does not listen (accept_ra)"
    )


LEASED = {"type": "1", "dst": "default", "gateway": "192.0.2.1", "dev": "eth1", "protocol": "16", "metric": 1024, "flags": []}


@pytest.mark.parametrize(
    ("vrf", "routes", "status", "detail"),
    [
        ("", [LEASED], "passed", "via 192.0.2.1"),
        ("WAN", [{**LEASED, "table": "300"}], "passed", "via 192.0.2.1"),
        ("WAN", [LEASED], "failed", "found one in table main only, expected the default route of a lease on eth1 in table 300"),
        ("", [{**LEASED, "dev": "eth0"}], "failed", "found none, expected the default route of a lease on eth1 in table main"),
    ],
)
def test_the_default_route_of_a_lease(vrf: str, routes: list[dict[str, Any]], status: str, detail: str) -> None:
    variables: HostVariables = {
        "vrf_vrfs": [{"name": "WAN", "table": 300}],
        "vrf_interfaces": [{"name": "eth1", "asks_dhcp": True, **({"vrf": "WAN"} if vrf else {})}],  # type: ignore[typeddict-item]
    }
    found = {"routes": {"command": "ip route", "data": parse_kernel_routes(json.dumps(routes), 4), "error": None}}
    (check,) = [item for item in host_checks("r1", variables, found) if "by DHCP" in item.name]
    assert (check.name, check.status, check.detail) == (f"Route {vrf or 'default'} IPv4 default by DHCP on eth1", status, detail)


def peer(endpoint: str) -> HostVariables:
    return {"wireguard_interfaces": [{"name": "wg1", "peers": [{"name": "hq", "endpoint": endpoint}]}]}


def looked_up(variables: HostVariables, **service: str) -> dict[str, tuple[str, str]]:
    """Return status and detail by name of the checks of what looks names up."""
    timer = {"LoadState": "loaded", "ActiveState": "active", "SubState": "waiting", "UnitFileState": "enabled"}
    live = {"xgn-wireguard-endpoints.timer": timer, **({"xgn-wireguard-endpoints.service": service} if service else {})}
    found = {"units": {"command": "systemctl show", "data": live, "error": None}}
    return {
        item.name: (item.status, item.detail)
        for item in host_checks("r1", variables, found)
        if "endpoints" in item.name and "Unit" in item.name
    }


def test_what_looks_names_up_is_there_where_a_peer_has_one() -> None:
    assert looked_up(peer("192.0.2.1:51820")) == looked_up(peer("[2001:db8::1]:51820")) == {}
    assert looked_up(peer("hq.example.org:51820"), LoadState="loaded", ActiveState="inactive", Result="success") == {
        "Unit xgn-wireguard-endpoints.timer enabled and active": ("passed", "enabled, active (waiting)"),
        "Unit xgn-wireguard-endpoints.service ends well": ("passed", "its latest run did"),
    }
    assert "xgn-wireguard-endpoints.service" in gather_arguments(peer("hq.example.org:51820"))["units"]


def test_a_service_that_fails_is_told() -> None:
    name = "Unit xgn-wireguard-endpoints.service ends well"
    status, detail = looked_up(peer("hq.example.org:51820"), LoadState="loaded", Result="exit-code")[name]
    assert (status, detail) == (
        "failed",
        "its latest run ended with exit-code, expected success: journalctl -u xgn-wireguard-endpoints.service",
    )
    assert looked_up(peer("hq.example.org:51820"))[name] == ("failed", "xgn-wireguard-endpoints.service does not exist")


MARKED: HostVariables = {"vrf_vrfs": [{"name": "WAN", "table": 300, "fwmark": 300}]}
# As ip -N -json -details rule show prints it (iproute2 6.1).
RULE = {"priority": 990, "src": "all", "fwmark": "0x12c", "table": "300", "protocol": "2"}
NO_RULE = "no rule for mark 300, expected one for table 300: WireGuard's outer packets leave by the default VRF, and answers from an exit do not find back"


@pytest.mark.parametrize(
    ("rules", "status", "detail"),
    [
        ([RULE], "passed", "table 300, priority 990"),
        ([], "failed", NO_RULE),
        (
            [{**RULE, "fwmask": "0xff"}],
            "failed",
            NO_RULE,
        ),
        ([RULE, {**RULE, "priority": 9, "table": "7"}], "failed", "found table 7 at priority 9, expected table 300 before the main one"),
        (
            [{**RULE, "priority": 1010}, {"priority": 1000, "src": "all", "l3mdev": None, "protocol": "2"}],
            "failed",
            "the rule at 1010 comes behind l3mdev at 1000: it is not asked for what arrives in another VRF",
        ),
        ([{**RULE, "priority": 32767}], "failed", "found table 300 at priority 32767, expected table 300 before the main one"),
        (
            [{**RULE, "protocol": "3"}],
            "failed",
            "the rule at 990 is not of protocol kernel: systemd-networkd removes it when it configures a NIC again",
        ),
    ],
)
def test_wireguards_outer_packets_are_routed_in_their_vrf(rules: list[dict[str, Any]], status: str, detail: str) -> None:
    found = {f"rules{version}": {"command": "ip rule", "data": parse_rules(json.dumps(rules)), "error": None} for version in (4, 6)}
    checks = [item for item in host_checks("r1", MARKED, found) if "with its mark" in item.name]
    assert [item.name for item in checks] == [f"VRF WAN routes packets with its mark, IPv{version}" for version in (4, 6)]
    assert {(item.status, item.detail) for item in checks} == {(status, detail)}
