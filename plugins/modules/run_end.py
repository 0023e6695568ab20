#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: run_end
short_description: Record what a host applied, and give it back to other runs
version_added: 0.3.0
description:
  - The end of what P(xuegao.net.run_begin#module) began. Makes one remote call, that of P(xuegao.net.host_leave#module), where the host was taken or
    has applied something else than it keeps a record of; none otherwise.
  - Beside the inventory it records the roles' variables of the host, with a keyed digest in place of each secret, so that M(xuegao.net.plan) can
    compare without reaching the host. The host itself keeps digests, and when, by whom and with which inventory.
  - It is C(changed) when the host keeps something new. A record beside the inventory that says the same but for its time, or for the key of its digests,
    stays as it is. A run that has lost the host meanwhile records nothing, and is told.
  - A run with C(--tags), C(--skip-tags) or C(--start-at-task) has applied a part, and records nothing but that.
author: xuegao.net maintainers (@xuegao)
options:
  begun:
    description: What P(xuegao.net.run_begin#module) returned.
    type: dict
    default: {}
  complete:
    description: The host has applied all of its variables. Otherwise it is only given back.
    type: bool
    required: true
  directory:
    description: Where it is recorded what the hosts applied, on the controller. C(.applied) beside the inventory when not given.
    type: path
  key_registries:
    description: Where public keys are recorded. What is kept there under the former name of a node that was renamed goes, as its former record does.
    type: list
    elements: path
    default: []
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Record what was applied, and give the host back
  xuegao.net.run_end:
    begun: "{{ begun }}"
    complete: true
"""

RETURN = r"""
msg:
  description: What was recorded, or why nothing was.
  returned: always
  type: str
  sample: recorded as applied
token:
  description: That of P(xuegao.net.run_begin#module).
  returned: when the host is given back
  type: str
"""
