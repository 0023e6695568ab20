# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a host keeps of what it last applied: digests, and when, by whom and with which inventory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text, write_atomically

APPLIED = "/var/lib/xgn/applied.json"


def read_applied() -> dict[str, Any]:
    """Read the record; empty where there is none, a half-written one, or one that cannot be read, as by another user than root."""
    try:
        found = json.loads(read_text(APPLIED))
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def write_applied(record: Mapping[str, Any]) -> None:
    """Write the record. Raises OSError."""
    write_atomically(APPLIED, json.dumps(record, indent=1, sort_keys=True) + "\n", 0o600)


def is_same(kept: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Tell whether two records are of the same variables; secrets that were sealed with two keys cannot be compared and count as the same."""
    if kept.get("variables") != record.get("variables"):
        return False
    return kept.get("key") != record.get("key") or kept.get("secrets") == record.get("secrets")
