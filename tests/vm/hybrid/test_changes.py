"""Changes of the intent and changes by hand: what one run does about them, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from hybrid_network import Network, reset

from hybrid.runs import INVENTORY, changed, play, succeed


def test_a_new_vlan_disturbs_nothing(network: Network, tmp_path: Path) -> None:
    """One more VLAN in the intent is one more interface, and no session or interface notices."""
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
    extra.write_text(yaml.safe_dump({"xgn_nodes": nodes}), encoding="utf-8")
    shell = network.on["hq-nfv"]
    links = set(shell.output("ip -o link show | cut -d: -f1,2").splitlines())
    sessions = network.sessions()
    succeed("site", "vlan", "--limit", "hq-nfv", "--extra-vars", f"@{extra}")
    more = set(shell.output("ip -o link show | cut -d: -f1,2").splitlines())
    assert {line.split()[1] for line in more - links} == {"eth1.20@eth1"} and links <= more
    assert "10.20.0.1/24" in shell.output("ip -4 -brief address show dev eth1.20")
    assert reset(sessions, network.sessions()) == []
    shell.output("ping -n -c 1 -W 3 -I CORE 10.10.0.10")


def test_a_wrong_mac_is_found_and_repaired(network: Network, tmp_path: Path) -> None:
    """Where a cloud pins MAC to IP, another one is no network: verify names it, the next run sets it; what the tests before planned goes."""
    network.on["cloud-node"].output("ip link set dev eth0 address 52:54:00:00:00:99")
    run = play("verify", "wrong-mac", "--extra-vars", f"xgn_report_dir={tmp_path} verify_wait=1 verify_boot_plot=false")
    assert run.returncode != 0
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["checks"]
    failed = {check["name"] for check in found if check["status"] == "failed" and check["host"] == "cloud-node"}
    assert "Interface eth0 MAC" in failed, failed
    counts = changed(succeed("site", "repair"))
    assert counts["cloud-node"] >= 1 and counts["hq-nfv"] >= 1, counts
    assert "52:54:00:00:00:44" in network.on["cloud-node"].output("ip -brief link show dev eth0")
    assert network.on["hq-nfv"].run("ip link show dev eth1.20").returncode != 0
