"""Module frr_config against an FRR whose daemons have missed something: what is found, how it is put right, and what is left alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr_repair, frr_rib, sysfs, watchfrr
from ansible_collections.xuegao.net.plugins.modules import frr_config

from .managed_host import Host

CONFIGURATION = """frr defaults traditional
vrf CORE
 ip route 10.255.0.2/32 10.254.0.2 wg1
 ipv6 route fd00:255::2/128 fd00:254::3 wg1
 ip route 198.51.100.0/24 blackhole
exit-vrf
!
ip route 203.0.113.0/24 blackhole
!
router bgp 65001 vrf CORE
 neighbor 10.255.0.2 remote-as 65002
exit
!
end
"""
ROUTES = {route.line: route for route in frr_rib.static_routes(CONFIGURATION)}
IPV4, IPV6 = "ip route 10.255.0.2/32 10.254.0.2 wg1", "ipv6 route fd00:255::2/128 fd00:254::3 wg1"
# As FRR 8.4.4 prints it, and with the lines that 10.3 adds.
BGP = """
Instance CORE:
Current BGP nexthop cache:
 {address} {state}, #paths 1, peer {address}
  Resolved prefix 10.255.0.2/32
  gate 10.254.0.2, if wg1, ifindex 17
  Last update: Sun Nov 29 04:01:17 2026

"""
TRACKED = """
VRF CORE:
 Resolve via default: on
10.254.0.2(Connected)
 {wg}
 is directly connected, wg1 (vrf CORE), weight 1
 Client list: static(fd 25)
{address}
 {resolved}
 via 10.254.0.2, wg1
 Client list: bgp(fd 30)

VRF default:
 Resolve via default: on
