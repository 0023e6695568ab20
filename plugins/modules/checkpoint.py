#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: checkpoint
short_description: Keep a change that could have cut the controller's connection
version_added: 0.2.0
description:
  - Modules P(xuegao.net.nft_table#module) and P(xuegao.net.ssh_listen#module) leave a timer on the host that undoes their change.
    This module stops it. Call it over a new connection, after C(reset_connection) of M(ansible.builtin.meta) - that it arrives is the proof.
  - Fails when the timer was faster.
author: xuegao.net maintainers (@xuegao)
options:
  name:
    description: Name of the checkpoint.
    type: str
    required: true
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Open a new connection
  ansible.builtin.meta: reset_connection

- name: Keep the new packet filter
  xuegao.net.checkpoint:
    name: firewall
"""

RETURN = r"""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import checkpoint


def main() -> None:
    module = AnsibleModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    name = module.params["name"]
    if module.check_mode:
        module.exit_json(changed=checkpoint.is_pending(name))
    try:
        checkpoint.confirm(name, module.run_command)
    except checkpoint.CheckpointError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
