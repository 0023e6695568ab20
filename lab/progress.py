"""One line for each step of a long operation, with the seconds since the start."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

REFRESH_S = 1.0


class Progress:
    """Shows what is going on: lines that update in place on a terminal, plain lines elsewhere.

    Use as a context manager; `step` may be called from several threads.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._tty = self._stream.isatty()
        self._start = time.monotonic()
        self._active: dict[str, str] = {}
        self._drawn = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._tty:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        if self._ticker is not None:
            self._ticker.join()
        with self._lock:
            # What was under way when an error came stays visible, as it explains the error.
            self._redraw()
            self._drawn = 0

    def step(self, subject: str, text: str) -> None:
        """Say that ``subject`` is now busy with ``text``."""
        with self._lock:
            if self._active.get(subject) == text:
                return
            self._active[subject] = text
            if self._tty:
                self._redraw()
            else:
                self._print(self._line(subject, text + " ..."))

    def done(self, subject: str, text: str) -> None:
        """Say that ``subject`` has ended with ``text``."""
        with self._lock:
            before = self._active.pop(subject, "")
            line = self._line(subject, f"{before} ... {text}" if before else text)
            if self._tty:
                self._erase()
                self._print(line)
                self._redraw()
            else:
                self._print(line)

    def _line(self, subject: str, text: str) -> str:
        return f"[{time.monotonic() - self._start:5.0f} s] {subject}  {text}"

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _redraw(self) -> None:
        if not self._tty:
            return
        self._erase()
        for subject, text in self._active.items():
            self._print(self._line(subject, text + " ..."))
        self._drawn = len(self._active)

    def _tick(self) -> None:
        while not self._stop.wait(REFRESH_S):
            with self._lock:
                self._redraw()
