# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of WireGuard interfaces: keys as the registry has them, peers, handshakes, and the file wg-quick reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import canonical_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface, WireguardInterfacePeer
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import Registry, peer_key
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import (
    Ledger,
    Variables,
    Verdict,
    duration,
    same,
    same_set,
)

Live = Mapping[str, Mapping[str, Any]]


def check_wireguard(ledger: Ledger, variables: Variables, registry: Registry) -> None:
    """Check every WireGuard interface of the host; ``registry`` is public key by interface by host."""
    for interface in variables.get("wireguard_interfaces", []):
        name = interface["name"]
        show = f"wg show {name}"
        if interface.get("listen_port"):
            check_value(ledger, name, "listen port", "listen_port", interface["listen_port"])
        if interface.get("fwmark"):
            check_value(ledger, name, "fwmark", "fwmark", interface["fwmark"])
        own = registry.get(ledger.host, {}).get(name)

        def identity(live: Live, name: str = name, own: str | None = own) -> Verdict:
            if own is None:
                return False, f"the registry has no key of {ledger.host} {name}; found {live.get(name, {}).get('public_key') or 'nothing'}"
            return same(own, live.get(name, {}).get("public_key"))

        ledger.judge(f"WireGuard {name} own key as registered", f"wg show {name} public-key", "wireguard", identity)
        peers = {peer["name"]: peer_key(interface, peer, registry) for peer in interface.get("peers", [])}

        def others(live: Live, name: str = name, peers: Mapping[str, str | None] = peers) -> Verdict:
            if name not in live:
                return False, f"no WireGuard interface {name}"
            extra = sorted(set(live[name]["peers"]) - set(peers.values()))
            if extra and None not in peers.values():
                return False, f"peers that are not declared: {', '.join(extra)}"
            if extra:
                return False, f"cannot tell {', '.join(extra)} from the peers without a registered key"
            return True, f"{len(peers)} declared, no other"

        ledger.judge(f"WireGuard {name} has no other peers", f"wg show {name} peers", "wireguard", others)
        for peer in interface.get("peers", []):
            check_peer(ledger, interface, peer, peers[peer["name"]], int(variables.get("verify_handshake_max_age", 180)), show)
        ledger.judge(
            f"WireGuard {name} file is private and sets no address",
            f"stat --format=%a:%U {path_of(name)}; grep -E '^(Address|Table)' {path_of(name)}",
            "wireguard_files",
            lambda files, name=name: private_file(name, files.get(name)),
        )


def check_value(ledger: Ledger, name: str, what: str, key: str, expected: object) -> None:
    """Check one value of an interface."""
    command = f"wg show {name} {what.replace(' ', '-')}"
    ledger.judge(f"WireGuard {name} {what}", command, "wireguard", lambda live: same(expected, live.get(name, {}).get(key)))


def path_of(name: str) -> str:
    """Return the path of the file wg-quick reads for an interface."""
    return f"/etc/wireguard/{name}.conf"


def private_file(name: str, found: Mapping[str, Any] | None) -> Verdict:
    """Test that the file is root's alone, holds no address (FRR sets it) and leaves the routes alone (``Table = off``)."""
    if found is None:
        return False, f"no readable file {path_of(name)}"
    problems = []
    if found["mode"] != "0600":
        problems.append(f"mode {found['mode']}, expected 0600")
    if found["owner"] != "0:0":
        problems.append(f"owner {found['owner']}, expected 0:0")
    if found["address"]:
        problems.append("has an Address line, expected none: FRR sets the address")
    if found["table"] != "off":
        problems.append(f"Table is {found['table'] or 'not set'}, expected off")
    return not problems, "; ".join(problems) or "0600 root, no Address, Table off"


def check_peer(
    ledger: Ledger, interface: WireguardInterface, peer: WireguardInterfacePeer, key: str | None, max_age: int, command: str
) -> None:
    """Check one peer: its key, allowed IPs, keepalive, preshared key and the age of its last handshake (seconds)."""
    name = interface["name"]
    title = f"WireGuard {name} peer {peer['name']}"

    def with_peer(live: Live) -> tuple[Mapping[str, Any] | None, str]:
        if name not in live:
            return None, f"no WireGuard interface {name}"
        if key is None:
            return None, f"the registry has no key of {peer['name']} {peer.get('interface') or name}"
        found = live[name]["peers"].get(key)
        keys = ", ".join(sorted(live[name]["peers"])) or "none"
        return found, "" if found is not None else f"no peer with key {key} ({peer['name']}), found {keys}"

    def known(live: Live) -> Verdict:
        found, problem = with_peer(live)
        return (False, problem) if found is None else (True, f"{key}, endpoint {found['endpoint'] or 'not known yet'}")

    def allowed(live: Live) -> Verdict:
        found, problem = with_peer(live)
        if found is None:
            return False, problem
        wanted = {canonical_prefix(prefix) for prefix in peer.get("allowed_ips", ["0.0.0.0/0", "::/0"])}
        return same_set(wanted, (canonical_prefix(prefix) for prefix in found["allowed_ips"]))

    def keepalive(live: Live) -> Verdict:
        found, problem = with_peer(live)
        return (False, problem) if found is None else same(int(peer.get("persistent_keepalive") or 0), found["keepalive"], " s")

    def preshared(live: Live) -> Verdict:
        found, problem = with_peer(live)
        if found is None:
            return False, problem
        words = {True: "set", False: "not set"}
        return same(words[bool(peer.get("preshared_key"))], words[bool(found["preshared"])])

    def handshake(live: Live) -> Verdict:
        found, problem = with_peer(live)
        if found is None:
            return False, problem
        age = found["handshake_age"]
        if age is None:
            return False, f"no handshake with {peer['name']} since the interface came up, expected one within {max_age} s"
        text = f"{duration(age)} ago"
        return (True, text) if age <= max_age else (False, f"last handshake with {peer['name']} {text}, expected within {max_age} s")

    ledger.judge(f"{title} key", command, "wireguard", known)
    ledger.judge(f"{title} allowed IPs", f"wg show {name} allowed-ips", "wireguard", allowed)
    ledger.judge(f"{title} keepalive", f"wg show {name} persistent-keepalive", "wireguard", keepalive)
    ledger.judge(f"{title} preshared key", command, "wireguard", preshared)
    ledger.judge(f"{title} handshake", f"wg show {name} latest-handshakes", "wireguard", handshake)
