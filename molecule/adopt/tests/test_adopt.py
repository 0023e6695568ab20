"""Two hosts of an owner's, taken over by what describes them: the network has noticed nothing, and what was his is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from host_state import vtysh, wait_for

STATE = Path(__file__).parents[1] / "files" / "state.sh"


@pytest.fixture
def peer(host: Any) -> str:
    """The other host's address."""
    return f"198.18.7.{host.ansible.get_variables()['peer']}"


def test_the_network_is_as_it_was(host: Any, peer: str) -> None:
    """The same configuration runs line by line but for the tunnel's address, which is FRR's now; the tunnel has its identity, its port and its peer.

    Before a boot the session is the same one, too.
    """
    wait_for(lambda: vtysh(host, f"show bgp neighbors {peer}")[peer]["bgpState"], "Established")
    assert host.run(f"sh -s /root/after {peer} <<'END'\n{STATE.read_text(encoding='utf-8')}\nEND").succeeded
    before, after = (host.check_output(f"cat /root/{when}.running").splitlines() for when in ("before", "after"))
    own = host.ansible.get_variables()["own"]
    assert sorted(after) == sorted([*before, "interface wg-hand", f" ip address 10.77.0.{own}/24"])
    assert host.check_output("cat /root/after.tunnel") == host.check_output("cat /root/before.tunnel")
    if host.file("/run/before.session").exists:
        assert host.check_output("cat /run/after.session") == host.check_output("cat /run/before.session")


def test_the_other_end_answers_over_the_tunnel(host: Any, peer: str) -> None:
    """At its address, which FRR has set there."""
    wait_for(lambda: host.run(f"ping -n -c 1 -W 2 10.77.0.{peer.rpartition('.')[2]}").rc, 0)


def test_what_was_the_owners_is_kept(host: Any) -> None:
    """A copy of each file that was taken over, and they are recorded as ours."""
    copies = host.check_output("find /var/lib/xgn/before -type f -printf '%f\\n'")
    assert all(f"-{name}\n" in f"{copies}\n" for name in ("wg-hand.conf", "frr.conf", "daemons"))
    recorded = host.check_output("cat /var/lib/xgn/record/wireguard.json /var/lib/xgn/record/frr.json")
    assert all(path in recorded for path in ("/etc/wireguard/wg-hand.conf", "/etc/frr/frr.conf", "/etc/frr/daemons"))


def test_what_no_role_has_asked_for_is_the_owners(host: Any) -> None:
    """Under names that other roles would write, as he has written it."""
    assert host.file("/etc/docker/daemon.json").content_string == '{"log-driver": "journald"}\n'
    assert "Description=By hand" in host.file("/etc/systemd/system/interface.service").content_string


def test_the_private_key_is_the_owners(host: Any) -> None:
    """It stands in a file of its own now."""
    path = host.file("/etc/wireguard/wg-hand.key")
    assert (path.mode, path.user) == (0o600, "root")
    assert host.check_output("wg pubkey </etc/wireguard/wg-hand.key") == host.check_output("wg show wg-hand public-key")
