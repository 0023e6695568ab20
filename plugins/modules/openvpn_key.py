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
  - A new key comes in steps, so that the peer accepts it before it is used. Each step does nothing where it is done already.
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
  step:
    description:
      - V(read) only reads. The others make keys that are missing, too.
      - V(next) makes a next key beside the one in use, unless there is a next or a former one.
      - V(switch) takes the next key into use, which the daemon reads at its next start, and keeps the former one. The peer must accept both by then.
      - V(drop) removes the former key. The daemon must run with the one in use by then.
    type: str
    choices: [read, make, next, switch, drop]
    default: make
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
  description:
    - Tunnel name to SHA-256 fingerprints of the certificates that the peer has to accept. The first one is in use, a second one is the next or the former.
    - Empty where there is no key yet.
  returned: always
  type: dict
  sample: {ovpn2: ["FB:3A:F7:2F:1C:2E:A5:3E:A8:5E:AE:05:7B:B7:7A:DB:87:5F:BE:AA:84:5D:59:71:69:35:B0:A2:83:D6:F9:2C"]}
rotation:
  description: Tunnel name to what waits beside the key in use, V(next) or V(former); empty for nothing.
  returned: always
  type: dict
  sample: {ovpn2: next}
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


def make(module: AnsibleModule, name: str, other: str = "") -> None:
    """Make key and certificate of a tunnel in one private file. other: as of `openvpn.key_path`."""
    openssl = module.get_bin_path("openssl")
    if openssl is None:
        raise openvpn.OpenVPNError("openssl is not installed, so no key of tunnel %s was made. Remedy: install the package openssl." % name)
    os.makedirs(openvpn.KEYS, mode=0o700, exist_ok=True)
    os.chmod(openvpn.KEYS, 0o700)
    # No trial file: openssl writes both files itself, under names that it is given.
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as directory:
        key, certificate = os.path.join(directory, "key"), os.path.join(directory, "certificate")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-sha256"]
        command += ["-days", LIFETIME_DAYS, "-subj", "/CN=%s" % module.params["common_name"].replace("/", "_")]
        module.run_command([*command, "-keyout", key, "-out", certificate], check_rc=True, umask=0o077)
        HostChange(module).write(openvpn.key_path(name, other), read_text(key) + read_text(certificate), 0o600)


def close(module: AnsibleModule, name: str) -> bool:
    """Keep others from reading the keys of a tunnel; returns whether they could."""
    paths = [openvpn.key_path(name, other) for other in ("", openvpn.NEXT, openvpn.FORMER)]
    opened = [path for path in paths if os.path.exists(path) and os.stat(path).st_mode & 0o077]
    for path in opened if not module.check_mode else ():
        HostChange(module).give(path, 0o600)
    return bool(opened)


def bring(module: AnsibleModule, name: str) -> bool:
    """Bring the keys of one tunnel to the step that is asked for; returns whether something was, or would be, done. Raises OpenVPNError."""
    step, missing = module.params["step"], not os.path.exists(openvpn.key_path(name))
    changed = close(module, name)
    if missing and not module.check_mode:
        make(module, name)
    stands = openvpn.rotation(name)
    if step == "next" and not stands:
        if not module.check_mode:
            make(module, name, openvpn.NEXT)
        return True
    wanted = {"switch": (openvpn.NEXT, openvpn.switch), "drop": (openvpn.FORMER, openvpn.drop)}.get(step)
    if wanted is not None and module.check_mode:
        changed = changed or stands == wanted[0]
    elif wanted is not None:
        changed = wanted[1](HostChange(module), name) or changed
    return changed or missing


def main() -> None:
    module = host_module(
        argument_spec={
            "tunnels": {"type": "list", "elements": "str", "required": True},
            "common_name": {"type": "str", "default": "router"},
            "step": {"type": "str", "choices": ["read", "make", "next", "switch", "drop"], "default": "make"},
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    tunnels = module.params["tunnels"]
    try:
        # All of them, and not only until the first one that is changed.
        changed = [bring(module, name) for name in tunnels if module.params["step"] != "read"]
        fingerprints = {name: openvpn.fingerprints(name) for name in tunnels}
        rotation = {name: openvpn.rotation(name) for name in tunnels}
    except openvpn.OpenVPNError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=any(changed), fingerprints=fingerprints, rotation=rotation)


if __name__ == "__main__":
    main()
