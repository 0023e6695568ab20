"""Where the controller itself gets Debian packages from; no archive's name stands in this repository."""

from __future__ import annotations

import os
import shutil
import subprocess

# One line for each index that the controller's apt knows.
INDEX_FORMAT = "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)"
# The apt settings that decide whether an archive can be reached and is believed; taken over from the controller.
POLICY_KEYS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)


def parse_index_targets(text: str) -> str | None:
    """Return the URI of the main Debian archive from ``apt-get indextargets --format INDEX_FORMAT``, or None.

    Before the first ``apt-get update`` origin and label are empty; then the URI's last part must be "debian".
    """
    for line in text.splitlines():
        uri, origin, label, component = (line.split("|") + [""] * 4)[:4]
        if component != "main" or not uri.startswith(("http://", "https://")):
            continue
        unknown = not origin and not label
        if (origin == "Debian" and label == "Debian") or (unknown and uri.rstrip("/").endswith("/debian")):
            return uri
    return None


def debian_mirror() -> str | None:
    """Return the archive to build from: XGN_DEBIAN_MIRROR, or what the controller's apt uses, or None (default)."""
    if chosen := os.environ.get("XGN_DEBIAN_MIRROR"):
        return chosen
    output = _output(["apt-get", "indextargets", "--format", INDEX_FORMAT])
    return parse_index_targets(output)


def apt_policy() -> list[str]:
    """Return the controller's apt settings on proxies and dates, as lines for an apt.conf."""
    output = _output(["apt-config", "dump", "--format", '%f "%v";%n', *POLICY_KEYS])
    return [line for line in output.splitlines() if line.startswith("Acquire::") and not line.endswith('"";')]


def _output(command: list[str]) -> str:
    """Return the standard output of an apt command, or "" on a controller where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
