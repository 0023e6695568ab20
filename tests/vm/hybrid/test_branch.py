"""A branch that Ansible does not manage joins hq-core (S35) from behind a NAT that forgets UDP after 10 s (S15).

The intent of these tests has one node more; the branch itself is a namespace on cloud-edge, behind that machine's public address, and runs nothing but
what the plan printed for its owner: WireGuard and BIRD. Plans that come later do not know it, so the next `site` takes it away again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import branch
import pytest
import steering_proof
import yaml
from conftest import LOGS
from hybrid_network import Network, reset, wait_for

from hybrid.runs import INVENTORY, changed, succeed

NODE = {"id": 5, "asn": 65510, "vrf": "CORE", "managed": False, "uplink": {"nat": True}, "networks": {"lan0": {"address": "192.0.2.1/24"}}}
LINK = {
    "id": 50,
    "type": "wireguard",
    "keepalive": 5,
    "ends": ["hq-core", {"node": branch.NODE, "public_key": "iM9lZkm7vH/qrK7gZTDDKUj3/hOzK8SSLMS2zOE+ujg="}],
}
PREFIX, HOST = "192.0.2.0/24", "192.0.2.1"
ROUTER, HOME = "hq-core", "cloud-edge"
TIMEOUTS = "net.netfilter.nf_conntrack_udp_timeout net.netfilter.nf_conntrack_udp_timeout_stream"
LEAVE = "pkill -F /run/branch/bird.pid; ip netns delete branch; ip link delete branch0 2>/dev/null; nft delete table ip branch_nat; rm -r /run/branch; "


@pytest.fixture(scope="module")
def intent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the inventory's nodes and links, and the branch's."""
    own = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))
    more = {"xgn_nodes": {**own["xgn_nodes"], branch.NODE: NODE}, "xgn_links": [*own["xgn_links"], LINK]}
    path: Path = tmp_path_factory.mktemp("branch") / "intent.yml"
    path.write_text(yaml.safe_dump(more), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def joined(network: Network, intent: Path) -> Iterator[None]:
    """The branch, made of the plan's files; hq-core has to have been told of it before."""
    directory = LOGS / "hybrid-branch-plan"
    # A second plan: only now the public key of hq-core's new interface is known.
    succeed("plan", "branch-plan", "--extra-vars", f"@{intent}", "--extra-vars", f"xgn_plan_directory={directory}")
    password = yaml.safe_load((INVENTORY / "group_vars" / "all" / "secrets.yml").read_text(encoding="utf-8"))["bgp_password"]
    home = network.on[HOME]
    before = home.output(f"sysctl {TIMEOUTS}").replace(" = ", "=").split()
    try:
        branch.set_up(home.output, "eth0", directory, password)
        yield
    finally:
        home.run(f"{LEAVE} sysctl -q {' '.join(before)}")


def test_a_fifth_node_disturbs_nothing(network: Network, intent: Path) -> None:
    """hq-core gets an interface and a session; the others only let one more prefix pass. No interface is made anew, no session reset."""
    links, sessions = network.links(), network.sessions()
    counts = changed(succeed("site", "branch", "--extra-vars", f"@{intent}"))
    assert counts[ROUTER] > 0, counts
    # The task that writes FRR's prefix lists, and no other.
    assert {name: counts[name] for name in counts if name != ROUTER} == {"hq-nfv": 1, "cloud-edge": 1, "cloud-node": 1}
    after = network.links()
    assert [name for name in links if after[name] != links[name]] == [ROUTER]
    (new,) = after[ROUTER] - links[ROUTER]
    assert new.endswith(f" wg{LINK['id']}") and links[ROUTER] <= after[ROUTER]
    assert reset(sessions, network.sessions()) == []


def test_the_unmanaged_branch_is_part_of_the_network(network: Network, joined: None) -> None:
    """S35: its session is up, both regions know its network, and reach it."""
    steering_proof.unmanaged_peer(network.on[HOME].output, network.on[ROUTER].output, "CORE", PREFIX)
    wait_for(lambda: network.leaves_by("cloud-node", PREFIX), ["vxlan1000"])
    for machine, namespace in (("hq-core", "office"), ("cloud-edge", "apps")):
        wait_for(partial(network.on[machine].succeeds, f"ip netns exec {namespace} ping -n -c 2 -i 0.2 -W 5 {HOST}"), True)


def test_silence_does_not_lose_a_peer_behind_a_nat(network: Network, joined: None) -> None:
    """S15: five minutes with nothing but keepalives, against a NAT that forgets after 10 s, and the counterpart without them."""
    router, home = network.on[ROUTER].output, network.on[HOME].output
    neighbors = network.on[ROUTER].vtysh("show bgp vrf CORE neighbors")
    (peer,) = [address for address, session in neighbors.items() if session.get("remoteAs") == NODE["asn"] and ":" not in address]
    figures = steering_proof.silent_branch(home, router, "CORE", peer)
    print(f"\n{figures}")
    assert figures["bytes from the branch in that time"] > 0
    steering_proof.unmanaged_peer(home, router, "CORE", PREFIX)
