#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: failover_report
short_description: Table, figures and plot of measured failovers
version_added: 0.1.0
description:
  - Reads what role C(failover_test) left in fact C(failover_test_results) of each host, prints a table, and writes C(failover.json) and C(failover.svg).
  - Fails when traffic was away for longer than three times BFD's detection time, or when a tunnel did not take the traffic back. Runs on the
    controller only.
author: xuegao.net maintainers (@xuegao)
options:
  dest:
    description: Directory on the controller.
    type: path
    required: true
  hosts:
    description: Hosts whose figures are reported.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Write figures and plot
  xuegao.net.failover_report:
    dest: build/report
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
figures:
  description: The figures of every cut, without the single probes.
  returned: always
  type: list
  elements: dict
"""
