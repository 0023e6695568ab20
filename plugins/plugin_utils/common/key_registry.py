"""A registry of public keys, of WireGuard or of OpenVPN: one small YAML file per host, kept beside the inventory.

OpenVPN's are fingerprints of self-signed certificates, which say as much. While one is rotated there are two of a tunnel, the one in use first, and peers
accept both.

A run that reaches a host records its keys; a run that does not (``--limit``, a dead peer) reads them here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface, WireguardInterfacePeer

Registry = Mapping[str, Mapping[str, str]]
Accepted = Mapping[str, Mapping[str, list[str]]]

HEADER = "# Public keys of this host's tunnels, recorded by Ansible (xuegao.net). Keep it with the inventory.\n"


def registry_file(registry: Path, host: str) -> Path:
    """Return the file of a host. Not ``.yml``: beside an inventory Ansible would read it as a part of the inventory."""
    return registry / f"{host}.txt"


def read_accepted(registry: Path, host: str) -> dict[str, list[str]]:
    """Interface name to the public keys that peers accept, the one in use first, as recorded for host; empty when nothing is recorded.

    Raises ValueError when the file is not a mapping of names to keys, or to lists of keys.
    """
    path = registry_file(registry, host)
    if not path.exists():
        return {}
    recorded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    known = {name: keys_of(item) for name, item in recorded.items()} if isinstance(recorded, dict) else {"": []}
    if not all(isinstance(name, str) and keys and all(isinstance(key, str) for key in keys) for name, keys in known.items()):
        raise ValueError(f"{path}: expected lines `interface: public key`")
    return known


def read_keys(registry: Path, host: str) -> dict[str, str]:
    """Interface name to public key in use as recorded for host. Errors as of `read_accepted`."""
    return {name: keys[0] for name, keys in read_accepted(registry, host).items()}


def keys_of(written: object) -> list[Any]:
    """Return one key, or several, as a list."""
    return list(written) if isinstance(written, (list, tuple)) else [written] if written else []


def record_keys(registry: Path, host: str, keys: Mapping[str, Sequence[str]], write: bool = True) -> tuple[str, str]:
    """Record the public keys of host. Keys of interfaces that are not named stay.

    Parameters:
        keys: those that peers accept, the one in use first.
        write: False to tell only what would change.

    Returns the file's text before and after.
    """
    path = registry_file(registry, host)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {
        name: accepted[0] if len(accepted) == 1 else list(accepted) for name, accepted in {**read_accepted(registry, host), **keys}.items()
    }
    after = HEADER + yaml.safe_dump(known, default_flow_style=False, sort_keys=True)
    if not keys:
        after = before
    if write and before != after:
        registry.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: another fork may read it at the same moment.
        handle, temporary = tempfile.mkstemp(dir=registry, prefix=f".{host}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(after)
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


def resolve_peers(registry: Path, interfaces: Sequence[Mapping[str, Any]]) -> tuple[dict[str, dict[str, list[str]]], list[dict[str, str]]]:
    """Find the public keys to accept from every peer: its own ``public_key`` first, the registry second.

    interfaces: as role ``wireguard`` takes them; of them ``name``, and ``name``, ``interface`` and ``public_key`` of ``peers``, which may be a list.
    Returns interface name to peer name to keys, the one in use first, and the peers of which none is known, a list of ``{"peer", "interface",
    "remote_interface"}``, the last being the one at the peer's end.
    Preshared keys stay out of the result: it is printed by Ansible.
    """
    known: dict[str, dict[str, list[str]]] = {}
    missing = []
    for interface in interfaces:
        found = known.setdefault(interface["name"], {})
        for peer in interface.get("peers", []):
            remote_interface = peer.get("interface") or interface["name"]
            keys = keys_of(peer.get("public_key")) or read_accepted(registry, peer["name"]).get(remote_interface)
            if keys:
                found[peer["name"]] = keys
            else:
                missing.append({"peer": peer["name"], "interface": interface["name"], "remote_interface": remote_interface})
    return known, missing
