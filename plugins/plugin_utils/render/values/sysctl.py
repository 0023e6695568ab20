# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What role sysctl sets, and verification expects."""

from __future__ import annotations

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables


def sysctl_values(variables: HostVariables) -> dict[str, str]:
    """Return the kernel settings of a host: value by key, as the kernel prints it.

    Parameters:
        variables: those of role sysctl. A key of ``sysctl_settings`` wins over the variable for it, and one whose value is null is left to others.
    """
    # On the command line and in an INI inventory a boolean is a text.
    forward = int(boolean(variables.get("sysctl_ip_forward", True)))
    multipath = variables.get("sysctl_multipath_hash_policy", 1)
    settings: dict[str, object] = {
        "net.ipv4.ip_forward": forward,
        "net.ipv6.conf.all.forwarding": forward,
        "net.ipv4.tcp_l3mdev_accept": variables.get("sysctl_tcp_l3mdev_accept", 0),
        "net.ipv4.udp_l3mdev_accept": variables.get("sysctl_udp_l3mdev_accept", 0),
        # The larger one of this and the interface's own counts: 2, loose, wins over 1, strict.
        "net.ipv4.conf.all.rp_filter": variables.get("sysctl_rp_filter", 2),
        "net.ipv4.fib_multipath_hash_policy": multipath,
        "net.ipv6.fib_multipath_hash_policy": multipath,
        "net.core.default_qdisc": variables.get("sysctl_default_qdisc", "fq"),
        "net.ipv4.tcp_congestion_control": variables.get("sysctl_tcp_congestion_control", "bbr"),
        **variables.get("sysctl_settings", {}),
    }
    given = {key: int(value) if isinstance(value, bool) else value for key, value in settings.items() if value is not None}
    return {key: " ".join(str(value).split()) for key, value in given.items()}
