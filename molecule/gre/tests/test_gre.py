"""Role gre: packets of the planned size between two hosts, through two tunnels between the same addresses and through one over IPv6."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
import testinfra
from host_state import link, wait_for

UNITS = ["interface.service"]
SIZES = {"gre1": 1472, "gre2": 1400, "gre3": 1456}


@pytest.fixture(autouse=True)
def addresses(own: int, peer: int) -> None:
    """Addresses are FRR's business, and those of the underlay the owner's; here the test sets them, on both hosts before the first packet."""
    for number in (own, peer):
        other = testinfra.get_host(f"docker://gre-debian{number}")
        other.check_output(
            f"sysctl --quiet --write net.ipv6.conf.eth0.disable_ipv6=0 && ip address replace fd00:6::{number}/64 dev eth0 nodad"
        )
        for index, name in enumerate(SIZES):
            other.check_output(f"ip address replace 10.12.{index}.{number}/24 dev {name}")


def data_of(host: Any, name: str) -> dict[str, Any]:
    """Return what the kernel tells of a tunnel."""
    found: dict[str, Any] = link(host, name)["linkinfo"]["info_data"]
    return found


def test_over_ipv4(host: Any, own: int, peer: int) -> None:
    """Both tunnels are as declared; the kernel's tool prints keys like addresses."""
    for name, key, ttl, never_fragmented in (("gre1", 4294967295, 64, True), ("gre2", 0, 9, False)):
        data = data_of(host, name)
        assert (data["local"], data["remote"]) == (f"198.18.6.{own}", f"198.18.6.{peer}")
        assert {int(ipaddress.ip_address(data[way])) for way in ("ikey", "okey")} == {key}
        assert (data["ttl"], data["pmtudisc"]) == (ttl, never_fragmented)


def test_over_ipv6(host: Any, own: int, peer: int) -> None:
    """The third has no key, and sends no encapsulation limit."""
    data = data_of(host, "gre3")
    assert (data["local"], data["remote"], data["ttl"]) == (f"fd00:6::{own}", f"fd00:6::{peer}", 64)
    assert not {"ikey", "okey", "encap_limit"} & set(data)


@pytest.mark.parametrize("name", SIZES)
def test_full_packets_pass_unfragmented(host: Any, peer: int, name: str) -> None:
    """A packet of the MTU with DF reaches the other host through its own tunnel; one byte more does not leave."""
    assert link(host, name)["mtu"] == SIZES[name]
    target = f"10.12.{list(SIZES).index(name)}.{peer}"
    ping = f"ping -c 1 -W 2 -M do {target} -s "
    wait_for(lambda: host.run(ping + str(SIZES[name] - 28)).succeeded)
    longer = host.run(ping + str(SIZES[name] - 27))
    assert longer.failed
    assert "too long" in longer.stdout + longer.stderr


def test_applier_has_nothing_to_do(host: Any) -> None:
    """The installed program finds the live state as declared."""
    check = host.run("xgn-interface check")
    assert (check.rc, check.stdout, check.stderr) == (0, "", "")
