#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: still_up
short_description: See whether what was up on a host is up still
version_added: 0.4.0
description:
  - Reads the live state of a host with M(xuegao.net.live_state), and compares it with what is planned for it, as role P(xuegao.net.verify#role) does. What is
    looked at are sessions of BGP and BFD, OSPF's neighbors, tunnels, routes, and whether other nodes answer; not what only the host itself can change.
  - Called twice, before and after something is changed elsewhere, it fails when something that was up before and is planned still is not up any more. It
    waits for it on the controller, with a call every few seconds, and with none where everything is up.
  - Nothing is changed. Run it with C(delegate_to) on hosts that are not in the play.
author: xuegao.net maintainers (@xuegao)
options:
  host:
    description: Inventory name of the host, which is also the one that the task is delegated to.
    type: str
    required: true
  directory:
    description: Directory of the plan, RV(xuegao.net.plan#module:directory).
    type: path
    required: true
  before:
    description: What was up, as RV(up) told it. Without it, the host is only looked at.
    type: list
    elements: str
  seconds:
    description: How long to wait for what is not up.
    type: int
    default: 60
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: See what is up on a neighbor
  xuegao.net.still_up:
    host: edge1
    directory: "{{ plan.directory }}"
  delegate_to: edge1
  register: before

- name: See that it is up still
  xuegao.net.still_up:
    host: edge1
    directory: "{{ plan.directory }}"
    before: "{{ before.up }}"
  delegate_to: edge1
  when: before.reached
"""

RETURN = r"""
up:
  description: Names of the checks that passed.
  returned: without O(before)
  type: list
  elements: str
  sample: ["BGP CORE neighbor 10.255.0.3 established", "Route CORE 10.40.0.0/24 by bgp"]
reached:
  description: Whether the host could be looked at; C(msg) says why it could not.
  returned: without O(before)
  type: bool
lost:
  description: What was up and is not, each with what was found.
  returned: on failure
  type: list
  elements: str
"""
