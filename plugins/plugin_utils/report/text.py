# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as text for a terminal, and as JUnit XML."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

# Characters XML 1.0 cannot hold, not even escaped.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MARKS = {"passed": "ok", "skipped": "skipped", "failed": "FAILED"}


def terminal_table(report: Mapping[str, Any], width: int = 110) -> str:
    """Write the checks as a table: host, status, check; grouped by host, the failed ones at the end with their detail.

    Parameters:
        report: as `build_report` returns it.
        width: columns of the terminal; details are wrapped to it.
    """
    checks: Sequence[Mapping[str, str]] = report["checks"]
    hosts = list(dict.fromkeys(check["host"] for check in checks))
    first = max([len(host) for host in hosts] + [4])
    names = max([columns(check["name"]) for check in checks] + [5])
    rule = "-" * min(width, first + names + 14)
    lines = [f"{'HOST':<{first}}  {'STATUS':<7}  CHECK", rule]
    for host in hosts:
        for check in checks:
            if check["host"] == host and check["status"] != "failed":
                reason = f" ({check['detail']})" if check["status"] == "skipped" else ""
                lines.append(f"{host:<{first}}  {MARKS[check['status']]:<7}  {check['name']}{reason}")
    failed = [check for check in checks if check["status"] == "failed"]
    if failed:
        lines.append(rule)
    indent = " " * (first + 11)
    for check in failed:
        lines.append(f"{check['host']:<{first}}  {MARKS['failed']:<7}  {check['name']}")
        lines += textwrap.wrap(check["detail"], max(width, 60), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        if check["command"]:
            lines.append(f"{indent}$ {check['command']}")
    counts = report["counts"]
    overridden = [f"{host['host']} ({len(host['overrides'])})" for host in report.get("hosts", ()) if host.get("overrides")]
    lines += [
        rule,
        *([f"Overrides lie over the plan of {', '.join(overridden)}"] if overridden else []),
        f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped",
    ]
    return "\n".join(lines)


def columns(text: str) -> int:
    """Return how many columns a text takes on a terminal; East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def junit_xml(report: Mapping[str, Any]) -> bytes:
    """Write the checks as JUnit XML (UTF-8): one test suite per host, one test case per check, the command in ``system-out``."""
    checks: Sequence[Mapping[str, str]] = report["checks"]
    counts = report["counts"]
    top = ElementTree.Element("testsuites", name=legal(str(report["title"])), tests=str(len(checks)), failures=str(counts["failed"]))
    for host in dict.fromkeys(check["host"] for check in checks):
        own = [check for check in checks if check["host"] == host]
        suite = ElementTree.SubElement(
            top,
            "testsuite",
            name=legal(host),
            tests=str(len(own)),
            failures=str(sum(check["status"] == "failed" for check in own)),
            errors="0",
            skipped=str(sum(check["status"] == "skipped" for check in own)),
            time="0",
            timestamp=str(report["made"])[:19],
            hostname=legal(host),
        )
        for check in own:
            case = ElementTree.SubElement(suite, "testcase", classname=legal(host), name=legal(check["name"]), time="0")
            if check["status"] == "failed":
                failure = ElementTree.SubElement(case, "failure", message=legal(check["detail"]), type="check")
                failure.text = legal(check["detail"])
            elif check["status"] == "skipped":
                ElementTree.SubElement(case, "skipped", message=legal(check["detail"]))
            if check["command"]:
                ElementTree.SubElement(case, "system-out").text = legal(f"$ {check['command']}")
    ElementTree.indent(top)
    return bytes(ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)) + b"\n"


def legal(text: str) -> str:
    """Replace what XML cannot hold by a question mark."""
    return NOT_XML.sub("?", text)
