"""Keys and tunnels of OpenVPN: one private file each, daemons that run with what is declared, and a way back from a bad configuration."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain, openvpn, openvpn_daemon, removal, sysfs
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import UNKNOWN_KEY
from ansible_collections.xuegao.net.plugins.modules import openvpn_key, openvpn_tunnels

from .managed_host import Host

UNIT = "openvpn-server@ovpn2.service"
TUNNEL = {
    "name": "ovpn2",
    "role": "server",
    "config": f"{openvpn.HEADER}\ndev ovpn2\n",
    "dropin": f"[Service]\nEnvironment=XGN_CONFIGURATION={openvpn.DIGEST}\n",
    "mtu": 1400,
}
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def certificate(text: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(text).decode()}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host's directories, empty."""
    for module, name, path in (
        (openvpn, "DIRECTORY", "openvpn"),
        (openvpn, "KEYS", "openvpn/keys"),
        (openvpn, "UNITS", "units"),
        (sysfs, "NET", "net"),
        (openvpn_daemon, "PROC", "proc"),
        (removal, "UNIT_FILES", "units"),
    ):
        (tmp_path / path).mkdir(exist_ok=True)
        monkeypatch.setattr(module, name, str(tmp_path / path))
    return tmp_path


# ---- openvpn_key ---------------------------------------------------------------------------------------------------------------------------


def install_openssl(host: Host) -> None:
    """An openssl that makes another certificate each time."""
    made: list[str] = []

    def openssl(command: list[str], _data: str | None) -> tuple[int, str, str]:
        made.append("one")
        Path(command[command.index("-keyout") + 1]).write_text(KEY, encoding="utf-8")
        Path(command[command.index("-out") + 1]).write_text(certificate(b"certificate %d" % len(made)), encoding="utf-8")
        return 0, "", ""

    host.program("openssl", openssl)


def keys(root: Path) -> dict[str, int]:
    """The key files of the host, with their modes."""
    return {path.name: path.stat().st_mode & 0o777 for path in sorted((root / "openvpn/keys").iterdir())}


def test_a_key_is_made_once(host: Host, root: Path) -> None:
    install_openssl(host)
    first = host.run(openvpn_key, {"tunnels": ["ovpn2"], "common_name": "hq/core"})
    again = host.run(openvpn_key, {"tunnels": ["ovpn2"]})
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["fingerprints"] == again["fingerprints"] and len(first["fingerprints"]["ovpn2"]) == 1
    assert (keys(root), (root / "openvpn/keys").stat().st_mode & 0o777) == ({"ovpn2.pem": 0o600}, 0o700)
    assert (root / "openvpn/keys/ovpn2.pem").read_text(encoding="utf-8").startswith(KEY)
    assert "c2VjcmV0" not in json.dumps([first, again])
    assert "/CN=hq_core" in host.calls[0]
    # What openssl wrote on the way is gone.
    assert list(host.temporary.iterdir()) == []


def test_a_new_key_comes_in_steps(host: Host, root: Path) -> None:
    """Each is done once, whoever asks again; what peers have to accept is the key in use and one more."""
    install_openssl(host)
    seen = []
    for step in ("make", "next", "next", "make", "switch", "switch", "next", "make", "drop", "drop", "read"):
        result = host.run(openvpn_key, {"tunnels": ["ovpn2"], "step": step})
        seen.append((step, result["changed"], result["rotation"]["ovpn2"], result["fingerprints"]["ovpn2"]))
        assert "c2VjcmV0" not in json.dumps(result)
    old, new = seen[1][3]
    assert old != new
    assert seen == [
        ("make", True, "", [old]),
        ("next", True, "next", [old, new]),
        ("next", False, "next", [old, new]),
        ("make", False, "next", [old, new]),
        ("switch", True, "former", [new, old]),
        ("switch", False, "former", [new, old]),
        ("next", False, "former", [new, old]),
        ("make", False, "former", [new, old]),
        ("drop", True, "", [new]),
        ("drop", False, "", [new]),
        ("read", False, "", [new]),
    ]
    assert keys(root) == {"ovpn2.pem": 0o600}


def test_a_step_of_a_tunnel_without_key_makes_one_at_least(host: Host, root: Path) -> None:
    """Nothing is switched to and nothing dropped, and a next key has something to be the next of."""
    install_openssl(host)
    assert host.run(openvpn_key, {"tunnels": ["a"], "step": "read"})["fingerprints"] == {"a": []}
    for name, step, files in (("b", "switch", 1), ("c", "drop", 1), ("d", "next", 2)):
        result = host.run(openvpn_key, {"tunnels": [name], "step": step})
        assert (result["changed"], len(result["fingerprints"][name])) == (True, files)


