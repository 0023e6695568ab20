# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan as a directory tree: what ``playbooks/plan.yml`` leaves for people and for the roles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
_STATE_FILE = "plan.json"
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


def _vyos(host: str, variables: HostVariables, plan: Plan, public_keys: Keys | None) -> str:
    return "\n".join([*vyos_commands(plan.intent.nodes[host], variables, plan.intent, public_keys), ""])


def write_plan(plan: Plan, directory: Path, public_keys: Keys | None = None, *, rendered: bool = True, vyos: bool = True) -> list[str]:
    """Write a plan, and remove what a former plan left there and this one does not have.

    What is not asked for this time, rendered files or VyOS commands, stays where it still tells the truth: with hosts whose variables are the same.

    Parameters:
        directory: made when missing. Only what an earlier call wrote is removed.

    Returns:
        The paths of the files that changed, relative to the directory, sorted.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    former = previous_hosts(directory)
    for host in former.keys() - plan.hosts.keys() - plan.peers.keys():
        shutil.rmtree(directory / host, ignore_errors=True)
    written: set[str] = set()
    changed: list[str] = []
    parents: set[Path] = set()
    with without_collection():
        for name, text in plan_files(plan, public_keys, rendered=rendered, vyos=vyos):
            path = directory / name
            if path.parent not in parents:
                path.parent.mkdir(parents=True, exist_ok=True)
                parents.add(path.parent)
            written.add(name)
            if _write(path, text):
                changed.append(name)
    current = json.dumps({**plan.hosts, **plan.peers})
    for host, variables in json.loads(current).items():
        if not (rendered and vyos) and former.get(host) == variables:
            continue
        for path in sorted((directory / host).rglob("*")):
            if path.is_file() and path.relative_to(directory).as_posix() not in written:
                path.unlink()
                changed.append(path.relative_to(directory).as_posix())
    _write(directory / _STATE_FILE, current)
    return sorted(changed)


def _write(path: Path, text: str) -> bool:
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except OSError:
        pass
    path.write_text(text, encoding="utf-8")
    return True


def previous_hosts(directory: Path) -> dict[str, dict[str, Any]]:
    """Return the variables of the plan written to a directory before; empty when there is none."""
    try:
        found: dict[str, dict[str, Any]] = json.loads((directory / _STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def write_drawing(plan: Plan, directory: Path) -> str:
    """Write ``topology.svg`` and ``index.html``, the drawing with the table of links.

    Returns:
        An empty text, or the reason why there is no drawing.

    Raises:
        OSError: the directory cannot be written.
    """
    nodes, links = tables.drawing(plan.intent)
    if len(nodes) > _LARGEST_DRAWING:
        svg, reason = None, f"{len(nodes)} nodes are more than can be read; the most is {_LARGEST_DRAWING}"
    else:
        svg, reason = draw(nodes, links)
    if svg is not None:
        _write(directory / "topology.svg", svg)
    else:
        (directory / "topology.svg").unlink(missing_ok=True)
    _write(directory / "index.html", tables.page(svg or "", tables.link_rows(plan.intent)))
    return reason
