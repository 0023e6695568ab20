"""Byte code kept of what Python imports from zip archives, on machines of the lab and in containers of the tests. The product knows nothing of it.

Ansible sends each module in an archive of its own, for which Python keeps no byte code: every call compiles the same 400 kB of source again, a third of
what the call costs. Here it is kept by the hash of source and interpreter. Whatever goes wrong with that, the source is compiled as without it. A
traceback names the archive that was imported from. The directory has to be there, private to the user, or nothing is kept.
"""

from __future__ import annotations

import marshal
import os
import sys
import zipimport

# Every Python of the machine begins with this file: typing would cost it milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

DIRECTORY = "/var/cache/xgn-lab/bytecode"
# Files. A playbook's modules and what they import are some 200; of more, every version ever tried is among them.
LIMIT = 2000
DIGEST_SIZE = 32


def install(directory: str = DIRECTORY) -> None:
    """Put the store of ``directory`` in front of the compiler that imports from archives use."""
    plain: Any = getattr(zipimport, "_compile_source", None)
    if plain is None:
        return

    def compile_source(pathname: str, source: bytes) -> CodeType:
        code = path = None
        try:
            path = _path(directory, source)
            code = _load(path, pathname) if path else None
        except Exception:  # noqa: BLE001 - of the store, never of the source
            pass
        if code is not None:
            return code
        compiled: CodeType = plain(pathname, source)
        try:
            if path:
                _keep(path, compiled)
        except Exception:  # noqa: BLE001 - as above
            pass
        return compiled

    zipimport._compile_source = compile_source  # type: ignore[attr-defined]


def _path(directory: str, source: bytes) -> str | None:
    """Return where the byte code of ``source`` is or will be; None if others could write there."""
    from hashlib import sha256  # every module imports it, but not every program

    state = os.stat(directory)
    if state.st_uid != os.geteuid() or state.st_mode & 0o077:
        return None
    interpreter = f"{sys.version} {sys.flags.optimize}".encode()
    return f"{directory}/{sha256(sha256(interpreter).digest() + source).hexdigest()}"


def _load(path: str, pathname: str) -> CodeType | None:
    """Return what is kept, as if it had been compiled from ``pathname``; None if there is nothing, or a power cut has damaged it."""
    import _imp
    from hashlib import sha256

    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        return None
    if sha256(data[DIGEST_SIZE:]).digest() != data[:DIGEST_SIZE]:
        return None
    code: CodeType = marshal.loads(data[DIGEST_SIZE:])
    _imp._fix_co_filename(code, pathname)  # type: ignore[attr-defined]
    return code


def _keep(path: str, code: CodeType) -> None:
    """Write what was compiled. It appears whole or not at all; a full store is emptied first."""
    from hashlib import sha256

    directory = os.path.dirname(path)
    names = os.listdir(directory)
    if len(names) >= LIMIT:
        for name in names:
            os.unlink(f"{directory}/{name}")
    dump = marshal.dumps(code)
    unfinished = f"{path}.{os.getpid()}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(sha256(dump).digest() + dump)
    os.replace(unfinished, path)
