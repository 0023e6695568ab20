#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: run_begin
short_description: Look at a host, and take it for this run
version_added: 0.3.0
description:
  - Makes one remote call, that of P(xuegao.net.host_facts#module), which also notes on the host that this run works there. A host that another run
    works on is not taken; RV(held) says who, since when, and what to do. Let RV(held) fail the play before anything is changed, and give every host
    back with P(xuegao.net.run_end#module), also after a failure.
  - The note of a run that was killed does not block for ever. On the controller it was started from its process is seen to be gone; anywhere else it
    expires, or is broken by O(break_lock).
  - Says in RV(begins) when the variables of this run differ from what the host last applied, for P(xuegao.net.run_note#module), and warns where that is not
    what is recorded beside the inventory - somebody else has applied it. A variable that cannot be resolved ends the task before the host is taken.
  - In check mode nothing is taken.
author: xuegao.net maintainers (@xuegao)
options:
  commands:
    description: Commands to look for.
    type: list
    elements: str
    default: []
  units:
    description: Units of systemd to look at.
    type: list
    elements: str
    default: []
  look:
    description: Make that call. A host that is reached through one that is taken may do without.
    type: bool
    default: true
  lock:
    description: Take the host. A run that changes nothing needs not.
    type: bool
    default: true
  break_lock:
    description: Take the host from a run that is known to be dead.
    type: bool
    default: false
  lock_minutes:
    description: After how many minutes without a word of this run its note expires. Modules that change the host renew it (C(lock_run)).
    type: int
    default: 15
  applies:
    description: What of the host's variables the run applies.
    type: str
    choices: [everything, part, nothing]
    default: everything
  directory:
    description: Where it is recorded what the hosts applied, on the controller. C(.applied) beside the inventory when not given.
    type: path
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Build
  hosts: routers
  tasks:
    - name: On hosts that nobody else works on
      block:
        - name: Take the host
          xuegao.net.run_begin:
          register: begun

        - name: Stop before any host is touched
          ansible.builtin.assert:
            that: not begun.held
            fail_msg: "{{ begun.held }}"
          any_errors_fatal: true

        - name: Note what begins
          xuegao.net.run_note:
            begun: "{{ begun }}"

        - name: Change something
          ansible.builtin.import_role:
            name: xuegao.net.vrf
      always:
        - name: Give the host back
          xuegao.net.run_end:
            begun: "{{ begun }}"
            complete: false
"""

RETURN = r"""
ansible_facts:
  description: What P(xuegao.net.host_facts#module) returns.
  returned: when O(look)
  type: dict
taken:
  description: Whether this run has the host.
  returned: always
  type: bool
held:
  description: Who works on the host, and what to do; empty when nobody does.
  returned: always
  type: str
  sample: >-
    r1 is taken: alice@noc-2 has worked there since 2026-11-29 03:12:05 UTC (run 20261129T031205Z-4711-noc-2-5f0c1d, inventory inventories/hybrid)
begins:
  description: What this run is about to do, the words after "a run"; empty when the host has applied the same already, or is held.
  returned: always
  type: str
  sample: began to change it and has not come to its end
run:
  description: Name of this run, for option C(lock_run) of the modules that change a host.
  returned: always
  type: str
token:
  description: What P(xuegao.net.run_end#module) returns when it has ended this beginning.
  returned: always
  type: str
applied:
  description: What the host keeps of what it last applied.
  returned: when O(look)
  type: dict
"""
