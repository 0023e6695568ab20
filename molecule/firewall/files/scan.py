"""Scan an address: which TCP ports answer at all, by a connection or a refusal, and which UDP ports refuse. A filter that drops is silent.

Usage: scan.py ADDRESS TCP-PORTS UDP-PORTS, ports as 1-1024,1194; a link-local address with %INTERFACE. Prints JSON. A UDP port that answers must have no listener, so that it refuses.
"""

from __future__ import annotations

import errno
import json
import selectors
import socket
import sys
import time

WAIT_S = 2.0
AT_ONCE = 400


def numbers(text: str) -> list[int]:
    """Read ``1-3,5``."""
    found: list[int] = []
    for part in text.split(","):
        first, _dash, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def answering(address: str, ports: list[int], kind: socket.SocketKind) -> list[int]:
    """Return the ports that answered."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    host, _port, *scope = socket.getaddrinfo(address, 1, family, kind)[0][4]
    found = []
    selector = selectors.DefaultSelector()
    for port in ports:
        probe = socket.socket(family, kind)
        probe.setblocking(False)
        if probe.connect_ex((host, port, *scope)) == errno.ECONNREFUSED:
            found.append(port)
            continue
        if kind == socket.SOCK_DGRAM:
            probe.send(b"?")
        selector.register(probe, selectors.EVENT_WRITE if kind == socket.SOCK_STREAM else selectors.EVENT_READ, (probe, port))
    deadline = time.monotonic() + WAIT_S
    while selector.get_map() and (left := deadline - time.monotonic()) > 0:
        for key, _events in selector.select(left):
            probe, port = key.data
            if probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED):
                found.append(port)
            selector.unregister(probe)
            probe.close()
    for key in list(selector.get_map().values()):
        probe, _port = key.data
        probe.close()
    return sorted(found)


def main() -> None:
    """Scan, print."""
    address, tcp, udp = sys.argv[1], numbers(sys.argv[2]), numbers(sys.argv[3])
    open_tcp = [
        port for start in range(0, len(tcp), AT_ONCE) for port in answering(address, tcp[start : start + AT_ONCE], socket.SOCK_STREAM)
    ]
    print(json.dumps({"tcp": open_tcp, "udp": answering(address, udp, socket.SOCK_DGRAM)}))


if __name__ == "__main__":
    main()
