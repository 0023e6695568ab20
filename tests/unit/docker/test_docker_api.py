"""Docker's API over a real unix socket, with a daemon that the test plays."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.docker_api import Docker, DockerError, full_name

IMAGES = [{"Id": "sha256:aa", "RepoTags": ["router:latest", "router:1"]}, {"Id": "sha256:bb", "RepoTags": None}]
# What the daemon answers, by verb and path.
ANSWERS: dict[str, tuple[int, str]] = {
    "GET /images/json": (200, json.dumps(IMAGES)),
    "GET /containers/json?all=1&filters=a+b": (200, "[]"),
    "GET /containers/gone/json": (404, '{"message":"No such container: gone"}'),
    "GET /containers/odd%20name/json": (200, "{}"),
    "GET /info": (500, '{"message":"the engine is out of order"}'),
    "GET /plain": (503, "no JSON at all\n"),
    "GET /empty": (200, ""),
    "POST /images/load?quiet=1": (200, '{"stream":"Loaded"}\r\n\r\n{"stream":"done"}\r\n'),
    "POST /images/create": (200, '{"status":"Importing"}\r\n{"error":"invalid tar header"}\r\n'),
    "POST /containers/gone/start": (404, '{"message":"No such container: gone"}'),
}


class Daemon(BaseHTTPRequestHandler):
    """Answers, and keeps what was sent."""

    protocol_version = "HTTP/1.1"
    sent: bytes = b""

    def do_GET(self) -> None:
        status, text = ANSWERS[f"{self.command} {self.path}"]
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            assert self.headers["Content-Type"] == "application/x-tar"
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            type(self).sent = body
        self.do_GET()

    def log_request(self, *_args: Any, **_named: Any) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return "the client"


@pytest.fixture
def path() -> Iterator[Path]:
    # pytest's own temporary directories may be too deep for a socket's path.
    with tempfile.TemporaryDirectory(prefix="d", dir="/tmp") as name:
        yield Path(name) / "docker.sock"


@pytest.fixture
def docker(path: Path) -> Iterator[Docker]:
    server = socketserver.ThreadingUnixStreamServer(str(path), Daemon)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Docker(str(path), timeout=60)
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers_are_parsed(docker: Docker) -> None:
    assert docker.get("/images/json") == IMAGES
    assert docker.get("/containers/json", all=1, filters="a b") == []
    assert docker.get("/containers/odd name/json") == {}
    assert docker.get("/empty") is None
    assert docker.images() == {"router:latest": "sha256:aa", "router:1": "sha256:aa"}


def test_what_is_not_there_is_none_and_cannot_be_started(docker: Docker) -> None:
    assert docker.get("/containers/gone/json") is None
    with pytest.raises(DockerError, match=r"^Docker refuses POST /containers/gone/start: No such container: gone$"):
        docker.post("/containers/gone/start")


@pytest.mark.parametrize(
    ("asked", "words"),
    [("/info", "^Docker refuses GET /info: the engine is out of order$"), ("/plain", "^Docker refuses GET /plain: no JSON at all$")],
)
def test_a_refusal_is_said_in_the_daemons_words(docker: Docker, asked: str, words: str) -> None:
    with pytest.raises(DockerError, match=words):
        docker.get(asked)


def test_a_stream_is_sent_in_chunks_and_its_messages_come_back(docker: Docker) -> None:
    blocks = [b"first", b"x" * 70_000, b"last"]
    assert docker.post("/images/load", iter(blocks), quiet=1) == [{"stream": "Loaded"}, {"stream": "done"}]
    assert Daemon.sent == b"".join(blocks)


def test_an_error_within_a_good_answer_is_one(docker: Docker) -> None:
    with pytest.raises(DockerError, match=r"^invalid tar header$"):
        docker.post("/images/create")


def test_without_a_daemon(path: Path) -> None:
    with pytest.raises(DockerError, match=rf"^{path} does not exist, so Docker does not run"):
        Docker(str(path)).get("/info")
    path.write_text("", encoding="utf-8")
    with pytest.raises(DockerError, match=rf"^Docker does not answer GET /info on {path}: .*refused"):
        Docker(str(path)).get("/info")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("router", "router:latest"),
        ("router:1", "router:1"),
        ("registry.example:5000/router", "registry.example:5000/router:latest"),
        ("router@sha256:aa", "router@sha256:aa"),
    ],
)
def test_names_with_their_tag(image: str, expected: str) -> None:
    assert full_name(image) == expected
