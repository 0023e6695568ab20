"""Role frr: two hosts, one session with password, BFD and policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from host_state import vtysh, wait_for

UNITS = ["frr.service"]
SECRETS = ("xgnSecretBgpPassword", "xgnSecretOspf", "xgnSecretIsis")
# A session that was reset waits for its connect timer, 120 s at most, before it initiates the next.
SESSION_LIMIT_S = 150
FILES = {
    "/etc/frr/frr.conf": ("frr", "frr", 0o640),
    "/etc/frr/daemons": ("frr", "frr", 0o640),
    "/etc/frr/vtysh.conf": ("frr", "frrvty", 0o640),
    "/etc/systemd/system/frr.service": ("root", "root", 0o644),
    "/usr/local/sbin/xgn-frr-policy": ("root", "root", 0o755),
}


def test_session_is_established(host: Any, peer: int) -> None:
    """The session comes up; with a password, since the other side has one too."""
    address = f"198.51.100.{peer}"
    wait_for(lambda: vtysh(host, f"show bgp neighbors {address}")[address]["bgpState"], "Established", SESSION_LIMIT_S)
    neighbor = vtysh(host, f"show bgp neighbors {address}")[address]
    assert (neighbor["remoteAs"], neighbor["nbrDesc"]) == (65000 + peer, "the other container")
    timers = (neighbor["bgpTimerConfiguredKeepAliveIntervalMsecs"], neighbor["bgpTimerConfiguredHoldTimeMsecs"])
    assert timers == (5000, 15000)
    assert host.run("grep --quiet %s /etc/frr/frr.conf", f"password {SECRETS[0]}").succeeded


def test_bfd_is_up(host: Any, peer: int) -> None:
    """BFD watches the neighbor with the intervals of the profile."""
    address = f"198.51.100.{peer}"
    wait_for(lambda: [found["status"] for found in vtysh(host, "show bfd peers") if found["peer"] == address], ["up"], SESSION_LIMIT_S)
    # BGP and OSPF share the session with the neighbor.
    (found,) = vtysh(host, "show bfd peers")
    assert (found["receive-interval"], found["transmit-interval"]) == (1000, 1000)


def test_routes_of_the_peer(host: Any, own: int, peer: int) -> None:
    """The peer's loopback is in the kernel, by the policy, and nothing else came in."""
    wait_for(
        lambda: [(route["dst"], route["gateway"]) for route in json.loads(host.check_output("ip -json route show proto bgp"))],
        [(f"192.0.2.{peer}", f"198.51.100.{peer}")],
        SESSION_LIMIT_S,
    )
    routes = vtysh(host, "show bgp ipv4 unicast")["routes"]
    assert sorted(routes) == sorted([f"192.0.2.{own}/32", f"192.0.2.{peer}/32", "203.0.113.0/24"])
    (path,) = routes[f"192.0.2.{peer}/32"]
    assert path.get("locPrf", path.get("localPref")) == 200
    # The peer originates this prefix too; had its policy let it out, there would be a second path.
    assert len(routes["203.0.113.0/24"]) == 1


def test_every_daemon_has_the_policy(host: Any) -> None:
    """The running configuration is that of all daemons merged, so each is asked alone: by our program, and by counting."""
    run = host.run("/usr/local/sbin/xgn-frr-policy /etc/frr/frr.conf")
    assert (run.rc, run.stdout) == (0, "")
    pattern = "'^(ip prefix-list|route-map) '"
    wanted = host.check_output(f"grep --count --extended-regexp {pattern} /etc/frr/frr.conf")
    running = host.check_output("vtysh -c 'show daemons'").split()
    for daemon in ("mgmtd" if "mgmtd" in running else "zebra", "bgpd", "ospfd"):
        assert host.check_output(f"vtysh -d {daemon} -c 'show running-config' | grep --count --extended-regexp {pattern}") == wanted, daemon


def test_ospf(host: Any, own: int, peer: int) -> None:
    """The neighbor is full, with its key; what the sender's and the receiver's filter let pass is in the table, and nothing else."""
    wait_for(lambda: neighbor_states(host), ["Full"], SESSION_LIMIT_S)
    assert host.run("grep --quiet %s /etc/frr/frr.conf", f"message-digest-key 1 md5 {SECRETS[1]}").succeeded
    interface = vtysh(host, "show ip ospf interface eth0")["interfaces"]["eth0"]
    assert (interface["timerMsecs"], interface["timerDeadSecs"], interface["cost"]) == (2000, 40, 7)
    wait_for(
        lambda: sorted(route["dst"] for route in json.loads(host.check_output("ip -json route show proto ospf"))),
        [f"198.18.{peer}.0/24"],
        SESSION_LIMIT_S,
    )
    told = vtysh(host, "show ip ospf route")
    assert f"198.19.{peer}.0/24" in told
    assert "203.0.113.0/24" not in told


