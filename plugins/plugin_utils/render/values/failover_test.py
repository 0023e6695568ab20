# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What role failover_test does, and how long BFD takes to notice."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    FailoverTestPath,
    FailoverTestPathTunnel,
    HostVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import bfd_detection

# What a method takes hold of: without it, a tunnel is not cut that way.
_NEEDED = {"daemon": "unit", "wire": "port"}


class Cut(TypedDict):
    """One tunnel of a path, cut in one way."""

    path: FailoverTestPath
    tunnel: FailoverTestPathTunnel
    method: str


class FailoverTestValues(TypedDict):
    """What `failover_test_values` returns: the cuts in turn, and the time (ms) after which the slowest profile of BFD notices one."""

    cuts: list[Cut]
    detection_ms: int


def failover_test_values(variables: HostVariables) -> FailoverTestValues:
    """Return what role failover_test does with its variables and the profiles of role frr; what is not given counts as empty."""
    return {
        "cuts": [
            {"path": path, "tunnel": tunnel, "method": method}
            for path in variables.get("failover_test_paths", [])
            for tunnel in path["tunnels"]
            for method in variables.get("failover_test_methods", [])
            if _NEEDED.get(method, "name") in tunnel
        ],
        "detection_ms": max(map(bfd_detection, variables.get("frr_bfd_profiles", [])), default=bfd_detection({})),
    }
