# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of OpenVPN tunnels: identities as the registry has them, and whether the two ends are connected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.openvpn import peer_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, same

Registry = Mapping[str, Mapping[str, str]]
Live = Mapping[str, Mapping[str, Any]]


def check_openvpn(ledger: Ledger, variables: Variables, registry: Registry) -> None:
    """Check every OpenVPN tunnel of the host; ``registry`` is fingerprint by tunnel by host."""
    for tunnel in variables.get("openvpn_tunnels", []):
        name, peer = tunnel["name"], tunnel["peer"]
        own = registry.get(ledger.host, {}).get(name)
        end = peer_of(tunnel)
        other = end["public_key"] or registry.get(peer, {}).get(end["interface"])
        shown = f"openssl x509 -in /etc/openvpn/keys/{name}.pem -noout -fingerprint -sha256"
        conf = f"grep peer-fingerprint /etc/openvpn/{tunnel['role']}/{name}.conf"

        def identity(live: Live, name: str = name, own: str | None = own) -> Verdict:
            found = live.get(name, {}).get("fingerprint")
            if own is None:
                return False, f"the registry has no fingerprint of {ledger.host} {name}; found {found or 'nothing'}"
            return same(own, found)

        def expected_peer(live: Live, name: str = name, peer: str = peer, other: str | None = other) -> Verdict:
            if other is None:
                return False, f"the registry has no fingerprint of {peer} {name}"
            return same(other, live.get(name, {}).get("peer_fingerprint"))

        def private(live: Live, name: str = name) -> Verdict:
            return same("0600", live.get(name, {}).get("mode"))

        def connected(live: Live, name: str = name, peer: str = peer) -> Verdict:
            found = live.get(name, {})
            if found.get("state") == "CONNECTED":
                return True, f"connected with {peer}" + (f" at {found['remote']}" if found.get("remote") else "")
            return False, f"{found.get('state') or found.get('problem') or 'no state'}, expected CONNECTED with {peer}"

        ledger.judge(f"OpenVPN {name} own fingerprint as registered", shown, "openvpn", identity)
        ledger.judge(f"OpenVPN {name} peer {peer} fingerprint as registered", conf, "openvpn", expected_peer)
        ledger.judge(f"OpenVPN {name} key is private", f"stat --format=%a /etc/openvpn/keys/{name}.pem", "openvpn", private)
        unit = f"openvpn-{tunnel['role']}@{name}.service"
        ledger.judge(f"OpenVPN {name} connected", f"journalctl --no-pager --lines=20 --unit={unit}", "openvpn", connected)
