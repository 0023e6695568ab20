"""Keep the archives in which Ansible sends modules from one run to the next.

Making one takes a third of a second of processor time, and each run of the tests makes those of ten to twenty modules, while its hosts wait. Ansible
itself keeps them for the length of a run, in a directory of the run's own: they are put there when a run begins, and kept when it ends. They are
what Ansible has made and would make again, as the place where they are kept belongs to one state of the sources.

For tests alone: ANSIBLE_CALLBACK_PLUGINS names this directory there, and whatever lies in it is loaded.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "modules"
# What a module's archive is made of, beside Ansible's own sources and those of the collections that pip has brought with it.
SOURCES = ("meta", "plugins/module_utils", "plugins/modules")
DISTRIBUTIONS = ("ansible", "ansible-core")
# Where Ansible keeps them during a run, and what it calls those that are not whole.
CACHE = "ansiballz_cache"
UNFINISHED = (".lock", "-part")


def kept_for(root: Path) -> str:
    """Return a name for the state of everything that archives are made of in the collection at ``root``."""
    digest = hashlib.sha256(f"{sys.version} {[version(name) for name in DISTRIBUTIONS]}".encode())
    for path in sorted(path for name in SOURCES for path in (root / name).rglob("*") if path.suffix in {".py", ".yml"}):
        digest.update(f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def copy_missing(source: Path, target: Path) -> None:
    """Copy the archives that ``target`` lacks; several runs may do so at once."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir() if source.is_dir() else ():
        if not path.name.endswith(UNFINISHED) and not (target / path.name).exists():
            fresh = target / f"{path.name}.{os.getpid()}-part"
            shutil.copyfile(path, fresh)
            fresh.replace(target / path.name)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible's entry point."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kept_modules"

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Put there what was kept."""
        self._kept = KEPT / kept_for(ROOT)
        copy_missing(self._kept, Path(constants.DEFAULT_LOCAL_TMP) / CACHE)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Keep what was made."""
        copy_missing(Path(constants.DEFAULT_LOCAL_TMP) / CACHE, self._kept)
