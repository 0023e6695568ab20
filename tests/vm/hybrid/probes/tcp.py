"""One end of TCP connections that carry data both ways, with every SYN and SYN-ACK that this host sends or gets. Prints JSON.

Usage: tcp.py serve PORT CONNECTIONS             print a line when ready; each client gets back as many bytes as it sent
       tcp.py connect PORT BYTES ADDRESS...      one connection after the other

`seen` holds what was captured: kind, whether it came in or went out, source address, MSS. `bytes` are the bytes that came in, connection by connection.
"""

from __future__ import annotations

import ctypes
import json
import socket
import struct
import sys
import threading
import time

# The program of the container scenario beside it on the machine (hybrid_network.PROBES).
from mss import mss_of

PATIENCE_S = 60
PIECE = b"x" * 65536
EVERYTHING = 3  # ETH_P_ALL
# Classic BPF: a TCP segment with the flag SYN, of either family. Python would not keep up with the data.
SYN_ONLY = (
    (0x30, 0, 0, 0),  # A = first byte
    (0x74, 0, 0, 4),  # A >>= 4
    (0x15, 0, 5, 4),  # IPv4, or five further
    (0x30, 0, 0, 9),  # A = protocol
    (0x15, 0, 8, socket.IPPROTO_TCP),
    (0xB1, 0, 0, 0),  # X = length of the IPv4 header
    (0x50, 0, 0, 13),  # A = flags of TCP
    (0x45, 6, 5, 2),
    (0x15, 0, 4, 6),  # IPv6
    (0x30, 0, 0, 6),  # A = next header
    (0x15, 0, 2, socket.IPPROTO_TCP),
    (0x30, 0, 0, 53),  # A = flags of TCP behind 40 bytes
    (0x45, 1, 0, 2),
    (0x06, 0, 0, 0),  # no
    (0x06, 0, 0, 65535),  # yes
)
SO_ATTACH_FILTER = 26


def capture(raw: socket.socket, port: int, seen: list[dict[str, object]]) -> None:
    """Note every SYN and SYN-ACK of the port."""
    while True:
        packet, source = raw.recvfrom(65535)
        version = packet[0] >> 4
        if version not in (4, 6):
            continue
        protocol, header = (packet[9], (packet[0] & 15) * 4) if version == 4 else (packet[6], 40)
        if protocol != socket.IPPROTO_TCP or port not in struct.unpack("!2H", packet[header : header + 4]):
            continue
        flags = packet[header + 13]
        if flags & 2:
            address = socket.inet_ntop(*((socket.AF_INET, packet[12:16]) if version == 4 else (socket.AF_INET6, packet[8:24])))
            way = "out" if source[2] == socket.PACKET_OUTGOING else "in"
            seen.append({"kind": "SYN-ACK" if flags & 16 else "SYN", "way": way, "from": address, "mss": mss_of(packet[header:])})


def drain(connection: socket.socket) -> int:
    """Read to the end; returns the number of bytes."""
    count = 0
    while piece := connection.recv(len(PIECE)):
        count += len(piece)
    return count


def send(connection: socket.socket, count: int) -> None:
    """Send so many bytes and say that there are no more."""
    while count:
        piece = PIECE[:count]
        connection.sendall(piece)
        count -= len(piece)
    connection.shutdown(socket.SHUT_WR)


def serve(port: int, connections: int) -> list[int]:
    """Give every client back what it sent."""
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        server.settimeout(2 * PATIENCE_S)
        print("ready", flush=True)
        counts = []
        for _number in range(connections):
            connection, _peer = server.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                counts.append(drain(connection))
                send(connection, counts[-1])
        return counts


def connect(port: int, count: int, addresses: list[str]) -> list[int]:
    """Send to every server, and read what comes back."""
    counts = []
    for address in addresses:
        with socket.create_connection((address, port), timeout=PATIENCE_S) as connection:
            send(connection, count)
            counts.append(drain(connection))
    return counts


def main() -> None:
    """Capture, serve or connect, print."""
    verb, port = sys.argv[1], int(sys.argv[2])
    seen: list[dict[str, object]] = []
    # Opened before the first packet can pass.
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING))
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in SYN_ONLY))
    raw.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(SYN_ONLY), ctypes.addressof(program)))
    threading.Thread(target=capture, args=[raw, port, seen], daemon=True).start()
    counts = serve(port, int(sys.argv[3])) if verb == "serve" else connect(port, int(sys.argv[3]), sys.argv[4:])
    time.sleep(0.2)  # the capturing thread's last packet
    print(json.dumps({"seen": seen, "bytes": counts}))


if __name__ == "__main__":
    main()
