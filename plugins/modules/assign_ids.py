# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: assign_ids
short_description: Write missing ids into the intent
version_added: 0.1.0
description:
  - Gives every node, link and segment of the intent that has none the next free id, and writes it into the file the entry stands in.
  - Comments and layout stay. The id becomes the first key of its entry.
  - Runs on the controller and opens no connection. Run it with C(run_once).
options:
  files:
    description: Files to search. Those of C(group_vars/all) beside the inventory when not given.
    type: list
    elements: path
  applied:
    description:
      - Directory with the records of what the hosts applied. C(.applied) beside the inventory when not given. Ids of hosts that are no nodes any more, and
        of which something is recorded, are not given again.
    type: path
extends_documentation_fragment:
  - xuegao.net.attributes
author:
  - xuegao.net maintainers (@xuegao)
"""

EXAMPLES = r"""
- name: Give every new entry its id
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the missing ids
      xuegao.net.assign_ids:
      run_once: true
"""

RETURN = r"""
msg:
  description: How many ids were written, or which entry stands in no file.
  returned: always
  type: str
  sample: 2 ids written.
assigned:
  description: The ids by path.
  returned: always
  type: dict
  sample: {"xgn_links[3].id": 4}
"""