def test_check_mode_tells_of_each_step_and_does_none(host: Host, root: Path) -> None:
    install_openssl(host)
    for before, step, changed in (("make", "next", True), ("next", "switch", True), ("next", "drop", False), ("switch", "drop", True)):
        host.run(openvpn_key, {"tunnels": ["ovpn2"], "step": before})
        stored = {path.name: path.read_text(encoding="utf-8") for path in (root / "openvpn/keys").iterdir()}
        assert host.run(openvpn_key, {"tunnels": ["ovpn2"], "step": step}, check=True)["changed"] is changed, step
        assert {path.name: path.read_text(encoding="utf-8") for path in (root / "openvpn/keys").iterdir()} == stored


def test_check_mode_makes_no_key(host: Host, root: Path) -> None:
    result = host.run(openvpn_key, {"tunnels": ["ovpn2"]}, check=True)
    assert (result["changed"], result["fingerprints"], host.calls) == (True, {"ovpn2": []}, [])


def test_a_key_that_others_can_read_is_closed(host: Host, root: Path) -> None:
    for name, mode in (("ovpn2.pem", 0o640), ("ovpn2.next", 0o604)):
        (root / "openvpn/keys" / name).write_text(KEY + certificate(name.encode()), encoding="utf-8")
        (root / "openvpn/keys" / name).chmod(mode)
    assert host.run(openvpn_key, {"tunnels": ["ovpn2"]})["changed"]
    assert keys(root) == {"ovpn2.next": 0o600, "ovpn2.pem": 0o600}
    assert not host.run(openvpn_key, {"tunnels": ["ovpn2"]})["changed"]


def test_an_emptied_key_is_named_and_no_new_identity_made(host: Host, root: Path) -> None:
    install_openssl(host)
    path = root / "openvpn/keys/ovpn2.pem"
    path.touch(mode=0o600)
    result = host.run(openvpn_key, {"tunnels": ["ovpn2"]})
    assert result["msg"] == f"{path} is empty. Remedy: restore it, or delete it to get a new identity, which the peer has to learn."
    assert (path.read_text(encoding="utf-8"), host.calls) == ("", [])


def test_without_openssl_the_remedy_is_named(host: Host, root: Path) -> None:
    assert (
        host.run(openvpn_key, {"tunnels": ["ovpn2"]})["msg"]
        == "openssl is not installed, so no key of tunnel ovpn2 was made. Remedy: install the package openssl."
    )


# ---- openvpn_tunnels -----------------------------------------------------------------------------------------------------------------------


def install(host: Host, root: Path, unit: str = "ActiveState=inactive\nUnitFileState=disabled\nMainPID=0\n", **systemctl: Any) -> None:
    """Install OpenVPN, with the tunnel's key. unit: what systemctl shows of the tunnel's unit."""
    (root / "openvpn/keys/ovpn2.pem").write_text(KEY + certificate(b"x"), encoding="utf-8")
    host.prints("systemctl", {"show": unit, "is-active": (3, ""), **systemctl})
    host.program("openvpn")
    host.program("ip")


def running(host: Host, root: Path, tunnel: dict[str, Any]) -> None:
    """The tunnel runs with these files."""
    host.program("systemctl")
    install(host, root)
    assert "failed" not in host.run(openvpn_tunnels, {"tunnels": [tunnel]})
    digest = openvpn.configuration_digest(tunnel, openvpn.fingerprint("ovpn2"))
    (root / "proc/7").mkdir(parents=True)
    (root / "proc/7/environ").write_bytes(b"PATH=/bin\0XGN_CONFIGURATION=" + digest.encode() + b"\0")
    (root / "net/ovpn2").mkdir()
    (root / "net/ovpn2/mtu").write_text("1400\n", encoding="utf-8")
    (root / "net/ovpn2/flags").write_text("0x1091\n", encoding="utf-8")
    (root / "proc/7/fdinfo").mkdir()
    (root / "proc/7/fdinfo/3").write_text("pos:\t0\n", encoding="utf-8")
    (root / "proc/7/fdinfo/5").write_text("pos:\t0\niff:\tovpn2\n", encoding="utf-8")
    install(host, root, "ActiveState=active\nUnitFileState=enabled\nMainPID=7\n")
    host.calls.clear()


READS = ("systemctl show", "systemctl is-", "openvpn --config", "journalctl")


