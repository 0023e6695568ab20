# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The name that a host had before, for what is kept on the controller under names of hosts: public keys, and what was applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def former_name(host: str, variables: Mapping[str, Any]) -> str:
    """Return the name that a node had before it was renamed, as long as the intent says so; empty for none.

    Parameters:
        host: inventory name.
        variables: of any host of the run, templated or not. A node that a template makes has none here: what was kept is then read anew, from the host.
    """
    nodes = variables.get("xgn_nodes")
    node = nodes.get(host) if isinstance(nodes, Mapping) else None
    was = node.get("was") if isinstance(node, Mapping) else None
    return str(was) if isinstance(was, str) and "{{" not in was else ""
