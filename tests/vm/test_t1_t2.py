"""What the issue of the foundation asks of the running pair, beyond its molecule scenario."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from conftest import HOSTS, INVENTORY, Pair
from controller import LOGS, ROOT

BGP_PASSWORD = "T1-and-T2-test"
# Remote module calls of an unchanged host over preflight, firewall, sysctl, wireguard, vrf and frr, the one that gives it back among them.
CALL_BUDGET = 13
LINK = ["10.1.1.1/30", "10.1.1.2/30"]
NEXT_HOPS = 'vtysh -c "show bgp vrf CORE nexthop"'


@pytest.mark.reference
def test_scenario(scenario: tuple[int, str]) -> None:
    """On the distribution's kernels: converge from bare hosts, reboot of both, every check and every test."""
    status, failure = scenario
    assert status == 0, failure


@pytest.mark.reference
def test_the_reboot_left_a_report_with_every_check_passed(scenario: tuple[int, str]) -> None:
    directory = LOGS / "after-reboot" / "current"
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    assert {check["host"] for check in report["checks"]} == set(HOSTS)
    assert [check for check in report["checks"] if check["status"] == "failed"] == []
    assert len(ElementTree.parse(directory / "junit.xml").findall(".//testcase")) == len(report["checks"])
    page = (directory / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page and "frr.service" in page


@pytest.mark.parametrize("unit", ["wg-quick@wg0", "frr"])
def test_address_and_session_return_after_a_restart(pair: Pair, unit: str) -> None:
    """On both machines at once, which nothing but the units themselves brings back."""
    pair.everywhere(f"systemctl restart {unit}")
    for host in HOSTS:
        pair.established_at(host)
    assert [brief.split()[2:] for brief in pair.everywhere("ip -4 -brief address show dev wg0")] == [[address] for address in LINK]
    assert all("master CORE" in link for link in pair.everywhere("ip link show dev wg0"))
    assert pair.everywhere("/usr/lib/frr/frr-reload.py --test --stdout /etc/frr/frr.conf 2>/dev/null | wc --chars") == ["0\n", "0\n"]


def test_second_run_changes_nothing(pair: Pair) -> None:
    before = [pair.established_at(host) for host in HOSTS]
    run = pair.play("site")
    assert run.status == 0, run.output[-5000:]
    assert [run.recap(host, "changed") for host in HOSTS] == [0, 0]
    # FRR counts back from now in whole seconds, so an untouched session may be a second off.
    assert [pair.established_at(host) for host in HOSTS] == pytest.approx(before, abs=1), "a session was reset"
    calls = {host: run.remote_calls(host) for host in HOSTS}
    print(f"\nremote module calls of an unchanged host: {calls}")
    assert max(calls.values()) <= CALL_BUDGET
    # What the hosts applied is what is planned, by whatever way each of the two is computed.
    compared = pair.play("plan", "--check")
    assert "Compared with what T1, T2 applied at " in compared.output and "No host changes." in compared.output


def test_drift_is_repaired(pair: Pair) -> None:
    pair.shell("T1", "ip link set dev wg0 nomaster")
    assert pair.play("site").recap("T1", "changed") > 0
    assert "master CORE" in pair.shell("T1", "ip link show dev wg0")
    assert pair.shell("T1", "ip -4 -brief address show dev wg0").split()[2] == LINK[0]


LAN = {"id": 1, "kind": "bridge", "published": False}


def test_a_lan_leaves_the_intent_and_routing_lives(pair: Pair, tmp_path: Path) -> None:
    """FRR 10.3 on T1, FRR 8.4 on T2, whose bgpd takes the deletion of an interface for that of every next hop of its VRF.

    The kernel's interface goes before FRR's configuration of it.
    """
    nodes = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))["xgn_nodes"]
    for number, host in enumerate(HOSTS):
        nodes[host]["networks"]["lan9"] = {**LAN, "address": f"10.99.{number}.1/24"}
    more = tmp_path / "more.yml"
    more.write_text(yaml.safe_dump({"xgn_nodes": nodes}), encoding="utf-8")
    assert pair.play("site", "--extra-vars", f"@{more}").status == 0
    for number, host in enumerate(HOSTS):
        assert f"10.99.{number}.1/24" in pair.shell(host, "ip -4 -brief address show vrf CORE")
    before = [pair.established_at(name) for name in HOSTS]
    run = pair.play("site")
    assert run.status == 0, run.output[-5000:]
    for host in HOSTS:
        assert pair.attempt(host, "ip link show dev lan9").returncode != 0
        assert "lan9" not in pair.shell(host, "vtysh -c 'show running-config'; cat /etc/frr/frr.conf")
        assert "invalid" not in pair.shell(host, NEXT_HOPS)
        assert "proto bgp" in pair.shell(host, "ip route show table 200")
    assert [pair.established_at(name) for name in HOSTS] == pytest.approx(before, abs=1), "a session was reset"
    run = pair.play("site")
    assert run.status == 0
    assert [run.recap(host, "changed") for host in HOSTS] == [0, 0]


