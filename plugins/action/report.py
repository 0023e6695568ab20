# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.report: writes the report of all hosts on the controller, prints it, and fails if a check failed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.plugin_utils.common import run_directories
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, failing
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import name_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import draw
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import build_report, drawn_without_result, host_summary
from ansible_collections.xuegao.net.plugins.plugin_utils.report.failover import cuts_of, plot, table
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import render_page
from ansible_collections.xuegao.net.plugins.plugin_utils.report.text import junit_xml, terminal_table
from ansible_collections.xuegao.net.plugins.plugin_utils.report.topology import graph_of
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import unreachable

FACT = "xgn_verify"
# Below the working directory; behind it the inventory's name.
REPORTS = Path("build", "report")
# Reports that stay, the latest among them.
KEPT = 5


class ActionModule(ControllerAction):
    """Reads fact C(xgn_verify) of every host; makes no remote call."""

    OPTIONS: ClassVar[Options] = {
        "dest": {"type": "path"},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "title": {"type": "str", "default": "Network verification"},
        "calls": {"type": "dict", "default": {}},
        "fail": {"type": "bool", "default": True},
    }
    # It writes on the controller.
    VARIABLES = own_role_specs().options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Write C(report.html), C(report.json), C(junit.xml) and what was measured of failovers; print the tables; fail if a check failed."""
        meta = {
            "title": options["title"],
            "inventory": ", ".join(shown_path(str(source)) for source in known.get("ansible_inventory_sources") or []) or "no inventory",
            "made": datetime.now().astimezone().isoformat(timespec="seconds"),
            "calls": {str(host): int(number) for host, number in options["calls"].items()},
        }
        results = [result_of(host, known["hostvars"]) for host in options["hosts"]]
        report = build_report(results, meta)
        base = Path(options["dest"] or REPORTS / name_of_run(known)).absolute()
        # The same in check mode: a report is what was found, not a change of what is managed.
        paths = self._write(base, report)
        self._display.display("\n" + terminal_table(report, width=max(int(self._display.columns or 0), 100)))
        if cuts := cuts_of(report):
            self._display.display(table(cuts))
        self._display.display(f"Report: {paths['html']}\n")
        counts = report["counts"]
        failed = bool(counts["failed"]) and bool(options["fail"])
        return {"counts": counts, "paths": paths, "msg": verdict(report, paths["html"]), "failed": failed}

    @staticmethod
    def _write(base: Path, report: Mapping[str, Any]) -> dict[str, str]:
        """Write the files, all of one report, and return the paths of the report by kind."""
        svg, reason = draw(*graph_of(report))
        cuts = cuts_of(report)
        slim = {**report, "hosts": [slim_host(host) for host in report["hosts"]]}
        texts: dict[str, str | bytes] = {
            "report.html": render_page(report, svg, reason),
            "report.json": json.dumps(slim, indent=2, ensure_ascii=False) + "\n",
            "junit.xml": junit_xml(report),
        }
        measured = {"failover.json": json.dumps(cuts) + "\n", "failover.svg": plot(cuts)} if cuts else {}
        with failing("the report cannot be written"):
            run_directories.publish(base, "report", {**texts, **measured}, KEPT)
        return {name.rpartition(".")[2]: str(base / run_directories.CURRENT / name) for name in texts}


def slim_host(host: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is large: the timeline of the boot, which only the page shows, and the single probes, which have a file of their own."""
    cuts = [{key: value for key, value in cut.items() if key != "samples"} for cut in host["failover"]]
    return {**{key: value for key, value in host.items() if key != "boot_plot"}, "failover": cuts}


def result_of(host: str, hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the checks left for a host; a host that left nothing gets one failed check."""
    known = hostvars[host]
    left = (known.get("ansible_facts") or {}).get(FACT)
    if left:
        return {key: left[key] for key in ("host", "checks", "summary")}
    summary = host_summary(host, known.get("group_names") or [], drawn_without_result(known), {})
    checks = unreachable(host, "no result: the checks of this host were not made")
    return {"host": host, "checks": [check.as_dict() for check in checks], "summary": summary}


def verdict(report: Mapping[str, Any], path: str) -> str:
    """Say in a sentence how it went."""
    counts = report["counts"]
    if not counts["failed"]:
        return f"{counts['passed']} checks passed, {counts['skipped']} skipped: {path}"
    hosts = dict.fromkeys(check["host"] for check in report["checks"] if check["status"] == "failed")
    return f"{counts['failed']} of {len(report['checks'])} checks failed on {', '.join(hosts)}: {path}"


def shown_path(source: str) -> str:
    """Shorten the path of an inventory that lies below the working directory."""
    relative = os.path.relpath(source) if os.path.isabs(source) else source
    return source if relative.startswith("..") else relative
