"""Role dns_anycast: who answers on the anycast address, and what is lost when one of two instances stops, freezes or dies."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from figures import figure
from host_state import wait_for

UNITS = ["unbound.service", "xgn-anycast.service", "frr.service"]
ADDRESSES = ["1.1.1.1/32", "fd11::1/128"]
RATE = 50
# What the crowd still asks after the last step of a test, and the most a test may take.
TAIL_S, CROWD_LIMIT_S = 1, 240
FILES = {
    "/etc/systemd/system/unbound.service": 0o644,
    "/etc/systemd/system/xgn-anycast.service": 0o644,
    "/etc/unbound/unbound.conf.d/xgn.conf": 0o644,
    "/etc/unbound/xgn-example.test.zone": 0o644,
    "/etc/xgn/anycast.json": 0o644,
    "/usr/local/sbin/xgn-anycast": 0o755,
}


def names(host: Any) -> tuple[str, str]:
    """Return what this instance calls itself, and the other one."""
    own = str(host.backend.host).rpartition("-")[2]
    return own, {"debian12": "debian13", "debian13": "debian12"}[own]


def addresses(host: Any) -> list[str]:
    """Return which of the anycast addresses are set."""
    found = json.loads(host.check_output("ip -json address show dev lo"))[0]["addr_info"]
    return [text for text in ADDRESSES if text in {f"{item['local']}/{item['prefixlen']}" for item in found}]


def ask(host: Any, name: str = "id.example.test", server: str = "1.1.1.1", kind: str = "") -> list[str]:
    """Return who answers a client behind this host."""
    found = json.loads(host.check_output(f"ip netns exec client python3 /root/ask.py {server} {name} 1 5 {kind}"))
    assert isinstance(found["by"], list)
    return found["by"]


@pytest.fixture
def settled(host: Any) -> None:
    """Begin with both instances advertised and BGP established: the route of the other one is known beside the own address."""
    host.check_output("systemctl start unbound.service")
    wait_for(lambda: addresses(host) == ADDRESSES)
    wait_for(lambda: host.check_output("vtysh -c 'show bgp ipv4 unicast 1.1.1.1/32 json'").count("nexthops") == 2)


needs_both = pytest.mark.usefixtures("settled")


@contextmanager
def crowd(host: Any) -> Iterator[dict[str, Any]]:
    """Ask all the time from behind this host while the body runs; the result is filled in at the end."""
    ask_all = f"ip netns exec client python3 /root/ask.py 1.1.1.1 id.example.test {CROWD_LIMIT_S} {RATE} eof"
    command = ["docker", "exec", "--interactive", str(host.backend.host), *ask_all.split()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        try:
            result: dict[str, Any] = {}
            time.sleep(2)
            yield result
            time.sleep(TAIL_S)
        finally:
            # It ends when its input does.
            out, _nothing = client.communicate(timeout=30)
        result.update(json.loads(out))


@pytest.mark.parametrize("path", FILES)
def test_file(host: Any, path: str) -> None:
    """The role's files belong to root and have the mode they need."""
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", FILES[path])


@pytest.mark.parametrize("name", ["unbound.service", "xgn-anycast.service"])
def test_unit(host: Any, name: str) -> None:
    """Both run, now and at boot."""
    unit = host.service(name)
    assert unit.is_running
    assert unit.is_enabled


def test_units_verify_clean(host: Any) -> None:
    """No cycle, no misspelt line."""
    verified = host.run("systemd-analyze verify --man=no unbound.service xgn-anycast.service")
    lines = [line for line in verified.stderr.splitlines() if "xgn" in line or "cycle" in line]
    assert lines == []


def test_answers_of_others_may_pass(host: Any) -> None:
    """The kernel lets answers through that come from the address it has itself."""
    assert host.check_output("sysctl --values net.ipv4.conf.all.accept_local") == "1"


@needs_both
def test_answers(host: Any) -> None:
    """The nearest instance answers, over UDP and TCP, IPv4 and IPv6, from its zone."""
    own, _other = names(host)
    assert ask(host) == [own]
    assert ask(host, kind="tcp") == [own]
    local = json.loads(host.check_output("python3 /root/ask.py fd11::1 id.example.test 1 5"))
    assert (local["lost"], local["by"]) == (0, [own])
    assert json.loads(host.check_output("xgn-anycast ask")) == {text: {"set": True, "answered": True} for text in ADDRESSES}


