"""What the modules share: waiting, commands, systemd, trial files, secrets in texts, and what wg and iproute2 print."""

from __future__ import annotations

import ast
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr, trial, wireguard, wireguard_dump
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError, output
from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_links, json_objects, link_addresses
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import ANY, cover_values, placeholder, put_in, take_out, where_like
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd, has_systemd, show_command
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file, trial_file_beside
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.modules import gobgp_config
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

ROOT = Path(__file__).resolve().parents[3]


# ---- waiting -------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only sleeping moves; gives the naps."""
    naps: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: sum(naps))
    monkeypatch.setattr(time, "sleep", naps.append)
    return naps


def test_waiting_ends_with_the_first_that_is_enough(clock: list[float]) -> None:
    seen = iter([3, 2, 1, 0])
    assert wait_until(lambda: next(seen), lambda left: left == 1, seconds=60, pause=2) == 1
    assert clock == [2, 2]


def test_waiting_ends_with_the_time_and_tells_what_was_seen_last(clock: list[float]) -> None:
    seen: Iterator[int] = iter(range(100))
    assert wait_until(lambda: next(seen), lambda _seen: False, seconds=5, pause=2) == 3
    assert clock == [2, 2, 2]


def test_no_time_is_one_look(clock: list[float]) -> None:
    assert wait_until(lambda: "here", lambda _seen: False, seconds=0, pause=2) == "here"
    assert clock == []


# ---- commands and systemd ------------------------------------------------------------------------------------------------------------------


class Recorder:
    """A host that answers every command in the same way."""

    def __init__(self, status: int = 0, out: str = "", err: str = "") -> None:
        self.answer = (status, out, err)
        self.calls: list[str] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        self.calls.append(" ".join(command))
        return self.answer


def test_a_command_that_fails_is_named_with_what_it_said() -> None:
    with pytest.raises(CommandError, match=r"^wg show wg0: no such device$") as caught:
        output(Recorder(1, "ignored", "no such device\n"), "wg", "show", "wg0")
    assert caught.value.said == "no such device"
    assert output(Recorder(0, "yes\n"), "wg") == "yes\n"


def test_properties_of_several_units() -> None:
    host = Recorder(out="ActiveState=active\nUnitFileState=enabled\n\nActiveState=inactive\nUnitFileState=\n")
    assert Systemd(host).properties(["a.service", "b.service"], "ActiveState", "UnitFileState") == {
        "a.service": {"ActiveState": "active", "UnitFileState": "enabled"},
        "b.service": {"ActiveState": "inactive", "UnitFileState": ""},
    }
    assert host.calls == ["systemctl show --property=ActiveState,UnitFileState a.service b.service"]
    # Without a unit systemctl would show the manager itself.
    assert Systemd(host).properties([], "ActiveState") == {}
    assert len(host.calls) == 1


@pytest.mark.parametrize(
    ("said", "enabled"), [("enabled\n", True), ("static\n", False), ("enabled-runtime\n", False), ("disabled\n", False)]
)
def test_only_what_somebody_enabled_is_enabled(said: str, enabled: bool) -> None:
    assert Systemd(Recorder(out=said)).is_enabled("x.service") is enabled


def test_what_shows_units_and_whether_a_host_has_any() -> None:
    assert show_command(["a.service"], "Id", "After") == ["systemctl", "show", "--property=Id,After", "a.service"]
    assert has_systemd({"systemctl": "/usr/bin/systemctl"}.get) and not has_systemd({"ip": "/usr/sbin/ip"}.get)


def test_a_timer_is_started_and_cancelled_under_one_name() -> None:
    host = Recorder()
    Systemd(host).start_later("xgn-x", 60, ["/bin/sh", "/run/x"], "Puts x back")
    assert Systemd(host).cancel("xgn-x")
    assert host.calls[0].startswith("systemd-run --quiet --collect --unit=xgn-x --on-active=60s ")
    assert host.calls[0].endswith(" /bin/sh /run/x")
    assert host.calls[1] == "systemctl stop xgn-x.timer"
    assert not Systemd(Recorder(5, err="not loaded")).cancel("xgn-x")


# ---- trial files ---------------------------------------------------------------------------------------------------------------------------


def test_a_trial_file_is_private_in_memory_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trial.IN_MEMORY == "/run"
    monkeypatch.setattr(trial, "IN_MEMORY", str(tmp_path))
    with trial_file("wg0.conf", "PrivateKey = x\n") as path:
        assert os.path.dirname(os.path.dirname(path)) == str(tmp_path)
        assert (os.path.basename(path), Path(path).read_text(encoding="utf-8")) == ("wg0.conf", "PrivateKey = x\n")
        assert (os.stat(path).st_mode & 0o777, os.stat(os.path.dirname(path)).st_mode & 0o777) == (0o600, 0o700)
    assert list(tmp_path.iterdir()) == []


