#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_network
short_description: The beginning of an intent from what several hosts are
version_added: 0.3.0
description:
  - Finds the links whose both ends M(xuegao.net.adopt) has described, and writes them with VRFs and nodes as an intent into C(intent.yml) on the controller.
  - Makes no remote call. Policies and filters are not inferred, and ids are given in the order of the hosts.
author: xuegao.net maintainers (@xuegao)
options:
  routers:
    description: By host, what M(xuegao.net.adopt) has returned as C(router).
    type: dict
    required: true
  directory:
    description: Where to write. C(build/adopt) below the working directory, and in it the inventory's name, when not given.
    type: path
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Describe what runs already
  xuegao.net.adopt:
  register: found

- name: Describe the network
  xuegao.net.adopt_network:
    routers: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, ['found', 'router']))) }}"
  run_once: true
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
intent:
  description: What is in it.
  returned: success
  type: dict
mistakes:
  description: What a plan of it says is wrong or missing.
  returned: success
  type: list
  elements: str
"""
