#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: failover_cut
short_description: Cut one tunnel, measure what is lost, and restore it
version_added: 0.1.0
description:
  - Probes a destination in a VRF, cuts a tunnel while it does, waits until all is answered again, restores the tunnel, waits until the path is
    the former one, and tells what was lost.
  - The tunnel is restored whatever happens - at the end of the module, and by a timer of systemd when the module is killed or the connection lost.
author: xuegao.net maintainers (@xuegao)
options:
  tunnel:
    description: Interface of the tunnel.
    type: str
    required: true
  method:
    description:
      - C(packets) drops the tunnel's outer packets, in and out, by a table of nftables of its own.
      - C(daemon) stops the unit.
      - C(outside) does nothing here; something else cuts while the module measures for O(limit) seconds.
    type: str
    choices: [packets, daemon, outside]
    required: true
  unit:
    description: Unit of the tunnel, for O(method=daemon).
    type: str
  match:
    description:
      - The outer packets, as one or more nftables expressions for the outgoing direction; C(dport) and C(sport), C(daddr) and C(saddr) change places for
        the incoming one. For a WireGuard interface its live port when not given.
    type: list
    elements: str
    default: []
  destination:
    description: Address to probe.
    type: str
    required: true
  source:
    description: Source address.
    type: str
  vrf:
    description: VRF to probe in.
    type: str
  spacing:
    description: Milliseconds between probes.
    type: int
    default: 10
  hold:
    description: Milliseconds that the tunnel stays cut at least, so that the routers notice it; without traffic on it nothing else tells.
    type: int
    default: 1000
  limit:
    description: Seconds to wait for the recovery.
    type: int
    default: 30
  return_limit:
    description: Seconds to wait for the former path after the tunnel was restored.
    type: int
    default: 60
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Block WireGuard
  xuegao.net.failover_cut:
    tunnel: wg1
    method: packets
    vrf: CORE
    source: 8.8.4.4
    destination: 8.8.8.8
"""

RETURN = r"""
result:
  description:
    - C(lost), how many probes were lost while the tunnel was cut, and C(outage_ms), the longest time without an answer; C(return_lost) and
      C(return_outage_ms), the same after it was restored.
    - C(sent), C(recovered), C(returned), C(path_before), C(path_cut), C(path_after) (interfaces), C(cut_ms) and C(restore_ms) (times within the measurement).
    - C(samples) is a list of pairs, time sent and round trip, in ms; the latter null for a lost one.
  returned: always
  type: dict
"""

import re
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError, output
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.icmp_probe import Prober, longest_silence, lost_between
from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_objects
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

TABLE = "xgn_failover"
GUARD = "xgn-failover-restore"
BEFORE_S = 2.0  # measured before the cut
STEADY_S = 1.0  # so long without a loss is recovered
AFTER_S = 2.0  # measured after the return
_SWAP = {"dport": "sport", "sport": "dport", "daddr": "saddr", "saddr": "daddr"}


class Cut:
    """Cuts a tunnel, and restores it once."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.method, self.tunnel, self.unit = (module.params[key] for key in ("method", "tunnel", "unit"))
        self.active = False
        self.systemd = Systemd(module.run_command)

    def restore_command(self) -> list[str]:
        """What undoes the cut."""
        return ["systemctl", "start", self.unit] if self.method == "daemon" else ["nft", "delete", "table", "inet", TABLE]

    def make(self, guard_s: int) -> None:
        """Cut, with a timer that restores after ``guard_s`` seconds when nobody else has."""
        if self.method == "outside":
            return
        self.systemd.cancel(GUARD)
        self.systemd.start_later(GUARD, guard_s, self.restore_command(), "Restores tunnel %s after a failover test" % self.tunnel)
        self.active = True
        if self.method == "daemon":
            self.systemd.do("stop", self.unit)
            return
        self.module.run_command(["nft", "--file", "-"], data=table(self.matches()), check_rc=True)

    def matches(self) -> list[str]:
        """The outer packets in nftables' words."""
        given: list[str] = self.module.params["match"]
        return given or ["udp sport %s" % output(self.module.run_command, "wg", "show", self.tunnel, "listen-port").strip()]

    def restore(self) -> None:
        """Undo the cut, and stop the timer."""
        if not self.active:
            return
        self.active = False
        restored, _out, error = self.module.run_command(self.restore_command())
        # A timer that is gone has restored already, and then there may be nothing left to do.
        if self.systemd.cancel(GUARD) and restored != 0:
            raise ValueError(
                "the cut cannot be undone: %s. Remedy: run `%s` on the host." % (error.strip(), " ".join(self.restore_command()))
            )


