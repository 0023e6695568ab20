# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A registry of public keys, of WireGuard or of OpenVPN: one small YAML file per host, kept beside the inventory.

OpenVPN's are fingerprints of self-signed certificates, which say as much.

A run that reaches a host records its keys; a run that does not (``--limit``, a dead peer) reads them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface, WireguardInterfacePeer

Registry = Mapping[str, Mapping[str, str]]

HEADER = "# Public keys of this host's tunnels, recorded by Ansible (xuegao.net). Keep it with the inventory.\n"


def registry_file(registry: Path, host: str) -> Path:
    """Return the file of a host. Not ``.yml``: beside an inventory Ansible would read it as a part of the inventory."""
    return registry / f"{host}.txt"


def read_keys(registry: Path, host: str) -> dict[str, str]:
    """Return the public keys of a host by interface; empty when nothing is recorded.

    Raises:
        ValueError: the file is not a mapping of names to keys.
    """
    path = registry_file(registry, host)
    if not path.exists():
        return {}
    keys = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(keys, dict) or not all(isinstance(item, str) for pair in keys.items() for item in pair):
        raise ValueError(f"{path}: expected lines `interface: public key`")
    return keys


def record_keys(registry: Path, host: str, keys: Mapping[str, str], write: bool = True) -> tuple[str, str]:
    """Record public keys of a host, in one step: another fork may read them at the same moment. Those of interfaces that are not named stay.

    Parameters:
        registry: the directory.
        host: inventory name.
        keys: public key by interface.
        write: False to tell only what would change.

    Returns:
        The file's text before and after.

    Raises:
        ValueError: as of `read_keys`.
        OSError: it cannot be written.
    """
    path = registry_file(registry, host)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = HEADER + yaml.safe_dump({**read_keys(registry, host), **keys}, default_flow_style=False, sort_keys=True)
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
    remote = peer.get("interface") or interface["name"]
    return peer.get("public_key") or registry.get(peer["name"], {}).get(remote)


def shown_peer_key(interface: WireguardInterface, peer: WireguardInterfacePeer, registry: Registry) -> str:
    """Return that key, or a placeholder in angle brackets for one that is not known yet. Parameters as in `peer_key`."""
    placeholder = f"<public key of {peer['name']} {peer.get('interface') or interface['name']}>"
    return peer_key(interface, peer, registry) or placeholder


def resolve_peers(registry: Path, interfaces: Sequence[WireguardInterface]) -> tuple[dict[str, dict[str, str]], list[dict[str, str]]]:
    """Find the public key of every peer, as `peer_key` does.

    Parameters:
        registry: the directory.
        interfaces: as role ``wireguard`` takes them. Preshared keys stay out of the result: it is printed by Ansible.

    Returns:
        Key by peer by interface, and the peers whose key is not known: each ``{"peer", "interface", "remote_interface"}``, the last being the one at
        the peer's end.

    Raises:
        ValueError: as of `read_keys`.
    """
    known: dict[str, dict[str, str]] = {}
    missing = []
    for interface in interfaces:
        keys = known.setdefault(interface["name"], {})
        for peer in interface.get("peers", []):
            # A peer that has its own key needs no file.
            recorded = {} if peer.get("public_key") else {peer["name"]: read_keys(registry, peer["name"])}
            key = peer_key(interface, peer, recorded)
            if key is None:
                remote = peer.get("interface") or interface["name"]
                missing.append({"peer": peer["name"], "interface": interface["name"], "remote_interface": remote})
            else:
                keys[peer["name"]] = key
    return known, missing
