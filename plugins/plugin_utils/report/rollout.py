# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far a rollout has come, host by host, as a table for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

TO_COME, NOW, DONE, UNTOUCHED = "to come", "now", "done", "untouched"
LOOKED_AT = "looked at"
WENT_BACK, PARTLY_BACK, UNCHANGED = "went back", "went back, but not all of it", "had changed nothing"
KEPT, REST_WENT_BACK = "keeps what it had confirmed", "keeps what it had confirmed, the rest went back"
NOT_REACHED = "not reached; what it changed, it puts back by itself"
# Of the names.
_COLUMNS = 90

# A batch and some of its hosts: its machines, or the routers in containers, whose turn comes after all machines.
Turn = tuple[int, tuple[str, ...]]


def turns_of(batches: Sequence[Mapping[str, Sequence[str]]]) -> list[Turn]:
    """Return the turns of a run, in order. batches: each with ``hosts`` and ``containers``."""
    return [(number, tuple(batch[kind])) for kind in ("hosts", "containers") for number, batch in enumerate(batches, 1) if batch[kind]]


def turn_of(turns: Sequence[Turn], host: str) -> int:
    """Return the place of a host's turn. Raises ValueError for a host of none."""
    for place, (_number, hosts) in enumerate(turns):
        if host in hosts:
            return place
    raise ValueError(f"{host} is in no batch of this run")


def host_state(variables: Mapping[str, Any]) -> str:
    """Return what became of a host whose turn it was.

    Parameters:
        variables: of the host; what role ``preflight`` has left there: the beginning and the end of the run on it, what it said when it confirmed its
            changes, and when it was told to go back.
    """
    ended = variables.get("__preflight_ended") or {}
    if ended.get("token") and ended["token"] == (variables.get("__preflight_begun") or {}).get("token"):
        return DONE
    answer = variables.get("__preflight_back")
    if not answer or answer.get("unreachable"):
        return NOT_REACHED
    if answer.get("failed") or answer.get("failures"):
        return PARTLY_BACK
    kept = _succeeded(variables.get("__preflight_confirmed"))
    if answer.get("restored"):
        return REST_WENT_BACK if kept else WENT_BACK
    return KEPT if kept else UNCHANGED


def _succeeded(answer: Mapping[str, Any] | None) -> bool:
    return bool(answer) and not any((answer or {}).get(name) for name in ("failed", "skipped", "unreachable"))


def states_of(turns: Sequence[Turn], place: int, now: Callable[[str], str], later: str) -> list[tuple[int, str, str]]:
    """Return batch, state and name of each host.

    Parameters:
        turns: all of them.
        place: the turn that is looked at; those before it are done.
        now: gives the state of a host of that one.
        later: state of those behind it.
    """
    return [
        (number, DONE if index < place else now(host) if index == place else later, host)
        for index, (number, hosts) in enumerate(turns)
        for host in hosts
    ]


def rollout_table(states: Iterable[tuple[int, str, str]]) -> list[str]:
    """Write a table, a line for each batch and state.

    Parameters:
        states: batch, state and name of each host, in any order.
    """
    grouped: dict[tuple[int, str], list[str]] = {}
    for number, state, host in states:
        grouped.setdefault((number, state), []).append(host)
    width = max([len(state) for _number, state in grouped] + [5])
    lines = [f"BATCH  {'STATE':<{width}}  HOSTS"]
    # Of one batch, in the order in which the states were first met.
    for (number, state), hosts in sorted(grouped.items(), key=lambda item: item[0][0]):
        heading = f"{number:<5}  {state:<{width}}  "
        lines += textwrap.wrap(
            ", ".join(hosts),
            len(heading) + _COLUMNS,
            initial_indent=heading,
            subsequent_indent=" " * len(heading),
            break_on_hyphens=False,
            break_long_words=False,
        )
    return lines
