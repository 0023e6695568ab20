# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network as a Graphviz graph: hosts and segments as nodes, links and BGP sessions as edges, with their state. Pure, but for `draw`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES

# Above this many lines the lines between two hosts become one, which says the rest when pointed at.
LABELLED_LINKS = 24
# Above this many hosts the ranks of `dot` get too wide.
RANKED_NODES = 6
# Worst first: the state of lines that became one.
WORST = ("down", "unknown", "half", "up")
MARKS = {"up": "", "half": "!", "down": "✗", "unknown": "?"}
DOT_PACKAGE = "graphviz"
# A line style and a word for each state beside its colour, for who does not see the colour.
STATE_WORDS = {"up": "up", "down": "DOWN", "unknown": "not known", "half": "up at one end"}
COLOURS = {"up": "#1a7f4b", "half": "#a15c00", "down": "#b3261e", "unknown": "#6b7280"}
STYLES = {"up": "solid", "half": "dashed", "down": "dotted", "unknown": "dotted"}
# The kind is told by width and by the mark at both ends, so that dashes and colours are left for the state.
WIDTHS = {kind.name: kind.width for kind in LINK_TYPES.values()} | {"docker": 2.0, "bgp": 1.2, "both": 1.4}
END_MARKS = {kind.name: kind.mark for kind in LINK_TYPES.values()} | {"docker": "odiamond", "bgp": "", "both": ""}


@dataclass(frozen=True)
class Node:
    """One box.

    Attributes:
        name: inventory name, or the address of a router Ansible does not manage.
        site: drawn as a frame; empty for none.
        lines: short facts below the name.
        passed, failed: numbers of checks.
        managed: False for a router Ansible does not manage.
        reachable: False when its state could not be read.
        segment: True for a network that joins more than two, which is no host.
        external: True for a neighbor that is no node, which is drawn small.
    """

    name: str
    site: str = ""
    lines: tuple[str, ...] = ()
    passed: int = 0
    failed: int = 0
    managed: bool = True
    reachable: bool = True
    segment: bool = False
    external: bool = False


@dataclass(frozen=True)
class Link:
    """One line between two boxes.

    Attributes:
        ends: names of the two nodes.
        kind: one of `WIDTHS`: a link's own, ``bgp`` for sessions that run over no link, or ``both`` for lines that became one.
        state: ``up``, ``down``, ``half`` (the ends disagree, or something over it is not up) or ``unknown``.
        label: a few words beside the line, the link's own in the first line, then what runs over it.
        tooltip: what is shown when one points at it, a line per end.
        reserve: True for a link that stands in for another.
        line_states: the state of each line of the label; `state` where there are fewer.
    """

    ends: tuple[str, str]
    kind: str
    state: str
    label: str
    tooltip: str
    reserve: bool = False
    line_states: tuple[str, ...] = ()


def merged(links: Sequence[Link]) -> list[Link]:
    """Make one line of all lines between two nodes, with the worst of their states, marked if that is not ``up``."""
    pairs: dict[tuple[str, ...], list[Link]] = {}
    for link in links:
        pairs.setdefault(tuple(sorted(link.ends)), []).append(link)
    result = []
    for between in pairs.values():
        state = next(word for word in WORST if any(link.state == word for link in between))
        result.append(Link(between[0].ends, "both", state, MARKS[state], "\n".join(link.tooltip for link in between)))
    return result


