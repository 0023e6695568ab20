"""Checks of neighbors that are found on an interface, and of RPKI caches."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.frr_drain import Router
from ansible_collections.xuegao.net.plugins.module_utils.frr_policy import lacking, of_route_map, policy_of
from ansible_collections.xuegao.net.plugins.module_utils.frr_replace import given_first
from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import stale_next_hops
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import still_waiting
from ansible_collections.xuegao.net.plugins.module_utils.live_parse_frr import bfd_neighbor, parse_inbound, parse_rpki
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import sessions_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

VARIABLES: HostVariables = {
    "frr_as_path_lists": [{"name": "NEAR", "entries": [{"seq": 5, "action": "permit", "regex": "^65002_"}]}],
    "frr_community_lists": [{"name": "C", "kind": "large", "entries": [{"seq": 5, "action": "permit", "value": "65002:1:1"}]}],
    "frr_route_maps": [{"name": "IN", "entries": [{"seq": 10, "action": "permit", "match": ["as-path NEAR", "large-community C"]}]}],
    "frr_rpki": {"caches": [{"host": "192.0.2.9", "port": 323, "preference": 1}]},
    "frr_bfd_profiles": [{"name": "slow"}],
    "frr_bgp": [
        {
            "asn": 65001,
            "router_id": "192.0.2.1",
            "neighbors": [
                {
                    "interface": "eth0",
                    "remote_as": 65002,
                    "bfd_profile": "slow",
                    "families": [{"family": "ipv4", "route_map_in": "IN", "route_map_out": "IN"}],
                }
            ],
        }
    ],
}
BGPD = """\
router bgp 65001
 neighbor eth0 interface v6only remote-as 65002
 !
 address-family ipv4 unicast
  neighbor eth0 activate
  neighbor eth0 route-map IN in
  neighbor eth0 route-map IN out
 exit-address-family
exit
!
bgp as-path access-list NEAR seq 5 permit ^65002_
bgp as-path access-list FAR seq 5 permit ^65003_
bgp large-community-list standard C seq 5 permit 65002:1:1
!
route-map IN permit 10
 match as-path NEAR
 match large-community C
exit
!
end
"""
CACHES = "Connected to group 1\nrpki tcp cache 192.0.2.9 323 pref 1 (connected)\nrpki tcp cache cache.example 3323 pref 2 \n"


def state(bgpd: str = BGPD, caches: str = CACHES) -> dict[str, Any]:
    peer = {
        "state": "Established",
        "uptime": 9,
        "remote_as": 65002,
        "local_as": 65001,
        "local_router_id": "192.0.2.1",
        "local_address": "fe80::1",
        "password": False,
        "reset": "",
        "families": {"ipv4Unicast": {"negotiated": True, "accepted": 3, "sent": 2}},
    }
    session = {
        "vrf": "default",
        "peer": "fe80::2",
        "interface": "eth0",
        "status": "up",
        "uptime": 9,
        "diagnostic": "ok",
        "remote_diagnostic": "ok",
        "receive": 300,
        "transmit": 300,
        "multiplier": 3,
        "remote_multiplier": 3,
        "remote_receive": 300,
        "remote_transmit": 300,
    }
    parts = {
        "bgp": {"default": {"eth0": peer}},
        "bfd": [session],
        "rib": [],
        "frr_missed": {"routes": [], "next_hops": []},
        "inbound": parse_inbound(bgpd),
        "rpki": parse_rpki(caches),
        "ospf": [],
        "ospf6": [],
    }
    return {name: {"command": name, "data": data, "error": None} for name, data in parts.items()}


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {check.name: check.status for check in host_checks("r1", VARIABLES, found)}


def test_a_neighbor_without_an_address_is_looked_up_by_its_interface() -> None:
    asked = gather_arguments(VARIABLES)
    assert asked["expect"]["bgp"] == asked["expect"]["bfd"] == [{"vrf": "default", "address": "eth0"}] and asked["rpki"]
    found = statuses(state())
    wanted = (
        *(
            "BGP default neighbor eth0 established",
            "BGP default neighbor eth0 address families",
            "BGP default neighbor eth0 inbound filter",
        ),
        *("BGP default has no other neighbors", "BFD default peer eth0 up", "BFD default peer eth0 timers of profile slow"),
        "RPKI cache connected",
    )
    assert {name: found.get(name) for name in wanted} == dict.fromkeys(wanted, "passed")
    assert not still_waiting(state(), {"bgp": asked["expect"]["bgp"], "bfd": asked["expect"]["bfd"]})
    (session,) = sessions_of(VARIABLES, state())
    assert (session["address"], session["bfd"], session["state"], session["interfaces"]) == ("eth0", "up", "up", ["eth0"])


@pytest.mark.parametrize("there", [" seq 5 permit ^65002_", "C seq 5 permit 65002:1:1"])
def test_another_list_than_planned_is_another_filter(there: str) -> None:
    assert statuses(state(BGPD.replace(there, there.replace("65002", "65009"))))["BGP default neighbor eth0 inbound filter"] == "failed"


def test_a_session_that_is_missing_is_missed() -> None:
    found = state()
    found["bgp"]["data"]["default"] = {}
    found["bfd"]["data"] = []
    assert {name for name, status in statuses(found).items() if status == "failed"} >= {
        "BGP default neighbor eth0 established",
        "BFD default peer eth0 up",
    }


@pytest.mark.parametrize("caches", ["No connection to RPKI cache server.\n", CACHES.replace(" (connected)", "")])
def test_caches_of_which_none_answers_are_missed(caches: str) -> None:
    assert statuses(state(caches=caches))["RPKI cache connected"] == "failed"


def test_caches_are_read() -> None:
    assert [(item["host"], item["port"], item["preference"], item["connected"]) for item in parse_rpki(CACHES)] == [
        ("192.0.2.9", 323, 1, True),
        ("cache.example", 3323, 2, False),
    ]


@pytest.mark.parametrize(
    ("peer", "interface", "name"), [("fe80::2", "eth0", "eth0"), ("fe80::2", None, "fe80::2"), ("192.0.2.2", "eth0", "192.0.2.2")]
)
def test_what_bgp_calls_a_neighbor_of_bfd(peer: str, interface: str | None, name: str) -> None:
    assert bfd_neighbor({"peer": peer, "interface": interface}) == name


def test_a_route_map_comes_with_the_lists_that_bgpd_alone_has() -> None:
    wanted = ["bgp as-path access-list NEAR seq 5 permit ^65002_", "bgp large-community-list standard C seq 5 permit 65002:1:1"]
    assert list(of_route_map(policy_of(BGPD), "IN")) == [*wanted, "route-map IN permit 10"]
    assert lacking(BGPD, "route-map IN permit 10\n") == []
    given = given_first([("router bgp 65001", "address-family ipv4 unicast", "neighbor eth0 route-map IN in")], BGPD).splitlines()
    assert given[:3] == [*wanted, "route-map IN permit 10"] and "bgp as-path access-list FAR seq 5 permit ^65003_" not in given


def test_a_link_local_next_hop_is_no_stale_one() -> None:
    dead = {("default", "fe80::2"): False, ("default", "192.0.2.2"): False}
    assert stale_next_hops(dead, dict.fromkeys(dead, True)) == [("default", "192.0.2.2")]


def test_a_link_is_drained_for_the_neighbor_on_it() -> None:
    router = Router(lambda _command: (1, "", "no route"))
    assert router.neighbors_over(BGPD, ["eth0", "eth1"]) == [("default", "eth0")]
    assert router.neighbors_over(BGPD, ["eth1"]) == []
