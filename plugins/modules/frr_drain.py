#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: frr_drain
short_description: Send traffic another way before a router or a link is touched
version_added: 0.3.0
description:
  - Drains a router or single links of it, and waits until nothing passes any more; or ends every drain, and waits for the sessions there were.
  - In BGP a graceful shutdown (RFC 8326), in OSPF the metric of a stub router (RFC 6987).
  - Nothing of it is written to C(frr.conf). A restart of FRR, a reboot, and the next run of role P(xuegao.net.frr#role) end it, too.
  - Does nothing where FRR does not run.
author: xuegao.net maintainers (@xuegao)
options:
  state:
    description: What is wanted.
    type: str
    choices: [drained, normal]
    required: true
  interfaces:
    description:
      - The links to drain, by their interfaces; the whole router when none is given. Of BGP these are the neighbors that are reached over them.
      - With O(state=normal) every drain of the router ends, whatever is given here.
    type: list
    elements: str
    default: []
  seconds:
    description: How long to wait for the traffic to move, or for the sessions.
    type: int
    default: 15
  sessions:
    description: For O(state=normal), the sessions to wait for, as RV(sessions) told them before. They are awaited before the drain ends.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - xuegao.net.attributes
"""

EXAMPLES = r"""
- name: Nothing shall pass this router
  xuegao.net.frr_drain:
    state: drained
  register: drained

- name: Everything as before
  xuegao.net.frr_drain:
    state: normal
    sessions: "{{ drained.sessions }}"
    seconds: 120

- name: Nothing shall pass the tunnel wg1
  xuegao.net.frr_drain:
    state: drained
    interfaces: [wg1]
"""

RETURN = r"""
commands:
  description: The lines that FRR was (or would be) given.
  returned: always
  type: list
  elements: str
sessions:
  description: The BGP sessions that were established before, as VRF and neighbor.
  returned: with O(state=drained)
  type: list
  elements: str
  sample: ["CORE 10.255.0.3"]
packets_per_s:
  description: Packets that still pass each second after the wait; 0 when the traffic has moved.
  returned: with O(state=drained), outside of check mode
  type: int
waited_s:
  description: Seconds until nothing passed any more, or until the time was over.
  returned: with O(state=drained), outside of check mode
  type: float
missing:
  description: Sessions that did not come back within O(seconds). The drain does not end then, and the module fails.
  returned: with O(state=normal), on failure
  type: list
  elements: str
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain, frr_sessions
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module


def drain(module: AnsibleModule, router: frr_drain.Router) -> dict[str, Any]:
    """Drain, and wait until nothing passes. Raises CommandError."""
    interfaces, idle = module.params["interfaces"], 0
    sessions = sorted(frr_sessions.established(module))
    running = router.running()
    if interfaces:
        over = router.neighbors_over(running, interfaces)
        commands = frr_drain.link_commands(running, over, interfaces)
        idle = router.idle_rate({address for _vrf, address in over})
    else:
        commands = frr_drain.router_commands(running)
    result: dict[str, Any] = {"changed": bool(commands), "commands": commands, "sessions": sessions}
    if module.check_mode:
        return result
    if commands:
        router.configure(commands)
    started = time.monotonic()
    result["packets_per_s"] = frr_drain.wait_until_idle(interfaces, idle, module.params["seconds"])
    result["waited_s"] = round(time.monotonic() - started, 1)
    return result


def end(module: AnsibleModule, router: frr_drain.Router) -> dict[str, Any]:
    """Wait for the sessions, and end every drain. Raises CommandError."""
    if not module.check_mode:
        missing = frr_sessions.wait_for(module, set(module.params["sessions"]), module.params["seconds"])
        if missing:
            text = "after %d s these BGP sessions are not back: %s. What was drained stays drained, so that traffic keeps to its other way."
            module.fail_json(msg=text % (module.params["seconds"], ", ".join(sorted(missing))), missing=sorted(missing))
    configured = frr_drain.configured()
    commands = frr_drain.end_commands(router.running(), configured)
    if commands and not module.check_mode:
        router.configure(commands)
        left = frr_drain.end_commands(router.running(), configured)
        if left:
            text = "FRR took the commands that end the drain, yet these are left: %s. Remedy: run role xuegao.net.frr."
            module.fail_json(msg=text % "; ".join(line.strip() for line in left), commands=commands)
    return {"changed": bool(commands), "commands": commands}


def main() -> None:
    strings: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = host_module(
        argument_spec={
            "state": {"type": "str", "choices": ["drained", "normal"], "required": True},
            "interfaces": strings,
            "seconds": {"type": "int", "default": 15},
            "sessions": strings,
        },
        supports_check_mode=True,
    )
    if not frr_drain.routes(module):
        module.exit_json(changed=False, commands=[], sessions=[], packets_per_s=0, waited_s=0.0)
    unknown = [name for name in module.params["interfaces"] if not os.path.exists(os.path.join(frr_drain.NET, name))]
    if unknown:
        module.fail_json(msg="no such interface: %s. Nothing was changed." % ", ".join(unknown))
    router = frr_drain.Router(module.run_command)
    try:
        result = drain(module, router) if module.params["state"] == "drained" else end(module, router)
    except CommandError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
