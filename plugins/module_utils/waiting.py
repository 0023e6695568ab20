# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Wait for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def wait_until(look: Callable[[], Seen], enough: Callable[[Seen], bool], seconds: float, pause: float) -> Seen:
    """Look until what is seen is enough or the time is over; return what was seen last.

    Parameters:
        look: gives the present state; it is called once at least. What it raises ends the waiting.
        enough: says whether there is nothing left to wait for.
        seconds: how long to go on; 0 looks once.
        pause: seconds between two looks.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if enough(seen) or time.monotonic() >= deadline:
            return seen
        time.sleep(pause)
