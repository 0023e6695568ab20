#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Tell how far a rollout has come, and let it go on only behind a batch that was done
version_added: 0.4.0
description:
  - A rollout is a run that takes its hosts in batches; see C(docs/rollout.md). This prints which hosts are done, went back, are untouched.
  - What became of a host it reads from what role P(xuegao.net.preflight#role) has left in the host's variables. Runs on the controller and opens no connection;
    run it with C(run_once), outside of check mode.
author: xuegao.net maintainers (@xuegao)
options:
  plan:
    description: The batches, RV(xuegao.net.plan#module:rollout).
    type: dict
    required: true
  step:
    description:
      - V(plan) tells the batches and the neighbors that are looked at.
      - V(begin) comes before the first step of a batch, and fails where a host of the batch before it was not done. Ansible goes on with the next batch
        when a host cannot be reached any more.
      - V(stop) comes when a batch has failed, V(end) at the end of the run, where it fails if anything was not done.
    type: str
    choices: [plan, begin, stop, end]
    required: true
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Tell the batches
  xuegao.net.rollout:
    plan: "{{ plan.rollout }}"
    step: plan
  run_once: true
"""

RETURN = r"""
msg:
  description: The table, a line each; on failure one text.
  returned: always
  type: raw
  sample:
    - BATCH  STATE      HOSTS
    - "    1  went back  edge1"
    - "    2  untouched  core1, core2, edge2"
"""
