# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A registry of public keys, of WireGuard or of OpenVPN: one small YAML file per host, kept beside the inventory.

OpenVPN's are fingerprints of self-signed certificates, which say as much. While one is rotated there are two of a tunnel, the one in use first, and peers
accept both.

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
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

Registry = Mapping[str, Mapping[str, str]]
Warn = Callable[[str], None]
Accepted = Mapping[str, Mapping[str, list[str]]]

# What a key of a registry looks like, by what has it.
KINDS: Mapping[str, Callable[[Place, str], Iterator[Problem]]] = {
    kind.name: kind.public_key for kind in LINK_TYPES.values() if kind.public_key is not None
}
# Keys of an interface at a time: the one in use, and the next or the former one while it is rotated.
AT_ONCE = 2

HEADER = "# Public keys of this host's tunnels, recorded by Ansible (xuegao.net). Keep it with the inventory.\n"


class ChangedKeysError(ValueError):
    """A host has other keys than are recorded, and nobody has accepted them."""


class TornFileError(ValueError):
    """A file of a registry holds something else than keys by interface."""


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
        keys: one or several by interface, as the host said or a file says.
        kind: of `KINDS`.
    """
    found: list[Problem] = []
    for name, written in keys.items():
        path, several = Place.of(host, name), keys_of(written)
        found += name_problems(path, name, UNIT_NAMES) if isinstance(name, str) else [Problem(path, "is no name of an interface")]
        if not 1 <= len(several) <= AT_ONCE:
            found.append(Problem(path, f"has {len(several)} keys", hint="an interface has one, and a second one while it is rotated"))
            continue
        for key in several:
            found += KINDS[kind](path, key) if isinstance(key, str) else [Problem(path, "is no text", show(key))]
    return found


def read_accepted(registry: Path, host: str, kind: str, former: str = "") -> dict[str, list[str]]:
    """Return the public keys of a host that peers accept, by interface, the one in use first; empty when nothing is recorded.

    Parameters:
        registry, host: whose.
        kind: of `KINDS`.
        former: name that the host had before; what is recorded under it counts as long as there is nothing under the new one.

    Raises:
        TornFileError: the file is not a mapping of names to keys of that kind, or to lists of such keys.
    """
    path = registry_file(registry, host)
    if not path.exists():
        return read_accepted(registry, former, kind) if former else {}
    torn = f"{path}: expected lines `interface: public key`"
    try:
        recorded = read_yaml(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TornFileError(torn) from error
    if not isinstance(recorded, dict):
        raise TornFileError(torn)
    if wrong := form_problems(host, recorded, kind):
        raise TornFileError(f"{torn}; {'; '.join(map(str, wrong))}")
    return {name: keys_of(written) for name, written in recorded.items()}


def known_keys(registry: Path, host: str, kind: str, warn: Warn, former: str = "") -> dict[str, list[str]]:
    """Return what is recorded for a host, as `read_accepted` does; nothing, and a warning, where the file is torn: the host itself knows its keys."""
    try:
        return read_accepted(registry, host, kind, former)
    except TornFileError as error:
        warn(f"{error}. What it held counts as not recorded; a run that reaches {host} records it anew.")
        return {}


def in_use(accepted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the key in use of each interface, or of each peer: the first of those that are accepted."""
    return {name: keys[0] for name, keys in accepted.items()}


def keys_of(written: object) -> list[Any]:
    """Return one key, or several, as a list."""
    return list(written) if isinstance(written, (list, tuple)) else [written] if written else []


