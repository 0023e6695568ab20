"""Filter host_requirements; its documentation is in host_requirements.yml."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import host_requirements


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"host_requirements": host_requirements}
