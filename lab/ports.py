"""TCP ports of 127.0.0.1."""

from __future__ import annotations

import socket
from collections.abc import Iterable


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a TCP port of 127.0.0.1. The program that leads to the ssh of User Mode Linux says nothing when somebody does."""
    with socket.socket() as probe:
        # Connections that ended a moment ago are nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def free_port(taken: Iterable[int]) -> int:
    """Return a TCP port of 127.0.0.1 that is free now and not in ``taken``."""
    refused = set(taken)
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in refused:
            return port
