"""The hybrid network, running: what the issues ask to see, beyond the checks of role verify that its molecule scenario makes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import LOGS, MITOGEN, environment
from hybrid_network import CONNECTION, HOSTS, ROOT, Network, Pinger, wait_for

INVENTORY = ROOT / "inventories" / "hybrid"
SCENARIO_SECONDS = 2400
RUN_SECONDS = 900
# BFD in the lab: three times a second, see inventories/hybrid.
DETECTION_SECONDS = 3.0
OFFICE, APPS = "10.10.0.10", "10.40.0.10"
PAIRS = ((OFFICE, APPS), ("fd00:10::a", "fd00:40::a"))
LINKS = ("10.254.0.0/20", "fd00:254::/64")


@pytest.fixture(scope="module")
def scenario() -> Iterator[int]:
    """Run molecule's scenario up to its last step; the machines stay for the tests and are removed at the end."""
    LOGS.mkdir(parents=True, exist_ok=True)
    molecule = [sys.executable, "-m", "molecule"]
    log = LOGS / "vm-hybrid-scenario.log"
    with (
        subprocess.Popen(
            [*molecule, "test", "--scenario-name", "hybrid", "--destroy", "never"],
            cwd=ROOT,
            env=environment(MITOGEN),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
        log.open("w", encoding="utf-8") as stream,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            stream.write(line)
            # Progress for whoever waits; the rest of -vvv is in the log.
            if re.match(r"(INFO|ERROR|CRITICAL|TASK|PLAY|RUNNING)|FAILED|=+ ", line):
                print(line, end="", flush=True)
        status = process.wait(SCENARIO_SECONDS)
    try:
        yield status
    finally:
        subprocess.run(
            [*molecule, "destroy", "--scenario-name", "hybrid"], cwd=ROOT, env=environment(MITOGEN), capture_output=True, check=True
        )


@pytest.fixture(scope="module")
def network(scenario: int) -> Iterator[Network]:
    """The network with a host behind hq-nfv and one behind cloud-node."""
    network = Network()
    network.add_hosts()
    yield network
    network.close()


def play(playbook: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the collection against the network, with everything shown that can be shown, and keep its output."""
    inventories = ["--inventory", str(INVENTORY), "--inventory", str(CONNECTION)]
    plan = ["--extra-vars", f"xgn_plan_directory={LOGS}/hybrid-plan"]
    run = subprocess.run(
        ["ansible-playbook", *inventories, "--diff", "-vvv", f"xuegao.net.{playbook}", *plan, *arguments],
        cwd=ROOT,
        env=environment(MITOGEN),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    (LOGS / f"vm-hybrid-{name}.log").write_text(run.stdout + run.stderr, encoding="utf-8")
    return run


def changed(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Tasks that changed something, by host."""
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", run.stdout, re.MULTILINE)}


def report() -> list[dict[str, Any]]:
    """The checks of the scenario's report."""
    checks: list[dict[str, Any]] = json.loads((LOGS / "hybrid-report" / "report.json").read_text(encoding="utf-8"))["checks"]
    return checks


def test_scenario(scenario: int) -> None:
    """From bare hosts: converge, every check of verify passes, and a second run changes nothing."""
    assert scenario == 0, (LOGS / "vm-hybrid-scenario.log").read_text(encoding="utf-8")[-8000:]


def test_every_subject_was_checked(scenario: int) -> None:
    checks = report()
    assert {check["host"] for check in checks} == set(HOSTS)
    passed = {check["name"].split()[0] for check in checks if check["status"] == "passed"}
    assert passed >= {"BGP", "BFD", "OSPF", "OSPFv3", "Interface", "Reach", "Route", "Unit", "VRF", "WireGuard"}, passed


def test_hosts_reach_each_other_over_wireguard(network: Network) -> None:
    """From a host behind cloud-node to one behind hq-nfv and back, in both families, through VXLAN, tunnel and VRF."""
    for office, apps in PAIRS:
        ping = f"ip netns exec apps ping -n -c 2 -W 3 {office}"
        wait_for(lambda ping=ping: network.on["cloud-edge"].run(ping).returncode, 0)
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


def test_traffic_moves_to_the_reserve_and_back(network: Network) -> None:
    """WireGuard's UDP is lost: BFD notices, OpenVPN carries on, and no session of another pair is touched; then all goes back."""
    before = network.sessions()
    other = {
        name: since for name, since in before.items() if not re.search(r"10\.255\.0\.[13]$|fd00:255::[13]$", name) or "cloud-node" in name
    }
    assert len(before) > len(other) > 2, before
    pinger = Pinger(network.on["hq-core"], "office", APPS)
    port = network.on["cloud-edge"].output("wg show wg1 listen-port").strip()
    try:
        wait_for(lambda: len(pinger.lines) > 20, True)
        network.wire("internet", "--drop-udp", port)
        wait_for(lambda: network.leaves_by("hq-core", "10.40.0.0/24"), ["ovpn2"])
        wait_for(lambda: network.leaves_by("cloud-edge", "10.10.0.0/24"), ["ovpn2"])
    finally:
        network.wire("internet", "--clear")
    gap = pinger.longest_gap()
    print(f"\ntunnel lost: {gap:.1f} s without an answer, BFD notices after {DETECTION_SECONDS} s")
    assert gap <= 3 * DETECTION_SECONDS
    wait_for(lambda: network.leaves_by("hq-core", "10.40.0.0/24"), ["wg1"])
    wait_for(lambda: network.leaves_by("cloud-edge", "10.10.0.0/24"), ["wg1"])
    after = network.sessions()
    assert {name: after.get(name) for name in other} == other


def test_a_new_vlan_disturbs_nothing(network: Network, tmp_path: Path) -> None:
    """One more VLAN in the intent is one more interface, and no session or interface notices."""
    intent = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))
    nodes = intent["xgn_nodes"]
    nodes["hq-nfv"]["networks"]["eth1.20"] = {
        "id": 1,
        "kind": "vlan",
        "parent": "eth1",
        "vlan": 20,
        "address": "10.20.0.1/24",
        "published": False,
    }
    extra = tmp_path / "intent.yml"
    extra.write_text(yaml.safe_dump({"xgn_nodes": nodes}), encoding="utf-8")
    shell = network.on["hq-nfv"]
    links = set(shell.output("ip -o link show | cut -d: -f1,2").splitlines())
    sessions = network.sessions()
    run = play("site", "vlan", "--limit", "hq-nfv", "--extra-vars", f"@{extra}")
    assert run.returncode == 0, run.stdout[-5000:]
    more = set(shell.output("ip -o link show | cut -d: -f1,2").splitlines())
    assert {line.split()[1] for line in more - links} == {"eth1.20@eth1"} and links <= more
    assert "10.20.0.1/24" in shell.output("ip -4 -brief address show dev eth1.20")
    assert network.sessions() == sessions
    shell.output("ip netns list; ping -n -c 1 -W 3 -I CORE 10.10.0.10")


def test_a_wrong_mac_is_found_and_repaired(network: Network, tmp_path: Path) -> None:
    """Where a cloud pins MAC to IP, another one is no network: verify names it, the next run sets it; the VLAN of before goes."""
    network.on["cloud-node"].output("ip link set dev eth0 address 52:54:00:00:00:99")
    run = play("verify", "wrong-mac", "--extra-vars", f"xgn_report_dir={tmp_path} verify_wait=1 verify_boot_plot=false")
    assert run.returncode != 0
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["checks"]
    failed = {check["name"] for check in found if check["status"] == "failed" and check["host"] == "cloud-node"}
    assert "Interface eth0 MAC" in failed, failed
    run = play("site", "repair")
    assert run.returncode == 0, run.stdout[-5000:]
    counts = changed(run)
    assert counts["cloud-node"] == 1 and counts["hq-nfv"] >= 1, counts
    assert "52:54:00:00:00:44" in network.on["cloud-node"].output("ip -brief link show dev eth0")
    assert network.on["hq-nfv"].run("ip link show dev eth1.20").returncode != 0


def test_no_secret_in_any_output(network: Network) -> None:
    """Every run above was made with ``--diff -vvv``."""
    secrets = list(yaml.safe_load((INVENTORY / "group_vars" / "all" / "secrets.yml").read_text(encoding="utf-8")).values())
    secrets += [key for host in ("hq-core", "cloud-edge") for key in network.on[host].output("cat /etc/wireguard/*.key").split()]
    assert all(len(secret) > 10 for secret in secrets)
    files = [*LOGS.glob("vm-hybrid-*.log"), *(LOGS / "hybrid-report").iterdir(), *(LOGS / "hybrid-plan").rglob("*.*")]
    assert len(files) > 8
    leaks = [str(path) for path in files for secret in secrets if secret in path.read_text(encoding="utf-8", errors="replace")]
    assert leaks == []
