"""The report in a real browser: nothing is loaded, nothing goes wrong, the drawing is there, the filter filters.

Needs Chromium (Debian: chromium); skipped with that reason where it is missing. The browser is steered by its command line alone.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.render import graphviz
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import render_page
from ansible_collections.xuegao.net.plugins.plugin_utils.report.topology import graph_of
from verify_demo import demo_report
from verify_samples import CUT

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    " --disable-sync --enable-logging=stderr --window-size=1280,900 --virtual-time-budget=3000"
).split()
# Runs in the page after its own script and leaves what it finds as JSON in an element.
PROBE = """
<script>
addEventListener("load", () => {
  const answer = {};
  const shown = () => [...document.querySelectorAll("#checks .check")].filter((check) => check.checkVisibility() ).length;
  const all = document.querySelectorAll("#checks .check").length;
  const svg = document.querySelector("#topology svg");
  const box = svg ? svg.getBoundingClientRect() : {width: 0, height: 0};
  answer.svg = [box.width, box.height];
  const plot = document.querySelector("#failover .plot img");
  answer.plot = plot ? [plot.naturalWidth, plot.naturalHeight] : null;
  answer.page = document.documentElement.scrollWidth;
  answer.titles = [...document.querySelectorAll("#topology title")].map((title) => title.textContent);
  answer.all = all;
  document.querySelectorAll("#checks .host").forEach((host) => { host.open = true; });
  answer.before = shown();
  const press = (name) => document.querySelector(`[data-filter=${name}]`).click();
  press("failed");
  answer.failed = shown();
  answer.text = document.getElementById("shown").textContent;
  press("all");
  const search = document.getElementById("search");
  search.value = "BFD  handshake-no-such";
  search.dispatchEvent(new Event("input"));
  answer.none = [shown(), document.getElementById("nothing").hidden];
  search.value = "bfd up";
  search.dispatchEvent(new Event("input"));
  answer.found = shown();
  answer.resources = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:"));
  const check = document.querySelector("#failures .check") || document.querySelector("#checks .check:not([hidden])");
  check.open = true;
  answer.command = check.querySelector(".command") ? check.querySelector(".command").getBoundingClientRect().height : 0;
  const element = document.createElement("pre");
  element.id = "probe";
  element.textContent = JSON.stringify(answer);
  document.body.append(element);
});
</script>
"""


def open_page(tmp_path: Path, page: str, size: str = "1280,900") -> tuple[dict[str, Any], str]:
    """Open a page with the probe in it; returns the probe's answer and the browser's log."""
    assert BROWSER is not None
    path = tmp_path / "report.html"
    path.write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    flags = [*FLAGS, f"--window-size={size}", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run([BROWSER, *flags, path.as_uri()], capture_output=True, text=True, timeout=90, check=False)
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page's script did not run: {done.stderr[-800:]}"
    text = found.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(text), done.stderr


@pytest.mark.parametrize(("count", "size"), [(2, "1280,900"), (20, "1280,900"), (4, "500,900")])
def test_the_report_in_a_browser(tmp_path: Path, count: int, size: str) -> None:
    report = demo_report(count, faults=True)
    svg, reason = graphviz.draw(*graph_of(report))
    assert svg is not None, reason
    answer, log = open_page(tmp_path, render_page(report, svg), size)
    assert "CONSOLE" not in log, "no message, no refused resource"
    assert answer["resources"] == []
    width, height = answer["svg"]
    assert width > 200
    assert height > 100
    assert answer["page"] <= int(size.partition(",")[0]), "the page does not scroll sideways"
    assert {host["host"] for host in report["hosts"]} <= set(answer["titles"])
    assert answer["before"] == answer["all"] == len(report["checks"])
    assert answer["failed"] == report["counts"]["failed"]
    assert answer["text"] == f"{report['counts']['failed']} shown"
    assert answer["none"] == [0, False]
    texts = [f"{check['host']} {check['name']} {check['detail']}".lower() for check in report["checks"]]
    assert answer["found"] == sum("bfd" in text and "up" in text for text in texts)
    assert answer["command"] > 10, "the command shows when a check is opened"


def test_the_plot_of_a_failover_is_shown(tmp_path: Path) -> None:
    report = demo_report(2)
    report["hosts"][0]["failover"] = [CUT]
    answer, log = open_page(tmp_path, render_page(report, None, "no drawing"), "500,900")
    assert "CONSOLE" not in log, "no message, no refused resource"
    assert answer["plot"] == [960, 140], "an image that is not shown has no size"
    assert answer["page"] <= 500, "the page does not scroll sideways"


def test_the_probe_notices_a_message(tmp_path: Path) -> None:
    """The log test above is worth something: a page that complains is seen."""
    page = render_page(demo_report(2), None, "no drawing").replace("</body>", '<script>console.error("x")</script></body>')
    _answer, log = open_page(tmp_path, page)
    assert "CONSOLE" in log
