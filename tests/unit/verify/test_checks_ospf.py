"""Checks of OSPF, VLANs, macvlan interfaces, default routes and next hops, against a state that fits and against one that does not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import still_waiting
from ansible_collections.xuegao.net.plugins.module_utils.live_parse_frr import parse_ospf, parse_ospf6
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import ospf_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

VARIABLES: HostVariables = {
    "vrf_vrfs": [{"name": "CORE", "table": 200}],
    "vrf_interfaces": [
        {"name": "eth1", "vrf": "CORE"},
        {"name": "eth2.10", "kind": "vlan", "parent": "eth2", "vlan": 10, "vrf": "CORE"},
        {"name": "seg7", "kind": "macvlan", "parent": "vxlan7", "vrf": "CORE"},
    ],
    "vrf_default_routes": [{"gateway": "192.0.2.1", "interface": "eth0"}],
    "frr_ospf": [
        {
            "vrf": "CORE",
            "router_id": "10.255.0.1",
            "interfaces": [
                {"name": "CORE", "area": "0.0.0.0", "passive": True},
                {"name": "eth1", "area": "0.0.0.0", "bfd_profile": "TUNNEL"},
            ],
        }
    ],
    "frr_ospf6": [{"vrf": "CORE", "router_id": "10.255.0.1", "interfaces": [{"name": "eth1", "area": "0.0.0.0", "bfd_profile": "TUNNEL"}]}],
    "verify_routes": [{"vrf": "CORE", "prefix": "10.10.0.0/24", "protocol": "ospf", "direct": True}],
}


def session(peer: str) -> dict[str, Any]:
    return {"vrf": "CORE", "peer": peer, "interface": "eth1", "status": "up", "diagnostic": "ok", "uptime": 9}


def link(**values: Any) -> dict[str, Any]:
    return {"up": True, "kind": None, "master": "CORE", "mtu": 1500, "parent": None, "vlan": None, "addresses": [], **values}


def state() -> dict[str, Any]:
    neighbor = {"router_id": "10.255.0.2", "state": "Full/-", "full": True, "interface": "eth1", "uptime": 70}
    hop = {"ip": "10.254.0.14", "interface": "eth1", "active": True, "recursive": False, "blackhole": False}
    route = {"vrf": "CORE", "prefix": "10.10.0.0/24", "protocol": "ospf", "selected": True, "installed": True, "nexthops": [hop]}
    # Another router's link, which the install filter keeps out of the table.
    kept_out = {**route, "prefix": "10.254.0.20/30", "selected": False, "installed": False}
    default = {
        "table": 254,
        "prefix": "0.0.0.0/0",
        "type": "unicast",
        "protocol": "boot",
        "metric": 0,
        "via": ["192.0.2.1"],
        "dev": ["eth0"],
    }
    dhcp = {**default, "metric": 1024, "via": ["192.0.2.254"]}
    parts = {
        "ospf": [neighbor],
        "ospf6": [{**neighbor, "state": "Full"}],
        "bfd": [session("10.254.0.14"), session("fe80::2")],
        "rib": [route, kept_out],
        "routes": [
            dhcp,
            default,
            {"table": 200, "prefix": "10.10.0.0/24", "type": "unicast", "protocol": "ospf", "metric": 20, "via": [], "dev": []},
        ],
        "links": {"eth1": link(), "eth2.10": link(kind="vlan", parent="eth2", vlan=10), "seg7": link(kind="macvlan", parent="vxlan7")},
    }
    return {name: {"command": name, "data": data, "error": None} for name, data in parts.items()}


def results(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    words = ("OSPF", "BFD", "learned", "resolves", "default via", "VLAN", "macvlan")
    return {
        item.name: (item.status, item.detail) for item in host_checks("r1", VARIABLES, found) if any(word in item.name for word in words)
    }


def test_a_healthy_router_passes() -> None:
    found = results(state())
    assert {status for status, _detail in found.values()} == {"passed"}, found
    assert set(found) >= {
        "OSPF CORE neighbor on eth1 full",
        "OSPFv3 CORE neighbor on eth1 full",
        "BFD CORE watches OSPF on eth1",
        "BFD CORE watches OSPFv3 on eth1",
        "Interface eth2.10 is VLAN 10 on eth2",
        "Interface seg7 is macvlan on vxlan7",
        "Route default default via 192.0.2.1",
        "Route CORE 10.10.0.0/24 resolves directly",
        "Route CORE learned no link prefixes",
    }


@pytest.mark.parametrize(
    ("part", "change", "name", "detail"),
    [
        ("ospf", lambda data: data.clear(), "OSPF CORE neighbor on eth1 full", "no neighbor on eth1"),
        ("ospf6", lambda data: data[0].update(full=False, state="ExStart"), "OSPFv3 CORE neighbor on eth1 full", "10.255.0.2 ExStart"),
        ("bfd", lambda data: data.pop(), "BFD CORE watches OSPFv3 on eth1", "no IPv6 session on eth1"),
        ("bfd", lambda data: data[0].update(status="down"), "BFD CORE watches OSPF on eth1", "10.254.0.14 is down"),
        ("links", lambda data: data["eth2.10"].update(vlan=11), "Interface eth2.10 is VLAN 10 on eth2", "found VLAN 11 on eth2"),
        ("links", lambda data: data.pop("eth2.10"), "Interface eth2.10 is VLAN 10 on eth2", "found nothing"),
        ("links", lambda data: data["seg7"].update(parent="eth1"), "Interface seg7 is macvlan on vxlan7", "found macvlan on eth1"),
        ("links", lambda data: data.pop("seg7"), "Interface seg7 is macvlan on vxlan7", "found nothing"),
        ("routes", lambda data: data.pop(1), "Route default default via 192.0.2.1", "found via 192.0.2.254 dev eth0"),
        ("rib", lambda data: data[0]["nexthops"][0].update(recursive=True), "Route CORE 10.10.0.0/24 resolves directly", "second look-up"),
        ("rib", lambda data: data[1].update(selected=True), "Route CORE learned no link prefixes", "10.254.0.20/30 by ospf"),
    ],
)
def test_what_is_wrong_is_named(part: str, change: Any, name: str, detail: str) -> None:
    broken = deepcopy(state())
    change(broken[part]["data"])
    status, text = results(broken)[name]
    assert status == "failed"
    assert detail in text


def test_adjacencies_are_waited_for() -> None:
    expect = gather_arguments(VARIABLES)["expect"]
    assert (expect["ospf"], expect["ospf6"]) == (["eth1"], ["eth1"])
    live = {**state(), "bgp": {"data": {}}}
    wait = {"ospf": expect["ospf"], "ospf6": expect["ospf6"]}
    assert still_waiting(live, wait) == []
    live["ospf"]["data"] = []
    assert still_waiting(live, wait) == ["ospf eth1"]


def test_neighbors_as_frr_prints_them() -> None:
    """FRR 10 says nbrState, FRR 8 state; OSPFv3 names no VRF."""
    text = '{"CORE": {"vrfName": "CORE", "neighbors": {"10.255.0.2": [{"%s": "Full/-", "ifaceName": "eth1:10.254.0.13", "upTimeInMsec": 70000}]}}}'
    for key in ("nbrState", "state"):
        (found,) = parse_ospf(text % key)
        assert (found["interface"], found["full"], found["uptime"]) == ("eth1", True, 70)
    six = '{"neighbors": [{"neighborId": "10.255.0.2", "state": "Full", "duration": "1d00:01:10", "interfaceName": "eth1"}]}\n{"neighbors": []}'
    (found,) = parse_ospf6(six)
    assert (found["interface"], found["full"], found["uptime"]) == ("eth1", True, 86470)


def test_neighbors_in_the_report() -> None:
    """Both versions, each with the VRF of the variables; FRR names it in one of the two only."""
    first, second = ospf_of(VARIABLES, state())
    assert first == {
        "version": 2,
        "vrf": "CORE",
        "router_id": "10.255.0.2",
        "state": "Full/-",
        "full": True,
        "interface": "eth1",
        "uptime": 70,
    }
    assert second == {**first, "version": 3, "state": "Full"}
    unknown = ospf_of(VARIABLES | {"frr_ospf": []}, state())
    assert unknown[0] == {**first, "vrf": None}
