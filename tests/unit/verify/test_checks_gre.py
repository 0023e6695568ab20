"""GRE: what iproute2 prints is read as it is, every check passes on what is declared, and each fails when its subject is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_gre import gather_gre
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.report.links import link_ends
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

VARIABLES: HostVariables = {
    "verify_roles": ["vrf", "gre"],
    "vrf_vrfs": [],
    "vrf_interfaces": [{"name": "gre1"}, {"name": "gre2"}],
    "gre_interfaces": [
        {"name": "gre1", "peer": "b", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 256, "mtu": 1472},
        {"name": "gre2", "peer": "b", "local": "2001:db8:0::1", "remote": "2001:db8::2", "mtu": 1456, "underlay_vrf": "WAN"},
    ],
}
# As iproute2 6.1 prints them, with what the kernel makes for itself; older ones leave empty objects for links of other kinds.
LINKS: list[dict[str, Any]] = [
    {},
    {
        "ifname": "gre1",
        "link": None,
        "linkinfo": {
            "info_kind": "gre",
            "info_data": {"remote": "192.0.2.2", "local": "192.0.2.1", "ttl": 64, "pmtudisc": True, "ikey": "0.0.1.0", "okey": "0.0.1.0"},
        },
    },
    {
        "ifname": "gre0",
        "link": None,
        "linkinfo": {"info_kind": "gre", "info_data": {"remote": "any", "local": "any", "ttl": 0, "pmtudisc": False}},
    },
    {
        "ifname": "gre2",
        "link": "WAN",
        "linkinfo": {
            "info_kind": "ip6gre",
            "info_data": {
                "remote": "2001:db8::2",
                "local": "2001:db8::1",
                "link": "WAN",
                "ttl": 64,
                "ip6_tnl_f_ign_encap_limit": True,
                "tclass": "0x00",
                "flowlabel": "0x00000",
            },
        },
    },
    {"ifname": "eth0", "linkinfo": {}},
]


def link(**values: Any) -> dict[str, Any]:
    """Return an interface as part ``links`` has it."""
    return {"up": True, "arp": False, "mtu": 1500, "mac": None, "kind": None, "master": None, "oper": "UNKNOWN", "addresses": [], **values}


def state() -> dict[str, Any]:
    """Return the live state that fits the variables."""
    addresses = [{"address": "192.0.2.1/24", "family": 4, "scope": "global"}, {"address": "2001:db8::1/64", "family": 6, "scope": "global"}]
    links = {"eth0": link(addresses=addresses), "gre1": link(mtu=1472, kind="gre"), "gre2": link(mtu=1456, kind="ip6gre")}
    found = gather_gre(Gatherer(runner=lambda command, timeout: Finished(0, json.dumps(LINKS), "")))
    return {"links": {"command": "ip", "data": links, "error": None}, "gre": found}


def results(live: dict[str, Any], status: str) -> dict[str, str]:
    """Return detail by name of the checks of tunnels with a status."""
    checks = host_checks("node", VARIABLES, live)
    return {check.name: check.detail for check in checks if check.status == status and check.name.startswith(("GRE", "Interface gre"))}


def test_arguments() -> None:
    assert gather_arguments(VARIABLES)["gre"] is True
    assert gather_arguments({**VARIABLES, "verify_roles": ["vrf"]})["gre"] is False


def test_as_declared() -> None:
    assert results(state(), "failed") == {}
    found = results(state(), "passed")
    assert found["GRE gre1 ends"] == "192.0.2.1 to 192.0.2.2"
    assert found["GRE gre2 ends"] == "2001:db8::1 to 2001:db8::2, underlay in VRF WAN"
    assert (found["GRE gre1 key"], found["GRE gre2 key"]) == ("key 256", "no key")
    assert found["GRE gre1 outer packets"] == "TTL 64, never fragmented"
    assert found["GRE gre2 fits its underlay"] == "eth0: 1500 - 40 (IPv6) - 4 (GRE) = 1456, gre2 has 1456"
    assert found["Interface gre2 up"] == "up, ip6gre"


def data(live: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a live tunnel."""
    found: dict[str, Any] = live["gre"]["data"][name]
    return found


FAULTS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("GRE gre1 ends", lambda s: s["gre"]["data"].pop("gre1"), "no GRE tunnel gre1"),
    ("GRE gre1 ends", lambda s: data(s, "gre1").update(local="192.0.2.7"), "found 192.0.2.7 to 192.0.2.2, expected 192.0.2.1 to 192.0.2.2"),
    ("GRE gre1 ends", lambda s: data(s, "gre1").update(remote="any"), "found 192.0.2.1 to any"),
    ("GRE gre2 ends", lambda s: data(s, "gre2").update(device=None), "expected 2001:db8::1 to 2001:db8::2, underlay in VRF WAN"),
    ("GRE gre1 key", lambda s: data(s, "gre1").update(key=None, incoming_key=None), "found no key, expected key 256"),
    ("GRE gre1 key", lambda s: data(s, "gre1").update(incoming_key=1), "found key 256 going out, key 1 coming in, expected key 256"),
    ("GRE gre2 key", lambda s: data(s, "gre2").update(key=0, incoming_key=0), "found key 0, expected no key"),
    ("GRE gre1 outer packets", lambda s: data(s, "gre1").update(ttl=0), "found TTL 0, never fragmented, expected TTL 64"),
    ("GRE gre1 outer packets", lambda s: data(s, "gre1").update(pmtudisc=False), "found TTL 64, may be fragmented"),
    (
        "GRE gre2 outer packets",
        lambda s: data(s, "gre2").update(encapsulation_limit=4),
        "found TTL 64, encapsulation limit 4, expected TTL 64",
    ),
    ("GRE gre1 fits its underlay", lambda s: s["links"]["data"]["eth0"].update(mtu=1499), "1499 - 20 (IPv4) - 4 (GRE) - 4 (key) = 1471"),
    ("GRE gre2 fits its underlay", lambda s: s["links"]["data"]["eth0"].update(addresses=[]), "no interface has 2001:db8::1"),
    ("Interface gre1 MTU", lambda s: s["links"]["data"]["gre1"].update(mtu=1476), "found 1476, expected 1472"),
    ("Interface gre2 up", lambda s: s["links"]["data"]["gre2"].update(kind="gre"), "gre2 is a gre, expected a ip6gre"),
    ("Interface gre1 up", lambda s: s["links"]["data"]["gre1"].update(up=False), "gre1 is down, expected up"),
]


@pytest.mark.parametrize(("name", "change", "words"), FAULTS, ids=[f"{fault[0]}-{index}" for index, fault in enumerate(FAULTS)])
def test_a_fault_fails_its_check(name: str, change: Callable[[dict[str, Any]], Any], words: str) -> None:
    live = deepcopy(state())
    change(live)
    assert words in results(live, "failed")[name]


def test_the_report_tells_its_key_and_its_state() -> None:
    ends = {end["interface"]: end for end in link_ends(VARIABLES, state(), [])}
    assert (ends["gre1"]["kind"], ends["gre1"]["state"], ends["gre1"]["detail"], ends["gre1"]["peer"]) == ("gre", "up", "key 256", "b")
    live = state()
    live["links"]["data"]["gre2"]["up"] = False
    assert [end["state"] for end in link_ends(VARIABLES, live, []) if end["interface"] == "gre2"] == ["down"]
