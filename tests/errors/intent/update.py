# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What bad intents are answered with. `tests/update_expected.py` writes the expected messages."""

from __future__ import annotations

import sys
from pathlib import Path

CASES = Path(__file__).parent
sys.path.insert(0, str(CASES.parents[2] / ".collections"))

from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, make_plan


def message(case: Path) -> str:
    """Return what a bad intent is answered with; an empty text when it is accepted."""
    try:
        make_plan(read_yaml(case.read_text(encoding="utf-8")))
    except IntentError as error:
        return f"{error}\n"
    return ""


def update() -> None:
    """Write all of them."""
    for case in sorted(CASES.glob("*.yml")):
        case.with_suffix(".txt").write_text(message(case), encoding="utf-8")
