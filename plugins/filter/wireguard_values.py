# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter wireguard_values; its documentation is in wireguard_values.yml."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.filter_errors import late_filter


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"wireguard_values": late_filter("wireguard_values", "render.values.wireguard")}
