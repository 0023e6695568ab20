#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: adopt
short_description: Describe a running host in the roles' variables
version_added: 0.3.0
description:
  - Reads WireGuard, FRR, VRFs, VXLANs, GRE tunnels, VLANs, bridges and their addresses from a running host, whoever configured it, in one remote call, and
    changes nothing there.
  - Writes the variables that describe it into a file on the controller, with what no variable describes, and what the roles would refuse.
  - No secret leaves the host. A variable of an own name stands for each, the same for the same value.
author: xuegao.net maintainers (@xuegao)
options:
  directory:
    description: >-
      Where to write C(host_vars/HOST.yml), on the controller. C(build/adopt) below the working directory, and in it the inventory's name, when not given.
    type: path
extends_documentation_fragment:
  - xuegao.net.attributes
"""

EXAMPLES = r"""
- name: Describe what runs already
  xuegao.net.adopt:
  register: found
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
router:
  description:
    - C(variables) are what describes the host; a secret is a template of the variable that its owner gives it. C(public_keys) of WireGuard by interface,
      and C(uplink), are for M(xuegao.net.adopt_network).
  returned: success
  type: dict
left:
  description: What no variable describes, a sentence each.
  returned: success
  type: list
  elements: str
  sample: ["interface docker0: is of kind bridge and somebody else's; it stays as it is"]
secrets:
  description: Names of the variables of secrets, and where the host has each.
  returned: success
  type: dict
mistakes:
  description: What the roles would refuse of the variables.
  returned: success
  type: list
  elements: str
"""
