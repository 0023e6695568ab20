# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of kernel settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.xuegao.net.plugins.module_utils.sysctl import FILE, READ
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.sysctl import sysctl_values
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, same


def check_sysctls(ledger: Ledger, variables: Variables) -> None:
    """Check the live value of every kernel setting, and that no other file sets one otherwise at the next boot."""
    wanted = sysctl_values(variables)
    for key, value in wanted.items():
        ledger.judge(f"Kernel {key}", f"sysctl {key}", "sysctl", lambda live, k=key, v=value: same(v, live.get(k)))

    def ours_last(behind: Mapping[str, Sequence[str]]) -> Verdict:
        others = [f"{file} sets {key} to {value}, expected {wanted[key]}" for key, (file, value) in behind.items() if value != wanted[key]]
        return not others, f"{'; '.join(others)}; read behind {FILE}. Take it out there" if others else f"none but {FILE} decides"

    ledger.judge("Kernel settings at boot", READ, "sysctl_behind", ours_last)
