"""Keys and interfaces of WireGuard: made once, synchronised in place, never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain, ownership, sysfs, wireguard
from ansible_collections.xuegao.net.plugins.modules import wireguard_interfaces, wireguard_key

from .managed_host import Host

PRIVATE = "GIVPLIIU8TTwKqCO7ERqLq1qQ0RZ4jHmGqpmnPtTdlk="
OTHER = "mKD2VsN0dOzlTBc4sXkmlIYAx5GkRw5C6wBuq1uAuWc="
PUBLIC = "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="
PEER = "8Kt3bXCKPSFzrUfTFUCRSjkOCbIXJyDrOSqHXUSxfnU="
PRESHARED = "r6pxqTDQk2vUzSnpnGiUCSzrYCwCzoE0yMqKqqDJCHs="
NEIGHBOR = {"name": "T1", "public_key": PEER, "preshared_key": PRESHARED, "persistent_keepalive": 25}
INTERFACE = {"name": "wg0", "listen_port": 51820, "mtu": 1412, "peers": [NEIGHBOR]}
ENABLED = "ActiveState=active\nUnitFileState=enabled\n"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """/etc/wireguard, and a kernel without interfaces."""
    monkeypatch.setattr(wireguard, "DIRECTORY", str(tmp_path / "wireguard"))
    monkeypatch.setattr(sysfs, "NET", str(tmp_path / "net"))
    (tmp_path / "wireguard").mkdir()
    return tmp_path / "wireguard"


def with_key(etc: Path) -> Path:
    path = etc / "wg0.key"
    path.write_text(PRIVATE + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


# ---- wireguard_key -------------------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_only_its_public_half_is_told(host: Host, etc: Path) -> None:
    host.prints("wg", {"genkey": PRIVATE + "\n", "pubkey": PUBLIC + "\n"})
    first = host.run(wireguard_key, {"interfaces": ["wg0"]})
    assert (first["changed"], first["public_keys"]) == (True, {"wg0": PUBLIC})
    assert (etc / "wg0.key").read_text(encoding="utf-8") == PRIVATE + "\n"
    assert (etc / "wg0.key").stat().st_mode & 0o777 == 0o600
    second = host.run(wireguard_key, {"interfaces": ["wg0"]})
    assert (second["changed"], second["public_keys"]) == (False, {"wg0": PUBLIC})
    assert host.calls.count("wg genkey") == 1
    # By standard input: a command line is shown to every user.
    assert PRIVATE not in json.dumps([first, second]) + " ".join(host.calls)
    assert PRIVATE in host.inputs


def test_check_mode_makes_no_key(host: Host, etc: Path) -> None:
    assert host.run(wireguard_key, {"interfaces": ["wg0"]}, check=True)["public_keys"] == {"wg0": None}
    assert list(etc.iterdir()) == []


def test_a_key_of_a_file_made_by_hand_stays_the_identity(host: Host, etc: Path) -> None:
    (etc / "wg0.conf").write_text(f"[Interface]\nPrivateKey = {OTHER}\n", encoding="utf-8")
    host.prints("wg", {"pubkey": PUBLIC})
    refused = host.run(wireguard_key, {"interfaces": ["wg0"]})
    assert refused["msg"].startswith(f"file {etc / 'wg0.conf'} would be rewritten by role wireguard, and somebody else has made that. ")
    assert refused["msg"].endswith(" Nothing was changed.") and not (etc / "wg0.key").exists()
    # Who only asks changes nothing.
    assert host.run(wireguard_key, {"interfaces": ["wg0"], "create": False})["public_keys"] == {"wg0": PUBLIC}
    host.calls.clear()
    assert host.run(wireguard_key, {"interfaces": ["wg0"], "adopt": True})["changed"]
    assert (etc / "wg0.key").read_text(encoding="utf-8") == OTHER + "\n"
    assert host.calls == ["wg pubkey"]


def test_a_living_interface_without_a_file_keeps_its_identity(host: Host, etc: Path, tmp_path: Path) -> None:
    living(tmp_path)
    host.prints("wg", {"pubkey": PUBLIC, "show wg0 private-key": OTHER + "\n"})
    assert "interface wg0 would be rewritten" in host.run(wireguard_key, {"interfaces": ["wg0"]})["msg"]
    assert host.run(wireguard_key, {"interfaces": ["wg0"], "adopt": True})["public_keys"] == {"wg0": PUBLIC}
    assert (etc / "wg0.key").read_text(encoding="utf-8") == OTHER + "\n"
    assert "wg genkey" not in host.calls
    # One that has none gets one.
    (etc / "wg0.key").unlink()
    host.prints("wg", {"pubkey": PUBLIC, "show wg0 private-key": "(none)\n", "genkey": PRIVATE + "\n"})
    assert host.run(wireguard_key, {"interfaces": ["wg0"], "adopt": True})["changed"]
    assert (etc / "wg0.key").read_text(encoding="utf-8") == PRIVATE + "\n"


def living(tmp_path: Path) -> None:
    """A WireGuard interface of the kernel's, whoever made it."""
    (tmp_path / "net" / "wg0").mkdir(parents=True)
    (tmp_path / "net" / "wg0" / "uevent").write_text("DEVTYPE=wireguard\nINTERFACE=wg0\n", encoding="utf-8")


