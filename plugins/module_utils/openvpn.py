# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""OpenVPN tunnels on a host: where their files are, and what identifies an end.

An end has the key in use and, while keys are rotated, one more: the next key, which its peer accepts already, or the former one, which it still accepts.
Whatever breaks a rotation off, the daemon's key is one of the two, and the peer accepts both.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

if TYPE_CHECKING:
    # The planner reads the form of a fingerprint here, and loads nothing of Ansible.
    from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange

HEADER = "# Written by Ansible (xuegao.net.openvpn)."
DIRECTORY = "/etc/openvpn"
KEYS = "/etc/openvpn/keys"
UNITS = "/etc/systemd/system"
ROLES = ("server", "client")
# Stands in a drop-in for the digest of everything a daemon reads at its start.
DIGEST = "<digest of the configuration>"
NEXT, FORMER = "next", "former"
_STARTED_WITH = re.compile("(?<=XGN_CONFIGURATION=)[0-9a-f]{64}")
# SHA-256 of a certificate, as openvpn(8) takes it.
FINGERPRINT_PATTERN = re.compile("[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}")
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class OpenVPNError(Exception):
    """Something about a key or a tunnel is wrong; the text says what to do. It never holds a secret."""


def key_path(name: str, other: str = "") -> str:
    """File with a private key of tunnel name and its certificate: one file, so that they cannot be of two generations.

    other: `NEXT` or `FORMER`; the key in use when empty.
    """
    return os.path.join(KEYS, "%s.%s" % (name, other or "pem"))


def conf_path(name: str, role: str) -> str:
    """File that the stock unit of a role, C(server) or C(client), gives to openvpn(8)."""
    return os.path.join(DIRECTORY, role, name + ".conf")


def unit_name(name: str, role: str) -> str:
    """The unit of a tunnel."""
    return "openvpn-%s@%s.service" % (role, name)


def dropin_path(name: str, role: str) -> str:
    """Our addition to the unit of a tunnel. Its name sorts before that of role vrf's hook, which needs the interface."""
    return os.path.join(UNITS, unit_name(name, role) + ".d", "80-xgn-openvpn.conf")


def fingerprint(name: str, other: str = "") -> str | None:
    """SHA-256 fingerprint of a tunnel's certificate as openvpn(8) wants it in C(peer-fingerprint); None when there is no such key.

    other: as of `key_path`. Raises OpenVPNError when the file is empty, or holds no certificate.
    """
    path = key_path(name, other)
    if not os.path.exists(path):
        return None
    text = read_text(path)
    if not text.strip():
        # Not the same as none: a new key by itself would be an identity that no peer knows.
        raise OpenVPNError("%s is empty. Remedy: restore it, or delete it to get a new identity, which the peer has to learn." % path)
    found = _CERTIFICATE.search(text)
    try:
        if found is None:
            raise ValueError("there is none")
        der = ssl.PEM_cert_to_DER_cert(found.group(0))
    except ValueError as error:
        raise OpenVPNError(
            "%s holds no valid certificate (%s). Remedy: restore it, or delete it to get a new identity, which the peer has to learn."
            % (path, error)
        ) from error
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[start : start + 2] for start in range(0, len(digest), 2))


def fingerprints(name: str) -> list[str]:
    """Fingerprints that the peer of a tunnel has to accept: of the key in use, then of the next or former one. Empty when there is no key yet.

    Raises OpenVPNError as `fingerprint` does.
    """
    found = [fingerprint(name, other) for other in ("", NEXT, FORMER)]
    return list(dict.fromkeys(item for item in found if item)) if found[0] else []


def rotation(name: str) -> str:
    """Where a rotation stands: `NEXT` when a next key waits to be used, `FORMER` when a former one waits to be dropped, else empty.

    A copy that a death between two files has left counts for nothing. Raises OpenVPNError as `fingerprint` does.
    """
    in_use = fingerprint(name)
    others = (NEXT, FORMER) if in_use else ()
    return next((other for other in others if fingerprint(name, other) not in (None, in_use)), "")


def switch(change: HostChange, name: str) -> bool:
    """Take the next key of a tunnel into use, and keep the one that was; returns whether there was a next one. At no moment is there no key in use."""
    return _exchange(change, name, NEXT, FORMER)


def switch_back(change: HostChange, name: str) -> bool:
    """Undo `switch`: the former key is the one in use again, and the other one is the next; returns whether there was a former one."""
    return _exchange(change, name, FORMER, NEXT)


def _exchange(change: HostChange, name: str, taken: str, kept: str) -> bool:
    """Take the key taken into use, and keep the one that was as kept; returns whether the rotation stands at taken."""
    if rotation(name) != taken:
        return False
    change.write(key_path(name, kept), read_text(key_path(name)), 0o600)
    change.write(key_path(name), read_text(key_path(name, taken)), 0o600)
    change.remove(key_path(name, taken))
    return True


def drop(change: HostChange, name: str) -> bool:
    """Remove the former key of a tunnel, and a copy that a death has left; returns whether there was one."""
    kept = [NEXT] if rotation(name) == NEXT else []
    gone = [key_path(name, other) for other in (NEXT, FORMER) if other not in kept and os.path.exists(key_path(name, other))]
    for path in gone:
        change.remove(path)
    return bool(gone)


def accepted(config: str) -> list[str]:
    """Fingerprints that a configuration accepts from the peer."""
    # One stands behind the option, several in lines of their own.
    lines = [line.removeprefix("peer-fingerprint ") for line in config.splitlines()]
    return [line for line in lines if FINGERPRINT_PATTERN.fullmatch(line)]


def configuration_digest(tunnel: Mapping[str, str], identity: str | None) -> str:
    """Digest of all that a running daemon has read: C(config), C(dropin), and the identity.

    The drop-in puts it into the daemon's environment, where it can be compared with later.
    """
    whole = "\0".join((tunnel["config"], tunnel["dropin"], identity or ""))
    return hashlib.sha256(whole.encode()).hexdigest()


def digest_of_files(name: str, role: str) -> str:
    """Digest of what a daemon would read now, as `configuration_digest` gives it: of the files as they are. Raises OpenVPNError as `fingerprint` does."""
    dropin = _STARTED_WITH.sub(DIGEST, read_text(dropin_path(name, role)))
    return configuration_digest({"config": read_text(conf_path(name, role)), "dropin": dropin}, fingerprint(name))