"""


class Missing:
    """An FRR that has all of its configuration, and whose zebra and bgpd can be made to miss things.

    ``inactive``: lines of static routes that are not in force; ``stale``: whether bgpd takes the neighbor for dead; ``cures``: what puts it right;
    ``up``: whether the interface is up; ``resolved``: whether zebra resolves the neighbor.
    """

    def __init__(self, host: Host, path: Path, neighbor: str = "10.255.0.2") -> None:
        self.neighbor = neighbor
        self.inactive: set[str] = set()
        self.better = False
        self.stale = False
        self.cures = {"route", "reset", "detour"}
        self.up, self.resolved, self.addresses = True, True, ["10.254.0.1/30", "fd00:254::2/127"]
        self.flags: dict[str, bool] = {}
        self.given: list[str] = []
        path.write_text(CONFIGURATION, encoding="utf-8")
        path.chmod(0o640)
        host.program("vtysh", self.vtysh)
        host.program("timeout")
        host.program("ip", lambda _command, _data: (0, json.dumps(self.links()), ""))

    def links(self) -> list[dict[str, Any]]:
        states = ["UP", "LOWER_UP"] if self.up else ["UP"]
        addresses = [item.split("/") for item in self.addresses]
        entries = [
            {"local": address, "prefixlen": int(length), "family": "inet6" if ":" in address else "inet", **self.flags}
            for address, length in addresses
        ]
        vrf = {
            "ifname": "CORE",
            "flags": ["UP", "LOWER_UP"],
            "linkinfo": {"info_kind": "vrf", "info_data": {"table": 200}},
            "addr_info": [],
        }
        return [vrf, {"ifname": "wg1", "flags": states, "master": "CORE", "addr_info": entries}]

    def vtysh(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if "-f" in command:
            self.take(Path(command[-1]).read_text(encoding="utf-8").splitlines())
            return 0, "", ""
        if "-E" not in command:
            if command[-1].startswith("clear bgp"):
                self.given.append(command[-1])
                self.stale = self.stale and "reset" not in self.cures
            return (0, "zebra bgpd staticd", "") if command[-1] == "show daemons" else (0, "", "")
        return 0, "".join(f"router# {item}\n{self.answer(item)}\n" for item in command[3::2]), ""

    def take(self, lines: list[str]) -> None:
        given = [line.strip() for line in lines if "route " in line]
        self.given += given
        for line in given:
            if line in ROUTES and "route" in self.cures:
                self.inactive.discard(line)
                self.stale = self.stale and f"{self.neighbor}/" not in line
            elif line not in ROUTES and not line.startswith("no ") and "detour" in self.cures:
                self.stale = False

    def answer(self, command: str) -> str:
        if command == frr_rib.BGP_NEXT_HOPS:
            return BGP.format(address=self.neighbor, state="invalid" if self.stale else "valid [IGP metric 0]")
        if command in (frr_rib.TRACKED4, frr_rib.TRACKED6):
            resolved = "resolved via static, prefix 10.255.0.2/32" if self.resolved else "unresolved"
            # zebra's hop lines are there only where it resolves.
            text = TRACKED.format(address=self.neighbor, resolved=resolved, wg="resolved via connected")
            return text if self.resolved else text.replace(" unresolved\n via 10.254.0.2, wg1\n", " unresolved\n")
        if command == f"show ip route vrf CORE {self.neighbor} json":
            hop = {"ip": None, "interfaceName": "wg1", "active": True}
            return self.document("connected", "10.254.0.0/30", True, hop)
        family = "ipv6" if " ipv6 " in command else "ip"
        documents = []
        for line, route in ROUTES.items():
            if not line.startswith(family + " "):
                continue
            hop = {"ip": route.next_hop, "interfaceName": route.interface, "active": line not in self.inactive, "blackhole": route.discards}
            documents.append(self.document("static", route.prefix, line not in self.inactive, hop, route.vrf))
            if self.better and "static" not in command:
                documents.append(self.document("connected", route.prefix, True, {"interfaceName": "br0", "active": True}, route.vrf))
        return "\n".join(documents)

    @staticmethod
    def document(protocol: str, prefix: str, selected: bool, hop: dict[str, Any], vrf: str = "CORE") -> str:
        entry = {"prefix": prefix, "protocol": protocol, "vrfName": vrf, "selected": selected, "nexthops": [hop]}
        return json.dumps({prefix: [entry]})


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where frr.conf is, beside a reload program."""
    program = tmp_path / "frr-reload.py"
    program.touch()
    monkeypatch.setattr(frr_config, "RELOAD_PROGRAMS", (str(program),))
    monkeypatch.setattr(watchfrr, "PID_FILE", str(tmp_path / "watchfrr.pid"))
    monkeypatch.setattr(frr_repair, "PID_FILE", str(tmp_path / "%s.pid"))
    monkeypatch.setattr(sysfs, "NET", str(tmp_path / "net"))
    (tmp_path / "frr").mkdir()
    return tmp_path / "frr" / "frr.conf"


def run(host: Host, path: Path, check: bool = False) -> dict[str, Any]:
    return host.run(frr_config, {"content": CONFIGURATION, "path": str(path), "addresses": {}}, check=check)


def test_a_healthy_router_costs_one_call_and_nothing_is_touched(host: Host, path: Path) -> None:
    frr = Missing(host, path)
    result = run(host, path)
    assert (result["changed"], result["applied"], frr.given, host.naps) == (False, [], [], [])
    assert len([call for call in host.calls if "-E" in call]) == 1
    # Of addresses that are lost, and of those that are not FRR's.
    assert [call for call in host.calls if call.startswith("ip ")] == ["ip -json address show"] * 2


@pytest.mark.parametrize(("line", "named"), [(IPV4, "10.255.0.2/32 10.254.0.2"), (IPV6, "fd00:255::2/128 fd00:254::3")])
def test_a_static_route_that_frr_keeps_inactive_is_given_again(host: Host, path: Path, line: str, named: str) -> None:
    frr = Missing(host, path)
    frr.inactive = {line}
    told = f"static route {line} of VRF CORE is inactive in FRR although its interface is up; "
    assert named in told
    assert run(host, path, check=True)["applied"] == [told + "to be repaired"]
    assert frr.given == []
    assert run(host, path)["applied"] == [told + "given to FRR again"]
    assert frr.given == ["no " + line, line]
    assert run(host, path)["changed"] is False


