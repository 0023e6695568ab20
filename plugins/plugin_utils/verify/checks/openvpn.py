# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of OpenVPN tunnels: identities as the registry has them, the transport in force, and whether the two ends are connected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import OpenvpnTunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import Accepted
from ansible_collections.xuegao.net.plugins.plugin_utils.common.tunnel_ends import peer_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, same, same_set

Live = Mapping[str, Mapping[str, Any]]


def check_openvpn(ledger: Ledger, variables: Variables, registry: Accepted) -> None:
    """Check every OpenVPN tunnel of the host; ``registry`` is fingerprints by tunnel by host, the one in use first."""
    for tunnel in variables.get("openvpn_tunnels", []):
        name, peer = tunnel["name"], tunnel["peer"]
        own = registry.get(ledger.host, {}).get(name)
        end = peer_of(tunnel)
        other = end["public_key"] or registry.get(peer, {}).get(end["interface"])
        shown = f"openssl x509 -in /etc/openvpn/keys/{name}.pem -noout -fingerprint -sha256"
        conf = f"grep --after-context=3 peer-fingerprint /etc/openvpn/{tunnel['role']}/{name}.conf"
        unit = f"openvpn-{tunnel['role']}@{name}.service"

        def identity(live: Live, name: str = name, own: list[str] | None = own) -> Verdict:
            found = _several(live.get(name, {}).get("fingerprints"))
            if own is None:
                return False, f"the registry has no fingerprint of {ledger.host} {name}; found {found or 'nothing'}"
            return same(_several(own), found)

        def expected_peer(live: Live, name: str = name, peer: str = peer, other: list[str] | None = other) -> Verdict:
            if other is None:
                return False, f"the registry has no fingerprint of {peer} {name}"
            return same_set(other, live.get(name, {}).get("accepted") or [])

        def private(live: Live, name: str = name) -> Verdict:
            return same("0600", live.get(name, {}).get("mode"))

        def dropped(live: Live, name: str = name) -> Verdict:
            if live.get(name, {}).get("rotation") != "former":
                return True, "there is none"
            return False, "peers accept it as long as it is there; playbook rotate_openvpn_keys goes on where it was broken off"

        def read(live: Live, name: str = name) -> Verdict:
            found = live.get(name, {})
            if found.get("current") is None:
                return False, str(found.get("problem") or "no state")
            return bool(found["current"]), "yes" if found["current"] else "started with others: one run of site restarts it"

        def carried(live: Live, name: str = name, tunnel: OpenvpnTunnel = tunnel) -> Verdict:
            return transport(tunnel, live.get(name, {}))

        def connected(live: Live, name: str = name, peer: str = peer) -> Verdict:
            found = live.get(name, {})
            if found.get("state") == "CONNECTED":
                return True, f"connected with {peer}" + (f" at {found['remote']}" if found.get("remote") else "")
            return False, f"{found.get('state') or found.get('problem') or 'no state'}, expected CONNECTED with {peer}"

        ledger.judge(f"OpenVPN {name} own fingerprint as registered", shown, "openvpn", identity)
        ledger.judge(f"OpenVPN {name} peer {peer} fingerprint as registered", conf, "openvpn", expected_peer)
        ledger.judge(f"OpenVPN {name} key is private", f"stat --format=%a /etc/openvpn/keys/{name}.*", "openvpn", private)
        ledger.judge(f"OpenVPN {name} former key is dropped", f"ls /etc/openvpn/keys/{name}.*", "openvpn", dropped)
        environment = f"tr '\\0' '\\n' </proc/$(systemctl show --property=MainPID --value {unit})/environ | grep XGN_"
        ledger.judge(f"OpenVPN {name} daemon runs with its files and key", environment, "openvpn", read)
        shown = f"ss --numeric --all --tcp --udp --processes | grep pid=$(systemctl show --property=MainPID --value {unit}),"
        ledger.judge(f"OpenVPN {name} transport", shown, "openvpn", carried)
        ledger.judge(f"OpenVPN {name} connected", f"journalctl --no-pager --lines=20 --unit={unit}", "openvpn", connected)


def transport(tunnel: OpenvpnTunnel, live: Mapping[str, Any]) -> Verdict:
    """Test that a daemon's sockets are of the transport and family that are declared, and at the server's end of its port."""
    found = live.get("sockets")
    if found is None:
        return False, str(live.get("problem") or "no state")
    wanted = f"{tunnel.get('transport', 'tcp')} {tunnel.get('family', 'ipv4')}"
    if tunnel["role"] == "server":
        wanted += f" {tunnel['listen_port']}"
        return same(wanted, ", ".join(found) or None)
    return same(wanted, ", ".join(sorted({text.rpartition(" ")[0] for text in found})) or None)


def _several(fingerprints: list[str] | None) -> str | None:
    """Return fingerprints in one line; None for none."""
    return ", ".join(fingerprints) if fingerprints else None
