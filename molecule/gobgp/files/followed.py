"""Print how long after each call the kernel followed. Arguments: prefix, time of the advertisement, time of the withdrawal (s since 1970)."""

from __future__ import annotations

import datetime
import json
import re
import sys
import time
from pathlib import Path

# What `ip -ts monitor` wrote on this host.
LOG = Path("/tmp/monitor")
LIMIT_S = 20


def seen(prefix: str) -> dict[str, float]:
    """When the prefix was put into the kernel's table, and when it was taken out, in seconds since 1970."""
    found = {}
    for stamp, gone, name in re.findall(r"^\[(\S+)\] (Deleted )?(\S+) ", LOG.read_text(), re.MULTILINE):
        if name == prefix:
            # The time zone of these hosts is UTC.
            found["withdrawn" if gone else "advertised"] = datetime.datetime.fromisoformat(stamp + "+00:00").timestamp()
    return found


def main() -> None:
    """Wait for both events."""
    prefix, advertised, withdrawn = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    deadline = time.monotonic() + LIMIT_S
    while len(found := seen(prefix)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    print(json.dumps({"advertised": round(found["advertised"] - advertised, 3), "withdrawn": round(found["withdrawn"] - withdrawn, 3)}))


main()
