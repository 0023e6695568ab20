"""Where the container tests keep their things."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CONTAINERS_DIR = Path(__file__).resolve().parents[1]
CHECKOUT = CONTAINERS_DIR.parents[1]
MOLECULE_DIR = CHECKOUT / "molecule"
CALLBACKS_DIR = CHECKOUT / "tests" / "ansible_callbacks"
REPORT_DIR = CHECKOUT / "build" / "containers"


def image_cache_dir() -> Path:
    """Return the directory of the built images; every checkout of the user shares it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "xuegao-net" / "containers"


@dataclass(frozen=True)
class EnginePaths:
    """Files of the engine of one checkout."""

    runtime: Path

    @property
    def tag(self) -> str:
        """A name that only this engine has: the last part of its directory."""
        return self.runtime.name

    @property
    def lock(self) -> Path:
        """Held while the engine is started or stopped. It lies beside the directory, which comes and goes."""
        return self.runtime.with_suffix(".lock")

    @property
    def state(self) -> Path:
        """Which engine is in use, as JSON."""
        return self.runtime / "engine.json"

    @property
    def socket(self) -> Path:
        """The private daemon's socket."""
        return self.runtime / "docker.sock"

    @property
    def config(self) -> Path:
        """The private daemon's configuration."""
        return self.runtime / "daemon.json"

    @property
    def pid_file(self) -> Path:
        """Process id of the process that holds the private daemon's namespaces."""
        return self.runtime / "engine.pid"

    @property
    def log(self) -> Path:
        """What the private daemon says."""
        return self.runtime / "dockerd.log"

    @property
    def oci_runtime(self) -> Path:
        """The OCI runtime that the private daemon calls."""
        return self.runtime / "oci-runtime"

    @property
    def bin(self) -> Path:
        """Directory with the client that fits the daemon, to be put in front of PATH."""
        return self.runtime / "bin"


def engine_paths(checkout: Path = CHECKOUT) -> EnginePaths:
    """Return the files of this checkout's engine.

    The directory is short, because a unix socket's path must stay below 108 bytes, and on disk, because images lie in it.
    """
    digest = hashlib.sha256(str(checkout).encode()).hexdigest()[:10]
    return EnginePaths(Path("/var/tmp") / f"xgn-containers-{os.getuid()}-{digest}")
