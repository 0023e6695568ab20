"""Which interfaces of WireGuard or OpenVPN are the ends of one tunnel."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.tunnel_ends import peer_of, tunnel_ends

KEY = "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="


def interface(name: str, *peers: Any) -> Any:
    return {"name": name, "peers": list(peers)}


def test_two_ends_with_names_of_their_own() -> None:
    """The interface's own name stands for the other end's where none is given, and each tunnel is one."""
    found = tunnel_ends(
        {
            "hq": [interface("wg1", {"name": "cloud"}), interface("wg2", {"name": "cloud", "interface": "wg9"})],
            "cloud": [interface("wg1", {"name": "hq"}), interface("wg9", {"name": "hq", "interface": "wg2"})],
            "bare": None,
        }
    )
    assert [tunnel["interfaces"] for tunnel in found] == [{"cloud": "wg1", "hq": "wg1"}, {"cloud": "wg9", "hq": "wg2"}]
    assert not any(tunnel["absent"] or tunnel["unmanaged"] for tunnel in found)


def test_who_is_missing_is_told() -> None:
    """An end that was left out, and a partner with a key of its own."""
    (found,) = tunnel_ends(
        {
            "hub": [interface("wg0", {"name": "a"}, {"name": "b"}, {"name": "partner", "public_key": KEY})],
            "a": [interface("wg0", {"name": "hub"})],
        }
    )
    assert found == {"interfaces": {"a": "wg0", "hub": "wg0"}, "absent": ["b"], "unmanaged": ["partner"]}


def test_a_host_twice_in_one_tunnel_is_refused() -> None:
    """Nobody could say which of the two has the new key."""
    with pytest.raises(ValueError, match="one host has two interfaces in the same tunnel: a wg1, a wg2, b wg0"):
        tunnel_ends(
            {
                "a": [interface("wg1", {"name": "b", "interface": "wg0"}), interface("wg2", {"name": "b", "interface": "wg0"})],
                "b": [interface("wg0")],
            }
        )


def test_single_tunnels_are_chosen_by_an_interface() -> None:
    """An interface that is nowhere is a slip of the pen, not an empty choice."""
    hosts = {
        "a": [interface("wg1", {"name": "b"}), interface("wg2", {"name": "b"})],
        "b": [interface("wg1", {"name": "a"}), interface("wg2", {"name": "a"})],
    }
    assert [tunnel["interfaces"]["a"] for tunnel in tunnel_ends(hosts, ["wg2"])] == ["wg2"]
    with pytest.raises(ValueError, match="no tunnel has an interface wg3; there are: wg1, wg2"):
        tunnel_ends(hosts, ["wg1", "wg3"])


# ---- OpenVPN -------------------------------------------------------------------------------------------------------------------------------


def tunnel(name: str, peer: str, **options: Any) -> Any:
    return {"name": name, "role": "server", "peer": peer, "mtu": 1400, **options}


def test_the_other_end_of_an_openvpn_tunnel() -> None:
    assert peer_of(tunnel("ovpn2", "cloud")) == {"name": "cloud", "interface": "ovpn2", "public_key": []}
    given = tunnel("ovpn2", "partner", peer_interface="tun7", peer_fingerprints=["AA:BB"])
    assert peer_of(given) == {"name": "partner", "interface": "tun7", "public_key": ["AA:BB"]}


def test_tunnels_of_openvpn() -> None:
    """Several between the same two hosts; a peer is unmanaged by its fingerprint, not because nobody gave such a host."""
    hosts = {
        "hq": [
            tunnel("ovpn2", "cloud"),
            tunnel("ovpn5", "partner", peer_fingerprints=["AA"]),
            tunnel("ovpn6", "other"),
            tunnel("ovpn7", "branch"),
        ],
        "cloud": [tunnel("ovpn2", "hq"), tunnel("ovpn3", "branch", peer_interface="ovpn9")],
        "branch": None,
    }
    found = tunnel_ends(hosts)
    assert [(one["interfaces"], one["absent"], one["unmanaged"]) for one in found] == [
        ({"cloud": "ovpn2", "hq": "ovpn2"}, [], []),
        ({"cloud": "ovpn3"}, ["branch"], []),
        ({"hq": "ovpn5"}, [], ["partner"]),
        ({"hq": "ovpn6"}, ["other"], []),
        ({"hq": "ovpn7"}, ["branch"], []),
    ]
