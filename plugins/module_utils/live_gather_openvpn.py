# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather the state of OpenVPN tunnels: what each daemon says of itself, and the keys and files that are stored for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import openvpn, openvpn_daemon
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import part

PRIVATE = "0600"


def gather_openvpn(names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Give part ``openvpn``: by tunnel ``state, remote, fingerprints, rotation, accepted, mode, current, sockets, problem``.

    names: name and role of each tunnel. ``state`` is OpenVPN's own word, ``CONNECTED`` when the two ends have agreed on keys. ``fingerprints`` and
    ``rotation`` are as `openvpn.fingerprints` and `openvpn.rotation` give them, ``accepted`` is what the configuration accepts from the peer. ``mode``
    is that of a key which others may read, if there is one. ``current`` says whether the daemon was started with the files as they are. ``sockets`` are
    as `openvpn_daemon.sockets_of` gives them.
    """
    return part("systemctl status 'openvpn-*'", data={name: one_tunnel(name, role) for name, role in names})


def one_tunnel(name: str, role: str) -> dict[str, Any]:
    """Give the state of one tunnel; what cannot be read is None, and ``problem`` says why."""
    keys = ("state", "remote", "fingerprints", "rotation", "accepted", "mode", "current", "sockets", "problem")
    found: dict[str, Any] = dict.fromkeys(keys)
    try:
        found.update(fingerprints=openvpn.fingerprints(name), rotation=openvpn.rotation(name))
        found["mode"] = _mode(name)
        found["accepted"] = openvpn.accepted(read_text(openvpn.conf_path(name, role)))
    except (OSError, openvpn.OpenVPNError) as error:
        found["problem"] = str(error)
    try:
        told = openvpn_daemon.ask(name)
    except OSError as error:
        found["problem"] = "the daemon does not answer: %s" % error
        return found
    found.update(state=told.state, remote=told.remote, sockets=openvpn_daemon.sockets_of(told.pid))
    if found["fingerprints"] is not None:
        found["current"] = openvpn_daemon.started_with(told.pid) == openvpn.digest_of_files(name, role)
    return found


def _mode(name: str) -> str:
    """Return the mode of the key in use, or of another key of the tunnel that is less private. Raises OSError when there is none."""
    others = [path for path in (openvpn.key_path(name, other) for other in (openvpn.NEXT, openvpn.FORMER)) if os.path.exists(path)]
    modes = ["%04o" % (os.stat(path).st_mode & 0o7777) for path in (openvpn.key_path(name), *others)]
    return next((mode for mode in modes if mode != PRIVATE), PRIVATE)
