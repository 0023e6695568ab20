# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The addresses that FRR gives to a NIC, given again after a network manager has set the NIC up anew.

ifdown of Debian 12 takes every address off a NIC. FRR 10 puts its own back when the NIC is up again; FRR 8 counts them as given and does not.
"""

from __future__ import annotations

import os
import subprocess

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF
from ansible_collections.xuegao.net.plugins.module_utils.iproute import addresses_of, json_objects
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

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


def given_anew(name: str, line: str) -> list[list[str]]:
    """Arguments of vtysh(1), call by call, that have FRR give an interface an address that FRR counts as given. line: as of `configured`.

    FRR 8 refuses to take out what the kernel has not, and would not come to the second: two calls, and what counts is what the kernel shows afterwards.
    """
    return [["-c", "configure terminal", "-c", "interface " + name, "-c", command] for command in ("no " + line, line)]


def lost(name: str) -> list[str]:
    """The lines for the addresses that the kernel does not have on a NIC; none while FRR does not run."""
    if not os.path.exists(ZEBRA):
        return []
    wanted = configured(read_text(FRR_CONF), name)
    live = {address for link in json_objects(_run("ip", "-json", "address", "show", "dev", name)) for address in addresses_of(link)}
    return [line for address, line in wanted.items() if address not in live]


def give_again(name: str, dry_run: bool) -> list[str]:
    """Have FRR give what a NIC has lost; returns the commands that were run, or would be."""
    lines = wait_until(lambda: lost(name), lambda found: not found, 0 if dry_run else SECONDS, POLL_SECONDS)
    commands = [["vtysh", *call] for line in lines for call in given_anew(name, line)]
    if not dry_run:
        for command in commands:
            _run(*command)
    return [" ".join(command) for command in commands]


def _run(*command: str) -> str:
    # There is no AnsibleModule in a hook. Verify tells of what the kernel lacks in the end.
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False).stdout  # pylint: disable=ansible-bad-function
