#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: l2tp_sessions
short_description: Initiate L2TP sessions that are down
version_added: 0.1.0
description:
  - Looks at the PPP interface of each session that this host initiates, not at xl2tpd's unit. One that is down and does not come up by itself is initiated.
  - A session that does not come up then is a warning and no failure, since the other end may be down; M(xuegao.net.verify_checks) finds it.
author: xuegao.net maintainers (@xuegao)
options:
  names:
    description: Interfaces of the sessions, which are the names of their C(lac) sections in xl2tpd.conf, too.
    type: list
    elements: str
    required: true
  patience:
    description: Seconds that xl2tpd has to bring a session up by itself.
    type: int
    default: 6
  seconds:
    description: Seconds that a session which was initiated has to come up.
    type: int
    default: 15
extends_documentation_fragment:
  - xuegao.net.attributes
"""

EXAMPLES = r"""
- name: Initiate what is down
  xuegao.net.l2tp_sessions:
    names: [l2tp3]
"""

RETURN = r"""
initiated:
  description: Sessions that were down and are up since they were initiated (in check mode, those that are down).
  returned: always
  type: list
  elements: str
down:
  description: Sessions that were initiated and are still down.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.xuegao.net.plugins.module_utils import l2tp_watch
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

POLL_S = 0.5
CLOSING_LIMIT_S = 12


def missing(names: list[str]) -> list[str]:
    """Those of the sessions that are down."""
    return [name for name in names if not l2tp_watch.is_up(name)]


def settled(names: list[str], seconds: float) -> list[str]:
    """Those of the sessions that do not come up within some seconds."""
    return wait_until(lambda: missing(names), lambda left: not left, seconds, POLL_S)


def initiate(names: list[str]) -> None:
    """Initiate sessions, each once what is left of the former one has ended."""
    left = names

    def attempt() -> list[str]:
        nonlocal left
        left = [name for name in left if not l2tp_watch.initiate(name)]
        return left

    wait_until(attempt, lambda still: not still, CLOSING_LIMIT_S, l2tp_watch.CLOSING_S)


def main() -> None:
    module = host_module(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "patience": {"type": "int", "default": 6},
            "seconds": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    down = missing(module.params["names"])
    if not down or module.check_mode:
        module.exit_json(changed=bool(down), initiated=down, down=[])
    tried = settled(down, module.params["patience"])
    if tried:
        initiate(tried)
    left = settled(tried, module.params["seconds"]) if tried else []
    for name in left:
        module.warn(
            "L2TP session %s is down: it was initiated, and did not come up within %d s. `journalctl -u xl2tpd` says how far it came."
            % (name, module.params["seconds"])
        )
    initiated = [name for name in tried if name not in left]
    module.exit_json(changed=bool(initiated), initiated=initiated, down=left)


if __name__ == "__main__":
    main()