def record_keys(
    registry: Path,
    host: str,
    keys: Mapping[str, Sequence[str]],
    kind: str,
    warn: Warn,
    *,
    accepted: bool = False,
    write: bool = True,
    former: str = "",
) -> tuple[str, str]:
    """Record public keys of a host, in one step: another fork may read them at the same moment. Those of interfaces that are not named stay.

    Parameters:
        registry: the directory.
        host: inventory name.
        keys: what the host said, by interface, the one in use first.
        kind: of `KINDS`.
        warn: is told of a file that was torn, what it held being lost, and of keys that are not recorded.
        accepted: somebody has said that keys of this host may be others than are recorded.
        write: False to tell only what would change.
        former: as of `read_accepted`.

    Returns:
        The file's text before and after.

    Raises:
        ValueError: something is no key of that kind, or no name of an interface.
        ChangedKeysError: another key than is recorded is in use, and that is not accepted. Nothing was written then.
        OSError: it cannot be written.
    """
    if wrong := form_problems(host, keys, kind):
        raise ValueError(f"{host} said what is no public key, and no peer is given it. {'; '.join(map(str, wrong))}")
    path = registry_file(registry, host)
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    known = known_keys(registry, host, kind, warn, former)
    if not accepted:
        _refuse_changed(host, path, known, keys)
        keys = {name: _recorded_before(host, name, known.get(name), told, warn) for name, told in keys.items()}
    written = {name: several[0] if len(several) == 1 else list(several) for name, several in {**known, **keys}.items()}
    after = HEADER + yaml.safe_dump(written, default_flow_style=False, sort_keys=True)
    if not keys:
        after = before
    if write and before != after:
        write_atomically(str(path), after, 0o644)
    return before, after


def _refuse_changed(host: str, path: Path, known: Mapping[str, Sequence[str]], keys: Mapping[str, Sequence[str]]) -> None:
    """Refuse a host that uses another key than any that is recorded for that interface. A rotation records the next one before it is used."""
    changed = [
        f"- {name}: recorded {', '.join(known[name])}, now {told[0]}"
        for name, told in keys.items()
        if name in known and told[0] not in known[name]
    ]
    if changed:
        raise ChangedKeysError(
            f"{host} has another public key than {path} says, and no peer is given it:\n"
            + "\n".join(changed)
            + "\nA host has a new key when it was installed anew, when its key file was lost, or when a rotation was killed before it had recorded the new "
            f"one. Remedy: if that is so, run again with --extra-vars xgn_accept_keys={host}; if not, find out what answers as {host}."
        )


def _recorded_before(host: str, name: str, known: Sequence[str] | None, told: Sequence[str], warn: Warn) -> Sequence[str]:
    """Return what counts of the keys of an interface: all of one that has no record, and of any other what is recorded, since peers accept each of them."""
    if known is None:
        return told
    for key in told:
        if key not in known:
            warn(
                f"{host}: {name} has {key} beside its key, which no rotation has recorded, and no peer is given it. The next rotation goes on with it."
            )
    return [key for key in told if key in known]


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
    registry: Path, interfaces: Sequence[Mapping[str, Any]], kind: str, warn: Warn, former: Callable[[str], str] = lambda _host: ""
) -> tuple[dict[str, dict[str, list[str]]], list[dict[str, str]]]:
    """Find the public keys to accept from every peer: its own ``public_key`` first, the registry second.

    Parameters:
        registry: the directory.
        interfaces: as role ``wireguard`` takes them; of them ``name``, and ``name``, ``interface`` and ``public_key`` of ``peers``, which may be a list.
            Preshared keys stay out of the result: it is printed by Ansible.
        kind: of `KINDS`.
        warn: is told of a file that was torn.
        former: gives the name that a host had before, as of `read_accepted`.

    Returns:
        Keys by peer by interface, the one in use first, and the peers of which none is known: each ``{"peer", "interface", "remote_interface"}``, the
        last being the one at the peer's end.

    Raises:
        ValueError: something is no key of that kind, or two peers of an interface have the same one: they would be one peer.
    """
    known: dict[str, dict[str, list[str]]] = {}
    missing = []
    for interface in interfaces:
        found = known.setdefault(interface["name"], {})
        owners: dict[str, str] = {}
        for peer in interface.get("peers", []):
            remote = _remote(interface, peer)
            # A peer that has its own key needs no file.
            keys = keys_of(peer.get("public_key")) or known_keys(registry, peer["name"], kind, warn, former(peer["name"])).get(remote)
            if not keys:
                missing.append({"peer": peer["name"], "interface": interface["name"], "remote_interface": remote})
                continue
            for key in keys:
                if wrong := list(KINDS[kind](Place.of(interface["name"], peer["name"]), key)):
                    raise ValueError("; ".join(map(str, wrong)))
                if owners.setdefault(key, peer["name"]) != peer["name"]:
                    raise ValueError(f"{owners[key]} and {peer['name']}, peers of {interface['name']}, have the same public key {key}")
            found[peer["name"]] = keys
    return known, missing


def _remote(interface: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
    """Return the interface at a peer's end, which has the same name unless another is given."""
    return str(peer.get("interface") or interface["name"])
