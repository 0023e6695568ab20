#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_key
short_description: OpenVPN identities, made on the host
version_added: 0.1.0
description:
  - Makes a private key (P-256) and a self-signed certificate for each tunnel that has none, and returns the certificates' fingerprints.
  - A private key never leaves the host. Nothing signs the certificate; the other end knows it by its fingerprint, so no CA is needed.
author: xuegao.net maintainers (@xuegao)
options:
  tunnels:
    description: Names of the tunnels.
    type: list
    elements: str
    required: true
  common_name:
    description: Common name in the certificates, at most 64 characters; for people who read logs.
    type: str
    default: router
  create:
    description: Make missing keys. Turn off to read only.
    type: bool
    default: true
  rotate:
    description: Make a new key in place of one that is there.
    type: bool
    default: false
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
  - xuegao.net.way_back
"""

EXAMPLES = r"""
- name: Key of the tunnel
  xuegao.net.openvpn_key:
    tunnels: [ovpn2]
    common_name: "{{ inventory_hostname }}"
"""

RETURN = r"""
fingerprints:
  description: Tunnel name to SHA-256 fingerprint of the certificate; null where there is no key yet.
  returned: always
  type: dict
  sample: {ovpn2: "FB:3A:F7:2F:1C:2E:A5:3E:A8:5E:AE:05:7B:B7:7A:DB:87:5F:BE:AA:84:5D:59:71:69:35:B0:A2:83:D6:F9:2C"}
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import openvpn
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK

# OpenVPN does not look at the dates of a certificate it knows by its fingerprint; a key lives until it is rotated.
LIFETIME_DAYS = "36500"


def make(module: AnsibleModule, openssl: str, name: str) -> None:
    """Make key and certificate of a tunnel in one private file."""
    os.makedirs(openvpn.KEYS, mode=0o700, exist_ok=True)
    os.chmod(openvpn.KEYS, 0o700)
    # No trial file: openssl writes both files itself, under names that it is given.
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as directory:
        key, certificate = os.path.join(directory, "key"), os.path.join(directory, "certificate")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-sha256"]
        command += ["-days", LIFETIME_DAYS, "-subj", "/CN=%s" % module.params["common_name"].replace("/", "_")]
        module.run_command([*command, "-keyout", key, "-out", certificate], check_rc=True, umask=0o077)
        HostChange(module).write(openvpn.key_path(name), read_text(key) + read_text(certificate), 0o600)


def main() -> None:
    module = host_module(
        argument_spec={
            "tunnels": {"type": "list", "elements": "str", "required": True},
            "common_name": {"type": "str", "default": "router"},
            "create": {"type": "bool", "default": True},
            "rotate": {"type": "bool", "default": False},
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    openssl = module.get_bin_path("openssl")
    fingerprints, made = {}, []
    for name in module.params["tunnels"]:
        path = openvpn.key_path(name)
        stored = os.path.exists(path)
        if module.params["create"] and (not stored or module.params["rotate"]):
            made.append(name)
            if not module.check_mode:
                if openssl is None:
                    module.fail_json(
                        msg="openssl is not installed, so no key of tunnel %s was made. Remedy: install the package openssl." % name
                    )
                make(module, openssl, name)
        elif stored and os.stat(path).st_mode & 0o077:
            made.append(name)
            if not module.check_mode:
                HostChange(module).give(path, 0o600)
        try:
            fingerprints[name] = openvpn.fingerprint(name)
        except openvpn.OpenVPNError as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=bool(made), fingerprints=fingerprints)


if __name__ == "__main__":
    main()
