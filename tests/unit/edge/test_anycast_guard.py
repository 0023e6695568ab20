"""The guard of the anycast address: what it asks, what it takes for an answer, and when it changes its mind."""

from __future__ import annotations

import json
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.roles.dns_anycast.files import anycast_guard as guard


def answer_to(question: bytes, flags: int = 0x8180, answers: int = 1) -> bytes:
    record = b"\xc0\x0c" + struct.pack("!2HIH", guard.TXT, guard.IN, 0, 3) + b"\x02ok"
    return question[:2] + struct.pack("!5H", flags, 1, answers, 0, 0) + question[12:] + record * answers


def test_only_an_answer_to_this_question_counts() -> None:
    question = guard.question_of("anycast.xgn.invalid", 4711)
    assert guard.is_answer(answer_to(question), question)
    other = guard.question_of("anycast.xgn.invalid", 4712)
    assert not guard.is_answer(answer_to(other), question), "another identity"
    assert not guard.is_answer(answer_to(guard.question_of("other.invalid", 4711)), question), "another name"
    assert not guard.is_answer(answer_to(question, flags=0x8182), question), "SERVFAIL"
    assert not guard.is_answer(answer_to(question, answers=0), question), "no record"
    assert not guard.is_answer(question, question), "the question itself"
    assert not guard.is_answer(b"\x12", question), "a stump"


def notes(watch: guard.Watch, text: str, start: float = 0.0, step: float = 0.5) -> list[float]:
    """Feed results, one a character (``+`` answered); return the times at which the verdict changed."""
    return [start + index * step for index, one in enumerate(text) if watch.note(one == "+", start + index * step)]


def test_hysteresis() -> None:
    watch = guard.Watch(fall=3, rise=3)
    assert notes(watch, "++-++-++") == []
    assert notes(watch, "+++") == [0.0]
    assert watch.up
    start = guard.FLAP_S + 10
    assert notes(watch, "--+--+", start) == []
    assert notes(watch, "---", start + 10) == [start + 11.0]
    assert not watch.up


def test_a_frozen_resolver_is_noticed_within_three_seconds() -> None:
    watch = guard.Watch(guard.DEFAULTS["fall"], guard.DEFAULTS["rise"])
    watch.up = True
    # Frozen right after an answer: the next question comes an interval later, and each one takes its time to fail.
    started, at = 100.0, 100.0 + guard.DEFAULTS["interval"]
    while watch.up:
        at += guard.DEFAULTS["timeout"]
        watch.note(False, at)
    assert at - started <= 3.0