def test_a_new_tunnel_is_written_started_and_enabled(host: Host, root: Path) -> None:
    install(host, root)
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})
    assert [action.replace(str(root), "") for action in result["actions"]] == [
        "write /openvpn/server/ovpn2.conf",
        f"write /units/{UNIT}.d/80-xgn-openvpn.conf",
        f"ovpn2: start {UNIT}",
        f"ovpn2: enable {UNIT}",
    ]
    assert host.changed(*READS) == ["systemctl daemon-reload", f"systemctl restart {UNIT}", f"systemctl enable --quiet {UNIT}"]
    assert (root / "openvpn/server/ovpn2.conf").stat().st_mode & 0o777 == 0o600


def test_what_runs_as_declared_is_left_alone(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})
    assert (result["changed"], host.changed(*READS)) == (False, [])


def test_a_daemon_that_runs_with_other_files_is_restarted_though_they_are_right(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    (root / "proc/7/environ").write_bytes(b"XGN_CONFIGURATION=other\0")
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})
    assert result["actions"] == [f"ovpn2: restart {UNIT} (it runs with another configuration)"]
    assert host.changed(*READS) == [f"systemctl restart {UNIT}"]


def test_a_running_tunnel_is_drained_before_its_restart(host: Host, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running(host, root, TUNNEL)
    seen: list[tuple[list[str], int]] = []

    @contextmanager
    def record(_module: object, interfaces: list[str], seconds: int) -> Iterator[list[str]]:
        seen.append((interfaces, seconds))
        assert host.changed(*READS) == []
        yield []

    monkeypatch.setattr(frr_drain, "drained", record)
    host.run(openvpn_tunnels, {"tunnels": [TUNNEL], "drain_seconds": 7})
    (root / "proc/7/environ").write_bytes(b"XGN_CONFIGURATION=other\0")
    host.run(openvpn_tunnels, {"tunnels": [TUNNEL], "drain_seconds": 7})
    assert seen == [([], 7), (["ovpn2"], 7)]
    assert host.changed(*READS) == [f"systemctl restart {UNIT}"]


@pytest.mark.parametrize(
    ("fdinfo", "why", "first"),
    [
        ("iff:\t\n", "its interface is gone", []),
        ("iff:\tother\n", "its interface has become other", ["ip link delete dev other"]),
        ("pos:\t0\n", "its interface is gone", []),
    ],
    ids=["deleted and made again", "renamed", "never opened and gone"],
)
def test_a_daemon_without_its_interface_is_restarted(host: Host, root: Path, fdinfo: str, why: str, first: list[str]) -> None:
    """Though its unit is active and its files are right."""
    running(host, root, TUNNEL)
    (root / "proc/7/fdinfo/5").write_text(fdinfo, encoding="utf-8")
    if fdinfo.startswith("pos"):
        (root / "net/ovpn2/mtu").unlink()
        (root / "net/ovpn2/flags").unlink()
        (root / "net/ovpn2").rmdir()
    if first:
        (root / "net/other").mkdir()
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})
    assert (result["actions"], host.changed(*READS)) == ([f"ovpn2: restart {UNIT} ({why})"], [*first, f"systemctl restart {UNIT}"])


def test_one_that_has_opened_no_interface_yet_is_left_alone(host: Host, root: Path) -> None:
    """It waits for the address of its peer's name."""
    running(host, root, TUNNEL)
    (root / "proc/7/fdinfo/5").unlink()
    assert host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})["changed"] is False


def test_one_that_was_taken_down_comes_up(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    (root / "net/ovpn2/flags").write_text("0x1090\n", encoding="utf-8")
    assert host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})["actions"] == ["ovpn2: set up"]
    assert host.changed(*READS) == ["ip link set dev ovpn2 mtu 1400 up"]


def test_a_masked_unit_and_a_definition_that_was_not_read_are_put_right(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    state = "LoadState=masked\nActiveState=active\nUnitFileState=masked\nMainPID=7\nNeedDaemonReload=yes\n"
    install(host, root, state)
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})
    assert result["actions"] == [f"{UNIT}: unmask", f"{UNIT}: read its definition again", f"ovpn2: enable {UNIT}"]
    assert host.changed(*READS) == [
        f"systemctl unmask --quiet {UNIT}",
        f"systemctl unmask --quiet --runtime {UNIT}",
        "systemctl daemon-reload",
        f"systemctl enable --quiet {UNIT}",
    ]


def test_an_mtu_is_changed_in_place(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    (root / "net/ovpn2/mtu").write_text("1500\n", encoding="utf-8")
    assert host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})["actions"] == ["ovpn2: MTU 1500, declared 1400"]
    assert host.changed(*READS) == ["ip link set dev ovpn2 mtu 1400"]


