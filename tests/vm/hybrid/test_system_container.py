"""A router in a system container (S31): systemd and FRR in a container of cloud-node, configured by the same role as the machines.

It is on the VXLAN segment, gets its default route by BGP from the segment's gateway, cloud-edge, and publishes what stands in the intent for it.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hybrid_network import CONTAINER, Network, wait_for

from hybrid.runs import changed, succeed

NODE, GATEWAY = "cloud-node", "cloud-edge"
ADDRESSES = ("10.100.0.100", "fd00:100::64")
PUBLISHED = {"10.101.0.1": "10.101.0.0/24", "fd00:101::1": "fd00:101::/64"}
# A host behind hq-nfv, and its network, in the order of PUBLISHED.
OFFICE = {"10.10.0.10": "10.10.0.0/24", "fd00:10::a": "fd00:10::/64"}
MIB = 1 << 20
# Not in the intent.
INVENTED = "10.102.0.0/24"


def inside(network: Network, command: str) -> str:
    """Output of a command in the container; empty while it does not run."""
    return network.on[NODE].run(f"docker exec {CONTAINER} {command}").stdout.strip()


def vtysh(network: Network, command: str) -> Any:
    """What FRR in the container answers, parsed."""
    return json.loads(inside(network, f"vtysh -c '{command} json'") or "{}")


def configure(network: Network, *lines: str) -> None:
    """Type lines into FRR in the container. They are not in its file."""
    words = " ".join(f"-c '{line}'" for line in ("configure terminal", *lines))
    network.on[NODE].output(f"docker exec {CONTAINER} vtysh {words}")


def inspected(network: Network) -> dict[str, Any]:
    """What Docker says of the container."""
    (found,) = json.loads(network.on[NODE].output(f"docker inspect {CONTAINER}"))
    return dict(found)


def sessions(network: Network) -> dict[str, int]:
    """The gateway's sessions with the container that are up, with the time since when, in seconds since 1970."""
    up = network.sessions()
    return {address: up[f"{GATEWAY} {address}"] for address in ADDRESSES if f"{GATEWAY} {address}" in up}


def settle(network: Network) -> None:
    """Wait until systemd has booted, all sessions are up, and both sides know the other's networks."""
    wait_for(lambda: inside(network, "systemctl is-system-running"), "running")
    wait_for(lambda: set(sessions(network)), set(ADDRESSES))
    for prefix in PUBLISHED.values():
        wait_for(partial(protocol, network, prefix), "bgp")
    for prefix in OFFICE.values():
        wait_for(partial(learned, network, prefix), ["eth0"])


def protocol(network: Network, prefix: str) -> str | None:
    """Where the first machine's route to a prefix comes from; None without a route."""
    found: str | None = network.route("hq-core", prefix).get("protocol")
    return found


def learned(network: Network, prefix: str) -> list[str]:
    """The interfaces by which the container reaches a prefix that it has from BGP and put into its kernel's table."""
    family = "ipv6" if ":" in prefix else "ip"
    routes = vtysh(network, f"show {family} route {prefix}").get(prefix, [])
    return [
        hop["interfaceName"]
        for route in routes
        if route.get("selected") and route["protocol"] == "bgp"
        for hop in route["nexthops"]
        if hop.get("fib")
    ]


def test_systemd_runs_in_it(network: Network) -> None:
    """Systemd first, tmpfs, the stop signal, restart always, forwarding; without all privileges."""
    settle(network)
    assert inside(network, "cat /proc/1/comm") == "systemd"
    assert inside(network, "systemctl --failed --plain --no-legend") == ""
    mounts = inside(network, "cat /proc/mounts")
    assert "tmpfs /run tmpfs" in mounts and "tmpfs /tmp tmpfs" in mounts
    assert inside(network, "sysctl --values net.ipv4.ip_forward net.ipv6.conf.all.forwarding").split() == ["1", "1"]
    found = inspected(network)
    assert found["Config"]["StopSignal"] == "SIGRTMIN+3"
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert found["HostConfig"]["Privileged"] is False


def test_its_memory_is_limited(network: Network) -> None:
    """512 MiB, and 256 MiB of swap beside: in Docker's words and in the control group that the kernel keeps to."""
    limits = inspected(network)["HostConfig"]
    assert (limits["Memory"], limits["MemorySwap"]) == (512 * MIB, 768 * MIB)
    assert inside(network, "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max").split() == [str(512 * MIB), str(256 * MIB)]


