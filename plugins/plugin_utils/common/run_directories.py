# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run leaves for people and for its own later steps: a directory of its own, whole or not at all, and a link to the latest.

``BASE/runs/NAME`` holds what one run wrote and is never changed again; ``BASE/current`` is a link to the latest. So all files of one directory are of
one run, whatever other runs do, and a run that reads from its own directory is not disturbed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

CURRENT = "current"
_RUNS = "runs"
_DRAFT = ".new-"
_LINK = ".link-"
# Nobody writes for that long.
_DRAFT_SECONDS = 86400.0
Files = Mapping[str, str | bytes]


def current(base: Path) -> Path | None:
    """Return the latest directory, or None when there is none."""
    try:
        target = (base / CURRENT).resolve(strict=True)
    except OSError:
        return None
    return target if target.is_dir() else None


def holds(directory: Path, files: Files) -> bool:
    """Tell whether a directory has all these files with this content."""
    try:
        return all((directory / name).read_bytes() == _bytes(text) for name, text in files.items())
    except OSError:
        return False


def publish(base: Path, label: str, files: Files, keep: int, unused_seconds: float = 0) -> Path:
    """Write a directory, make it the latest, and remove old ones.

    Parameters:
        base: made when missing.
        label: becomes the end of the directory's name; the time is its beginning.
        files: text or bytes by path relative to the directory.
        keep: how many of the newest stay.
        unused_seconds: how long any other stays after it was last written or `use`\\ d.

    Returns:
        The directory.

    Raises:
        OSError: it cannot be written.
    """
    runs = base / _RUNS
    runs.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=runs, prefix=_DRAFT))
    try:
        parents = {draft}
        for name, text in files.items():
            path = draft / name
            if path.parent not in parents:
                path.parent.mkdir(parents=True, exist_ok=True)
                parents.add(path.parent)
            path.write_bytes(_bytes(text))
        draft.chmod(0o755)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        directory = draft.rename(runs / f"{stamp}-{label}")
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _point_to(base, directory)
    _prune(base, keep, unused_seconds)
    return directory


def use(directory: Path) -> None:
    """Note that a run reads a directory from now on, so that it stays. One that belongs to another user stays as long as that user's runs let it."""
    try:
        os.utime(directory)
    except PermissionError:
        return


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _point_to(base: Path, directory: Path) -> None:
    # A link cannot be written over, but it can be renamed over: there always is one.
    place = Path(tempfile.mkdtemp(dir=base, prefix=_LINK))
    try:
        link = place / CURRENT
        link.symlink_to(f"{_RUNS}/{directory.name}")
        link.replace(base / CURRENT)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _prune(base: Path, keep: int, unused_seconds: float) -> None:
    latest, now = current(base), time.time()
    found = sorted((base / _RUNS).iterdir(), key=lambda path: path.name, reverse=True)
    whole = [path for path in found if not path.name.startswith(_DRAFT)]
    for path in whole[keep:]:
        if path.resolve() != latest and _age(path, now) >= unused_seconds:
            shutil.rmtree(path, ignore_errors=True)
    # What a run left that was killed while it wrote.
    for path in found:
        if path.name.startswith(_DRAFT) and _age(path, now) >= _DRAFT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except OSError:
        # Another run was faster.
        return 0
