"""Ask an anycast address at a steady rate who it is, as a crowd of clients does, and print as JSON what became of it.

Usage: ask.py ADDRESS RATE [COUNT]. Says when the first answer is there. Ends after COUNT questions, or when standard input ends.

`lost` counts questions without an answer within 5 s, `gap` is the longest time in s between two answers, `by` lists who answered, in the order of the
questions: near the end of a detour a later question may be answered first.
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
from typing import Any

# A busy machine takes this long before it loses an answer.
PATIENCE_S = 5.0
NAME = b"\x08hostname\x04bind\x00"
TXT, CHAOS = 16, 3


def question(identity: int) -> bytes:
    """Write the question that every server answers with its own name (RFC 4892)."""
    return struct.pack("!6H", identity, 0, 1, 0, 0, 0) + NAME + struct.pack("!2H", TXT, CHAOS)


def text_of(packet: bytes) -> str | None:
    """Return the text of the first record of an answer; nothing when it is an error."""
    flags, answers = struct.unpack("!H", packet[2:4])[0], struct.unpack("!H", packet[6:8])[0]
    if flags & 0xF or not answers:
        return None
    record = packet[len(question(0)) :]
    name = 2 if record[0] & 0xC0 else record.index(0) + 1
    text = record[name + 10 :]  # after type, class, TTL, length
    return text[1 : 1 + text[0]].decode()


def main() -> None:
    """Ask, count, print."""
    address, rate, most = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 65536
    # Not connected: a connected socket would report the ICMP error of one lost question for the next one.
    client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    client.setblocking(False)
    sources: list[Any] = [client] if sys.argv[3:] else [client, sys.stdin]
    started = last = time.monotonic()
    sent: dict[int, float] = {}
    times: list[float] = []
    names: dict[int, str | None] = {}
    number = 0
    while True:
        now = time.monotonic()
        if number < most and now >= started + number / rate:
            sent[number] = last = now
            with contextlib.suppress(OSError):  # no route at this moment: the question is lost
                client.sendto(question(number), (address, 53))
            number += 1
            continue
        if number >= most and (not sent or now > last + PATIENCE_S):
            break
        wait = started + number / rate - now if number < most else last + PATIENCE_S - now
        for source in select.select(sources, [], [], max(0.0, wait))[0]:
            if source is sys.stdin:
                if not sys.stdin.readline():
                    most, sources = number, [client]
                continue
            packet = client.recv(4096)
            at = time.monotonic()
            identity = struct.unpack("!H", packet[:2])[0]
            if identity in sent and at - sent.pop(identity) <= PATIENCE_S:
                if not times:
                    print("answered", flush=True)
                times.append(at)
                names[identity] = text_of(packet)
    by: list[str | None] = []
    for identity in sorted(names):
        if by[-1:] != [names[identity]]:
            by.append(names[identity])
    gap = max((later - earlier for earlier, later in itertools.pairwise(times)), default=PATIENCE_S)
    print(json.dumps({"sent": number, "lost": number - len(times), "gap": round(gap, 3), "by": by}))


if __name__ == "__main__":
    main()
