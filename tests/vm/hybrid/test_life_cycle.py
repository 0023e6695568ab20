"""Life cycle of a network that lives: another AS number and another table in one run, then a node that leaves, while the traffic of the others runs."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from figures import figure
from hybrid_network import LOST_AT_MOST, Network, Pinger, reset, wait_for

from hybrid.runs import INVENTORY, changed, play, succeed

ASN = 4200000002
TABLE = 300
LEAVES = "hq-nfv"
STAYING = ("hq-core", "cloud-edge", "cloud-node")
APPS = "10.40.0.0/24"
# hq-core's own network, which the host behind cloud-node reaches without the node that leaves.
STAYS = "8.8.4.4"
ANYCAST = "1.1.1.1/32"
# What was there of ours, each with a command that prints nothing once it is gone.
TRACES = (
    "ls -d /var/lib/xgn /etc/systemd/system/frr.service /etc/systemd/system/gobgpd.service 2>/dev/null",
    "find /etc /usr/local -name '*xgn*'",
    "ip -brief link show type vrf",
    "ip -brief link show type vlan",
    "nft list tables | grep xgn",
    "ip -brief address | grep -E '10[.]254[.]|10[.]255[.]|10[.]10[.]0[.]1/|fd00:'",
    "ip route show table all | grep -E 'table (200|201|300)( |$)'",
    "ip rule show | grep 32765",
    "systemctl list-units --plain --no-legend --state=active,activating,failed interface.service 'xgn-*'",
    f"ip -brief address | grep {ANYCAST}",
)

Intent = dict[str, Any]


@pytest.fixture(scope="module")
def base(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for records of this group alone, in which all hosts have recorded what they applied."""
    assert network.on
    directory: Path = tmp_path_factory.mktemp("life-cycle")
    assert set(changed(succeed("site", "life-recorded", *records(directory))).values()) == {0}
    assert {path.stem for path in (directory / "applied").glob("*.txt")} >= {*STAYING, LEAVES}
    return directory


def records(directory: Path) -> tuple[str, str]:
    return "--extra-vars", f"xgn_applied_directory={directory / 'applied'}"


def intent() -> Intent:
    """The network with another AS number of a site, and another table of its VRF."""
    found: Intent = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))
    found["xgn_sites"]["cloud"]["asn"] = ASN
    found["xgn_vrfs"]["CORE"]["table"] = TABLE
    return found


def given(directory: Path, name: str, found: Intent) -> tuple[str, ...]:
    """Arguments that give a run an intent in place of that of the inventory, and the records of this group."""
    path = directory / f"{name}.yml"
    path.write_text(yaml.safe_dump(found), encoding="utf-8")
    return "--extra-vars", f"@{path}", *records(directory)


def said(output: str) -> str:
    """An output as one line, since Ansible breaks long ones."""
    return " ".join(output.split())


def in_table(network: Network, name: str, prefix: str) -> list[int]:
    """Which of the two tables of the VRF a host has a route to a prefix in."""
    return [table for table in (200, TABLE) if network.on[name].output(f"ip route show table {table} {prefix} 2>/dev/null || true").strip()]


def test_changes_are_refused_or_told_before_a_host_is_touched(network: Network, base: Path) -> None:
    """A node that only has another name now, half of a change, and what a whole one interrupts."""
    sessions = network.sessions()
    renamed = copy.deepcopy(intent())
    renamed["xgn_nodes"] = {"west" if name == "cloud-edge" else name: node for name, node in renamed["xgn_nodes"].items()}
    renamed = json.loads(json.dumps(renamed).replace('"cloud-edge"', '"west"'))
    run = play("plan", "life-renamed", "--check", *given(base, "renamed", renamed))
    assert run.returncode != 0
    assert "if xgn_nodes.west, which has its id, is its new name: write was: cloud-edge there" in said(run.stdout)
    half = play("site", "life-half", "--limit", "cloud-edge", *given(base, "changed", intent()))
    assert half.returncode != 0 and "have to make this change in one run, and this one leaves out" in said(half.stdout)
    told = said(succeed("plan", "life-told", "--check", *given(base, "changed", intent())).stdout)
    assert f"cloud-edge: AS number 65502 becomes {ASN} (xgn_sites.cloud.asn)" in told
    assert f"VRF CORE: table 200 becomes {TABLE} (xgn_vrfs.CORE.table) on cloud-edge, cloud-node, hq-core, hq-nfv" in told
    assert reset(sessions, network.sessions()) == []


