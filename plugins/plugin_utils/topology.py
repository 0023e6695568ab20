# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network as a Graphviz graph: hosts as nodes, tunnels and BGP sessions as edges, with their state. Pure, but for `draw`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.checks_base import DEFAULT_VRF, canonical_address, duration

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


@dataclass(frozen=True)
class Node:
    """One box.

    Attributes:
        name: inventory name, or the address of a router Ansible does not manage.
        site: region, drawn as a frame; empty for none.
        lines: short facts below the name.
        passed, failed: numbers of checks.
        managed: False for a router Ansible does not manage.
        reachable: False when its state could not be read.
    """

    name: str
    site: str = ""
    lines: tuple[str, ...] = ()
    passed: int = 0
    failed: int = 0
    managed: bool = True
    reachable: bool = True


@dataclass(frozen=True)
class Link:
    """One line between two boxes.

    Attributes:
        ends: names of the two nodes.
        kind: ``wireguard`` or ``bgp``; ``both`` for lines that became one.
        state: ``up``, ``down``, ``half`` (the ends disagree) or ``unknown``.
        label: a few words beside the line.
        tooltip: what is shown when one points at it, a line per end.
    """

    ends: tuple[str, str]
    kind: str
    state: str
    label: str
    tooltip: str


@dataclass
class _Pair:
    """The two views of one tunnel or session, while they are put together."""

    states: list[str] = field(default_factory=list)
    bfd: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    title: str = ""


def graph_of(report: Mapping[str, Any]) -> tuple[list[Node], list[Link]]:
    """Return the nodes and links of a report (as `report_data.build_report` returns it)."""
    hosts: Sequence[Mapping[str, Any]] = report["hosts"]
    owners = {canonical_address(address): host["host"] for host in hosts for address in host["addresses"]}
    managed = {host["host"] for host in hosts}
    tunnels: dict[tuple[tuple[str, str], ...], _Pair] = {}
    sessions: dict[tuple[tuple[str, str], ...], _Pair] = {}
    for host in hosts:
        for tunnel in host["tunnels"]:
            here, there = (host["host"], tunnel["interface"]), (tunnel["peer"], tunnel["remote_interface"])
            pair = tunnels.setdefault(tuple(sorted([here, there])), _Pair(title=f"WireGuard {tunnel['interface']}"))
            pair.states.append(tunnel["state"])
            age = "" if tunnel["age"] is None else f", handshake {duration(tunnel['age'])} ago"
            pair.lines.append(f"{host['host']} {tunnel['interface']}: {STATE_WORDS[tunnel['state']]}{age}")
        for session in host["sessions"]:
            peer = owners.get(session["address"], session["description"] or session["address"])
            local = session["local"] or host["host"]
            key = tuple(sorted([(host["host"], str(local)), (peer, session["address"])]))
            pair = sessions.setdefault(key, _Pair(title="BGP" if session["vrf"] == DEFAULT_VRF else f"BGP {session['vrf']}"))
            pair.states.append(session["state"])
            pair.bfd += [session["bfd"]] if session["bfd"] else []
            up = f" for {duration(session['uptime'])}, {session['received']} prefixes" if session["state"] == "up" else ""
            bfd = f", BFD {STATE_WORDS[session['bfd']]}" if session["bfd"] else ""
            pair.lines.append(f"{host['host']} → {session['address']} (VRF {session['vrf']}): {session['text']}{up}{bfd}")
    links = [_link(key, "wireguard", pair) for key, pair in tunnels.items()] + [_link(key, "bgp", pair) for key, pair in sessions.items()]
    strangers = sorted({end for link in links for end in link.ends} - managed)
    nodes = [_node(host, report["checks"]) for host in hosts]
    nodes += [Node(name, lines=("not managed here",), managed=False) for name in strangers]
    return nodes, links


def _link(key: tuple[tuple[str, str], ...], kind: str, pair: _Pair) -> Link:
    state = _joint(pair.states)
    label = f"{pair.title} {STATE_WORDS[state]}"
    if pair.bfd:
        word = _joint(pair.bfd)
        label += f"\nBFD {STATE_WORDS[word]}"
        # A session without its watchdog is not what was asked for.
        state = "half" if state == "up" and word != "up" else state
    return Link((key[0][0], key[1][0]), kind, state, label, "\n".join([label.replace("\n", ", "), *pair.lines]))


def _joint(states: Sequence[str]) -> str:
    """Put together what the ends say: ``half`` when only one says up."""
    if len(set(states)) == 1:
        return states[0]
    return "half" if "up" in states else "down"


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


