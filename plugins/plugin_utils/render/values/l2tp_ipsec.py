# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates of role l2tp_ipsec print, and what else the role needs of its variables."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Any, TypedDict, cast

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import placeholder
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables, L2tpIpsecTunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.render.module_input import File, Unit
from ansible_collections.xuegao.net.plugins.plugin_utils.render.templates import rendered
from ansible_collections.xuegao.net.plugins.plugin_utils.render.unit_record import record_command

_ANYBODY = "0.0.0.1 - 255.255.255.254"


class L2tpIpsecValues(TypedDict):
    """What `l2tp_ipsec_values` returns.

    Attributes:
        tunnels: as declared, with the ``identity`` of the other end (empty for any), the ``initiators`` that xl2tpd answers, ``initiates`` (whether
            this end knows where to send the first packet), and a placeholder for the key.
        secrets: keys by the name in their placeholders.
        sessions: PPP's file of each tunnel.
        initiated: interfaces of the tunnels that this host initiates.
        units: what is to run, with the files that each unit's daemon reads.
        forgets: addresses of the other ends that IPsec initiates to: what charon had with them goes before it starts.
        records: by unit, the command that records what its daemon reads.
    """

    tunnels: list[dict[str, Any]]
    secrets: dict[str, str]
    sessions: list[File]
    initiated: list[str]
    units: list[Unit]
    forgets: list[str]
    records: dict[str, str]


def l2tp_ipsec_values(variables: HostVariables) -> L2tpIpsecValues:
    """Return what the templates of role l2tp_ipsec print.

    Parameters:
        variables: those of the role, ``l2tp_ipsec_echo_interval`` and ``l2tp_ipsec_echo_failure`` among them where there is a tunnel.
    """
    tunnels = variables.get("l2tp_ipsec_tunnels", [])
    sessions: list[File] = [{"path": f"/etc/ppp/xgn-{tunnel['name']}", "content": _session(tunnel, variables)} for tunnel in tunnels]
    initiated = [tunnel["name"] for tunnel in tunnels if tunnel["role"] == "lac"]
    units = _units([session["path"] for session in sessions], [tunnel["name"] for tunnel in tunnels], bool(initiated))
    return {
        "tunnels": [_printed(tunnel) for tunnel in tunnels],
        "secrets": {tunnel["name"]: tunnel["preshared_key"] for tunnel in tunnels},
        "sessions": sessions,
        "initiated": initiated,
        "units": units,
        "forgets": [remote for tunnel in tunnels if _is_address(remote := tunnel.get("remote", ""))],
        "records": {
            unit["name"]: record_command(paths) for unit in units if (paths := unit.get("restart_on", []) + unit.get("reload_on", []))
        },
    }


def identity_of(tunnel: L2tpIpsecTunnel) -> str:
    """Return the identity of the other end: as given, else its address. Of one whose address is a name nothing is known, and any will do."""
    remote = tunnel.get("remote", "")
    return tunnel.get("remote_id", remote if _is_address(remote) else "")


def _is_address(remote: str) -> bool:
    try:
        IPv4Address(remote)
    except AddressValueError:
        return False
    return True


def _units(sessions: list[str], links: list[str], initiates: bool) -> list[Unit]:
    # xl2tpd reads its file at its start only, and what pppd reads counts when a session begins: every session of this host is initiated anew.
    read_once = ["/etc/systemd/system/xl2tpd.service", "/etc/xl2tpd/xl2tpd.conf", *sessions]
    watch = ["/etc/systemd/system/xgn-l2tp-watch.service", "/usr/local/sbin/xgn-l2tp-watch"]
    return [
        # Its table is loaded already, and compared by module nft_table.
        {"name": "xgn-l2tp-guard.service", "state": "started", "enabled": True},
        # Connections that stay as they are keep their security associations over a reload.
        {
            "name": "strongswan.service",
            "state": "started",
            "enabled": True,
            "reload_on": ["/etc/swanctl/conf.d/xgn-l2tp.conf"],
            "interrupts": links,
        },
        {"name": "xl2tpd.service", "state": "started", "enabled": True, "restart_on": read_once, "interrupts": links},
        {
            "name": "xgn-l2tp-watch.service",
            "state": "started" if initiates else "stopped",
            "enabled": initiates,
            "restart_on": watch,
        },
    ]


def _printed(tunnel: L2tpIpsecTunnel) -> dict[str, Any]:
    remote = tunnel.get("remote")
    return {
        **cast(Mapping[str, Any], tunnel),
        "preshared_key": placeholder(tunnel["name"]),
        "identity": identity_of(tunnel),
        "initiators": _ANYBODY if remote is None else f"{remote} - {remote}",
        "initiates": remote is not None,
    }


def _session(tunnel: L2tpIpsecTunnel, variables: HostVariables) -> str:
    echo = {"interval": variables["l2tp_ipsec_echo_interval"], "failure": variables["l2tp_ipsec_echo_failure"]}
    return rendered("l2tp_ipsec", "ppp.j2", {"tunnel": {**tunnel}, "echo": echo})
