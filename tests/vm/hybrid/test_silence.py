"""S15: nothing but keepalives, six times as long as the NAT before the branch remembers, and once more without them."""

from __future__ import annotations

from pathlib import Path

import pytest
import steering_proof
from branch import HOME, INTENT, PREFIX, ROUTER
from hybrid_network import Network

from hybrid.runs import succeed


@pytest.fixture(scope="module")
def told(network: Network, branch_intent: Path) -> None:
    """The branch's neighbor alone knows of it: nobody else has a part in this."""
    succeed("site", "silence", "--limit", ROUTER, "--extra-vars", f"@{branch_intent}")


def test_silence_does_not_lose_a_peer_behind_a_nat(network: Network, told: None, branch_joined: None) -> None:
    """A packet for the branch gets through after the silence; without keepalives none does, and afterwards all comes back by itself."""
    neighbors = network.on[ROUTER].vtysh("show bgp vrf CORE neighbors")
    asn = INTENT["node"]["asn"]
    (peer,) = [address for address, session in neighbors.items() if session.get("remoteAs") == asn and ":" not in address]
    figures = steering_proof.silent_branch(network.on[HOME].output, network.on[ROUTER].output, "CORE", peer)
    assert figures["bytes from the branch in that time"] > 0, figures
    steering_proof.unmanaged_peer(network.on[HOME].output, network.on[ROUTER].output, "CORE", PREFIX)
