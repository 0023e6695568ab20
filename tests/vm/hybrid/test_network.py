"""The hybrid network as it was built: what the issues ask to see of its routing, beyond the checks of role verify that its molecule scenario makes."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
from controller import LOGS
from figures import figure
from hybrid_network import CONTAINER, HOSTS, Network, Pinger, Shell, reset, wait_for

from hybrid import converged
from hybrid.runs import REPORT, play, report

OFFICE, APPS = "10.10.0.10", "10.40.0.10"
PAIRS = ((OFFICE, APPS), ("fd00:10::a", "fd00:40::a"))
LINKS = ("10.254.0.0/20", "fd00:254::/64")
# Patterns of the addresses between which hq-core and cloud-edge speak BGP over each tunnel.
# The tables of each host: VRFs with the routes of the plan, and the main one.
TABLES = {
    "hq-core": ("CORE", "NFV", "default"),
    "hq-nfv": ("CORE", "NFV", "default"),
    "cloud-edge": ("CORE", "default"),
    "cloud-node": ("CORE", "default"),
}
STRANGE = {"IPv4": "203.0.113.0/24", "IPv6": "2001:db8:77::/48"}
# Host, VRF and family of a route that somebody sets, and the rest of the command: by no protocol, by one that has a name, by a number, under FRR's name.
BY_HAND = (
    ("hq-core", "CORE", "IPv4", "via 10.254.0.6 dev wg1 table 200"),
    ("hq-core", "NFV", "IPv6", "dev eth1.100 table 201 proto 186"),
    ("hq-core", "default", "IPv4", "via 100.64.0.3 dev eth0"),
    ("hq-nfv", "CORE", "IPv6", "dev eth0 table 200 proto static"),
    ("hq-nfv", "NFV", "IPv4", "dev eth0.100 table 201 proto 200"),
    ("cloud-edge", "CORE", "IPv4", "dev vxlan1000 table 200 proto 200"),
    ("cloud-edge", "CORE", "IPv6", "dev wg1 table 200"),
)
# What somebody types into vtysh, in both families.
TYPED = ("cloud-node", "CORE")
WIREGUARD_ENDS = r"10\.255\.0\.[13]|fd00:255::[13]"
OPENVPN_ENDS = r"10\.254\.0\.(9|10)|fd00:254::[45]"


def test_scenario(scenario: int | None, logged: None) -> None:
    """From bare hosts: converge, reboot of all four, and every check of verify passes."""
    if scenario is None:
        pytest.skip("the network was converged by an earlier run of the same files; XGN_HYBRID=bare makes it anew")
    checks = report() if (REPORT / "current").exists() else []
    assert scenario == 0, converged.what_failed((LOGS / "vm-hybrid-scenario.log").read_text(encoding="utf-8"), checks)


def test_every_subject_was_checked(logged: None) -> None:
    checks = report()
    assert {check["host"] for check in checks} == {*HOSTS, CONTAINER}
    passed = {check["name"].split()[0] for check in checks if check["status"] == "passed"}
    assert passed >= {"BGP", "BFD", "OSPF", "OSPFv3", "Interface", "Reach", "Route", "Unit", "VRF", "WireGuard"}, passed


def test_hosts_reach_each_other_over_wireguard(network: Network) -> None:
    """From a host behind cloud-node to one behind hq-nfv and back, in both families, through VXLAN, tunnel and VRF."""
    for office, apps in PAIRS:
        wait_for(partial(network.on["cloud-edge"].succeeds, f"ip netns exec apps ping -n -c 2 -W 3 {office}"), True)
        network.on["hq-core"].output(f"ip netns exec office ping -n -c 2 -W 3 {apps}")
    assert network.leaves_by("hq-core", "10.40.0.0/24") == ["wg1"]
    assert network.leaves_by("cloud-edge", "fd00:10::/64") == ["wg1"]


def test_no_router_knows_a_link_of_others(network: Network) -> None:
    """Neither FRR's selected routes nor the kernel's tables hold a link prefix that is not the router's own."""
    for name, shell in network.on.items():
        own = set(re.findall(r"^\d+: (\S+)", shell.output("ip -o link show"), re.MULTILINE))
        assert own
        for family, pool in zip(("-4", "-6"), LINKS):
            routes = json.loads(shell.output(f"ip {family} -json route show table all root {pool}"))
            learned = [route["dst"] for route in routes if route.get("protocol") not in ("kernel", None)]
            assert learned == [], f"{name}: {learned}"


