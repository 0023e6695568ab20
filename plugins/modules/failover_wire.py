#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: failover_wire
short_description: Cut something between the hosts from the controller while a host measures
version_added: 0.1.0
description:
  - Calls M(xuegao.net.failover_cut) on the host, which measures, and runs a command on the controller meanwhile that cuts, and one that restores.
  - What was cut is restored whatever happens to the measurement.
author: xuegao.net maintainers (@xuegao)
options:
  cut:
    description: Command on the controller that cuts. It runs 5 s after the measurement has begun.
    type: str
    required: true
  restore:
    description: Command on the controller that restores.
    type: str
    required: true
  chdir:
    description: Directory in which the two run. That of the playbook when not given.
    type: path
  measurement:
    description: Options of M(xuegao.net.failover_cut), with C(method=outside). Its C(limit) is also how long the cut lasts, in seconds.
    type: dict
    required: true
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Take the switch port down for half a minute
  xuegao.net.failover_wire:
    cut: ./switch port 7 down
    restore: ./switch port 7 up
    measurement: {tunnel: wg1, method: outside, vrf: CORE, source: 8.8.4.4, destination: 8.8.8.8, limit: 30}
"""

RETURN = r"""
result:
  description: As M(xuegao.net.failover_cut) returns it.
  returned: when the host measured
  type: dict
"""
