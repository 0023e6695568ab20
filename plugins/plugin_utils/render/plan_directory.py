# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan as a directory tree: what ``playbooks/plan.yml`` leaves for people and for the roles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common import run_directories
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.cycle_collector import without_collection
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render import tables
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import draw
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers import handover
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.vyos import vyos_commands
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import rendered_files
from ansible_collections.xuegao.net.plugins.plugin_utils.render.yaml_text import yaml_text

VARIABLES_FILE = "variables.yml"
_VARIABLES_OF_ALL = "plan.json"
# Plans that stay, the latest among them, and how long a run may take to read its own (seconds).
_KEPT = 5
_KEPT_SECONDS = 3600.0
_LABEL_LENGTH = 12
# Beyond this Graphviz takes minutes, and nobody finds a node.
_LARGEST_DRAWING = 60
_HEADING = "Planned by xuegao.net from the intent; changes made here are lost."
Keys = Mapping[str, Mapping[str, str]]


def plan_files(plan: Plan, public_keys: Keys | None = None, *, rendered: bool = True, vyos: bool = True) -> Iterator[tuple[str, str]]:
    """Yield relative path and text of every file of a plan, but for the drawing.

    Parameters:
        plan: the plan.
        public_keys: WireGuard public keys by node and interface, for the other side's configuration.
        rendered: also the files the roles will write, below ``HOST/files/``.
        vyos: also ``HOST/vyos.txt``.
    """
    for host, variables in plan.hosts.items():
        yield f"{host}/{VARIABLES_FILE}", yaml_text(variables, _HEADING)
        if rendered:
            for path, text in rendered_files(host, variables):
                yield f"{host}/files{path}", text
        # A container runs FRR and nothing else.
        if vyos and host in plan.intent.nodes:
            yield f"{host}/vyos.txt", _vyos(host, variables, plan, public_keys)
    for host, variables in plan.peers.items():
        yield f"{host}/vyos.txt", _vyos(host, variables, plan, public_keys)
        yield from ((f"{host}/{name}", text) for name, text in handover.peer_files(host, variables, plan.intent, public_keys or {}))
    rows = tables.link_rows(plan.intent)
    yield "links.csv", tables.csv_table(rows)
    yield "links.md", tables.markdown_table(rows)
    if plan.overrides:
        yield "overrides.md", tables.markdown_table(tables.override_rows(plan.overrides), "Overrides", tables.OVERRIDE_COLUMNS)


def _vyos(host: str, variables: HostVariables, plan: Plan, public_keys: Keys | None) -> str:
    return "\n".join([*vyos_commands(plan.intent.nodes[host], variables, plan.intent, public_keys), ""])


@dataclass(frozen=True)
class Written:
    """Where a plan is.

    Attributes:
        directory: that of this plan, which nobody changes any more.
        changed: it was made for this plan; the latest one was of another plan, or held less of this one.
        no_drawing: why there is no drawing; empty when there is one, or none was asked for.
    """

    directory: Path
    changed: bool
    no_drawing: str


def write_plan(
    plan: Plan,
    intent: Mapping[str, Any],
    base: Path,
    public_keys: Keys | None = None,
    *,
    rendered: bool = True,
    vyos: bool = True,
    drawing: bool = True,
    write: bool = True,
) -> Written:
    """Write a plan into a directory of its own, and make that the latest; see `run_directories`.

    The latest one is kept where it is of the same intent and holds all that is asked for now: it may hold more, which is of the same plan.

    Parameters:
        plan, intent: the plan, and what it was made of.
        base: made when missing.
        public_keys, rendered, vyos: as in `plan_files`.
        drawing: also ``topology.svg`` and ``index.html``.
        write: False to tell only whether anything would be written.

    Raises:
        OSError: the directory cannot be written.
    """
    with without_collection():
        files = dict(plan_files(plan, public_keys, rendered=rendered, vyos=vyos))
        files[_VARIABLES_OF_ALL] = json.dumps({**plan.hosts, **plan.peers})
    drawn, reason = drawing_files(plan) if drawing else ({}, "")
    files.update(drawn)
    label = hashlib.sha256(json.dumps(intent, sort_keys=True, default=str).encode()).hexdigest()[:_LABEL_LENGTH]
    latest = run_directories.current(base)
    if latest is not None and latest.name.endswith(f"-{label}") and run_directories.holds(latest, files):
        if write:
            run_directories.use(latest)
        return Written(latest, False, reason)
    if not write:
        return Written(base / run_directories.CURRENT, True, reason)
    return Written(run_directories.publish(base, label, files, _KEPT, _KEPT_SECONDS), True, reason)


def drawing_files(plan: Plan) -> tuple[dict[str, str], str]:
    """Return ``topology.svg`` and ``index.html``, the drawing with the table of links, and an empty text, or the reason why there is no drawing."""
    nodes, links = tables.drawing(plan.intent)
    if len(nodes) > _LARGEST_DRAWING:
        svg, reason = None, f"{len(nodes)} nodes are more than can be read; the most is {_LARGEST_DRAWING}"
    else:
        svg, reason = draw(nodes, links)
    page = {"index.html": tables.page(svg or "", tables.link_rows(plan.intent), tables.override_rows(plan.overrides))}
    return ({"topology.svg": svg, **page} if svg is not None else page), reason
