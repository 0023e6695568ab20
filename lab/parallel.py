"""Several things at once, with one answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from lab.errors import LabError


def in_parallel(tasks: Mapping[str, Callable[[threading.Event], object]]) -> None:
    """Run all tasks, each in a thread, and raise all their `LabError`s as one.

    The event that each gets is set when the user interrupts, and the interrupt is raised again when all have ended.
    """
    if not tasks:
        return
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        futures = [pool.submit(task, stop) for task in tasks.values()]
        try:
            wait(futures)
        except BaseException:
            stop.set()
            raise
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, LabError):
            raise error
    if errors:
        raise LabError(*(problem for error in errors if isinstance(error, LabError) for problem in error.problems))
