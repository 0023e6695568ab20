"""Steering (S8, S9): a prefix through the NFV box and back into the tunnel, at the word of a play; the tests follow one another."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

import pytest
import steering_proof
from figures import figure
from hybrid_network import Background, Network, wait_for

from hybrid.runs import changed, succeed

PREFIX = "10.40.0.0/24"
STEER = ("--extra-vars", f"xgn_steer_prefixes={PREFIX}")
BOX, ROUTER = "hq-nfv", "hq-core"
# The box's address on the link to its router: where the router sends to, once the loopback in the route is resolved.
BOX_ON_LINK = "10.254.0.14"


@pytest.fixture(scope="module")
def places(network: Network) -> Iterator[steering_proof.Places]:
    """Where the parts of the proof are. Nothing is steered before and after."""
    succeed("release", "release-before", "--extra-vars", "xgn_release_all=true")
    yield steering_proof.hybrid_places(network.on)
    succeed("release", "release-after", "--extra-vars", "xgn_release_all=true")


def test_without_steering_the_box_sees_nothing(network: Network, places: steering_proof.Places) -> None:
    assert network.leaves_by(ROUTER, PREFIX) == ["wg1"]
    steering_proof.plain_path(places)


def test_steered(network: Network, places: steering_proof.Places) -> None:
    """From the module's call on the box to the route in the router's kernel, by both machines' clocks; a second call changes nothing."""
    monitor = Background(network.on[ROUTER], "TZ=UTC ip -4 -tshort -oneline monitor route")
    run = succeed("steer", "steer", *STEER)
    called = re.search(r"started: ([0-9.]+)", run.stdout)
    assert called, run.stdout[-3000:]
    counts = changed(run)
    assert counts[BOX] == 1 and sum(counts.values()) == 1, counts
    wait_for(lambda: steering_proof.next_hops(places), [BOX_ON_LINK])
    seen = [re.match(rf"\[(\S+)\] {PREFIX} .*via {BOX_ON_LINK} ", line) for line in monitor.stop()]
    stamps = [match[1] for match in seen if match]
    assert stamps, f"{monitor.command} saw no such route: {monitor.lines}"
    routed = datetime.datetime.fromisoformat(f"{stamps[0]}+00:00").timestamp()
    clocks = {name: network.clock(name) for name in (BOX, ROUTER)}
    took = (routed - clocks[ROUTER].ahead) - (float(called[1]) - clocks[BOX].ahead)
    exact = sum(clock.error for clock in clocks.values())
    figure(f"steering: from the call to the router's kernel (1 s; ± {exact:.2f} s)", took, "s")
    assert took >= -exact
    assert sum(changed(succeed("steer", "steer-again", *STEER)).values()) == 0


def test_other_routers_do_not_loop_it_back(network: Network, places: steering_proof.Places) -> None:
    """Neither the box nor the far end of the tunnel takes the steering route."""
    assert network.leaves_by(ROUTER, PREFIX) == ["eth1"]
    wait_for(lambda: network.route(BOX, PREFIX), {})
    assert network.leaves_by("cloud-edge", PREFIX) == ["vxlan1000"]


def test_steered_packets_pass_the_box_once(places: steering_proof.Places) -> None:
    """S9: into the box, out by the return path, and at the far end once, by the TTLs of real packets."""
    steering_proof.steered_path(places)


def test_killed_daemon_ends_the_steering(network: Network, places: steering_proof.Places) -> None:
    """gobgpd killed: the plain path, at once, until somebody steers again."""
    figure("gobgpd killed: plain path", steering_proof.killed_daemon(places), "s")
    assert network.leaves_by(ROUTER, PREFIX) == ["wg1"]
    steering_proof.plain_path(places)


def test_release(network: Network, places: steering_proof.Places) -> None:
    """What is steered is released by name; a second call changes nothing."""
    wait_for(lambda: "Establ" in network.on[BOX].output("gobgp --target unix:///run/gobgpd/api.sock neighbor"), True)
    succeed("steer", "steer-for-release", *STEER)
    wait_for(lambda: steering_proof.next_hops(places), [BOX_ON_LINK])
    release = ("--extra-vars", f"xgn_release_prefixes={PREFIX}")
    counts = changed(succeed("release", "release", *release))
    assert counts[BOX] == 1 and sum(counts.values()) == 1, counts
    wait_for(lambda: network.leaves_by(ROUTER, PREFIX), ["wg1"])
    assert sum(changed(succeed("release", "release-again", *release)).values()) == 0
