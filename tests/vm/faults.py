"""The faults of faults.yml: read and checked before anything is done, chosen, and put in order.

A fault is what somebody or something does to a host, a wire or a run that the hybrid network has to live through. Its action is one of a small closed
set, and it says what is expected: it heals by itself, one run of `site` repairs it, the next run converges, or `site` refuses with a reason.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hybrid_network import HOSTS, ROOT

from lab.conditions import Conditions
from lab.errors import LabError
from lab.topology import load_topology

FILE = Path(__file__).with_name("faults.yml")
# As in the header of the file, and in this order in the table at the end.
KINDS = {
    "daemon": "daemons killed or frozen, or with other files than those that are there",
    "unit": "units of systemd",
    "interface": "interfaces",
    "address": "addresses",
    "rule": "rules of routing",
    "route": "routes",
    "setting": "kernel settings",
    "file": "files",
    "filter": "the packet filter",
    "docker": "Docker",
    "wire": "wires",
    "host": "hosts",
    "controller": "the controller and its runs",
    "name": "the name service",
    "package": "packages",
}
SITE, NEXT_RUN, REFUSED = "site", "next run", "refused"
POWER = ("reset", "reboot", "switched off")
# What is done to a run once so many of its tasks have begun; those of IDLE are done while none is under way.
IN_A_RUN = ("kill", "cut ssh", "power cut", "second run", "remove plan")
IDLE = ("empty registry", "tear registry")
SEED = 14
LIMIT_SECONDS = 900.0
# Of the sample: what heals by itself has to do so within this time.
SHORT_SECONDS = 60.0
AT_ONCE_IN_A_SAMPLE, GROUPS_AT_ONCE = 3, 4
# How far the share of a run may move with the seed, so that other seeds meet other tasks.
SPREAD = 0.05


class FaultError(ValueError):
    """The file is wrong; one line for each mistake."""


@dataclasses.dataclass(frozen=True)
class Power:
    """What is done to the power of the hosts, all at once. way: of POWER. seconds: how long they stay off."""

    way: str
    seconds: float = 0


@dataclasses.dataclass(frozen=True)
class Wire:
    """What becomes of a wire. conditions: of `lab.conditions`, and for how long, in seconds."""

    name: str
    conditions: Mapping[str, Any]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Controller:
    """What is done to the controller, or to a run of `site` on it.

    then: of IN_A_RUN or IDLE. at: share of the run's tasks that have begun, 0 to 1; None for one of IDLE. variables: extra ones, so that the run has
    something to change.
    """

    then: str
    at: float | None = None
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Fault:
    """One row. What its keys mean stands at the beginning of the file; times in seconds."""

    name: str
    kind: str
    hosts: tuple[str, ...]
    do: str
    power: Power | None
    wire: Wire | None
    controller: Controller | None
    heals: float | str
    until: str
    meanwhile: str
    sessions_stay: bool
    gap: float | None
    verify: str
    unseen: str
    says: str
    undo: str
    restore: bool
    limit: float

    @property
    def by_itself(self) -> float | None:
        """Seconds within which it heals by itself; None where it does not."""
        return self.heals if isinstance(self.heals, float) else None

    @property
    def plain(self) -> bool:
        """Nothing but commands on a host, and soon over: fit for a sample, and to be done beside others."""
        return not (self.power or self.wire or self.controller or self.restore or self.undo or self.meanwhile or self.limit > LIMIT_SECONDS)

    @property
    def expected(self) -> str:
        """What is expected, for people."""
        if self.by_itself is not None:
            return f"heals by itself within {self.by_itself:.0f} s"
        return {SITE: "one run of site repairs it", NEXT_RUN: "the next run converges", REFUSED: "site refuses and says why"}[
            str(self.heals)
        ]


# What is done at once, mostly one.
Case = tuple[Fault, ...]


def load(path: Path = FILE) -> list[Fault]:
    """Read all faults.

    Raises:
        FaultError: with every mistake of the file.
    """
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")))


def parse(rows: object) -> list[Fault]:
    """Turn the rows of a file into faults. Raises FaultError with every mistake."""
    if not isinstance(rows, list):
        raise FaultError("expected a list of faults")
    reader = _Reader()
    found = [reader.fault(number, row) for number, row in enumerate(rows)]
    if reader.mistakes:
        raise FaultError("\n".join(reader.mistakes))
    return [fault for fault in found if fault is not None]


class _Reader:
    """Collects mistakes on the way."""

    TEXTS = ("name", "kind", "do", "until", "meanwhile", "verify", "unseen", "says", "undo")
    KEYS = (*TEXTS, "host", "hosts", "power", "wire", "controller", "heals", "sessions_stay", "gap", "restore", "limit")

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.names: set[str] = set()
        self.wires = tuple(load_topology("test_hybrid", ROOT / "lab" / "topologies", frozenset({"hybrid"}), frozenset({"router"})).wires)

    def wrong(self, where: str, what: str) -> None:
        self.mistakes.append(f"{where}: {what}")

    def fault(self, number: int, row: object) -> Fault | None:
        """Read one row; None when it is so wrong that there is nothing to look at."""
        if not isinstance(row, dict):
            self.wrong(f"faults[{number}]", "expected a mapping")
            return None
        where = f"faults[{number}] {row.get('name', '')!r}"
        for key in row:
            if key not in self.KEYS:
                self.wrong(where, f"unknown key {key!r}; there are: {', '.join(self.KEYS)}")
        texts = {key: row.get(key, "") for key in self.TEXTS}
        for key, text in texts.items():
            if not isinstance(text, str):
                self.wrong(where, f"{key} is {text!r}, expected a text")
                texts[key] = ""
        if not texts["name"] or texts["name"] in self.names:
            self.wrong(where, "a name is needed, and each once")
        self.names.add(texts["name"])
        if texts["kind"] not in KINDS:
            self.wrong(where, f"kind {texts['kind']!r}; there are: {', '.join(KINDS)}")
        for key in ("verify", "says"):
            try:
                re.compile(texts[key])
            except re.error as error:
                self.wrong(where, f"{key} is no regular expression: {error}")
        fault = Fault(
            **texts,
            hosts=self._hosts(where, row),
            power=self._power(where, row.get("power")),
            wire=self._wire(where, row.get("wire")),
            controller=self._controller(where, row.get("controller")),
            heals=self._heals(where, row.get("heals")),
            sessions_stay=row.get("sessions_stay") is True,
            gap=self._seconds(where, "gap", row.get("gap")),
            restore=row.get("restore") is True,
            limit=self._seconds(where, "limit", row.get("limit")) or LIMIT_SECONDS,
        )
        self._fits(where, fault)
        return fault

    def _hosts(self, where: str, row: Mapping[str, Any]) -> tuple[str, ...]:
        given = row.get("hosts", [row["host"]] if "host" in row else [])
        found = tuple(given) if isinstance(given, list) else ()
        if ("host" in row) == ("hosts" in row) or not found or any(host not in HOSTS for host in found):
            self.wrong(where, f"host, or several as hosts; there are: {', '.join(HOSTS)}")
        return found

    def _seconds(self, where: str, key: str, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self.wrong(where, f"{key} is {value!r}, expected seconds")
            return None
        return float(value)

    def _heals(self, where: str, value: object) -> float | str:
        if value in (SITE, NEXT_RUN, REFUSED):
            return str(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self.wrong(where, f"heals is {value!r}, expected seconds, {SITE}, {NEXT_RUN} or {REFUSED}")
            return SITE
        return float(value)

    def _part(self, where: str, key: str, value: object, required: Sequence[str], optional: Sequence[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict) or not set(required) <= set(value) <= {*required, *optional}:
            self.wrong(
                where, f"{key} is {value!r}, expected {', '.join(required)}" + (f", perhaps {', '.join(optional)}" if optional else "")
            )
            return {}
        return value

    def _power(self, where: str, value: object) -> Power | None:
        if value is None:
            return None
        part = self._part(where, "power", value, ["way"], ["seconds"])
        if part and part["way"] not in POWER:
            self.wrong(where, f"power is {part['way']!r}; there are: {', '.join(POWER)}")
        return Power(str(part.get("way")), self._seconds(where, "seconds", part.get("seconds")) or 0)

    def _wire(self, where: str, value: object) -> Wire | None:
        if value is None:
            return None
        part = self._part(where, "wire", value, ["name", "conditions", "seconds"], [])
        if part and part["name"] not in self.wires:
            self.wrong(where, f"wire {part['name']!r}; there are: {', '.join(self.wires)}")
        try:
            Conditions.from_mapping(part.get("conditions") or {})
        except LabError as error:
            self.wrong(where, f"wire: {error}")
        return Wire(str(part.get("name")), part.get("conditions") or {}, self._seconds(where, "seconds", part.get("seconds")) or 0)

    def _controller(self, where: str, value: object) -> Controller | None:
        if value is None:
            return None
        part = self._part(where, "controller", value, ["then"], ["at", "variables"])
        then, at = part.get("then"), part.get("at")
        if part and then not in (*IN_A_RUN, *IDLE):
            self.wrong(where, f"controller: {then!r}; there are: {', '.join((*IN_A_RUN, *IDLE))}")
        if part and (then in IN_A_RUN) != (isinstance(at, float) and 0 < at < 1):
            self.wrong(where, f"controller: at is {at!r}; {then} wants {'a share of the run, 0.1 say' if then in IN_A_RUN else 'none'}")
        return Controller(str(then), at, part.get("variables") or {})

    def _fits(self, where: str, fault: Fault) -> None:
        """Judge what belongs together."""
        if not (fault.do or fault.power or fault.wire or fault.controller):
            self.wrong(where, "nothing is done: do, power, wire or controller is needed")
        if fault.wire and (fault.do or fault.power or fault.controller):
            self.wrong(where, "a wire stands alone")
        if fault.power and fault.controller:
            self.wrong(where, "power and controller do not stand together")
        itself = fault.by_itself is not None
        if itself != bool(fault.until):
            self.wrong(where, "until belongs to what heals by itself, and only to that")
        if (fault.heals == REFUSED) != bool(fault.says):
            self.wrong(where, f"says belongs to what is {REFUSED}, and only to that")
        if fault.heals == REFUSED and not fault.undo:
            self.wrong(where, f"undo is needed, since site does not repair what it has {REFUSED}")
        if fault.heals == SITE and bool(fault.verify) == bool(fault.unseen):
            self.wrong(where, "either verify, or unseen with the reason why verify has nothing to say")
        if fault.heals != SITE and (fault.unseen or fault.meanwhile):
            self.wrong(where, f"unseen and meanwhile belong to what {SITE} repairs")
        if itself and fault.verify:
            self.wrong(where, "what heals by itself may have done so before verify looks")
        if fault.sessions_stay and not itself:
            self.wrong(where, "sessions_stay belongs to what heals by itself")
        if fault.controller and fault.controller.then in IN_A_RUN and fault.heals != NEXT_RUN:
            self.wrong(where, f"after what befalls a run, the {NEXT_RUN} is what counts")


# ---- choice and order ----------------------------------------------------------------------------------------------------------------------


def objects(fault: Fault) -> set[str]:
    """What a fault names, such as wg1 or unbound: two that name the same are not done at once, since the second may not find it any more."""
    named = re.findall(
        r"wg1|ovpn2|l2tp6|vxlan\d+|seg\d+|br0|eth\d(?:\.\d+)?|anycast0|CORE|NFV|[a-z0-9-]+\.(?:service|json|conf|nft)|\w+d\b", fault.do
    )
    return {f"{host} {word}" for host in fault.hosts for word in named}


def at_once(faults: Sequence[Fault], number: int, chance: random.Random) -> Case:
    """Choose so many of what one run of site repairs, none of which names what another one does."""
    group: list[Fault] = []
    for fault in chance.sample(faults, len(faults)):
        fits = fault.plain and fault.heals == SITE
        if fits and len(group) < number and not any(objects(fault) & objects(other) for other in group):
            group.append(fault)
    return tuple(group)


def choose(faults: Sequence[Fault], asked: str, seed: int, together: bool = False) -> list[Case]:
    """Choose what a campaign does.

    Parameters:
        faults: all of them.
        asked: a part of names, or a kind; empty for all, and some at once.
        seed: of what is done at once.
        together: of what one run of site repairs, one fault a host at the same time: four times as fast, each still judged on its own host, and packets
            counted for all.
    """
    chosen = [fault for fault in faults if not asked or asked in fault.name or asked == fault.kind]
    cases: list[Case] = []
    for fault in chosen:
        fits = together and fault.plain and fault.heals == SITE
        place = next((index for index, case in enumerate(cases) if fits and _beside(fault, case)), None)
        if place is None:
            cases.append((fault,))
        else:
            cases[place] = (*cases[place], fault)
    chance = random.Random(seed)
    return cases if asked else [*cases, *(at_once(faults, chance.choice((2, 3)), chance) for _group in range(GROUPS_AT_ONCE))]


def _beside(fault: Fault, case: Case) -> bool:
    """Say whether a fault can be done beside those of a case: they are of the same sort, and of other hosts."""
    taken = {host for other in case for host in other.hosts}
    return case[0].plain and case[0].heals == SITE and not taken & set(fault.hosts)


def sample(faults: Sequence[Fault], seed: int) -> list[Case]:
    """Choose what `make test` does: on one host a fault that heals by itself soon, and then three at once that one run of site repairs."""
    chance = random.Random(seed)
    here = {host: [fault for fault in faults if fault.hosts == (host,) and fault.plain] for host in HOSTS}
    short = {host: [fault for fault in rows if (fault.by_itself or LIMIT_SECONDS) <= SHORT_SECONDS] for host, rows in here.items()}
    groups = {host: at_once(rows, AT_ONCE_IN_A_SAMPLE, chance) for host, rows in here.items()}
    host = chance.choice([host for host in HOSTS if short[host] and len(groups[host]) == AT_ONCE_IN_A_SAMPLE])
    return [(chance.choice(short[host]),), groups[host]]


def in_order(cases: Sequence[Case]) -> list[Case]:
    """Put what may leave the network as it was first, so that few restores of the lab are needed: those after which one is due come last."""

    def place(case: Case) -> tuple[bool, int]:
        first = case[0]
        ranks = [
            bool(first.controller),
            bool(first.power),
            bool(first.wire),
            first.heals == REFUSED,
            len(case) > 1,
            first.by_itself is None,
        ]
        return any(fault.restore for fault in case), next((len(ranks) - index for index, true in enumerate(ranks) if true), 0)

    return sorted(cases, key=place)


def moved(at: float, name: str, seed: int) -> float:
    """Move a share of a run a little, by the seed: over many seeds every task of a run is met."""
    return min(max(at + random.Random(f"{seed} {name}").uniform(-SPREAD, SPREAD), 0.01), 0.99)


def name_of(case: Case) -> str:
    """Name of what is done at once, for people and for files."""
    return " and ".join(f"{', '.join(fault.hosts)}: {fault.name}" for fault in case)
