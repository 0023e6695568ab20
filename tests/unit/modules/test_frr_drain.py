"""Module frr_drain: what FRR is told, when the waiting ends, and that frr.conf's state comes back."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain as lines
from ansible_collections.xuegao.net.plugins.modules import frr_drain

from .managed_host import Host

CONFIGURED = """\
interface eth1
 ip address 10.0.1.1/30
 ip ospf area 0.0.0.0
exit
!
interface wg1
 ip ospf area 0.0.0.0
 ip ospf cost 7
 ipv6 ospf6 area 0.0.0.0
exit
!
router bgp 65503 vrf CORE
 neighbor 10.0.0.2 remote-as 65502
 neighbor 10.9.0.9 remote-as 65502
 !
 address-family ipv4 unicast
  neighbor 10.0.0.2 activate
  neighbor 10.0.0.2 route-map IN in
  neighbor 10.0.0.2 route-map OUT out
  neighbor 10.9.0.9 activate
  neighbor 10.9.0.9 route-map IN in
 exit-address-family
exit
!
router ospf vrf CORE
 ospf router-id 10.255.0.1
 redistribute bgp route-map BGP-TO-OSPF
exit
!
router ospf6 vrf CORE
 redistribute bgp metric-type 1 route-map BGP-TO-OSPF
exit
!
route-map IN permit 10
exit
!
"""
ROUTER = [
    "router bgp 65503 vrf CORE",
    " bgp graceful-shutdown",
    "exit",
    "router ospf vrf CORE",
    " max-metric router-lsa administrative",
    " redistribute bgp metric 16777214 route-map BGP-TO-OSPF",
    "exit",
    "router ospf6 vrf CORE",
    " stub-router administrative",
    " redistribute bgp metric 16777214 metric-type 1 route-map BGP-TO-OSPF",
    "exit",
]
LINK = [
    "route-map XGN-DRAIN-IN-IN permit 10",
    " call IN",
    " on-match next",
    "exit",
    "route-map XGN-DRAIN-IN-IN permit 20",
    " set community graceful-shutdown additive",
    " set local-preference 0",
    "exit",
    "route-map XGN-DRAIN-OUT-OUT permit 10",
    " call OUT",
    " on-match next",
    "exit",
    "route-map XGN-DRAIN-OUT-OUT permit 20",
    " set community graceful-shutdown additive",
    " set local-preference 0",
    "exit",
    "router bgp 65503 vrf CORE",
    " address-family ipv4 unicast",
    "  neighbor 10.0.0.2 route-map XGN-DRAIN-IN-IN in",
    "  neighbor 10.0.0.2 route-map XGN-DRAIN-OUT-OUT out",
    " exit-address-family",
    "exit",
    "interface wg1",
    " ip ospf cost 65535",
    " ipv6 ospf6 cost 65535",
    "exit",
]


def drained_router() -> str:
    """The running configuration of a router that is drained as a whole."""
    return (
        CONFIGURED.replace(" neighbor 10.0.0.2 remote-as", " bgp graceful-shutdown\n neighbor 10.0.0.2 remote-as")
        .replace(" ospf router-id 10.255.0.1\n", " ospf router-id 10.255.0.1\n max-metric router-lsa administrative\n")
        .replace("router ospf6 vrf CORE\n", "router ospf6 vrf CORE\n stub-router administrative\n")
        .replace("redistribute bgp", "redistribute bgp metric 16777214")
    )


def drained_link() -> str:
    """The running configuration of a router whose link wg1 is drained."""
    maps = "".join(line + "\n" for line in LINK[:16])
    return (
        CONFIGURED.replace("10.0.0.2 route-map IN in", "10.0.0.2 route-map XGN-DRAIN-IN-IN in").replace(
            "route-map OUT", "route-map XGN-DRAIN-OUT-OUT"
        )
        + maps
    ).replace(" ip ospf cost 7\n ipv6 ospf6 area 0.0.0.0\n", " ip ospf cost 65535\n ipv6 ospf6 area 0.0.0.0\n ipv6 ospf6 cost 65535\n")


def test_a_router_is_drained_once() -> None:
    """BGP, OSPF for both families, and what is redistributed; nothing of it twice."""
    assert lines.router_commands(CONFIGURED) == ROUTER
    assert lines.router_commands(drained_router()) == []


def test_a_link_is_drained_for_its_own_neighbor() -> None:
    """The other session of the same instance keeps its policy; a called map decides before the preference is set."""
    assert lines.link_commands(CONFIGURED, [("CORE", "10.0.0.2")], ["wg1"]) == LINK
    assert lines.link_commands(CONFIGURED, [("default", "10.0.0.2")], []) == []
    assert lines.link_commands(drained_link(), [("CORE", "10.0.0.2")], ["wg1"]) == []


def test_the_end_gives_back_what_frr_conf_says() -> None:
    """Own policies and costs come back, the maps go, and where nothing is drained nothing is said."""
    assert lines.end_commands(CONFIGURED, CONFIGURED) == []
    assert lines.end_commands(drained_router(), CONFIGURED) == [
        "router bgp 65503 vrf CORE",
        " no bgp graceful-shutdown",
        "exit",
        "router ospf vrf CORE",
        " no max-metric router-lsa administrative",
        " redistribute bgp route-map BGP-TO-OSPF",
        "exit",
        "router ospf6 vrf CORE",
        " no stub-router administrative",
        " redistribute bgp metric-type 1 route-map BGP-TO-OSPF",
        "exit",
    ]
    assert lines.end_commands(drained_link(), CONFIGURED) == [
        "interface wg1",
        " ip ospf cost 7",
        " no ipv6 ospf6 cost",
        "exit",
        "router bgp 65503 vrf CORE",
        " address-family ipv4 unicast",
        "  neighbor 10.0.0.2 route-map IN in",
        "  neighbor 10.0.0.2 route-map OUT out",
        " exit-address-family",
        "exit",
        "no route-map XGN-DRAIN-IN-IN",
        "no route-map XGN-DRAIN-OUT-OUT",
    ]
    dear = CONFIGURED.replace("ospf cost 7", "ospf cost 65535")
    assert lines.end_commands(dear, dear) == []


class Router:
    """vtysh of a running FRR. ``running``: its configuration; ``after``: what it becomes when it is configured."""

    def __init__(self, host: Host, running: str, after: str) -> None:
        self.running, self.after, self.told = running, after, list[str]()
        self.sessions = ["10.0.0.2"]
        host.program("vtysh", self.vtysh)

    def vtysh(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if "configure terminal" in command:
            self.told = list(command[4::2])
            self.running = self.after
        if "show bgp vrf all summary json" in command:
            peers = {address: {"state": "Established"} for address in self.sessions}
            return 0, json.dumps({"CORE": {"ipv4Unicast": {"peers": peers}}}), ""
        if "show bfd peers json" in command:
            return 0, json.dumps([{"peer": "10.0.0.2", "transmit-interval": 300}, {"peer": "10.9.0.9", "transmit-interval": 10}]), ""
        return 0, self.running, ""


@pytest.fixture(autouse=True)
def configured(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with frr.conf, on which the kernel reaches one neighbor by wg1."""
    path = tmp_path / "frr.conf"
    path.write_text(CONFIGURED, encoding="utf-8")
    monkeypatch.setattr(lines, "FRR_CONF", str(path))
    host.prints(
        "ip", {"-json route get 10.0.0.2 vrf CORE": json.dumps([{"dev": "wg1"}]), "-json route get 10.9.0.9": json.dumps([{"dev": "eth1"}])}
    )


