#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: departure
short_description: What is kept of hosts that leave the network
version_added: 0.3.0
description:
  - What a host applied is recorded beside the inventory (M(xuegao.net.run_end)). When its node is retired, that record is the note of what is still on it,
    of which M(xuegao.net.plan) tells, until the host has been cleaned or somebody says that it is gone for good.
  - Runs on the controller and makes no remote call. Playbook C(xuegao.net.retire) uses it.
author: xuegao.net maintainers (@xuegao)
options:
  hosts:
    description: The hosts.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(left) notes that the network goes on without them, though what they applied is still there.
      - V(cleaned) strikes out all that is kept of them, and of the routers in containers that they ran, since nothing of it is there any more.
      - V(gone) does the same for hosts that nobody will ever reach again. Nodes that belong to the network, and hosts of which nothing is recorded, are
        refused.
    type: str
    choices: [left, cleaned, gone]
    required: true
  directory:
    description: Where it is recorded what the hosts applied. C(.applied) beside the inventory when not given.
    type: path
  key_registries:
    description: Where public keys are recorded; those of hosts that are struck out go.
    type: list
    elements: path
    default: []
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Somebody has taken the router to the scrap yard
  xuegao.net.departure:
    hosts: [branch]
    state: gone
"""

RETURN = r"""
msg:
  description: What was noted.
  returned: always
  type: str
  sample: "branch: noted as gone for good"
"""
