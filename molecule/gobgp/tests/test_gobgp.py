"""Role gobgp and module gobgp_route: each host steers the other one's router. TTLs tell which way the packets went."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from host_state import vtysh, wait_for

UNITS = ["gobgpd.service", "xgn-steering-health.service", "frr.service"]
HEALTH_LIMIT_S = 15
SECRET = "xgnSecretBgpPassword"
# One hop from the router to its far end; one more through the box.
PLAIN, STEERED = 64, 63
FILES = {
    "/etc/gobgpd.conf": ("root", "gobgp", 0o640),
    "/etc/xgn/steering.json": ("root", "root", 0o644),
    "/etc/systemd/system/gobgpd.service": ("root", "root", 0o644),
    "/usr/local/sbin/xgn-steering": ("root", "root", 0o755),
}


@pytest.fixture
def steered(host: Any) -> str:
    """The prefix that this host's box steers."""
    return f"192.0.2.{host.ansible.get_variables()['half']}/25"


@pytest.fixture
def received(host: Any) -> str:
    """The prefix that the other host's box steers."""
    return f"192.0.2.{host.ansible.get_variables()['peer_half']}/25"


def kernel_hops(host: Any, prefix: str) -> list[str]:
    """Next hops of a prefix in the kernel's main table."""
    family = "-6" if ":" in prefix else "-4"
    return [route["gateway"] for route in json.loads(host.check_output(f"ip -json {family} route show {prefix}")) if "gateway" in route]


def ttl(host: Any, address: str) -> int:
    """TTL of the far end's answer; 0 when there is none."""
    found = re.search(r"ttl=(\d+)", host.run("ping -c 1 -W 2 %s", address).stdout)
    return int(found[1]) if found else 0


def shown(host: Any) -> dict[str, Any]:
    """What xgn-steering says of this box."""
    found: dict[str, Any] = json.loads(host.check_output("xgn-steering show"))
    return found


def advertised(host: Any) -> list[str]:
    """The prefixes this box advertises."""
    return [route["prefix"] for route in shown(host)["advertised"]]


def test_routes_are_advertised(host: Any, own: int, steered: str) -> None:
    """gobgpd holds the routes with all that was given."""
    wait_for(lambda: advertised(host), [steered, "2001:db8:2:1::/64"])
    first, second = shown(host)["advertised"]
    assert first == {
        "prefix": steered,
        "next_hop": f"198.18.2.{own}",
        "local_pref": 200,
        "med": 5,
        "communities": ["65000:7", "no-export"],
        "large_communities": ["65000:1:2"],
    }
    assert (second["next_hop"], second["local_pref"]) == (f"2001:db8:1::{own}", 300)


def test_router_has_them(host: Any, peer: int, received: str) -> None:
    """The router has the other box's routes in its kernel, with their attributes."""
    wait_for(lambda: kernel_hops(host, received), [f"198.18.2.{peer}"])
    wait_for(lambda: len(kernel_hops(host, "2001:db8:2:1::/64")), 1)
    (path,) = vtysh(host, f"show bgp ipv4 unicast {received}")["paths"]
    assert path["community"]["string"] == "65000:7 no-export"
    assert path["largeCommunity"]["string"] == "65000:1:2"
    assert (path.get("locPrf", path.get("localpref")), path.get("metric", path.get("med"))) == (200, 5)


def test_packets_take_the_box(host: Any, steered: str, received: str) -> None:
    """A packet for what the other box steers goes there and on to the far end, once; any other goes there by itself."""
    elsewhere, there = (prefix.replace("0/25", "1").replace("128/25", "129") for prefix in (steered, received))
    wait_for(lambda: ttl(host, there), STEERED)
    assert ttl(host, elsewhere) == PLAIN
    ping = host.run("ping -c 20 -i 0.05 -W 2 %s", there)
    assert " 0% packet loss" in ping.stdout and "DUP" not in ping.stdout, ping.stdout


