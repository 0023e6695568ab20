# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as one self-contained HTML page."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import DIRECTORY
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import END_MARKS, WIDTHS
from ansible_collections.xuegao.net.plugins.plugin_utils.report.failover import cuts_of, plot
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.failover_test import problem_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import duration
from markupsafe import Markup

ROLE = DIRECTORY / "verify"
BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
# What the legend says of each kind and state of a link; only of those that are drawn.
KIND_LEGEND = {
    **{kind.name: kind.legend for kind in LINK_TYPES.values() if kind.tunnel},
    "docker": "Docker network of a container",
    **{kind.name: kind.legend for kind in LINK_TYPES.values() if not kind.tunnel},
    "bgp": "BGP session over no link of its own",
    "both": "all links and sessions of two hosts",
}
# The legend's drawings of Graphviz' arrow shapes.
ARROWS = {
    "": "",
    "dot": '<circle cx="3" cy="6" r="3"/><circle cx="35" cy="6" r="3"/>',
    "odot": '<circle class="open" cx="4" cy="6" r="3"/><circle class="open" cx="34" cy="6" r="3"/>',
    "box": '<path d="M0 3h6v6H0zM32 3h6v6h-6z"/>',
    "diamond": '<path d="M0 6l5-3 5 3-5 3zM28 6l5-3 5 3-5 3z"/>',
    "odiamond": '<path class="open" d="M0 6l5-3 5 3-5 3zM28 6l5-3 5 3-5 3z"/>',
    "tee": '<path d="M2 1v10M36 1v10" stroke-width="3"/>',
}
STATE_LEGEND = {
    "up": "✓ up: solid",
    "half": "up, but not whole: dashed; the label says what is missing",
    "down": "✗ down: dotted",
    "unknown": "? not known: dotted, grey",
}
COUNT_WORDS = ("passed", "failed", "skipped")


def render_page(report: Mapping[str, Any], svg: str | None, reason: str = "") -> str:
    """Write the page.

    Parameters:
        report: as `data.build_report` returns it.
        svg: the topology as an ``<svg>`` element made by Graphviz, which escapes every text; None when it could not be drawn.
        reason: why not, with the remedy.

    Returns:
        HTML that needs nothing else: no file, no server. Every value of the report is escaped.

    Raises:
        jinja2.TemplateError: the template and the report do not fit.
        OSError: the template cannot be read.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, size=size, data_uri=data_uri)
    cuts = [{**cut, "problem": problem_of(cut)} for cut in cuts_of(report)]
    return environment.get_template("report.html.j2").render(
        report=report,
        hosts=[page_host(host, report["checks"]) for host in report["hosts"]],
        failures=[check for check in report["checks"] if check["status"] == "failed"],
        cuts=cuts,
        cuts_plot=plot(cuts) if cuts else None,
        topology=None if svg is None else Markup(svg),
        legend=legend_of(svg or ""),
        widths=WIDTHS,
        end_marks={kind: Markup(ARROWS[mark]) for kind, mark in END_MARKS.items()},
        topology_reason=reason,
        style=Markup((ROLE / "files" / "report.css").read_text(encoding="utf-8")),
        script=Markup((ROLE / "files" / "report.js").read_text(encoding="utf-8")),
    )


def legend_of(svg: str) -> dict[str, Any]:
    """Return ``kinds`` and ``states`` with their words, and ``reserve``, of the links in a drawing."""
    links = [found.split() for found in re.findall(r'class="edge link ([^"]*)"', svg)]
    return {
        "kinds": {kind: words for kind, words in KIND_LEGEND.items() if any(kind in link for link in links)},
        "states": {state: words for state, words in STATE_LEGEND.items() if any(state in link for link in links)},
        "reserve": any("reserve" in link for link in links),
    }


def page_host(host: Mapping[str, Any], checks: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Add to a host's summary its checks, by subject, and their counts."""
    own = [check for check in checks if check["host"] == host["host"]]
    subjects: dict[str, list[Mapping[str, str]]] = {}
    for check in own:
        subjects.setdefault(check["name"].partition(" ")[0], []).append(check)
    counts = {status: sum(check["status"] == status for check in own) for status in COUNT_WORDS}
    return {**host, "subjects": subjects, "counts": counts}


def size(number: int | None) -> str:
    """Write a number of bytes: ``512 B``, ``3.4 MiB``."""
    if number is None:
        return "–"
    value = float(number)
    for unit in BYTE_UNITS:
        if value < 1024 or unit == BYTE_UNITS[-1]:
            break
        value /= 1024
    return f"{number} B" if unit == "B" else f"{value:.1f} {unit}"


def data_uri(svg: str) -> str:
    """Put an SVG text into an address that an image can show. Shown as an image, it can neither run a script nor load anything."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
