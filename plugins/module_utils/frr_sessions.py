# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which BGP sessions of this router are up."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

POLL_S = 1


def established(module: AnsibleModule) -> set[str]:
    """VRF and neighbor of every session that is established; empty where FRR does not run."""
    if module.get_bin_path("vtysh") is None:
        return set()
    status, out, err = module.run_command(["vtysh", "-c", "show bgp vrf all summary json"])
    if status:
        return set()
    try:
        instances: dict[str, Any] = json.loads(out)
    except ValueError:
        return set()
    return {
        "%s %s" % (vrf, neighbor)
        for vrf, families in instances.items()
        if isinstance(families, dict)
        for summary in families.values()
        if isinstance(summary, dict)
        for neighbor, peer in summary.get("peers", {}).items()
        if peer.get("state") == "Established"
    }


def wait_for(module: AnsibleModule, sessions: set[str], limit_s: int) -> set[str]:
    """Wait until the sessions are established; return those that are not when the time is over."""
    if not sessions:
        return set()
    return wait_until(lambda: sessions - established(module), lambda missing: not missing, limit_s, POLL_S)
