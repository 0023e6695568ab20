"""The packet filter and the MSS (S17, S25): what answers from outside and from inside, and that no packet between the sites is cut into pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hybrid_network import Background, Network, Shell, probing

PUBLIC = {"hq-core": "100.64.0.1", "cloud-edge": "100.64.0.3"}
INSIDE = {"hq-core": "8.8.4.4", "cloud-edge": "8.8.8.8"}
OTHER = {"hq-core": "cloud-edge", "cloud-edge": "hq-core"}
# Somebody on the same wire whom the plan does not know, by the machine that lends him its NIC.
STRANGERS = {"hq-core": "100.64.0.101/24", "cloud-edge": "100.64.0.103/24"}
CLIENTS = {"hq-core": "office", "cloud-edge": "apps"}
ADDRESSES = {"hq-core": ("10.10.0.10", "fd00:10::a"), "cloud-edge": ("10.40.0.10", "fd00:40::a")}
SSH, BGP = 22, 179
# FRR's daemons, BFD, gobgpd, Docker, iperf3, and what a web server would use.
MORE_TCP = "2375-2376,2600-2625,3784,4784,4789,5201,6060,7784,8080,50051"
MORE_UDP = (53, 179, 500, 1701, 3784, 4500, 4784, 4789, 33000)
DATAGRAMS = 10
PORT = 7700
# Both ways over IPv4 and over IPv6: 4 MiB in all, at about 4 Mbit/s under emulation.
BYTES = 1 << 20
ROUTERS = ("hq-nfv", "hq-core", "cloud-edge", "cloud-node")
FRAGMENTS = ("IpFragCreates", "IpFragFails", "IpReasmReqds", "Ip6FragCreates", "Ip6FragFails", "Ip6ReasmReqds")


def planned_ports(variables: dict[str, Any], protocol: str, source: str | None) -> set[int]:
    """Ports of the plan that are open to an address, or to everybody."""
    return {
        entry["port"]
        for entry in variables["firewall_open_ports"]
        if entry["protocol"] == protocol and (not entry.get("from") or (source is not None and f"{source}/32" in entry["from"]))
    }


def ports(found: Iterable[int]) -> str:
    """Ports as scan.py takes them."""
    return ",".join(str(port) for port in sorted(found))


def dropped(shell: Shell) -> int:
    """Packets that the end of the public chain has dropped; before it stand those of a source with too many connections of SSH."""
    counters = re.findall(r"^\s*counter packets (\d+)", shell.output("nft list chain inet xgn public"), re.MULTILINE)
    assert len(counters) == 1
    return int(counters[0])


@pytest.mark.parametrize("vantage", ["stranger", "peer"])
def test_outside_only_ssh_and_the_tunnels_answer(network: Network, plan: dict[str, Any], vantage: str) -> None:
    """From the other side of the wire: a peer of the plan finds SSH and its own tunnel, a stranger finds SSH."""

    def scan(machine: str, namespace: str) -> tuple[str, list[int], list[int]]:
        target = OTHER[machine]
        tunnels = {
            kind: {entry["port"] for entry in plan[target]["firewall_open_ports"] if entry["protocol"] == kind} for kind in ("tcp", "udp")
        }
        tcp = ",".join(filter(None, ("1-1024", MORE_TCP, ports(tunnels["tcp"]))))
        udp = ports({*MORE_UDP, *tunnels["udp"]})
        found = network.on[machine].python("scan", PUBLIC[target], tcp, udp, namespace=namespace)
        return target, found["tcp"], found["udp"]

    def scan_as_stranger(machine: str) -> tuple[str, list[int], list[int]]:
        with network.neighbor(machine, "outside", "eth0", [STRANGERS[machine]]) as shell:
            shell.output(f"ip netns exec outside ping -n -c 3 -i 0.2 -W 5 {PUBLIC[OTHER[machine]]}")
            return scan(machine, "outside")

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(scan_as_stranger if vantage == "stranger" else lambda machine: scan(machine, ""), PUBLIC))
    for target, tcp, udp in answers:
        source = PUBLIC[OTHER[target]] if vantage == "peer" else None
        assert set(tcp) == {SSH} | planned_ports(plan[target], "tcp", source), target
        # A filter that lets a datagram through to a port without a listener is told on by the kernel's refusal.
        silent = planned_ports(plan[target], "udp", source)
        assert set(udp) <= silent, target


@pytest.mark.parametrize("target", PUBLIC)
def test_tunnel_ports_are_open_to_their_peer_only(network: Network, plan: dict[str, Any], target: str) -> None:
    """WireGuard answers nobody it does not know, so the filter's own counter has to say whom it let through."""
    vantage = OTHER[target]
    tunnels = {port for port in planned_ports(plan[target], "udp", PUBLIC[vantage]) if 51820 <= port < 52000}
    assert tunnels
    send = (
        "python3 -c 'import socket\n"
        "probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f'for port in {sorted(tunnels)} * {DATAGRAMS}: probe.sendto(b"?", ("{PUBLIC[target]}", port))\''
    )
    before = dropped(network.on[target])
    network.on[vantage].output(send)
    assert dropped(network.on[target]) - before < DATAGRAMS
    with network.neighbor(vantage, "outside", "eth0", [STRANGERS[vantage]]) as shell:
        shell.output(f"ip netns exec outside ping -n -c 3 -i 0.2 -W 5 {PUBLIC[target]}")
        before = dropped(network.on[target])
        shell.output(f"ip netns exec outside {send}")
        assert dropped(network.on[target]) - before >= DATAGRAMS * len(tunnels)