def test_dead_peer_does_not_stop_the_other(pair: Pair, tmp_path: Path) -> None:
    dead = tmp_path / "dead.yml"
    dead.write_text("all: {hosts: {T2: {ansible_port: 9}}}\n", encoding="utf-8")
    run = pair.play("site", "--inventory", str(dead))
    assert run.recap("T2", "unreachable") == 1
    assert (run.recap("T1", "failed"), run.recap("T1", "changed")) == (0, 0)
    assert len(pair.shell("T1", "wg show wg0 peers").split()) == 1


def test_unknown_dead_peer_is_named_and_nothing_is_changed(pair: Pair, tmp_path: Path) -> None:
    dead = tmp_path / "dead.yml"
    dead.write_text("all: {hosts: {T2: {ansible_port: 9}}}\n", encoding="utf-8")
    before = pair.shell("T1", "wg show wg0 dump | cut -f1-4; cat /etc/wireguard/wg0.conf | sha256sum")
    run = pair.play("site", "--limit", "T1", "--inventory", str(dead), "--extra-vars", f"wireguard_key_registry={tmp_path}/registry")
    assert run.status != 0
    assert "peer T2, interface wg0" in run.output
    assert pair.shell("T1", "wg show wg0 dump | cut -f1-4; cat /etc/wireguard/wg0.conf | sha256sum") == before


def test_killed_runs_converge_afterwards(pair: Pair) -> None:
    """One run finishes what the killed ones began; the next, for one host alone, keeps the peers and finds nothing left."""
    for seconds in (6, 14):
        other = json.dumps({"frr_log_level": "warnings", "sysctl_settings": {"net.ipv4.tcp_mtu_probing": seconds % 3}})
        pair.play_and_kill("site", seconds, "--extra-vars", other)
    assert pair.play("site").status == 0
    run = pair.play("site", "--limit", "T1")
    assert (run.status, run.recap("T1", "changed")) == (0, 0)
    assert len(pair.shell("T1", "wg show wg0 peers").split()) == 1
    assert "master CORE" in pair.shell("T1", "ip link show dev wg0")


def test_no_secret_in_any_output(pair: Pair) -> None:
    """Every run above was made with ``--diff -vvv``."""
    secrets = [BGP_PASSWORD] + [pair.shell(host, "cat /etc/wireguard/wg0.key").strip() for host in HOSTS]
    assert all(len(secret) > 10 for secret in secrets)
    files = [
        *LOGS.glob("vm-*.log"),
        *(path for path in (ROOT / "build").rglob("*") if path.suffix in {".json", ".html", ".xml"} and path.is_file()),
    ]
    assert len(files) > 8
    leaks = [f"{path}" for path in files for secret in secrets if secret in path.read_text(encoding="utf-8", errors="replace")]
    assert leaks == []
