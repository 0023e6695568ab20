"""Maintenance of a network that carries traffic: a drained link, and new keys of WireGuard and OpenVPN while packets are counted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from figures import figure
from hybrid_network import CONNECTION, Network, Pinger, wait_for

from hybrid.runs import INVENTORY, adhoc, changed, play, succeed

pytestmark = pytest.mark.leaves_traces
# Behind cloud-node, and reached from the host behind hq-nfv.
APPS = "10.40.0.0/24"
DESTINATION = "10.40.0.10"
OTHER_PORT = 52001
REGISTRIES = [CONNECTION.parent / name for name in ("wireguard_keys", "openvpn_keys")]


@pytest.fixture(scope="module", autouse=True)
def registry(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The machines go back to their former keys with their disks, and so does what the controller knows of them."""
    assert network.on
    kept = tmp_path_factory.mktemp("registry")
    for directory in REGISTRIES:
        shutil.copytree(directory, kept / directory.name)
    yield
    for directory in REGISTRIES:
        shutil.rmtree(directory)
        shutil.copytree(kept / directory.name, directory)


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


OPENVPN_ENDS = ("hq-core", "cloud-edge")


def fingerprints(network: Network) -> dict[str, str]:
    command = "openssl x509 -in /etc/openvpn/keys/ovpn2.pem -noout -fingerprint -sha256"
    return {name: network.on[name].output(command).strip().partition("=")[2] for name in OPENVPN_ENDS}


def test_new_openvpn_keys_cost_no_packet(network: Network) -> None:
    """WireGuard is lost, and OpenVPN carries the traffic: it goes by the last reserve while the daemons start, and every packet of a stream is answered."""
    core, edge = network.on["hq-core"], network.on["cloud-edge"]
    before = fingerprints(network)
    foreseen = succeed("rotate_openvpn_keys", "rotate-openvpn-check", "--check", "--extra-vars", "xgn_rotate_interfaces=ovpn2")
    assert "cloud-edge ovpn2 - hq-core ovpn2 | one key at each end | next keys" in foreseen.stdout
    assert fingerprints(network) == before
    try:
        network.wire("internet", "--drop-udp", edge.output("wg show wg1 listen-port").strip())
        for name, prefix in (("hq-core", APPS), ("cloud-edge", "10.10.0.0/24")):
            wait_for(partial(network.leaves_by, name, prefix), ["ovpn2"])
        stream = Pinger(core, "office", DESTINATION)
        run = succeed("rotate_openvpn_keys", "rotate-openvpn", "--extra-vars", "xgn_rotate_interfaces=ovpn2")
        for name, prefix in (("hq-core", APPS), ("cloud-edge", "10.10.0.0/24")):
            wait_for(partial(network.leaves_by, name, prefix), ["ovpn2"])
        sent, lost = stream.lost()
    finally:
        network.wire("internet", "--clear")
    figure("new OpenVPN keys at both ends: packets lost", len(lost), f"of {sent}")
    after = fingerprints(network)
    assert not set(after.values()) & set(before.values())
    assert lost == [], f"{len(lost)} of {sent} were not answered: {lost}"
    counts = changed(run)
    assert counts["hq-core"] >= 9 and counts["cloud-edge"] >= 9 and counts["hq-nfv"] == counts["cloud-node"] == 0, counts
    for shell in (core, edge):
        assert shell.output("ls /etc/openvpn/keys").split() == ["ovpn2.pem"]
    wait_for(partial(network.leaves_by, "hq-core", APPS), ["wg1"])
    # Nothing of the drain is left, and the new keys are what the next run expects.
    assert set(changed(succeed("site", "rotated-openvpn", "--limit", "hq-core,cloud-edge")).values()) == {0}


def test_new_openvpn_keys_in_two_runs(network: Network, tmp_path: Path) -> None:
    """Accepted in one run, and used in another: in between both ends have a key in use and a next one, site changes nothing, and the tunnel is up."""
    before = fingerprints(network)
    succeed("rotate_openvpn_keys", "rotate-openvpn-accept", "--extra-vars", "xgn_rotate_interfaces=ovpn2 xgn_rotate_phase=accept")
    for name in OPENVPN_ENDS:
        assert network.on[name].output("ls /etc/openvpn/keys").split() == ["ovpn2.next", "ovpn2.pem"]
    assert fingerprints(network) == before
    assert set(changed(succeed("site", "accepted-openvpn", "--limit", "hq-core,cloud-edge")).values()) == {0}
    refused = play("rotate_openvpn_keys", "rotate-openvpn-half", "--limit", "hq-core")
    assert refused.returncode != 0 and "end at cloud-edge, too" in refused.stdout
    succeed("rotate_openvpn_keys", "rotate-openvpn-switch", "--extra-vars", "xgn_rotate_interfaces=ovpn2 xgn_rotate_phase=switch")
    assert not set(fingerprints(network).values()) & set(before.values())
    succeed("verify", "verify-openvpn", "--extra-vars", f"xgn_report_dir={tmp_path} verify_boot_plot=false")


def test_a_changed_tunnel_costs_no_packet(network: Network, tmp_path: Path) -> None:
    """Another port at both ends: until both have it nothing passes the tunnel, and traffic goes by the reserve meanwhile. So it does on the way back."""
    core = network.on["hq-core"]

    def ports() -> list[str]:
        return [network.on[name].output("wg show wg1 listen-port").strip() for name in ("hq-core", "cloud-edge")]

    former = ports()
    links = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))["xgn_links"]
    moved = {**links[0], "ends": [{"node": node, "listen_port": OTHER_PORT} for node in links[0]["ends"]]}
    intent = tmp_path / "intent.yml"
    intent.write_text(yaml.safe_dump({"xgn_links": [moved, *links[1:]]}), encoding="utf-8")
    wait_for(partial(network.leaves_by, "hq-core", APPS), ["wg1"])
    for name, expected, arguments in (("other-port", [str(OTHER_PORT)] * 2, ["--extra-vars", f"@{intent}"]), ("former-port", former, [])):
        stream = Pinger(core, "office", DESTINATION)
        run = succeed("site", name, *arguments)
        wait_for(partial(network.leaves_by, "hq-core", APPS), ["wg1"])
        sent, lost = stream.lost()
        figure(f"a tunnel changed at both ends, {name}: packets lost", len(lost), f"of {sent}")
        assert ports() == expected
        assert "wg1: drain; traffic goes another way meanwhile" in run.stdout
        assert lost == [], f"{len(lost)} of {sent} were not answered: {lost}"
        assert "XGN-DRAIN" not in core.output("vtysh -c 'show running-config'")


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
