"""S15: five minutes with nothing but keepalives, against a NAT that forgets after 10 s, and the counterpart without them."""

from __future__ import annotations

from concurrent.futures import Future

import steering_proof
from branch import HOME, PREFIX, ROUTER
from hybrid_network import Network


def test_silence_does_not_lose_a_peer_behind_a_nat(network: Network, silence: Future[dict[str, int]]) -> None:
    figures = silence.result()
    print(f"\n{figures}")
    assert figures["bytes from the branch in that time"] > 0
    steering_proof.unmanaged_peer(network.on[HOME].output, network.on[ROUTER].output, "CORE", PREFIX)
