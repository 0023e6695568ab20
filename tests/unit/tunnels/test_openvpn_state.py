"""What an OpenVPN daemon says of itself, over a real management socket, with a daemon that the test plays."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_openvpn as gather
from ansible_collections.xuegao.net.plugins.module_utils import openvpn, openvpn_daemon

# The greeting and the answer, in pieces that end anywhere.
PIECES = (
    b">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n1795499636,CONN",
    b"ECTED,SUCCESS,,192.0.2.2,37726,192.0.2.1,11942\r\nEN",
    b"D\r\n",
)


class Daemon:
    """Answers one question on the management socket of tunnel ovpn2, and hangs up only when the test does."""

    def __init__(self, runtime: Path, pieces: tuple[bytes, ...]) -> None:
        directory = runtime / "ovpn2"
        directory.mkdir()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(directory / "management"))
        self.listener.listen()
        self.pieces = pieces
        self.asked = b""
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()

    def answer(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            self.asked = connection.recv(100)
            for piece in self.pieces:
                connection.sendall(piece)
            if self.pieces:
                # Whoever asked hangs up first.
                assert connection.recv(1) == b""

    def close(self) -> None:
        self.thread.join(60)
        self.listener.close()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # pytest's own temporary directories may be too deep for a socket's path.
    with tempfile.TemporaryDirectory(prefix="o", dir="/tmp") as name:
        monkeypatch.setattr(openvpn_daemon, "RUNTIME", name)
        monkeypatch.setattr(openvpn_daemon, "ANSWER_LIMIT_S", 60.0)
        yield Path(name)


AA, BB = ":".join(["AA"] * 32), ":".join(["BB"] * 32)


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key and the files of tunnel ovpn2, and this process as the daemon that was started with them; the fingerprint of the key is AA."""
    for name in ("KEYS", "DIRECTORY", "UNITS"):
        monkeypatch.setattr(openvpn, name, str(tmp_path))
    monkeypatch.setattr(openvpn_daemon, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(openvpn, "fingerprint", lambda name, other="": AA if (tmp_path / f"{name}.{other or 'pem'}").exists() else None)
    (tmp_path / "ovpn2.pem").write_text("", encoding="utf-8")
    (tmp_path / "ovpn2.pem").chmod(0o640)
    config, dropin = f"dev ovpn2\npeer-fingerprint {BB}\n", f"[Service]\nEnvironment=XGN_CONFIGURATION={openvpn.DIGEST}\n"
    digest = openvpn.configuration_digest({"config": config, "dropin": dropin}, AA)
    for path, text in ((openvpn.conf_path("ovpn2", "server"), config), (openvpn.dropin_path("ovpn2", "server"), dropin)):
        Path(path).parent.mkdir()
        Path(path).write_text(text.replace(openvpn.DIGEST, digest), encoding="utf-8")
    (tmp_path / "proc" / str(os.getpid())).mkdir(parents=True)
    (tmp_path / "proc" / str(os.getpid()) / "net").symlink_to("/proc/self/net")
    (tmp_path / "proc" / str(os.getpid()) / "fd").symlink_to("/proc/self/fd")
    (tmp_path / "proc" / str(os.getpid()) / "environ").write_bytes(f"A=b\0XGN_CONFIGURATION={digest}\0".encode())
    return tmp_path


def test_a_connected_tunnel(runtime: Path, identity: Path) -> None:
    daemon = Daemon(runtime, PIECES)
    found = gather.gather_openvpn([("ovpn2", "server")])
    daemon.close()
    assert daemon.asked == b"state\n"
    assert found["error"] is None
    assert found["data"] == {
        "ovpn2": {
            "state": "CONNECTED",
            "remote": "192.0.2.2",
            "fingerprints": [AA],
            "rotation": "",
            "accepted": [BB],
            "mode": "0640",
            "current": True,
            "sockets": [],
            "problem": None,
        }
    }


def test_the_sockets_of_a_daemon(identity: Path) -> None:
    """Real ones of this process: what listens, what has no port yet, and one that asks for a name, which says nothing of the tunnel."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver,
    ):
        udp.bind(("::1", 0))
        resolver.connect(("127.0.0.1", 53))
        found = openvpn_daemon.sockets_of(str(os.getpid()))
        assert found == [f"tcp ipv4 {tcp.getsockname()[1]}", f"udp ipv6 {udp.getsockname()[1]}"]


def test_a_daemon_that_was_started_with_other_files_is_named(runtime: Path, identity: Path) -> None:
    """It is asked for its process, and that for what it was started with."""
    with open(openvpn.conf_path("ovpn2", "server"), "a", encoding="utf-8") as stream:
        stream.write("verb 4\n")
    daemon = Daemon(runtime, PIECES)
    found = gather.one_tunnel("ovpn2", "server")
    daemon.close()
    assert (found["state"], found["current"]) == ("CONNECTED", False)


def test_the_least_private_key_counts(runtime: Path, identity: Path) -> None:
    (identity / "ovpn2.pem").chmod(0o600)
    (identity / "ovpn2.former").write_text("", encoding="utf-8")
    (identity / "ovpn2.former").chmod(0o604)
    assert gather.one_tunnel("ovpn2", "server")["mode"] == "0604"


def test_a_daemon_that_hangs_up_has_said_nothing(runtime: Path, identity: Path) -> None:
    daemon = Daemon(runtime, ())
    found = gather.one_tunnel("ovpn2", "server")
    daemon.close()
    assert (found["state"], found["remote"], found["problem"]) == (None, None, None)


def test_a_dead_daemon_is_named_and_its_identity_still_read(runtime: Path, identity: Path) -> None:
    found = gather.one_tunnel("ovpn2", "server")
    assert (found["state"], found["fingerprints"], found["accepted"], found["current"]) == (None, [AA], [BB], None)
    assert found["problem"].startswith("the daemon does not answer: ")


def test_an_identity_that_cannot_be_read_is_named_and_the_state_still_read(
    runtime: Path, identity: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(_name: str, _other: str = "") -> str:
        raise openvpn.OpenVPNError("ovpn2.pem is torn")

    monkeypatch.setattr(openvpn, "fingerprint", torn)
    daemon = Daemon(runtime, PIECES)
    found = gather.one_tunnel("ovpn2", "server")
    daemon.close()
    assert (found["state"], found["mode"], found["current"]) == ("CONNECTED", None, None)
    assert found["problem"] == "ovpn2.pem is torn"


def test_a_tunnel_without_key_is_named(runtime: Path, identity: Path) -> None:
    (identity / "ovpn2.pem").unlink()
    daemon = Daemon(runtime, PIECES)
    found = gather.one_tunnel("ovpn2", "server")
    daemon.close()
    assert (found["state"], found["mode"], found["fingerprints"]) == ("CONNECTED", None, [])
    assert "ovpn2.pem" in found["problem"]