def test_all_routes_are_out_before_the_first_is_in_again(host: Host, path: Path) -> None:
    """As long as one is left, staticd does not register their next hop anew."""
    frr = Missing(host, path)
    frr.inactive = {IPV4, IPV6}
    assert run(host, path)["changed"]
    assert frr.given == ["no " + IPV4, "no " + IPV6, IPV4, IPV6]


@pytest.mark.parametrize(
    "reason",
    [
        "no carrier",
        "no address",
        "address on trial",
        "address of another subnet",
        "no such interface",
        "another VRF",
        "no such VRF",
        "a better route",
    ],
)
def test_a_route_that_cannot_work_is_left_alone(host: Host, path: Path, reason: str) -> None:
    """The reason lies outside FRR: nothing is done or said."""
    frr = Missing(host, path)
    frr.inactive = {IPV4}
    frr.up = reason != "no carrier"
    if reason == "no address":
        frr.addresses = []
    if reason == "address on trial":
        frr.flags = {"tentative": True}
    if reason == "address of another subnet":
        frr.addresses = ["10.9.0.1/30"]
    if reason in ("no such interface", "another VRF"):
        other = [dict(link, ifname="eth9") if reason == "no such interface" else dict(link, master=None) for link in frr.links()]
        host.program("ip", lambda _command, _data: (0, json.dumps(other), ""))
    if reason == "no such VRF":
        frr.inactive = set(ROUTES) - {"ip route 203.0.113.0/24 blackhole"}
        without = [dict(link, master=None) for link in frr.links() if link["ifname"] != "CORE"]
        host.program("ip", lambda _command, _data: (0, json.dumps(without), ""))
    if reason == "a better route":
        # FRR shows the hop of such a route as active.
        frr.inactive, frr.better = set(), True
        host.program("vtysh", lambda command, data: overridden(frr.vtysh(command, data)))
    result = run(host, path)
    assert (result["changed"], result["applied"], frr.given) == (False, [], [])


def overridden(said: tuple[int, str, str]) -> tuple[int, str, str]:
    """Let no static route be selected."""
    status, out, err = said
    return status, out.replace('"protocol": "static", "vrfName": "CORE", "selected": true', '"protocol": "static", "vrfName": "CORE"'), err


def test_a_route_that_stays_inactive_fails_the_run(host: Host, path: Path) -> None:
    frr = Missing(host, path)
    frr.inactive, frr.cures = {IPV6}, set()
    message = run(host, path)["msg"]
    assert message.startswith(
        f"static route {IPV6} of VRF CORE is inactive in FRR although its interface is up; it stayed so when it was repaired"
    )
    assert "Remedy: restart frr.service" in message


def test_only_as_a_last_resort_staticd_is_started_again(host: Host, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """watchfrr is told to leave it alone meanwhile, and to look after it again whatever happens."""
    frr = Missing(host, path)
    frr.inactive, frr.cures = {IPV6}, set()
    (tmp_path / "staticd.pid").write_text("4000000\n", encoding="utf-8")
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda number, sent: ended.append((number, sent)))

    def reload(_command: list[str], _data: str | None) -> tuple[int, str, str]:
        frr.inactive.clear()
        return 0, "", ""

    host.program("systemctl", reload)
    result = run(host, path)
    assert result["applied"] == [
        f"static route {IPV6} of VRF CORE is inactive in FRR although its interface is up; staticd was started again"
    ]
    assert ended == [(4000000, signal.SIGINT)]
    last = [call for call in host.calls if call.startswith("systemctl") or "watchfrr ignore" in call]
    assert last == ["vtysh -c 'watchfrr ignore staticd'", "systemctl reload frr.service", "vtysh -c 'no watchfrr ignore staticd'"]


def test_what_is_only_late_is_waited_for(host: Host, path: Path) -> None:
    """An address that the kernel tries out for two seconds, or a daemon of a busy host."""
    frr = Missing(host, path)
    frr.inactive, frr.stale = {IPV6}, True
    looks: list[int] = []

    def later(command: list[str], data: str | None) -> tuple[int, str, str]:
        if "-E" in command:
            looks.append(1)
            if len(looks) > 4:
                frr.inactive, frr.stale = set(), False
        return frr.vtysh(command, data)

    host.program("vtysh", later)
    assert run(host, path)["changed"] is False
    assert frr.given == []


