#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: way_back
short_description: Confirm the changes of a run, or have the host restore what was there before
version_added: 0.4.0
description:
  - The modules of this collection arm a way back before their first change when they are given O(way_back_seconds). This module ends it. Call it
    over a new connection, which proves that there can be one.
  - It waits until the BGP sessions and routes that were there before, and are still planned, are back. Then it keeps what the run has changed.
  - When something is still missing in the end, the host restores what was there before, files and live state, at once, and the module fails
    and says what was missing. What was tried lies in C(/var/lib/xgn/way-back/tried) then, until the next run.
author: xuegao.net maintainers (@xuegao)
options:
  routes:
    description: The planned routes; those that were in their table before must be there again.
    type: list
    elements: dict
    default: []
    suboptions:
      prefix:
        description: Destination.
        type: str
        required: true
      vrf:
        description: VRF whose table holds it; the default VRF when not given.
        type: str
      protocol:
        description: Source of the route; for role P(xuegao.net.verify#role).
        type: str
      direct:
        description: Whether the next hop is on a connected subnet; for role P(xuegao.net.verify#role).
        type: bool
  expects:
    description:
      - Whether those sessions and routes have to be back; a new connection is enough otherwise. V(false) where the other end of a session gets its half of
        a change later in the same run.
    type: bool
    default: true
  wait_seconds:
    description: Time for sessions and routes to come back. As long as the way back when not given.
    type: int
  hold_seconds:
    description: Do not end it, but give what comes next and is no module of this collection, such as the installation of packages, that many seconds.
    type: int
  restore:
    description:
      - Have the host restore at once what was there before, whether or not anything is missing. Nothing where it has nothing to confirm, or has done so
        already. What cannot be restored is told in RV(failures); the module does not fail for it.
    type: bool
    default: false
  frr_conf:
    description: File that says which sessions are planned.
    type: path
    default: /etc/frr/frr.conf
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
  - xuegao.net.way_back
"""

EXAMPLES = r"""
- name: Open a new connection
  ansible.builtin.meta: reset_connection

- name: Keep the changes
  xuegao.net.way_back:
    routes:
      - {vrf: CORE, prefix: 10.40.0.0/24}
"""

RETURN = r"""
missing:
  description: What was there before, is planned and did not come back.
  returned: when the host restores itself
  type: list
  elements: str
  sample: ["BGP session with 10.255.0.3 in VRF CORE"]
restored:
  description: Whether the host has what was there before the changes of this run.
  returned: with O(restore), outside of check mode
  type: bool
failures:
  description: What could not be restored.
  returned: with O(restore), outside of check mode
  type: list
  elements: str
"""

import json
import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import way_back
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program as program
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.ownership import ROOT
from ansible_collections.xuegao.net.plugins.module_utils.run_lock import renew
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

POLL_S = 1.0
# Restoring includes FRR's reload and the start of services.
RESTORE_S = 300
# bgpd applies a changed route map 5 s behind its last line (`bgp route-map delay-timer`, FRR's manual of BGP); asking neighbors again, and the kernel, take
# their time, too. Before that a policy that refuses everything looks like a good one.
POLICY_S = 8.0
# frr-reload.py writes it to the end of a reload.
RELOAD_LOG = "/var/log/frr/frr-reload.log"


def planned_sessions(text: str) -> set[str]:
    """VRF and neighbor of each session that a configuration of FRR asks for; one that is shut down is not."""
    vrf = ""
    found: set[str] = set()
    shut: set[str] = set()
    for line in text.splitlines():
        words = line.split()
        if line.startswith("router bgp "):
            vrf = words[4] if len(words) > 4 and words[3] == "vrf" else "default"
        elif line and not line.startswith((" ", "!")):
            vrf = ""
        elif vrf and len(words) > 2 and words[0] == "neighbor":
            (shut if words[2] == "shutdown" else found).add("%s %s" % (vrf, words[1]))
    return found - shut


class Comparison:
    """What was there before the run and is planned still."""

    def __init__(self, module: AnsibleModule) -> None:
        self.run = lambda command: way_back.run_where_installed(module, command)
        before = program.snapshot()
        self.sessions = set(before.get("sessions", [])) & planned_sessions(read_text(module.params["frr_conf"]))
        wanted = {(item.get("vrf") or "default", program.normal(item["prefix"])) for item in module.params["routes"]}
        self.routes = {(vrf, prefix) for vrf, found in (before.get("prefixes") or {}).items() for prefix in found} & wanted

    def missing(self) -> list[str]:
        """What of it is not there now, a line each."""
        found = []
        if self.sessions:
            lost = self.sessions - program.sessions(self.run)
            found += ["BGP session with %s in VRF %s" % tuple(reversed(session.split())) for session in sorted(lost)]
        if self.routes:
            now = program.prefixes(self.run)
            # None: there are too many to look at, so none is called missing.
            lost_routes = sorted((vrf, prefix) for vrf, prefix in self.routes if now is not None and prefix not in now.get(vrf, []))
            found += ["route to %s in VRF %s" % (prefix, vrf) for vrf, prefix in lost_routes]
        return found


def last_report() -> dict[str, Any]:
    """What the host has left of its last restoring; nothing when there was none."""
    try:
        found: dict[str, Any] = json.loads(read_text(os.path.join(program.tried(), "report.json")))
    except ValueError:
        return {}
    return found


def restored() -> str:
    """What the host says of its last restoring."""
    report = last_report()
    if not report:
        return "It has left no report."
    # The record goes with the files of which it speaks.
    files = ", ".join(path for path in report["restored"] if not path.startswith(ROOT + "/")) or "no file"
    failures = "".join("\n- " + line for line in report["failures"])
    text = "Restored: %s. What was tried lies in %s until the next run." % (files, program.tried())
    return text + ("\nNot all of it worked:" + failures if failures else "")


def has_restored(module: AnsibleModule) -> bool:
    """Have the host restore at once, and wait for it. Returns whether it came to its end. Raises WayBackError."""
    program.set_deadline(0)
    if not way_back.somebody_waits():
        way_back.wait_on_the_host(module)
    return not wait_until(lambda: os.path.isdir(program.armed()), lambda found: not found, RESTORE_S, POLL_S)


def go_back(module: AnsibleModule) -> None:
    """Have the host restore what this run has changed, and finish the module."""
    run = program.snapshot().get("run") or module.params["way_back_run"]
    begun = os.path.isdir(program.armed())
    try:
        over = not begun or has_restored(module)
    except way_back.WayBackError as error:
        module.fail_json(msg=str(error))
    report = last_report()
    mine = bool(run) and run in (report.get("run"), report.get("told"))
    failures = report.get("failures", []) if mine else []
    if not over:
        failures = ["it is still restoring what was there before"]
    for failure in failures:
        module.warn("not all of what was there before could be restored: %s" % failure)
    # A host that had armed nothing has nothing to say of it.
    facts = {"ansible_facts": {way_back.FACT: {"armed": not over}}} if begun or mine else {}
    module.exit_json(changed=begun, restored=not over or mine, failures=failures, **facts)


def policy_is_new(frr_conf: str) -> bool:
    """Say whether this run has told FRR something so lately that it may not be in force yet."""
    if not os.path.exists(os.path.join(program.armed(), program.FRR_RUNNING)):
        return False
    told = max((os.stat(path).st_mtime for path in (frr_conf, RELOAD_LOG) if os.path.exists(path)), default=0.0)
    return time.time() < told + POLICY_S


def end(module: AnsibleModule) -> None:
    """Confirm, or have restored, and finish the module."""
    armed = {way_back.FACT: {"armed": False}}
    seconds = int(program.snapshot().get("seconds", 0))
    if not os.path.isdir(program.armed()):
        module.fail_json(msg="Nothing waits to be confirmed on this host: it has restored what was there before. " + restored())
    comparison = Comparison(module)

    def put_off() -> None:
        # We are here, so nobody is cut off.
        program.set_deadline(max(seconds, 10))

    def look() -> list[str]:
        put_off()
        return comparison.missing() if module.params["expects"] else []

    limit = module.params["wait_seconds"]
    if module.params["expects"] and comparison.routes:
        put_off()
        wait_until(lambda: policy_is_new(module.params["frr_conf"]), lambda new: not new, POLICY_S, POLL_S)
    missing = wait_until(look, lambda found: not found, seconds if limit is None else limit, POLL_S)
    if not missing:
        try:
            way_back.disarm(module)
        except way_back.WayBackError as error:
            module.fail_json(msg="%s. %s" % (error, restored()))
        # What was changed has been told by who changed it.
        module.exit_json(changed=False, ansible_facts=armed)
    there = not has_restored(module)
    lines = "".join("\n- " + line for line in missing)
    done = "It is still restoring what was there before." if there else "The host has restored what was there before. " + restored()
    module.fail_json(msg="After the changes of this run this did not come back:%s\n%s" % (lines, done), missing=missing)


def main() -> None:
    route = {"prefix": {"type": "str", "required": True}, "vrf": {"type": "str"}, "protocol": {"type": "str"}, "direct": {"type": "bool"}}
    module = host_module(
        argument_spec={
            "routes": {"type": "list", "elements": "dict", "default": [], "options": route},
            "expects": {"type": "bool", "default": True},
            "wait_seconds": {"type": "int"},
            "hold_seconds": {"type": "int"},
            "restore": {"type": "bool", "default": False},
            "frr_conf": {"type": "path", "default": program.FRR_CONF},
            **way_back.OPTIONS,
        },
        supports_check_mode=True,
    )
    hold = module.params["hold_seconds"]
    if module.check_mode:
        module.exit_json(changed=False)
    renew(module.params["lock_run"], hold or 0)
    if module.params["restore"]:
        go_back(module)
    if hold is None:
        end(module)
    elif os.path.isdir(program.armed()):
        program.set_deadline(hold)
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