def _node(host: Mapping[str, Any], checks: Sequence[Mapping[str, str]]) -> Node:
    own = [check["status"] for check in checks if check["host"] == host["host"]]
    lines = []
    if host["asns"]:
        lines.append("AS " + ", ".join(str(asn) for asn in host["asns"]))
    lines += [f"ID {router_id}" for router_id in host["router_ids"][:2]]
    vrfs = [f"{vrf['name']}:{vrf['table']}" for vrf in host["vrfs"] if vrf["name"] != DEFAULT_VRF]
    if vrfs:
        lines.append("VRF " + ", ".join(vrfs[:3]) + ("…" if len(vrfs) > 3 else ""))
    return Node(host["host"], host["site"], tuple(lines), own.count("passed"), own.count("failed"), reachable=host["reachable"])


def quote(text: str) -> str:
    """Quote a text for DOT; a line break becomes ``\\n``."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def dot_source(nodes: Sequence[Node], links: Sequence[Link]) -> str:
    """Write the graph in DOT.

    Every shape has a class (``host``, ``ok``, ``bad``, ``stranger``; ``wireguard``, ``bgp``, ``up``, ``down`` …) so that a page
    can colour it; the attributes in the source serve who draws it without a page. Node order and link order are kept.
    """
    many = len(links) > LABELLED_LINKS
    lines = [
        "graph network {",
        '  graph [bgcolor="transparent", fontname="Helvetica", fontsize=11, rankdir=LR]',
        '  graph [pad=0.3, nodesep=0.7, ranksep=1.1, overlap=false, mindist=1.3, K=0.95, sep="+14", outputorder=edgesfirst]',
        f"  graph [splines={'line' if many else 'true'}]",
        '  node [shape=plain, fontname="Helvetica", fontsize=11]',
        '  edge [fontname="Helvetica", fontsize=9]',
    ]
    sites = list(dict.fromkeys(node.site for node in nodes))
    for number, site in enumerate(sites):
        inside = [f"    {quote(node.name)} {_node_attributes(node)}" for node in nodes if node.site == site]
        if site:
            frame = f'style="rounded", class="site", margin=18, fontsize={20 if many else 12}, label={quote(site)}'
            lines += [f"  subgraph cluster_{number} {{", f"    graph [{frame}]", *inside, "  }"]
        else:
            lines += inside
    shown = merged(links) if many else links
    lines += [f"  {quote(link.ends[0])} -- {quote(link.ends[1])} {_link_attributes(link)}" for link in shown]
    return "\n".join([*lines, "}", ""])


def _node_attributes(node: Node) -> str:
    if not node.managed:
        kind, words = "stranger", ""
    elif not node.reachable:
        kind, words = "bad", "not reachable"
    elif node.failed:
        kind, words = "bad", f"✗ {node.failed} of {node.passed + node.failed} failed"
    else:
        # A planned node has no checks yet.
        kind, words = "ok", f"✓ {node.passed} passed" if node.passed else ""
    colour = {"ok": "#1a7f4b", "bad": "#b3261e", "stranger": "#6b7280"}[kind]
    rows = [f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="14"><B>{escape(node.name)}</B></FONT></TD></TR>']
    rows += [f'<TR><TD ALIGN="LEFT">{escape(line)}</TD></TR>' for line in node.lines]
    if words:
        rows.append(f'<TR><TD ALIGN="LEFT"><FONT COLOR="{colour}"><B>{escape(words)}</B></FONT></TD></TR>')
    dashed = ' STYLE="ROUNDED,DASHED"' if kind == "stranger" else ' STYLE="ROUNDED"'
    width = 3 if kind == "bad" else 1
    inner = f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>'
    outer = f'BGCOLOR="white" BORDER="{width}" COLOR="{colour}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="8"'
    table = f"<TABLE{dashed} {outer}><TR><TD>{inner}</TD></TR></TABLE>"
    tip = ", ".join([node.name, *node.lines, *([words] if words else [])])
    return f'[label=<{table}>, class="host {kind}", tooltip={quote(tip)}]'


def _link_attributes(link: Link) -> str:
    style = {"up": "solid", "half": "dashed", "down": "dotted", "unknown": "dotted"}[link.state]
    colour = {"up": "#1a7f4b", "half": "#a15c00", "down": "#b3261e", "unknown": "#6b7280"}[link.state]
    width = {"wireguard": 4, "bgp": 1.6, "both": 1.4 if link.state == "up" else 3}[link.kind]
    size = ", fontsize=20" if link.kind == "both" else ""
    return (
        f'[class="link {link.kind} {link.state}", style={style}, color="{colour}", fontcolor="{colour}", penwidth={width:g}{size}, '
        f"label={quote(link.label)}, tooltip={quote(link.tooltip)}, labeltooltip={quote(link.tooltip)}, edgetooltip={quote(link.tooltip)}]"
    )


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
    engine = "dot" if len(nodes) <= RANKED_NODES else "fdp" if len({node.site for node in nodes}) > 1 else "circo"
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
    return svg.strip(), ""
