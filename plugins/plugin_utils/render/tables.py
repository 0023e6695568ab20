# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan for people: a table of links as CSV and Markdown, and the topology for the drawing."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Intent, Link
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Override
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.firewall import ports_of
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import Link as DrawnLink
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import Node as DrawnNode

LINK_COLUMNS = (
    "id",
    "type",
    "vrf",
    "node a",
    "interface a",
    "addresses a",
    "ports a",
    "node b",
    "interface b",
    "addresses b",
    "ports b",
    "mtu",
    "routing",
    "reserve of",
)


OVERRIDE_COLUMNS = ("host", "variable", "over the plan")


def override_rows(overrides: Mapping[str, Sequence[Override]]) -> list[list[str]]:
    """Return a row for each thing that a person has written over the plan, under `OVERRIDE_COLUMNS`."""
    return [[host, item.layer, item.sentence] for host, found in overrides.items() for item in found]


def link_rows(intent: Intent) -> list[list[str]]:
    """Return a row for each link, in the order of ids, under `LINK_COLUMNS`."""
    return [_row(link) for link in sorted(intent.links, key=lambda item: item.id)]


def _row(link: Link) -> list[str]:
    first, second = link.ends
    routing = f"bgp ({link.session})" if link.routing == "bgp" else link.routing
    reserve = "" if link.reserve_of is None else str(link.reserve_of)
    return [
        *(str(link.id), link.type, link.vrf or "default"),
        *(first.node.name, first.interface, _addresses(first, link), _ports(first, link)),
        *(second.node.name, second.interface, _addresses(second, link), _ports(second, link)),
        *(str(link.mtu), routing, reserve),
    ]


def _addresses(end: End, link: Link) -> str:
    return " ".join(str(end.addresses[family]) for family in FAMILIES if family in link.families)


def _ports(end: End, link: Link) -> str:
    """Return what has to be open at an end, and wherever else packets are filtered on their way to it; and what a NAT has to forward there."""
    found = [f"{protocol}/{number}" if number else protocol for protocol, number in ports_of(link, end)]
    outside = f" (outside {end.outside_port})" if end.outside_port != end.listen_port else ""
    return " ".join(found) + outside


def csv_table(rows: Sequence[Sequence[str]]) -> str:
    """Return the link table as CSV with a heading."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LINK_COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def markdown_table(rows: Sequence[Sequence[str]], title: str = "Links", columns: Sequence[str] = LINK_COLUMNS) -> str:
    """Return a table, that of the links when not told otherwise, as Markdown."""
    lines = [" | ".join(columns), " | ".join("---" for _column in columns)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join([f"# {title}", "", *(f"| {line} |" for line in lines), ""])


_STYLE = (
    "body{font:14px sans-serif;margin:2em;color:#111}table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:.3em .6em;text-align:left}"
    "th{background:#f3f4f6}svg{max-width:100%;height:auto}"
)


def page(svg: str, rows: Sequence[Sequence[str]], overrides: Sequence[Sequence[str]] = ()) -> str:
    """Return one HTML page with the drawing and the tables, without anything from outside.

    Parameters:
        svg: an ``<svg>`` element; empty for none.
        rows: the link table.
        overrides: the table of overrides; empty for none.
    """
    title = "<title>Plan of the network</title>"
    start = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{title}<style>{_STYLE}</style></head><body>'
    tables = _html_table("Links", LINK_COLUMNS, rows) + (_html_table("Overrides", OVERRIDE_COLUMNS, overrides) if overrides else "")
    return f"{start}\n<h1>Plan of the network</h1>\n{svg}{tables}</body></html>\n"


def _html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"\n<h2>{title}</h2>\n<table><tr>{head}</tr>\n{body}\n</table>"


def drawing(intent: Intent) -> tuple[list[DrawnNode], list[DrawnLink]]:
    """Return nodes and links for `graphviz.draw`. A plan knows no state, so every link's is ``unknown``."""
    nodes = []
    for node in intent.nodes.values():
        lines = [address.bare for address in node.loopback.values()]
        if node.asn is not None:
            lines.insert(0, f"AS {node.asn}")
        nodes.append(DrawnNode(node.name, node.site or "", tuple(lines), managed=node.managed))
    links = []
    for link in sorted(intent.links, key=lambda item: item.id):
        first, second = link.ends
        label = f"{link.type} {link.id}{'' if link.reserve_of is None else ' · reserve'}\nMTU {link.mtu}"
        tip = f"{first.interface} {_addresses(first, link)} - {second.interface} {_addresses(second, link)}; {link.arithmetic}"
        reserve = link.reserve_of is not None
        links.append(DrawnLink((first.node.name, second.node.name), link.type, "unknown", label, tip, reserve=reserve))
    for segment in intent.segments:
        for node in segment.members:
            if node is not segment.gateway:
                label = f"VNI {segment.vni}\nMTU {segment.mtu}"
                links.append(DrawnLink((segment.gateway.name, node.name), "vxlan", "unknown", label, str(segment.path)))
    for neighbor in intent.neighbors:
        words = neighbor.relation.replace("_", " ")
        nodes.append(DrawnNode(neighbor.name, lines=(f"{words}, AS {neighbor.asn}",), managed=False, external=True))
        place = neighbor.interface or "loopback"
        tip = f"{place} - {' '.join(address.bare for address in neighbor.addresses.values()) or 'unnumbered'}, {vrf_text(neighbor.vrf)}"
        links.append(DrawnLink((neighbor.node.name, neighbor.name), "bgp", "unknown", "BGP", tip))
    return nodes, links
