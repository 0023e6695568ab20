# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write the expected files of every golden network again: python tests/golden/update.py. Review the difference before you commit it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import yaml

GOLDEN = Path(__file__).parent
sys.path.insert(0, str(GOLDEN.parents[1] / ".collections"))

from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import plan_files


def networks() -> list[Path]:
    """Return the directories of the golden networks."""
    return sorted(path.parent for path in GOLDEN.glob("*/intent.yml"))


def files_of(network: Path) -> dict[str, str]:
    """Return every file the plan of a network consists of, by relative path."""
    intent = yaml.safe_load((network / "intent.yml").read_text(encoding="utf-8"))
    keys = network / "public_keys.yml"
    known = yaml.safe_load(keys.read_text(encoding="utf-8")) if keys.is_file() else None
    return dict(plan_files(make_plan(intent), known))


def main() -> None:
    """Write all of them."""
    for network in networks():
        expected = network / "expected"
        shutil.rmtree(expected, ignore_errors=True)
        for name, text in files_of(network).items():
            path = expected / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
