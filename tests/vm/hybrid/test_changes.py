"""Changes of the intent and changes by hand: what one run does about them, and what it leaves alone."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import yaml
from hybrid_network import Network, reset, wait_for

from hybrid.runs import INVENTORY, changed, planned, play, succeed

pytestmark = pytest.mark.leaves_traces
# One more tunnel between the two sites, of the same worth as the first.
EQUAL = {
    "id": 60,
    "type": "wireguard",
    "session": "link",
    "keepalive": 5,
    "ends": [{"node": "hq-core", "listen_port": 51860}, {"node": "cloud-edge", "listen_port": 51860}],
}
# hq-nfv's, which hq-core knows by OSPF alone.
NFV_LOOPBACK = "10.255.0.2/32"
FLOWS = 400
# What no option says of hq-core, and a port that only the other site finds open.
BESTPATH, LISTS, OWN_PORT = "bgp bestpath as-path multipath-relax", "bgp as-path access-list PRIVATE seq 5 permit _6451[2-9]_", 8080


def test_a_new_vlan_and_a_new_tunnel_disturb_nothing(network: Network, tmp_path: Path) -> None:
    """Each is one more interface on its hosts, and no session or interface notices."""
    intent = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))
    nodes = intent["xgn_nodes"]
    nodes["hq-nfv"]["networks"]["eth1.20"] = {
        "id": 1,
        "kind": "vlan",
        "parent": "eth1",
        "vlan": 20,
        "address": "10.20.0.1/24",
        "published": False,
    }
    extra = tmp_path / "intent.yml"
    extra.write_text(yaml.safe_dump({"xgn_nodes": nodes, "xgn_links": [*intent["xgn_links"], EQUAL]}), encoding="utf-8")
    links, sessions = network.links(), network.sessions()
    succeed("site", "more", "--limit", "hq-nfv,hq-core,cloud-edge", "--extra-vars", f"@{extra}")
    after = network.links()
    assert all(links[name] <= after[name] for name in links)
    assert {name: {line.split()[1] for line in after[name] - links[name]} for name in links} == {
        "hq-core": {"wg60"},
        "hq-nfv": {"eth1.20@eth1"},
        "cloud-edge": {"wg60"},
        "cloud-node": set(),
    }
    shell = network.on["hq-nfv"]
    assert "10.20.0.1/24" in shell.output("ip -4 -brief address show dev eth1.20")
    assert reset(sessions, network.sessions()) == []
    shell.output("ping -n -c 1 -W 3 -I CORE 10.10.0.10")


def test_equal_paths_share_the_flows(network: Network) -> None:
    """S18: both tunnels are in the kernel's table, and connections between the same two hosts take the one or the other."""
    core = network.on["hq-core"]

    def leaving(prefix: str) -> list[str]:
        return sorted(network.leaves_by("hq-core", prefix))

    for prefix in ("10.40.0.0/24", "fd00:40::/64"):
        wait_for(partial(leaving, prefix), ["wg1", "wg60"])
    (route,) = json.loads(core.output("ip -json route show table 200 10.40.0.0/24"))
    assert sorted(hop["dev"] for hop in route["nexthops"]) == ["wg1", "wg60"]

    def sent() -> dict[str, int]:
        return {name: int(core.output(f"cat /sys/class/net/{name}/statistics/tx_packets")) for name in ("wg1", "wg60")}

    before = sent()
    core.output(f"ip netns exec office bash -c 'for port in {{2001..{2000 + FLOWS}}}; do echo >/dev/udp/10.40.0.10/$port; done'")
    shares = {name: count - before[name] for name, count in sent().items()}
    print(f"\n{FLOWS} flows over two paths: {shares}")
    # Half each but for chance and BFD's own packets; one path alone would leave the other with those only.
    assert min(shares.values()) > FLOWS / 3, shares


