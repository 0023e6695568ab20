#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: gobgp_config
short_description: GoBGP's configuration file, checked, applied, and proved
version_added: 0.1.0
description:
  - Makes the user C(gobgp) from C(/etc/sysusers.d/xgn-gobgp.conf), which role C(gobgp) writes, when it is missing.
  - Lets C(gobgpd) read the new file before it replaces the old one, reloads the daemon, and compares what it then holds with what is expected.
  - A reload keeps sessions and routes. gobgpd reads AS number and router ID at its start only, so a change of these restarts it; so does a
    neighbor that a reload does not bring back.
author: xuegao.net maintainers (@xuegao)
options:
  content:
    description: The file (TOML), with C(<secret NAME>) in the place of each secret.
    type: str
    required: true
  secrets:
    description: The secrets by name.
    type: dict
    default: {}
  asn:
    description: AS number that the file gives.
    type: int
    required: true
  router_id:
    description: Router ID that the file gives.
    type: str
    required: true
  neighbors:
    description: Addresses of the neighbors that the file gives.
    type: list
    elements: str
    default: []
  path:
    description: The file.
    type: path
    default: /etc/gobgpd.conf
  record:
    description: Name of the record of the file.
    type: str
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: Configure gobgpd
  xuegao.net.gobgp_config:
    content: "{{ lookup('ansible.builtin.template', 'gobgpd.conf.j2') }}"
    asn: 65503
    router_id: 10.255.0.2
    neighbors: [10.255.0.1]
"""

RETURN = r"""
applied:
  description: How the running daemon was (or would be) brought in line; C(reload), C(restart), or empty when it does not run or has nothing to do.
  returned: always
  type: str
steered:
  description: What was (or would be) done so that gobgpd advertises what is wanted and may be steered; one sentence a step.
  returned: always
  type: list
  elements: str