def test_check_mode_only_tells(host: Host, root: Path) -> None:
    install(host, root)
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]}, check=True)
    assert (result["changed"], host.changed(*READS), (root / "openvpn/server").exists()) == (True, [], False)
    assert result["diff"][0]["after"] == TUNNEL["config"]


def test_a_key_in_a_file_made_by_hand_is_not_shown(host: Host, root: Path) -> None:
    path = Path(openvpn.conf_path(str(TUNNEL["name"]), str(TUNNEL["role"])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<key>\nsecret word\n</key>\n", encoding="utf-8")
    path.chmod(0o600)
    install(host, root)
    refused = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]}, check=True)
    assert f"file {path} would be rewritten by role openvpn" in refused["msg"] and "secret word" not in json.dumps(refused)
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL], "adopt": True}, check=True)
    assert "failed" not in result and "secret word" not in json.dumps(result)


def test_a_configuration_that_openvpn_refuses_changes_nothing(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    host.program("openvpn", lambda command, _data: (1, "", f"Options error: in {command[2]}:2: nonsense"))
    result = host.run(openvpn_tunnels, {"tunnels": [{**TUNNEL, "config": "nonsense\n"}]})
    assert (
        result["msg"]
        == "openvpn refuses the new configuration of tunnel ovpn2, which was not changed: Options error: in ovpn2.conf:2: nonsense"
    )
    assert (root / "openvpn/server/ovpn2.conf").read_text(encoding="utf-8") == TUNNEL["config"]


def test_a_daemon_that_does_not_start_gets_its_former_files_back(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    install(host, root, "ActiveState=active\nUnitFileState=enabled\nMainPID=7\n", restart=(1, "timeout"))
    host.prints("journalctl", {"": "TCP/UDP: Socket bind failed\n"})
    result = host.run(openvpn_tunnels, {"tunnels": [{**TUNNEL, "config": f"{openvpn.HEADER}\nport 1\n"}]})
    assert "timeout. What was there before was put back. The journal ends with:\nTCP/UDP: Socket bind failed" in result["msg"]
    assert (root / "openvpn/server/ovpn2.conf").read_text(encoding="utf-8") == TUNNEL["config"]
    assert host.changed(*READS)[-3:] == [f"systemctl stop {UNIT}", "systemctl daemon-reload", f"systemctl restart {UNIT}"]


def test_a_new_tunnel_that_does_not_start_leaves_nothing(host: Host, root: Path) -> None:
    install(host, root, restart=(1, "timeout"))
    host.program("journalctl")
    assert host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})["failed"]
    assert not (root / "openvpn/server/ovpn2.conf").exists()


@pytest.mark.parametrize("check", [True, False])
def test_an_interface_that_another_program_holds_is_not_taken(host: Host, root: Path, check: bool) -> None:
    (root / "net/ovpn2").mkdir()
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL]}, check=check)
    assert result["msg"].startswith("interface ovpn2 would be rewritten by role openvpn, and somebody else has made that. ")
    assert host.calls == [] and not (root / "openvpn/server/ovpn2.conf").exists()


def test_an_interface_of_somebody_elses_outlives_a_tunnel_that_was_to_have_it(host: Host, root: Path) -> None:
    """One that does not start, and one that is not declared any more. What a run has begun needs no second yes."""
    (root / "net/ovpn2").mkdir()
    install(host, root, restart=(1, "timeout"))
    host.program("journalctl")
    assert "timeout" in host.run(openvpn_tunnels, {"tunnels": [TUNNEL], "adopt": True})["msg"]
    assert not any(call.startswith("ip link delete") for call in host.calls)
    install(host, root)
    assert "failed" not in host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})
    host.run(openvpn_tunnels, {"tunnels": [], "remove_all": True})
    assert not any(call.startswith("ip link delete") for call in host.calls)


def answers(monkeypatch: pytest.MonkeyPatch, *states: str | None) -> None:
    """What the daemon says each time it is asked, the last one for ever; it does not answer for None."""
    left = list(states)

    def ask(_name: str) -> openvpn_daemon.Told:
        state = left.pop(0) if len(left) > 1 else left[0]
        if state is None:
            raise ConnectionRefusedError
        return openvpn_daemon.Told(state, None, "7")

    monkeypatch.setattr(openvpn_daemon, "ask", ask)


