"""Module frr_config and RPKI: bgpd takes its module at its start, and that of FRR 8 the caches, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.frr import as_shown, is_old, rpki_section
from ansible_collections.xuegao.net.plugins.modules import frr_config

from .managed_host import Host
from .test_frr_config import Router, path, run

__all__ = ["path"]
SECTION = "rpki\n rpki polling_period 300\n rpki cache tcp 192.0.2.1 3323 preference 1\nexit\n!\n"
TEXT = "frr version 10\n" + SECTION
OLD, NEW = "bgpd version 8.4.4\n", "bgpd version 10.3\n"


class Daemon:
    """A bgpd with or without the module. ``begun``: how often it was started again."""

    def __init__(self, host: Host, path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, loaded: bool, wanted: bool) -> None:
        self.begun = 0
        self.router = Router(host, path)
        self.command_line = path.parent.parent / "command_line"
        pid = path.parent.parent / "bgpd.pid"
        pid.write_text("7\n", encoding="utf-8")
        self.load(loaded=loaded)
        (path.parent / "daemons").write_text(f'bgpd_options="-A 127.0.0.1{" -M rpki" if wanted else ""}"\n', encoding="utf-8")
        monkeypatch.setattr(frr_config, "PID_FILE", str(path.parent.parent / "%s.pid"))
        monkeypatch.setattr(frr_config, "COMMAND_LINE", str(self.command_line) + "%.0s")
        monkeypatch.setattr(frr_config.Frr, "bgpd_version", lambda _frr: version)

        def start_again(_run: object, _vtysh: str, daemon: str) -> None:
            assert daemon == "bgpd"
            self.begun += 1
            self.load(loaded=wanted)
            self.router.running = path.read_text(encoding="utf-8")

        monkeypatch.setattr(frr_config, "start_again", start_again)

    def load(self, *, loaded: bool) -> None:
        self.command_line.write_text("/usr/lib/frr/bgpd\0-A\x00127.0.0.1" + ("\0-M\0rpki" if loaded else "") + "\0", encoding="utf-8")


@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_module_comes_and_goes_with_a_start_of_bgpd(host: Host, path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    daemon = Daemon(host, path, monkeypatch, version, loaded=False, wanted=True)
    told = run(host, path, check=True, content=TEXT)
    assert told["applied"][0] == "bgpd runs without RPKI; to be started again" and daemon.begun == 0
    first, second = run(host, path, content=TEXT), run(host, path, content=TEXT)
    assert first["applied"] == ["bgpd runs without RPKI; it was started again"] and daemon.begun == 1
    assert (second["changed"], second["applied"]) == (False, [])
    daemon = Daemon(host, path, monkeypatch, version, loaded=True, wanted=False)
    assert run(host, path, content="frr version 10\n")["applied"] == ["bgpd runs with RPKI, which is not wanted; it was started again"]
    assert not run(host, path, content="frr version 10\n")["changed"] and daemon.begun == 1


@pytest.mark.parametrize(("version", "begun"), [(OLD, 1), (NEW, 0)])
def test_other_caches_need_a_start_where_frr_is_old(
    host: Host, path: Path, monkeypatch: pytest.MonkeyPatch, version: str, begun: int
) -> None:
    daemon = Daemon(host, path, monkeypatch, version, loaded=True, wanted=True)
    run(host, path, content=TEXT)
    daemon.begun = 0
    assert run(host, path, content=TEXT.replace("preference 1", "preference 2"))["changed"]
    assert daemon.begun == begun
    assert ("cache tcp" in path.read_text(encoding="utf-8")) == (version == NEW)


def test_a_bgpd_that_does_not_run_is_not_started_again(host: Host, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon(host, path, monkeypatch, NEW, loaded=False, wanted=True)
    daemon.router.daemons = "zebra staticd"
    run(host, path, content=TEXT)
    assert daemon.begun == 0


def test_an_empty_section_of_frr_8_is_no_difference(host: Host, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon(host, path, monkeypatch, OLD, loaded=True, wanted=True)
    run(host, path, content="frr version 8\n")
    monkeypatch.setattr(daemon.router, "reload", lambda _command, _data: (0, "Lines To Delete\n===============\nno rpki\n", ""))
    host.program("timeout", lambda command, data: daemon.router.reload(command[2:], data))
    daemon.router.running = "frr version 8\nrpki\nexit\n!\n"
    assert not run(host, path, content="frr version 8\n")["changed"]
    daemon.router.running = "frr version 8\n" + SECTION
    assert run(host, path, content="frr version 8\n")["failed"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (TEXT, ["rpki cache tcp 192.0.2.1 3323 preference 1", "rpki polling_period 300"]),
        ("rpki\nexit\n", []),
        ("route-map A deny 5\n match rpki invalid\n", None),
    ],
)
def test_the_section_is_found(text: str, lines: list[str] | None) -> None:
    assert rpki_section(text) == lines


def test_an_old_frr_has_no_word_for_the_way_to_a_cache() -> None:
    assert (is_old(OLD), is_old(NEW), is_old("")) == (True, False, False)
    assert as_shown(TEXT, OLD, "r1") == TEXT.replace("cache tcp ", "cache ")
    assert as_shown(TEXT, NEW, "r1") == TEXT


@pytest.mark.parametrize(("version", "refused"), [(OLD, True), (NEW, False)])
def test_a_key_of_ospfv3_is_refused_where_newer_routers_would_not_take_it(
    host: Host, path: Path, monkeypatch: pytest.MonkeyPatch, version: str, refused: bool
) -> None:
    Daemon(host, path, monkeypatch, version, loaded=False, wanted=False)
    text = "interface eth0\n ipv6 ospf6 authentication key-id 1 hash-algo hmac-sha-256 key <secret bgp 10.0.0.1>\nexit\n"
    result = run(host, path, content=text)
    assert result.get("failed", False) == refused and path.exists() != refused
    assert ("older than 10" in result.get("msg", "")) == refused
