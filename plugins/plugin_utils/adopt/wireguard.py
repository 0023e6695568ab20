# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The live WireGuard interfaces, and wg-quick's files of them, as variables of role wireguard. The private key stays where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import PLACEHOLDER
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.interfaces import Links

_SETTING = re.compile(r"([A-Za-z]+)\s*=\s*(.*)")
_COMMENT = re.compile(r"#\s*([A-Za-z0-9][A-Za-z0-9_.-]{0,62})")
# What else wg-quick does for an interface.
_DEEDS = {"preup": "PreUp", "postup": "PostUp", "predown": "PreDown", "postdown": "PostDown", "dns": "DNS", "saveconfig": "SaveConfig"}


@dataclass
class _Part:
    """A section of wg-quick's file. name: what a comment before it or at its begin calls it. settings: by key in lower case, a value an entry."""

    name: str = ""
    settings: dict[str, list[str]] = field(default_factory=dict)

    def last(self, key: str) -> str | None:
        """Return the value that counts."""
        return self.settings[key][-1] if self.settings.get(key) else None


def describe_wireguard(
    live: Mapping[str, Mapping[str, Any]], files: Mapping[str, str], keys: Sequence[str], links: Links, found: Description
) -> None:
    """Describe the WireGuard interfaces.

    Parameters:
        live: part ``wireguard`` of the live state.
        files: wg-quick's file by interface, with ``<secret NAME>`` in place of each preshared key.
        keys: interfaces whose private key stands in a file of its own.
        links: part ``links`` of the live state.
        found: gets the variables, and what they do not say.
    """
    for name in sorted(files.keys() - live.keys()):
        found.leave(f"/etc/wireguard/{name}.conf", "its interface is not there; start it to have it described, or leave the file alone")
    entries = []
    for name, state in live.items():
        interface, peers = _read(files[name]) if name in files else (_Part(), [])
        if name not in files and name not in keys:
            why = f"its private key is in no file of /etc/wireguard. Write it to {name}.key there, or a new one is made, which all peers have to learn"
            found.leave(f"interface {name}", why)
        _leave_deeds(name, interface, name in files, found)
        entry: dict[str, Any] = {"name": name, **({"mtu": links[name]["mtu"]} if name in links else {})}
        if name not in files or interface.last("listenport"):
            entry["listen_port"] = state["listen_port"]
        if state["fwmark"]:
            entry["fwmark"] = state["fwmark"]
        entry["peers"] = _peers(name, state["peers"], peers, found)
        entries.append(entry)
    found.give("wireguard_interfaces", entries)


def _leave_deeds(name: str, interface: _Part, has_file: bool, found: Description) -> None:
    path = f"/etc/wireguard/{name}.conf"
    for key, word in _DEEDS.items():
        if key in interface.settings:
            found.leave(f"{path}, {word}", "is done by no role; the file is written without it")
    if has_file and interface.last("table") != "off":
        why = "wg-quick puts routes to the allowed IPs of the peers into a table; the role writes Table = off. Write frr_static_routes for those that stay"
        found.leave(f"{path}, Table = {interface.last('table') or 'auto'}", why)


def _peers(name: str, live: Mapping[str, Mapping[str, Any]], written: Sequence[_Part], found: Description) -> list[dict[str, Any]]:
    by_key = {part.last("publickey") or "": part for part in written}
    order = [key for key in by_key if key in live] + [key for key in live if key not in by_key]
    peers: list[dict[str, Any]] = []
    for number, key in enumerate(order, start=1):
        state, part = live[key], by_key.get(key, _Part())
        taken = {peer["name"] for peer in peers}
        peer: dict[str, Any] = {"name": part.name if part.name and part.name not in taken else f"peer{number}", "public_key": key}
        # A peer may be elsewhere by now; what was written is where to begin. Where nothing was, it begins itself.
        endpoint = part.last("endpoint") if part.settings else state["endpoint"]
        if endpoint:
            peer["endpoint"] = endpoint
        order_written = [text.strip() for value in part.settings.get("allowedips", ()) for text in value.split(",")]
        same = sorted(order_written) == sorted(state["allowed_ips"])
        peer["allowed_ips"] = order_written if same else list(state["allowed_ips"])
        if state["keepalive"]:
            peer["persistent_keepalive"] = state["keepalive"]
        if state["preshared"]:
            covered = PLACEHOLDER.fullmatch(part.last("presharedkey") or "")
            secret = covered[1] if covered else f"adopted_{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{number}"
            peer["preshared_key"] = found.secret(secret, f"preshared key of {peer['name']} on {name}")
        peers.append(peer)
    return peers


def _read(text: str) -> tuple[_Part, list[_Part]]:
    """Read wg-quick's file: its section Interface, and the peers."""
    interface, peers = _Part(), []
    current, comment = interface, ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.lower() == "[peer]":
            current = _Part(comment)
            peers.append(current)
        elif line.startswith("#"):
            named = _COMMENT.fullmatch(line)
            comment = named[1] if named else ""
            # Some write the name below the heading.
            if current is not interface and not current.settings and not current.name:
                current.name = comment
            continue
        elif setting := _SETTING.fullmatch(line.partition("#")[0].strip()):
            current.settings.setdefault(setting[1].lower(), []).append(setting[2])
        if line:
            comment = ""
    return interface, peers
