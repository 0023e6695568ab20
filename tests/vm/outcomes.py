"""What came of a fault: packets lost, what the runs did, the verdict, and the table, the JSON and the Markdown of all of them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from faults import KINDS, Case, Fault, name_of
from hybrid_network import Stream

GOOD, BAD, NOT_DONE = "good", "bad", "not done"
SHOWN_CHECKS = 6


# ---- runs ----------------------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run of `site`. changed: tasks that changed something, by host. output: all that it said."""

    status: int
    changed: Mapping[str, int]
    output: str

    @property
    def reason(self) -> str:
        """Why it failed, as far as it said so."""
        told = [
            " ".join(text.split())
            for text in re.findall(r"^(?:fatal|failed): (\[.*?)(?=\n\n|\nTASK|\nPLAY|\Z)", self.output, re.MULTILINE | re.DOTALL)
        ]
        return (told[0] if told else " ".join(self.output.split())[-300:])[:300]


# Names of checks that fail, by host.
Failed = Mapping[str, Sequence[str]]


def shown(failed: Failed) -> str:
    """Some checks that fail, for people."""
    names = [f"{host} {name}" for host, found in sorted(failed.items()) for name in found]
    return "; ".join(names[:SHOWN_CHECKS]) + (f"; and {len(names) - SHOWN_CHECKS} more" if len(names) > SHOWN_CHECKS else "")


def not_named(case: Case, failed: Failed) -> list[str]:
    """Say which faults verify does not name though it should."""
    problems = []
    for fault in case:
        for host in fault.hosts if fault.verify else ():
            if not any(re.search(fault.verify, name) for name in failed.get(host, ())):
                problems.append(
                    f"verify does not name {fault.name} on {host}; it names {shown({host: failed.get(host, ())}) or 'nothing there'}"
                )
    return problems


def converged(first: Run, again: Run, failed: Failed) -> list[str]:
    """Judge a run that had to end well, the one after it, and verify at the end."""
    if first.status != 0:
        return [f"site ended with {first.status}: {first.reason}"]
    if again.status != 0:
        return [f"the second site ended with {again.status}: {again.reason}"]
    changed = {host: count for host, count in again.changed.items() if count}
    problems = [f"the second site changed {', '.join(f'{host} {count}' for host, count in changed.items())}"] if changed else []
    problems += [] if again.changed else ["the second site reached no host"]
    return problems + still_failing(failed)


def still_failing(failed: Failed) -> list[str]:
    """Judge verify where everything should be as planned."""
    return [f"verify at the end: {shown(failed)}"] if any(failed.values()) else []


def repaired(case: Case, first: Run, again: Run, failed: Failed) -> list[str]:
    """Judge what one run of site had to repair, and to say so."""
    silent = [
        f"site changed nothing on {host}, which {fault.name}" for fault in case for host in fault.hosts if not first.changed.get(host)
    ]
    return converged(first, again, failed) + (silent if first.status == 0 else [])


def refused(fault: Fault, first: Run) -> list[str]:
    """Judge a run that had to refuse and to say why."""
    if first.status == 0:
        return ["site did not refuse"]
    said = " ".join(first.output.split())
    return [] if re.search(fault.says, said) else [f"site failed for another reason: {first.reason}"]


def within_planned_time(fault: Fault, streams: Mapping[str, Stream | None]) -> list[str]:
    """Judge how long traffic found no way."""
    if fault.gap is None:
        return []
    if not any(streams.values()):
        return ["no stream of packets to measure"]
    return [f"{name}: {stream.gap:.1f} s without an answer" for name, stream in streams.items() if stream and stream.gap > fault.gap]


