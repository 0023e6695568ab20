"""What an OpenVPN daemon says of itself, over a real management socket, with a daemon that the test plays."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_openvpn as gather
from ansible_collections.xuegao.net.plugins.module_utils import openvpn

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
        monkeypatch.setattr(gather, "RUNTIME", name)
        monkeypatch.setattr(gather, "ANSWER_LIMIT_S", 60.0)
        yield Path(name)


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key and a configuration of tunnel ovpn2; the fingerprint of the key is FF."""
    monkeypatch.setattr(openvpn, "fingerprint", lambda _name: "FF")
    monkeypatch.setattr(openvpn, "key_path", lambda name: str(tmp_path / f"{name}.pem"))
    monkeypatch.setattr(openvpn, "conf_path", lambda name, role: str(tmp_path / f"{role}-{name}.conf"))
    (tmp_path / "ovpn2.pem").write_text("", encoding="utf-8")
    (tmp_path / "ovpn2.pem").chmod(0o640)
    (tmp_path / "server-ovpn2.conf").write_text("dev ovpn2\npeer-fingerprint EE\n", encoding="utf-8")
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
            "fingerprint": "FF",
            "peer_fingerprint": "EE",
            "mode": "0640",
            "problem": None,
        }
    }


def test_a_daemon_that_hangs_up_has_said_nothing(runtime: Path, identity: Path) -> None:
    daemon = Daemon(runtime, ())
    found = gather.one_tunnel("ovpn2", "server")
    daemon.close()
    assert (found["state"], found["remote"], found["problem"]) == (None, None, None)


def test_a_dead_daemon_is_named_and_its_identity_still_read(runtime: Path, identity: Path) -> None:
    found = gather.one_tunnel("ovpn2", "server")
    assert (found["state"], found["fingerprint"], found["peer_fingerprint"]) == (None, "FF", "EE")
    assert found["problem"].startswith("the daemon does not answer: ")


def test_an_identity_that_cannot_be_read_is_named_and_the_state_still_read(runtime: Path, identity: Path) -> None:
    (identity / "ovpn2.pem").unlink()
    daemon = Daemon(runtime, PIECES)
    found = gather.one_tunnel("ovpn2", "server")
    daemon.close()
    assert (found["state"], found["mode"]) == ("CONNECTED", None)
    assert "ovpn2.pem" in found["problem"]
