"""What is counted as lost, how long traffic was away, and what the table and the plot make of it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
import verify_samples as samples
from ansible_collections.xuegao.net.plugins.module_utils.icmp_probe import checksum, longest_silence, lost_between
from ansible_collections.xuegao.net.plugins.modules.failover_cut import table as filter_table
from ansible_collections.xuegao.net.plugins.plugin_utils.report.failover import plot, table
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.failover_test import failover_checks, problem_of

CUT = samples.CUT
PROBES = samples.PROBES


def test_lost_and_silence() -> None:
    assert lost_between(PROBES, 0.25, 0.9) == 20
    assert longest_silence(PROBES, 0.25, 0.9) == pytest.approx(0.21)


def test_an_answer_that_came_late_does_not_shorten_the_silence() -> None:
    held_back = [(sent, 0.5 - sent + 0.002 if trip is None else trip) for sent, trip in PROBES]
    assert lost_between(held_back, 0.25, 0.9) == 0
    assert longest_silence(held_back, 0.25, 0.9) == pytest.approx(0.21)


def test_silence_to_the_end_counts() -> None:
    dead = [(sent, None if sent >= 0.3 else trip) for sent, trip in PROBES]
    assert longest_silence(dead, 0.25, 5.0) == pytest.approx(4.708)


def test_checksum_is_that_of_rfc_1071() -> None:
    # The example of section 3: the sum of these words is ddf2.
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2 ^ 0xFFFF


def test_the_way_in_is_the_mirror_image_of_the_way_out() -> None:
    text = filter_table(["ip daddr 192.0.2.1 tcp dport 11942"])
    assert "ip daddr 192.0.2.1 tcp dport 11942 counter drop" in text
    assert "ip saddr 192.0.2.1 tcp sport 11942 counter drop" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"recovered": False}, "did not come back"),
        ({"path_cut": "wg1"}, "had no effect"),
        ({"path_cut": "wg1", "method": "wire"}, None),
        ({"outage_ms": 2701}, "2701 ms, more than 3 x 900 ms"),
        ({"returned": False, "path_after": "ovpn2"}, "stayed on ovpn2"),
        ({"return_outage_ms": 2800}, "on its return"),
    ],
)
def test_verdict(change: dict[str, Any], words: str | None) -> None:
    problem = problem_of({**CUT, **change})
    assert (problem is None) if words is None else words in (problem or "")


def test_every_cut_is_a_check() -> None:
    good, bad = failover_checks("hq", [CUT, {**CUT, "method": "daemon", "outage_ms": 2701}])
    assert (good.host, good.name, good.status) == ("hq", "Failover wg1 packets", "passed")
    assert "to cloud by wg1, ovpn2 while cut, then wg1: 20 probes lost, 210 ms without an answer (limit 2700 ms)" in good.detail
    assert (bad.name, bad.status) == ("Failover wg1 daemon", "failed")
    assert "2701 ms, more than 3 x 900 ms" in bad.detail


def test_table_names_what_failed() -> None:
    lines = table([CUT, {**CUT, "recovered": False}]).splitlines()
    assert lines[1].endswith("passed")
    assert lines[2].endswith("FAILED")
    assert "210 ms" in lines[1]


def test_plot_is_svg_with_one_gap() -> None:
    root = ElementTree.fromstring(plot([CUT]))
    red = [item for item in root.iter("{http://www.w3.org/2000/svg}rect") if item.get("fill") == "#d32f2f"]
    assert len(red) == 1
    texts = [item.text or "" for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("hq to cloud, wg1 packets dropped: 20 probes lost, 210 ms (limit 2700 ms)" in text for text in texts)
