"""A branch that Ansible does not manage joins hq-core (S35) from behind a NAT.

The intent of these tests has one node more; the branch itself is a namespace on cloud-edge, behind that machine's public address, and runs nothing but
what the plan printed for its owner: WireGuard and BIRD. Plans that come later do not know it, so the next `site` takes it away again. The tests follow one another.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import steering_proof
from branch import HOME, HOST, INTENT, PREFIX, ROUTER
from hybrid_network import CONTAINER, Network, reset, wait_for

from hybrid.runs import changed, succeed

pytestmark = pytest.mark.leaves_traces


def test_a_fifth_node_disturbs_nothing(network: Network, branch_intent: Path) -> None:
    """hq-core gets an interface and a session; the others only let one more prefix pass. No interface is made anew, no session reset."""
    links, sessions = network.links(), network.sessions()
    counts = changed(succeed("site", "branch", "--extra-vars", f"@{branch_intent}"))
    assert counts[ROUTER] > 0, counts
    # The task that writes FRR's prefix lists, the one that records what was applied, and no other.
    assert {name: counts[name] for name in counts if name != ROUTER} == {"hq-nfv": 2, "cloud-edge": 2, "cloud-node": 2, CONTAINER: 2}
    after = network.links()
    assert [name for name in links if after[name] != links[name]] == [ROUTER]
    (new,) = after[ROUTER] - links[ROUTER]
    assert new.endswith(f" wg{INTENT['link']['id']}") and links[ROUTER] <= after[ROUTER]
    assert reset(sessions, network.sessions()) == []


def test_the_unmanaged_branch_is_part_of_the_network(network: Network, branch_joined: None) -> None:
    """S35: its session is up, both sites know its network, and reach it."""
    steering_proof.unmanaged_peer(network.on[HOME].output, network.on[ROUTER].output, "CORE", PREFIX)
    wait_for(lambda: network.leaves_by("cloud-node", PREFIX), ["vxlan1000"])
    for machine, namespace in (("hq-core", "office"), ("cloud-edge", "apps")):
        wait_for(partial(network.on[machine].succeeds, f"ip netns exec {namespace} ping -n -c 2 -i 0.2 -W 5 {HOST}"), True)


def test_silence_does_not_lose_a_peer_behind_a_nat(network: Network, branch_joined: None) -> None:
    """S15: a packet for the branch gets through after nothing but keepalives; without them none does, and afterwards all comes back by itself."""
    neighbors = network.on[ROUTER].vtysh("show bgp vrf CORE neighbors")
    asn = INTENT["node"]["asn"]
    (peer,) = [address for address, session in neighbors.items() if session.get("remoteAs") == asn and ":" not in address]
    figures = steering_proof.silent_branch(network.on[HOME].output, network.on[ROUTER].output, "CORE", peer)
    assert figures["bytes from the branch in that time"] > 0, figures
    steering_proof.unmanaged_peer(network.on[HOME].output, network.on[ROUTER].output, "CORE", PREFIX)
