"""What leaves the intent leaves the hosts: links, a service and the packet filter go without a trace while the traffic of the others runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from figures import figure
from hybrid_network import LOST_AT_MOST, Background, Network, Pinger, reset, wait_for

from hybrid.runs import INVENTORY, changed, play, succeed

pytestmark = pytest.mark.leaves_traces
# OpenVPN and L2TP/IPsec between the sites. WireGuard, link 1, stays and carries the traffic.
GONE = (2, 6)
EDGES = ("hq-core", "cloud-edge")
RESOLVERS = ("hq-nfv", "cloud-edge")
# Of its objects only the filter goes, which needs no yes beside that of the intent: the run that the others refuse takes it.
FILTER_ONLY = "cloud-node"
ANYCAST = "1.1.1.1/32"
YES = json.dumps({"xgn_remove_all": ["openvpn", "l2tp_ipsec", "dns_anycast"]})
# What was on each host, and must not be after it.
INTERFACES = {"ovpn2", "l2tp6"}
UNITS = {
    "hq-core": ("openvpn-*@ovpn2.service", "xl2tpd.service", "strongswan.service", "xgn-firewall.service"),
    "cloud-edge": (
        "openvpn-*@ovpn2.service",
        "xl2tpd.service",
        "strongswan.service",
        "xgn-firewall.service",
        "unbound.service",
        "xgn-anycast.*",
        "xgn-ssh-*",
    ),
    "hq-nfv": ("unbound.service", "xgn-anycast.*", "xgn-ssh-*"),
    "cloud-node": ("xgn-firewall.service",),
}


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the intent as it is without two of its links, the resolver and the filter."""
    intent = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))
    links = [link for link in intent["xgn_links"] if link["id"] not in GONE]
    services = {name: service for name, service in intent["xgn_services"].items() if name != "dns"}
    more = {"xgn_links": links, "xgn_services": services, "xgn_firewall": {"enabled": False}}
    path: Path = tmp_path_factory.mktemp("reduced") / "intent.yml"
    path.write_text(yaml.safe_dump(more), encoding="utf-8")
    return path


