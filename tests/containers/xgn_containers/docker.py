"""A thin client: the `docker` program, told which daemon to talk to."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

PING_LIMIT_S = 10
COMMAND_LIMIT_S = 180
# Debian keeps daemons out of an ordinary user's PATH.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
LABEL = "xgn.digest"


def find_program(name: str) -> Path | None:
    """Return a program of the system, also one that is not in the user's PATH."""
    found = shutil.which(name, path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}")
    return Path(found) if found else None


@dataclass(frozen=True)
class Docker:
    """One client program and one daemon.

    Parameters:
        client: the program `docker`.
        host: the daemon's address, in the form of DOCKER_HOST.
    """

    client: Path
    host: str

    def run(self, *arguments: str, limit_s: float = COMMAND_LIMIT_S) -> subprocess.CompletedProcess[str]:
        """Run one command and return its result, whatever it is."""
        command = [str(self.client), "--host", self.host, *arguments]
        # A context or TLS setting of the user is for another daemon.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, env=environment)
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(command, 124, "", f"no answer within {error.timeout:.0f} s")

    def check(self, *arguments: str) -> str:
        """Run one command and return its output.

        Raises:
            LabError: it failed.
        """
        result = self.run(*arguments)
        if result.returncode != 0:
            raise LabError(f"docker {' '.join(arguments)} failed:", (result.stderr or result.stdout).strip())
        return result.stdout.strip()

    def answers(self) -> bool:
        """Tell whether the daemon answers this client."""
        return self.run("version", "--format", "{{.Server.Version}}", limit_s=PING_LIMIT_S).returncode == 0

    def has_image(self, image: str, digest: str) -> bool:
        """Tell whether the daemon holds this very build of the image."""
        result = self.run("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', image)
        return result.returncode == 0 and result.stdout.strip() == digest

    def import_image(self, tarball: Path, image: str, digest: str) -> None:
        """Make an image of a file system, with systemd as its first process."""
        changes = ('CMD ["/sbin/init"]', "ENV container=docker", f"LABEL {LABEL}={digest}")
        options = [argument for change in changes for argument in ("--change", change)]
        self.check("import", *options, str(tarball), image)