def test_what_is_not_published_stays_where_it_is(network: Network) -> None:
    """An invented static route is redistributed on cloud-node with no filter at all: the others' own filters keep it out."""
    node = network.on["cloud-node"]
    invented = "203.0.113.0/24"
    enter = "vtysh -c 'configure terminal' -c 'router bgp 65504 vrf CORE' -c 'address-family ipv4 unicast'"
    node.output(f"vtysh -c 'configure terminal' -c 'vrf CORE' -c 'ip route {invented} blackhole'")
    node.output(f"{enter} -c 'redistribute static' -c 'neighbor 10.255.0.3 route-map ALL out'")
    node.output("vtysh -c 'configure terminal' -c 'route-map ALL permit 10'")
    try:
        received = "show bgp vrf CORE ipv4 unicast neighbors 10.255.0.3 advertised-routes"
        wait_for(lambda: invented in node.vtysh(received)["advertisedRoutes"], True)
        for name in ("cloud-edge", "hq-core", "hq-nfv"):
            assert network.route(name, invented) == {}, name
    finally:
        node.output(f"{enter} -c 'no redistribute static' -c 'neighbor 10.255.0.3 route-map PUBLISHED out'")
        node.output(f"vtysh -c 'configure terminal' -c 'no route-map ALL' -c 'vrf CORE' -c 'no ip route {invented} blackhole'")


def others(sessions: dict[str, int], addresses: str) -> dict[str, int]:
    """The sessions that have nothing to do with the tunnel whose ends have these addresses."""
    left = {name: since for name, since in sessions.items() if "cloud-node" in name or not re.search(f"({addresses})$", name)}
    assert len(sessions) > len(left) > 2, sessions
    return left


def test_traffic_moves_to_the_reserve_and_back(network: Network) -> None:
    """WireGuard's UDP is lost: BFD notices, OpenVPN carries on, and no session of another pair is touched; then all goes back."""
    other = others(network.sessions(), WIREGUARD_ENDS)
    pinger = Pinger(network.on["hq-core"], "office", APPS)
    port = network.on["cloud-edge"].output("wg show wg1 listen-port").strip()
    try:
        network.wire("internet", "--drop-udp", port)
        wait_for(lambda: network.leaves_by("hq-core", "10.40.0.0/24"), ["ovpn2"])
        wait_for(lambda: network.leaves_by("cloud-edge", "10.10.0.0/24"), ["ovpn2"])
    finally:
        network.wire("internet", "--clear")
    figure("WireGuard's UDP lost: longest time without an answer (BFD 3 s)", pinger.longest_gap(), "s")
    wait_for(lambda: network.leaves_by("hq-core", "10.40.0.0/24"), ["wg1"])
    wait_for(lambda: network.leaves_by("cloud-edge", "10.10.0.0/24"), ["wg1"])
    assert reset(other, network.sessions()) == []


