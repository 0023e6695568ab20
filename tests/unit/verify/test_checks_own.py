"""Own lines of frr.conf and own chains of the packet filter: what runs is found where it was written, what is missing is named, no secret is shown."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_frr_lines import gather_frr_lines, lines_by_section
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import build_report, drawn_without_result, host_summary
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import render_page
from ansible_collections.xuegao.net.plugins.plugin_utils.report.text import terminal_table
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

# Written after the form of FRR 10.3, with sections of three depths.
RUNNING = """\
Building configuration...

Current configuration:
!
frr version 10.3
frr defaults traditional
hostname r1
ip nht resolve-via-default
!
key chain LAN
 key 1
  key-string xgnSecretLan
 exit
exit
!
interface eth1 vrf CORE
 ip ospf priority 5
exit
!
router bgp 65001 vrf CORE
 bgp router-id 192.0.2.1
 bgp bestpath as-path multipath-relax
 !
 address-family ipv4 unicast
  neighbor 192.0.2.2 soft-reconfiguration inbound
 exit-address-family
exit
!
end
"""
LINES: list[dict[str, Any]] = [
    {"section": [], "lines": ["ip nht resolve-via-default"]},
    {"section": ["key chain LAN", "key 1"], "lines": ["key-string <secret lan>"]},
    {"section": ["interface eth1"], "lines": ["ip ospf priority 5"]},
    {"section": ["router bgp 65001 vrf CORE", "address-family ipv4 unicast"], "lines": ["neighbor 192.0.2.2 soft-reconfiguration inbound"]},
]
DECLARED = "table inet xgn {\n\tchain own_public {\n\t\ttcp dport 9100 accept\n\t\ttcp dport 9101 accept\n\t}\n\n\tchain own_forward {\n\t\tcounter\n\t}\n}\n"
VARIABLES = cast(
    HostVariables,
    {
        "verify_roles": ["frr", "firewall"],
        "frr_lines": LINES,
        "frr_secrets": {"lan": "xgnSecretLan"},
        "firewall_own_chains": [
            {"chain": "public", "rules": ["tcp dport 9100 accept", "tcp dport 9101 accept"]},
            {"chain": "forward", "rules": ["counter"]},
        ],
        "firewall_trusted_interfaces": [],
        "verify_overrides": ["frr_log_level: informational becomes <b>debugging</b> (xgn_overrides)"],
    },
)


def gathered(text: str, rc: int = 0) -> dict[str, Any]:
    return gather_frr_lines(Gatherer(lambda command, timeout=30: Finished(rc, text, "")), LINES)


def results(running: str, live: str = DECLARED) -> dict[str, tuple[str, str]]:
    state = {"frr_lines": gathered(running), "filter": {"command": "nft", "data": {"live": live, "declared": DECLARED}, "error": None}}
    return {check.name: (check.status, check.detail) for check in host_checks("r1", VARIABLES, state) if " own " in check.name}


def test_sections_are_told_by_their_indentation() -> None:
    found = lines_by_section(RUNNING)
    assert found[("key chain LAN", "key 1")] == ["key-string xgnSecretLan"]
    assert found[("router bgp 65001 vrf CORE",)] == [
        "bgp router-id 192.0.2.1",
        "bgp bestpath as-path multipath-relax",
        "address-family ipv4 unicast",
        "exit-address-family",
    ]
    assert "interface eth1" in found[()] and found[("interface eth1",)] == ["ip ospf priority 5"]


def test_the_module_is_asked_for_them_without_secrets() -> None:
    asked = gather_arguments(VARIABLES)
    assert asked["frr_lines"] == LINES and asked["filter"].count("chain own_") == 2
    assert "xgnSecret" not in json.dumps(asked)
    assert gather_arguments(cast(HostVariables, {"verify_roles": ["firewall"], "frr_lines": LINES}))["frr_lines"] == []


def test_healthy() -> None:
    found = results(RUNNING)
    assert {status for status, _detail in found.values()} == {"passed"}
    assert list(found) == [
        "FRR own lines in no section",
        "FRR own lines in key chain LAN / key 1",
        "FRR own lines in interface eth1",
        "FRR own lines in router bgp 65001 vrf CORE / address-family ipv4 unicast",
        "Firewall own rules of chain own_public",
        "Firewall own rules of chain own_forward",
    ]
    assert "xgnSecret" not in json.dumps([found, gathered(RUNNING)])


@pytest.mark.parametrize("entry", LINES, ids=lambda entry: "/".join(entry["section"]))
def test_a_missing_line_is_named(entry: dict[str, Any]) -> None:
    (line,) = entry["lines"]
    gone = "\n".join(one for one in RUNNING.splitlines() if line.partition(" <")[0] not in one)
    found = results(gone)
    name = f"FRR own lines in {' / '.join(entry['section']) or 'no section'}"
    assert found.pop(name) == ("failed", f"FRR does not run {line}")
    assert {status for status, _detail in found.values()} == {"passed"}


def test_a_line_in_another_section_is_not_there() -> None:
    moved = RUNNING.replace("65001 vrf CORE", "65001")
    assert results(moved)["FRR own lines in router bgp 65001 vrf CORE / address-family ipv4 unicast"][0] == "failed"


@pytest.mark.parametrize(("text", "rc"), [("", 1), ("", 0), ("% Unknown command", 0)])
def test_what_is_no_configuration_is_no_answer(text: str, rc: int) -> None:
    assert gathered(text, rc)["data"] is None and gathered(text, rc)["error"]


@pytest.mark.parametrize(
    ("live", "detail"),
    [
        (DECLARED.replace("\t\ttcp dport 9100 accept\n", ""), "missing tcp dport 9100 accept"),
        (
            DECLARED.replace("\t\ttcp dport 9100 accept\n", "\t\taccept\n\t\ttcp dport 9100 accept\n"),
            "found accept; tcp dport 9100 accept; tcp dport 9101 accept",
        ),
        (
            DECLARED.replace("9100", "x").replace("9101", "9100").replace("x", "9101"),
            "found tcp dport 9101 accept; tcp dport 9100 accept",
        ),
        ("table inet xgn {\n}\n", "there is no chain own_public"),
    ],
    ids=["one less", "one more", "another order", "none"],
)
def test_own_rules_that_differ(live: str, detail: str) -> None:
    assert results(RUNNING, live)["Firewall own rules of chain own_public"] == ("failed", detail)


def test_the_report_shows_overrides() -> None:
    summary = host_summary("r1", [], VARIABLES, {})
    report = build_report(
        [{"host": "r1", "checks": [], "summary": summary}], {"title": "T", "inventory": "i", "made": "2026-11-29T00:00:00", "calls": {}}
    )
    assert summary["overrides"] == list(VARIABLES["verify_overrides"])
    page = render_page(report, None)
    assert "<h2>Overrides</h2>" in page and "becomes &lt;b&gt;debugging&lt;/b&gt; (xgn_overrides)" in page
    assert "Overrides lie over the plan of r1 (1)" in terminal_table(report)
    without = build_report([{"host": "r1", "checks": [], "summary": host_summary("r1", [], cast(HostVariables, {}), {})}], report)
    assert "Overrides" not in render_page(without, None) + terminal_table(without)
    assert drawn_without_result({"verify_overrides": ["one"]}) == {"verify_overrides": ["one"]}
