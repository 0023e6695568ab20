"""Docker without its own networking (S11, S12): containers on the VXLAN segment, and a packet filter that is not theirs.

Docker runs on cloud-node. Its counterpart on cloud-edge is a namespace with a macvlan interface on that machine's end of the VXLAN: what Docker makes of
a container's network, without a second daemon.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hybrid_network import EMULATION_SECONDS, Network, wait_for

NAME = "xgn-probe"
CONTAINER = ("10.100.0.50", "fd00:100::50")
NEIGHBOR = ("10.100.0.60/24", "fd00:100::60/64")
OFFICE = ("10.10.0.10", "fd00:10::a")
# The headers of ICMP and IP within a packet of 1,500 bytes.
FULL = {"10.100.0.50": 1500 - 28, "fd00:100::50": 1500 - 48}
# An image of two programs of the machine itself: nothing is fetched from anywhere.
IMAGE = f"""
set -e
files=$(for program in /usr/bin/ping /usr/bin/sleep; do echo $program; ldd $program | grep -o '/[^ ]*'; done | sort -u | sed 's|^/||')
tar --create --dereference --directory=/ $files | docker import - {NAME}:1
docker rm --force {NAME} >/dev/null 2>&1 || true
docker run --detach --name {NAME} --network apps --ip {CONTAINER[0]} --ip6 {CONTAINER[1]} --memory 64m {NAME}:1 /usr/bin/sleep 7200
"""
# Sides of the packet filter that Docker might touch. Counters and handles are left out.
RULES = "nft --stateless list ruleset; iptables -S FORWARD; ip6tables -S FORWARD; sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding"
INSIDE = f"docker exec {NAME} /usr/bin/ping -n -c 2 -i 0.2 -W 5"


def inspect(network: Network) -> dict[str, Any]:
    """What Docker says of the container."""
    (found,) = json.loads(network.on["cloud-node"].output(f"docker inspect {NAME}"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def container(network: Network) -> Iterator[dict[str, Any]]:
    """A container on cloud-node, with fixed addresses on the segment."""
    shell = network.on["cloud-node"]
    try:
        shell.output(IMAGE)
        yield inspect(network)
    finally:
        shell.run(f"docker rm --force {NAME}; docker image rm {NAME}:1")


@pytest.fixture(scope="module")
def neighbor(network: Network, container: dict[str, Any]) -> Iterator[None]:
    """A host on the same segment on cloud-edge, which the container can be reached from."""
    with network.neighbor("cloud-edge", "segment", "vxlan1100", NEIGHBOR) as shell:
        for address in CONTAINER:
            wait_for(partial(shell.succeeds, f"ip netns exec segment ping -n -c 1 -W 3 {address}"), True)
        yield


def test_no_network_but_those_of_the_plan(network: Network, plan: dict[str, Any]) -> None:
    """No bridge, neither Docker's nor anybody's, and no container in the host's own network. `host` and `none` Docker cannot be without."""
    shell = network.on["cloud-node"]
    found = dict(line.split() for line in shell.output("docker network ls --format '{{.Name}} {{.Driver}}'").splitlines())
    expected = {item["name"]: "macvlan" for item in plan["cloud-node"]["docker_macvlan_networks"]}
    assert expected and found == {**expected, "host": "host", "none": "null"}
    assert json.loads(shell.output("docker network inspect host"))[0]["Containers"] == {}
    assert shell.output("ip -brief link show type bridge | grep -v '^br0 '; true") == ""
    assert "docker" not in shell.output("nft list ruleset").lower()


def test_two_hosts_of_the_segment_meet_at_layer_2(network: Network, container: dict[str, Any], neighbor: None) -> None:
    """Each sees the other's own MAC through the VXLAN: no router is in between."""
    (attached,) = container["NetworkSettings"]["Networks"].values()
    assert (attached["IPAddress"], attached["GlobalIPv6Address"]) == CONTAINER
    edge = network.on["cloud-edge"]
    for address in CONTAINER:
        answer = edge.output(f"ip netns exec segment ping -n -c 2 -i 0.2 -W 5 {address}")
        # Linux sends with 64 hops left; a router would have taken one.
        assert "ttl=64" in answer
        (entry,) = json.loads(edge.output(f"ip -n segment -json neighbor show to {address}"))
        assert entry["lladdr"] == attached["MacAddress"]
    for address in NEIGHBOR:
        assert "ttl=64" in network.on["cloud-node"].output(f"{INSIDE} {address.partition('/')[0]}")


def test_container_and_office_reach_each_other(network: Network, container: dict[str, Any], neighbor: None) -> None:
    """At layer 3, through the segment's gateway, the tunnel and both routers of hq, in both families and from either side."""
    for office, address in zip(OFFICE, CONTAINER):
        wait_for(partial(network.on["cloud-node"].succeeds, f"{INSIDE} {office}"), True)
        network.on["hq-core"].output(f"ip netns exec office ping -n -c 2 -i 0.2 -W 5 {address}")


def test_full_packets_pass_inside_the_vxlan(network: Network, neighbor: None) -> None:
    """1,500 bytes that must not be cut pass, since the underlay carries 2,000; one byte more does not leave the host."""
    edge = network.on["cloud-edge"]
    for machine, nic in (("cloud-edge", "eth1"), ("cloud-node", "eth0")):
        (link,) = json.loads(network.on[machine].output(f"ip -json link show dev {nic}"))
        assert link["mtu"] == 2000
    cut = "nstat -asz IpFragCreates Ip6FragCreates IpReasmReqds Ip6ReasmReqds | grep -v '^#'"
    before = [network.on[machine].output(cut) for machine in ("cloud-edge", "cloud-node")]
    for address, size in FULL.items():
        ping = "ip netns exec segment ping -n -M do -c 3 -i 0.2 -W 5 -s"
        assert " 0% packet loss" in edge.output(f"{ping} {size} {address}")
        refused = edge.run(f"{ping} {size + 1} {address}")
        assert refused.returncode != 0 and "too long" in refused.stdout + refused.stderr
    assert [network.on[machine].output(cut) for machine in ("cloud-edge", "cloud-node")] == before


def test_restart_of_docker_touches_no_rule(network: Network, container: dict[str, Any], neighbor: None) -> None:
    """After a restart the filter is as it was, down to the FORWARD policy, and the container has not noticed."""
    shell = network.on["cloud-node"]
    rules, started = shell.output(RULES), shell.output("systemctl show --property=ActiveEnterTimestampMonotonic docker.service")
    assert "table inet xgn" in rules and "-P FORWARD ACCEPT" in rules
    shell.output("systemctl restart docker.service")
    assert shell.output("systemctl show --property=ActiveEnterTimestampMonotonic docker.service") != started
    assert shell.output(RULES) == rules
    state = inspect(network)["State"]
    assert state["Running"] and state["StartedAt"] == container["State"]["StartedAt"]
    network.on["cloud-edge"].output(f"ip netns exec segment ping -n -c 2 -i 0.2 -W {EMULATION_SECONDS} {CONTAINER[0]}")