def quote(text: str) -> str:
    """Quote a text for DOT; a line break becomes ``\\n``."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def dot_source(nodes: Sequence[Node], links: Sequence[Link]) -> str:
    """Write the graph in DOT.

    Every shape has a class (``host``, ``ok``, ``bad``, ``stranger``, ``segment``; ``link wireguard up reserve`` …) so that a page
    can colour it; the attributes in the source serve who draws it without a page. Node order and link order are kept.
    """
    many = len(links) > LABELLED_LINKS
    shown = merged(links) if many else links
    between = "nodesep=0.7, ranksep=1.1" if many else "nodesep=0.22, ranksep=0.36"
    lines = [
        "graph network {",
        '  graph [bgcolor="transparent", fontname="DejaVu Sans,Helvetica,sans-serif", fontsize=11, rankdir=TB]',
        f'  graph [pad=0.15, {between}, overlap=false, mindist=1.3, K=0.95, sep="+14", outputorder=edgesfirst]',
        f"  graph [splines={'line' if many else 'true'}]",
        '  node [shape=plain, fontname="DejaVu Sans,Helvetica,sans-serif", fontsize=11]',
        '  edge [fontname="DejaVu Sans,Helvetica,sans-serif", fontsize=9]',
    ]
    sites = list(dict.fromkeys(node.site for node in nodes))
    site_of = {node.name: node.site for node in nodes}
    cards = {} if many else {number: f"{link.ends[0]} – {link.ends[1]}, {number + 1}" for number, link in enumerate(shown)}
    for number, site in enumerate(sites):
        inside = [f"    {quote(node.name)} {_node_attributes(node)}" for node in nodes if node.site == site]
        for card, name in cards.items():
            if {site_of.get(end) for end in shown[card].ends} == {site}:
                inside.append(f"    {quote(name)} {_card_attributes(shown[card])}")
        if site:
            frame = f'style="rounded", class="site", margin=12, labeljust=l, fontsize={20 if many else 12}, label={quote(site)}'
            lines += [f"  subgraph cluster_{number} {{", f"    graph [{frame}]", *inside, "  }"]
        else:
            lines += inside
    for card, name in cards.items():
        link = shown[card]
        if len({site_of.get(end) for end in link.ends}) > 1:
            lines.append(f"  {quote(name)} {_card_attributes(link)}")
        lines.append(f"  {quote(link.ends[0])} -- {quote(name)} {_link_attributes(link, 'tail')}")
        lines.append(f"  {quote(name)} -- {quote(link.ends[1])} {_link_attributes(link, 'head')}")
    if many:
        lines += [f"  {quote(link.ends[0])} -- {quote(link.ends[1])} {_link_attributes(link)}" for link in shown]
    return "\n".join([*lines, "}", ""])


def _node_attributes(node: Node) -> str:
    if node.segment:
        kind, words = "segment", ""
    elif not node.managed:
        kind, words = "stranger", ""
    elif not node.reachable:
        kind, words = "bad", "not reachable"
    elif node.failed:
        kind, words = "bad", f"✗ {node.failed} of {node.passed + node.failed} failed"
    else:
        # A planned node has no checks yet.
        kind, words = "ok", f"✓ {node.passed} passed" if node.passed else ""
    colour = {"ok": "#1a7f4b", "bad": "#b3261e", "stranger": "#6b7280", "segment": "#6b7280"}[kind]
    size, padding = (10, 3) if node.external else (14, 8)
    rows = [f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="{size}"><B>{escape(node.name)}</B></FONT></TD></TR>']
    rows += [f'<TR><TD ALIGN="LEFT">{escape(line)}</TD></TR>' for line in node.lines]
    if words:
        rows.append(f'<TR><TD ALIGN="LEFT"><FONT COLOR="{colour}"><B>{escape(words)}</B></FONT></TD></TR>')
    dashed = ' STYLE="ROUNDED,DASHED"' if kind == "stranger" else ' STYLE="ROUNDED"'
    width = 3 if kind == "bad" else 1
    inner = f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>'
    outer = f'BGCOLOR="white" BORDER="{width}" COLOR="{colour}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{padding}"'
    table = f"<TABLE{dashed} {outer}><TR><TD>{inner}</TD></TR></TABLE>"
    tip = ", ".join([node.name, *node.lines, *([words] if words else [])])
    return f'[label=<{table}>, class="host {kind}", tooltip={quote(tip)}]'


def _classes(link: Link) -> str:
    return f"link {link.kind} {link.state}" + (" reserve" if link.reserve else "")


def _link_attributes(link: Link, end: str = "") -> str:
    """Write a whole line with its label, or the half of it between the label's card and the host at ``tail`` or ``head``."""
    colour = COLOURS[link.state]
    width = 3 if link.kind == "both" and link.state != "up" else WIDTHS[link.kind]
    # Two thin lines in place of a thick one: a reserve is empty until it is needed.
    drawn, width = (f"{colour}:invis:{colour}", 1.4) if link.reserve else (colour, width)
    mark = END_MARKS[link.kind] if end else ""
    marks = f", dir={'back' if end == 'tail' else 'forward'}, arrowsize=0.6, arrow{end}={mark}" if mark else ""
    label = "" if end else f"fontsize=20, label={quote(link.label)}, labeltooltip={quote(link.tooltip)}, "
    return (
        f'[class="{_classes(link)}", style={STYLES[link.state]}, color="{drawn}", fontcolor="{colour}", penwidth={width:g}{marks}, '
        f"{label}tooltip={quote(link.tooltip)}, edgetooltip={quote(link.tooltip)}]"
    )


