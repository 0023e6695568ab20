"""Endpoints whose name has got another address: found soon, set once, and no healthy peer is touched."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import wireguard_endpoints
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import conf_text
from ansible_collections.xuegao.net.plugins.module_utils.wireguard_endpoints import (
    Look,
    Peer,
    is_lost,
    look,
    main,
    named_peers,
    parse_peers,
)

KEY, OTHER = "wXWRMHswbK9qwjS34Omec6UWKWSEyU6Kve9fJiStMRs=", "ioTH8J/t0DgpquLcWzopRaz3u57uDJ/dfBOJn0Km2Fs="
# As wg(8) 1.0.20210914 prints it: the interface, a peer it has never heard, one over IPv6 with preshared key, and one without endpoint.
DUMP = (
    "cPRIVATEcPRIVATEcPRIVATEcPRIVATEcPRIVATEcPE=\t" + OTHER + "\t36147\toff\n"
    f"{KEY}\t(none)\t10.0.0.2:51822\t0.0.0.0/0\t0\t0\t148\t5\n"
    f"{OTHER}\tPRESHAREDPRESHAREDPRESHAREDPRESHAREDPRESHARE=\t[2001:db8::2]:51820\t0.0.0.0/0,::/0\t1764497000\t92\t424\toff\n"
    "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo=\t(none)\t(none)\t(none)\t0\t0\t0\toff\n"
)


def test_what_wg_prints_is_read() -> None:
    peers = parse_peers(DUMP)
    assert list(peers) == [KEY, OTHER, "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="]
    assert peers[KEY] == Peer("10.0.0.2:51822", 0, 0, 148, 5)
    assert peers[OTHER] == Peer("[2001:db8::2]:51820", 1764497000, 92, 424, 0)
    assert peers["bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="].endpoint is None
    with pytest.raises(ValueError, match="has 2 fields, expected 8"):
        parse_peers("private\tpublic\t1\toff\nkey\tx\n")


def test_names_come_from_the_file_that_the_role_writes() -> None:
    def peer(name: str, key: str, endpoint: str | None) -> dict[str, object]:
        return {
            "name": name,
            "public_key": key,
            "endpoint": endpoint,
            "preshared_key": None,
            "allowed_ips": ["0.0.0.0/0"],
            "persistent_keepalive": None,
        }

    peers = [
        peer("a", KEY, "a.example.org:51820"),
        peer("b", OTHER, "192.0.2.1:51820"),
        peer("c", "C", "[2001:db8::1]:51820"),
        peer("d", "D", None),
    ]
    text = conf_text({"name": "wg1", "listen_port": None, "mtu": 1420, "fwmark": None, "peers": peers}, "SECRET")
    assert named_peers(text) == {KEY: "a.example.org:51820"}
    assert named_peers(f"[Peer]\nendpoint=x:1\npublickey = {KEY} # x\nEndpoint= home.example.org:1 # moves\n[Peer]\nEndpoint = y:2\n") == {
        KEY: "home.example.org:1"
    }


def peer_with(received: int, sent: int, handshake: int = 1000, keepalive: int = 5) -> Peer:
    return Peer("192.0.2.1:1", handshake, received, sent, keepalive)


def test_a_peer_that_answers_is_not_lost() -> None:
    seen, received = None, 0
    for step in range(10):
        received += 100
        seen = look(seen, peer_with(received, 1000 * step), 30.0 * step)
        assert not is_lost(peer_with(received, 0), seen, 30.0 * step, 1000 + 120)


def test_one_that_only_gets_keepalives_owes_no_answer() -> None:
    """32 bytes every 5 s, as the end behind a NAT sends them; nobody answers those."""
    seen = None
    for step in range(4):
        seen = look(seen, peer_with(92, 424 + step * 6 * 32), 30.0 * step)
        assert seen.owed is None
        assert not is_lost(peer_with(92, 0), seen, 30.0 * step, 1000 + 30 * step)
    # It is, when the handshake that is due every 120 s does not come.
    assert not is_lost(peer_with(92, 0), seen or Look(0, 0, 0), 90.0, 1000 + 135)
    assert is_lost(peer_with(92, 0), seen or Look(0, 0, 0), 90.0, 1000 + 136)


def test_one_that_does_not_answer_data_is_lost_at_the_look_after_the_next() -> None:
    seen = look(None, peer_with(5000, 9000), 0.0)
    seen = look(seen, peer_with(5000, 15000), 30.0)
    assert seen.owed == 30.0
    assert not is_lost(peer_with(5000, 15000), seen, 30.0, 1030)
    again = look(seen, peer_with(5000, 15000), 40.0)
    assert not is_lost(peer_with(5000, 15000), again, 40.0, 1040), "an answer may take 10 s"
    again = look(seen, peer_with(5000, 15148), 60.0)
    assert is_lost(peer_with(5000, 15148), again, 60.0, 1060)
    # An answer makes all of it good, and so does an interface that is made anew.
    assert look(again, peer_with(5001, 15148), 90.0).owed is None
    assert look(again, peer_with(5000, 0), 90.0).owed is None


def test_one_without_keepalive_owes_an_answer_for_whatever_was_sent() -> None:
    seen = look(look(None, peer_with(1, 1, keepalive=0), 0.0), peer_with(1, 97, keepalive=0), 30.0)
    assert seen.owed == 30.0


class Host:
    """A host with a wg(8) that prints what it is told and notes what it is asked to set."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.state = tmp_path, tmp_path / "state.json"
        self.monkeypatch = monkeypatch
        self.clock = 1764497100
        self.names: dict[str, list[str] | str] = {}
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "wg"
        program.write_text(
            f'#!/bin/sh\ncd {tmp_path}\ncase "$*" in\n"show interfaces") cat interfaces;;\n'
            '"show "*" dump") cat "$2.dump";;\nset*) echo "$*" >>calls; exit $(cat status);;\nesac\n',
            encoding="utf-8",
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        monkeypatch.setattr(wireguard_endpoints, "resolve", lambda endpoint: self.names[endpoint])
        (tmp_path / "interfaces").write_text("wg1 wg2\n", encoding="utf-8")
        (tmp_path / "status").write_text("0", encoding="utf-8")
        (tmp_path / "calls").touch()

    def interface(self, name: str, dump: str, endpoint: str, key: str = KEY) -> None:
        (self.path / f"{name}.dump").write_text(dump, encoding="utf-8")
        (self.path / f"{name}.conf").write_text(f"[Peer]\nPublicKey = {key}\nEndpoint = {endpoint}\n", encoding="utf-8")

    def run(self, *interfaces: str, at: float = 0.0) -> list[str]:
        """Look once, so many seconds later; returns what wg(8) was asked to set."""
        (self.path / "calls").write_text("", encoding="utf-8")
        self.monkeypatch.setattr(f"{wireguard_endpoints.__name__}.time.monotonic", lambda: at)
        self.monkeypatch.setattr(f"{wireguard_endpoints.__name__}.time.time", lambda: self.clock + at)
        self.status = main(list(interfaces), str(self.state), str(self.path))
        return (self.path / "calls").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def dump(endpoint: str, handshake: int, received: int = 92, sent: int = 424, key: str = KEY) -> str:
    return f"private\tpublic\t36147\toff\n{key}\t(none)\t{endpoint}\t0.0.0.0/0\t{handshake}\t{received}\t{sent}\t5\n"


def test_a_lost_peer_gets_the_address_of_its_name(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.interface("wg1", dump("10.0.0.2:51822", host.clock - 200), "peer.test:51822")
    host.names = {"peer.test:51822": ["[2001:db8::3]:51822", "10.0.0.3:51822"]}
    assert host.run("wg1") == [f"set wg1 peer {KEY} endpoint [2001:db8::3]:51822"]
    assert host.status == 0
    told = "<5>wg1: nothing comes from peer.test:51822; endpoint [2001:db8::3]:51822, before 10.0.0.2:51822\n"
    assert capsys.readouterr().out == told
    # Until the handshake comes it is the one of its name, so nothing is set again.
    host.interface("wg1", dump("[2001:db8::3]:51822", host.clock - 230), "peer.test:51822")
    assert host.run("wg1", at=30.0) == []


def test_a_healthy_peer_is_left_alone_wherever_it_has_roamed_to(host: Host) -> None:
    host.interface("wg1", dump("198.51.100.99:40000", host.clock - 100), "peer.test:51822")
    host.monkeypatch.setattr(wireguard_endpoints, "resolve", lambda _endpoint: pytest.fail("its name was looked up"))
    assert host.run("wg1") == []


def test_one_of_several_addresses_is_as_good_as_another(host: Host) -> None:
    host.interface("wg1", dump("10.0.0.3:51822", host.clock - 500), "peer.test:51822")
    host.names = {"peer.test:51822": ["10.0.0.2:51822", "10.0.0.3:51822"]}
    assert host.run("wg1") == []


def test_one_that_stays_lost_is_tried_at_the_next_address_of_its_name(host: Host) -> None:
    """A and AAAA, and the provider has no IPv6 any more; round and round, as nobody knows which one comes back."""
    host.interface("wg1", dump("[2001:db8::2]:51822", host.clock - 500), "peer.test:51822")
    host.names = {"peer.test:51822": ["[2001:db8::2]:51822", "10.0.0.3:51822"]}
    calls = {at: host.run("wg1", at=float(at)) for at in range(0, 150, 30)}
    assert not any(calls.values())
    assert host.run("wg1", at=150.0) == [f"set wg1 peer {KEY} endpoint 10.0.0.3:51822"]
    host.interface("wg1", dump("10.0.0.3:51822", host.clock - 500), "peer.test:51822")
    assert host.run("wg1", at=180.0) == [], "it has as long as the first one"
    assert host.run("wg1", at=285.0) == [f"set wg1 peer {KEY} endpoint [2001:db8::2]:51822"]
    # A handshake makes all of it good.
    host.interface("wg1", dump("[2001:db8::2]:51822", host.clock + 300, 200), "peer.test:51822")
    assert host.run("wg1", at=315.0) == []
    host.interface("wg1", dump("[2001:db8::2]:51822", host.clock + 300, 200), "peer.test:51822")
    assert host.run("wg1", at=450.0) == []
    host.names = {"peer.test:51822": ["[2001:db8::2]:51822"]}
    assert host.run("wg1", at=600.0) == [], "there is no other"


def test_it_is_found_within_two_minutes_although_the_last_handshake_is_young(host: Host) -> None:
    """Looked at every 30 s, with the traffic that BFD makes; the address changes right after a look."""
    host.names = {"peer.test:51822": ["10.0.0.3:51822"]}
    found = []
    for step, (received, sent) in enumerate([(1000, 1000), (2000, 2000), (2000, 4000), (2000, 4300), (2000, 4600)]):
        host.interface("wg1", dump("10.0.0.2:51822", host.clock, received, sent), "peer.test:51822")
        found += [30 * step for _call in host.run("wg1", at=30.0 * step)]
    # Changed at 30 s.
    assert found[0] - 30 <= 120
    assert found[0] == 90


def test_a_name_that_does_not_resolve_stops_no_other(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.interface("wg1", dump("10.0.0.2:51822", 0), "gone.test:51822")
    host.interface("wg2", dump("(none)", 0, key=OTHER), "peer.test:51822", OTHER)
    host.names = {"gone.test:51822": "[Errno -2] Name or service not known", "peer.test:51822": ["10.0.0.3:51822"]}
    assert host.run("wg1", "wg2", "wg3") == [f"set wg2 peer {OTHER} endpoint 10.0.0.3:51822"]
    out = capsys.readouterr().out
    assert "<4>wg1: nothing comes from gone.test:51822, and its name has no address: [Errno -2] Name or service not known\n" in out
    assert "before none" in out
    assert "private" not in out
    # Neither is a fault of the program's.
    assert host.status == 0


def test_an_interface_that_is_down_is_left_to_its_unit(host: Host) -> None:
    host.interface("wg1", "", "peer.test:51822")
    (host.path / "interfaces").write_text("wg2\n", encoding="utf-8")
    assert (host.run("wg1"), host.status) == ([], 0)


@pytest.mark.parametrize("broken", ["", "[]", '{"wg1 x": [1]}', '{"wg1 x": null}', "\x00"])
def test_a_state_that_cannot_be_read_is_as_good_as_none(host: Host, broken: str) -> None:
    host.state.write_text(broken, encoding="utf-8")
    host.interface("wg1", dump("10.0.0.2:51822", host.clock), "peer.test:51822")
    assert (host.run("wg1"), host.status) == ([], 0)
    assert json.loads(host.state.read_text(encoding="utf-8")) == {f"wg1 {KEY}": [92, 424, 0.0, None, None]}


def test_what_wg_refuses_is_told(host: Host) -> None:
    host.interface("wg1", dump("10.0.0.2:51822", 0), "peer.test:51822")
    host.names = {"peer.test:51822": ["10.0.0.3:51822"]}
    (host.path / "status").write_text("1", encoding="utf-8")
    assert len(host.run("wg1")) == 1
    assert host.status == 1


@pytest.mark.parametrize(
    ("answer", "addresses"),
    [
        ([(2, "192.0.2.1"), (10, "2001:db8::1"), (2, "192.0.2.1")], ["192.0.2.1:51820", "[2001:db8::1]:51820"]),
        (OSError("no"), "no"),
        (UnicodeError("label too long"), "label too long"),
    ],
)
def test_names_are_looked_up_as_wg_does(
    monkeypatch: pytest.MonkeyPatch, answer: list[tuple[int, str]] | Exception, addresses: list[str] | str
) -> None:
    def asked(name: str, port: str, **how: int) -> list[tuple[object, ...]]:
        assert (name, port, how) == ("peer.test", "51820", {"type": 2, "proto": 17})
        if isinstance(answer, Exception):
            raise answer
        return [(family, 2, 17, "", (text, 51820) if family == 2 else (text, 51820, 0, 0)) for family, text in answer]

    resolve: Callable[[str], list[str] | str] = wireguard_endpoints.resolve
    monkeypatch.setattr(f"{wireguard_endpoints.__name__}.socket.getaddrinfo", asked)
    assert resolve("peer.test:51820") == addresses


def test_a_file_that_is_no_utf_8_is_read_all_the_same(host: Host) -> None:
    """It may be one that was taken over, with a comment in whatever language."""
    host.interface("wg1", dump("10.0.0.2:51822", 0), "peer.test:51822")
    path = host.path / "wg1.conf"
    path.write_bytes(b"# Zweigb\xfcro\n" + path.read_bytes())
    host.names = {"peer.test:51822": ["10.0.0.3:51822"]}
    assert host.run("wg1") == [f"set wg1 peer {KEY} endpoint 10.0.0.3:51822"]
