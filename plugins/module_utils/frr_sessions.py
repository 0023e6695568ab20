# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which BGP sessions of this router are up."""

from __future__ import annotations

from functools import partial

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program as program
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.module_utils.way_back import run_where_installed

POLL_S = 1


def established(module: AnsibleModule) -> set[str]:
    """VRF and neighbor of every session that is established; empty where FRR does not run."""
    return program.sessions(partial(run_where_installed, module))


def wait_for(module: AnsibleModule, sessions: set[str], limit_s: int) -> set[str]:
    """Wait until the sessions are established; return those that are not when the time is over."""
    if not sessions:
        return set()
    return wait_until(lambda: sessions - established(module), lambda missing: not missing, limit_s, POLL_S)
