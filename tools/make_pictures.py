"""Make the pictures of README.md anew: docs/pictures/topology.svg and docs/pictures/report.png.

Usage: tools/make_pictures.py

The topology is what `xuegao.net.plan` draws for inventories/hybrid. The report is the page that `xuegao.net.verify` writes, for the sample
network of the unit tests with some faults in it, so that it needs no lab. Needs Graphviz, and Chromium for the report.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests" / "unit" / "verify")]

from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.render import graphviz  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import drawing_files  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import render_page  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.report.topology import graph_of  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
INTENT = ROOT / "inventories" / "hybrid" / "group_vars" / "all" / "intent.yml"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking --virtual-time-budget=3000".split()
SIZE = "1000,1350"


def topology() -> None:
    """Draw the plan of the hybrid network."""
    plan = make_plan(yaml.safe_load(INTENT.read_text(encoding="utf-8")))
    files, reason = drawing_files(plan)
    if reason:
        sys.exit(reason)
    svg = files["topology.svg"]
    # Black letters, on the dark page of a forge too.
    (PICTURES / "topology.svg").write_text(svg.replace("<svg ", '<svg style="background:#fff" ', 1), encoding="utf-8")


def report() -> None:
    """Take a screenshot of the report of the sample network."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit("Chromium is not installed (Debian: apt-get install chromium)")
    found = importlib.import_module("verify_demo").demo_report(2, faults=True)
    svg, reason = graphviz.draw(*graph_of(found))
    if svg is None:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "report.html"
        page.write_text(render_page(found, svg), encoding="utf-8")
        target = PICTURES / "report.png"
        flags = [*FLAGS, f"--window-size={SIZE}", f"--user-data-dir={directory}/profile", f"--screenshot={target}"]
        subprocess.run([browser, *flags, page.as_uri()], check=True, capture_output=True, timeout=90)


def main() -> int:
    """Make both."""
    PICTURES.mkdir(exist_ok=True)
    topology()
    report()
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