def test_a_key_that_others_can_read_is_closed(host: Host, etc: Path) -> None:
    with_key(etc).chmod(0o644)
    host.prints("wg", {"pubkey": PUBLIC})
    assert host.run(wireguard_key, {"interfaces": ["wg0"]})["changed"]
    assert (etc / "wg0.key").stat().st_mode & 0o777 == 0o600


def test_a_torn_key_is_named_and_kept(host: Host, etc: Path) -> None:
    (etc / "wg0.key").write_text("torn\n", encoding="utf-8")
    host.program("wg")
    result = host.run(wireguard_key, {"interfaces": ["wg0"]})
    assert "wg0.key holds no WireGuard key" in result["msg"]
    assert (etc / "wg0.key").read_text(encoding="utf-8") == "torn\n"


@pytest.mark.parametrize("text", ["", "torn\n", "\0" * 45])
def test_a_torn_key_comes_back_from_the_file_that_wg_quick_reads(host: Host, etc: Path, text: str) -> None:
    (etc / "wg0.key").write_text(text, encoding="utf-8")
    (etc / "wg0.conf").write_text(f"{wireguard.HEADER}\n[Interface]\nPrivateKey = {PRIVATE}\n", encoding="utf-8")
    host.prints("wg", {"pubkey": PUBLIC})
    told = host.run(wireguard_key, {"interfaces": ["wg0"]}, check=True)
    assert (told["changed"], told["public_keys"], (etc / "wg0.key").read_text(encoding="utf-8")) == (True, {"wg0": PUBLIC}, text)
    first, second = (host.run(wireguard_key, {"interfaces": ["wg0"]}) for _run in range(2))
    assert (first["changed"], second["changed"], first["public_keys"]) == (True, False, {"wg0": PUBLIC})
    assert ((etc / "wg0.key").read_text(encoding="utf-8"), (etc / "wg0.key").stat().st_mode & 0o777) == (PRIVATE + "\n", 0o600)
    assert "wg genkey" not in host.calls


# ---- wireguard_interfaces ------------------------------------------------------------------------------------------------------------------


def dump(keepalive: str = "25") -> str:
    """What `wg show wg0 dump` says of it."""
    return f"{PRIVATE}\t{PUBLIC}\t51820\toff\n{PEER}\t{PRESHARED}\t198.51.100.1:51820\t0.0.0.0/0,::/0\t0\t0\t0\t{keepalive}\n"


def install(host: Host, live: str = "", unit: str = ENABLED, public: str = PUBLIC) -> None:
    """Install WireGuard. live: what the dump of wg0 says. public: its public key after syncconf."""
    says = {"show interfaces": "wg0\n", "show wg0 dump": live, "show wg0 public-key": public + "\n"}

    def wg(command: list[str], _data: str | None) -> tuple[int, str, str]:
        return 0, says.get(" ".join(command[1:]), ""), ""

    host.program("wg", wg)
    host.program("wg-quick", lambda command, _data: (0, Path(command[2]).read_text(encoding="utf-8"), ""))
    host.prints("systemctl", {"show": unit})
    host.program("ip")


def alive(tmp_path: Path, mtu: int = 1412) -> None:
    (tmp_path / "net" / "wg0").mkdir(parents=True)
    (tmp_path / "net" / "wg0" / "mtu").write_text(f"{mtu}\n", encoding="utf-8")
    (tmp_path / "net" / "wg0" / "flags").write_text("0x91\n", encoding="utf-8")


