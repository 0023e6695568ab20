# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A registry of public keys, of WireGuard or of OpenVPN: one small YAML file per host, kept beside the inventory.

OpenVPN's are fingerprints of self-signed certificates, which say as much. While one is rotated there are two of a tunnel, the one in use first, and peers
accept both.

A run that reaches a host records its keys; a run that does not (``--limit``, a dead peer) reads them here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface, WireguardInterfacePeer

Registry = Mapping[str, Mapping[str, str]]
Warn = Callable[[str], None]
Accepted = Mapping[str, Mapping[str, list[str]]]

HEADER = "# Public keys of this host's tunnels, recorded by Ansible (xuegao.net). Keep it with the inventory.\n"


def registry_file(registry: Path, host: str) -> Path:
    """Return the file of a host. Not ``.yml``: beside an inventory Ansible would read it as a part of the inventory."""
    return registry / f"{host}.txt"


def read_accepted(registry: Path, host: str, former: str = "") -> dict[str, list[str]]:
    """Return the public keys of a host that peers accept, by interface, the one in use first; empty when nothing is recorded.

    Parameters:
        registry, host: whose.
        former: name that the host had before; what is recorded under it counts as long as there is nothing under the new one.

    Raises:
        ValueError: the file is not a mapping of names to keys, or to lists of keys, such as one that was torn.
    """
    path = registry_file(registry, host)
    if not path.exists():
        return read_accepted(registry, former) if former else {}
    try:
        recorded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError):
        recorded = None
    known = {name: keys_of(item) for name, item in recorded.items()} if isinstance(recorded, dict) else {"": []}
    if not all(isinstance(name, str) and keys and all(isinstance(key, str) for key in keys) for name, keys in known.items()):
        raise ValueError(f"{path}: expected lines `interface: public key`")
    return known


def known_keys(registry: Path, host: str, warn: Warn, former: str = "") -> dict[str, list[str]]:
    """Return what is recorded for a host, as `read_accepted` does; nothing, and a warning, where the file is torn: the host itself knows its keys."""
    try:
        return read_accepted(registry, host, former)
    except ValueError as error:
        warn(f"{error}. What it held counts as not recorded; a run that reaches {host} records it anew.")
        return {}


def in_use(accepted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the key in use of each interface, or of each peer: the first of those that are accepted."""
    return {name: keys[0] for name, keys in accepted.items()}


def keys_of(written: object) -> list[Any]:
    """Return one key, or several, as a list."""
    return list(written) if isinstance(written, (list, tuple)) else [written] if written else []


def record_keys(
    registry: Path, host: str, keys: Mapping[str, Sequence[str]], warn: Warn, write: bool = True, former: str = ""
) -> tuple[str, str]:
    """Record public keys of a host, in one step: another fork may read them at the same moment. Those of interfaces that are not named stay.

    Parameters:
        registry: the directory.
        host: inventory name.
        keys: those that peers accept, by interface, the one in use first.
        warn: is told of a file that was torn; what it held is lost.
        write: False to tell only what would change.
        former: as of `read_accepted`.

    Returns:
        The file's text before and after.

    Raises:
        OSError: it cannot be written.
    """
    path = registry_file(registry, host)
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    known = {**known_keys(registry, host, warn, former), **keys}
    written = {name: accepted[0] if len(accepted) == 1 else list(accepted) for name, accepted in known.items()}
    after = HEADER + yaml.safe_dump(written, default_flow_style=False, sort_keys=True)
    if not keys:
        after = before
    if write and before != after:
        write_atomically(str(path), after, 0o644)
    return before, after


def peer_key(interface: WireguardInterface, peer: WireguardInterfacePeer, registry: Registry) -> str | None:
    """Return the public key a peer must have: its own ``public_key``, else what the registry says of the other end, else None.

    Parameters:
        interface, peer: as role ``wireguard`` takes them.
        registry: public key by WireGuard interface by host.
    """
    return peer.get("public_key") or registry.get(peer["name"], {}).get(_remote(interface, peer))


def shown_peer_key(interface: WireguardInterface, peer: WireguardInterfacePeer, registry: Registry) -> str:
    """Return that key, or a placeholder in angle brackets for one that is not known yet. Parameters as in `peer_key`."""
    placeholder = f"<public key of {peer['name']} {_remote(interface, peer)}>"
    return peer_key(interface, peer, registry) or placeholder


def forget_keys(registry: Path, host: str) -> bool:
    """Remove what is recorded of a host. Returns whether there was something. Raises OSError."""
    path = registry_file(registry, host)
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def resolve_peers(
    registry: Path, interfaces: Sequence[Mapping[str, Any]], warn: Warn, former: Callable[[str], str] = lambda _host: ""
) -> tuple[dict[str, dict[str, list[str]]], list[dict[str, str]]]:
    """Find the public keys to accept from every peer: its own ``public_key`` first, the registry second.

    Parameters:
        registry: the directory.
        interfaces: as role ``wireguard`` takes them; of them ``name``, and ``name``, ``interface`` and ``public_key`` of ``peers``, which may be a list.
            Preshared keys stay out of the result: it is printed by Ansible.
        warn: is told of a file that was torn.
        former: gives the name that a host had before, as of `read_accepted`.

    Returns:
        Keys by peer by interface, the one in use first, and the peers of which none is known: each ``{"peer", "interface", "remote_interface"}``, the
        last being the one at the peer's end.
    """
    known: dict[str, dict[str, list[str]]] = {}
    missing = []
    for interface in interfaces:
        found = known.setdefault(interface["name"], {})
        for peer in interface.get("peers", []):
            remote = _remote(interface, peer)
            # A peer that has its own key needs no file.
            keys = keys_of(peer.get("public_key")) or known_keys(registry, peer["name"], warn, former(peer["name"])).get(remote)
            if keys:
                found[peer["name"]] = keys
            else:
                missing.append({"peer": peer["name"], "interface": interface["name"], "remote_interface": remote})
    return known, missing


def _remote(interface: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
    """Return the interface at a peer's end, which has the same name unless another is given."""
    return str(peer.get("interface") or interface["name"])
