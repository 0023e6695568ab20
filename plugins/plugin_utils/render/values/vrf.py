# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates of role vrf print, and what else the role needs of its variables."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables


class Hook(TypedDict):
    """A drop-in as module config_files takes it."""

    path: str
    content: str


class VrfValues(TypedDict):
    """What `vrf_values` returns.

    Attributes:
        units: those that make interfaces, sorted, each once.
        online: whether interface.service has to wait for whatever else configures the NICs.
        hooks: drop-ins that put an interface back where it belongs when its unit makes it again.
    """

    units: list[str]
    online: bool
    hooks: list[Hook]


def vrf_values(variables: HostVariables) -> VrfValues:
    """Return what the templates of role vrf print.

    Parameters:
        variables: those of the role; what is not given counts as empty.
    """
    interfaces = variables.get("vrf_interfaces", [])
    # A NIC that something else configures gets its MTU, its MAC address and its routes after that is done.
    nics = [item for item in interfaces if "kind" not in item and "unit" not in item]
    return {
        "units": sorted({item["unit"] for item in interfaces if "unit" in item}, key=str.lower),
        "online": bool(variables.get("vrf_default_routes")) or any("mtu" in item or "mac" in item for item in nics),
        "hooks": [_hook(item["unit"], item["name"]) for item in interfaces if "unit" in item and not item.get("dynamic")],
    }


def _hook(unit: str, interface: str) -> Hook:
    lines = (
        "# Written by Ansible (xuegao.net.vrf).",
        "[Service]",
        f"ExecStartPost=/usr/local/sbin/xgn-interface apply --interface {interface}",
    )
    return {"path": f"/etc/systemd/system/{unit}.d/90-xgn-interface.conf", "content": "\n".join([*lines, ""])}
