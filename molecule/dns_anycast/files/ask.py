"""Ask for the TXT record of a name at a steady rate, as a crowd of clients does, and print as JSON what became of it.

Usage: ask.py ADDRESS NAME SECONDS RATE [tcp|eof]

With `eof` it stops asking as soon as its standard input ends.

`lost` counts questions without an answer within 5 s, which a busy machine takes before it loses one; `gap` is the longest time in s between two answers, `by`
lists who answered, in order.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import struct
import sys
import time

PATIENCE_S = 5.0


def question(name: str, identity: int) -> bytes:
    """Write a question for a TXT record."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", identity, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 16, 1)


def text_of(packet: bytes, asked: bytes) -> str | None:
    """Return the text of the first record of an answer; nothing when it is an error."""
    flags, answers = struct.unpack("!H", packet[2:4])[0], struct.unpack("!H", packet[6:8])[0]
    if flags & 0xF or not answers:
        return None
    record = packet[len(asked) :]  # a compressed name, type, class, TTL, length, then length and text
    return record[13 : 13 + record[12]].decode()


def over_tcp(address: str, name: str) -> str | None:
    """Ask once over TCP."""
    asked = question(name, 1)
    with socket.create_connection((address, 53), timeout=PATIENCE_S) as stream:
        stream.sendall(struct.pack("!H", len(asked)) + asked)
        reader = stream.makefile("rb")
        return text_of(reader.read(struct.unpack("!H", reader.read(2))[0]), asked)


def main() -> None:
    """Ask, count, print."""
    address, name, seconds, rate = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    if sys.argv[5:] == ["tcp"]:
        print(json.dumps({"by": [over_tcp(address, name)]}))
        return
    most = seconds * rate
    watched: list[int] = [sys.stdin.fileno()] if sys.argv[5:] == ["eof"] else []
    client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    client.setblocking(False)
    # A connected socket would report the ICMP error of one lost question for the next one.
    started = time.monotonic()
    sent: dict[int, float] = {}
    answers: list[tuple[float, str | None]] = []
    number = 0
    last = started + seconds
    while (now := time.monotonic()) < last + PATIENCE_S:
        due = started + number / rate
        if number < most and now >= due:
            sent[number] = now
            with contextlib.suppress(OSError):  # no route at this moment: the question is lost
                client.sendto(question(name, number), (address, 53))
            number += 1
            continue
        if number >= most and not sent:
            break
        waiting: list[int | socket.socket] = [client, *watched]
        ready = select.select(waiting, [], [], max(0.0, min(due - now, 0.05) if number < most else 0.05))[0]
        if watched and watched[0] in ready:
            watched, most, last = [], number, now
        if client in ready:
            packet = client.recv(4096)
            identity = struct.unpack("!H", packet[:2])[0]
            if time.monotonic() - sent.pop(identity, 0.0) <= PATIENCE_S:
                answers.append((time.monotonic(), text_of(packet, question(name, identity))))
    times = [at for at, _who in answers]
    by: list[str | None] = []
    for _at, who in answers:
        if not by or by[-1] != who:
            by.append(who)
    gap = max((later - earlier for earlier, later in itertools.pairwise(times)), default=seconds)
    print(json.dumps({"sent": number, "lost": number - len(answers), "gap": round(gap, 2), "by": by}))


if __name__ == "__main__":
    main()