def verified(name: str, directory: Path, *arguments: str) -> tuple[int, dict[tuple[str, str], str]]:
    """Exit status of verify, and the detail of each check that failed, by host and name."""
    run = play("verify", name, "--extra-vars", f"xgn_report_dir={directory} verify_boot_plot=false", *arguments)
    checks = json.loads((directory / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    return run.returncode, {(item["host"], item["name"]): item["detail"] for item in checks if item["status"] == "failed"}


def alive(network: Network, host: str) -> list[str]:
    """Units, interfaces, tables and addresses of a host that should be gone."""
    shell = network.on[host]
    patterns = " ".join(f"'{pattern}'" for pattern in UNITS[host])
    found = shell.output(f"systemctl list-units --plain --no-legend --state=active,activating,failed {patterns} | cut -d' ' -f1").split()
    found += shell.output(f"systemctl list-unit-files --plain --no-legend --state=enabled {patterns} | cut -d' ' -f1").split()
    found += [name for name in INTERFACES if shell.succeeds(f"ip link show dev {name}")]
    found += re.findall(r"^table (\S+ xgn\S*)$", shell.run("nft list tables").stdout, re.MULTILINE)
    found += [ANYCAST] if ANYCAST in shell.output("ip -brief address") else []
    return sorted(set(found))


def test_a_lost_variable_is_refused_before_anything_is_changed(network: Network, reduced: Path) -> None:
    """Nobody has said yes: each host says what would go, and nothing goes. The filter is said to be off, which is a yes."""
    before = {host: alive(network, host) for host in UNITS}
    assert all(set(before[host]) >= INTERFACES for host in EDGES), before
    run = play("site", "removal-refused", "--extra-vars", f"@{reduced}")
    assert run.returncode != 0
    said = " ".join(run.stdout.split())
    for role in ("openvpn", "l2tp_ipsec", "dns_anycast"):
        assert f"nothing for role {role} any more, and all that it made on this host would go" in said, role
    assert "nothing for role firewall" not in said
    refused = [host for host in UNITS if host != FILTER_ONLY]
    assert {host: alive(network, host) for host in refused} == {host: before[host] for host in refused}
    assert before[FILTER_ONLY] and alive(network, FILTER_ONLY) == []


def test_verify_is_red_on_what_nothing_asks_for(network: Network, reduced: Path, tmp_path: Path) -> None:
    """Before site runs: each link, service and table that the intent no longer has is named."""
    status, failed = verified("leftovers", tmp_path, "--extra-vars", f"@{reduced}", "--extra-vars", "verify_wait=1")
    assert status != 0
    expected = {(host, f"Leftover interface {name}") for host in EDGES for name in ("ovpn2",)}
    expected |= {(host, "Leftover unit xl2tpd.service") for host in EDGES}
    expected |= {(host, "Leftover table inet xgn") for host in EDGES}
    expected |= {(host, "Leftover unit xgn-anycast.service") for host in RESOLVERS}
    assert expected <= failed.keys(), sorted(failed)


def test_all_of_it_goes_while_the_traffic_of_the_others_runs(network: Network, reduced: Path, tmp_path: Path) -> None:
    """No packet of a tunnel turns up in the main table, no session of another link notices, and nothing is left."""
    core = network.on["hq-core"]
    sessions = network.sessions()
    watched = [Background(network.on[host], "ip -o monitor route") for host in EDGES]
    pinger = Pinger(core, "office", "10.40.0.10")
    run = succeed("site", "removal", "--extra-vars", f"@{reduced}", "--extra-vars", YES)
    stream = pinger.stream()
    routes = [line for background in watched for line in background.stop()]
    assert stream is not None
    figure("two links, a service and the filter go: longest time without an answer", stream.gap, "s")
    assert stream.lost <= LOST_AT_MOST, stream
    # A route of the main table has no word for its table.
    fallen = [
        line for line in routes if not line.startswith("Deleted") and re.search(r"dev (ovpn2|l2tp6)\b", line) and " table " not in line
    ]
    assert fallen == []
    counts = changed(run)
    assert all(counts[host] for host in UNITS if host != FILTER_ONLY), counts
    assert {host: alive(network, host) for host in UNITS} == {host: [] for host in UNITS}
    now = network.sessions()
    assert reset({name: since for name, since in sessions.items() if name in now}, now) == []
    # Of the reserve's and the second tunnel's sessions none is left, of every other one each.
    assert len(now) >= len(sessions) - 2 * 2 * len(GONE), (sessions, now)
    again = changed(succeed("site", "removal-again", "--extra-vars", f"@{reduced}"))
    assert {host: again[host] for host in UNITS} == dict.fromkeys(UNITS, 0)
    status, failed = verified("removed", tmp_path, "--extra-vars", f"@{reduced}")
    assert (status, failed) == (0, {})


@pytest.mark.parametrize(
    ("plant", "name", "take"),
    [
        ("nft add table inet xgn_planted", "Leftover table inet xgn_planted", "nft delete table inet xgn_planted"),
        (
            "echo '# Written by Ansible (xuegao.net.planted).' >/etc/systemd/system/xgn-planted.service",
            "Leftover file /etc/systemd/system/xgn-planted.service",
            "rm /etc/systemd/system/xgn-planted.service",
        ),
        (
            "cp /etc/systemd/system/interface.service /root/was; echo '# by hand' >>/etc/systemd/system/interface.service",
            "File /etc/systemd/system/interface.service as written",
            "mv /root/was /etc/systemd/system/interface.service",
        ),
    ],
    ids=["table", "file", "changed"],
)
def test_a_planted_leftover_is_found(network: Network, reduced: Path, tmp_path: Path, plant: str, name: str, take: str) -> None:
    """Of things that nobody recorded, and of one of ours that somebody changed."""
    shell = network.on["hq-core"]
    shell.output(plant)
    try:
        status, failed = verified("planted", tmp_path, "--extra-vars", f"@{reduced}", "--limit", "hq-core")
    finally:
        shell.output(f"{take}; systemctl daemon-reload")
    assert status != 0
    assert ("hq-core", name) in failed, sorted(failed)


def test_what_comes_back_is_as_it_was(network: Network, tmp_path: Path) -> None:
    """The intent with all of it again: made as from the beginning, with the keys that stayed."""
    succeed("site", "removal-back")
    status, failed = verified("back", tmp_path)
    assert (status, failed) == (0, {})
    wait_for(lambda: network.on["hq-core"].succeeds("ip link show dev ovpn2"), True)
