# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""wg-quick's files and the kernel's WireGuard interfaces: text, state, and the difference that matters."""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text, write_atomically

DIRECTORY = "/etc/wireguard"
HEADER = "# Written by Ansible (xuegao.net.wireguard)."
KEY_PATTERN = re.compile(r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")  # 32 bytes in base64
UNKNOWN_KEY = "(made by the first run on the peer)"


class WireGuardError(Exception):
    """Something about a key or an interface is wrong; the text says what to do. It never holds a secret."""


def key_path(name: str, directory: str = DIRECTORY) -> str:
    """File of the private key of interface name."""
    return os.path.join(directory, name + ".key")


def conf_path(name: str, directory: str = DIRECTORY) -> str:
    """File that wg-quick(8) reads for interface name."""
    return os.path.join(directory, name + ".conf")


def private_key(name: str, directory: str = DIRECTORY) -> str | None:
    """Private key of interface name: from its key file, else from a wg-quick file made by hand. None when there is none.

    Raises WireGuardError when the key file holds no key.
    """
    path = key_path(name, directory)
    if os.path.exists(path):
        key = read_text(path).strip()
        if not KEY_PATTERN.match(key):
            raise WireGuardError("%s holds no WireGuard key. Restore it, or delete it to get a new identity." % path)
        return key
    match = re.search(r"^\s*PrivateKey\s*=\s*(\S+)", read_text(conf_path(name, directory)), re.MULTILINE)
    return match.group(1) if match else None


def store_private_key(name: str, key: str, directory: str = DIRECTORY) -> None:
    """Write the key file, readable by root only."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    write_atomically(key_path(name, directory), key + "\n", 0o600)


def conf_text(interface: dict[str, Any], private: str) -> str:
    """The wg-quick file of an interface.

    No Address: FRR sets it once the interface is in its VRF. Table = off: routing is FRR's business. interface:
    name, listen_port, mtu (bytes), fwmark and peers as role C(wireguard) takes them, every peer with its public key.
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
    return "\n".join(lines) + "\n"


def without_secrets(text: str) -> str:
    """The same text with its keys put out of sight, fit for a diff."""
    return re.sub(r"^(\s*(?:PrivateKey|PresharedKey)\s*=\s*).*$", r"\1<secret>", text, flags=re.MULTILINE)


def parse_dump(text: str) -> dict[str, Any]:
    """State of one interface from `wg show NAME dump` (wg(8)).

    Returns public_key, private_key, listen_port, fwmark, and peers: public key to preshared_key, endpoint, allowed_ips
    (set), persistent_keepalive (seconds, 0 for off).
    """
    lines = [line.split("\t") for line in text.strip().splitlines()]
    private, public, port, fwmark = lines[0]
    peers = {}
    for key, preshared, endpoint, allowed, _handshake, _received, _sent, keepalive in lines[1:]:
        peers[key] = {
            "preshared_key": None if preshared == "(none)" else preshared,
            "endpoint": None if endpoint == "(none)" else endpoint,
            "allowed_ips": set() if allowed == "(none)" else set(allowed.split(",")),
            "persistent_keepalive": 0 if keepalive == "off" else int(keepalive),
        }
    return {
        "private_key": private,
        "public_key": public,
        "listen_port": int(port),
        "fwmark": 0 if fwmark == "off" else int(fwmark, 16),
        "peers": peers,
    }


def drift(interface: dict[str, Any], private: str, live: dict[str, Any]) -> list[str]:
    """What of the living interface differs from the declared one, in words without secrets.

    A peer's endpoint is left out: it moves with the peer, which is what WireGuard is for.
    """
    differences = []
    if live["private_key"] != private:
        differences.append("private key")
    if interface.get("listen_port") not in (None, live["listen_port"]):
        differences.append("listen port %s, declared %s" % (live["listen_port"], interface["listen_port"]))
    if (interface.get("fwmark") or 0) != live["fwmark"]:
        differences.append("fwmark %s, declared %s" % (live["fwmark"], interface.get("fwmark") or 0))
    declared = {peer["public_key"]: peer for peer in interface["peers"]}
    for key in sorted(live["peers"].keys() - declared.keys()):
        differences.append("peer %s is not declared" % key)
    for key, peer in declared.items():
        state = live["peers"].get(key)
        if state is None:
            differences.append("peer %s is missing" % peer["name"])
            continue
        wanted = {
            "preshared_key": peer.get("preshared_key") or None,
            "allowed_ips": set(peer["allowed_ips"]),
            "persistent_keepalive": peer.get("persistent_keepalive") or 0,
        }
        differences += ["%s of peer %s" % (name, peer["name"]) for name, value in wanted.items() if state[name] != value]
    return differences
