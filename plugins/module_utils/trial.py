# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A new text where a program can look at it before it takes the place of the old one, and nobody else can."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically

# In memory: what is there can be compared, and a refusal told, on a disk that takes nothing; and a secret that is tried never gets to a disk.
IN_MEMORY = "/run"


@contextlib.contextmanager
def trial_file(name: str, text: str) -> Iterator[str]:
    """Put a text into a file of its own directory, which only root can enter, and remove both afterwards.

    name: of the file, since some programs look at it. They can write beside it. Yields the file's path.
    """
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None) as directory:
        path = os.path.join(directory, name)
        write_atomically(path, text, 0o600)
        yield path


@contextlib.contextmanager
def trial_file_beside(real: str, text: str, mode: int, uid: int, gid: int) -> Iterator[str]:
    """Put a text into a hidden file beside the real one, for programs that read it there as another user; remove it afterwards.

    real: path of the file it is a trial for. mode, uid, gid: as of `write_atomically`. Yields the trial's path.
    """
    handle, path = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".%s." % os.path.basename(real))
    os.close(handle)
    try:
        write_atomically(path, text, mode, uid, gid)
        yield path
    finally:
        os.unlink(path)
