"""The lab's own ssh keys."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError


def ensure_key(path: Path, comment: str) -> None:
    """Create an ed25519 key pair at ``path`` and ``path``.pub unless it exists; the private one is 0600.

    Raises:
        LabError: ssh-keygen failed.
    """
    public = path.with_name(path.name + ".pub")
    if path.is_file() and public.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh_public = fresh.with_name(fresh.name + ".pub")
    for leftover in (fresh, fresh_public, path):
        leftover.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(fresh)]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if result.returncode != 0:
        raise LabError(f"ssh-keygen failed: {result.stderr.strip()}")
    # The private key comes last: if it is there, the pair is whole.
    fresh_public.rename(public)
    fresh.rename(path)


def public_key(path: Path) -> str:
    """Return the public key of the pair at ``path``, with its line end."""
    return path.with_name(path.name + ".pub").read_text(encoding="ascii")


def known_hosts(entries: Iterable[tuple[int, str]]) -> str:
    """Return the content of a known_hosts file for (port on 127.0.0.1, public host key) pairs."""
    return "".join(f"[127.0.0.1]:{port} {' '.join(key.split()[:2])}\n" for port, key in entries)
