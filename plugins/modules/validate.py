# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: Check the variables of a host before it is touched
version_added: 0.1.0
description:
  - Checks all variables of this collection's roles that the host has, against the roles' argument specs and against rules that no schema
    can express, for example a neighbor with the router's own address, or a tunnel larger than its uplink.
  - Reports every mistake at once, each with its path, the value, and the valid values. Passwords and keys are never shown.
  - Runs on the controller and opens no connection to the host.
  - A variable that begins with the name of a role but is none of its options is a mistake too. Names that begin with C(__) are left alone.
options:
  plan:
    description:
      - What a plan of the network says of this host.
      - V(none) where there is none, so that its variables are all there is; V(ours) where it has planned variables.
      - V(others) where the plan has variables of other hosts only. Such a host must declare something itself, or it would become a router without links.
      - V(retired) where the node of this host leaves the network, so that the host needs no variables.
      - V(refused) where the intent has mistakes. Rules that compare several variables are left out then, since most of these are missing.
    type: str
    choices: [none, ours, others, retired, refused]
    default: none
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
author:
  - xuegao.net maintainers (@xuegao)
"""

EXAMPLES = r"""
- name: Check the variables of every host
  hosts: all
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - name: Report every mistake at once
      xuegao.net.validate:
"""

RETURN = r"""
msg:
  description: The number of mistakes, and whose they are.
  returned: always
  type: str
  sample: 1 mistake in the variables of T1. No host was touched.
problems:
  description:
    - The mistakes, one sentence each, in the order of their paths. Empty when there are none.
    - Each ends with a line break, so that Ansible prints it as it is when its results are shown as YAML.
  returned: always
  type: list
  elements: str
  sample:
    - "vrf_vrfs[0].table: 'two hundred' is not an integer\n"
"""
