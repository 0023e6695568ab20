# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write everything again that tests expect and a program can write: python tests/update_expected.py. Review the difference before you commit it.

That is the files of the golden networks, and the answers to bad intents and to bad variables of a host.
"""

from __future__ import annotations

import runpy
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PARTS = ("golden/update.py", "errors/intent/update.py", "errors/update_host.py")


def main() -> None:
    """Write all of them."""
    for part in PARTS:
        runpy.run_path(str(TESTS / part))["update"]()


if __name__ == "__main__":
    main()
