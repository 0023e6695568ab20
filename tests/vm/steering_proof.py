"""What the virtual machines prove about steering (S8, S9) and about a branch behind a NAT (S15, S35). Each function raises AssertionError.

    python tests/vm/steering_proof.py      against lab/topologies/steering.yml and tests/vm/steering

The hybrid test calls the functions with its own names.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import branch

Run = branch.Run
SESSION_SECONDS = 180
POLL_SECONDS = 2
STEERED_PINGS = 20
SILENCE_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the parts of the proof are.

    Attributes:
        router, box: run a script on the router and on the NFV box.
        branch: runs a script on the machine that holds the branch, the far end.
        vrf: VRF of the router and the box.
        bridge: interface of the router's own network, behind which a client is put.
        client: address of the client with prefix length; gateway: the router's in that network.
        prefix: what is steered; target: an address in it, at the far end.
        box_in, box_out: interfaces of the box, towards the router, and of the way back.
        tunnel: interface of the far end that the packets come in by.
        peer: loopback of the far end.
    """

    router: Run
    box: Run
    branch: Run
    vrf: str
    bridge: str
    client: str
    gateway: str
    prefix: str
    target: str
    box_in: str
    box_out: str
    tunnel: str
    peer: str


def wait_for(condition: Callable[[], bool], what: str, seconds: float = SESSION_SECONDS) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def add_client(places: Places) -> None:
    """Put a host behind the router: network namespace `client`."""
    places.router(
        "set -eu\nip netns delete client 2>/dev/null || true\nip netns add client\n"
        "ip link add client0 type veth peer name eth0 netns client\n"
        f"ip link set client0 master {places.bridge} up\n"
        "ip -n client link set lo up\nip -n client link set eth0 up\n"
        f"ip -n client address add {places.client} dev eth0\nip -n client route add default via {places.gateway}\n"
    )


def next_hops(places: Places) -> list[str]:
    """Next hops of the prefix in the router's kernel."""
    routes = json.loads(places.router(f"ip -json route show vrf {places.vrf} {places.prefix} || true") or "[]")
    return [route["gateway"] for route in routes if "gateway" in route]


def ping(places: Places, count: int = STEERED_PINGS) -> int:
    """How many answers the client gets."""
    text = places.router(f"ip netns exec client ping -c {count} -i 0.3 -W 3 {places.target} || true")
    found = re.search(r"(\d+) received", text)
    assert found, text
    return int(found[1])


def seen(run: Run, capture: str, target: str) -> list[int]:
    """TTLs of the echo requests to the target in what tcpdump wrote."""
    text = run(f"cat {capture}")
    return [int(ttl) for ttl, found in re.findall(r"ttl (\d+).*?\n?.*?> ([0-9.]+): ICMP echo request", text) if found == target]


def traced(places: Places) -> dict[str, list[int]]:
    """Ping through the network, and return the TTLs of the requests at the box (in and out) and at the far end, as packets show them."""
    filter_ = f"'icmp[icmptype] == icmp-echo and dst host {places.target}'"
    start = "nohup {prefix}tcpdump -l -n -v -i {interface} {filter} >/run/{name}.txt 2>/dev/null & echo $! >>/run/trace.pids; sleep 2\n"
    places.box(
        "rm -f /run/trace.pids\n"
        + start.format(prefix="", interface=places.box_in, filter=f"-Q in {filter_}", name="in")
        + start.format(prefix="", interface=places.box_out, filter=f"-Q out {filter_}", name="out")
    )
    # The machine may be the box's: its own file of process ids.
    far = start.format(prefix="ip netns exec branch ", interface=places.tunnel, filter=f"-Q in {filter_}", name="far")
    places.branch(far.replace("/run/trace.pids", "/run/far.pids"))
    answers = ping(places)
    time.sleep(3)
    places.box("kill $(cat /run/trace.pids) 2>/dev/null || true")
    places.branch("kill $(cat /run/far.pids) 2>/dev/null || true; rm /run/far.pids")
    assert answers == STEERED_PINGS, f"{answers} of {STEERED_PINGS} answered"
    found = {
        name: seen(run, f"/run/{name}.txt", places.target)
        for name, run in (("in", places.box), ("out", places.box), ("far", places.branch))
    }
    return found


def plain_path(places: Places) -> None:
    """Without steering no packet touches the box: one router on the way."""
    found = traced(places)
    assert found == {"in": [], "out": [], "far": [63] * STEERED_PINGS}, found


def steered_path(places: Places) -> None:
    """S9: every packet passes the box once, leaves it by the way back, and is at the far end once: router, box, router. No loop."""
    found = traced(places)
    assert found == {"in": [63] * STEERED_PINGS, "out": [62] * STEERED_PINGS, "far": [61] * STEERED_PINGS}, found


