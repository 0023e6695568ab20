#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Several files of one subject in one call, each checked before it replaces the old one
version_added: 0.1.0
description:
  - Writes all files, or none - every changed file is first checked by its own program under its own name in a private directory.
  - One remote call where a template task per file costs two each.
  - With O(record), the files, units and tables given are all of that record. What is recorded and no longer given goes, units first, and what was there before
    comes back.
author: xuegao.net maintainers (@xuegao)
options:
  files:
    description: The files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file goes. Parent directories are made.
        type: path
        required: true
      content:
        description: What is in it.
        type: str
        required: true
      owner:
        description: Owner.
        type: str
        default: root
      group:
        description: Group.
        type: str
        default: root
      mode:
        description: Permissions, octal in quotes.
        type: str
        default: "0644"
      validate:
        description: Command that must succeed on the new file; C(%s) stands for its path.
        type: str
      keep:
        description: Leave the content of a file that exists; only owner and mode are set.
        type: bool
        default: false
  absent:
    description: Files that must not exist.
    type: list
    elements: path
    default: []
  record:
    description: Name of the record below C(/var/lib/xgn/record) - the role, or the role, a dot and a part of it.
    type: str
  units:
    description: Units that the caller starts or enables for these files. How they were before is recorded.
    type: list
    elements: str
    default: []
  tables:
    description: Tables of nftables, family and name, that these units load. They are recorded and go with them.
    type: list
    elements: str
    default: []
  secrets:
    description: Secrets by name. C(<secret NAME>) in a file's content stands for one; what is printed has the placeholder.
    type: dict
    default: {}
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: Unit and settings
  xuegao.net.config_files:
    files:
      - path: /etc/systemd/system/interface.service
        content: "{{ lookup('ansible.builtin.template', 'interface.service.j2') }}"
        validate: systemd-analyze verify %s
"""

RETURN = r"""
changed_paths:
  description: Files that were (or would be) written, removed, or given another owner or mode.
  returned: always
  type: list
  elements: str
actions:
  description: What was (or would be) done about recorded files and units that are no longer given, in words.
  returned: always
  type: list
  elements: str
"""

import grp
import os
import pwd
import shlex
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.nft import NftError
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import put_in, take_out, where_like
from ansible_collections.xuegao.net.plugins.module_utils.removal import Removal, shown, unit_before
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK


def owner_ids(module: AnsibleModule, item: dict[str, Any]) -> tuple[int, int]:
    """Numbers of the file's owner and group; -1 for a name that check mode meets before its package made it."""
    try:
        uid = pwd.getpwnam(item["owner"]).pw_uid
        gid = grp.getgrnam(item["group"]).gr_gid
    except KeyError as error:
        if not module.check_mode:
            module.fail_json(
                msg="%s was not written: its owner is to be %s:%s, and %s" % (item["path"], item["owner"], item["group"], error.args[0])
            )
        return -1, -1
    return uid, gid


def refusal_of(module: AnsibleModule, item: dict[str, Any], text: str) -> str | None:
    """Run the file's own check on the new text. Returns what the check said when it failed, else None."""
    command = shlex.split(item["validate"] or "")
    if not command or (module.get_bin_path(command[0]) is None and module.check_mode):
        return None
    with trial_file(os.path.basename(item["path"]), text) as path:
        status, out, err = module.run_command([word.replace("%s", path) for word in command])
    return "%s: %s" % (item["path"], (err or out).strip().replace(os.path.dirname(path) + "/", "")) if status else None


