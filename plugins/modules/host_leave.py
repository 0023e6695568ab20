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
    runs, which module P(xuegao.net.host_facts#module) took it from, also when nothing can be kept. P(xuegao.net.run_end#module) calls it.
  - A run that no longer has the host keeps nothing there - what it has now is not what that run applied.
author: xuegao.net maintainers (@xuegao)
options:
  run:
    description: Name of the run that leaves. Without it the host was not taken.
    type: str
  record:
    description: What the host is to keep; what it has stays when not given, or when it says the same but for the time.
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
lost:
  description:
    - Whether the host was no longer the run's. Another run had taken it, which may be over, or it was booted meanwhile.
  returned: always
  type: bool
taken_by:
  description: What another run said of itself that has taken the host meanwhile and works on it; null when none does.
  returned: always
  type: dict
released:
  description: That the host has been given back; also returned by a failure.
  returned: when it has
  type: bool
applied:
  description: What the host keeps now.
  returned: success
  type: dict
"""

from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.applied import is_same, read_applied, write_applied
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.run_lock import LOCK, leaving, look


def keep(record: dict[str, Any] | None, write: bool) -> tuple[bool, OSError | None]:
    """Keep what the host applied. Returns whether that is news, and why it could not be kept."""
    if record is None or is_same(read_applied(), record):
        return False, None
    try:
        if write:
            write_applied(record)
    except OSError as error:
        return False, error
    return True, None


def main() -> None:
    module = host_module(argument_spec={"run": {"type": "str"}, "record": {"type": "dict"}}, supports_check_mode=True)
    run, record = module.params["run"], module.params["record"]
    changed, mine = False, True
    failure: OSError | None = None
    other: dict[str, Any] | None = None
    try:
        if run and not module.check_mode:
            with leaving(run) as (mine, other):
                if mine:
                    changed, failure = keep(record, write=True)
        else:
            # Check mode has taken nothing, so it can only see who is there.
            other = look(run) if run else None
            changed, failure = keep(record, write=not module.check_mode)
    except OSError as error:
        remedy = "Remedy: run as root there, and make room in /run; until then the note of this run in %s expires by itself." % LOCK
        module.fail_json(msg="this host cannot be given back: %s. %s" % (error, remedy))
    released = {"released": True} if run and not module.check_mode else {}
    if failure is not None:
        remedy = "Remedy: run as root there, and make room below /var/lib/xgn, then run again. Until then a plan, and the next run, take it for unchanged."
        module.fail_json(msg="what this host applied cannot be kept: %s. %s" % (failure, remedy), **released)
    module.exit_json(changed=changed, lost=not mine, taken_by=other, applied=read_applied(), **released)


if __name__ == "__main__":
    main()
