"""Checks of external neighbors: what is said of one that is down, silent, of another role, or advertised more than is planned."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import still_waiting
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr import check_frr, planned_policy
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.frr_edge import check_edge
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Check, Ledger

INTENT: dict[str, Any] = {
    "xgn_pools": {"loopbacks": {"ipv4": "10.255.0.0/24"}},
    "xgn_nodes": {
        "edge": {
            "id": 1,
            "asn": 500001,
            "uplink": {"device": "eth0", "address": "203.0.113.2/24"},
            "networks": {"pub0": {"kind": "bridge", "address": "44.128.1.1/24"}},
        }
    },
    "xgn_neighbors": {
        "transit": {"node": "edge", "relation": "upstream", "asn": 500002, "addresses": {"ipv4": "203.0.113.1"}, "role": "require"},
        "server": {"node": "edge", "relation": "route_server", "asn": 500003, "addresses": {"ipv4": "203.0.113.3"}},
        "friend": {"node": "edge", "relation": "peer", "asn": 500004, "addresses": {"ipv4": "203.0.113.4"}, "optional": True, "bfd": True},
        "quiet": {"node": "edge", "relation": "internal", "asn": 64600, "addresses": {"ipv4": "203.0.113.5"}, "accept": []},
    },
}
VARIABLES = make_plan(INTENT).hosts["edge"]
ROLES = {
    "203.0.113.1": ("customer", "provider"),
    "203.0.113.3": ("rs-client", None),
    "203.0.113.4": ("peer", "peer"),
    "203.0.113.5": (None, None),
}
State = dict[str, Any]


def part(data: Any) -> dict[str, Any]:
    return {"command": "command", "data": data, "error": None}


def state_of() -> State:
    """Return a live state in which all is as planned."""
    (instance,) = VARIABLES["frr_bgp"]
    peers, inbound = {}, []
    for neighbor in instance["neighbors"]:
        address, local, remote = neighbor["address"], *ROLES[neighbor["address"]]
        families = {"ipv4Unicast": {"negotiated": True, "accepted": 3, "sent": 1}}
        base = {
            "state": "Established",
            "uptime": 60,
            "remote_as": neighbor["remote_as"],
            "local_as": 500001,
            "password": False,
            "reset": "",
        }
        ids = {"local_router_id": instance["router_id"], "local_address": "203.0.113.2", "local_role": local, "remote_role": remote}
        peers[address] = {**base, **ids, "families": families}
        (family,) = neighbor["families"]
        limit = f"{family['maximum_prefix']} restart {family['maximum_prefix_restart']}"
        maps = {"route_map": family["route_map_in"], "route_map_out": family["route_map_out"]}
        inbound.append({"vrf": "default", "address": address, "family": "ipv4", **maps, "limit": limit})
    sessions = [{"vrf": "default", "peer": "203.0.113.4", "interface": "eth0", "status": "up", "uptime": 60}]
    timers = {"receive": 300, "transmit": 300, "multiplier": 3, "remote_multiplier": None}
    return {
        "bgp": part({"default": peers}),
        "bfd": part([{**item, **timers} for item in sessions]),
        "inbound": part({"neighbors": inbound, "policy": planned_policy(VARIABLES)}),
    }


def checks_of(state: State) -> dict[str, Check]:
    ledger = Ledger("edge", state)
    check_frr(ledger, VARIABLES)
    check_edge(ledger, VARIABLES)
    return {check.name: check for check in ledger.checks if " neighbor " in check.name or check.name.startswith("BFD")}


def test_all_is_as_planned() -> None:
    checks = checks_of(state_of())
    assert {name for name, check in checks.items() if check.status == "failed"} == set()
    skipped = {name for name, check in checks.items() if check.status == "skipped"}
    assert skipped == {"BGP default neighbor 203.0.113.4 brings prefixes", "BGP default neighbor 203.0.113.5 brings prefixes"}
    assert "BGP default neighbor 203.0.113.5 role" not in checks
    assert checks["BGP default neighbor 203.0.113.3 role"].detail == "own role rs-client, and the neighbor says none, which is allowed"


def _peer(state: State, last: int) -> Any:
    return state["bgp"]["data"]["default"][f"203.0.113.{last}"]


def _inbound(state: State, last: int) -> Any:
    return next(item for item in state["inbound"]["data"]["neighbors"] if item["address"] == f"203.0.113.{last}")


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (lambda s: _peer(s, 1)["families"]["ipv4Unicast"].update(accepted=0), "203.0.113.1 brings prefixes", "found ipv4: 0 accepted"),
        (lambda s: _peer(s, 1).update(families={}), "203.0.113.1 brings prefixes", "expected one at least"),
        (lambda s: _peer(s, 1).update(remote_role=None), "203.0.113.1 role", "the neighbor says none, expected provider"),
        (lambda s: _peer(s, 3).update(remote_role="peer"), "203.0.113.3 role", "the neighbor says peer, expected rs-server"),
        (lambda s: _peer(s, 3).update(local_role=None), "203.0.113.3 role", "found own role none, expected rs-client"),
        (lambda s: _inbound(s, 1).update(route_map_out=None), "203.0.113.1 outbound filter", "found route map none, expected OUT-transit"),
        (lambda s: _inbound(s, 1).update(family="ipv6"), "203.0.113.1 outbound filter", "ipv4 is not activated"),
        (
            lambda s: s["inbound"]["data"]["policy"]["route-map OUT-transit deny 10"].clear(),
            "203.0.113.1 outbound filter",
            "lacks `match large-community OTHERS-ROUTES`",
        ),
        (
            lambda s: s["inbound"]["data"]["policy"].update({"ip prefix-list OUT-transit seq 5 permit 0.0.0.0/0 le 32": []}),
            "203.0.113.1 outbound filter",
            "which is not planned",
        ),
        (lambda s: _inbound(s, 1).update(limit=None), "203.0.113.1 inbound filter", "expected 2000000 restart 5"),
        (lambda s: _peer(s, 1).update(state="Active"), "203.0.113.1 established", "is Active, expected Established"),
    ],
)
def test_a_fault_fails_its_check(change: Callable[[State], Any], name: str, words: str) -> None:
    state = deepcopy(state_of())
    change(state)
    check = checks_of(state)[f"BGP default neighbor {name}"]
    assert check.status == "failed"
    assert words in check.detail


def test_an_optional_neighbor_may_be_down() -> None:
    state = deepcopy(state_of())
    _peer(state, 4).update(state="Active", families={}, local_role="peer", remote_role=None)
    checks = checks_of(state)
    assert {name for name, check in checks.items() if check.status == "failed"} == set()
    assert checks["BGP default neighbor 203.0.113.4 established"].status == "skipped"
    assert not any(name.startswith("BFD") for name in checks)
    # Its filters have to be there all the same.
    _inbound(state, 4).update(route_map=None)
    assert checks_of(state)["BGP default neighbor 203.0.113.4 inbound filter"].status == "failed"


def test_a_drained_neighbor_is_advertised_what_is_planned() -> None:
    state = deepcopy(state_of())
    _inbound(state, 1).update(route_map_out="XGN-DRAIN-OUT-OUT-transit")
    assert checks_of(state)["BGP default neighbor 203.0.113.1 outbound filter"].status == "passed"


def test_nobody_waits_for_an_optional_neighbor() -> None:
    expect = gather_arguments(VARIABLES)["expect"]
    assert {item["address"] for item in expect["bgp"]} == {"203.0.113.1", "203.0.113.3", "203.0.113.5"}
    assert expect["bfd"] == []


def test_a_neighbor_without_an_address_is_found_by_its_interface() -> None:
    state = {name: part([]) for name in ("rib", "ospf", "ospf6")} | {"bgp": part({})}
    wait = {"bfd": [{"vrf": "default", "address": "eth2"}]}
    session = {"vrf": "default", "peer": "fe80::1", "interface": "eth2", "status": "up"}
    assert still_waiting({**state, "bfd": part([session])}, wait) == []
    assert still_waiting({**state, "bfd": part([{**session, "interface": "eth3"}])}, wait) == ["BFD default eth2"]