class Comparison:
    """The files as they are and as they should be.

    ``contents`` and ``attributes`` are what differs: item, new text, owner and group numbers. ``texts`` is what every file holds in the end, None for
    one whose content is not looked at. ``unlisted`` is what is recorded and no longer given.
    """

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.contents: list[tuple[dict[str, Any], str, int, int]] = []
        self.attributes: list[tuple[dict[str, Any], int, int]] = []
        self.texts: dict[str, str | None] = {}
        self.change = HostChange(module, module.params["record"])
        self.removal = Removal(module)
        asked = {item["path"]: None if item["keep"] else self._text(item) for item in module.params["files"]}
        self.change.refuse_owners(asked, "Nothing was written.")
        self.gone = [path for path in module.params["absent"] if os.path.lexists(path)]
        self.diffs: list[dict[str, str]] = []
        refusals = [refusal for item in module.params["files"] for refusal in self._compare(item)]
        if refusals:
            module.fail_json(msg="The program that reads it refuses a new file, and nothing was written:\n" + "\n".join(refusals))
        for path in self.gone:
            self._note(path, shown(path), "")
        given = {("file", path) for path in self.texts}
        given |= {(kind, name) for kind in ("unit", "table") for name in module.params[kind + "s"]}
        recorded = self.change.recorded
        self.unlisted = [key for key in recorded if key not in given and key[1] not in self.gone]

    def changed_paths(self) -> list[str]:
        """Files that differ in any way."""
        listed = [item["path"] for item, *_new in self.contents] + [item["path"] for item, *_new in self.attributes] + self.gone
        return listed + [item["before_header"] for item in self.removal.diffs]

    def remove_unlisted(self) -> None:
        """Take away what is no longer given, or in check mode find out what that would be."""
        try:
            self.removal.remove(self.change, self.unlisted)
        except (CommandError, NftError, OSError) as error:
            self.module.fail_json(msg="%s. What is left is still recorded, and the next run goes on." % error)

    def apply(self) -> None:
        """Make the files as they should be."""
        change = self.change
        # All of it before the first is made: a run that is killed in between leaves nothing unknown.
        for unit in self.module.params["units"]:
            change.own("unit", unit, partial(unit_before, self.module, unit))
        for table in self.module.params["tables"]:
            change.own("table", table)
        for path, content in self.texts.items():
            change.own_file(path, content)
        change.save()
        for item, text, uid, gid in self.contents:
            change.write(item["path"], text, int(item["mode"], 8), uid, gid)
        for item, uid, gid in self.attributes:
            change.give(item["path"], int(item["mode"], 8), uid, gid)
        for path in self.gone:
            change.remove(path)

    def _compare(self, item: dict[str, Any]) -> list[str]:
        """Compare one file; returns what its check refuses."""
        path, mode, template = item["path"], int(item["mode"], 8), item["content"]
        text = self._text(item)
        self.texts[path] = None if item["keep"] else text
        uid, gid = owner_ids(self.module, item)
        exists, before = os.path.exists(path), read_text(path)
        if not exists or (before != text and not item["keep"]):
            refusal = refusal_of(self.module, item, text)
            self.contents.append((item, text, uid, gid))
            self._note(path, take_out(before, where_like(template)), template)
            return [refusal] if refusal else []
        status = os.stat(path)
        now = (status.st_mode & 0o7777, status.st_uid, status.st_gid)
        if now != (mode, uid if uid >= 0 else now[1], gid if gid >= 0 else now[2]):
            self.attributes.append((item, uid, gid))
            attributes = "mode %04o, owner %s:%s\n"
            self._note(path, attributes % now, attributes % (mode, uid, gid))
        return []

    def _text(self, item: dict[str, Any]) -> str:
        """The text of one file, with its secrets."""
        try:
            text = put_in(str(item["content"]), self.module.params["secrets"])
        except KeyError as error:
            self.module.fail_json(
                msg="%s was not written: it has the placeholder <secret %s>, and secrets has no such name." % (item["path"], error.args[0])
            )
        return text

    def _note(self, path: str, before: str, after: str) -> None:
        self.diffs.append({"before_header": path, "after_header": path, "before": before, "after": after})


def main() -> None:
    file_options = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "str", "default": "0644"},
        "validate": {"type": "str"},
        "keep": {"type": "bool", "default": False},
    }
    module = host_module(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "default": [], "options": file_options},
            "absent": {"type": "list", "elements": "path", "default": []},
            "record": {"type": "str"},
            "units": {"type": "list", "elements": "str", "default": []},
            "tables": {"type": "list", "elements": "str", "default": []},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            **OWNERS,
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    comparison = Comparison(module)
    if not module.check_mode:
        comparison.apply()
    comparison.remove_unlisted()
    changed_paths, actions = comparison.changed_paths(), comparison.removal.actions
    diff = comparison.diffs + comparison.removal.diffs
    if actions:
        diff.append({"prepared": "".join(action + "\n" for action in actions)})
    module.exit_json(changed=bool(changed_paths or actions), changed_paths=changed_paths, actions=actions, diff=diff)


if __name__ == "__main__":
    main()