def killed_daemon(places: Places) -> float:
    """gobgpd killed: the router's traffic takes the plain path at once. Returns the seconds until the router's table had followed."""
    places.box("systemctl stop xgn-steering-health.service; systemctl mask --quiet --runtime gobgpd.service")
    before = next_hops(places)
    began = time.monotonic()
    places.box("systemctl kill --signal=KILL gobgpd.service")
    wait_for(lambda: next_hops(places) != before, "the steering route is still there", 30)
    elapsed = time.monotonic() - began
    assert ping(places, 5) == 5
    places.box("systemctl unmask --quiet --runtime gobgpd.service; systemctl start gobgpd.service xgn-steering-health.service")
    return elapsed


def unmanaged_peer(places: Places) -> None:
    """S35: the branch runs what the plan printed, and its network is in the router's table."""
    wait_for(lambda: list(branch.sessions(places.branch).values()) == ["Established"], "BIRD has no session")
    wait_for(lambda: bool(next_hops(places)), f"the router has no route to {places.prefix}")


def silent_branch(places: Places, seconds: int = SILENCE_SECONDS) -> dict[str, float]:
    """S15: no routing protocol and no traffic for minutes, and the NAT forgets after 10 s; keepalives alone keep the way to the branch open.

    The proof is a packet from the router's side at the end, which the NAT lets in only while it remembers the branch, and its
    counterpart: without keepalives such a packet is lost. Returns figures.
    """
    shutdown = "vtysh -c 'configure terminal' -c 'router bgp {asn} vrf {vrf}' -c '{no}neighbor {peer} shutdown'"
    asn = json.loads(places.router(f"vtysh -c 'show bgp vrf {places.vrf} summary json'"))["ipv4Unicast"]["as"]
    words = {"asn": asn, "vrf": places.vrf, "peer": places.peer}
    call = f"ip vrf exec {places.vrf} ping -c 1 -W 3 {places.peer} >/dev/null && echo yes || echo no"
    branch.set_bgp(places.branch, False)
    places.router(shutdown.format(no="", **words))
    try:
        before, began = received(places), time.monotonic()
        endpoint = places.router("wg show all endpoints")
        time.sleep(seconds)
        bytes_, elapsed = received(places) - before, time.monotonic() - began
        assert places.router("wg show all endpoints") == endpoint, "the NAT gave the branch another port: it had forgotten it"
        assert places.router(call).strip() == "yes", "after the silence the branch cannot be reached"
        branch.set_keepalive(places.branch, 0)
        time.sleep(branch.NAT_SECONDS + 10)
        assert places.router(call).strip() == "no", "without keepalives the NAT should have forgotten the branch"
        branch.set_keepalive(places.branch, 5)
        wait_for(lambda: places.router(call).strip() == "yes", "the branch did not come back", 60)
    finally:
        branch.set_keepalive(places.branch, 5)
        branch.set_bgp(places.branch, True)
        places.router(shutdown.format(no="no ", **words))
    unmanaged_peer(places)
    return {"seconds of silence": round(elapsed), "bytes from the branch in that time": bytes_}


def received(places: Places) -> int:
    """Bytes that the router got over its tunnels."""
    return sum(int(line.split()[2]) for line in places.router("wg show all transfer").splitlines())


def main() -> None:
    """Prove everything on the lab of two machines."""
    root = Path(__file__).resolve().parents[2]
    core, nfv = branch.run_on("steering", "core"), branch.run_on("steering", "nfv")
    places = Places(
        router=core,
        box=nfv,
        branch=nfv,
        vrf="CORE",
        bridge="br0",
        client="10.1.0.9/24",
        gateway="10.1.0.1",
        prefix="192.0.2.0/24",
        target="192.0.2.1",
        box_in="eth0",
        box_out="eth0.100",
        tunnel="wg3",
        peer="10.255.0.3",
    )
    inventories = ["-i", "tests/vm/steering", "-i", "build/lab/steering/connection.yml"]

    def play(name: str, *extra: str) -> str:
        command = [str(Path(sys.executable).parent / "ansible-playbook"), *inventories, f"xuegao.net.{name}", *extra]
        return subprocess.run(command, cwd=root, text=True, stdout=subprocess.PIPE, check=True).stdout

    def done(words: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)

    branch.set_up(nfv, "eth1", root / "build" / "plan", "xgnSecretSteering")
    add_client(places)
    unmanaged_peer(places)
    done("S35: the branch is up with what the plan printed")
    plain_path(places)
    done("plain path")
    play("steer", "-e", "xgn_steer_prefixes=192.0.2.0/24")
    wait_for(lambda: next_hops(places) == ["10.254.0.6"], f"not steered: {next_hops(places)}", 20)
    steered_path(places)
    done("S9: the steered path")
    done(f"gobgpd killed: plain path after {killed_daemon(places):.1f} s")
    play("steer", "-e", "xgn_steer_prefixes=192.0.2.0/24")
    play("release", "-e", "xgn_release_all=true")
    done(f"S15: {silent_branch(places)}")


if __name__ == "__main__":
    main()
