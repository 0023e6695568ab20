#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nft_table
short_description: One nftables table, in its file and live, with a way back
version_added: 0.2.0
description:
  - Compares the live table with what the file declares, both as the kernel lists them, so that a rule deleted by hand is seen and repaired.
  - The file is checked by C(nft -c) and loaded in one transaction. Other tables are not touched.
  - Before a change, a timer is started on the host that restores file and table unless module P(xuegao.net.checkpoint#module) stops it.
author: xuegao.net maintainers (@xuegao)
options:
  path:
    description: The file, read at boot.
    type: path
    required: true
  content:
    description: What is in it. It must begin by declaring and deleting the table, so that loading it replaces the table. Required to be present.
    type: str
  table:
    description: Family and name of the table.
    type: str
    default: inet xgn
  state:
    description: C(absent) removes table and file.
    type: str
    choices: [present, absent]
    default: present
  checkpoint:
    description: Name of the checkpoint.
    type: str
    default: firewall
  seconds:
    description: Time until the former state comes back; 0 for no way back.
    type: int
    default: 60
extends_documentation_fragment:
  - xuegao.net.attributes
"""

EXAMPLES = r"""
- name: Load the packet filter
  xuegao.net.nft_table:
    path: /etc/xgn/firewall.nft
    content: "{{ lookup('ansible.builtin.template', 'firewall.nft.j2') }}"
  register: filter
"""

RETURN = r"""
pending:
  description: A change waits to be confirmed by module P(xuegao.net.checkpoint#module).
  returned: always
  type: bool
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import checkpoint, nft
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text, write_atomically


def declared_table(module: AnsibleModule, content: str) -> str:
    """Check the new file in place, with the kernel and the rules that are there, and return the listing it leads to."""
    handle, path = tempfile.mkstemp(dir=module.tmpdir, suffix=".nft")
    os.close(handle)
    try:
        write_atomically(path, content, 0o600)
        status, out, err = module.run_command(["nft", "-c", "-f", path])
        if status:
            module.fail_json(msg="refused by nft, nothing was changed:\n" + (err or out).strip().replace(path, module.params["path"]))
        return nft.table_of_file(path, module.params["table"], module.run_command)
    finally:
        os.unlink(path)


def way_back(module: AnsibleModule, live: str) -> None:
    """Leave the former table beside the former file."""
    table, name = module.params["table"], module.params["checkpoint"]
    texts = {"former.nft": "table %s\ndelete table %s\n%s" % (table, table, live)}
    commands = [["nft", "-f", os.path.join(checkpoint.place_of(name), "former.nft")]]
    checkpoint.arm(name, [module.params["path"]], texts, commands, module.params["seconds"], module.run_command)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "content": {"type": "str"},
            "table": {"type": "str", "default": "inet xgn"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "checkpoint": {"type": "str", "default": "firewall"},
            "seconds": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ["content"])],
        supports_check_mode=True,
    )
    path, table, present = module.params["path"], module.params["table"], module.params["state"] == "present"
    content = module.params["content"] if present else ""
    before = read_text(path)
    file_differs = before != content or (not present and os.path.exists(path))
    if module.get_bin_path("nft") is None:
        if present and not module.check_mode:
            module.fail_json(
                msg="nft is not installed. Remedy: install the package nftables; it also serves a host that uses iptables-nft."
            )
        # Without nft there is no table of ours; in check mode on a bare host this is what will be.
        live, wanted = "", content
    else:
        try:
            live = nft.live_table(table, module.run_command)
            wanted = declared_table(module, content) if present else ""
        except nft.NftError as error:
            module.fail_json(msg="nft: %s" % error)
    live_differs = live != wanted
    changed = file_differs or live_differs
    diff = [{"before_header": path, "after_header": path, "before": before, "after": content}] if file_differs else []
    if live_differs:
        diff.append({"before_header": "table " + table, "after_header": "table " + table, "before": live, "after": wanted})
    if changed and not module.check_mode:
        try:
            if live_differs and present and module.params["seconds"]:
                way_back(module, live)
        except checkpoint.CheckpointError as error:
            module.fail_json(msg=str(error))
        if present:
            write_atomically(path, content, 0o644)
            command = ["nft", "-f", path]
        else:
            if os.path.exists(path):
                os.unlink(path)
            command = ["nft", "delete", "table", *table.split()]
        if live_differs:
            status, out, err = module.run_command(command)
            if status:
                module.fail_json(msg="nft: %s" % (err or out).strip())
    module.exit_json(changed=changed, diff=diff, pending=checkpoint.is_pending(module.params["checkpoint"]))


if __name__ == "__main__":
    main()
