# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a running daemon has read: its unit records the digests of its files whenever it starts or reloads, and a run compares them with the files.

So a daemon that runs with something else is found, however that came about: a run that was killed between the file and the reload, or a file that
was changed by hand and put right again. The records lie in /run: after a boot there are none but those of that boot.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

RECORDS = "/run/xgn-loaded"


def record_of(unit: str) -> dict[str, str]:
    """Digests by path as sha256sum(1) wrote them when the unit started or reloaded; empty when it did not record any."""
    try:
        with open(os.path.join(RECORDS, unit), encoding="utf-8") as stream:
            lines = [line.rstrip("\n").partition("  ") for line in stream]
    except OSError:
        return {}
    return {path: digest for digest, _space, path in lines}


def digest_of_text(text: str) -> str:
    """SHA-256 of a file with this text."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(path: str) -> str | None:
    """SHA-256 of a file; None when there is none."""
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return None


def read_otherwise(unit: str, paths: Iterable[str]) -> list[str]:
    """Those of the files that the unit's daemon has not read as they are now."""
    record = record_of(unit)
    return [path for path in paths if record.get(path) != digest_of(path)]