def test_without_such_a_place_a_trial_file_is_where_the_system_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "IN_MEMORY", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with trial_file("x", "y") as path:
        assert path.startswith(str(tmp_path))


def test_a_trial_file_goes_with_an_error_too(tmp_path: Path) -> None:
    def refuse() -> None:
        with trial_file_beside(str(tmp_path / "frr.conf"), "x", 0o640, -1, -1) as path:
            assert os.path.basename(path).startswith(".frr.conf.")
            assert os.stat(path).st_mode & 0o777 == 0o640
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        refuse()
    assert list(tmp_path.iterdir()) == []


# ---- secrets in texts ----------------------------------------------------------------------------------------------------------------------


def test_placeholders_are_filled() -> None:
    assert placeholder("bgp default 192.0.2.1") == "<secret bgp default 192.0.2.1>"
    assert put_in(placeholder("one"), {"one": "1"}) == "1"
    assert put_in("a <secret one> b <secret two>", {"one": "1", "two": "2"}) == "a 1 b 2"
    # Nothing of a value is an instruction.
    assert put_in("<secret one>", {"one": r"\1<secret two>"}) == r"\1<secret two>"
    with pytest.raises(KeyError, match="two"):
        put_in("<secret two>", {"one": "1"})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (" neighbor 10.0.0.1 password swordfish", " neighbor 10.0.0.1 password <secret bgp 10.0.0.1>"),
        # Shared by two: the name that the line mentions.
        (" neighbor 10.0.0.2 password swordfish", " neighbor 10.0.0.2 password <secret bgp 10.0.0.2>"),
        (" no neighbor 10.0.0.9 password gone", " no neighbor 10.0.0.9 password <former secret>"),
        (" neighbor 10.0.0.9 password two words", " neighbor 10.0.0.9 password <former secret>"),
        ("enable password 8 hash", "enable password 8 <former secret>"),
        (" isis password md5 x", " isis password md5 <former secret>"),
        (" ip ospf message-digest-key 1 md5 x", " ip ospf message-digest-key 1 md5 <former secret>"),
        (" ip ospf authentication-key x", " ip ospf authentication-key <former secret>"),
        (
            " area 0 virtual-link 10.0.0.1 message-digest-key 1 md5 x",
            " area 0 virtual-link 10.0.0.1 message-digest-key 1 md5 <former secret>",
        ),
        (
            " ipv6 ospf6 authentication key-id 1 hash-algo md5 key x",
            " ipv6 ospf6 authentication key-id 1 hash-algo md5 key <former secret>",
        ),
        ("  key-string x", "  key-string <former secret>"),
        # A message that quotes one.
        ("2024 WARNING: failed: neighbor 10.0.0.9 password x", "2024 WARNING: failed: neighbor 10.0.0.9 password <former secret>"),
        (" neighbor 10.0.0.1 description the password is with Bob", " neighbor 10.0.0.1 description the password is with Bob"),
        (" neighbor 10.0.0.1 remote-as 65502", " neighbor 10.0.0.1 remote-as 65502"),
    ],
)
def test_secrets_of_frr_are_taken_out(line: str, shown: str) -> None:
    secrets = {"bgp 10.0.0.1": "swordfish", "bgp 10.0.0.2": "swordfish"}
    text = f"router bgp 1\n{line}\n!\n"
    assert take_out(text, frr.SECRETS, secrets) == f"router bgp 1\n{shown}\n!\n"


def test_taking_out_undoes_putting_in() -> None:
    template = " neighbor 10.0.0.1 password <secret bgp 10.0.0.1>\n neighbor 10.0.0.2 password <secret bgp 10.0.0.2>\n"
    secrets = {"bgp 10.0.0.1": "one", "bgp 10.0.0.2": "two"}
    assert take_out(put_in(template, secrets), frr.SECRETS, secrets) == template


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('  auth-password = "a\\"b"', '  auth-password = "<secret bgp 10.0.0.1>"'),
        ('  auth-password = "other"', '  auth-password = "<former secret>"'),
        ("  auth-password='literal'", "  auth-password='<former secret>'"),
        ('  auth-password = ""', '  auth-password = "<former secret>"'),
        ('  peer-as = "x"', '  peer-as = "x"'),
    ],
)
def test_secrets_of_gobgp_are_taken_out(line: str, shown: str) -> None:
    text = f"[a]\n{line}\n[b]\n"
    shown_text = take_out(text, gobgp_config.SECRETS, {"bgp 10.0.0.1": 'a"b'}, written=gobgp_config.quoted)
    assert shown_text == f"[a]\n{shown}\n[b]\n"


