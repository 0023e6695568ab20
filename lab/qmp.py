"""The few words of QEMU's control protocol that the lab needs."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import IO, Any

from lab.errors import LabError

REPLY_LIMIT_S = 10.0


def execute(path: Path, command: str) -> Any:
    """Run a command without arguments on the QEMU that listens on ``path`` and return its result.

    Raises:
        LabError: nobody listens, or QEMU refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_LIMIT_S)
        try:
            connection.connect(str(path))
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()  # the greeting
                _call(stream, "qmp_capabilities")
                return _call(stream, command)
        except OSError as error:
            raise LabError(f"QEMU does not answer on {path}: {error}") from None


def _call(stream: IO[str], command: str) -> Any:
    stream.write(json.dumps({"execute": command}) + "\n")
    stream.flush()
    for line in stream:
        message = json.loads(line)
        if "return" in message:
            return message["return"]
        if "error" in message:
            raise LabError(f"QEMU refuses {command}: {message['error']['desc']}")
        # Anything else is an event.
    raise LabError(f"QEMU ended before it answered {command}")
