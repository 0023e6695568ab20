#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: verify_checks
short_description: Compare the live state of a host with the variables of its roles
version_added: 0.1.0
description:
  - Calls M(xuegao.net.live_state) once with what the host's variables ask for, and compares the answer on the controller.
  - Reads the variables of the roles C(sysctl), C(vrf), C(wireguard), C(frr) and C(verify), with the defaults of their argument specs.
  - A host that cannot be reached yields one failed check. The task itself does not fail because of a check.
author: xuegao.net maintainers (@xuegao)
options:
  openvpn_key_registry:
    description: Directory of the registry of OpenVPN fingerprints.
    type: path
  key_registry:
    description: Directory on the controller with one file of WireGuard public keys per host.
    type: path
    required: true
  retired:
    description:
      - The node of this host is retired. Do not gather; the one check of the host is whether all that it applied is gone, which fails when this says why not.
    type: str
  error:
    description: Do not gather; record this reason as the one failed check of the host.
    type: str
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Compare the live state with the variables
  xuegao.net.verify_checks:
    key_registry: "{{ inventory_dir }}/wireguard_keys"
"""

RETURN = r"""
ansible_facts:
  description: Fact C(xgn_verify) with C(host), C(checks) and C(summary), which M(xuegao.net.report) reads.
  returned: always
  type: dict
msg:
  description: How many checks were made and how many failed.
  returned: always
  type: str
"""