@needs_both
@pytest.mark.once
def test_planned_stop_loses_nothing(host: Any) -> None:
    """At 50 questions per second, neither a stop nor the start after it loses one; the other instance answers meanwhile."""
    own, other = names(host)
    with crowd(host) as result:
        host.check_output("systemctl stop unbound.service")
        assert addresses(host) == []
        assert not host.service("xgn-anycast.service").is_running
        time.sleep(2)
        assert not host.service("unbound.service").is_running
        host.check_output("systemctl start unbound.service")
        wait_for(lambda: addresses(host) == ADDRESSES)
    assert result["lost"] == 0, result
    # Late answers of the other one may come between those of this one.
    assert (result["by"][0], result["by"][-1], set(result["by"])) == (own, own, {own, other}), result


@needs_both
@pytest.mark.once
def test_restart_loses_nothing(host: Any) -> None:
    """The same for a restart."""
    with crowd(host) as result:
        host.check_output("systemctl restart unbound.service")
        wait_for(lambda: addresses(host) == ADDRESSES)
    assert result["lost"] == 0, result


@needs_both
@pytest.mark.once
def test_reload_loses_nothing(host: Any) -> None:
    """A reload keeps the address."""
    own, _other = names(host)
    with crowd(host) as result:
        host.check_output("systemctl reload unbound.service")
    assert (result["lost"], result["by"]) == (0, [own]), result


@needs_both
@pytest.mark.once
def test_frozen(host: Any) -> None:
    """A resolver that hangs is out of the way, and back when it answers again."""
    own, other = names(host)
    with crowd(host) as result:
        try:
            times = json.loads(host.check_output("python3 /root/hurt.py STOP"))
            time.sleep(4)
        finally:
            host.check_output("systemctl kill --kill-who=main --signal=CONT unbound.service")
        wait_for(lambda: addresses(host) == ADDRESSES)
    figure(f"{own}: resolver frozen, anycast address withdrawn (3 s)", times["gone"] - times["guard"], "s")
    figure(f"{own}: resolver frozen, longest time between two answers", result["gap"], "s")
    assert 0 < times["gone"] <= times["turned"]
    assert result["by"][:2] == [own, other]
    assert result["by"][-1] == own


@needs_both
@pytest.mark.once
def test_killed(host: Any) -> None:
    """One that dies is started again; meanwhile the other one answers, or nobody misses it."""
    with crowd(host) as result:
        host.check_output("python3 /root/hurt.py KILL")
        wait_for(lambda: addresses(host) == ADDRESSES)
    figure(f"{names(host)[0]}: resolver killed, longest time between two answers", result["gap"], "s")
    assert result["lost"] < result["sent"] / 2, result
    assert result["by"][-1] in names(host)


@needs_both
@pytest.mark.once
def test_guard_that_dies_takes_the_address_along(host: Any) -> None:
    """Without a guard there is no address; systemd starts the guard again."""
    pid = host.check_output("systemctl show --property=MainPID --value xgn-anycast.service")
    host.check_output(f"kill -KILL {pid}")
    wait_for(lambda: host.check_output("systemctl show --property=MainPID --value xgn-anycast.service") not in ("0", pid))
    journal = host.check_output("journalctl --unit=xgn-anycast.service --lines=20 --output=cat")
    assert "advertised" in journal
    wait_for(lambda: addresses(host) == ADDRESSES)


@needs_both
def test_address_taken_away_by_hand(host: Any) -> None:
    """The guard sets it again."""
    host.check_output("ip address delete 1.1.1.1/32 dev lo")
    wait_for(lambda: addresses(host) == ADDRESSES)


def test_sshd_listens_on_its_address_only(host: Any) -> None:
    """Not on the anycast address, and not on the wildcard."""
    lines = host.check_output("ss -Hltn sport = :22").splitlines()
    number = {"debian12": "12", "debian13": "13"}[names(host)[0]]
    assert [line.split()[3] for line in lines] == [f"198.18.0.{number}:22"]
    assert host.check_output("systemctl list-units --all --plain --no-legend 'xgn-way-back*'") == ""
