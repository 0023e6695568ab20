#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nft_table
short_description: One nftables table, in its file and live
version_added: 0.2.0
description:
  - Compares the live table with what the file declares, both as the kernel lists them, so that a rule deleted by hand is seen and repaired.
  - The file is checked by C(nft -c) and loaded in one transaction. Other tables are not touched.
  - Give it O(way_back_seconds) - a wrong rule cuts off whoever could take it back.
author: xuegao.net maintainers (@xuegao)
options:
  path:
    description: The file, read at boot.
    type: path
    required: true
  copy:
    description: A second file of the same content, for a unit that loads it at boot where the first is broken. Nothing is open until somebody repairs it.
    type: path
    version_added: 0.3.0
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
  record:
    description: Name of the record of file and table.
    type: str
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: Load the packet filter
  xuegao.net.nft_table:
    path: /etc/xgn/firewall.nft
    content: "{{ lookup('ansible.builtin.template', 'firewall.nft.j2') }}"
  register: filter
"""

RETURN = r"""
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import nft
from ansible_collections.xuegao.net.plugins.module_utils.files import is_as_declared, read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK


def declared_table(module: AnsibleModule, content: str) -> str:
    """Check the new file in place, with the kernel and the rules that are there, and return the listing it leads to."""
    with trial_file(os.path.basename(module.params["path"]), content) as path:
        status, out, err = module.run_command(["nft", "-c", "-f", path])
        if status:
            module.fail_json(
                msg="nft refuses the new rules, and nothing was changed:\n" + (err or out).strip().replace(path, module.params["path"])
            )
        return nft.table_of_file(path, module.params["table"], module.run_command)


def tables(module: AnsibleModule, content: str) -> tuple[str, str]:
    """The table as it is and as it should be, both as the kernel lists it. Raises NftError.

    On a bare host in check mode there is no nft and no table of ours, and the file's text stands for what will be.
    """
    present = module.params["state"] == "present"
    if module.get_bin_path("nft") is None:
        if present and not module.check_mode:
            module.fail_json(
                msg="nft is not installed. Remedy: install the package nftables; it also serves a host that uses iptables-nft."
            )
        return "", content
    return nft.live_table(module.params["table"], module.run_command), declared_table(module, content) if present else ""


def record(module: AnsibleModule, change: HostChange, content: str) -> None:
    """Take table and file into the record, also where nothing else is to be done: a torn record is written again."""
    if module.params["state"] == "present":
        change.own("table", module.params["table"])
        for path in paths_of(module):
            change.own_file(path, content)
        change.save()


def paths_of(module: AnsibleModule) -> list[str]:
    """The file and, where one is wanted, its copy."""
    return [path for path in (module.params["path"], module.params["copy"]) if path]


def apply(module: AnsibleModule, change: HostChange, content: str, live: str, wanted: str) -> None:
    """Write the file and load it, or remove both."""
    path, present = module.params["path"], module.params["state"] == "present"
    # The way back keeps every table of ours.
    change.about_to()
    if present:
        for file in paths_of(module):
            change.write(file, content, 0o644)
        command = ["nft", "-f", path]
    else:
        for file in paths_of(module):
            change.remove(file)
        command = ["nft", "delete", "table", *module.params["table"].split()]
    if live != wanted:
        status, out, err = module.run_command(command)
        if status:
            module.fail_json(
                msg="%s could not be brought in line with %s: %s. The former rules are in force."
                % (module.params["table"], path, (err or out).strip())
            )
    if not present:
        change.disown("table", module.params["table"])


def main() -> None:
    module = host_module(
        argument_spec={
            "path": {"type": "path", "required": True},
            "copy": {"type": "path"},
            "content": {"type": "str"},
            "table": {"type": "str", "default": "inet xgn"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "record": {"type": "str"},
            **OWNERS,
            **WAY_BACK,
        },
        required_if=[("state", "present", ["content"])],
        supports_check_mode=True,
    )
    table, present = module.params["table"], module.params["state"] == "present"
    content = module.params["content"] if present else ""
    change = HostChange(module, module.params["record"])
    if present:
        change.refuse_owners(dict.fromkeys(paths_of(module), content))
    # What differs of the files; a copy stands for itself.
    differing = [file for file in paths_of(module) if (not is_as_declared(file, content, 0o644) if present else os.path.exists(file))]
    try:
        live, wanted = tables(module, content)
    except nft.NftError as error:
        module.fail_json(msg="table %s cannot be read, and nothing was changed: %s" % (table, error))
    diff = [{"before_header": file, "after_header": file, "before": read_text(file), "after": content} for file in differing]
    if live != wanted:
        diff.append({"before_header": "table " + table, "after_header": "table " + table, "before": live, "after": wanted})
    changed = bool(differing) or live != wanted
    if not module.check_mode:
        record(module, change, content)
    if changed and not module.check_mode:
        apply(module, change, content, live, wanted)
    module.exit_json(changed=changed, diff=diff)


if __name__ == "__main__":
    main()
