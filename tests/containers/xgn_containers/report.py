"""Results for people and for machines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from .scenarios import Case

# XML 1.0 knows no other control characters.
CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def write_junit(cases: Sequence[Case], path: Path) -> None:
    """Write one test suite for each scenario."""
    suites = ElementTree.Element("testsuites")
    for scenario in dict.fromkeys(case.scenario for case in cases):
        own = [case for case in cases if case.scenario == scenario]
        counts = Counter(case.outcome for case in own)
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=f"molecule.{scenario}",
            tests=str(len(own)),
            failures=str(counts["failed"]),
            skipped=str(counts["skipped"]),
            time=f"{sum(case.seconds for case in own):.3f}",
        )
        for case in own:
            element = ElementTree.SubElement(
                suite, "testcase", classname=f"molecule.{scenario}", name=case.name, time=f"{case.seconds:.3f}"
            )
            if case.outcome != "passed":
                kind = "failure" if case.outcome == "failed" else "skipped"
                text = CONTROL.sub("", case.detail)
                ElementTree.SubElement(element, kind, message=text.splitlines()[0] if text else "").text = text
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def summary(cases: Sequence[Case], seconds: float) -> str:
    """Return the reasons of what was skipped, each once, and one line of counts."""
    reasons = Counter((case.scenario, case.detail.removeprefix("Skipped: ")) for case in cases if case.outcome == "skipped")
    lines = [f"skipped {count} in {scenario}: {reason}" for (scenario, reason), count in sorted(reasons.items())]
    counts = Counter(case.outcome for case in cases)
    lines.append(f"containers: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped in {seconds:.0f} s")
    return "\n".join(lines)
