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
  secrets:
    description: Secrets by name. C(<secret NAME>) in a file's content stands for one; what is printed has the placeholder.
    type: dict
    default: {}
extends_documentation_fragment:
  - xuegao.net.attributes
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
"""

import grp
import os
import pwd
import shlex
import shutil
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text, write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.frr import put_in


def owner_ids(module: AnsibleModule, item: dict[str, Any]) -> tuple[int, int]:
    """Numbers of the file's owner and group; -1 for a name that check mode meets before its package made it."""
    try:
        uid = pwd.getpwnam(item["owner"]).pw_uid
        gid = grp.getgrnam(item["group"]).gr_gid
    except KeyError as error:
        if not module.check_mode:
            module.fail_json(msg="%s: owner %s:%s: %s" % (item["path"], item["owner"], item["group"], error.args[0]))
        return -1, -1
    return uid, gid


def validate(module: AnsibleModule, item: dict[str, Any]) -> str | None:
    """Run the file's own check on the new content. Returns what the check said when it failed, else None."""
    command = shlex.split(item["validate"])
    if module.get_bin_path(command[0]) is None and module.check_mode:
        return None
    directory = tempfile.mkdtemp(dir=module.tmpdir)
    try:
        path = os.path.join(directory, os.path.basename(item["path"]))
        write_atomically(path, item["content"], 0o600)
        status, out, err = module.run_command([word.replace("%s", path) for word in command])
        return "%s: %s" % (item["path"], (err or out).strip().replace(directory + "/", "")) if status else None
    finally:
        shutil.rmtree(directory)


def covered(before: str, template: str) -> str:
    """The former text with a placeholder in every line that holds a secret in the new one; ``template`` is the new text with its placeholders."""
    openings = [line.partition("<secret ")[0] for line in template.splitlines() if "<secret " in line]
    lines = []
    for line in before.splitlines(keepends=True):
        opening = next((text for text in openings if line.startswith(text)), None)
        lines.append(line if opening is None else opening + "<former secret>\n")
    return "".join(lines)


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
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "default": [], "options": file_options},
            "absent": {"type": "list", "elements": "path", "default": []},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    new_content, new_attributes, diffs, refusals = [], [], [], []
    for item in module.params["files"]:
        template = item["content"]
        try:
            item["content"] = put_in(template, module.params["secrets"])
        except KeyError as error:
            module.fail_json(msg="%s has a placeholder for which there is no secret: %s" % (item["path"], error))
        path, mode = item["path"], int(item["mode"], 8)
        uid, gid = owner_ids(module, item)
        exists = os.path.exists(path)
        before = read_text(path)
        if not exists or (before != item["content"] and not item["keep"]):
            if item["validate"]:
                refusal = validate(module, item)
                if refusal:
                    refusals.append(refusal)
            new_content.append((item, uid, gid))
            diffs.append({"before_header": path, "after_header": path, "before": covered(before, template), "after": template})
            continue
        status = os.stat(path)
        now = (status.st_mode & 0o7777, status.st_uid, status.st_gid)
        if now != (mode, uid if uid >= 0 else now[1], gid if gid >= 0 else now[2]):
            new_attributes.append((item, uid, gid))
            attributes = "mode %04o, owner %s:%s\n"
            diffs.append(
                {
                    "before_header": path,
                    "after_header": path,
                    "before": attributes % (now[0], now[1], now[2]),
                    "after": attributes % (mode, uid, gid),
                }
            )
    if refusals:
        module.fail_json(msg="refused by its own check, nothing was written:\n" + "\n".join(refusals))
    gone = [path for path in module.params["absent"] if os.path.lexists(path)]
    for path in gone:
        diffs.append({"before_header": path, "after_header": path, "before": read_text(path), "after": ""})

    if not module.check_mode:
        for item, uid, gid in new_content:
            write_atomically(item["path"], item["content"], int(item["mode"], 8), uid, gid)
        for item, uid, gid in new_attributes:
            os.chmod(item["path"], int(item["mode"], 8))
            os.chown(item["path"], uid, gid)
        for path in gone:
            os.unlink(path)
    changed_paths = [item["path"] for item, uid, gid in new_content + new_attributes] + gone
    module.exit_json(changed=bool(changed_paths), changed_paths=changed_paths, diff=diffs)


if __name__ == "__main__":
    main()
