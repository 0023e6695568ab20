# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What bad variables of a host are answered with. `tests/update_expected.py` writes the expected reports."""

from __future__ import annotations

import sys
from pathlib import Path

CASES = Path(__file__).parent / "host"
ROOT = CASES.parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import report
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import (
    load_role_specs,
    role_variables,
    variable_problems,
)

SPECS = load_role_specs(ROOT / "roles")


def cases() -> list[Path]:
    """Return the variables of every case, sorted."""
    return sorted(CASES.glob("*.yml"))


def message(case: Path) -> str:
    """Return the whole report on the variables of a case."""
    variables = read_yaml(case.read_text(encoding="utf-8"))
    return report(variable_problems(role_variables(variables, SPECS), SPECS), "the variables of T1") + "\n"


def update() -> None:
    """Write all of them."""
    for case in cases():
        case.with_suffix(".txt").write_text(message(case), encoding="utf-8")