def test_session_has_the_password(host: Any, peer: int) -> None:
    """The session that carries the routes is one with a password, and this box initiated its own."""
    neighbor = vtysh(host, f"show bgp neighbors 198.18.2.{peer}")[f"198.18.2.{peer}"]
    assert (neighbor["bgpState"], neighbor["authenticationEnabled"]) == ("Established", 1)
    assert neighbor["portForeign"] != 179


def test_only_what_may_be_steered(host: Any) -> None:
    """gobgpd itself refuses a prefix outside of gobgp_prefixes, although its client says nothing."""
    target = "--target unix:///run/gobgpd/api.sock"
    host.check_output(f"gobgp {target} global rib add -a ipv4 198.18.0.0/24 nexthop 198.18.2.1")
    assert "198.18.0.0/24" not in advertised(host)


def test_nobody_else_can_steer(host: Any) -> None:
    """gRPC is a socket of root and the daemon's user; gobgpd listens to no address but for figures of itself on this host."""
    refused = host.run("setpriv --reuid=nobody --regid=nogroup --clear-groups gobgp --target unix:///run/gobgpd/api.sock global")
    assert refused.failed
    listening = [line.split()[3] for line in host.check_output("ss -Hltnp").splitlines() if "gobgpd" in line]
    assert set(listening) <= {"127.0.0.1:6060"}


@pytest.mark.parametrize("path", FILES)
def test_file(host: Any, path: str) -> None:
    """The files have the owner and the mode they need."""
    file = host.file(path)
    assert (file.user, file.group, file.mode) == FILES[path]


def test_units(host: Any) -> None:
    """The units are ours, sound, running, and start at boot."""
    for name in UNITS[:2]:
        unit = host.service(name)
        assert unit.is_enabled and unit.is_running, name
    verified = host.run("systemd-analyze verify --man=no gobgpd.service xgn-steering-health.service")
    assert verified.succeeded, verified.stderr
    assert verified.stderr == ""
    process = host.check_output("systemctl show --property=MainPID --value gobgpd.service")
    status = host.file(f"/proc/{process}/status").content_string
    assert re.search(r"NoNewPrivs:\s1", status) and re.search(r"CapEff:\s0+$", status, re.MULTILINE)


def test_password_is_nowhere_readable(host: Any) -> None:
    """The password is in no file that everybody can read, in no log and on no command line."""
    readable = host.run("grep -rlsF --exclude-dir=proc --exclude-dir=sys %s /etc /run /tmp /usr/local /var/lib/gobgpd /var/log", SECRET)
    assert set(readable.stdout.split()) <= {"/etc/gobgpd.conf", "/etc/frr/frr.conf"}
    assert SECRET not in host.check_output("journalctl --no-pager --boot")
    assert SECRET not in host.check_output("ps axww")


@pytest.mark.once
def test_unhealthy_box_withdraws_by_itself(host: Any) -> None:
    """The health command fails: nothing is advertised, what is wanted stays wanted. It succeeds again: all is as before."""
    before = advertised(host)
    host.check_output("touch /run/xgn-nfv-broken")
    try:
        wait_for(lambda: advertised(host), [], HEALTH_LIMIT_S)
        held = shown(host)
        assert "exit status 1" in held["held"]
        assert [route["prefix"] for route in held["wanted"]] == before
    finally:
        host.check_output("rm /run/xgn-nfv-broken")
    wait_for(lambda: advertised(host), before, HEALTH_LIMIT_S)


@pytest.mark.once
def test_killed_daemon(host: Any) -> None:
    """gobgpd dies: systemd starts it again, and what is persistent is advertised again, once the box is known to be healthy."""
    before = advertised(host)
    host.check_output("systemctl kill --signal=KILL gobgpd.service")
    wait_for(lambda: host.run("xgn-steering show").succeeded and advertised(host) == before)
