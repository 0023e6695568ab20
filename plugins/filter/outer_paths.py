# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter outer_paths; its documentation is in outer_paths.yml."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.filter_errors import late_filter


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"outer_paths": late_filter("outer_paths", "validate.outer_paths")}
