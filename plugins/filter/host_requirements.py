"""Filter host_requirements; its documentation is in host_requirements.yml."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.filter_errors import late_filter


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"host_requirements": late_filter("host_requirements", "validate.host_requirements")}
