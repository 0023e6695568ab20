"""The report: one dictionary, three files, a table, a drawing; complete when things are missing, and free of secrets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import verify_samples as samples
from ansible_collections.xuegao.net.plugins.action.report import ActionModule, result_of, verdict
from ansible_collections.xuegao.net.plugins.action.verify_checks import secrets_of
from ansible_collections.xuegao.net.plugins.plugin_utils.render import graphviz
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import build_report, site_of
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import KIND_LEGEND, render_page, size
from ansible_collections.xuegao.net.plugins.plugin_utils.report.text import junit_xml, terminal_table
from ansible_collections.xuegao.net.plugins.plugin_utils.report.topology import graph_of
from verify_demo import demo_report

META = {"title": "Network verification", "inventory": "inventories/x", "made": "2026-11-23T02:14:57+00:00", "calls": {}}


def test_counts_and_checks_of_the_report() -> None:
    report = demo_report(2, faults=True)
    assert report["counts"]["failed"] == sum(check["status"] == "failed" for check in report["checks"]) > 0
    assert set(report["checks"][0]) == {"host", "name", "status", "command", "detail"}
    assert json.loads(json.dumps(report))["checks"] == report["checks"]


def test_the_table_ends_with_the_failed_checks() -> None:
    report = demo_report(2, faults=True)
    lines = terminal_table(report, width=100).splitlines()
    first = next(number for number, line in enumerate(lines) if "FAILED" in line)
    assert not [line for line in lines[first:] if "  ok  " in line]
    assert (
        lines[-1]
        == f"2 hosts: {report['counts']['passed']} passed, {report['counts']['failed']} failed, {report['counts']['skipped']} skipped"
    )
    for check in report["checks"]:
        if check["status"] == "failed":
            assert f"$ {check['command']}" in "\n".join(lines[first:])


def test_junit_is_valid_and_complete() -> None:
    report = demo_report(3, faults=True)
    report["checks"].append({"host": "hq\x00", "name": "<b>\x1b", "status": "failed", "command": "a && b", "detail": 'quote " and \x07'})
    report["counts"]["failed"] += 1
    top = ElementTree.fromstring(junit_xml(report))
    assert top.tag == "testsuites"
    cases = top.findall("testsuite/testcase")
    assert len(cases) == len(report["checks"]) == int(top.get("tests", 0))
    assert len(top.findall("testsuite/testcase/failure")) == report["counts"]["failed"] == int(top.get("failures", 0))
    for suite in top.findall("testsuite"):
        assert int(suite.get("tests", 0)) == len(suite.findall("testcase"))
        assert int(suite.get("skipped", 0)) == len(suite.findall("testcase/skipped"))


def test_everything_on_the_page_is_escaped() -> None:
    report = demo_report(2)
    evil = "<script>alert(1)</script>\"'&"
    report["title"] = report["inventory"] = evil
    report["checks"][0].update(name=f"BGP {evil}", detail=evil, command=evil)
    host = report["hosts"][0]
    host.update(site=evil, os=evil, kernel=evil)
    host["tunnels"][0].update(endpoint=evil)
    host["sessions"][0].update(description=evil, text=evil)
    host["vrfs"][0]["routes"][0].update(via=evil)
    host["boot_plot"] = "<svg onload='alert(1)'></svg>"
    svg, reason = graphviz.draw(*graph_of(report))
    page = render_page(report, svg, reason)
    assert "<script>alert" not in page
    assert "onload=" not in page
    assert page.count("<script>") == 1


def test_the_page_needs_nothing_from_outside() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"></svg>'
    page = render_page(demo_report(2, faults=True), svg)
    for text in ('src="http', 'href="http', "url(", "@import", '<link rel="stylesheet'):
        assert text not in page
    assert "default-src 'none'" in page


def test_without_graphviz_the_page_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    report = demo_report(2)
    svg, reason = graphviz.draw(*graph_of(report))
    assert svg is None
    page = render_page(report, svg, reason)
    assert "Install the package graphviz" in page
    assert "Kernel net.ipv4.ip_forward" in page


def test_a_host_without_a_result_is_a_failed_check() -> None:
    hostvars: dict[str, Any] = {"T9": {"ansible_facts": {}, "group_names": ["cloud"]}}
    report = build_report([result_of("T9", hostvars)], META)
    assert report["counts"] == {"passed": 0, "failed": 1, "skipped": 0}
    assert report["hosts"][0]["reachable"] is False
    assert verdict(report, "x.html") == "1 of 1 checks failed on T9: x.html"
    page = render_page(report, *graphviz.draw(*graph_of(report)))
    assert "its state could not be read" in page


def test_site_of_a_host() -> None:
    assert site_of({}, ["all", "cloud", "b"]) == "b"
    assert site_of({"verify_site": "hq"}, ["cloud"]) == "hq"
    assert site_of({}, ["all", "ungrouped"]) == ""


@pytest.mark.parametrize(("variables", "site"), [({}, "cloud"), ({"verify_site": "hq"}, "hq"), ({"verify_site": None}, "cloud")])
def test_a_host_without_a_result_is_drawn_where_it_belongs(variables: dict[str, Any], site: str) -> None:
    # Of the intent beside it nothing is read: the plan has said all there is to say.
    known = {"ansible_facts": {}, "group_names": ["cloud"], "xgn_nodes": {"T9": {"site": "elsewhere"}}, **variables}
    assert result_of("T9", {"T9": known})["summary"]["site"] == site


def test_secrets_are_found_at_every_depth_and_stand_nowhere_in_the_report(tmp_path: Path) -> None:
    variables, _registry, _states = samples.network(2)
    password = {"type": "str", "no_log": True}
    neighbors = {"type": "list", "elements": "dict", "options": {"password": password}}
    options = {"frr_bgp": {"type": "list", "elements": "dict", "options": {"neighbors": neighbors}}}
    assert secrets_of(variables["T1"], options) == {samples.PASSWORD: "password"}
    paths = ActionModule._write(tmp_path, demo_report(2, faults=True))
    for path in paths.values():
        assert samples.PASSWORD not in Path(path).read_text(encoding="utf-8")
    assert sorted(item.name for item in (tmp_path / "current").iterdir()) == ["junit.xml", "report.html", "report.json"]
    assert "boot_plot" not in (tmp_path / "current" / "report.json").read_text(encoding="utf-8")


def test_what_was_measured_of_failovers_is_in_every_part_of_the_report(tmp_path: Path) -> None:
    report = demo_report(2)
    assert "Failover" not in render_page(report, None)
    evil = "<script>alert(1)</script>"
    report["hosts"][0]["failover"] = [samples.CUT, {**samples.CUT, "method": "daemon", "recovered": False, "peer": evil}]
    page = render_page(report, None)
    assert page.count("<td>wg1</td>") == 2
    assert "wg1 → ovpn2 → wg1" in page
    assert 'alt="Round trips and losses while each tunnel was cut"' in page
    assert evil not in page
    ActionModule._write(tmp_path, report)
    kept = json.loads((tmp_path / "current" / "report.json").read_text(encoding="utf-8"))["hosts"][0]["failover"]
    assert [cut["lost"] for cut in kept] == [20, 20]
    assert all("samples" not in cut for cut in kept)
    probes = json.loads((tmp_path / "current" / "failover.json").read_text(encoding="utf-8"))
    assert [len(cut["samples"]) for cut in probes] == [100, 100]
    ElementTree.parse(tmp_path / "current" / "failover.svg")


def test_sizes() -> None:
    assert [size(number) for number in (None, 0, 1023, 1024, 5_000_000, 10**15)] == [
        "–",
        "0 B",
        "1023 B",
        "1.0 KiB",
        "4.8 MiB",
        "909.5 TiB",
    ]


@pytest.mark.starts_ansible
def test_the_playbook_reports_a_host_that_cannot_be_reached(tmp_path: Path) -> None:
    """A dead host is a failed check, the report is written, with --limit too, and the run fails."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: {T9: {ansible_host: 127.0.0.1, ansible_port: 1}, T8: {verify_wait: often}}}\n")
    root = Path(__file__).resolve().parents[3]
    report = tmp_path / "report"
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "playbooks/verify.yml"]
    done = subprocess.run(
        [*command, "-e", f"xgn_report_dir={report}", "--limit", "T9,T8"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    checks = json.loads((report / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    details = {check["host"]: (check["name"], check["status"], check["detail"]) for check in checks}
    assert details["T9"][:2] == ("Host reachable", "failed")
    assert "not reachable" in details["T9"][2]
    assert "verify_wait" in details["T8"][2]
    assert "FAILED   Host reachable" in done.stdout


@pytest.mark.parametrize("kind", graphviz.WIDTHS)
def test_the_legend_has_the_line_of_every_kind_and_its_mark(kind: str) -> None:
    page = render_page(demo_report(2), f'<svg><g class="edge link {kind} up"></g></svg>')
    caption = page.partition("<figcaption>")[2].partition("</figcaption>")[0]
    if kind == "both":
        assert "One line stands for all links" in caption
        return
    assert KIND_LEGEND[kind] in caption
    drawn = caption.partition(f'stroke-width="{graphviz.WIDTHS[kind]}"/>')[2].partition("</svg>")[0]
    assert bool(drawn) == bool(graphviz.END_MARKS[kind])
    assert ('class="open"' in drawn) == graphviz.END_MARKS[kind].startswith("o")
