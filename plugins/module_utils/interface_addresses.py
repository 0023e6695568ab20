# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The addresses that FRR gives to a NIC, given again after a network manager has set the NIC up anew.

ifdown of Debian 12 takes every address off a NIC. FRR 10 puts its own back when the NIC is up again; FRR 8 counts them as given and does not.
"""

from __future__ import annotations

import os
import subprocess
import time

from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF
from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_objects, link_addresses

# There while zebra takes configuration. At a boot it comes later, and gives them itself.
ZEBRA = "/run/frr/zebra.vty"
# FRR hears of the NIC and gives what it gives by itself.
SECONDS, POLL_SECONDS = 3.0, 0.2


def configured(text: str, name: str) -> dict[str, str]:
    """The lines by address, with its prefix length, that give an interface its addresses. text: frr.conf."""
    found = {}
    inside = False
    for line in text.splitlines():
        words = line.split()
        if not line.startswith(" "):
            inside = words[:2] == ["interface", name]
        elif inside and len(words) == 3 and words[0] in ("ip", "ipv6") and words[1] == "address":
            found[words[2]] = " ".join(words)
    return found


def lost(name: str) -> list[str]:
    """The lines for the addresses that the kernel does not have on a NIC; none while FRR does not run."""
    if not os.path.exists(ZEBRA) or not os.path.exists(FRR_CONF):
        return []
    with open(FRR_CONF, encoding="utf-8") as stream:
        wanted = configured(stream.read(), name)
    shown = _run("ip", "-json", "address", "show", "dev", name)
    live = {"%s/%d" % (item["local"], item["prefixlen"]) for link in json_objects(shown) for item in link_addresses(link)}
    return [line for address, line in wanted.items() if address not in live]


def give_again(name: str) -> list[str]:
    """Have FRR give what a NIC has lost; returns the commands that were run."""
    deadline = time.monotonic() + SECONDS
    while lost(name) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    commands = []
    for line in lost(name):
        # FRR 8 refuses to take away what the kernel has not, and would not come to the second: two calls.
        for command in ("no " + line, line):
            call = ["vtysh", "-c", "configure terminal", "-c", "interface " + name, "-c", command]
            _run(*call)
            commands.append(" ".join(call))
    return commands


def _run(*command: str) -> str:
    # There is no AnsibleModule in a hook. What counts is what the kernel shows afterwards; verify tells of what it lacks.
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False).stdout  # pylint: disable=ansible-bad-function
