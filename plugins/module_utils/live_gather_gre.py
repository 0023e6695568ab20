# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the live GRE tunnels from `ip`. Nothing is changed."""

from __future__ import annotations

from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.interface_gre import KINDS, live_key
from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_links
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer

LINKS = ["ip", "-json", "-details", "link", "show"]


def gather_gre(gatherer: Gatherer) -> dict[str, Any]:
    """Give part ``gre``: see `parse_gre`."""
    return gatherer.read(LINKS, parse_gre)


def parse_gre(text: str) -> dict[str, dict[str, Any]]:
    """Read `ip -json -details link show`.

    Returns by interface name ``local, remote, key, incoming_key`` (int or None), ``ttl, device`` (VRF of the underlay or None), ``pmtudisc`` (None over
    IPv6) and ``encapsulation_limit`` (None where none is sent).
    """
    found = {}
    for name, item in json_links(text).items():
        info = item.get("linkinfo") or {}
        data = info.get("info_data")
        if info.get("info_kind") in KINDS and data is not None:
            found[name] = {
                "local": data.get("local"),
                "remote": data.get("remote"),
                "key": live_key(data, "okey"),
                "incoming_key": live_key(data, "ikey"),
                "ttl": data.get("ttl"),
                "pmtudisc": data.get("pmtudisc"),
                "encapsulation_limit": data.get("encap_limit"),
                "device": data.get("link"),
            }
    return found
