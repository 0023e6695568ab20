#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: run_note
short_description: Note that a run is about to change a host
version_added: 0.3.0
description:
  - Notes beside the inventory what P(xuegao.net.run_begin#module) found this run to begin, so that M(xuegao.net.plan) tells of a run that did not get to
    its end. What was applied before stays recorded.
  - Call it when nothing holds the run up any more, and before it changes anything. It makes no remote call. In check mode it notes nothing.
author: xuegao.net maintainers (@xuegao)
options:
  begun:
    description: What P(xuegao.net.run_begin#module) returned.
    type: dict
    required: true
  directory:
    description: Where it is recorded what the hosts applied, on the controller. C(.applied) beside the inventory when not given.
    type: path
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Note what this run begins
  xuegao.net.run_note:
    begun: "{{ begun }}"
"""

RETURN = r"""
changed:
  description: Always false.
  returned: always
  type: bool
"""