def written(etc: Path) -> Path:
    """wg0.conf as this module writes it."""
    path = etc / "wg0.conf"
    declared = {**INTERFACE, "peers": [{**NEIGHBOR, "allowed_ips": ["0.0.0.0/0", "::/0"]}]}
    path.write_text(wireguard.conf_text(declared, PRIVATE), encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("key", ["name", "public_key", "preshared_key", "endpoint"])
@pytest.mark.parametrize("more", ["\nPostUp = reboot", "\r\n[Interface]", "\u2028#"])
def test_no_value_begins_a_line_of_its_own(key: str, more: str) -> None:
    """The role's variables are validated before; this module may be called without them."""
    peer = {**NEIGHBOR, "allowed_ips": ["0.0.0.0/0"], key: f"x{more}"}
    with pytest.raises(wireguard.WireGuardError, match=r"wg0 was not changed: a value .* holds a line break"):
        wireguard.conf_text({**INTERFACE, "peers": [peer]}, PRIVATE)


CHANGES = (
    "wg syncconf",
    "wg set",
    "wg-quick",
    "systemctl restart",
    "systemctl stop",
    "systemctl enable",
    "systemctl disable",
    "systemctl unmask",
    "systemctl daemon-reload",
    "ip ",
)


def changes(host: Host) -> list[str]:
    return [call for call in host.calls if call.startswith(CHANGES)]


def test_what_is_as_declared_is_left_alone(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    written(etc)
    alive(tmp_path)
    install(host, dump())
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert (result["changed"], result["actions"], changes(host)) == (False, [], [])


def test_a_new_interface_is_written_and_started(host: Host, etc: Path) -> None:
    with_key(etc)
    install(host, unit="ActiveState=inactive\nUnitFileState=disabled\n")
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    path = etc / "wg0.conf"
    assert result["actions"] == [f"wg0: write {path}", "wg0: start wg-quick@wg0", "wg0: enable wg-quick@wg0"]
    assert changes(host)[1:] == ["systemctl restart wg-quick@wg0.service", "systemctl enable --quiet wg-quick@wg0.service"]
    assert f"PrivateKey = {PRIVATE}" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    assert PRIVATE not in json.dumps(result)
    assert PRESHARED not in json.dumps(result)
    assert "PrivateKey = <secret>" in result["diff"][0]["after"]


def test_drift_is_repaired_in_place(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    written(etc)
    alive(tmp_path, mtu=1500)
    install(host, dump(keepalive="off"))
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert result["actions"] == ["wg0: synchronise (persistent_keepalive of peer T1)", "wg0: MTU 1500, declared 1412"]
    assert [call.split()[:3] for call in changes(host)][1:] == [["wg", "syncconf", "wg0"], ["ip", "link", "set"]]


@pytest.mark.parametrize(
    ("declared", "drained"),
    [
        ({}, []),
        ({"mtu": 1400}, []),
        ({"peers": [{**NEIGHBOR, "persistent_keepalive": 5}]}, []),
        ({"peers": [NEIGHBOR, {"name": "T3", "public_key": PUBLIC}]}, []),
        ({"listen_port": 51821}, ["wg0"]),
        ({"peers": [{**NEIGHBOR, "preshared_key": OTHER}]}, ["wg0"]),
        ({"peers": [{**NEIGHBOR, "public_key": PUBLIC}]}, ["wg0"]),
    ],
)
def test_what_interrupts_a_tunnel_drains_it_first(
    host: Host, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: dict[str, Any], drained: list[str]
) -> None:
    """A change that both ends need not have at once lets the traffic be."""
    with_key(etc)
    written(etc)
    alive(tmp_path)
    install(host, dump())
    seen: list[tuple[list[str], int]] = []

    @contextmanager
    def record(_module: object, interfaces: list[str], seconds: int) -> Iterator[list[str]]:
        assert not [call for call in changes(host) if call.startswith("wg syncconf")]
        seen.append((interfaces, seconds))
        yield ["wg0: drain"] if interfaces else []

    monkeypatch.setattr(frr_drain, "drained", record)
    result = host.run(wireguard_interfaces, {"interfaces": [{**INTERFACE, **declared}], "drain_seconds": 7})
    assert seen == [(drained, 7)]
    assert ("wg0: drain" in result["actions"]) == bool(drained)


def test_check_mode_only_tells(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    alive(tmp_path)
    install(host, dump(keepalive="off"))
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]}, check=True)
    assert result["changed"]
    assert (changes(host), (etc / "wg0.conf").exists()) == ([], False)
    assert PRIVATE not in json.dumps(result)


def test_an_identity_lost_by_syncconf_is_put_back(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    alive(tmp_path)
    install(host, dump(), public=OTHER)
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert f"wg0 lost its identity in `wg syncconf` (public key {PUBLIC}, then {OTHER}); the private key was put back" in result["msg"]
    assert f"wg set wg0 private-key {etc / 'wg0.key'}" in host.calls
    # A refused file does not stay for the next boot.
    assert not (etc / "wg0.conf").exists()


def test_a_file_without_its_key_reaches_no_living_interface(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    alive(tmp_path)
    install(host, dump())
    host.program("wg-quick")
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert "`wg-quick strip` gives a file without PrivateKey" in result["msg"]
    assert not [call for call in host.calls if call.startswith("wg syncconf")]


def test_a_file_that_wg_quick_refuses_is_named_without_its_key(host: Host, etc: Path) -> None:
    with_key(etc)
    install(host, unit="ActiveState=inactive\nUnitFileState=disabled\n")
    host.program("wg-quick", lambda _command, _data: (1, "", f"Line unrecognized: `PrivateKey={PRIVATE}'"))
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert "Line unrecognized" in result["msg"]
    assert PRIVATE not in json.dumps(result)


def test_a_unit_that_does_not_start_leaves_the_former_file(host: Host, etc: Path) -> None:
    with_key(etc)
    (etc / "wg0.conf").write_text("# by hand\n", encoding="utf-8")
    install(host)
    host.prints("systemctl", {"show": "ActiveState=failed\nUnitFileState=enabled\n", "restart": (1, "failed")})
    host.prints("journalctl", {"": f"RTNETLINK answers\nPrivateKey = {PRIVATE}\n"})
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE], "adopt": True})
    assert "systemctl restart wg-quick@wg0.service: failed\nRTNETLINK answers" in result["msg"]
    assert PRIVATE not in json.dumps(result)
    assert (etc / "wg0.conf").read_text(encoding="utf-8") == "# by hand\n"


