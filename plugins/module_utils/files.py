# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Files on a managed host: whole or not at all."""

from __future__ import annotations

import os
import tempfile


def read_text(path: str) -> str:
    """Content of path, or an empty string when it does not exist. What somebody left there that is no UTF-8 is no reason to fail."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def is_as_declared(path: str, text: str, mode: int) -> bool:
    """Say whether path is a file of its own with this text and these permission bits."""
    return os.path.isfile(path) and not os.path.islink(path) and read_text(path) == text and os.stat(path).st_mode & 0o7777 == mode


def mode_and_owner(path: str, mode: int) -> tuple[int, int, int]:
    """Permission bits, user and group of a file, as `write_atomically` takes them. mode: of one that does not exist."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return mode, -1, -1
    return status.st_mode & 0o7777, status.st_uid, status.st_gid


def sync_directory(path: str) -> None:
    """Make the names in a directory outlive a power cut, as fsync(2) of a file does not."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: str, text: str, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replace path by text in one step.

    The new file has its mode and owner before it has its name, so nobody can read a secret in between. mode: permission
    bits; uid, gid: -1 leaves the owner of the running process. Parent directories are made with mode 0755. When it returns, a power cut
    leaves the new file.
    """
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".%s." % os.path.basename(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.chown(temporary, uid, gid)
        os.replace(temporary, path)
        sync_directory(directory)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
