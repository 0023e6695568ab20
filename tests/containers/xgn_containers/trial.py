"""Prove that a daemon can run what the tests need: a privileged container with systemd in it."""

from __future__ import annotations

import time

from .docker import Docker

START_LIMIT_S = 30
POLL_S = 0.5
# "degraded" would hide a unit that the image should have masked.
GOOD_STATE = "running"
# The same as in molecule/shared/create.yml.
OPTIONS = ("--privileged", "--cgroupns=private", "--tmpfs=/run", "--tmpfs=/tmp:exec", "--network=none", "--pull=never")


def why_unusable(docker: Docker, image: str, name: str) -> str | None:
    """Start one container of ``image`` and return None if systemd comes up in it, else the reason."""
    docker.run("rm", "--force", name)
    try:
        started = docker.run("run", "--detach", f"--name={name}", *OPTIONS, image)
        if started.returncode != 0:
            return f"a privileged container does not start: {started.stderr.strip()}"
        deadline = time.monotonic() + START_LIMIT_S
        state = ""
        while time.monotonic() < deadline:
            answer = docker.run("exec", name, "systemctl", "is-system-running")
            state = answer.stdout.strip() or answer.stderr.strip()
            if state == GOOD_STATE:
                return None
            time.sleep(POLL_S)
        failed = docker.run("exec", name, "systemctl", "--failed", "--no-legend", "--plain").stdout.strip()
        log = docker.run("logs", "--tail=10", name).stdout.strip()
        return f"systemd in a container says {state!r} after {START_LIMIT_S} s. {failed} {log}".strip()
    finally:
        docker.run("rm", "--force", name)
