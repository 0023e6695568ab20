#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: key_registry
short_description: Registry of public keys beside the inventory
version_added: 0.1.0
description:
  - Records the public keys of a host's tunnels in a file on the controller, or looks up the keys of the tunnels' peers there. For OpenVPN they
    are fingerprints of certificates.
  - Only what has the form of a key is recorded or given to anybody, whatever a host says.
  - Fails when a host has another key than is recorded, which means that it is another host or was installed anew, until somebody accepts that.
  - Runs on the controller only.
author: xuegao.net maintainers (@xuegao)
options:
  path:
    description: Directory with one file per host.
    type: path
    required: true
  kind:
    description: What the keys are; V(wireguard) for WireGuard's public keys, V(openvpn) for SHA-256 fingerprints of OpenVPN's certificates.
    type: str
    choices: [wireguard, openvpn]
    required: true
  host:
    description: Inventory name of the host whose keys are recorded.
    type: str
  record:
    description: Interface name to public key, or to a list of those that peers have to accept, the one in use first; empty values are left out.
    type: dict
  accept:
    description: The keys may be others than are recorded, since the caller has just made them. Somebody else says so with C(--extra-vars xgn_accept_keys=HOST).
    type: bool
    default: false
  resolve:
    description: Interfaces, each with C(name) and C(peers); a peer has C(name) and may have C(interface) and C(public_key), one or a list.
    type: list
    elements: dict
  must_resolve:
    description: Fail, naming the peers, when a key is not known.
    type: bool
    default: false
extends_documentation_fragment:
  - xuegao.net.attributes
"""

EXAMPLES = r"""
- name: Keep this host's public keys
  xuegao.net.key_registry:
    path: "{{ inventory_dir }}/wireguard_keys"
    kind: wireguard
    host: "{{ inventory_hostname }}"
    record:
      wg0: bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo=
"""

RETURN = r"""
public_keys:
  description: Interface name to peer name to public key in use.
  returned: when resolving
  type: dict
  sample: {wg0: {T2: "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="}}
accepted:
  description: Interface name to peer name to the public keys to accept, the one in use first.
  returned: when resolving
  type: dict
  sample: {wg0: {T2: ["bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="]}}
missing:
  description: Peers whose key is not known.
  returned: when resolving
  type: list
  elements: dict
"""
