# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter host_requirements; its documentation is in host_requirements.yml."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import host_requirements


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"host_requirements": host_requirements}