def test_a_tunnel_is_waited_for(host: Host, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was restarted or not; a daemon that has only begun does not answer yet."""
    running(host, root, TUNNEL)
    answers(monkeypatch, None, "WAIT", "CONNECTED")
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL], "connect_seconds": 30})
    assert (result["changed"], len(host.naps)) == (False, 2)


@pytest.mark.parametrize(("state", "words"), [(None, "its daemon does not answer"), ("AUTH", "AUTH")])
def test_one_that_does_not_connect_is_named(host: Host, root: Path, monkeypatch: pytest.MonkeyPatch, state: str | None, words: str) -> None:
    """Without a former key there is nothing to go back to, and nothing is restarted."""
    running(host, root, TUNNEL)
    answers(monkeypatch, state)
    host.prints("journalctl", {"": "TLS handshake failed\n"})
    result = host.run(openvpn_tunnels, {"tunnels": [TUNNEL], "connect_seconds": 30})
    assert (
        result["msg"] == f"tunnel ovpn2 is not connected with its peer after 30 s ({words}). The journal ends with:\nTLS handshake failed"
    )
    assert (sum(host.naps) >= 30, host.changed(*READS)) == (True, [])


def test_a_new_key_with_which_it_does_not_start_gives_way_to_the_former_one(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    (root / "openvpn/keys/ovpn2.former").write_text(KEY + certificate(b"former"), encoding="utf-8")
    install(host, root, "ActiveState=active\nUnitFileState=enabled\nMainPID=7\n", restart=(1, "timeout"))
    host.program("journalctl")
    (root / "proc/7/environ").write_bytes(b"XGN_CONFIGURATION=of the former key\0")
    assert host.run(openvpn_tunnels, {"tunnels": [TUNNEL]})["failed"]
    assert (openvpn.rotation("ovpn2"), sorted(keys(root))) == ("next", ["ovpn2.next", "ovpn2.pem"])
    assert certificate(b"former") in (root / "openvpn/keys/ovpn2.pem").read_text(encoding="utf-8")


@pytest.mark.parametrize(("check", "failed"), [(True, False), (False, True)])
def test_a_key_comes_first_and_a_prediction_goes_on_without(host: Host, root: Path, check: bool, failed: bool) -> None:
    tunnel = {**TUNNEL, "config": f"peer-fingerprint {UNKNOWN_KEY}\n"}
    result = host.run(openvpn_tunnels, {"tunnels": [tunnel]}, check=check)
    assert result.get("failed", False) is failed
    if failed:
        assert result["msg"] == "tunnel ovpn2 has no key, and was not changed. Remedy: run xuegao.net.openvpn_key first."


def test_a_tunnel_of_the_owners_runs_again_with_his_file(host: Host, root: Path) -> None:
    path = Path(openvpn.conf_path(str(TUNNEL["name"]), str(TUNNEL["role"])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# by hand\n", encoding="utf-8")
    install(host, root, "ActiveState=active\nUnitFileState=enabled\nMainPID=7\n", **{"is-active": "", "is-enabled": "enabled\n"})
    host.run(openvpn_tunnels, {"tunnels": [TUNNEL], "adopt": True})
    host.calls.clear()
    host.run(openvpn_tunnels, {"tunnels": [], "remove_all": True})
    done = [call for call in host.changed(*READS) if not call.startswith("systemctl reset-failed")]
    assert done == [f"systemctl stop {UNIT}", "systemctl daemon-reload", f"systemctl start {UNIT}"]
    assert path.read_text(encoding="utf-8") == "# by hand\n"


def test_a_list_that_got_lost_takes_no_tunnel_down(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    assert "set openvpn_remove_all: true. Nothing was changed." in host.run(openvpn_tunnels, {"tunnels": []})["msg"]
    assert host.changed(*READS) == []


def test_what_was_ours_and_is_not_listed_goes_with_its_interface(host: Host, root: Path) -> None:
    running(host, root, TUNNEL)
    by_hand = root / "openvpn/server/hand.conf"
    by_hand.write_text("# by hand\n", encoding="utf-8")
    result = host.run(openvpn_tunnels, {"tunnels": [], "remove_all": True})
    assert result["actions"] == [f"ovpn2: stop, disable and remove {UNIT}; its key file stays"]
    assert host.changed(*READS) == [
        f"systemctl stop {UNIT}",
        f"systemctl disable {UNIT}",
        "ip link delete dev ovpn2",
        "systemctl daemon-reload",
        f"systemctl reset-failed {UNIT}",
    ]
    assert (by_hand.exists(), (root / "openvpn/server/ovpn2.conf").exists()) == (True, False)