"""

import grp
import json
import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import steering
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import put_in, take_out
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK

UNIT = "gobgpd.service"
GROUP = "gobgp"
SYSUSERS = "/etc/sysusers.d/xgn-gobgp.conf"
PROOF_SECONDS = 15
POLL_SECONDS = 0.3
# The words of `difference` for people.
TITLES = {"global": "AS number or router ID", "neighbors": "neighbors"}
# Whatever the notation: a file made by hand may hold a literal string, or a comment behind it.
SECRETS = re.compile(r"""^[ \t]*auth-password[ \t]*=[ \t]*["']?(?P<secret>.*?)["']?[ \t]*$""", re.MULTILINE)

ARGUMENTS: dict[str, Any] = {
    "content": {"type": "str", "required": True},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "asn": {"type": "int", "required": True},
    "router_id": {"type": "str", "required": True},
    "neighbors": {"type": "list", "elements": "str", "default": []},
    "path": {"type": "path", "default": "/etc/gobgpd.conf"},
    "record": {"type": "str"},
    **OWNERS,
    **WAY_BACK,
}


def quoted(value: str) -> str:
    """A value between the quotes of a TOML basic string, which is escaped like a JSON one."""
    return json.dumps(value)[1:-1]


def complaint_of(module: AnsibleModule, text: str) -> str | None:
    """Let gobgpd read the new text; returns what it said when it refused. Check mode on a bare host has no gobgpd to ask."""
    program = module.get_bin_path("gobgpd")
    if program is None:
        return None if module.check_mode else "gobgpd is not installed. Remedy: install the package gobgpd."
    with trial_file("gobgpd.conf", text) as path:
        status, out, err = module.run_command([program, "--dry-run", "--config-file", path])
    if status == 0:
        return None
    for line in (out + err).splitlines():
        try:
            said = str(json.loads(line)["Error"])
        except (ValueError, KeyError, TypeError):
            continue
        return " ".join(said.split())
    return str(out + err).strip()


def group_number(module: AnsibleModule) -> int:
    """Number of the daemon's group. It is made, with the user, when it is missing: the role has written how."""
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        module.run_command(["systemd-sysusers", SYSUSERS], check_rc=True)
        return grp.getgrnam(GROUP).gr_gid


def difference(params: dict[str, Any]) -> list[str]:
    """What the running daemon holds that is not as expected: words from C(global) and C(neighbors). Raises SteeringError."""
    instance = json.loads(steering.client("-j", "global") or "{}")
    neighbors = json.loads(steering.client("-j", "neighbor") or "[]") or []
    found = []
    if (instance.get("asn"), instance.get("router_id")) != (params["asn"], params["router_id"]):
        found.append("global")
    if {item["conf"]["neighbor_address"] for item in neighbors} != set(params["neighbors"]):
        found.append("neighbors")
    return found


def settled(params: dict[str, Any]) -> list[str]:
    """Give the daemon time to read its file; returns the difference that is left. Raises SteeringError."""
    return wait_until(lambda: difference(params), lambda left: not left, PROOF_SECONDS, POLL_SECONDS)


def apply(module: AnsibleModule, file_changed: bool) -> str:
    """Bring the running daemon in line; returns how. Raises SteeringError and CommandError."""
    params, systemd = module.params, Systemd(module.run_command)
    if not systemd.is_active(UNIT):
        return ""
    before = difference(params)
    if not file_changed and not before:
        return ""
    # AS number and router ID are read at the start only; and a reload that finds the file as it was does nothing.
    how = "restart" if "global" in before or not file_changed else "reload"
    if module.check_mode:
        return how
    HostChange(module).about_to()
    systemd.do(how, UNIT)
    left = settled(params)
    if left and how == "reload":
        how = "restart"
        systemd.do(how, UNIT)
        left = settled(params)
    if left:
        module.fail_json(
            msg="gobgpd was restarted, and its %s still differ from %s. Remedy: `journalctl -u gobgpd` says why."
            % (" and ".join(TITLES[part] for part in left), params["path"])
        )
    return how


def steer(module: AnsibleModule) -> list[str]:
    """Bring what the running daemon advertises in line with what may be steered; returns one sentence a step. Raises SteeringError.

    Compared with its table, whatever has become of settings, routes or health command. Without its settings there is nothing to steer yet.
    """
    if not os.path.exists(steering.SETTINGS) or not Systemd(module.run_command).is_active(UNIT):
        return []
    configured = steering.settings()
    if module.check_mode:
        return ["would be brought in line: %s" % prefix for prefix in steering.differing(configured)]
    with steering.locked():
        return steering.replay(configured, starting=True)


def main() -> None:
    module = host_module(argument_spec=ARGUMENTS, supports_check_mode=True)
    path, secrets = module.params["path"], module.params["secrets"]
    try:
        # The quotes stand in the template.
        text = put_in(module.params["content"], secrets, quoted)
    except KeyError as error:
        module.fail_json(
            msg="%s was not changed: content has the placeholder <secret %s>, and secrets has no such name." % (path, error.args[0])
        )
    change = HostChange(module, module.params["record"])
    change.refuse_owners({path: text})
    before = read_text(path)
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0
    if before != text:
        complaint = complaint_of(module, text)
        if complaint:
            module.fail_json(msg="%s was not changed, and gobgpd was not touched: %s" % (path, complaint))
    if not module.check_mode:
        change.own_file(path, text)
        change.save()
    if not module.check_mode and (before != text or mode != 0o640):
        change.write(path, text, 0o640, 0, group_number(module))
    try:
        applied = apply(module, before != text)
        steered = [line for line in steer(module) if not line.startswith(steering.REFUSED)]
    except (steering.SteeringError, CommandError) as error:
        module.fail_json(msg="gobgpd could not be brought in line with %s: %s" % (path, error))
    module.exit_json(
        changed=before != text or mode != 0o640 or bool(applied or steered),
        applied=applied,
        steered=steered,
        diff=[
            {
                "before_header": path,
                "after_header": path,
                "before": take_out(before, SECRETS, secrets, written=quoted),
                "after": module.params["content"],
            },
            {"prepared": "".join("gobgpd: %s\n" % line for line in [*([applied] if applied else []), *steered])},
        ],
    )


if __name__ == "__main__":
    main()
