"""A partner and a box that lie: what they may advertise is taken, whatever else they advertise is not, and too much ends their session for a while."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from host_state import vtysh, wait_for

UNITS = ["frr.service", "xgn-lies-partner.service", "xgn-lies-box.service"]
ROUTER = "10.99.0.1"
# Address, AS number, what it may advertise of each family. vars/scenario.yml has the same.
PARTNER = ("partner", "10.99.0.2", 65099, "203.0.113.0/24", "2001:db8:9::/48")
BOX = ("box", "10.99.0.3", 65098, "192.0.2.200/32", "2001:db8:2:200::/64")
# The network of another site, an anycast address, the default route, and a network that reaches everywhere.
LIES = {
    "ipv4": ["10.1.0.0/24", "1.1.1.1/32", "0.0.0.0/0", "0.0.0.0/1", "198.18.2.0/24", "10.99.0.1/32"],
    "ipv6": ["2001:db8:1:1::/64", "2606:4700:4700::1111/128", "::/0", "2001:db8:1::/64"],
}
# More of the same that is no one's to advertise: parts of the partner's own network, parts of what boxes steer, and the other's.
PARTNER_LIES = {
    "ipv4": [*LIES["ipv4"], "192.0.2.77/32", "192.0.2.0/24", "203.0.113.128/25", "203.0.113.9/32", "203.0.112.0/23"],
    "ipv6": [*LIES["ipv6"], "2001:db8:2:77::/64", "2001:db8:9:1::/64", "2001:db8::/32"],
}
BOX_LIES = {
    "ipv4": [*LIES["ipv4"], "192.0.0.0/22", "203.0.113.0/24"],
    "ipv6": [*LIES["ipv6"], "2001:db8::/32", "2001:db8:9::/48"],
}
# One more than the limit of their sessions, and many.
TOO_MANY, MANY = 17, 200
RESTART_LIMIT_S = 240


class Liar:
    """A gobgpd in the namespace of the far end, without any policy of its own."""

    def __init__(self, host: Any, name: str, address: str) -> None:
        self.host, self.address, self.socket = host, address, f"unix:///run/xgn-lies-{name}.sock"
        self.six = f"2001:db8:99::{address[-1]}"

    def says(self, family: str, prefixes: list[str], verb: str = "add") -> None:
        """Advertise or withdraw prefixes, one after the other: an update of its own each, in this order."""
        hop = f" nexthop {self.address if family == 'ipv4' else self.six}" if verb == "add" else ""
        ask = f"gobgp --target {self.socket} global rib {verb} -a {family} "
        script = "\n".join(["set -e", *(ask + prefix + hop for prefix in prefixes)])
        self.host.check_output(f"sh -c {shlex.quote(script)}")


@contextmanager
def liar(host: Any, name: str, address: str, asn: int) -> Iterator[Liar]:
    """Start one whose session with the router is up; it is gone afterwards."""
    unit, path, socket = f"xgn-lies-{name}", f"/run/xgn-lies-{name}.toml", f"/run/xgn-lies-{name}.sock"
    lines = [
        "[global.config]",
        f'as = {asn}\nrouter-id = "{address}"\nport = -1',
        "[[neighbors]]",
        f'[neighbors.config]\nneighbor-address = "{ROUTER}"\npeer-as = 65000',
        "[neighbors.timers.config]\nconnect-retry = 5\nidle-hold-time-after-reset = 5",
        f'[neighbors.transport.config]\nlocal-address = "{address}"',
        *(f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family}-unicast"' for family in ("ipv4", "ipv6")),
    ]
    host.check_output("printf '%%s\\n' %s >%s", "\n".join(lines), path)
    daemon = f"gobgpd --config-file {path} --api-hosts unix://{socket} --pprof-disable --log-plain"
    host.check_output(f"systemd-run --quiet --collect --unit={unit} nsenter --net=/run/netns/far {daemon}")
    try:
        wait_for(lambda: state(host, address), "Established")
        yield Liar(host, name, address)
    finally:
        host.run(f"systemctl stop {unit}; rm -f {path} {socket}")


def neighbor(host: Any, address: str) -> dict[str, Any]:
    """What FRR says of a neighbor."""
    found: dict[str, Any] = vtysh(host, f"show bgp neighbors {address}")[address]
    return found


def state(host: Any, address: str) -> str:
    """The state of its session."""
    return str(neighbor(host, address)["bgpState"])


def taken(host: Any, address: str, family: str) -> list[str]:
    """The prefixes that the router has taken from a neighbor."""
    return sorted(vtysh(host, f"show bgp {family} unicast neighbors {address} routes").get("routes", {}))


def kernel(host: Any) -> set[str]:
    """All prefixes that the router's kernel has by BGP."""
    shown = host.check_output("ip -4 route show proto bgp; ip -6 route show proto bgp")
    return {line.split()[0] for line in shown.splitlines() if not line.startswith((" ", "\t"))}


