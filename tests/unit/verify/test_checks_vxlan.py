"""VXLAN: what iproute2 prints is read as it is, every check passes on what is declared, and each fails when its subject is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_vxlan as gather
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

VARIABLES: HostVariables = {
    "verify_roles": ["vrf", "vxlan"],
    "vrf_vrfs": [],
    "vrf_interfaces": [{"name": "eth2", "mtu": 2000}],
    "vxlan_interfaces": [
        {
            "name": "vxlan1000",
            "vni": 1000,
            "local": "172.16.0.4",
            "remotes": ["172.16.0.3", "172.16.0.5"],
            "port": 4789,
            "mtu": 1500,
            "mac": "02:00:00:00:00:0A",
            "arp": False,
        }
    ],
}
# As iproute2 6.1 prints them; older ones leave empty objects for links of other kinds.
LINKS = [
    {},
    {
        "ifname": "vxlan1000",
        "link": None,
        "linkinfo": {"info_kind": "vxlan", "info_data": {"id": 1000, "local": "172.16.0.4", "port": 4789, "learning": True}},
    },
]
FDB = [
    {"mac": "02:00:00:00:00:0a", "ifname": "vxlan1000", "flags": [], "master": "br0", "state": "permanent"},
    {"mac": "00:00:00:00:00:00", "ifname": "vxlan1000", "dst": "172.16.0.5", "flags": ["self"], "state": "permanent"},
    {"mac": "00:00:00:00:00:00", "ifname": "vxlan1000", "dst": "172.16.0.3", "flags": ["self"], "state": "permanent"},
    {"mac": "02:00:00:00:00:0b", "ifname": "vxlan1000", "dst": "172.16.0.9", "flags": ["self"], "state": ""},
]


def gathered(links: Any = LINKS, fdb: Any = FDB) -> dict[str, Any]:
    """Return part ``vxlan`` as it is read from these outputs."""
    outputs = {"ip": json.dumps(links), "bridge": json.dumps(fdb)}
    return gather.gather_vxlan(Gatherer(runner=lambda command, timeout: Finished(0, outputs[command[0]], "")))


def link(**values: Any) -> dict[str, Any]:
    """Return an interface as part ``links`` has it."""
    return {"up": True, "arp": False, "mtu": 1500, "mac": "02:00:00:00:00:0a", "kind": None, "master": None, "addresses": [], **values}


def state() -> dict[str, Any]:
    """Return the live state that fits the variables."""
    links = {
        "eth2": link(mtu=2000, addresses=[{"address": "172.16.0.4/24", "family": 4, "scope": "global"}]),
        "vxlan1000": link(kind="vxlan"),
    }
    return {"links": {"command": "ip", "data": links, "error": None}, "vxlan": gathered()}


def failures(live: dict[str, Any]) -> dict[str, str]:
    """Return detail by name of the VXLAN's checks that failed."""
    checks = host_checks("node", VARIABLES, live)
    return {check.name: check.detail for check in checks if check.status == "failed" and check.name.startswith("VXLAN")}


def test_arguments() -> None:
    assert gather_arguments(VARIABLES)["vxlan"] is True
    assert gather_arguments(VARIABLES | {"verify_roles": ["vrf"]})["vxlan"] is False


def test_as_declared() -> None:
    names = [check.name for check in host_checks("node", VARIABLES, state()) if check.name.startswith("VXLAN")]
    assert len(names) == 8
    assert failures(state()) == {}


FAULTS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("VNI and port", lambda s: s["vxlan"]["data"]["vxlan1000"].update(vni=7), "found VNI 7, port 4789, expected VNI 1000, port 4789"),
    ("VNI and port", lambda s: s["vxlan"]["data"].clear(), "no VXLAN vxlan1000"),
    ("local address", lambda s: s["vxlan"]["data"]["vxlan1000"].update(local="172.16.0.7"), "found 172.16.0.7, expected 172.16.0.4"),
    ("remotes", lambda s: s.update(vxlan=gathered(fdb=FDB[:2])), "missing 172.16.0.3"),
    ("MTU", lambda s: s["links"]["data"]["vxlan1000"].update(mtu=1450), "found 1450, expected 1500"),
    ("MAC", lambda s: s["links"]["data"]["vxlan1000"].update(mac="02:00:00:00:00:ff"), "expected 02:00:00:00:00:0a"),
    ("ARP", lambda s: s["links"]["data"]["vxlan1000"].update(arp=True), "found True, expected False"),
    ("up", lambda s: s["links"]["data"]["vxlan1000"].update(up=False), "found False, expected True"),
    ("fits its underlay", lambda s: s["links"]["data"]["eth2"].update(mtu=1500), "- 14 (Ethernet) = 1450, vxlan1000 has 1500"),
    ("fits its underlay", lambda s: s["links"]["data"]["eth2"].update(addresses=[]), "no interface has 172.16.0.4"),
]


@pytest.mark.parametrize(("name", "change", "words"), FAULTS, ids=[f"{fault[0]}-{index}" for index, fault in enumerate(FAULTS)])
def test_a_fault_fails_its_check(name: str, change: Callable[[dict[str, Any]], Any], words: str) -> None:
    live = deepcopy(state())
    change(live)
    assert words in failures(live)[f"VXLAN vxlan1000 {name}"]


def test_a_host_without_bridge_says_so() -> None:
    def runner(command: list[str], timeout: float) -> Finished:
        return Finished(-1, "", "", "bridge is not installed") if command[0] == "bridge" else Finished(0, "[]", "")

    live = {**state(), "vxlan": gather.gather_vxlan(Gatherer(runner=runner))}
    assert "bridge is not installed" in failures(live)["VXLAN vxlan1000 remotes"]
