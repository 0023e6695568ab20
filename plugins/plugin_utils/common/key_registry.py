"""A registry of public keys, of WireGuard or of OpenVPN: one small YAML file per host, kept beside the inventory.

OpenVPN's are fingerprints of self-signed certificates, which say as much.

A run that reaches a host records its keys; a run that does not (``--limit``, a dead peer) reads them here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface, WireguardInterfacePeer

Registry = Mapping[str, Mapping[str, str]]
Warn = Callable[[str], None]

HEADER = "# Public keys of this host's tunnels, recorded by Ansible (xuegao.net). Keep it with the inventory.\n"


def registry_file(registry: Path, host: str) -> Path:
    """Return the file of a host. Not ``.yml``: beside an inventory Ansible would read it as a part of the inventory."""
    return registry / f"{host}.txt"


def read_keys(registry: Path, host: str) -> dict[str, str]:
    """Interface name to public key as recorded for host; empty when nothing is recorded.

    Raises ValueError when the file is not a mapping of names to keys, such as one that was torn.
    """
    path = registry_file(registry, host)
    if not path.exists():
        return {}
    try:
        keys = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError):
        keys = None
    if not isinstance(keys, dict) or not all(isinstance(item, str) for pair in keys.items() for item in pair):
        raise ValueError(f"{path}: expected lines `interface: public key`")
    return keys


def known_keys(registry: Path, host: str, warn: Warn) -> dict[str, str]:
    """Return what is recorded for host as `read_keys` does; nothing, and a warning, where the file is torn: the host itself knows its keys."""
    try:
        return read_keys(registry, host)
    except ValueError as error:
        warn(f"{error}. What it held counts as not recorded; a run that reaches {host} records it anew.")
        return {}


def record_keys(registry: Path, host: str, keys: Mapping[str, str], warn: Warn, write: bool = True) -> tuple[str, str]:
    """Record the public keys of host. Keys of interfaces that are not named stay, as far as the file can be read.

    warn: is told of a file that cannot. write: False to tell only what would change. Returns the file's text before and after.
    """
    path = registry_file(registry, host)
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    after = HEADER + yaml.safe_dump({**known_keys(registry, host, warn), **keys}, default_flow_style=False, sort_keys=True)
    if not keys:
        after = before
    if write and before != after:
        registry.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: another fork may read it at the same moment.
        handle, temporary = tempfile.mkstemp(dir=registry, prefix=f".{host}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(after)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    return before, after


def peer_key(interface: WireguardInterface, peer: WireguardInterfacePeer, registry: Registry) -> str | None:
    """Return the public key a peer must have: its own ``public_key``, else what the registry says of the other end, else None.

    Parameters:
        interface, peer: as role ``wireguard`` takes them.
        registry: public key by WireGuard interface by host.
    """
    remote = peer.get("interface") or interface["name"]
    return peer.get("public_key") or registry.get(peer["name"], {}).get(remote)


def shown_peer_key(interface: WireguardInterface, peer: WireguardInterfacePeer, registry: Registry) -> str:
    """Return that key, or a placeholder in angle brackets for one that is not known yet. Parameters as in `peer_key`."""
    placeholder = f"<public key of {peer['name']} {peer.get('interface') or interface['name']}>"
    return peer_key(interface, peer, registry) or placeholder


def resolve_peers(
    registry: Path, interfaces: Sequence[Mapping[str, Any]], warn: Warn
) -> tuple[dict[str, dict[str, str]], list[dict[str, str]]]:
    """Find the public key of every peer: its own ``public_key`` first, the registry second.

    interfaces: as role ``wireguard`` takes them; of them ``name``, and ``name``, ``interface`` and ``public_key`` of ``peers``. warn: is told of a file
    that cannot be read. Returns interface name to peer name to key, and the peers whose key is not known, a list of ``{"peer", "interface", "remote_interface"}``, the last being the one at the
    peer's end.
    Preshared keys stay out of the result: it is printed by Ansible.
    """
    known: dict[str, dict[str, str]] = {}
    missing = []
    for interface in interfaces:
        keys = known.setdefault(interface["name"], {})
        for peer in interface.get("peers", []):
            remote_interface = peer.get("interface") or interface["name"]
            key = peer.get("public_key") or known_keys(registry, peer["name"], warn).get(remote_interface)
            if key is None:
                missing.append({"peer": peer["name"], "interface": interface["name"], "remote_interface": remote_interface})
            else:
                keys[peer["name"]] = key
    return known, missing
