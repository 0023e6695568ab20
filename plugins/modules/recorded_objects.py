#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: recorded_objects
short_description: Remove all that a role made on a host, as its record says
version_added: 0.1.0
description:
  - Services stop and are disabled, unless they were enabled before the role came; then interfaces, tables, kernel settings and files go. A file that
    was there before is put back, and a service that ran before is started with it.
  - Needs the plain yes of O(remove_all), since a variable that got lost looks the same, unless there are but files that nothing uses.
  - Packages and keys stay.
  - Asks the host nothing more when the role has recorded nothing.
author: xuegao.net maintainers (@xuegao)
options:
  role:
    description: Name of the role.
    type: str
    required: true
  state:
    description:
      - V(absent) removes. V(allowed) only asks for the plain yes, for a role that has something to do before.
      - V(noted) only records how O(units) are, for a role that is about to install their packages, which start them.
    type: str
    choices: [absent, allowed, noted]
    default: absent
  units:
    description: Units by name of the record.
    type: dict
    default: {}
  remove_all:
    description: All that the role made may go.
    type: bool
    default: false
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
"""

EXAMPLES = r"""
- name: Remove what role openvpn made
  xuegao.net.recorded_objects:
    role: openvpn
    remove_all: true
"""

RETURN = r"""
actions:
  description: What was (or would be) done, in words.
  returned: always
  type: list
  elements: str
  sample: ["unit openvpn-server@ovpn2.service: stop, disable", "interface ovpn2: delete"]
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import nft, ownership
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.removal import Removal, unit_before
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK


def note(module: AnsibleModule) -> None:
    """Record how the units are."""
    for name, units in module.params["units"].items():
        change = HostChange(module, name)
        for unit in units:
            change.own("unit", unit, partial(unit_before, module, unit))
        change.save()


def remove(module: AnsibleModule) -> Removal:
    """Remove all that the role made; fails without a plain yes."""
    role, removal = module.params["role"], Removal(module)
    objects = []
    for name in ownership.record_names():
        if ownership.role_of(name) == role:
            change = HostChange(module, name)
            # What older versions made and no run has met since goes, too.
            objects += [(change, key) for key in dict.fromkeys([*change.recorded, *ownership.made_before(name)])]
    words = ["%s %s" % key for _change, key in objects]
    if ownership.needs_yes(words) and not module.params["remove_all"]:
        module.fail_json(msg=ownership.refusal(role, words) + " Nothing was changed.")
    if module.params["state"] == "allowed":
        return removal
    try:
        removal.remove_all(objects)
    except (CommandError, nft.NftError, OSError) as error:
        module.fail_json(msg="%s. What is left is still recorded, and the next run goes on." % error, actions=removal.actions)
    return removal


def main() -> None:
    module = host_module(
        argument_spec={
            "role": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["absent", "allowed", "noted"], "default": "absent"},
            "units": {"type": "dict", "default": {}},
            "remove_all": {"type": "bool", "default": False},
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    if module.params["state"] == "noted":
        if not module.check_mode:
            note(module)
        module.exit_json(changed=False, actions=[])
    removal = remove(module)
    prepared = {"prepared": "".join(action + "\n" for action in removal.actions)}
    module.exit_json(changed=bool(removal.actions), actions=removal.actions, diff=[*removal.diffs, prepared])


if __name__ == "__main__":
    main()
