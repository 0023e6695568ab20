"""A resolver is asked over a real connection, which the test plays, and what it says is read as RFC 1035 has it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import dns_question as dns

AT = b"\xc0\x0c"  # points to the name of the question


def record(kind: str, data: bytes, owner: bytes = AT) -> bytes:
    return owner + struct.pack("!HHIH", dns.TYPES[kind], dns.IN, 300, len(data)) + data


def response(packet: bytes, records: list[bytes], code: int = 0, identity: int | None = None) -> bytes:
    asked = struct.unpack("!H", packet[:2])[0] if identity is None else identity
    return struct.pack("!6H", asked, 0x8580 | code, 1, len(records), 0, 0) + packet[12:] + b"".join(records)


class Resolver:
    """Answers each question of a connection with what the test has given for it."""

    def __init__(self, answers: list[tuple[list[bytes], int]]) -> None:
        self.answers = answers
        self.asked: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        link, _peer = self.listener.accept()
        with link:
            for records, code in self.answers:
                packet = link.recv(4096)[2:]
                self.asked.append(packet)
                text = response(packet, records, code)
                # In two pieces, as TCP may bring it.
                link.sendall(struct.pack("!H", len(text)) + text[:5])
                link.sendall(text[5:])

    def close(self) -> None:
        self.thread.join(5)
        self.listener.close()


@pytest.fixture
def resolver(request: pytest.FixtureRequest) -> Iterator[Resolver]:
    played = Resolver(request.param)
    yield played
    played.close()


VALUES = [
    ("A", socket.inet_aton("192.0.2.80"), "192.0.2.80"),
    ("AAAA", socket.inet_pton(socket.AF_INET6, "2001:DB8::1"), "2001:db8::1"),
    ("CNAME", b"\x03WWW" + AT, "www.example.test"),
    ("MX", b"\x00\x0a\x04mail" + AT, "10 mail.example.test"),
    ("SRV", struct.pack("!3H", 1, 2, 53) + b"\x02ns" + AT, "1 2 53 ns.example.test"),
    ("TXT", b"\x05a b c\x01d", '"a b c" "d"'),
    ("SOA", b"\x02ns" + AT + b"\x01h" + AT + bytes(20), "ns.example.test"),
]


@pytest.mark.parametrize(
    ("resolver", "kind", "value"), [([([record(kind, data)], 0)], kind, value) for kind, data, value in VALUES], indirect=["resolver"]
)
def test_each_type_is_read(resolver: Resolver, kind: str, value: str) -> None:
    assert dns.ask("127.0.0.1", None, [("example.test", kind)], 2, resolver.port) == [("NOERROR", [value])]
    assert resolver.asked[0][12:] == b"\x07example\x04test\x00" + struct.pack("!2H", dns.TYPES[kind], 1)
    assert resolver.asked[0][2] & 1, "unbound refuses who does not ask for recursion"


OTHERS = [record("CNAME", b"\x03www" + AT), record("A", socket.inet_aton("192.0.2.2")), record("A", socket.inet_aton("192.0.2.1"))]


@pytest.mark.parametrize("resolver", [[([], 3), (OTHERS, 0), ([], 2)]], indirect=True)
def test_several_questions_over_one_connection(resolver: Resolver) -> None:
    questions = [("gone.test", "A"), ("other.test", "A"), ("broken.test", "SOA")]
    assert dns.ask("127.0.0.1", None, questions, 2, resolver.port) == [
        ("NXDOMAIN", []),
        ("NOERROR", ["192.0.2.1", "192.0.2.2"]),
        ("SERVFAIL", []),
    ]


@pytest.mark.parametrize("resolver", [[([], 0)]], indirect=True)
def test_a_resolver_that_hangs_up_is_told(resolver: Resolver) -> None:
    with pytest.raises(OSError, match=r"hung up|reset"):
        dns.ask("127.0.0.1", None, [("a.test", "A"), ("b.test", "A")], 2, resolver.port)


ASKED = dns.question(7, "example.test", "A")


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (response(ASKED, [], identity=8), "another question"),
        (ASKED, "another question"),
        (response(ASKED, [record("A", b"")])[:-3], "torn"),
        (response(ASKED, [record("A", bytes(4), b"\xc0\x1e")]), "has no end"),
        (b"\0", "torn"),
    ],
    ids=["identity", "no response", "torn", "a loop of names", "one byte"],
)
def test_what_is_no_answer_is_told(packet: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dns.read_answer(packet, 7, dns.TYPES["A"])


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", ""])
def test_a_name_that_is_none_is_not_asked(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        dns.question(1, name, "A")
