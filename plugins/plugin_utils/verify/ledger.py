# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every check of role ``verify`` is made of: a name, a command a person can paste, a test of the live state, a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address, ip_interface
from typing import Any, Literal

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import MAIN_TABLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import one_line
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import COMPARED

Status = Literal["passed", "failed", "skipped"]
Verdict = tuple[bool, str]
# Of one host, as the plan or its owner wrote them.
Variables = HostVariables
State = Mapping[str, Any]

DEFAULT_VRF = "default"


@dataclass(frozen=True)
class Check:
    """One result.

    Attributes:
        host: inventory name.
        name: stable and unique per host; its first word is the subject (``BGP``, ``VRF`` …).
        status: ``passed``, ``failed`` or ``skipped``.
        command: shell line that shows the same on that host.
        detail: what was found and, if it failed, what was expected; the reason, if skipped.
    """

    host: str
    name: str
    status: Status
    command: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        """Return the five fields as a dictionary, as ``report.json`` holds them."""
        return asdict(self)


class Ledger:
    """Collects the checks of one host while its live state is compared with its variables."""

    def __init__(self, host: str, state: State) -> None:
        """Start empty; ``state`` is what module ``live_state`` returned."""
        self.host = host
        self.state = state
        self.checks: list[Check] = []

    def add(self, name: str, status: Status, command: str, detail: str) -> None:
        """Record one result. What the host said in it becomes one line."""
        self.checks.append(Check(self.host, one_line(name), status, one_line(command), one_line(detail)))

    def skip(self, name: str, reason: str, command: str = "") -> None:
        """Record that a check was not made, and why."""
        self.add(name, "skipped", command, reason)

    def judge(self, name: str, command: str, parts: str, test: Callable[..., Verdict]) -> None:
        """Test parts of the state.

        Parameters:
            name: name of the check.
            command: line that shows the same on the host.
            parts: names of the parts the test needs, separated by spaces. One that was not gathered fails the check.
            test: gets the parts' data in that order; returns whether it passed, and the detail.
        """
        for part in parts.split():
            reason = self.problem(part)
            if reason is not None:
                self.add(name, "failed", command, f"could not be read: {reason}")
                return
        passed, detail = test(*(self.state[part]["data"] for part in parts.split()))
        self.add(name, "passed" if passed else "failed", command, detail)

    def problem(self, part: str) -> str | None:
        """Return why a part of the state is missing, or None when it is there."""
        found = self.state.get(part)
        if found is None:
            return f"{part} was not gathered"
        if found.get("error") is not None or found.get("data") is None:
            return f"{found.get('command', part)}: {found.get('error') or 'no data'}"
        return None


def same(expected: object, found: object, unit: str = "") -> Verdict:
    """Compare two values; the detail names both when they differ."""
    if expected == found:
        return True, f"{found}{unit}"
    return False, f"found {_shown(found)}{unit if found is not None else ''}, expected {_shown(expected)}{unit}"


def same_set(expected: Iterable[str], found: Iterable[str]) -> Verdict:
    """Compare two collections without regard to order; the detail names what is missing and what is extra."""
    wanted, live = set(expected), set(found)
    if wanted == live:
        return True, ", ".join(sorted(live)) or "none"
    problems = []
    if wanted - live:
        problems.append("missing " + ", ".join(sorted(wanted - live)))
    if live - wanted:
        problems.append("extra " + ", ".join(sorted(live - wanted)))
    return False, f"{'; '.join(problems)} (found {', '.join(sorted(live)) or 'none'}, expected {', '.join(sorted(wanted)) or 'none'})"


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)


def canonical_interface(text: str) -> str:
    """Return an address with prefix length in canonical form. Raises ValueError when it is none."""
    return str(ip_interface(text))


def canonical_address(text: str) -> str:
    """Return an address in canonical form, or the text itself when it is none, such as a host name."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def family_of(text: str) -> int:
    """Return 4 or 6 for an address or prefix. Raises ValueError when it is none."""
    return ip_interface(text).version


def duration(seconds: float | None) -> str:
    """Write a time span in its two largest units: ``3 d 4 h``, ``12 min 5 s``, ``7 s``."""
    if seconds is None:
        return "never"
    left = int(seconds)
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size} {unit}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2])


def tables_of(variables: Variables) -> dict[str, int]:
    """Return routing table by VRF name, the default VRF included."""
    return {DEFAULT_VRF: MAIN_TABLE, **{vrf["name"]: int(vrf["table"]) for vrf in variables.get("vrf_vrfs", [])}}


def roles_of(variables: Variables) -> list[str]:
    """Return the roles that are compared: those in ``verify_roles``."""
    return list(variables.get("verify_roles", [role.name for role in COMPARED]))