# ---- outcomes ------------------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a fault, or of several at once. packets: by family, None where there was no stream. seconds: from its beginning to the verdict."""

    case: Case
    verdict: str
    seen: str
    seconds: float = 0
    packets: Mapping[str, Stream | None] = dataclasses.field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Its kind; that of several at once is said by their number."""
        return self.case[0].kind if len(self.case) == 1 else "several at once"

    @property
    def expected(self) -> str:
        """What was expected."""
        return self.case[0].expected

    def lost(self) -> str:
        """Packets lost, for people."""
        found = [f"{family} {stream}" for family, stream in self.packets.items() if stream]
        return "; ".join(found) or "no stream"

    def line(self) -> str:
        """All of it in one line."""
        parts = [name_of(self.case), self.expected, self.seen, f"{self.seconds:.0f} s", f"lost {self.lost()}", self.verdict.upper()]
        return " | ".join(parts) if self.verdict != NOT_DONE else f"{parts[0]} | {self.seen} | {parts[-1]}"

    def as_dict(self) -> dict[str, Any]:
        """As the JSON file has it."""
        return {
            "faults": [{"name": fault.name, "hosts": list(fault.hosts), "kind": fault.kind} for fault in self.case],
            "kind": self.kind,
            "expected": self.expected,
            "seen": self.seen,
            "seconds": round(self.seconds, 1),
            "packets": {family: dataclasses.asdict(stream) if stream else None for family, stream in self.packets.items()},
            "verdict": self.verdict,
        }


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many of each verdict."""
    verdicts = [outcome.verdict for outcome in outcomes]
    return {verdict: verdicts.count(verdict) for verdict in (GOOD, BAD, NOT_DONE)}


def by_kind(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """For each kind the verdicts, the packets lost in all, and the longest time without an answer in seconds."""
    found = {}
    for kind in (*KINDS, "several at once"):
        here = [outcome for outcome in outcomes if outcome.kind == kind]
        streams = [stream for outcome in here for stream in outcome.packets.values() if stream]
        if here:
            found[kind] = {
                **counts(here),
                "lost": sum(stream.lost for stream in streams),
                "gap": max((stream.gap for stream in streams), default=0.0),
                "seconds": round(sum(outcome.seconds for outcome in here)),
            }
    return found


COLUMNS = ("kind", GOOD, BAD, NOT_DONE, "lost", "gap", "seconds")


def table(outcomes: Sequence[Outcome]) -> str:
    """The table by kind, and what was bad."""
    rows = [[kind, *(f"{row[column]}" for column in COLUMNS[1:])] for kind, row in by_kind(outcomes).items()]
    heading = ["kind", "good", "bad", "not done", "packets lost", "longest gap, s", "seconds"]
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]
    lines = [
        "  ".join(
            cell.ljust(width) if not index else cell.rjust(width) for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [heading, *rows]
    ]
    lines += ["", *(outcome.line() for outcome in outcomes if outcome.verdict == BAD)]
    found = counts(outcomes)
    return "\n".join([*lines, ", ".join(f"{number} {verdict}" for verdict, number in found.items())])


def as_json(outcomes: Sequence[Outcome], about: Mapping[str, Any]) -> str:
    """What the JSON file holds. about: what is to be said of the campaign itself."""
    whole = {**about, "counts": counts(outcomes), "by_kind": by_kind(outcomes), "outcomes": [outcome.as_dict() for outcome in outcomes]}
    return json.dumps(whole, indent=1) + "\n"


def as_markdown(outcomes: Sequence[Outcome], about: Mapping[str, Any]) -> str:
    """The same for people."""

    def row(*cells: object) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    found = counts(outcomes)
    lines = ["# Fault campaign", "", ", ".join(f"{key} {value}" for key, value in about.items()), ""]
    lines += [", ".join(f"{number} {verdict}" for verdict, number in found.items()), ""]
    lines += [row("kind", "good", "bad", "not done", "packets lost", "longest gap, s", "seconds"), row("---", *["---:"] * 6)]
    lines += [row(kind, *(values[column] for column in COLUMNS[1:])) for kind, values in by_kind(outcomes).items()]
    lines += [
        "",
        row("fault", "kind", "expected", "seen", "seconds", "packets lost, longest gap", "verdict"),
        row(*["---"] * 4, "---:", "---", "---"),
    ]
    lines += [
        row(name_of(each.case), each.kind, each.expected, each.seen, f"{each.seconds:.0f}", each.lost(), each.verdict) for each in outcomes
    ]
    return "\n".join(lines) + "\n"


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """0 only when everything that was asked was done and is good."""
    return 0 if outcomes and all(outcome.verdict == GOOD for outcome in outcomes) else 1
