"""Docker without its own networking (S11, S12, S30): containers on the VXLAN segment, and a packet filter that is not theirs.

One container on each cloud host: cloud-node, and cloud-edge, which is the segment's gateway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hybrid_network import RULESET, Network, wait_for

NAME = "xgn-probe"
SEGMENT = "seg1100"
CONTAINERS = {"cloud-node": ("10.100.0.50", "fd00:100::50"), "cloud-edge": ("10.100.0.60", "fd00:100::60")}
OTHER = {"cloud-node": "cloud-edge", "cloud-edge": "cloud-node"}
# What the hosts themselves have in the segment, the second the gateway.
ADDRESSES = {"cloud-node": ("10.100.0.5", "fd00:100::5"), "cloud-edge": ("10.100.0.1", "fd00:100::1")}
OFFICE = ("10.10.0.10", "fd00:10::a")
# The headers of ICMP and IP within a packet of 1,500 bytes, in the order of the addresses.
FULL = (1500 - 28, 1500 - 48)
# An image of two programs of the machine itself: nothing is fetched from anywhere.
IMAGE = f"""
set -e
files=$(for program in /usr/bin/ping /usr/bin/sleep; do echo $program; ldd $program | grep -o '/[^ ]*'; done | sort -u | sed 's|^/||')
tar --create --dereference --directory=/ $files | docker import - {NAME}:1
docker rm --force {NAME} >/dev/null 2>&1 || true
"""
RUN = f"docker run --detach --name {NAME} --network apps --ip {{}} --ip6 {{}} --memory 64m {NAME}:1 /usr/bin/sleep 7200"
# Sides of the packet filter that Docker might touch. Counters and handles are left out.
RULES = f"{RULESET}; iptables -S FORWARD; ip6tables -S FORWARD; sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding"
PING = "ping -n -c 2 -i 0.2 -W 5"
INSIDE = f"docker exec {NAME} /usr/bin/{PING}"


def inspect(network: Network, machine: str) -> dict[str, Any]:
    """What Docker says of a machine's container."""
    (found,) = json.loads(network.on[machine].output(f"docker inspect {NAME}"))
    assert isinstance(found, dict)
    return found


def neighbor(network: Network, machine: str, address: str) -> str:
    """The MAC address that a machine's container has learned for an address. The container itself has no ip(8)."""
    pid = f"$(docker inspect --format '{{{{.State.Pid}}}}' {NAME})"
    (entry,) = json.loads(network.on[machine].output(f"nsenter --target {pid} --net ip -json neighbor show to {address}"))
    return str(entry["lladdr"])


@pytest.fixture(scope="module")
def containers(network: Network) -> Iterator[dict[str, dict[str, Any]]]:
    """A container on each host, with fixed addresses on the segment, once they reach each other; what Docker says of it, by machine."""

    def start(machine: str) -> dict[str, Any]:
        network.on[machine].output(IMAGE + RUN.format(*CONTAINERS[machine]))
        return inspect(network, machine)

    try:
        with ThreadPoolExecutor() as pool:
            found = dict(zip(CONTAINERS, pool.map(start, CONTAINERS)))
        for address in CONTAINERS["cloud-edge"]:
            wait_for(partial(network.on["cloud-node"].succeeds, f"{INSIDE} {address}"), True)
        yield found
    finally:
        for machine in CONTAINERS:
            network.on[machine].run(f"docker rm --force {NAME}; docker image rm {NAME}:1")


@pytest.mark.parametrize("machine", CONTAINERS)
def test_no_network_but_those_of_the_plan(network: Network, plan: dict[str, Any], machine: str) -> None:
    """No bridge, neither Docker's nor anybody's, and no container in the host's own network. `host` and `none` Docker cannot be without."""
    shell = network.on[machine]
    found = dict(line.split() for line in shell.output("docker network ls --format '{{.Name}} {{.Driver}}'").splitlines())
    expected = {item["name"]: "macvlan" for item in plan[machine]["docker_macvlan_networks"]}
    assert expected and found == {**expected, "host": "host", "none": "null"}
    assert json.loads(shell.output("docker network inspect host"))[0]["Containers"] == {}
    assert shell.output("ip -brief link show type bridge | grep -v '^br0 '; true") == ""
    assert "docker" not in shell.output("nft list ruleset").lower()


