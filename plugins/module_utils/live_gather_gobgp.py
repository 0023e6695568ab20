# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather the live state of a GoBGP box: its instance, its sessions, and what it steers."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.live_gather import POLL_PAUSE, Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.steering import ESTABLISHED, SOCKET
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

CLIENT = ("gobgp", "--target", "unix://" + SOCKET)
COMMANDS = {
    "gobgp_global": (*CLIENT, "-j", "global"),
    "gobgp_neighbors": (*CLIENT, "-j", "neighbor"),
    "steering": ("xgn-steering", "show"),
}


def gobgp(gatherer: Gatherer, seconds: float) -> dict[str, dict[str, Any]]:
    """Give parts ``gobgp_global``, ``gobgp_neighbors`` (whether it is established, by address) and ``steering`` (``held, wanted, advertised``).

    Waits up to ``seconds`` for the sessions, and for a health command that has yet to succeed.
    """

    def look() -> dict[str, dict[str, Any]]:
        return {
            "gobgp_global": gatherer.read(COMMANDS["gobgp_global"], parse_global),
            "gobgp_neighbors": gatherer.read(COMMANDS["gobgp_neighbors"], parse_neighbors),
            "steering": gatherer.read(COMMANDS["steering"], json.loads),
        }

    return wait_until(look, settled, seconds, POLL_PAUSE)


def settled(found: dict[str, dict[str, Any]]) -> bool:
    """Say whether there is nothing to wait for."""
    neighbors, steering = found["gobgp_neighbors"]["data"], found["steering"]["data"]
    return bool(neighbors is not None and all(neighbors.values()) and steering is not None and steering["held"] is None)


def parse_global(text: str) -> dict[str, Any]:
    """Read ``gobgp -j global``: ``asn`` and ``router_id``."""
    found = json.loads(text)
    return {"asn": found["asn"], "router_id": found["router_id"]}


def parse_neighbors(text: str) -> dict[str, bool]:
    """Read ``gobgp -j neighbor``: whether the session is established, by address."""
    return {item["conf"]["neighbor_address"]: item["state"].get("session_state") == ESTABLISHED for item in json.loads(text or "[]") or []}