def neighbor_states(host: Any) -> list[str]:
    """Return the states of all OSPF neighbors, without the role after the slash."""
    found = vtysh(host, "show ip ospf neighbor")["neighbors"]
    return [(item.get("nbrState") or item["state"]).partition("/")[0] for entries in found.values() for item in entries]


def test_traffic_between_loopbacks(host: Any, own: int, peer: int) -> None:
    """A packet finds its way there and back."""
    ping = host.run(f"ping -c 3 -i 0.2 -W 2 -I 192.0.2.{own} 192.0.2.{peer}")
    assert ping.succeeded, ping.stdout


def test_addresses(host: Any, own: int) -> None:
    """FRR has set the addresses of the loopback interface."""
    (loopback,) = json.loads(host.check_output("ip -json address show dev lo"))
    addresses = {f"{entry['local']}/{entry['prefixlen']}" for entry in loopback["addr_info"]}
    assert {f"192.0.2.{own}/32", f"2001:db8::{own}/128"} <= addresses


def test_static_routes(host: Any, own: int) -> None:
    """The declared static routes are there, and one that was made by hand is not."""
    routes = vtysh(host, "show ip route static")
    assert sorted(routes) == [f"198.18.{own}.0/24", f"198.19.{own}.0/24", "203.0.113.0/24"]


def test_nothing_left_to_apply(host: Any) -> None:
    """frr-reload.py finds no difference between file and running configuration."""
    test = host.run("/usr/lib/frr/frr-reload.py --test --stdout --bindir /usr/bin --confdir /etc/frr /etc/frr/frr.conf")
    assert test.succeeded, test.stderr
    assert test.stdout == ""


def test_own_lines_run_in_their_sections(host: Any, own: int, peer: int) -> None:
    """Each stands once in the running configuration, where it was written, whatever else its section has."""
    found: list[str] = []
    around: list[str] = []
    for line in host.check_output("vtysh -c 'show running-config'").splitlines():
        del around[len(line) - len(line.lstrip()) :]
        around.append(line.strip())
        found.append(" / ".join(around))
    bgp = f"router bgp {65000 + own}"
    for line in (
        "bgp extcommunity-list standard TARGETS seq 5 permit rt 65000:1",
        f"{bgp} / bgp bestpath as-path multipath-relax",
        f"{bgp} / address-family ipv4 unicast / neighbor 198.51.100.{peer} soft-reconfiguration inbound",
        "interface eth0 / ip ospf priority 5",
        f"router isis LAN / net 49.0001.0000.0000.00{own}.00",
        f"router isis LAN / area-password md5 {SECRETS[2]}",
    ):
        assert found.count(line) == 1, line


@pytest.mark.parametrize("path", FILES)
def test_file(host: Any, path: str) -> None:
    """The files have the owner and the mode they need."""
    file = host.file(path)
    assert (file.user, file.group, file.mode) == FILES[path]


def test_unit(host: Any) -> None:
    """The unit is ours, sound, running, and starts at boot; nothing puts it before network.target."""
    unit = host.service("frr.service")
    assert unit.is_enabled
    assert unit.is_running
    fragment = host.check_output("systemctl show --property=FragmentPath --value frr.service")
    assert fragment == "/etc/systemd/system/frr.service"
    before = host.check_output("systemctl show --property=Before --value frr.service").split()
    assert "network.target" not in before
    verified = host.run("systemd-analyze verify --man=no frr.service")
    assert verified.succeeded, verified.stderr
    assert verified.stderr == ""


def test_watchfrr_finds_every_daemon_up(host: Any) -> None:
    """They run before it does, when the unit starts and when a reload adds some. The package's own unit leaves the first ones to watchfrr."""
    down = host.check_output("journalctl --no-pager --output=cat --identifier=watchfrr | grep 'initial connection attempt failed' || true")
    assert {line.split("] ")[-1].split()[0] for line in down.splitlines()} <= {"zebra", "mgmtd", "staticd"}


def test_only_needed_daemons_run(host: Any) -> None:
    """Daemons that the configuration does not speak of do not run."""
    running = set(host.check_output("vtysh -c 'show daemons'").split())
    needed = {"zebra", "staticd", "bgpd", "ospfd", "ospf6d", "bfdd", "isisd", "watchfrr"}
    assert needed <= running <= {*needed, "mgmtd"}


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_is_nowhere_readable(host: Any, secret: str) -> None:
    """A secret is in no file that everybody can read, in no log and on no command line."""
    found = host.run(
        "find / -xdev -type f -perm -o=r -not -path '/proc/*' -not -path '/sys/*' -print0"
        " | xargs -0 grep --files-with-matches --fixed-strings %s --",
        secret,
    )
    assert found.stdout == ""
    logs = host.run("grep --recursive --files-with-matches --fixed-strings %s /var/log", secret)
    assert logs.stdout == ""
    assert secret not in host.check_output("journalctl --no-pager")