def test_a_wrong_mac_and_a_lost_filter_are_found_and_repaired(network: Network, tmp_path: Path) -> None:
    """Where a cloud pins MAC to IP, another one is no network; and without its filter zebra denies what OSPF has learned, though only mgmtd shows it.

    Verify names both, and the next run repairs them; what the tests before planned goes.
    """
    # Down for a moment: not every driver takes one otherwise. The default route is lost with that, and has to come back, too.
    node, core = network.on["cloud-node"], network.on["hq-core"]
    node.output("ip link set dev eth0 down && ip link set dev eth0 address 52:54:00:00:00:99 && ip link set dev eth0 up")
    core.output("vtysh -d mgmtd -c 'configure terminal' -c 'no route-map IGP'")
    wait_for(partial(network.leaves_by, "hq-core", NFV_LOOPBACK), [])
    run = play("verify", "wrong-mac", "--extra-vars", f"xgn_report_dir={tmp_path} verify_wait=1 verify_boot_plot=false")
    assert run.returncode != 0
    found = json.loads((tmp_path / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    failed = {(check["host"], check["name"]) for check in found if check["status"] == "failed"}
    assert {("cloud-node", "Interface eth0 MAC"), ("hq-core", "FRR configuration runs as in frr.conf")} <= failed, failed
    counts = changed(succeed("site", "repair"))
    assert counts["cloud-node"] >= 1 and counts["hq-nfv"] >= 1, counts
    wait_for(partial(network.leaves_by, "hq-core", NFV_LOOPBACK), ["eth1"])
    assert "52:54:00:00:00:44" in node.output("ip -brief link show dev eth0")
    assert node.output("ip route show default").split()[:5] == ["default", "via", "172.16.0.3", "dev", "eth0"]
    for name, interface in (("hq-nfv", "eth1.20"), ("hq-core", "wg60"), ("cloud-edge", "wg60")):
        assert network.on[name].run(f"ip link show dev {interface}").returncode != 0, interface


def test_overrides_of_one_host_come_and_go(network: Network, tmp_path: Path) -> None:
    """Own lines and own rules are there after one run, seen by verify, nothing to do for the next, and gone with the variable; no session notices.

    The other hosts' plans do not change: nothing is done there.
    """
    core, edge = network.on["hq-core"], network.on["cloud-edge"]
    succeed("plan", "before-overrides")
    (asn,) = [instance["asn"] for instance in planned()["hq-core"]["frr_bgp"] if instance.get("vrf") == "CORE"]
    section = f"router bgp {asn} vrf CORE"
    own = tmp_path / "own"
    (own / "host_vars").mkdir(parents=True)
    (own / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"hq-core": None}}}), encoding="utf-8")
    chains = [{"chain": "public", "rules": [f"ip saddr 100.64.0.3 tcp dport {OWN_PORT} accept"]}]
    overrides = {"frr_lines": [{"section": [section], "lines": [BESTPATH]}, {"lines": [LISTS]}], "firewall_own_chains": chains}
    (own / "host_vars" / "hq-core.yml").write_text(yaml.safe_dump({"xgn_overrides": overrides}), encoding="utf-8")

    def running() -> list[bool]:
        lines = [line.strip() for line in core.output("vtysh -c 'show running-config'").splitlines()]
        return [line in lines for line in (section, BESTPATH, LISTS)]

    def answers() -> list[int]:
        found: list[int] = edge.python("scan", "100.64.0.1", str(OWN_PORT), str(OWN_PORT))["tcp"]
        return found

    sessions = network.sessions()
    assert (running(), answers()) == ([True, False, False], [])
    counts = changed(succeed("site", "overrides", "--inventory", str(own)))
    assert counts["hq-core"] >= 3 and not any(count for host, count in counts.items() if host != "hq-core"), counts
    assert (running(), answers()) == ([True, True, True], [OWN_PORT])
    options = f"xgn_report_dir={tmp_path} verify_boot_plot=false"
    succeed("verify", "overrides", "--inventory", str(own), "--limit", "hq-core", "--extra-vars", options)
    checks = json.loads((tmp_path / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    own_checks = [check for check in checks if check["name"].startswith(("FRR own lines", "Firewall own rules"))]
    assert [check["status"] for check in own_checks] == ["passed"] * 3, own_checks
    assert set(changed(succeed("site", "overrides-again", "--inventory", str(own))).values()) == {0}
    succeed("site", "no-overrides")
    assert (running(), answers()) == ([True, False, False], [])
    assert reset(sessions, network.sessions()) == []