def test_no_part_of_a_literal_with_a_comment_stays() -> None:
    assert "swordfish" not in take_out('auth-password = "swordfish" # old\n', gobgp_config.SECRETS)


def test_known_secrets_are_covered_wherever_they_stand() -> None:
    names = {"word": "short", "wordlong": "long", "secret": "odd", "": "none"}
    assert cover_values("a wordlong, a word, a secret", names) == "a <secret long>, a <secret short>, a <secret odd>"
    assert cover_values("a word", {"": "none"}) == "a word"


def test_keys_of_wireguard_are_taken_out() -> None:
    text = "[Interface]\nPrivateKey = abc=\nListenPort = 1\n[Peer]\nPublicKey = pub\nPresharedKey=def=\n"
    shown = "[Interface]\nPrivateKey = <secret>\nListenPort = 1\n[Peer]\nPublicKey = pub\nPresharedKey=<secret>\n"
    assert wireguard.without_secrets(text) == shown
    assert "abc" not in wireguard.without_secrets("Line unrecognized: `PrivateKey=abc='")
    assert take_out("PrivateKey =\nListenPort = 1\n", wireguard.SECRETS, unknown=ANY) == "PrivateKey =<secret>\nListenPort = 1\n"


@pytest.mark.parametrize(
    ("template", "before", "shown"),
    [
        (
            'ike {\n    secret = "<secret l2tp5>"\n}\n',
            'ike {\n    secret = "former"\n    id = 1\n}\n',
            'ike {\n    secret = "<former secret>\n    id = 1\n}\n',
        ),
        ("no secret\n", 'secret = "x"\n', 'secret = "x"\n'),
        # A whole line: then any line may have been one.
        ("<secret all>\n", "a\nb\n", "<former secret>\n<former secret>\n"),
        ("a.b <secret one>\n", "axb x\na.b x\n", "axb x\na.b <former secret>\n"),
    ],
)
def test_a_former_text_is_covered_where_its_successor_has_placeholders(template: str, before: str, shown: str) -> None:
    assert take_out(before, where_like(template)) == shown


# ---- what programs print -------------------------------------------------------------------------------------------------------------------


def test_one_interface_of_the_dump_is_read_like_all() -> None:
    lines = "PRIV\tPUB\t51820\t0xca6c\nPEER\t(none)\t(none)\t(none)\t0\t1\t2\toff\n"
    one = wireguard_dump.parse_one(lines)
    assert one == wireguard_dump.parse_all("".join(f"wg0\t{line}\n" for line in lines.splitlines()))["wg0"]
    assert (one.private_key, one.public_key, one.listen_port, one.fwmark) == ("PRIV", "PUB", 51820, 0xCA6C)
    assert one.peers["PEER"] == wireguard_dump.Peer(None, None, frozenset(), 0, 1, 2, 0)


@pytest.mark.parametrize("text", ["", "a\tb\n", "PEER\t(none)\t(none)\t(none)\t0\t1\t2\toff\n"])
def test_what_is_no_dump(text: str) -> None:
    with pytest.raises(ValueError, match="wg show"):
        wireguard_dump.parse_one(text)


def test_objects_of_iproute2() -> None:
    assert json_objects("") == []
    assert json_objects('[{},{"dst":"default"}]') == [{"dst": "default"}]
    links = json_links('[{},{"addr_info":[{}]},{"ifname":"eth0","addr_info":[{},{"local":"192.0.2.1","prefixlen":24}]},{"ifname":"lo"}]')
    assert {name: link_addresses(link) for name, link in links.items()} == {"eth0": [{"local": "192.0.2.1", "prefixlen": 24}], "lo": []}


# ---- programs that stand alone -------------------------------------------------------------------------------------------------------------


def test_role_vrf_installs_every_part_of_its_program() -> None:
    """The program for the boot has no collection to import from: each file it needs is named."""
    files = read_yaml((ROOT / "roles/vrf/vars/main.yml").read_text(encoding="utf-8"))["__vrf_program"]
    parts = [file["path"].rpartition("/")[2] for file in files]
    assert all(f"~ '/{part}')" in file["content"] for part, file in zip(parts, files))
    needed = {"interface_layer"}
    package = "ansible_collections.xuegao.net.plugins.module_utils"
    for part in parts:
        for node in ast.walk(ast.parse((ROOT / "plugins/module_utils" / part).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
                inner = str(node.module)[len(package) + 1 :]
                needed |= {inner} if inner else {item.name for item in node.names}
    assert {f"{name}.py" for name in needed} == set(parts)


@pytest.mark.parametrize("path", sorted((ROOT / "plugins" / "modules").glob("*.py")), ids=lambda path: path.stem)
def test_main_fits_a_screen(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 50