@pytest.mark.parametrize("target", PUBLIC)
def test_inside_is_open(network: Network, target: str) -> None:
    """From a host of the other site through the tunnel every port answers, by a connection or a refusal, and BGP by a connection."""
    machine = OTHER[target]
    found = network.on[machine].python("scan", INSIDE[target], "1-256,2600-2625", "3785,33000", namespace=CLIENTS[machine])
    assert found == {"tcp": [*range(1, 257), *range(2600, 2626)], "udp": [3785, 33000]}
    connect = f'import socket; socket.create_connection(("{INSIDE[target]}", {BGP}), 10)'
    network.on[machine].output(f"ip netns exec {CLIENTS[machine]} python3 -c '{connect}'")


def fragments(network: Network) -> dict[str, int]:
    """What the kernels of all routers and of both hosts have cut, should have cut, and had to put together."""
    found = {}
    for name in ROUTERS:
        inside = "; ".join(f"ip netns exec {space} nstat -asjz" for space in ([CLIENTS[name]] if name in CLIENTS else []))
        for number, line in enumerate(network.on[name].output(f"nstat -asjz; {inside}").strip().splitlines()):
            counters = json.loads(line)["kernel"]
            found.update({f"{name} {number} {counter}": int(counters[counter]) for counter in FRAGMENTS})
    return found


def carried(network: Network) -> int:
    """Bytes that went through the tunnel, both ways."""
    (link,) = json.loads(network.on["hq-core"].output("ip -json -statistics link show dev wg1"))
    return int(link["stats64"]["rx"]["bytes"]) + int(link["stats64"]["tx"]["bytes"])


def transfer(network: Network, client: str) -> dict[str, Any]:
    """Connect from one site's host to the other's in both families, carry data both ways; what both ends saw."""
    server = OTHER[client]
    background = Background(network.on[server], probing("tcp", "serve", str(PORT), "2", namespace=CLIENTS[server]), ends_itself=True)
    background.wait_for("ready")
    near = network.on[client].python("tcp", "connect", str(PORT), str(BYTES // 2), *ADDRESSES[server], namespace=CLIENTS[client])
    return {"client": near, "server": json.loads(background.stop()[-1])}


def test_mss_as_planned_and_no_fragment(network: Network, plan: dict[str, Any]) -> None:
    """SYN and SYN-ACK leave with what the hosts' own MTU allows and arrive with the planned MSS, from either side, in either family.

    The data after them crosses an uplink of 1,492 bytes without a fragment anywhere: neither of a packet nor of the tunnel's own.
    """
    assert '"mtu":1492' in network.on["hq-core"].output("ip -json link show dev eth0")
    cut, bytes_before = fragments(network), carried(network)
    ends = {client: transfer(network, client) for client in CLIENTS}
    assert carried(network) - bytes_before >= 4 * BYTES
    assert fragments(network) == cut
    for client, seen in ends.items():
        assert seen["client"]["bytes"] == seen["server"]["bytes"] == [BYTES // 2] * 2
        for index, family in enumerate(("ipv4", "ipv6")):
            own = {4: 1460, 6: 1440}[4 if family == "ipv4" else 6]
            for kind, source, sent_by, got_by in (("SYN", client, "client", "server"), ("SYN-ACK", OTHER[client], "server", "client")):
                address = ADDRESSES[source][index]

                def values(end: str, way: str, seen: dict[str, Any] = seen, kind: str = kind, address: str = address) -> set[int]:
                    return {item["mss"] for item in seen[end]["seen"] if (item["kind"], item["way"], item["from"]) == (kind, way, address)}

                assert values(sent_by, "out") == {own}, (client, kind, family)
                # The smallest of the routers on the way.
                planned = min(plan[router]["firewall_tcp_mss"][family] for router in PUBLIC)
                assert planned < own
                assert values(got_by, "in") == {planned}, (client, kind, family)