def what_is_true_is_taken(host: Any, address: str, four: str, six: str) -> None:
    """Nothing but that: it was advertised last, so all else had come before it."""
    wait_for(lambda: taken(host, address, "ipv4"), [four])
    wait_for(lambda: taken(host, address, "ipv6"), [six])
    # ip(8) writes a host's prefix without its length.
    wait_for(lambda: {four.removesuffix("/32"), six} <= kernel(host))


@pytest.mark.parametrize(("who", "lies"), [(PARTNER, PARTNER_LIES), (BOX, BOX_LIES)], ids=["partner", "box"])
def test_lies_are_not_taken(host: Any, who: tuple[str, str, int, str, str], lies: dict[str, list[str]]) -> None:
    """Networks of others, an anycast address, what others steer, default routes: the router takes none, and takes what is true."""
    name, address, asn, four, six = who
    # What the other host's box steers has come: the session to it may have been up for a moment only.
    steered = {f"192.0.2.{host.ansible.get_variables()['peer_half']}/25", "2001:db8:2:1::/64"}
    wait_for(lambda: steered <= kernel(host))
    before = kernel(host)
    with liar(host, name, address, asn) as speaker:
        for family, true in (("ipv4", four), ("ipv6", six)):
            speaker.says(family, [*lies[family], true])
        what_is_true_is_taken(host, address, four, six)
        assert kernel(host) - before == {four.removesuffix("/32"), six}
        assert state(host, address) == "Established"
    # It is gone, and what it said with it.
    wait_for(lambda: kernel(host) & {four.removesuffix("/32"), six}, set())


@pytest.mark.once
def test_many_lies_cost_nothing(host: Any) -> None:
    """What the filter refuses does not count: the session of a partner stays, with what is true."""
    name, address, asn, four, six = PARTNER
    with liar(host, name, address, asn) as speaker:
        established = neighbor(host, address)["connectionsEstablished"]
        speaker.says("ipv6", [*(f"2001:db8:7:{number}::/64" for number in range(MANY)), six])
        speaker.says("ipv4", [*(f"10.7.{number}.0/24" for number in range(MANY)), four])
        what_is_true_is_taken(host, address, four, six)
        assert neighbor(host, address)["connectionsEstablished"] == established


@pytest.mark.once
def test_too_much_ends_the_session_for_a_while(host: Any) -> None:
    """A box that steers more than it ever should: its session ends with all it said, others stay; a minute later it begins anew."""
    name, address, asn, four, six = BOX
    network = four.rpartition(".")[0]
    flood = [f"{network}.{number}/32" for number in range(210, 210 + TOO_MANY)]
    with liar(host, name, address, asn) as speaker:
        for family, true in (("ipv4", four), ("ipv6", six)):
            speaker.says(family, [true])
        what_is_true_is_taken(host, address, four, six)
        speaker.says("ipv4", flood)
        wait_for(lambda: kernel(host) & {prefix.removesuffix("/32") for prefix in (four, six, *flood)}, set())
        assert state(host, address) != "Established"
        # The other box is none of its business.
        assert f"192.0.2.{host.ansible.get_variables()['peer_half']}/25" in kernel(host)
        speaker.says("ipv4", flood, "del")
        wait_for(lambda: state(host, address), "Established", RESTART_LIMIT_S)
        what_is_true_is_taken(host, address, four, six)
