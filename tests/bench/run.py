# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run every bench of this directory. Each prints its figures and puts them into build/bench.json."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHES = ("planner.py", "calls.py")


def main() -> int:
    """Run them one after another, so that they do not disturb each other. Returns the number of those that failed."""
    return sum(subprocess.run([sys.executable, str(Path(__file__).parent / name)], check=False).returncode != 0 for name in BENCHES)


if __name__ == "__main__":
    sys.exit(main())
