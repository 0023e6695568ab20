#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: wireguard_key
short_description: WireGuard identities, made on the host
version_added: 0.1.0
description:
  - Makes a private key for each interface that has none and returns the public keys. A private key never leaves the host.
  - A key that stands in a C(wg-quick) file made by hand is kept, or else that of a living interface, so that the host keeps its identity.
author: xuegao.net maintainers (@xuegao)
options:
  interfaces:
    description: Names of the interfaces.
    type: list
    elements: str
    required: true
  create:
    description: Make missing keys. Turn off to read only.
    type: bool
    default: true
  adopt:
    description: Take over the keys of interfaces that somebody else has made. Without it they refuse O(create), and nothing is changed.
    type: bool
    default: false
  rotate:
    description: Make new keys for all of them. The living interfaces keep the former ones until role P(xuegao.net.wireguard#role) has run.
    type: bool
    default: false
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
  - xuegao.net.way_back
"""

EXAMPLES = r"""
- name: Keys of the tunnels
  xuegao.net.wireguard_key:
    interfaces: [wg0, wg1]
"""

RETURN = r"""
public_keys:
  description: Interface name to public key; null where there is no key yet.
  returned: always
  type: dict
  sample: {wg0: "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="}
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import owners, wireguard
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Record
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import interface_exists
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK


def store(change: HostChange, name: str, key: str) -> None:
    """Write the key file of an interface, readable by root only."""
    os.makedirs(wireguard.DIRECTORY, mode=0o700, exist_ok=True)
    change.write(wireguard.key_path(name), key + "\n", 0o600)


def living_key(module: AnsibleModule, wg: str | None, name: str) -> str | None:
    """Private key of a living interface that has no file; None when there is none."""
    if wg is None or not interface_exists(name):
        return None
    key = module.run_command([wg, "show", name, "private-key"])[1].strip()
    return key if re.match(wireguard.KEY_PATTERN, key) else None


def main() -> None:
    module = host_module(
        argument_spec={
            "interfaces": {"type": "list", "elements": "str", "required": True},
            "create": {"type": "bool", "default": True},
            "adopt": {"type": "bool", "default": False},
            "rotate": {"type": "bool", "default": False},
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    wg = module.get_bin_path("wg")
    if wg is None and not module.check_mode and module.params["create"]:
        module.fail_json(msg="wg is not installed, so no key was made. Remedy: install the package wireguard-tools.")
    if module.params["create"]:
        owners.refuse(module, module.params["interfaces"], Record("wireguard", module.warn).objects)
    public_keys, made, change = {}, [], HostChange(module)
    for name in module.params["interfaces"]:
        try:
            private = wireguard.private_key(name) or living_key(module, wg, name)
        except wireguard.WireGuardError as error:
            module.fail_json(msg=str(error))
        # One that was emptied comes back from the file that wg-quick reads.
        stored = wireguard.stored_key(name) is not None
        rotate = module.params["rotate"]
        if module.params["create"] and (rotate or not stored):
            made.append(name)
            if not module.check_mode:
                if rotate or private is None:
                    private = module.run_command([wg, "genkey"], check_rc=True)[1].strip()
                store(change, name, private)
        if stored and os.stat(wireguard.key_path(name)).st_mode & 0o077:
            made.append(name)
            if not module.check_mode:
                change.give(wireguard.key_path(name), 0o600)
        known = private is not None and wg is not None
        public_keys[name] = module.run_command([wg, "pubkey"], data=private, check_rc=True)[1].strip() if known else None
    module.exit_json(changed=bool(made), public_keys=public_keys)


if __name__ == "__main__":
    main()
