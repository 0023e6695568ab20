# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A registry of public keys, of WireGuard or of OpenVPN: one small YAML file per host, kept beside the inventory.

OpenVPN's are fingerprints of self-signed certificates, which say as much.

A run that reaches a host records its keys; a run that does not (``--limit``, a dead peer) reads them here.

What is recorded was said by a host, and stands in the files of others: only what has the form of a key comes in or out. And since a key is all by which
a peer knows a host, another one than is recorded counts only once somebody has accepted it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface, WireguardInterfacePeer
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import (
    UNIT_NAMES,
    name_problems,
    registered_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show

Registry = Mapping[str, Mapping[str, str]]

# What a key of a registry looks like, by what has it.
KINDS: Mapping[str, Callable[[Place, str], Iterator[Problem]]] = {
    kind.name: kind.public_key for kind in LINK_TYPES.values() if kind.public_key is not None
}

HEADER = "# Public keys of this host's tunnels, recorded by Ansible (xuegao.net). Keep it with the inventory.\n"


class ChangedKeysError(ValueError):
    """A host has other keys than are recorded, and nobody has accepted them."""


def registry_file(registry: Path, host: str) -> Path:
    """Return the file of a host. Not ``.yml``: beside an inventory Ansible would read it as a part of the inventory.

    Raises ValueError for a name that would be a file elsewhere.
    """
    for problem in registered_problems(Place(), host):
        raise ValueError(str(problem))
    return registry / f"{host}.txt"


def form_problems(host: str, keys: Mapping[Any, Any], kind: str) -> list[Problem]:
    """Return what of a host's keys has not the form of one, by interface.

    Parameters:
        host: whose they are.
        keys: by interface, as the host said or a file says.
        kind: of `KINDS`.
    """
    found: list[Problem] = []
    for name, key in keys.items():
        path = Place.of(host, name)
        found += name_problems(path, name, UNIT_NAMES) if isinstance(name, str) else [Problem(path, "is no name of an interface")]
        found += KINDS[kind](path, key) if isinstance(key, str) else [Problem(path, "is no text", show(key))]
    return found


def read_keys(registry: Path, host: str, kind: str) -> dict[str, str]:
    """Return the public keys of a host by interface; empty when nothing is recorded.

    Raises:
        ValueError: the file is not a mapping of names to keys of that kind.
    """
    path = registry_file(registry, host)
    if not path.exists():
        return {}
    try:
        keys = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(keys, dict):
        raise ValueError(f"{path}: expected lines `interface: public key`")
    if wrong := form_problems(host, keys, kind):
        raise ValueError(f"{path}: {'; '.join(map(str, wrong))}")
    return keys


def record_keys(
    registry: Path, host: str, keys: Mapping[str, str], kind: str, *, accepted: bool = False, write: bool = True
) -> tuple[str, str]:
    """Record public keys of a host, in one step: another fork may read them at the same moment. Those of interfaces that are not named stay.

    Parameters:
        registry: the directory.
        host: inventory name.
        keys: what the host said, by interface.
        kind: of `KINDS`.
        accepted: somebody has said that keys of this host may be others than are recorded.
        write: False to tell only what would change.

    Returns:
        The file's text before and after.

    Raises:
        ValueError: something is no key of that kind, or no name of an interface, or the file cannot be read as one of keys.
        ChangedKeysError: another key than is recorded, and that is not accepted. Nothing was written then.
        OSError: it cannot be written.
    """
    if wrong := form_problems(host, keys, kind):
        raise ValueError(f"{host} said what is no public key, and no peer is given it. {'; '.join(map(str, wrong))}")
    path = registry_file(registry, host)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    known = read_keys(registry, host, kind)
    changed = [f"- {name}: recorded {known[name]}, now {key}" for name, key in keys.items() if known.get(name, key) != key]
    if changed and not accepted:
        raise ChangedKeysError(
            f"{host} has another public key than {path} says, and no peer is given it:\n"
            + "\n".join(changed)
            + "\nA host has a new key when it was installed anew, when its key file was lost, or when a rotation was killed before it had recorded the new "
            f"one. Remedy: if that is so, run again with --extra-vars xgn_accept_keys={host}; if not, find out what answers as {host}."
        )
    after = HEADER + yaml.safe_dump({**known, **keys}, default_flow_style=False, sort_keys=True)
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


def resolve_peers(
    registry: Path, interfaces: Sequence[WireguardInterface], kind: str
) -> tuple[dict[str, dict[str, str]], list[dict[str, str]]]:
    """Find the public key of every peer, as `peer_key` does.

    Parameters:
        registry: the directory.
        interfaces: as role ``wireguard`` takes them. Preshared keys stay out of the result: it is printed by Ansible.
        kind: of `KINDS`.

    Returns:
        Key by peer by interface, and the peers whose key is not known: each ``{"peer", "interface", "remote_interface"}``, the last being the one at
        the peer's end.

    Raises:
        ValueError: something is no key of that kind, or two peers of an interface have the same one: they would be one peer.
    """
    known: dict[str, dict[str, str]] = {}
    missing = []
    for interface in interfaces:
        keys = known.setdefault(interface["name"], {})
        owners: dict[str, str] = {}
        for peer in interface.get("peers", []):
            # A peer that has its own key needs no file.
            recorded = {} if peer.get("public_key") else {peer["name"]: read_keys(registry, peer["name"], kind)}
            key = peer_key(interface, peer, recorded)
            if key is None:
                remote = peer.get("interface") or interface["name"]
                missing.append({"peer": peer["name"], "interface": interface["name"], "remote_interface": remote})
                continue
            if wrong := list(KINDS[kind](Place.of(interface["name"], peer["name"]), key)):
                raise ValueError("; ".join(map(str, wrong)))
            if owners.setdefault(key, peer["name"]) != peer["name"]:
                raise ValueError(f"{owners[key]} and {peer['name']}, peers of {interface['name']}, have the same public key {key}")
            keys[peer["name"]] = key
    return known, missing
