# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""wg-quick's files and the kernel's WireGuard interfaces: text, state, and the difference that matters."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import ANY, take_out
from ansible_collections.xuegao.net.plugins.module_utils.wireguard_dump import Interface

DIRECTORY = "/etc/wireguard"
HEADER = "# Written by Ansible (xuegao.net.wireguard)."
KEY_PATTERN = re.compile(r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")  # 32 bytes in base64
# Where a configuration, or a message that quotes one, holds a secret.
SECRETS = re.compile(r"\b(?:PrivateKey|PresharedKey)[ \t]*=[ \t]*(?P<secret>.*)$", re.MULTILINE)
UNKNOWN_KEY = "(made by the first run on the peer)"


class WireGuardError(Exception):
    """Something about a key or an interface is wrong; the text says what to do. It never holds a secret."""


def key_path(name: str) -> str:
    """File of the private key of interface name."""
    return os.path.join(DIRECTORY, name + ".key")


def conf_path(name: str) -> str:
    """File that wg-quick(8) reads for interface name."""
    return os.path.join(DIRECTORY, name + ".conf")


def stored_key(name: str) -> str | None:
    """Private key in the key file of interface name; None when there is no such file, or it holds none."""
    key = read_text(key_path(name)).strip()
    return key if KEY_PATTERN.match(key) else None


def private_key(name: str) -> str | None:
    """Private key of interface name: from its key file, else from its wg-quick file, also one made by hand. None when there is none.

    Raises WireGuardError when the key file holds no key, and the other one none either: the identity is lost then.
    """
    stored = stored_key(name)
    if stored is not None:
        return stored
    match = re.search(r"^\s*PrivateKey\s*=\s*(\S+)", read_text(conf_path(name)), re.MULTILINE)
    beside = match.group(1) if match else None
    path = key_path(name)
    if os.path.exists(path) and not KEY_PATTERN.match(beside or ""):
        raise WireGuardError(
            "%s holds no WireGuard key. Remedy: restore it, or delete it to get a new identity, which all peers have to learn." % path
        )
    return beside


def conf_text(interface: dict[str, Any], private: str) -> str:
    """The wg-quick file of an interface.

    No Address: FRR sets it once the interface is in its VRF. Table = off: routing is FRR's business. interface:
    name, listen_port, mtu (bytes), fwmark and peers as role C(wireguard) takes them, every peer with its public key.

    Raises WireGuardError for a value that would begin a line of its own: wg-quick runs what some lines say.
    """
    lines = [HEADER, "[Interface]", "PrivateKey = " + private]
    if interface.get("listen_port") is not None:
        lines.append("ListenPort = %d" % interface["listen_port"])
    if interface.get("fwmark") is not None:
        lines.append("FwMark = %d" % interface["fwmark"])
    lines += ["MTU = %d" % interface["mtu"], "Table = off"]
    for peer in interface["peers"]:
        lines += ["", "# " + peer["name"], "[Peer]", "PublicKey = " + peer["public_key"]]
        if peer.get("preshared_key"):
            lines.append("PresharedKey = " + peer["preshared_key"])
        lines.append("AllowedIPs = " + ", ".join(peer["allowed_ips"]))
        if peer.get("endpoint"):
            lines.append("Endpoint = " + peer["endpoint"])
        if peer.get("persistent_keepalive") is not None:
            lines.append("PersistentKeepalive = %d" % peer["persistent_keepalive"])
    if any(len(line.splitlines()) > 1 for line in lines):
        raise WireGuardError("%s was not changed: a value of its interface or of a peer holds a line break." % interface["name"])
    return "\n".join(lines) + "\n"


def without_secrets(text: str) -> str:
    """The same text with its keys put out of sight, fit for a diff."""
    return take_out(text, SECRETS, unknown=ANY)


# What both ends need not have at the same time: timers and prefixes of a peer, and a peer that is new beside the others.
HARMLESS = re.compile(r"^(?:(?:allowed_ips|persistent_keepalive) of peer |peer .* is missing$)")


def interrupts(differences: Sequence[str]) -> bool:
    """Say whether one of these differences, as `drift` tells them, parts an interface from its peers until both ends have it."""
    return any(not HARMLESS.match(difference) for difference in differences)


def drift(interface: dict[str, Any], private: str, live: Interface) -> list[str]:
    """What of the living interface differs from the declared one, in words without secrets.

    A peer's endpoint is left out: it moves with the peer, which is what WireGuard is for.
    """
    differences = []
    if live.private_key != private:
        differences.append("private key")
    if interface.get("listen_port") not in (None, live.listen_port):
        differences.append("listen port %s, declared %s" % (live.listen_port, interface["listen_port"]))
    if (interface.get("fwmark") or 0) != live.fwmark:
        differences.append("fwmark %s, declared %s" % (live.fwmark, interface.get("fwmark") or 0))
    declared = {peer["public_key"]: peer for peer in interface["peers"]}
    for key in sorted(live.peers.keys() - declared.keys()):
        differences.append("peer %s is not declared" % key)
    for key, peer in declared.items():
        state = live.peers.get(key)
        if state is None:
            differences.append("peer %s is missing" % peer["name"])
            continue
        wanted = {
            "preshared_key": peer.get("preshared_key") or None,
            "allowed_ips": set(peer["allowed_ips"]),
            "persistent_keepalive": peer.get("persistent_keepalive") or 0,
        }
        found = {"preshared_key": state.preshared_key, "allowed_ips": state.allowed_ips, "persistent_keepalive": state.keepalive}
        differences += ["%s of peer %s" % (name, peer["name"]) for name, value in wanted.items() if found[name] != value]
    return differences
