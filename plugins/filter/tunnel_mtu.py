# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter tunnel_mtu; its documentation is in tunnel_mtu.yml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.filter_errors import as_filter


def tunnel_mtu(underlay_mtu: int, layers: str | Sequence[str], outer: str | None = None) -> int:
    """Take one layer or several."""
    # Not before it is used: see late_filter.
    from ansible_collections.xuegao.net.plugins.plugin_utils.common import encapsulation

    return encapsulation.tunnel_mtu(underlay_mtu, [layers] if isinstance(layers, str) else layers, outer)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"tunnel_mtu": as_filter("tunnel_mtu", tunnel_mtu)}
