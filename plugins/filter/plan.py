# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter plan; its documentation is in plan.yml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.filter_errors import as_filter

if TYPE_CHECKING:
    from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables


def plan(intent: Mapping[str, Any]) -> dict[str, HostVariables]:
    """Return the variables of every managed host of an intent."""
    # Not before it is used: see late_filter.
    from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
    from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

    return make_plan(plain(intent)).hosts


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"plan": as_filter("plan", plan)}
