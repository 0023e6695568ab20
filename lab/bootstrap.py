"""The command that makes a Debian root file system, for disk images, archives and containers alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lab import mirror

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Manuals and translations are a third of the files of a small system, and nobody reads them where we use it.
LEAN = ("path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "force-unsafe-io")


def bootstrap_command(
    suite: str, packages: Sequence[str], hooks: Sequence[str], target: Path | None, dpkg_options: Sequence[str] = ()
) -> list[str]:
    """Return the command that writes a root file system as a tar archive.

    Parameters:
        suite: the Debian suite.
        packages: what is installed, beside what Debian cannot do without.
        hooks: mmdebstrap's hook options.
        target: the archive to write, or None if nothing is kept but what the hooks take out.
        dpkg_options: lines of dpkg's configuration, beside ``LEAN``.
    """
    source = mirror.debian_mirror()
    return [
        "mmdebstrap",
        f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
        "--variant=minbase",
        f"--format={'tar' if target else 'null'}",
        f"--keyring={KEYRING}",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt={option}" for option in (*LEAN, *dpkg_options)),
        *(f"--aptopt={line}" for line in mirror.apt_policy()),
        *hooks,
        suite,
        str(target or os.devnull),
        *([source] if source else []),
    ]
