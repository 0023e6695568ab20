"""Steering without a daemon: how routes are written, what is permitted, when the watcher acts, and what the client says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import steering
from ansible_collections.xuegao.net.roles.gobgp.files.steering_health import Watch, unhealthy

# As both gobgp 3.10 and 3.36 print it.
PATH = (
    '{"192.0.2.0/24":[{"nlri":{"prefix":"192.0.2.0/24"},"age":1,"best":true,"attrs":[{"type":1,"value":2},{"type":4,"metric":7},'
    '{"type":5,"value":200},{"type":8,"communities":[4292804708,4294967041]},'
    '{"type":32,"value":[{"ASN":65503,"LocalData1":1,"LocalData2":2}]},{"type":3,"nexthop":"10.255.0.2"}],"stale":false}]}'
)
ROUTE: dict[str, Any] = {
    "prefix": "192.0.2.0/24",
    "next_hop": "10.255.0.2",
    "local_pref": 200,
    "med": 7,
    "communities": ["65503:100", "no-export"],
    "large_communities": ["65503:1:2"],
}


def test_a_route_is_read_as_the_client_prints_it() -> None:
    ((prefix, paths),) = json.loads(PATH).items()
    route = steering.live_route(prefix, paths[0]["attrs"])
    assert route == ROUTE
    assert steering.same({**ROUTE, "persistent": True}, route)
    assert not steering.same({**ROUTE, "med": 8}, route)
    assert not steering.same(ROUTE, None)


@pytest.mark.parametrize("text", ["65503:100", "no-export", "blackhole", "0:0", "65535:1"])
def test_a_community_comes_back_as_it_was(text: str) -> None:
    assert steering.community_text(steering.community_number(text)) == text


def test_a_known_community_by_number_is_the_same() -> None:
    assert steering.community_text(steering.community_number("65535:65281")) == "no-export"


@pytest.mark.parametrize("text", ["no-exit", "65536:1", "1", "1:2:3", "-1:2", "", "1:"])
def test_what_is_no_community(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        steering.community_number(text)


@pytest.mark.parametrize(
    ("prefix", "answer"),
    [("192.0.2.0/24", True), ("192.0.2.128/25", True), ("192.0.0.0/16", False), ("2001:db8::/48", True), ("2001:db9::/48", False)],
)
def test_what_may_be_steered(prefix: str, answer: bool) -> None:
    assert steering.permitted(prefix, ["192.0.2.0/24", "2001:db8::/32"]) is answer


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """A box whose gobgpd is a dictionary: what it advertises, by prefix."""
    table: dict[str, dict[str, Any]] = {}
    for name in ("VOLATILE", "PERSISTENT", "HELD", "STATE"):
        monkeypatch.setattr(steering, name, str(tmp_path / name.lower()))
    monkeypatch.setattr(steering, "advertised", lambda *_words, **_named: dict(table))
    monkeypatch.setattr(steering, "withdraw", lambda prefix: table.pop(prefix))

    def advertise(route: dict[str, Any]) -> None:
        # gobgpd's policy refuses in silence what it does not permit.
        if route["prefix"].startswith("192.0.2."):
            table[route["prefix"]] = {key: value for key, value in route.items() if key != "persistent"}

    monkeypatch.setattr(steering, "advertise", advertise)
    return table


@pytest.mark.parametrize("torn", ["persistent", "persistent.copy"])
@pytest.mark.parametrize("text", ["", '[{"prefix": "192.0', "{}", None], ids=["emptied", "half", "other", "deleted"])
def test_what_is_wanted_outlives_a_torn_file(box: dict[str, dict[str, Any]], tmp_path: Path, torn: str, text: str | None) -> None:
    wanted = {ROUTE["prefix"]: {**ROUTE, "persistent": True}}
    steering.keep_wanted(wanted)
    whole = (tmp_path / torn).read_text(encoding="utf-8")
    if text is None:
        (tmp_path / torn).unlink()
    else:
        (tmp_path / torn).write_text(text, encoding="utf-8")
    assert steering.wanted_routes() == wanted
    steering.keep_wanted({})
    assert (tmp_path / torn).read_text(encoding="utf-8") == "[]\n" != whole
    assert steering.wanted_routes() == {}


def test_where_both_are_torn_somebody_has_to_say_what_is_wanted(box: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    for name in ("persistent", "persistent.copy"):
        (tmp_path / name).write_text("[{", encoding="utf-8")
    with pytest.raises(
        steering.SteeringError, match=r"persistent cannot be read: .* Remedy: remove it; what it held has to be steered again"
    ):
        steering.wanted_routes()


CONFIGURED = {"prefixes": ["192.0.2.0/24"], "next_hops": {}, "health": {"command": "true"}}


def test_what_is_wanted_is_advertised_again(box: dict[str, dict[str, Any]]) -> None:
    steering.keep_wanted({ROUTE["prefix"]: {**ROUTE, "persistent": True}})
    assert steering.replay(CONFIGURED) == ["advertised: " + steering.sentence({**ROUTE, "persistent": True})]
    assert box == {ROUTE["prefix"]: ROUTE}
    assert steering.replay(CONFIGURED) == []


def test_hold_and_resume(box: dict[str, dict[str, Any]]) -> None:
    steering.keep_wanted({ROUTE["prefix"]: {**ROUTE, "persistent": False}})
    steering.replay(CONFIGURED)
    steering.hold(CONFIGURED, "exit status 1")
    assert (box, steering.held(CONFIGURED)) == ({}, "exit status 1")
    assert steering.replay(CONFIGURED) == []
    # Without a health command nobody would ever resume.
    assert steering.held({**CONFIGURED, "health": None}) is None
    steering.resume(CONFIGURED)
    assert list(box) == [ROUTE["prefix"]]


def test_what_may_no_longer_be_steered_goes(box: dict[str, dict[str, Any]]) -> None:
    steering.keep_wanted({ROUTE["prefix"]: {**ROUTE, "persistent": True}})
    steering.replay(CONFIGURED)
    said = steering.replay({**CONFIGURED, "prefixes": ["198.51.100.0/24"]})
    assert box == {}
    assert said[0].startswith("not advertised, since it may not be steered")


def test_a_daemon_that_refuses_in_silence_is_found_out(box: dict[str, dict[str, Any]]) -> None:
    route = {**ROUTE, "prefix": "198.51.100.0/24"}
    with pytest.raises(steering.SteeringError, match="its table is another"):
        steering.bring_in_line({"198.51.100.0/24": route}, {})


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "SOCKET", str(tmp_path / "none"))
    monkeypatch.setattr(steering, "run_client", lambda words: (1, '{"error":"context deadline exceeded"}\n usage: and so on'))
    with pytest.raises(steering.SteeringError, match="gobgpd does not run"):
        steering.client("global")


def test_the_watcher_waits_for_its_numbers() -> None:
    watch = Watch({"fall": 2, "rise": 3})
    assert watch.step("exit status 1", False) == []
    assert watch.step(None, False) == []
    assert watch.step("exit status 1", False) == []
    assert watch.step("exit status 2", False) == ["hold", "exit status 2"]
    assert watch.step("exit status 2", True) == []
    assert [watch.step(None, True) for _time in range(3)] == [[], [], ["resume"]]
    assert watch.step(None, False) == []


def test_the_health_command() -> None:
    assert unhealthy({"command": "true", "timeout": 5}) is None
    assert unhealthy({"command": "sh -c 'echo no answer; exit 3'", "timeout": 5}) == "exit status 3: no answer"
    assert unhealthy({"command": "sleep 5", "timeout": 0.1}) == "no end within 0.1 s"
    assert "No such file" in str(unhealthy({"command": "/nonexistent", "timeout": 5}))