def test_a_next_hop_that_only_bgpd_takes_for_dead_is_told_again_by_its_route(host: Host, path: Path) -> None:
    frr = Missing(host, path)
    frr.stale = True
    told = "BGP next hop 10.255.0.2 in VRF CORE is dead in bgpd although zebra resolves it; "
    assert run(host, path, check=True)["applied"] == [told + "to be repaired"]
    assert run(host, path)["applied"] == [told + "zebra told bgpd of it again"]
    assert frr.given == ["no " + IPV4, IPV4]
    assert run(host, path)["changed"] is False


def test_a_next_hop_on_a_link_is_told_again_by_a_host_route_that_comes_and_goes(host: Host, path: Path) -> None:
    frr = Missing(host, path, neighbor="10.254.0.2")
    frr.stale = True
    assert run(host, path)["applied"] == [
        "BGP next hop 10.254.0.2 in VRF CORE is dead in bgpd although zebra resolves it; zebra told bgpd of it again"
    ]
    assert frr.given == ["ip route 10.254.0.2/32 wg1", "no ip route 10.254.0.2/32 wg1"]


def test_only_as_a_last_resort_the_session_is_reset(host: Host, path: Path) -> None:
    frr = Missing(host, path)
    frr.stale, frr.cures = True, {"reset"}
    assert run(host, path)["applied"][0].endswith("the session with it was reset")
    assert frr.given[-1] == "clear bgp vrf CORE 10.255.0.2"
    frr.stale, frr.cures = True, set()
    message = run(host, path)["msg"]
    assert message.startswith("BGP next hop 10.255.0.2 in VRF CORE is dead in bgpd although zebra resolves it; it stayed so")


def test_a_neighbor_that_nobody_can_reach_is_not_our_fault(host: Host, path: Path) -> None:
    frr = Missing(host, path)
    frr.stale, frr.resolved = True, False
    result = run(host, path)
    assert (result["changed"], frr.given, host.naps) == (False, [], [])


def test_an_answer_that_is_no_json_fails_without_a_trace(host: Host, path: Path) -> None:
    frr = Missing(host, path)
    host.program(
        "vtysh", lambda command, data: (0, f"router# {frr_rib.STATIC4}\nnonsense\n", "") if "-E" in command else frr.vtysh(command, data)
    )
    assert run(host, path)["msg"].startswith("FRR's routes cannot be read: ")


def test_static_routes_are_read_as_frr_writes_them() -> None:
    text = """
ip route 10.0.0.0/8 192.0.2.1 250
ipv6 route fd00::/8 FD00:0::1 eth0 tag 7 onlink
vrf CORE
 ip route 0.0.0.0/0 10.254.0.6 wg1 nexthop-vrf OTHER
 ip route 10.1.0.0/16 Null0
exit-vrf
ip route nonsense
ip route 10.2.0.0/16
"""
    found = [
        (route.vrf, route.prefix, route.next_hop, route.interface, route.discards, route.hop_vrf) for route in frr_rib.static_routes(text)
    ]
    assert found == [
        ("default", "10.0.0.0/8", "192.0.2.1", None, False, "default"),
        ("default", "fd00::/8", "fd00::1", "eth0", False, "default"),
        ("CORE", "0.0.0.0/0", "10.254.0.6", "wg1", False, "OTHER"),
        ("CORE", "10.1.0.0/16", None, None, True, "CORE"),
    ]


def test_a_next_hop_that_zebra_resolves_by_a_blackhole_is_dead_indeed() -> None:
    text = "VRF CORE:\n10.0.0.1\n resolved via kernel, prefix 0.0.0.0/0\n unreachable (blackhole), weight 1\n Client list: bgp(fd 3)\nfd00::1\n unresolved\n"
    assert frr_rib.parse_tracked(text) == {("CORE", "10.0.0.1"): False, ("CORE", "fd00::1"): False}