def table(matches: list[str]) -> str:
    """A table that drops what matches on its way out, and the mirror image on its way in."""
    drops = {
        "output": matches,
        "input": [re.sub("|".join(_SWAP), lambda word: _SWAP[word.group(0)], match) for match in matches],
    }
    lines = ["table inet %s {" % TABLE]
    for hook, rules in drops.items():
        lines.append(" chain %s { type filter hook %s priority -300; policy accept;" % (hook, hook))
        lines += ["  %s counter drop" % rule for rule in rules]
        lines.append(" }")
    return "\n".join([*lines, "}", ""])


def path(module: AnsibleModule) -> str | None:
    """Interface through which the destination is reached now."""
    command = ["ip", "-json", "route", "get", module.params["destination"]]
    if module.params["vrf"]:
        command += ["vrf", module.params["vrf"]]
    if module.params["source"]:
        command += ["from", module.params["source"]]
    status, out, _err = module.run_command(command)
    found = json_objects(out) if status == 0 else []
    return found[0].get("dev") if found else None


def measure(module: AnsibleModule) -> dict[str, Any]:
    """Probe, cut, restore; returns the figures."""
    given = module.params
    prober = Prober(given["destination"], given["source"], given["vrf"], given["spacing"] / 1000)
    cut = Cut(module)
    found: dict[str, Any] = {"path_before": path(module)}
    prober.start()
    begin = time.monotonic()
    try:
        time.sleep(BEFORE_S)
        if not prober.answered_in_a_row(STEADY_S, begin):
            raise ValueError(
                "%s does not answer every probe, so nothing was cut. Remedy: find out what loses packets on the way there; only a sound path tells what "
                "the cut costs." % given["destination"]
            )
        cut_at = time.monotonic()
        cut.make(given["limit"] + given["return_limit"] + 30)
        if given["method"] == "outside":
            time.sleep(given["limit"])
        # Judged from when the cut is in force: to make it takes a moment, and a busy machine answers all the while.
        steady_from = time.monotonic() + given["hold"] / 1000 - STEADY_S if given["method"] != "outside" else cut_at + STEADY_S
        found["recovered"] = wait_until(lambda: prober.answered_in_a_row(STEADY_S, steady_from), bool, given["limit"], 0.1)
        found["path_cut"] = path(module)
        restore_at = time.monotonic()
        cut.restore()
        found["returned"] = wait_until(lambda: path(module) == found["path_before"], bool, given["return_limit"], 0.5)
        time.sleep(AFTER_S)
        found["path_after"] = path(module)
    finally:
        try:
            cut.restore()
        finally:
            prober.stop()
    times = prober.times()
    end = times[-1][0]
    found.update(
        lost=lost_between(times, cut_at, restore_at),
        outage_ms=round(longest_silence(times, cut_at, restore_at) * 1000),
        return_lost=lost_between(times, restore_at, end),
        return_outage_ms=round(longest_silence(times, restore_at, end) * 1000),
        sent=len(times),
        cut_ms=round((cut_at - begin) * 1000),
        restore_ms=round((restore_at - begin) * 1000),
        samples=[[round((sent - begin) * 1000, 1), None if trip is None else round(trip * 1000, 2)] for sent, trip in times],
    )
    return found


def main() -> None:
    module = host_module(
        argument_spec={
            "tunnel": {"type": "str", "required": True},
            "method": {"type": "str", "choices": ["packets", "daemon", "outside"], "required": True},
            "unit": {"type": "str"},
            "match": {"type": "list", "elements": "str", "default": []},
            "destination": {"type": "str", "required": True},
            "source": {"type": "str"},
            "vrf": {"type": "str"},
            "spacing": {"type": "int", "default": 10},
            "hold": {"type": "int", "default": 1000},
            "limit": {"type": "int", "default": 30},
            "return_limit": {"type": "int", "default": 60},
        },
        required_if=[("method", "daemon", ["unit"])],
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, result={})
    try:
        result = measure(module)
    except (OSError, ValueError, CommandError) as error:
        module.fail_json(msg="The failover of tunnel %s was not measured: %s" % (module.params["tunnel"], error))
    module.exit_json(changed=True, result=result)


if __name__ == "__main__":
    main()
