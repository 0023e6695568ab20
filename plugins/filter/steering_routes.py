# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter steering_routes; its documentation is in steering_routes.yml."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.filter_errors import as_filter
from ansible_collections.xuegao.net.plugins.plugin_utils.common.steering_routes import steering_routes


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"steering_routes": as_filter("steering_routes", steering_routes)}
