# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""OpenVPN tunnels on a host: where their files are, and what identifies an end."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Mapping

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

HEADER = "# Written by Ansible (xuegao.net.openvpn)."
DIRECTORY = "/etc/openvpn"
KEYS = "/etc/openvpn/keys"
UNITS = "/etc/systemd/system"
ROLES = ("server", "client")
# Stands in a drop-in for the digest of everything a daemon reads at its start.
DIGEST = "<digest of the configuration>"
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class OpenVPNError(Exception):
    """Something about a key or a tunnel is wrong; the text says what to do. It never holds a secret."""


def key_path(name: str) -> str:
    """File with the private key and the certificate of tunnel name: one file, so that they cannot be of two generations."""
    return os.path.join(KEYS, name + ".pem")


def conf_path(name: str, role: str) -> str:
    """File that the stock unit of a role, C(server) or C(client), gives to openvpn(8)."""
    return os.path.join(DIRECTORY, role, name + ".conf")


def unit_name(name: str, role: str) -> str:
    """The unit of a tunnel."""
    return "openvpn-%s@%s.service" % (role, name)


def dropin_path(name: str, role: str) -> str:
    """Our addition to the unit of a tunnel. Its name sorts before that of role vrf's hook, which needs the interface."""
    return os.path.join(UNITS, unit_name(name, role) + ".d", "80-xgn-openvpn.conf")


def fingerprint(name: str) -> str | None:
    """SHA-256 fingerprint of a tunnel's certificate as openvpn(8) wants it in C(peer-fingerprint); None when there is no key yet.

    Raises OpenVPNError when the file is empty, or holds no certificate.
    """
    if not os.path.exists(key_path(name)):
        return None
    text = read_text(key_path(name))
    if not text.strip():
        # Not the same as none: a new key by itself would be an identity that no peer knows.
        raise OpenVPNError(
            "%s is empty. Remedy: restore it, or delete it to get a new identity, which the peer has to learn." % key_path(name)
        )
    found = _CERTIFICATE.search(text)
    try:
        if found is None:
            raise ValueError("there is none")
        der = ssl.PEM_cert_to_DER_cert(found.group(0))
    except ValueError as error:
        raise OpenVPNError(
            "%s holds no valid certificate (%s). Remedy: restore it, or delete it to get a new identity, which the peer has to learn."
            % (key_path(name), error)
        ) from error
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[start : start + 2] for start in range(0, len(digest), 2))


def configuration_digest(tunnel: Mapping[str, str], identity: str | None) -> str:
    """Digest of all that a running daemon has read: C(config), C(dropin), and the identity.

    The drop-in puts it into the daemon's environment, where it can be compared with later.
    """
    whole = "\0".join((tunnel["config"], tunnel["dropin"], identity or ""))
    return hashlib.sha256(whole.encode()).hexdigest()
