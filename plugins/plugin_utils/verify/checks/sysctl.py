# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of kernel settings."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, same


def expected_sysctls(variables: Variables) -> dict[str, str]:
    """Return what role ``sysctl`` sets: value by key."""
    forward = str(int(bool(variables.get("sysctl_ip_forward", True))))
    settings: dict[str, object] = {
        "net.ipv4.ip_forward": forward,
        "net.ipv6.conf.all.forwarding": forward,
        "net.ipv4.tcp_l3mdev_accept": variables.get("sysctl_tcp_l3mdev_accept", 0),
        "net.ipv4.udp_l3mdev_accept": variables.get("sysctl_udp_l3mdev_accept", 0),
        "net.ipv4.fib_multipath_hash_policy": variables.get("sysctl_multipath_hash_policy", 1),
        "net.ipv6.fib_multipath_hash_policy": variables.get("sysctl_multipath_hash_policy", 1),
        "net.core.default_qdisc": variables.get("sysctl_default_qdisc", "fq"),
        "net.ipv4.tcp_congestion_control": variables.get("sysctl_tcp_congestion_control", "bbr"),
        **variables.get("sysctl_settings", {}),
    }
    # null in sysctl_settings leaves a key to others
    known = {key: int(value) if isinstance(value, bool) else value for key, value in settings.items() if value is not None}
    return {key: " ".join(str(value).split()) for key, value in known.items()}


def check_sysctls(ledger: Ledger, variables: Variables) -> None:
    """Check the live value of every kernel setting."""
    for key, value in expected_sysctls(variables).items():
        ledger.judge(f"Kernel {key}", f"sysctl {key}", "sysctl", lambda live, k=key, v=value: same(v, live.get(k)))