def test_l2tp_carries_on_when_both_are_lost(network: Network) -> None:
    """S3: with WireGuard and OpenVPN gone, packets go through PPP inside IPsec; its interface is in the VRF, and its sessions were up all the time."""
    core, edge = network.on["hq-core"], network.on["cloud-edge"]
    other = others(network.sessions(), f"{WIREGUARD_ENDS}|{OPENVPN_ENDS}")
    assert {"hq-core 10.254.0.26", "hq-core fd00:254::d"} <= set(other), other
    port = edge.output("wg show wg1 listen-port").strip()
    try:
        network.wire("internet", "--drop-udp", port)
        edge.output("systemctl stop openvpn-client@ovpn2")
        for office, apps in PAIRS:
            prefix = "fd00:40::/64" if ":" in apps else "10.40.0.0/24"
            wait_for(partial(network.leaves_by, "hq-core", prefix), ["l2tp6"])
            before = encrypted(core)
            wait_for(partial(core.succeeds, f"ip netns exec office ping -n -c 3 -i 0.2 -W 5 {apps}"), True)
            assert encrypted(core) >= before + 3, office
        (link,) = json.loads(core.output("ip -json -details link show dev l2tp6"))
        assert (link["master"], link["linkinfo"]["info_kind"]) == ("CORE", "ppp")
    finally:
        network.wire("internet", "--clear")
        edge.output("systemctl start openvpn-client@ovpn2")
    wait_for(lambda: network.leaves_by("hq-core", "10.40.0.0/24"), ["wg1"])
    wait_for(lambda: {"hq-core 10.254.0.10", "hq-core fd00:254::5"} <= set(network.sessions()), True)
    assert reset(other, network.sessions()) == []


def encrypted(shell: Shell) -> int:
    """Packets that a machine has sent through ESP."""
    counts = re.findall(r"out\s+\S+,\s+\d+ bytes,\s+(\d+) packets", shell.output("swanctl --list-sas"))
    assert counts
    return sum(map(int, counts))


def test_every_route_of_every_table_is_accounted_for(logged: None) -> None:
    """All that is published is in the table of each router by a way that the plan allows, two routers further and in the container, too; and nothing else is."""
    status = {(check["host"], check["name"]): check["status"] for check in report()}
    for host, tables in {**TABLES, CONTAINER: ("default",)}.items():
        for vrf in tables:
            for family in STRANGE:
                assert status[host, f"Route {vrf} {family} none beside the plan"] == "passed", (host, vrf, family)
        learns = "default" if host == CONTAINER else "CORE"
        assert all(status[host, f"Route {learns} {family} all of the plan"] == "passed" for family in STRANGE), host


def test_a_route_set_by_hand_is_found_whoever_set_it(network: Network, tmp_path: Path) -> None:
    """In both families, in a VRF and in the main table, under any name, and by vtysh: the one check of its table fails, and names it."""
    host, vrf = TYPED
    expected = {(name, table, family): STRANGE[family] for name, table, family, _rest in BY_HAND}
    expected |= {(host, vrf, family): STRANGE[family] for family in STRANGE}
    enter = f"vtysh -c 'configure terminal' -c 'vrf {vrf}'"
    lines = {"IPv4": f"ip route {STRANGE['IPv4']} blackhole", "IPv6": f"ipv6 route {STRANGE['IPv6']} blackhole"}
    try:
        for name, _table, family, rest in BY_HAND:
            network.on[name].output(f"ip -{family[-1]} route add {STRANGE[family]} {rest}")
        for line in lines.values():
            network.on[host].output(f"{enter} -c '{line}'")
        run = play("verify", "by-hand", "--extra-vars", f"xgn_report_dir={tmp_path} verify_wait=1 verify_boot_plot=false")
    finally:
        for name, _table, family, rest in BY_HAND:
            network.on[name].run(f"ip -{family[-1]} route delete {STRANGE[family]} {rest}")
        for line in lines.values():
            network.on[host].run(f"{enter} -c 'no {line}'")
    assert run.returncode != 0
    checks = json.loads((tmp_path / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    failed = {(check["host"], check["name"]): check["detail"] for check in checks if check["status"] == "failed"}
    found = {key: detail for key, detail in failed.items() if key[1].endswith(" none beside the plan")}
    assert set(found) == {(name, f"Route {table} {family} none beside the plan") for name, table, family in expected}, failed
    for (name, table, family), prefix in expected.items():
        assert prefix in found[name, f"Route {table} {family} none beside the plan"]
