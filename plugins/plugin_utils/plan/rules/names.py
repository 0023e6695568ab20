# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about the former names of nodes."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent


def former_name_problems(intent: Intent) -> Iterator[Problem]:
    """A former name that a node has, or two nodes had."""
    owners: dict[str, Place] = {}
    for node in intent.nodes.values():
        if node.was is None:
            continue
        path = node.path.at("was")
        if node.was in intent.nodes or node.was in intent.retired.nodes:
            hint = "write the name that this node had before, or leave the key out"
            yield Problem(path, "is the name of a node", show(node.was), hint)
        elif node.was in owners:
            yield Problem(path, f"is also that of {owners[node.was]}", show(node.was), "one node had a name before, and nobody else")
        owners.setdefault(node.was, path)
