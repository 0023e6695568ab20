# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of L2TP/IPsec tunnels: the security associations beneath, and that nothing passes beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict

_CIPHERS = {"aes-cbc": "AES_CBC", "aes-gcm": "AES_GCM"}
Live = Mapping[str, Mapping[str, Any]]


def check_l2tp(ledger: Ledger, variables: Variables) -> None:
    """Check every L2TP/IPsec tunnel of the host."""
    tunnels = variables.get("l2tp_ipsec_tunnels", [])
    for tunnel in tunnels:
        name, cipher = tunnel["name"], tunnel.get("cipher", "aes-cbc")

        def protected(live: Live, name: str = name, cipher: str = cipher) -> Verdict:
            found = live.get(name, {})
            if found.get("child") != "INSTALLED":
                return (
                    False,
                    f"IKE {found.get('ike') or 'not there'}, ESP {found.get('child') or 'not there'}, expected ESTABLISHED and INSTALLED",
                )
            if not found["mode"].startswith("TRANSPORT"):
                return False, f"mode {found['mode']}, expected TRANSPORT"
            if _CIPHERS[cipher] not in found["algorithms"]:
                return False, f"{found['algorithms']}, expected {_CIPHERS[cipher]}"
            return True, f"{found.get('version')}, {found['mode']}, {found['algorithms']}"

        ledger.judge(f"IPsec {name} protects L2TP to {tunnel['peer']}", f"swanctl --list-sas --ike {name}", "ipsec", protected)
    if tunnels:
        command = "nft list table inet xgn_l2tp"
        ledger.judge(
            "IPsec alone carries L2TP", command, "l2tp_guard", lambda loaded: (loaded, "plain L2TP is dropped" if loaded else "no rules")
        )