def test_the_gateway_speaks_bgp_with_it(network: Network) -> None:
    """One session a family, with password and BFD, and nothing taken but what the intent publishes."""
    neighbors = network.on[GATEWAY].vtysh("show bgp vrf CORE neighbors")
    for address, prefix in zip(ADDRESSES, PUBLISHED.values()):
        peer = neighbors[address]
        assert (peer["bgpState"], peer["remoteAs"], peer["peerBfdInfo"]["status"]) == ("Established", 65100, "Up")
        assert peer["authenticationEnabled"]
        family = "ipv6" if ":" in address else "ipv4"
        taken = network.on[GATEWAY].vtysh(f"show bgp vrf CORE {family} unicast neighbors {address} routes")["routes"]
        assert list(taken) == [prefix]


def test_the_way_back_comes_by_bgp(network: Network) -> None:
    """Each network of the other site is in its table and in its kernel, through the gateway."""
    for prefix in OFFICE.values():
        assert learned(network, prefix) == ["eth0"]
    (route,) = json.loads(inside(network, "ip -json route show 10.10.0.0/24"))
    assert (route["protocol"], route["gateway"]) == ("bgp", "10.100.0.1")


def test_its_network_and_the_office_reach_each_other(network: Network) -> None:
    """From a host behind hq-nfv to the address behind the container and back, in both families."""
    for office, address in zip(OFFICE, PUBLISHED):
        wait_for(partial(network.on["hq-core"].succeeds, f"ip netns exec office ping -n -c 2 -i 0.2 -W 5 {address}"), True)
        network.on[NODE].output(f"docker exec {CONTAINER} ping -n -c 2 -i 0.2 -W 5 -I {address} {office}")


def test_what_is_not_planned_is_not_taken(network: Network) -> None:
    """Another prefix is advertised from inside, past the container's own filter: the gateway does not take it, and nobody learns it."""
    advertised = "show bgp ipv4 unicast neighbors 10.100.0.1 advertised-routes"
    bgp = ("router bgp 65100", "address-family ipv4 unicast")
    configure(network, f"ip prefix-list CONTAINER-{CONTAINER} seq 5 permit {INVENTED}", *bgp, f"network {INVENTED}")
    try:
        wait_for(lambda: INVENTED in vtysh(network, advertised).get("advertisedRoutes", {}), True)
        for name in (GATEWAY, "hq-core", "hq-nfv"):
            assert network.route(name, INVENTED) == {}, name
    finally:
        configure(
            network, *bgp, f"no network {INVENTED}", "exit", "exit", f"no ip prefix-list CONTAINER-{CONTAINER} seq 5 permit {INVENTED}"
        )
    assert set(sessions(network)) == set(ADDRESSES)


# The first process killed from outside is what a crash looks like; docker kill would count as the operator's wish.
@pytest.mark.parametrize(
    "command",
    [f"kill -KILL $(docker inspect --format '{{{{.State.Pid}}}}' {CONTAINER})", f"docker restart {CONTAINER}"],
    ids=["crash", "restart"],
)
def test_it_comes_back_by_itself(network: Network, command: str) -> None:
    """Docker starts it again; systemd, FRR, sessions and routes follow without anybody's help."""
    started, before = inspected(network)["State"]["StartedAt"], sessions(network)
    network.on[NODE].output(command)
    wait_for(lambda: inspected(network)["State"]["StartedAt"] != started, True)
    settle(network)
    after = sessions(network)
    assert all(after[address] > before[address] for address in ADDRESSES), (before, after)
    wait_for(partial(network.on["hq-core"].succeeds, "ip netns exec office ping -n -c 2 -i 0.2 -W 5 10.101.0.1"), True)


def test_a_run_for_it_alone_changes_nothing(network: Network) -> None:
    """--limit names the container: nothing is done on any machine, and nothing has changed in it. The session stays up."""
    before = sessions(network)
    counts = changed(succeed("site", "container", "--limit", CONTAINER))
    assert counts == {CONTAINER: 0}
    assert sessions(network) == pytest.approx(before, abs=1)
