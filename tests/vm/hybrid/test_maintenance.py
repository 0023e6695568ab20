"""Maintenance of a network that carries traffic: a drained link, and new keys while packets are counted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial

import pytest
from figures import figure
from hybrid_network import CONNECTION, Network, Pinger, wait_for

from hybrid.runs import adhoc, changed, play, succeed

pytestmark = pytest.mark.leaves_traces
# Behind cloud-node, and reached from the host behind hq-nfv.
APPS = "10.40.0.0/24"
DESTINATION = "10.40.0.10"
REGISTRY = CONNECTION.parent / "wireguard_keys"


@pytest.fixture(scope="module", autouse=True)
def registry(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The machines go back to their former keys with their disks, and so does what the controller knows of them."""
    assert network.on
    kept = tmp_path_factory.mktemp("registry") / REGISTRY.name
    shutil.copytree(REGISTRY, kept)
    yield
    shutil.rmtree(REGISTRY)
    shutil.copytree(kept, REGISTRY)


def public_keys(network: Network) -> dict[str, str]:
    return {name: network.on[name].output("wg show wg1 public-key").strip() for name in ("hq-core", "cloud-edge")}


def test_new_keys_cost_no_packet(network: Network) -> None:
    """Traffic goes by the reserve while both ends change their keys, and comes back; every packet of a stream is answered. Check mode changes nothing."""
    for name in ("hq-core", "cloud-edge"):
        wait_for(partial(network.leaves_by, name, APPS if name == "hq-core" else "10.10.0.0/24"), ["wg1"])
    before = public_keys(network)
    foreseen = succeed("rotate_wireguard_keys", "rotate-check", "--check", "--extra-vars", "xgn_rotate_interfaces=wg1")
    assert "cloud-edge wg1 - hq-core wg1" in foreseen.stdout
    assert public_keys(network) == before
    stream = Pinger(network.on["hq-core"], "office", DESTINATION)
    run = succeed("rotate_wireguard_keys", "rotate", "--extra-vars", "xgn_rotate_interfaces=wg1")
    wait_for(partial(network.leaves_by, "hq-core", APPS), ["wg1"])
    sent, lost = stream.lost()
    figure("new WireGuard keys at both ends: packets lost", len(lost), f"of {sent}")
    after = public_keys(network)
    assert not set(after.values()) & set(before.values())
    assert lost == [], f"{len(lost)} of {sent} were not answered: {lost}"
    counts = changed(run)
    assert counts["hq-core"] >= 4 and counts["cloud-edge"] >= 4 and counts["hq-nfv"] == counts["cloud-node"] == 0, counts
    # Nothing of the drain is left, and the new keys are what the next run expects.
    assert set(changed(succeed("site", "rotated", "--limit", "hq-core,cloud-edge")).values()) == {0}
    refused = play("rotate_wireguard_keys", "rotate-half", "--limit", "hq-core")
    assert refused.returncode != 0 and "end at cloud-edge, too" in refused.stdout
    assert public_keys(network) == after


def test_a_drained_link_stays_drained_until_somebody_ends_it(network: Network) -> None:
    """Both directions leave it at once though only one end was drained, verify names it, and one run of site ends it."""
    core = network.on["hq-core"]
    adhoc("hq-core", "xuegao.net.frr_drain", "state=drained interfaces=wg1")
    for name, prefix in (("hq-core", APPS), ("cloud-edge", "10.10.0.0/24")):
        wait_for(partial(network.leaves_by, name, prefix), ["ovpn2"])
    assert "XGN-DRAIN-IN-" in core.output("vtysh -c 'show running-config'")
    assert changed(succeed("site", "undrain", "--limit", "hq-core"))["hq-core"] == 1
    wait_for(partial(network.leaves_by, "hq-core", APPS), ["wg1"])
    wait_for(partial(network.leaves_by, "cloud-edge", "10.10.0.0/24"), ["wg1"])
    assert "XGN-DRAIN" not in core.output("vtysh -c 'show running-config'")
