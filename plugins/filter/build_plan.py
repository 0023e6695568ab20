# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter build_plan; its documentation is in build_plan.yml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.filter_errors import as_filter


def build_plan(settings: Mapping[str, Any], subject: str, host: Mapping[str, Any], candidates: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a build consists of, or why it is refused."""
    # Not before it is used: see late_filter.
    from ansible_collections.xuegao.net.plugins.plugin_utils.frr_build.build_plan import frr_plan, wireguard_tools_plan

    return {"frr": frr_plan, "wireguard_tools": wireguard_tools_plan}[subject](settings, host, candidates)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"build_plan": as_filter("build_plan", build_plan)}
