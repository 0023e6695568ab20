"""What all unit tests share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no counterexample, neither by the time an example takes nor by that of making it. What takes too long is for
# `pytest --durations` to tell.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


def _lines(work: Callable[[], object]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        # Whoever measures coverage goes on.
        sys.settrace(former)
    return count


@pytest.fixture
def lines() -> Callable[[Callable[[], object]], int]:
    """How many lines of Python a piece of work executes: its cost, the same on any machine however busy, where seconds are not."""
    return _lines
