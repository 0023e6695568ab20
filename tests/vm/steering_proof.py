"""What the virtual machines prove about steering (S8, S9) and about a branch behind a NAT (S15, S35). Each function raises AssertionError."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import branch

Run = branch.Run
SESSION_SECONDS = 180
POLL_SECONDS = 2
STEERED_PINGS = 20
# Three times as long as the NAT remembers.
SILENCE_SECONDS = 3 * branch.NAT_SECONDS
# What goes into the tunnel is dropped before WireGuard sees it, and what comes out is counted behind it: its own packets are in neither.
SILENCE = """nft -f - <<'NFT'
table netdev silence {{
 counter arrived {{ }}
 chain out {{ type filter hook egress device "{interface}" priority 0; policy drop; }}
 chain in {{ type filter hook ingress device "{interface}" priority 0; policy accept; counter name "arrived"; }}
}}
NFT
"""
SOUND = "nft delete table netdev silence; "


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the parts of the proof are.

    Attributes:
        router, box, far: run a script on the router, on the NFV box, and on the machine that holds the far end.
        vrf: VRF of the router and the box.
        ping: how the router's machine pings as a client, up to the options.
        prefix: what is steered; target: an address in it, at the far end.
        box_in, box_out: interfaces of the box, towards the router, and of the return path.
        far_exec: how a command runs at the far end; far_in: the interface it gets the packets by.
        first: TTL of a packet as the router sends it; 63 from a client behind it, 64 from itself.
        beyond: routers between this one and the far end.
    """

    router: Run
    box: Run
    far: Run
    vrf: str
    ping: str
    prefix: str
    target: str
    box_in: str
    box_out: str
    far_exec: str
    far_in: str
    first: int = 63
    beyond: int = 0


def wait_for(condition: Callable[[], bool], what: str, seconds: float = SESSION_SECONDS) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def next_hops(places: Places) -> list[str]:
    """Next hops of the prefix in the router's kernel."""
    routes = json.loads(places.router(f"ip -json route show vrf {places.vrf} {places.prefix} || true") or "[]")
    return [route["gateway"] for route in routes if "gateway" in route]


def ping(places: Places, count: int = STEERED_PINGS) -> int:
    """How many answers the client gets."""
    text = places.router(f"{places.ping} -c {count} -i 0.1 -W 3 {places.target} || true")
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
    captures = (
        ("in", places.box, "", places.box_in, "in"),
        ("out", places.box, "", places.box_out, "out"),
        ("far", places.far, places.far_exec + " ", places.far_in, "in"),
    )
    for name, run, prefix, interface, way in captures:
        # Once tcpdump says that it listens nothing escapes it; the limit is for the case that nobody ends it.
        run(
            f"nohup timeout 120 {prefix}tcpdump -l -n -v --immediate-mode -i {interface} -Q {way} {filter_} >/run/{name}.txt 2>/run/{name}.err & "
            f"echo $! >/run/{name}.pid; for _ in $(seq 100); do grep -q '^tcpdump: listening' /run/{name}.err && exit 0; sleep 0.1; done; exit 1"
        )
    answers = ping(places)
    for name, run, *_rest in captures:
        run(f"pid=$(cat /run/{name}.pid); kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.1; done")
    assert answers == STEERED_PINGS, f"{answers} of {STEERED_PINGS} answered"
    return {name: seen(run, f"/run/{name}.txt", places.target) for name, run, *_rest in captures}


def plain_path(places: Places) -> None:
    """Without steering no packet touches the box."""
    found = traced(places)
    assert found == {"in": [], "out": [], "far": [places.first - places.beyond] * STEERED_PINGS}, found


def steered_path(places: Places) -> None:
    """S9: every packet passes the box once, leaves it by the return path, and is at the far end once: router, box, router. No loop."""
    found = traced(places)
    at = {"in": places.first, "out": places.first - 1, "far": places.first - 2 - places.beyond}
    assert found == {name: [ttl] * STEERED_PINGS for name, ttl in at.items()}, found


