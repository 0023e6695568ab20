# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Steer only while the NFV box does its work: withdraw everything when its health command fails, advertise again when it succeeds.

Role C(gobgp) installs this unchanged as /usr/local/sbin/xgn-steering-health, which xgn-steering-health.service runs. It changes
nothing itself: C(xgn-steering hold) and C(xgn-steering resume) do.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from typing import Any

SETTINGS = "/etc/xgn/steering.json"
HELD = "/var/lib/gobgpd/held"
PROGRAM = "/usr/local/sbin/xgn-steering"
# As much of the command's output as a reason needs.
WORDS = 200


def unhealthy(health: dict[str, Any]) -> str | None:
    """Run the health command; returns why it failed, or None. health: C(command), and C(timeout) in seconds."""
    try:
        run = subprocess.run(
            shlex.split(health["command"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=health["timeout"],
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no end within %s s" % health["timeout"]
    except OSError as error:
        return str(error)
    words = " ".join(run.stdout.split())[-WORDS:]
    return None if run.returncode == 0 else "exit status %d%s" % (run.returncode, ": " + words if words else "")


class Watch:
    """Counts successes and failures in a row and says when steering is to stop and to go on.

    health: C(fall) and C(rise), how many it takes.
    """

    def __init__(self, health: dict[str, Any]) -> None:
        self.health = health
        self.good = 0
        self.bad = 0

    def step(self, reason: str | None, holding: bool) -> list[str]:
        """Take one result and return the words for xgn-steering, or nothing. reason: why the command failed, or None."""
        self.good, self.bad = (0, self.bad + 1) if reason else (self.good + 1, 0)
        if reason and not holding and self.bad >= self.health["fall"]:
            return ["hold", reason]
        if not reason and holding and self.good >= self.health["rise"]:
            return ["resume"]
        return []


def main() -> int:
    """Watch until the unit is stopped."""
    with open(SETTINGS, encoding="utf-8") as stream:
        health = json.load(stream)["health"]
    watch = Watch(health)
    words: list[str] = []
    while True:
        began = time.monotonic()
        # What did not work, for example because gobgpd was busy, is tried again.
        words = watch.step(unhealthy(health), os.path.exists(HELD)) or words
        if words:
            print("steering: %s" % " ".join(words), flush=True)
            if subprocess.run([PROGRAM, *words], check=False).returncode == 0:
                words = []
        time.sleep(max(0.0, health["interval"] - (time.monotonic() - began)))


if __name__ == "__main__":
    raise SystemExit(main())