@pytest.mark.parametrize("machine", CONTAINERS)
def test_two_hosts_of_the_segment_meet_at_layer_2(network: Network, containers: dict[str, dict[str, Any]], machine: str) -> None:
    """Each container sees the other's own MAC through the VXLAN: no router is in between."""
    (own,) = containers[machine]["NetworkSettings"]["Networks"].values()
    (far,) = containers[OTHER[machine]]["NetworkSettings"]["Networks"].values()
    assert (own["IPAddress"], own["GlobalIPv6Address"]) == CONTAINERS[machine]
    for address in CONTAINERS[OTHER[machine]]:
        # Linux sends with 64 hops left; a router would have taken one.
        assert "ttl=64" in network.on[machine].output(f"{INSIDE} {address}")
        assert neighbor(network, machine, address) == far["MacAddress"]


@pytest.mark.parametrize("machine", CONTAINERS)
@pytest.mark.parametrize("host", ADDRESSES)
def test_a_container_and_a_host_reach_each_other(network: Network, containers: dict[str, dict[str, Any]], machine: str, host: str) -> None:
    """Its own host as well as the other one, from either side. For its address a host answers with the MAC of the macvlan interface, and no other."""
    (link,) = json.loads(network.on[host].output(f"ip -json link show dev {SEGMENT}"))
    for address, own in zip(ADDRESSES[host], CONTAINERS[machine]):
        assert "ttl=64" in network.on[machine].output(f"{INSIDE} {address}")
        assert neighbor(network, machine, address) == link["address"]
        assert "ttl=64" in network.on[host].output(f"ip vrf exec CORE {PING} {own}")


@pytest.mark.parametrize("machine", CONTAINERS)
def test_container_and_office_reach_each_other(network: Network, containers: dict[str, dict[str, Any]], machine: str) -> None:
    """At layer 3, through the segment's gateway, the tunnel and both routers of hq, in both families and from either side.

    The gateway of the one on cloud-edge is its own host.
    """
    for office, address in zip(OFFICE, CONTAINERS[machine]):
        wait_for(partial(network.on[machine].succeeds, f"{INSIDE} {office}"), True)
        network.on["hq-core"].output(f"ip netns exec office {PING} {address}")


def test_full_packets_pass_inside_the_vxlan(network: Network, containers: dict[str, dict[str, Any]]) -> None:
    """1,500 bytes that must not be cut pass, since the underlay carries 2,000; one byte more does not leave the container."""
    for machine, nic in (("cloud-edge", "eth1"), ("cloud-node", "eth0")):
        (link,) = json.loads(network.on[machine].output(f"ip -json link show dev {nic}"))
        assert link["mtu"] == 2000
    cut = "nstat -asz IpFragCreates Ip6FragCreates IpReasmReqds Ip6ReasmReqds | grep -v '^#'"
    before = [network.on[machine].output(cut) for machine in CONTAINERS]
    for machine in CONTAINERS:
        for address, size in zip(CONTAINERS[OTHER[machine]], FULL):
            assert " 0% packet loss" in network.on[machine].output(f"{INSIDE} -M do -s {size} {address}")
            refused = network.on[machine].run(f"{INSIDE} -M do -s {size + 1} {address}")
            assert refused.returncode != 0 and "too long" in refused.stdout + refused.stderr
    assert [network.on[machine].output(cut) for machine in CONTAINERS] == before


@pytest.mark.parametrize("machine", CONTAINERS)
def test_restart_of_docker_touches_no_rule(network: Network, containers: dict[str, dict[str, Any]], machine: str) -> None:
    """After a restart on one host its filter is as it was, down to the FORWARD policy, and no container has noticed."""
    shell = network.on[machine]
    rules, started = shell.output(RULES), shell.output("systemctl show --property=ActiveEnterTimestampMonotonic docker.service")
    assert "table inet xgn" in rules and "-P FORWARD ACCEPT" in rules
    shell.output("systemctl restart docker.service")
    assert shell.output("systemctl show --property=ActiveEnterTimestampMonotonic docker.service") != started
    assert shell.output(RULES) == rules
    for host, container in containers.items():
        state = inspect(network, host)["State"]
        assert state["Running"] and state["StartedAt"] == container["State"]["StartedAt"], host
        for address in CONTAINERS[host]:
            network.on[OTHER[host]].output(f"docker exec {NAME} /usr/bin/ping -n -c 2 -i 0.2 -W 2 {address}")
