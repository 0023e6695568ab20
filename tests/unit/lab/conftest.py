"""The lab is a program of the checkout, not part of the installed collection: make it importable from there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