def rates(monkeypatch: pytest.MonkeyPatch, host: Host, seen: list[int]) -> None:
    """Let these packets a second pass, one after the other; the last goes on."""

    def rate(_interfaces: list[str], seconds: float) -> int:
        host.naps.append(seconds)
        return seen.pop(0) if len(seen) > 1 else seen[0]

    monkeypatch.setattr(lines, "rate", rate)


def test_it_waits_until_the_traffic_has_moved(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The waiting ends with the traffic, and the sessions of before are told."""
    router = Router(host, CONFIGURED, drained_router())
    rates(monkeypatch, host, [900, 40, 0])
    result = host.run(frr_drain, {"state": "drained"})
    assert (result["changed"], result["packets_per_s"], result["sessions"]) == (True, 0, ["CORE 10.0.0.2"])
    assert router.told == ROUTER and host.naps.count(1.0) == 3
    assert not host.run(frr_drain, {"state": "drained"})["changed"]


def test_traffic_without_another_way_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no error: who calls decides whether to go on."""
    Router(host, CONFIGURED, drained_router())
    rates(monkeypatch, host, [900])
    result = host.run(frr_drain, {"state": "drained", "seconds": 5})
    assert result["packets_per_s"] == 900 and sum(host.naps) >= 5


def test_bfd_does_not_count_as_traffic_of_a_link(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A session of 300 ms sends four packets a second at most; its neighbor's, on another link, do not count here."""
    (tmp_path / "net" / "wg1").mkdir(parents=True)
    monkeypatch.setattr(lines, "NET", str(tmp_path / "net"))
    router = Router(host, CONFIGURED, drained_link())
    rates(monkeypatch, host, [300, 9])
    result = host.run(frr_drain, {"state": "drained", "interfaces": ["wg1"]})
    assert router.told == LINK and result["packets_per_s"] == 0
    rates(monkeypatch, host, [10])
    assert host.run(frr_drain, {"state": "drained", "interfaces": ["wg1"]})["packets_per_s"] == 10
    refused = host.run(frr_drain, {"state": "drained", "interfaces": ["wg9"]})
    assert refused["failed"] and refused["msg"] == "no such interface: wg9. Nothing was changed."


def test_the_end_waits_for_the_sessions(host: Host) -> None:
    """While a session of before is missing the router stays drained; with it, the former lines come back."""
    router = Router(host, drained_router(), CONFIGURED)
    router.sessions = []
    arguments: dict[str, Any] = {"state": "normal", "sessions": ["CORE 10.0.0.2"], "seconds": 3}
    refused = host.run(frr_drain, arguments)
    assert refused["failed"] and refused["missing"] == ["CORE 10.0.0.2"] and router.told == []
    router.sessions = ["10.0.0.2"]
    assert host.run(frr_drain, arguments)["changed"]
    assert not host.run(frr_drain, arguments)["changed"]


def test_check_mode_only_tells(host: Host) -> None:
    """The lines are told, and FRR is not."""
    router = Router(host, CONFIGURED, drained_router())
    result = host.run(frr_drain, {"state": "drained"}, check=True)
    assert (result["changed"], result["commands"], router.told) == (True, ROUTER, [])


def test_a_host_without_frr_has_nothing_to_drain(host: Host) -> None:
    """Neither way is an error there."""
    for state in ("drained", "normal"):
        assert not host.run(frr_drain, {"state": state})["changed"]


def a_module(host: Host, check: bool = False) -> Any:
    """A module that changes a tunnel, as far as a drain asks it."""
    return SimpleNamespace(check_mode=check, run_command=host.run_command, get_bin_path=lambda name: name)


def test_traffic_keeps_off_a_link_while_it_is_interrupted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drain comes before, and ends when the link's own session is back; the other session is not waited for."""
    router = Router(host, CONFIGURED, drained_link())
    router.sessions = ["10.0.0.2", "10.9.0.9"]
    rates(monkeypatch, host, [900, 0])
    with lines.drained(a_module(host), ["wg1"], 15) as told:
        assert (router.told, told) == (LINK, ["wg1: drain; traffic goes another way meanwhile"])
        router.sessions, router.after = ["10.0.0.2"], CONFIGURED
    assert router.told == lines.end_commands(drained_link(), CONFIGURED)
    assert sum(host.naps) < 15


def test_only_links_that_protocols_use_are_drained_and_counted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves by another interface cannot be sent another way, and nothing is said of it."""
    router = Router(host, CONFIGURED, drained_link())
    counted: list[list[str]] = []

    def rate(interfaces: list[str], _seconds: float) -> int:
        counted.append(interfaces)
        return 0

    monkeypatch.setattr(lines, "rate", rate)
    with lines.drained(a_module(host), ["lan1", "wg1"], 15) as told:
        assert told == ["wg1: drain; traffic goes another way meanwhile"]
        router.after = CONFIGURED
    assert counted == [["wg1"]]


@pytest.mark.parametrize("ends", ["badly", "without its session"])
def test_a_drain_ends_however_the_change_ends(host: Host, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    router = Router(host, CONFIGURED, drained_link())
    rates(monkeypatch, host, [900])
    with suppress(OSError), lines.drained(a_module(host), ["wg1"], 15) as told:
        assert told == ["wg1: drain; traffic has no other way: 900 packets a second still pass"]
        router.sessions, router.after = [], CONFIGURED
        if ends == "badly":
            raise OSError
    assert router.running == CONFIGURED


@pytest.mark.parametrize("why", ["check mode", "no seconds", "no link", "no session over it", "drained by somebody", "no answer"])
def test_what_needs_no_drain_gets_none(host: Host, why: str) -> None:
    """A drain of somebody else's would end with ours, and a router that does not answer is no reason to leave a tunnel as it is."""
    router = Router(host, drained_router() if why == "drained by somebody" else CONFIGURED, "")
    if why == "no answer":
        host.program("vtysh", lambda _command, _data: (1, "", "failed to connect"))
    links = {"no link": [], "no session over it": ["eth9"]}.get(why, ["wg1"])
    with lines.drained(a_module(host, check=why == "check mode"), links, 0 if why == "no seconds" else 15) as told:
        assert (told, router.told) == ([], [])
    assert router.told == []


def test_what_the_kernel_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forwarded packets of both families; those of a link by its interface."""
    (tmp_path / "snmp").write_text("Ip: Forwarding DefaultTTL ForwDatagrams\nIp: 1 64 40\nIcmp: a\nIcmp: 1\n", encoding="utf-8")
    (tmp_path / "snmp6").write_text("Ip6InReceives 9\nIp6OutForwDatagrams 2\n", encoding="utf-8")
    statistics = tmp_path / "net" / "wg1" / "statistics"
    statistics.mkdir(parents=True)
    (statistics / "tx_packets").write_text("7\n", encoding="utf-8")
    for name, path in (("SNMP", "snmp"), ("SNMP6", "snmp6"), ("NET", "net")):
        monkeypatch.setattr(lines, name, str(tmp_path / path))
    assert (lines.passed([]), lines.passed(["wg1"])) == (42, 7)
