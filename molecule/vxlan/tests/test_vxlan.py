"""Role vxlan: frames between two hosts, with the planned size, over one remote and over a list of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import testinfra
from host_state import link, wait_for

UNITS = ["interface.service"]
ADDRESSES = {"vxlan1000": "10.10.0", "br0": "10.11.0"}


@pytest.fixture(autouse=True)
def addresses(own: int, peer: int) -> None:
    """Addresses are FRR's business; here the test sets them, on both hosts before the first packet."""
    for number in (own, peer):
        other = testinfra.get_host(f"docker://vxlan-debian{number}")
        for name, network in ADDRESSES.items():
            other.check_output(f"ip address replace {network}.{number}/24 dev {name}")


def flooded(host: Any, name: str) -> set[str]:
    """Return whom a frame for an unknown address is sent to."""
    entries = json.loads(host.check_output("bridge -json fdb show dev %s", name))
    return {entry["dst"] for entry in entries if entry["mac"] == "00:00:00:00:00:00" and "dst" in entry}


def test_pair(host: Any, own: int, peer: int) -> None:
    """The pair's VXLAN is as declared."""
    found = link(host, "vxlan1000")
    data = found["linkinfo"]["info_data"]
    assert (data["id"], data["local"], data["remote"], data["port"]) == (1000, f"198.18.5.{own}", f"198.18.5.{peer}", 4789)
    assert (found["mtu"], found["address"]) == (1500, f"02:00:00:00:10:{own}")
    assert "UP" in found["flags"]
    assert flooded(host, "vxlan1000") == {f"198.18.5.{peer}"}


def test_mesh(host: Any, peer: int) -> None:
    """The one with two remotes floods both, and is a port of the bridge."""
    found = link(host, "vxlan1001")
    assert (found["linkinfo"]["info_data"]["id"], found["linkinfo"]["info_data"]["port"]) == (1001, 8472)
    assert (found["mtu"], found["master"]) == (1400, "br0")
    assert flooded(host, "vxlan1001") == {"198.18.5.99", f"198.18.5.{peer}"}


def test_underlay_is_raised(host: Any) -> None:
    """The NIC has the MTU that is declared."""
    assert link(host, "eth0")["mtu"] == 2000


@pytest.mark.parametrize(("name", "size"), [("vxlan1000", 1500), ("br0", 1400)])
def test_full_packets_pass_unfragmented(host: Any, peer: int, name: str, size: int) -> None:
    """A packet of the MTU with DF reaches the other host; one byte more does not leave."""
    target = f"{ADDRESSES[name]}.{peer}"
    ping = f"ping -c 1 -W 2 -M do {target} -s "

    def complaint() -> str:
        answer = host.run(ping + str(size - 28))
        return "" if answer.succeeded else str(answer.stdout + answer.stderr)

    wait_for(complaint, "")
    longer = host.run(ping + str(size - 27))
    assert longer.failed
    assert "too long" in longer.stdout + longer.stderr
    # No fragment was made on the way: the kernel counts those it had to put together.
    assert host.check_output("awk '/^Ip: [0-9]/ {print $15}' /proc/net/snmp") == "0"


def test_neighbor_is_of_the_other_host(host: Any, peer: int) -> None:
    """The MAC address behind the peer's address is the one that is declared there."""
    wait_for(lambda: host.run(f"ping -c 1 -W 2 {ADDRESSES['vxlan1000']}.{peer}").succeeded)
    (entry,) = json.loads(host.check_output(f"ip -json neighbor show {ADDRESSES['vxlan1000']}.{peer} dev vxlan1000"))
    assert entry["lladdr"] == f"02:00:00:00:10:{peer}"


def test_applier_has_nothing_to_do(host: Any) -> None:
    """The installed program finds the live state as declared."""
    check = host.run("xgn-interface check")
    assert (check.rc, check.stdout, check.stderr) == (0, "", "")
