"""What a rotation of OpenVPN keys does with each tunnel."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.openvpn_rotation import openvpn_rotation
from ansible_collections.xuegao.net.plugins.plugin_utils.common.tunnel_ends import tunnel_ends


def tunnel(name: str, peer: str, **options: Any) -> Any:
    return {"name": name, "role": "server", "peer": peer, "mtu": 1400, **options}


HOSTS = {
    "hq": [tunnel("ovpn2", "cloud"), tunnel("ovpn5", "partner", peer_fingerprints=["AA"])],
    "cloud": [tunnel("ovpn2", "hq")],
    "bare": None,
}
MANAGED, UNMANAGED = 0, 1
BOTH = "next keys, accepted beside those in use; switch; former keys dropped"
GOES_ON = "goes on where it was broken off; former keys dropped"
WAITS = "next key; xgn_rotate_phase=switch once it is accepted by the owner of partner"


def courses(phase: str = "", **waiting: dict[str, str]) -> list[Any]:
    return openvpn_rotation(tunnel_ends(HOSTS), HOSTS, waiting, phase)


@pytest.mark.parametrize(
    ("which", "phase", "waiting", "until", "words"),
    [
        (MANAGED, "", {}, "switched", BOTH),
        (MANAGED, "accept", {}, "accepted", "next keys, accepted beside those in use"),
        (MANAGED, "switch", {}, "", "nothing: there is no next key"),
        # Broken off at one end before it had a next key.
        (MANAGED, "switch", {"hq": "next"}, "switched", BOTH),
        (MANAGED, "", {"hq": "next", "cloud": "former"}, "switched", GOES_ON),
        (MANAGED, "switch", {"cloud": "former"}, "switched", GOES_ON),
        (MANAGED, "accept", {"cloud": "former"}, "", "nothing: its last rotation is not over; run without xgn_rotate_phase first"),
        # Its owner has to accept the next key before it is used, however often the playbook runs.
        (UNMANAGED, "", {}, "made", WAITS),
        (UNMANAGED, "", {"hq": "next"}, "made", WAITS),
        (UNMANAGED, "accept", {}, "made", WAITS),
        (UNMANAGED, "switch", {}, "", "nothing: there is no next key"),
        (UNMANAGED, "switch", {"hq": "next"}, "switched", BOTH),
        (UNMANAGED, "", {"hq": "former"}, "switched", GOES_ON),
    ],
)
def test_how_far_a_tunnel_is_taken(which: int, phase: str, waiting: dict[str, str], until: str, words: str) -> None:
    name = ("ovpn2", "ovpn5")[which]
    found = courses(phase, **{host: {name: stands} for host, stands in waiting.items()})[which]
    assert (found["until"], found["line"].split(" | ")[2]) == (until, words)


def test_the_table_and_the_entries() -> None:
    found = courses(cloud={"ovpn2": "next"}, hq={"ovpn2": "", "ovpn5": ""})
    assert [item["line"].split("|") for item in found] == [
        ["cloud ovpn2 - hq ovpn2         ", " cloud has a next key ", f" {BOTH}"],
        ["hq ovpn5 - partner (unmanaged) ", " one key at each end  ", f" {WAITS}"],
    ]
    assert found[MANAGED]["ends"] == {"cloud": HOSTS["cloud"][0], "hq": HOSTS["hq"][0]}  # type: ignore[index]
    assert found[UNMANAGED]["ends"] == {"hq": HOSTS["hq"][1]}  # type: ignore[index]
    assert openvpn_rotation([], HOSTS, {}) == []


def test_a_phase_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'both' is no phase of a rotation; valid: accept, switch, or none for both"):
        courses("both")
