# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is found on a host: the variables that describe it, and what none describes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Of Jinja.
_OPENINGS = ("{{", "{%", "{#")


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

    def without_templates(self) -> None:
        """Leave what Ansible would take for a template and run on the controller: a host says it, and nobody has read it."""
        ours = {"{{ " + name + " }}" for name in self.secrets}
        kept = self._plain(self.variables, ours, ())
        self.variables = kept if isinstance(kept, dict) else {}

    def _plain(self, value: Any, ours: set[str], keys: tuple[Hashable, ...]) -> Any:
        """Return a copy without templates; None for one itself."""
        if isinstance(value, dict):
            found = {key: self._plain(item, ours, (*keys, key)) for key, item in value.items()}
            return {key: item for key, item in found.items() if item is not None}
        if isinstance(value, list):
            return [item for item in (self._plain(item, ours, keys) for item in value) if item is not None]
        if isinstance(value, str) and value not in ours and any(opening in value for opening in _OPENINGS):
            self.leave(
                " / ".join(map(str, keys)) + f": {value}",
                "Ansible would take it for a template; write it as an unsafe string, or otherwise",
            )
            return None
        return value