def _card_attributes(link: Link) -> str:
    """Write a label as a node in the line itself, so that no layout lays one over another; each line has the colour of its state."""
    rows = []
    for number, line in enumerate(link.label.split("\n")):
        state = link.line_states[number] if number < len(link.line_states) else link.state
        name, dot, rest = line.partition(" · ") if number == 0 and link.kind != "bgp" else ("", "", line)
        # Graphviz drops a space that follows a tag.
        strong = f"<B>{escape(name)}</B>&#160;{dot.strip()} " if dot else escape(name)
        rows.append(f'<TR><TD><FONT COLOR="{COLOURS[state]}">{strong}{escape(rest)}</FONT></TD></TR>')
    table = (
        f'<TABLE STYLE="ROUNDED" BGCOLOR="white" BORDER="1" COLOR="{COLOURS[link.state]}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="5">'
    )
    table += f'<TR><TD><TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{"".join(rows)}</TABLE></TD></TR></TABLE>'
    return f'[label=<{table}>, class="card {link.state}", fontsize=10, tooltip={quote(link.tooltip)}]'


def draw(nodes: Sequence[Node], links: Sequence[Link], timeout: float = 60) -> tuple[str | None, str]:
    """Draw the graph with Graphviz on this machine.

    Parameters:
        timeout: seconds given to Graphviz.

    Returns:
        The ``<svg>`` element and an empty text, or None and the reason with its remedy.
    """
    if not nodes:
        return None, "There are no hosts to draw."
    program = shutil.which("dot")
    if program is None:
        return None, f"Graphviz is not installed on the controller. Install the package {DOT_PACKAGE} and make the report again."
    # fdp keeps the hosts of a site together, circo has no sites but a clear circle.
    hosts = [node for node in nodes if not node.segment and not node.external]
    engine = "dot" if len(hosts) <= RANKED_NODES else "fdp" if len({node.site for node in hosts}) > 1 else "circo"
    try:
        done = subprocess.run(
            [program, f"-K{engine}", "-Tsvg"],
            input=dot_source(nodes, links),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"Graphviz did not finish within {timeout:.0f} s."
    start = done.stdout.find("<svg")
    if done.returncode != 0 or start < 0:
        return None, f"Graphviz failed: {done.stderr.strip()[:300]}"
    # A link without a target is no link: keep its tooltip as a title, which every browser shows.
    svg = re.sub(r'<a xlink:title="([^"]*)">', r"<g><title>\1</title>", done.stdout[start:]).replace("</a>", "</g>")
    return _with_tail_marks(svg.strip()), ""


def _with_tail_marks(svg: str) -> str:
    """Give the marks at the tail of double lines their colour: Graphviz takes the second of the list, which is the gap between the lines."""
    colour = ""
    lines = svg.split("\n")
    for number, line in enumerate(lines):
        if line.startswith("<path") and (found := re.search(r'stroke="(#\w+)"', line)):
            colour = found[1]
        elif line.startswith(("<ellipse", "<polygon", "<polyline")):
            lines[number] = line.replace('="transparent"', f'="{colour}"')
    return "\n".join(lines)
