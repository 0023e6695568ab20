"""Checks of a GoBGP box, against a state that fits and against one that does not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_gobgp import parse_global, parse_neighbors, settled
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.units import boot_pairs, expected_units
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

VARIABLES: HostVariables = {
    "vrf_vrfs": [{"name": "CORE", "table": 200}],
    "gobgp_asn": 65503,
    "gobgp_router_id": "10.255.0.2",
    "gobgp_neighbors": [{"address": "10.255.0.1", "remote_as": 65503, "name": "hq-core"}],
    "gobgp_prefixes": ["192.0.2.0/24"],
    "gobgp_health": {"command": "true"},
}
ROUTE = {"prefix": "192.0.2.0/25", "next_hop": "10.255.0.2", "local_pref": 200, "communities": [], "large_communities": []}
STATE: dict[str, Any] = {
    "gobgp_global": {"asn": 65503, "router_id": "10.255.0.2"},
    "gobgp_neighbors": {"10.255.0.1": True},
    "steering": {"held": None, "wanted": [{**ROUTE, "persistent": True}], "advertised": [ROUTE]},
}
FAULTS = [
    ("GoBGP instance", "gobgp_global", {"asn": 65504, "router_id": "10.255.0.2"}, "expected AS 65503"),
    ("GoBGP neighbors", "gobgp_neighbors", {"10.255.0.1": True, "10.255.0.9": False}, "extra 10.255.0.9"),
    ("GoBGP neighbor 10.255.0.1 established", "gobgp_neighbors", {"10.255.0.1": False}, "(hq-core) is not established"),
    ("Steering not held back", "steering", {"held": "exit status 1", "wanted": [], "advertised": []}, "held back: exit status 1"),
    ("Steering advertised as wanted", "steering", {"held": None, "wanted": [ROUTE], "advertised": []}, "192.0.2.0/25 is not advertised"),
    ("Steering advertised as wanted", "steering", {"held": None, "wanted": [], "advertised": [ROUTE]}, "advertised by hand"),
    (
        "Steering advertised as wanted",
        "steering",
        {"held": None, "wanted": [ROUTE], "advertised": [{**ROUTE, "med": 1}]},
        "other attributes",
    ),
    (
        "Steering within what may be steered",
        "steering",
        {"held": None, "wanted": [], "advertised": [{**ROUTE, "prefix": "198.51.100.0/24"}]},
        "outside: 198.51.100.0/24",
    ),
]


def checks(changes: dict[str, Any]) -> dict[str, tuple[str, str]]:
    state = {name: {"command": name, "data": data, "error": None} for name, data in {**deepcopy(STATE), **changes}.items()}
    found = host_checks("box", VARIABLES, state)
    return {check.name: (check.status, check.detail) for check in found if check.name.startswith(("GoBGP", "Steering"))}


def test_a_box_as_it_should_be() -> None:
    found = checks({})
    assert {status for status, _detail in found.values()} == {"passed"}
    assert set(found) == {fault[0] for fault in FAULTS}


@pytest.mark.parametrize(("name", "part", "data", "words"), FAULTS, ids=[fault[3] for fault in FAULTS])
def test_a_fault_fails_its_check(name: str, part: str, data: Any, words: str) -> None:
    status, detail = checks({part: data})[name]
    assert status == "failed"
    assert words in detail


def test_what_is_asked_of_the_host() -> None:
    assert gather_arguments(VARIABLES)["gobgp"] is True
    assert gather_arguments({})["gobgp"] is False
    assert expected_units(VARIABLES)[-2:] == ["gobgpd.service", "xgn-steering-health.service"]
    assert ("interface.service", "gobgpd.service") in boot_pairs(VARIABLES)


def test_what_the_client_prints() -> None:
    assert parse_global('{"asn":65503,"router_id":"10.255.0.2","listen_port":-1}') == STATE["gobgp_global"]
    assert parse_neighbors('[{"conf":{"neighbor_address":"10.255.0.1"},"state":{"session_state":6}}]') == {"10.255.0.1": True}
    assert parse_neighbors('[{"conf":{"neighbor_address":"10.255.0.1"},"state":{}}]') == {"10.255.0.1": False}
    assert parse_neighbors("null") == {}


def test_when_there_is_nothing_to_wait_for() -> None:
    parts = {name: {"command": name, "data": data, "error": None} for name, data in STATE.items()}
    assert settled(parts)
    for name, data in (("gobgp_neighbors", {"10.255.0.1": False}), ("steering", {"held": "yet", "wanted": [], "advertised": []})):
        assert not settled({**parts, name: {"command": name, "data": data, "error": None}})
    assert not settled({**parts, "steering": {"command": "", "data": None, "error": "away"}})
