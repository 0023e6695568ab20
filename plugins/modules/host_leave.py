#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: host_leave
short_description: End the work of a run on a host
version_added: 0.3.0
description:
  - The last call of a run. Keeps what the host applied, in C(/var/lib/xgn/applied.json), readable by root alone, and gives the host back to other
    runs, which module P(xuegao.net.host_facts#module) took it from. P(xuegao.net.run_end#module) calls it.
author: xuegao.net maintainers (@xuegao)
options:
  run:
    description: Name of the run that leaves. Without it the host was not taken.
    type: str
  record:
    description: What the host is to keep; what it has stays when not given.
    type: dict
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Give the host back
  xuegao.net.host_leave:
    run: 20261129T031205Z-4711-controller
"""

RETURN = r"""
taken_by:
  description: What another run said of itself that has taken the host meanwhile; null when none has.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.applied import read_applied, write_applied
from ansible_collections.xuegao.net.plugins.module_utils.run_lock import look, release


def main() -> None:
    module = AnsibleModule(argument_spec={"run": {"type": "str"}, "record": {"type": "dict"}}, supports_check_mode=True)
    run, record = module.params["run"], module.params["record"]
    changed = record is not None and read_applied() != record
    taken_by = look(run) if run else None
    try:
        # Another run is at work: what the host has now is not what this one applied.
        if changed and taken_by is None and not module.check_mode:
            write_applied(record)
        if run and not module.check_mode:
            release(run)
    except OSError as error:
        module.fail_json(msg="what this host applied cannot be kept: %s" % error)
    module.exit_json(changed=changed and taken_by is None, taken_by=taken_by)


if __name__ == "__main__":
    main()