def test_one_that_flaps_stays_away_longer_each_time() -> None:
    watch = guard.Watch(fall=1, rise=1)
    now, away = 1000.0, []
    for _round in range(8):
        while not watch.up:
            now += 0.5
            watch.note(True, now)
        now += 0.5
        watch.note(False, now)
        left = now
        away.append(watch.until - left)
    assert away[:4] == [2.0, 4.0, 8.0, 16.0]
    assert away[-1] == guard.HOLD_MOST_S
    # After a long time without trouble all is forgotten.
    while not watch.up:
        now += 0.5
        watch.note(True, now)
    now += guard.HOLD_MOST_S + 1
    watch.note(True, now)
    watch.note(False, now + 1)
    assert watch.until == now + 1


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A resolver on the loopback that the test answers for."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(60)
    monkeypatch.setattr(guard, "DNS_PORT", server.getsockname()[1])
    yield server
    server.close()


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the guard has done: the words of each call of ip(8), which always succeeds."""
    calls: list[str] = []

    def ip(*words: str, quiet: bool = False) -> bool:
        calls.append(" ".join(words))
        return True

    monkeypatch.setattr(guard, "ip", ip)
    return calls


def test_ask(resolver: socket.socket) -> None:
    one = guard.Guard({"addresses": ["192.0.2.1/32"], "timeout": 60.0})

    def serve() -> None:
        packet, client = resolver.recvfrom(512)
        resolver.sendto(answer_to(packet), client)

    thread = threading.Thread(target=serve)
    thread.start()
    assert one.ask() == {"192.0.2.1/32": True}
    thread.join()
    one.config["timeout"] = 0.1
    assert one.ask() == {"192.0.2.1/32": False}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            [True],
            [
                "-4 route replace local 192.0.2.1/32 dev lo table local metric 1000",
                "address delete 192.0.2.1/32 dev lo",
                "sleep 5.0",
                "-4 route delete local 192.0.2.1/32 dev lo table local metric 1000",
                "sleep 0.5",
            ],
        ),
        ([False, False, False], ["address delete 192.0.2.1/32 dev lo"]),
    ],
)
def test_only_a_resolver_that_answers_gets_time_to_leave(
    monkeypatch: pytest.MonkeyPatch, done: list[str], answers: list[bool], expected: list[str]
) -> None:
    asked = iter(answers)
    monkeypatch.setattr(time, "sleep", lambda seconds: done.append(f"sleep {seconds}"))
    monkeypatch.setattr(guard.Guard, "present", lambda self: set(self.watches))
    monkeypatch.setattr(guard.Guard, "ask", lambda self: dict.fromkeys(self.watches, next(asked)))
    guard.leave(guard.Guard({"addresses": ["192.0.2.1/32"]}))
    assert done == expected
    assert next(asked, None) is None


def test_one_lost_question_is_not_a_dead_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter([False, True])
    monkeypatch.setattr(guard.Guard, "ask", lambda self: dict.fromkeys(self.watches, next(asked)))
    assert guard.Guard({"addresses": ["192.0.2.1/32"]}).served() == {"192.0.2.1/32"}


def test_changes_are_told_once() -> None:
    changes = guard.AddressChanges()
    changes.socket.close()
    kernel, changes.socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    changes.socket.setblocking(False)
    assert [changes.since_last(), changes.since_last()] == [True, False]
    kernel.send(b"RTM_NEWADDR")
    kernel.send(b"RTM_DELADDR")
    assert [changes.since_last(), changes.since_last()] == [True, False]
    kernel.close()
    changes.socket.close()


def test_configuration(tmp_path: Path) -> None:
    path = tmp_path / "anycast.json"
    path.write_text(json.dumps({"addresses": ["192.0.2.1/32"], "fall": 5}), encoding="utf-8")
    one = guard.Guard(guard.load(str(path)))
    assert (one.watches["192.0.2.1/32"].fall, one.config["grace"]) == (5, 5.0)
    path.write_text(json.dumps({"adresses": []}), encoding="utf-8")
    with pytest.raises(ValueError, match="unknown keys adresses"):
        guard.load(str(path))


TORN = ["", "{", "null", "[]", "{}", '{"addresses": []}', '{"addresses": "192.0.2.1/32"}', '{"addresses": ["192.0.2.1/32"], "fall": null}']


@pytest.mark.parametrize("text", TORN)
def test_a_guard_that_starts_with_a_torn_configuration_sets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], done: list[str], text: str
) -> None:
    """It takes away what the one before it has set, says why, and goes on when the file can be read again."""
    path, last, told = tmp_path / "anycast.json", tmp_path / "last.json", list[str]()
    good = {"addresses": ["192.0.2.1/32"], "interface": "dummy0", "interval": 0.0, "rise": 1}
    last.write_text(json.dumps(good), encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(guard, "LAST", str(last))
    monkeypatch.setattr(guard.Guard, "present", lambda self: set() if done else set(self.config["addresses"]))
    monkeypatch.setattr(guard.Guard, "ask", lambda self: dict.fromkeys(self.watches, True))
    monkeypatch.setattr(guard, "leave", lambda _guard: None)
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", lambda number, handler: handlers.update({number: handler}))

    def notify(words: str) -> None:
        told.append(words)
        if len(told) == 2:
            path.write_text(json.dumps(good), encoding="utf-8")
            handlers[signal.SIGHUP](0, None)
        elif len(told) == 3:
            handlers[signal.SIGTERM](0, None)

    monkeypatch.setattr(guard, "notify", notify)
    assert guard.run(str(path)) == 0
    assert done[0] == "address delete 192.0.2.1/32 dev dummy0"
    assert "the configuration cannot be read" in capsys.readouterr().out
    assert told[0].startswith("READY=1") and "cannot be read" in told[1] and told[2] == "WATCHDOG=1\nSTATUS=192.0.2.1/32 advertised"
    assert "address replace 192.0.2.1/32 dev dummy0" in done[1:]


def test_what_is_left_of_a_torn_configuration_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], done: list[str]
) -> None:
    """As systemd asks for when the guard is gone; without anything that was read nobody has set an address since the boot."""
    path, last = tmp_path / "anycast.json", tmp_path / "last.json"
    path.touch()
    monkeypatch.setattr(guard, "CONFIG", str(path))
    monkeypatch.setattr(guard, "LAST", str(last))
    monkeypatch.setattr(guard.Guard, "present", lambda self: set(self.config["addresses"]))
    assert (guard.main(["withdraw"]), guard.main(["ask"]), done) == (0, 2, [])
    guard.remember({"addresses": ["2001:db8::1/128"]})
    assert guard.main(["withdraw"]) == 0
    assert done == ["address delete 2001:db8::1/128 dev lo", "-6 route delete local 2001:db8::1/128 dev lo table local metric 1000"]
    assert "no address is set until it can be read" in capsys.readouterr().err


def test_reload_keeps_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    monkeypatch.setattr(guard.Guard, "present", lambda self: set(self.watches))
    monkeypatch.setattr(guard, "LAST", str(tmp_path / "last.json"))
    old = guard.Guard({"addresses": ["192.0.2.1/32", "192.0.2.2/32"]})
    for watch in old.watches.values():
        watch.up = True
    path = tmp_path / "anycast.json"
    path.write_text(json.dumps({"addresses": ["192.0.2.2/32", "192.0.2.3/32"]}), encoding="utf-8")
    new, torn = guard.reloaded(old, str(path))
    assert torn == ""
    assert {address: watch.up for address, watch in new.watches.items()} == {"192.0.2.2/32": True, "192.0.2.3/32": False}
    assert done == ["address delete 192.0.2.1/32 dev lo"]
    path.write_text("{", encoding="utf-8")
    assert guard.reloaded(new, str(path)) == (new, "")