@pytest.mark.parametrize(("key", "fails"), [("no key", True), (wireguard.UNKNOWN_KEY, True), (PEER, False)])
def test_keys_are_checked_before_anything_is_done(host: Host, etc: Path, key: str, fails: bool) -> None:
    with_key(etc)
    install(host)
    declared = {**INTERFACE, "peers": [{"name": "T1"}]}
    result = host.run(wireguard_interfaces, {"interfaces": [declared], "public_keys": {"wg0": {"T1": key}}})
    assert result.get("failed", False) is fails
    if fails:
        assert result["msg"] == f"wg0: peer T1: {key!r} is no WireGuard public key"
        assert host.calls == []


def test_a_prediction_goes_on_without_a_key_that_is_yet_to_be_made(host: Host, etc: Path) -> None:
    declared = {**INTERFACE, "peers": [{"name": "T1", "public_key": wireguard.UNKNOWN_KEY}]}
    assert host.run(wireguard_interfaces, {"interfaces": [declared]}, check=True)["changed"]


def unlisted(host: Host, etc: Path, **more: Any) -> dict[str, Any]:
    (etc / "wg9.conf").write_text(wireguard.HEADER + "\n", encoding="utf-8")
    (etc / "wg8.conf").write_text("# by hand\n", encoding="utf-8")
    install(host)
    return host.run(wireguard_interfaces, {"interfaces": [], **more})


def test_a_list_that_got_lost_takes_no_tunnel_down(host: Host, etc: Path) -> None:
    assert "set wireguard_remove_all: true. Nothing was changed." in unlisted(host, etc)["msg"]
    assert (changes(host), (etc / "wg9.conf").exists()) == ([], True)


def test_an_interface_of_the_owners_runs_again_with_his_file(host: Host, etc: Path) -> None:
    with_key(etc)
    (etc / "wg0.conf").write_text("# by hand\n", encoding="utf-8")
    install(host)
    host.prints("systemctl", {"show": ENABLED, "is-enabled": "enabled\n"})
    for check in (True, False):
        refused = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]}, check=check)
        assert f"file {etc / 'wg0.conf'} would be rewritten" in refused["msg"] and refused["msg"].endswith("Nothing was changed.")
    assert changes(host) == [] and (etc / "wg0.conf").read_text(encoding="utf-8") == "# by hand\n"
    shown = host.run(wireguard_interfaces, {"interfaces": [INTERFACE], "adopt": True}, check=True)["diff"][0]
    assert (shown["before"], "PrivateKey = <secret>" in shown["after"]) == ("# by hand\n", True)
    host.run(wireguard_interfaces, {"interfaces": [INTERFACE], "adopt": True})
    # Once it is taken over, it is ours.
    assert not host.run(wireguard_interfaces, {"interfaces": [INTERFACE]}).get("failed")
    host.prints("systemctl", {"show": ENABLED, "start": (1, "failed")})
    assert "failed" in host.run(wireguard_interfaces, {"interfaces": [], "remove_all": True})["msg"]
    # The next run goes on, and takes his file for no leftover of ours.
    host.prints("systemctl", {"show": ENABLED})
    host.calls.clear()
    host.run(wireguard_interfaces, {"interfaces": [], "remove_all": True})
    assert [call for call in host.calls if call.startswith(("systemctl st", "systemctl dis"))] == [
        "systemctl stop wg-quick@wg0.service",
        "systemctl start wg-quick@wg0.service",
    ]
    assert (etc / "wg0.conf").read_text(encoding="utf-8") == "# by hand\n"


