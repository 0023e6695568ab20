"""Modules gobgp_config and gobgp_route against a gobgpd that is a few variables."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import steering
from ansible_collections.xuegao.net.plugins.modules import gobgp_config, gobgp_route

from .managed_host import Host

PASSWORD = 'sword"fish'
TEMPLATE = '[global.config]\n  as = 65503\n[neighbors.config]\n  auth-password = "<secret bgp 10.0.0.1>"\n'
ARGUMENTS = {"content": TEMPLATE, "secrets": {"bgp 10.0.0.1": PASSWORD}, "asn": 65503, "router_id": "10.255.0.1", "neighbors": ["10.0.0.1"]}


class Daemon:
    """gobgpd and its client. ``holds``: ASN, router ID and neighbors; ``reads``: what it holds after which of systemctl's verbs."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, runs: bool = True) -> None:
        self.holds: tuple[int, str, list[str]] = (65503, "10.255.0.1", ["10.0.0.1"])
        self.reads: dict[str, tuple[int, str, list[str]]] = {}
        self.runs = runs
        self.sessions = ["10.0.0.1"]
        self.table: dict[str, list[dict[str, Any]]] = {}
        self.silent = False
        host.program("gobgpd")
        host.program("systemctl", self.systemctl)
        monkeypatch.setattr(steering, "run_client", self.client)

    def systemctl(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if command[1] == "is-active":
            return (0 if self.runs else 3), "", ""
        self.holds = self.reads.get(command[1], self.holds)
        return 0, "", ""

    def client(self, words: tuple[str, ...]) -> tuple[int, str]:
        asn, router_id, neighbors = self.holds
        if words == ("-j", "global"):
            return 0, json.dumps({"asn": asn, "router_id": router_id})
        if words == ("-j", "neighbor"):
            state = {address: {"session_state": 6 if address in self.sessions else 1} for address in neighbors}
            return 0, json.dumps([{"conf": {"neighbor_address": address}, "state": state[address]} for address in neighbors])
        if words[:2] == ("-j", "global"):
            family = words[-1]
            return 0, json.dumps(
                {prefix: [{"attrs": attrs}] for prefix, attrs in self.table.items() if steering.family_of(prefix) == family}
            )
        verb, prefix = words[2], words[5]
        if verb == "del":
            del self.table[prefix]
        elif not self.silent:
            given = dict(zip(words[6::2], words[7::2]))
            numbers = [steering.community_number(text) for text in given.get("community", "").split(",") if text]
            attributes: list[dict[str, Any]] = [{"type": 3, "nexthop": given["nexthop"]}, {"type": 5, "value": int(given["local-pref"])}]
            self.table[prefix] = [*attributes, *([{"type": 8, "communities": numbers}] if numbers else [])]
        return 0, ""


@pytest.fixture
def daemon(host: Host, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A running daemon that holds what is declared."""
    monkeypatch.setattr(gobgp_config, "grp", SimpleNamespace(getgrnam=lambda _name: SimpleNamespace(gr_gid=991)))
    return Daemon(host, monkeypatch)


# ---- gobgp_config --------------------------------------------------------------------------------------------------------------------------


def configure(host: Host, path: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    return host.run(gobgp_config, {**ARGUMENTS, "path": str(path), **more}, check=check)


VERBS = ("systemctl is-active", "gobgpd")


def test_a_new_file_is_written_and_reloaded_once(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "gobgpd.conf"
    first, second = configure(host, path), configure(host, path)
    assert [(result["changed"], result["applied"]) for result in (first, second)] == [(True, "reload"), (False, "")]
    assert 'auth-password = "sword\\"fish"' in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o640
    assert host.owners[-1][1:] == (0, 991)
    assert "fish" not in json.dumps([first, second])
    assert host.changed(*VERBS) == ["systemctl reload gobgpd.service"]


def test_a_former_password_is_not_shown(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "gobgpd.conf"
    path.write_text('[a]\n  auth-password = "former"\n', encoding="utf-8")
    assert configure(host, path)["diff"][0]["before"] == '[a]\n  auth-password = "<former secret>"\n'


def test_check_mode_only_tells(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    result = configure(host, tmp_path / "gobgpd.conf", check=True)
    assert (result["changed"], result["applied"]) == (True, "reload")
    assert (host.changed(*VERBS), (tmp_path / "gobgpd.conf").exists()) == ([], False)


def test_what_is_read_at_the_start_only_needs_a_restart(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    daemon.reads["restart"] = daemon.holds
    daemon.holds = (65000, "10.255.0.1", ["10.0.0.1"])
    assert configure(host, tmp_path / "gobgpd.conf")["applied"] == "restart"


def test_a_reload_that_did_nothing_becomes_a_restart(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    daemon.reads["restart"] = daemon.holds
    daemon.holds = (65503, "10.255.0.1", [])
    assert configure(host, tmp_path / "gobgpd.conf")["applied"] == "restart"
    assert host.changed(*VERBS) == ["systemctl reload gobgpd.service", "systemctl restart gobgpd.service"]


def test_a_daemon_that_never_holds_it_is_an_error(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    daemon.holds = (65503, "10.255.0.1", [])
    assert configure(host, tmp_path / "gobgpd.conf")["msg"] == (
        f"gobgpd was restarted, and its neighbors still differ from {tmp_path / 'gobgpd.conf'}. Remedy: `journalctl -u gobgpd` says why."
    )


def test_a_refused_file_is_not_written(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    host.program("gobgpd", lambda _command, _data: (1, '{"level":"fatal","Error":"invalid\\n  peer-as"}\n', ""))
    result = configure(host, tmp_path / "gobgpd.conf")
    assert result["msg"] == f"{tmp_path / 'gobgpd.conf'} was not changed, and gobgpd was not touched: invalid peer-as"
    assert not (tmp_path / "gobgpd.conf").exists()


def test_a_daemon_that_does_not_run_gets_its_file(host: Host, daemon: Daemon, tmp_path: Path) -> None:
    daemon.runs = False
    result = configure(host, tmp_path / "gobgpd.conf")
    assert (result["changed"], result["applied"], (tmp_path / "gobgpd.conf").exists()) == (True, "", True)


# ---- gobgp_route ---------------------------------------------------------------------------------------------------------------------------

ROUTE = {"prefix": "192.0.2.0/24", "communities": ["65503:100"]}
SENTENCE = "192.0.2.0/24 next-hop 10.255.0.2 local-pref 200 communities 65503:100"


@pytest.fixture
def box(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A steering box that may steer 192.0.2.0/24 to itself."""
    for name in ("SETTINGS", "VOLATILE", "PERSISTENT", "HELD", "SOCKET"):
        monkeypatch.setattr(steering, name, str(tmp_path / name.lower()))
    monkeypatch.setattr(steering, "STATE", str(tmp_path))
    settings = {"prefixes": ["192.0.2.0/24"], "next_hops": {"ipv4": "10.255.0.2"}, "health": {"command": "true"}}
    (tmp_path / "settings").write_text(json.dumps(settings), encoding="utf-8")
    (tmp_path / "socket").touch()
    return daemon


def test_a_route_is_advertised_once(host: Host, box: Daemon, tmp_path: Path) -> None:
    first = host.run(gobgp_route, {"routes": [ROUTE]})
    second = host.run(gobgp_route, {"routes": [ROUTE]})
    assert [result["changed"] for result in (first, second)] == [True, False]
    assert (first["advertised"], first["routers"], first["held"]) == ([SENTENCE], ["10.0.0.1"], "")
    assert first["diff"]["after"] == SENTENCE + "\n"
    assert json.loads((tmp_path / "volatile").read_text(encoding="utf-8"))[0]["prefix"] == "192.0.2.0/24"


def test_a_route_is_withdrawn_and_others_stay(host: Host, box: Daemon) -> None:
    host.run(gobgp_route, {"routes": [{"prefix": "192.0.2.0/25"}, {"prefix": "192.0.2.128/25"}]})
    result = host.run(gobgp_route, {"routes": [{"prefix": "192.0.2.0/25"}], "state": "absent"})
    assert (result["changed"], list(box.table)) == (True, ["192.0.2.128/25"])
    assert host.run(gobgp_route, {"all": True, "state": "absent"})["advertised"] == []
    assert not host.run(gobgp_route, {"all": True, "state": "absent"})["changed"]


def test_check_mode_advertises_nothing(host: Host, box: Daemon, tmp_path: Path) -> None:
    result = host.run(gobgp_route, {"routes": [ROUTE]}, check=True)
    assert (result["changed"], result["diff"]["after"]) == (True, SENTENCE + "\n")
    assert (box.table, (tmp_path / "volatile").exists()) == ({}, False)


def test_while_the_box_is_ill_a_route_is_only_written_down(host: Host, box: Daemon, tmp_path: Path) -> None:
    (tmp_path / "held").write_text("exit status 1\n", encoding="utf-8")
    result = host.run(gobgp_route, {"routes": [{**ROUTE, "persistent": True}]})
    assert (result["changed"], result["held"], box.table) == (True, "exit status 1", {})
    assert (tmp_path / "persistent").exists()


def test_a_daemon_that_refuses_in_silence_is_found_out(host: Host, box: Daemon, tmp_path: Path) -> None:
    box.silent = True
    assert "its table is another: not advertised as asked 192.0.2.0/24" in host.run(gobgp_route, {"routes": [ROUTE]})["msg"]
    assert not (tmp_path / "volatile").exists()


def test_nobody_who_listens_is_a_warning(host: Host, box: Daemon) -> None:
    box.sessions = []
    assert host.run(gobgp_route, {"routes": [ROUTE]})["changed"]
    assert "its routes reach nobody" in host.warnings[0]


def test_every_mistake_is_named_before_anything_is_advertised(host: Host, box: Daemon) -> None:
    routes = [
        {"prefix": "192.0.2.1/24"},
        {"prefix": "198.51.100.0/24", "local_pref": -1},
        {"prefix": "192.0.2.0/24", "next_hop": "fd00::1", "communities": ["no-exit"], "large_communities": ["1:2"]},
        {"prefix": "192.0.2.0/24", "next_hop": "127.0.0.1"},
    ]
    lines = host.run(gobgp_route, {"routes": routes})["msg"].splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "These routes cannot be steered, and nothing was changed",
        "routes[0].prefix",
        "routes[1].prefix",
        "routes[1].local_pref",
        "routes[2].next_hop",
        "routes[2].communities",
        "routes[2].large_communities",
        "routes[3].next_hop",
        "routes",
    ]
    assert box.table == {}


def test_without_the_role_the_remedy_is_named(host: Host, box: Daemon, tmp_path: Path) -> None:
    (tmp_path / "settings").unlink()
    assert "so this host is no steering box yet" in host.run(gobgp_route, {"routes": [ROUTE]})["msg"]
