# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of anycast DNS: each address answers and is set, one exactly when the other, and sshd is where it should be and not on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.dns_anycast import socket_text
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict

QUESTION = "anycast.xgn.invalid TXT"
WILDCARDS = ("0.0.0.0", "*", "[::]")


def check_dns(ledger: Ledger, variables: Variables) -> None:
    """Check the anycast addresses of a host that has some, and sshd's addresses."""
    vrf = variables.get("dns_anycast_vrf")
    prefix = f"ip vrf exec {vrf} " if vrf else ""
    for address in variables.get("dns_anycast_addresses") or []:
        bare = address.partition("/")[0]
        ledger.judge(f"DNS {bare} answers", f"{prefix}dig @{bare} {QUESTION}", "anycast", lambda live, a=address: answers(a, live))
        show = f"ip address show dev {variables.get('dns_anycast_interface', 'lo')}"
        ledger.judge(f"DNS {bare} set while it answers", show, "anycast", lambda live, a=address: follows(a, live))
    port = variables.get("dns_anycast_ssh_port", 22)
    wanted = [(item["address"], item.get("vrf")) for item in variables.get("dns_anycast_ssh_listen") or []]
    for address, where in wanted:
        text = socket_text(address, port, where)
        ledger.judge(
            f"SSH listens on {text}",
            "ss -ltn",
            "listening",
            lambda live, t=text: (t in live, "listening" if t in live else f"found {t} nowhere"),
        )
    if any(where is None for _address, where in wanted):
        ledger.judge("SSH not on the wildcard", "ss -ltn", "listening", lambda live: no_wildcard(live, port))


def answers(address: str, live: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Test that the resolver answered."""
    found = live.get(address)
    if found is None:
        return False, "the guard does not know this address"
    if not found["set"]:
        return bool(found["answered"]), f"withdrawn; the resolver {'answers' if found['answered'] else 'does not answer'} otherwise"
    return bool(found["answered"]), "answered" if found["answered"] else "no answer"


def follows(address: str, live: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Test that an address is set exactly when it is answered."""
    found = live.get(address, {"set": False, "answered": False})
    words = f"{'set' if found['set'] else 'not set'}, {'answered' if found['answered'] else 'not answered'}"
    return found["set"] == found["answered"], words


def no_wildcard(live: list[str], port: int) -> Verdict:
    """Test that nothing listens on SSH's port in the default VRF for every address, the anycast one among them."""
    found = [text for text in live if text in {f"{word}:{port}" for word in WILDCARDS}]
    return not found, f"found {', '.join(found)}" if found else "none"
