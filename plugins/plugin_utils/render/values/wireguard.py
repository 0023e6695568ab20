# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates of role wireguard print, and what else the role needs of its variables."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.xuegao.net.plugins.module_utils.wireguard_endpoints import is_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.render.module_input import Unit

TIMER, SERVICE = "xgn-wireguard-endpoints.timer", "xgn-wireguard-endpoints.service"


class WireguardValues(TypedDict):
    """What `wireguard_values` returns.

    Attributes:
        named: interfaces of which a peer has a name as its endpoint, which may get another address.
        units: what runs for them.
    """

    named: list[str]
    units: list[Unit]


def wireguard_values(variables: HostVariables) -> WireguardValues:
    """Return what the templates of role wireguard print.

    Parameters:
        variables: those of the role; what is not given counts as empty.
    """
    named = [
        interface["name"]
        for interface in variables.get("wireguard_interfaces", [])
        if any(is_name(peer.get("endpoint", "").rpartition(":")[0]) for peer in interface.get("peers", []))
    ]
    return {"named": named, "units": [{"name": TIMER, "state": "started", "enabled": True}] if named else []}