def test_one_run_gives_a_site_another_as_number_and_the_vrf_another_table(network: Network, base: Path) -> None:
    """Every session is up again, every route is in the new table and in no other, and the next run has nothing to do."""
    before = set(network.sessions())
    stream = Pinger(network.on["cloud-edge"], "apps", STAYS)
    run = succeed("site", "life-changed", *given(base, "changed", intent()))
    assert all(changed(run)[name] for name in (*STAYING, LEAVES))
    wait_for(lambda: before <= set(network.sessions()), True)
    wait_for(partial(in_table, network, "hq-core", APPS), [TABLE])
    wait_for(partial(in_table, network, "cloud-node", f"{STAYS}/32"), [TABLE])
    figure("another AS number and another table in one run: longest time without an answer", stream.longest_gap(), "s")
    for name in (*STAYING, LEAVES):
        shell = network.on[name]
        assert f"table {TABLE}" in shell.output("ip -details link show dev CORE"), name
        assert shell.run("ip route show table 200").stdout.strip() == "", name
    assert str(ASN) in network.on["hq-core"].output("vtysh -c 'show bgp vrf CORE summary'")
    assert set(changed(succeed("site", "life-again", *given(base, "changed", intent()))).values()) == {0}


def test_a_node_leaves_without_a_trace_and_nobody_else_notices(network: Network, base: Path, tmp_path: Path) -> None:
    """Its router and its peer drop their ends, its host is as it was before the collection, and site, plan and verify go on without it."""
    found = intent()
    found["xgn_nodes"][LEAVES]["retired"] = True
    arguments = given(base, "retired", found)
    refused = play("site", "life-not-yet", *arguments)
    assert refused.returncode != 0 and f"xgn_nodes['{LEAVES}'].retired: is true" in said(refused.stdout)
    assert any(network.on[LEAVES].run(trace).stdout.strip() for trace in TRACES)
    sessions = network.sessions()
    stream = Pinger(network.on["cloud-edge"], "apps", STAYS)
    options = {"xgn_report_dir": str(tmp_path), "verify_boot_plot": False}
    run = succeed("retire", "life-retired", *arguments, "--extra-vars", json.dumps(options))
    others = stream.stream()
    assert others is not None
    figure("a node leaves: longest time without an answer for the others", others.gap, "s")
    assert others.lost <= LOST_AT_MOST, others
    table = said(run.stdout)
    assert f"{LEAVES} (id 2) leaves the network." in table and "No other node carries 10.10.0.0/24, fd00:10::/64: that is lost." in table
    assert [trace for trace in TRACES if network.on[LEAVES].run(trace).stdout.strip()] == []
    core = network.on["hq-core"]
    assert not core.succeeds("ip link show dev eth1.100") and "10.255.0.2" not in core.output("vtysh -c 'show running-config'")
    now = network.sessions()
    gone = {name for name in sessions if name.startswith(LEAVES) or name.endswith(("10.255.0.2", "fd00:255::2"))}
    assert reset({name: since for name, since in sessions.items() if name not in gone}, now) == []
    assert ANYCAST in network.on["cloud-edge"].output("ip -brief address"), "the other instance answers"
    assert not (base / "applied" / f"{LEAVES}.txt").exists()
    checks = json.loads((tmp_path / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    assert [item["status"] for item in checks if item["host"] == LEAVES] == ["passed"]
    assert {item["status"] for item in checks} <= {"passed", "skipped"}
    # Its entry and its host may stay for a while: nobody touches it.
    again = changed(succeed("site", "life-without", *arguments))
    assert {again[name] for name in STAYING} == {0} and again[LEAVES] == 0
    assert not network.on[LEAVES].succeeds("test -e /var/lib/xgn")
