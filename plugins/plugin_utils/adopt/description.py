# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is found on a host: the variables that describe it, and what none describes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Left(NamedTuple):
    """Something that no variable describes. what: as the host says it. why: the reason, and what a person can do."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


@dataclass
class Description:
    """What was found so far.

    Attributes:
        variables: those of the roles. A secret is a template of the variable that its owner gives it.
        left: what they do not say.
        secrets: name of each such variable, and where the host has it.
    """

    variables: dict[str, Any] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    def give(self, name: str, value: Any) -> None:
        """Give a variable, unless its value says nothing."""
        if value not in (None, [], {}):
            self.variables[name] = value

    def leave(self, what: str, why: str) -> None:
        """Name what no variable describes."""
        self.left.append(Left(what, why))

    def secret(self, name: str, where: str) -> str:
        """Return the template that stands for a secret of the host. name: what stands for its value in what was read; equal values have one name."""
        self.secrets.setdefault(name, where)
        return "{{ " + name + " }}"
