# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather the state of OpenVPN tunnels: what each daemon says of itself, and the identity that is stored for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import openvpn
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import part

RUNTIME = "/run/xgn-openvpn"
ANSWER_LIMIT_S = 5.0


def gather_openvpn(names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Give part ``openvpn``: by tunnel ``state, remote, fingerprint, peer_fingerprint, mode, problem``.

    names: name and role of each tunnel. ``state`` is OpenVPN's own word, ``CONNECTED`` when the two ends have agreed on keys.
    """
    return part("systemctl status 'openvpn-*'", data={name: one_tunnel(name, role) for name, role in names})


def one_tunnel(name: str, role: str) -> dict[str, Any]:
    """Give the state of one tunnel; what cannot be read is None, and ``problem`` says why."""
    found: dict[str, Any] = {"state": None, "remote": None, "fingerprint": None, "peer_fingerprint": None, "mode": None, "problem": None}
    try:
        found["fingerprint"] = openvpn.fingerprint(name)
        found["mode"] = "%04o" % (os.stat(openvpn.key_path(name)).st_mode & 0o7777)
        for line in read_text(openvpn.conf_path(name, role)).splitlines():
            if line.startswith("peer-fingerprint "):
                found["peer_fingerprint"] = line.split()[1]
    except (OSError, openvpn.OpenVPNError) as error:
        found["problem"] = str(error)
    try:
        found.update(parse_state(ask(os.path.join(RUNTIME, name, "management"))))
    except OSError as error:
        found["problem"] = "the daemon does not answer: %s" % error
    return found


def ask(path: str) -> str:
    """Ask a daemon for its state through its management socket, which takes root only."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(ANSWER_LIMIT_S)
        link.connect(path)
        link.sendall(b"state\n")
        text = b""
        # No "quit": openvpn hangs up on it before it has sent the answer.
        while b"\nEND" not in text:
            block = link.recv(4096)
            if not block:
                break
            text += block
        return text.decode("utf-8", "replace")


def parse_state(text: str) -> dict[str, Any]:
    """Read the answer: ``time,state,description,local tunnel address,remote address,remote port,…`` (management-notes.txt)."""
    for line in text.splitlines():
        fields = line.split(",")
        if fields[0].isdigit() and len(fields) > 4:
            return {"state": fields[1], "remote": fields[4] or None}
    return {}