def killed_daemon(places: Places) -> float:
    """gobgpd killed: traffic takes the plain path at once, and keeps it, since the route was not steered as persistent.

    Returns the seconds until the router's table had followed.
    """
    before = next_hops(places)
    began = time.monotonic()
    places.box("systemctl kill --signal=KILL gobgpd.service")
    wait_for(lambda: next_hops(places) != before, "the steering route is still there", 30)
    elapsed = time.monotonic() - began
    assert ping(places, 5) == 5
    wait_for(lambda: places.box("systemctl is-active gobgpd.service || true").strip() == "active", "gobgpd was not started again", 60)
    return elapsed


def hybrid_places(on: Mapping[str, Any]) -> Places:
    """Return the places of the hybrid network; on: its machines by name, each with `output` (hybrid_network.Shell), and its host `apps` added."""
    return Places(
        router=on["hq-core"].output,
        box=on["hq-nfv"].output,
        far=on["cloud-edge"].output,
        vrf="CORE",
        ping="ip vrf exec CORE ping -I 8.8.4.4",
        prefix="10.40.0.0/24",
        target="10.40.0.10",
        box_in="eth0",
        box_out="eth0.100",
        far_exec="ip netns exec apps",
        far_in="eth2",
        first=64,
        beyond=2,
    )


def unmanaged_peer(branch_machine: Run, router: Run, vrf: str, prefix: str) -> None:
    """S35: the branch runs what the plan printed, and its network is in the router's table."""
    wait_for(lambda: list(branch.sessions(branch_machine).values()) == ["Established"] * 2, "BIRD lacks a session, one for each family")
    wait_for(lambda: "via" in router(f"ip route show vrf {vrf} {prefix}"), f"the router has no route to {prefix}")


def silent_branch(branch_machine: Run, router: Run, vrf: str, peer: str, seconds: int = SILENCE_SECONDS) -> dict[str, int]:
    """S15: nothing goes through the tunnel, and the NAT forgets after 10 s; keepalives alone keep the way to the branch open.

    The proof is a packet from the router's side at the end, which the NAT accepts only while it remembers the branch, and that it does
    not arrive without keepalives. peer: address of the branch on the link. Returns figures. BGP comes
    up again afterwards by itself; `unmanaged_peer` sees to that.
    """
    own = json.loads(router(f"ip -json route get {peer} vrf {vrf}"))[0]["dev"]
    theirs = branch_machine(branch.inside("wg show interfaces")).split()[0]
    call = f"ip vrf exec {vrf} ping -c 2 -W 2 {peer} >/dev/null && echo yes || echo no"

    def arrived() -> int:
        found = re.search(r"packets (\d+)", branch_machine(branch.inside("nft list counter netdev silence arrived")))
        assert found
        return int(found[1])

    router(SILENCE.format(interface=own))
    branch_machine(f"ip netns exec branch sh -s <<'EOF'\n{SILENCE.format(interface=theirs)}\nEOF\n")
    try:
        time.sleep(2)
        before, octets, endpoint = arrived(), received(router, own), router(f"wg show {own} endpoints")
        time.sleep(seconds)
        octets = received(router, own) - octets
        assert arrived() == before, "that was no silence"
        assert router(f"wg show {own} endpoints") == endpoint, "the NAT gave the branch another port: it had forgotten it"
        router(f"{SOUND}{call}")
        assert arrived() > before, "after the silence no packet reaches the branch"
        router(SILENCE.format(interface=own))
        branch.set_keepalive(branch_machine, 0)
        # Ten seconds after a packet WireGuard itself says that it got it, which the NAT counts as traffic.
        time.sleep(2 * branch.NAT_SECONDS + 15)
        before = arrived()
        router(f"{SOUND}{call}")
        assert arrived() == before, "without keepalives the NAT should have forgotten the branch"
    finally:
        branch.set_keepalive(branch_machine, 5)
        branch_machine(branch.inside("nft delete table netdev silence"))
        router("nft delete table netdev silence 2>/dev/null || true")
    wait_for(lambda: router(call).strip() == "yes", "the branch did not come back", 60)
    return {"seconds of silence": seconds, "bytes from the branch in that time": octets}


def received(router: Run, interface: str) -> int:
    """Bytes that came in over a tunnel."""
    return sum(int(line.split()[1]) for line in router(f"wg show {interface} transfer").splitlines())
