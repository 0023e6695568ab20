# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather the state of L2TP/IPsec tunnels: the security associations, and whether plain L2TP is kept out."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer

# One line a section in the raw output: `l2tp3: #1, ESTABLISHED, IKEv2, …` and, indented, `l2tp3: #2, reqid 1, INSTALLED, TRANSPORT-in-UDP, …`.
_IKE = re.compile(r"^(\S+): #\d+, (\S+), (IKEv[12]),")
_CHILD = re.compile(r"^\s+(\S+): #\d+, reqid \d+, (\S+), (\S+), (.*)$")
# In and out, each in its hook.
_GUARD = tuple(
    re.compile(rf"hook {hook} .*\n\s+udp {port} 1701 {words} missing counter (packets \d+ bytes \d+ )?drop\n")
    for hook, port, words in (("input", "dport", "meta ipsec"), ("output", "sport", "rt ipsec"))
)


def gather_l2tp(gatherer: Gatherer) -> dict[str, dict[str, Any]]:
    """Give parts ``ipsec`` (by connection ``ike, version, child, mode, algorithms``) and ``l2tp_guard`` (whether the table is loaded)."""
    guard = ["nft", "list", "table", "inet", "xgn_l2tp"]
    return {
        "ipsec": gatherer.read(["swanctl", "--list-sas"], parse_sas),
        "l2tp_guard": gatherer.read(guard, lambda text: all(rule.search(text) for rule in _GUARD)),
    }


def parse_sas(text: str) -> dict[str, dict[str, str]]:
    """Read ``swanctl --list-sas``; of several associations of one connection the best one counts."""
    found: dict[str, dict[str, str]] = {}
    current = ""
    for line in text.splitlines():
        ike, child = _IKE.match(line), _CHILD.match(line)
        if ike:
            current = ike.group(1)
            entry = found.setdefault(current, {})
            if entry.get("ike") != "ESTABLISHED":
                entry.update(ike=ike.group(2), version=ike.group(3))
        elif child and current and found[current].get("child") != "INSTALLED":
            found[current].update(child=child.group(2), mode=child.group(3).rstrip(","), algorithms=child.group(4))
    return found
