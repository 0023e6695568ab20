"""What verifiers ask a host, and how they wait until it has got there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

POLL_S = 1
# The other host may still be booting.
PEER_LIMIT_S = 60


def wait_for(condition: Callable[[], Any], expected: Any = True, seconds: float = PEER_LIMIT_S) -> None:
    """Wait until ``condition`` returns what is expected; the assertion shows what it returned last."""
    deadline = time.monotonic() + seconds
    while (found := condition()) != expected and time.monotonic() < deadline:
        time.sleep(POLL_S)
    assert found == expected, f"after {seconds} s"


def vtysh(host: Any, command: str) -> Any:
    """Return the JSON that FRR answers to a ``show`` command."""
    return json.loads(host.check_output("vtysh -c %s", f"{command} json"))


def link(host: Any, name: str) -> dict[str, Any]:
    """Return what ``ip`` knows about one interface."""
    (found,) = json.loads(host.check_output("ip -json -details link show dev %s", name))
    assert isinstance(found, dict)
    return found
