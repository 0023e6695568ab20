"""The one exception a user of the lab gets to see."""

from __future__ import annotations

from collections.abc import Sequence


class LabError(Exception):
    """Something the user can act on; carries every problem found, not only the first.

    Parameters:
        problems: one sentence each; multi-line text (a log's tail) is allowed.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems
