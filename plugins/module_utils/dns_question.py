# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ask a resolver for records (RFC 1035) over TCP, so that no answer is cut off, and give what it answers as texts that can be compared."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

PORT = 53
IN = 1
# By name, those whose values are compared (RFC 1035, 2782, 3596, 6672); of others it is known that they are there.
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "DNAME": 39}
_NAMES = {number: name for name, number in TYPES.items()}
# RFC 1035, 4.1.1 and 2136, 2.2: what a response says.
REFUSALS = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
# Two first bits of a length that points to a name before (RFC 1035, 4.1.4).
_POINTER = 0xC0
_HEADER = struct.Struct("!6H")
_TAIL = struct.Struct("!HHIH")


class Answer(NamedTuple):
    """What was answered. said: the response's own word, such as ``NXDOMAIN``. values: of the records of the type asked for, as `canonical` writes them."""

    said: str
    values: list[str]


def canonical(words: Iterable[str]) -> str:
    """Write the data of a record as one text; each string of a TXT is a word of its own."""
    return " ".join(words)


def quoted(text: str) -> str:
    """Write a string of a TXT."""
    return '"%s"' % text


def ask(server: str, vrf: str | None, questions: Iterable[tuple[str, str]], seconds: float, port: int = PORT) -> list[Answer]:
    """Ask a resolver one question after the other, over one connection.

    Parameters:
        server: its address.
        vrf: VRF to ask in.
        questions: name without the closing dot, and type, one of `TYPES`.
        seconds: within them each answer must come.
        port: the resolver's.

    Raises:
        OSError: it does not answer.
        ValueError: it answers something that is no answer.
    """
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as link:
        link.settimeout(seconds)
        if vrf:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vrf.encode())
        link.connect((server, port))
        return [_one(link, name, kind) for name, kind in questions]


def _one(link: socket.socket, name: str, kind: str) -> Answer:
    identity = secrets.randbelow(65536)
    packet = question(identity, name, kind)
    link.sendall(struct.pack("!H", len(packet)) + packet)
    length = struct.unpack("!H", _received(link, 2))[0]
    return read_answer(_received(link, length), identity, TYPES[kind])


def _received(link: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        block = link.recv(length - len(data))
        if not block:
            raise ConnectionError("the resolver hung up")
        data += block
    return data


def question(identity: int, name: str, kind: str) -> bytes:
    """Write a question (RFC 1035, 4.1), recursion desired: unbound refuses others to whom it serves. Raises ValueError for a name that is none."""
    labels = [label.encode() for label in name.split(".")]
    if any(not 0 < len(label) < 64 for label in labels):
        raise ValueError("%s is not a name" % name)
    text = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(identity, 0x0100, 1, 0, 0, 0) + text + struct.pack("!2H", TYPES[kind], IN)


def read_answer(packet: bytes, identity: int, kind: int) -> Answer:
    """Read a response. kind: number of the type asked for; other records, such as the CNAME before, are left out. Raises ValueError when it is none."""
    try:
        found, flags, questions, answers, _authority, _more = _HEADER.unpack_from(packet)
        if found != identity or not flags & 0x8000:
            raise ValueError("the resolver answered another question")
        place = _HEADER.size
        for _question in range(questions):
            place = _name(packet, place)[1] + 4
        values = []
        for _record in range(answers):
            place = _name(packet, place)[1]
            number, _class, _ttl, length = _TAIL.unpack_from(packet, place)
            place += _TAIL.size
            if number == kind:
                values.append(_value(packet, place, length, number))
            place += length
    except (struct.error, IndexError) as error:
        raise ValueError("the resolver's answer is torn (%s)" % error) from error
    return Answer(REFUSALS.get(flags & 0x000F, "error %d" % (flags & 0x000F)), sorted(values))


def _name(packet: bytes, place: int) -> tuple[str, int]:
    """Return the name at a place, in small letters, and the place behind it."""
    labels: list[str] = []
    behind = 0
    # A name has at most 255 bytes, so more steps are a loop of pointers.
    for _step in range(256):
        length = packet[place]
        if length & _POINTER == _POINTER:
            behind = behind or place + 2
            place = (length & ~_POINTER) << 8 | packet[place + 1]
        elif length:
            labels.append(packet[place + 1 : place + 1 + length].decode("utf-8", "replace").lower())
            place += 1 + length
        else:
            return ".".join(labels), behind or place + 1
    raise ValueError("a name in the resolver's answer has no end")


def _value(packet: bytes, place: int, length: int, number: int) -> str:
    """Return the data of a record at a place as `canonical` writes it; of an SOA its first name, which is all that anybody compares."""
    data, name = packet[place : place + length], _NAMES[number]
    if name in ("A", "AAAA"):
        return socket.inet_ntop(socket.AF_INET6 if name == "AAAA" else socket.AF_INET, data)
    if name == "TXT":
        words = []
        while data:
            words.append(quoted(data[1 : 1 + data[0]].decode("utf-8", "replace")))
            data = data[1 + data[0] :]
        return canonical(words)
    numbers = {"MX": "!H", "SRV": "!3H"}.get(name, "!")
    first = [str(item) for item in struct.unpack_from(numbers, data)]
    return canonical([*first, _name(packet, place + struct.calcsize(numbers))[0]])
