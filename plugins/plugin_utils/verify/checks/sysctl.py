# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of kernel settings."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.sysctl import sysctl_values
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, same


def check_sysctls(ledger: Ledger, variables: Variables) -> None:
    """Check the live value of every kernel setting."""
    for key, value in sysctl_values(variables).items():
        ledger.judge(f"Kernel {key}", f"sysctl {key}", "sysctl", lambda live, k=key, v=value: same(v, live.get(k)))
