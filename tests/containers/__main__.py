"""Entry point: ``python tests/containers COMMAND``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# This directory for `xgn_containers`, the checkout for `lab`, whose helpers are shared.
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from xgn_containers.cli import main  # the path has to be set first

if __name__ == "__main__":
    sys.exit(main())