def test_what_was_ours_and_is_not_listed_goes(host: Host, etc: Path) -> None:
    result = unlisted(host, etc, remove_all=True)
    assert result["actions"] == ["wg9: stop, disable and remove; its key file stays"]
    assert changes(host) == ["systemctl stop wg-quick@wg9.service", "systemctl disable wg-quick@wg9.service"]
    assert [path.name for path in etc.iterdir()] == ["wg8.conf"]


def test_another_interface_of_that_name_is_refused(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    alive(tmp_path)
    install(host)
    host.program("wg")
    assert "wg0 exists and is no WireGuard interface" in host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})["msg"]


def test_a_change_has_a_way_back_before_the_living_interface_changes(host: Host, etc: Path, tmp_path: Path, way_back: Path) -> None:
    with_key(etc)
    written(etc)
    alive(tmp_path)
    install(host, dump(keepalive="9"))
    host.program("systemd-run")
    host.run(wireguard_interfaces, {"interfaces": [INTERFACE], "way_back_seconds": 60})
    changes_of_it = [call.split()[0] for call in host.calls if call.startswith(("systemd-run", "wg syncconf"))]
    assert changes_of_it == ["systemd-run", "wg"]
    notes = [json.loads(line) for line in (way_back / "armed/journal").read_text(encoding="utf-8").splitlines()]
    record = [{"file": f"{ownership.directory()}/wireguard.json{end}", "saved": None} for end in ("", ".copy")]
    assert notes == [*record, {"unit": "wg-quick@wg0.service", "stage": 10}, {"wireguard": "wg0"}]


# ---- faults --------------------------------------------------------------------------------------------------------------------------------


def test_an_interface_that_was_deleted_comes_back_though_its_unit_is_active(host: Host, etc: Path) -> None:
    """`start` does nothing then."""
    with_key(etc)
    written(etc)
    install(host)
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert result["actions"] == ["wg0: restart wg-quick@wg0, whose interface is gone"]
    assert changes(host)[1:] == ["systemctl restart wg-quick@wg0.service"]


def test_one_that_was_renamed_goes_before_its_key_and_port_are_needed(host: Host, etc: Path) -> None:
    with_key(etc)
    written(etc)
    install(host)
    all_of_them = "".join("other\t" + line + "\n" for line in dump().splitlines())
    host.program("wg", lambda command, _data: (0, all_of_them if command[2:] == ["all", "dump"] else "", ""))
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert result["actions"][1] == "wg0: delete other, which has its key and port"
    assert changes(host)[1:] == ["ip link delete dev other", "systemctl restart wg-quick@wg0.service"]


def test_one_that_was_taken_down_comes_up(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    written(etc)
    alive(tmp_path)
    (tmp_path / "net/wg0/flags").write_text("0x90\n", encoding="utf-8")
    install(host, dump())
    assert host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})["actions"] == ["wg0: set up"]
    assert changes(host) == ["ip link set dev wg0 up"]


def test_a_mask_goes_and_a_definition_that_a_killed_run_left_is_read(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    written(etc)
    alive(tmp_path)
    unit = "wg-quick@wg0.service"
    install(host, dump(), unit="LoadState=masked\nActiveState=active\nUnitFileState=masked\nNeedDaemonReload=yes\n")
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE]})
    assert result["actions"] == [f"{unit}: unmask", f"{unit}: read its definition again", "wg0: enable wg-quick@wg0"]
    assert changes(host) == [
        f"systemctl unmask --quiet {unit}",
        f"systemctl unmask --quiet --runtime {unit}",
        "systemctl daemon-reload",
        f"systemctl enable --quiet {unit}",
    ]


def test_a_definition_that_the_caller_wrote_is_read_before_the_unit_starts(host: Host, etc: Path, tmp_path: Path) -> None:
    with_key(etc)
    written(etc)
    alive(tmp_path)
    install(host, dump())
    result = host.run(wireguard_interfaces, {"interfaces": [INTERFACE], "unit_changed": True})
    assert (result["changed"], changes(host)) == (False, ["systemctl daemon-reload"])
