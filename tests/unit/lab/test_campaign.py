"""The campaign without a lab: what is a good verdict, that it ends with what it has, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "vm"))
import campaign
import outcomes
from campaign import Unclean, run
from faults import Case, Fault, parse
from hybrid.fault_lab import FaultLab, TooLong, limit
from hybrid_network import ROOT, Stream, stream_of
from outcomes import BAD, GOOD, NOT_DONE, Outcome, Run

ROW: dict[str, Any] = {"kind": "unit", "host": "hq-core", "do": "true", "verify": "^Unit", "heals": "site"}


def fault(name: str = "one", **more: Any) -> Fault:
    (found,) = parse([{**ROW, "name": name, **more}])
    return found


def itself(**more: Any) -> Fault:
    return fault(**{"verify": "", "heals": 60, "until": "true", **more})


def a_run(status: int = 0, output: str = "", **changed: int) -> Run:
    return Run(status, {"hq-core": 0, "hq-nfv": 0, **{host.replace("_", "-"): count for host, count in changed.items()}}, output)


# ---- packets -------------------------------------------------------------------------------------------------------------------------------


def answered(number: int, time: float) -> str:
    return f"[{time:.3f}] 64 bytes from 10.40.0.10: icmp_seq={number} ttl=60 time=1.2 ms"


def missed(number: int, time: float) -> str:
    return f"[{time:.3f}] no answer yet for icmp_seq={number}"


def test_packets_lost_are_counted_and_the_longest_gap_measured() -> None:
    lines = ["PING 10.40.0.10", *(answered(n, n / 10) for n in range(1, 11)), *(missed(n, n / 10 + 0.1) for n in range(11, 31))]
    assert stream_of([*lines, *(answered(n, n / 10) for n in range(31, 41))]) == Stream(40, 20, 2.1)


def test_a_path_that_stays_dead_loses_all_that_was_sent() -> None:
    """The last few may still be on their way."""
    stream = stream_of([answered(1, 0.1), answered(2, 0.2), *(missed(n, n / 10 + 0.1) for n in range(3, 103))])
    assert stream == Stream(92, 90, 10.1)


def test_a_late_or_double_answer_is_one() -> None:
    assert stream_of([answered(1, 0.1), missed(2, 0.3), answered(2, 0.35), answered(2, 0.36), answered(3, 0.4)]) == Stream(3, 0, 0.25)
    unreachable = "[0.500] From 10.10.0.1 icmp_seq=4 Destination Net Unreachable"
    assert stream_of([answered(1, 0.1), answered(5, 0.6), unreachable]) == Stream(5, 3, 0.5)
    assert stream_of(["PING", "ping: sendmsg: Network is unreachable"]) is None


# ---- verdicts ------------------------------------------------------------------------------------------------------------------------------


def test_what_site_repairs_is_named_changed_once_and_green() -> None:
    case = (fault(),)
    assert outcomes.not_named(case, {"hq-core": ["Unit frr.service enabled and active"]}) == []
    assert outcomes.repaired(case, a_run(hq_core=2), a_run(), {}) == []


@pytest.mark.parametrize(
    ("first", "again", "failed", "words"),
    [
        (
            a_run(2, "fatal: [hq-core]: FAILED! => \n    msg: no room\n\nPLAY RECAP"),
            a_run(),
            {},
            "site ended with 2: [hq-core]: FAILED! => msg: no room",
        ),
        (a_run(), a_run(), {}, "site changed nothing on hq-core, which one"),
        (a_run(hq_core=1), a_run(hq_nfv=3), {}, "the second site changed hq-nfv 3"),
        (a_run(hq_core=1), a_run(2), {}, "the second site ended with 2"),
        (a_run(hq_core=1), Run(0, {}, ""), {}, "the second site reached no host"),
        (a_run(hq_core=1), a_run(), {"igp": ["BGP default instance"]}, "verify at the end: igp BGP default instance"),
    ],
)
def test_what_is_no_repair(first: Run, again: Run, failed: dict[str, list[str]], words: str) -> None:
    (problem,) = outcomes.repaired((fault(),), first, again, failed)
    assert problem.startswith(words)


def test_a_fault_that_verify_does_not_name_is_bad_though_others_are_red() -> None:
    (problem,) = outcomes.not_named((fault(),), {"hq-core": ["Interface wg1 up"], "hq-nfv": ["Unit frr.service"]})
    assert problem == "verify does not name one on hq-core; it names hq-core Interface wg1 up"
    assert outcomes.not_named((itself(),), {}) == []


def test_a_refusal_has_to_say_why() -> None:
    asked = fault(heals="refused", says="disk .* full", undo="true")
    assert outcomes.refused(asked, a_run(2, "fatal: [hq-core]: the disk\n   of it is full")) == []
    assert outcomes.refused(asked, a_run(2, "fatal: [hq-core]: no route\n\n"))[0].startswith(
        "site failed for another reason: [hq-core]: no route"
    )
    assert outcomes.refused(asked, a_run()) == ["site did not refuse"]


def test_the_planned_time_is_that_of_either_stream() -> None:
    slow = itself(gap=3)
    assert outcomes.within_planned_time(slow, {"ipv4": Stream(9, 1, 2.9), "ipv6": None}) == []
    assert outcomes.within_planned_time(slow, {"ipv4": Stream(9, 1, 2.9), "ipv6": Stream(9, 4, 3.2)}) == ["ipv6: 3.2 s without an answer"]
    assert outcomes.within_planned_time(slow, {"ipv4": None}) == ["no stream of packets to measure"]
    assert outcomes.within_planned_time(itself(), {}) == []


# ---- a lab that is played --------------------------------------------------------------------------------------------------------------------


class Network:
    """The network as a fault meets it: every command succeeds unless it is one of ``fails``; sessions come back after some looks."""

    def __init__(self, fails: tuple[str, ...] = (), looks_until_up: int = 0) -> None:
        self.fails, self.looks, self.done = fails, looks_until_up, list[str]()
        self.on = {host: self.shell(host) for host in ("hq-core", "hq-nfv", "cloud-edge", "cloud-node")}

    def shell(self, host: str) -> SimpleNamespace:
        def output(command: str, seconds: float = 0) -> str:
            self.done.append(f"{host}: {command}")
            assert command not in self.fails, command
            return ""

        return SimpleNamespace(name=host, output=output, succeeds=lambda command: command not in self.fails, close=lambda: None)

    def sessions(self) -> dict[str, int]:
        asked_before = any(line.endswith(": true") for line in self.done)
        self.looks -= asked_before
        return {} if asked_before and self.looks >= 0 else {"hq-core 10.0.0.2": 100 + asked_before}

    def wire(self, name: str, *change: str) -> None:
        self.done.append(f"wire {name} {' '.join(change)}")

    def add_hosts(self) -> None:
        self.done.append("add hosts")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[FaultLab, Network]]:
    """A FaultLab over a network that is played. runs: what each run of site does, in order; red: what each run of verify names."""
    from hybrid import fault_lab

    def made(
        runs: list[Run] | None = None, red: list[Mapping[str, list[str]]] | None = None, lost: int = 0, **named: Any
    ) -> tuple[FaultLab, Network]:
        network = Network(**named)
        said, told = list(runs or []), list(red or [])
        found = FaultLab(network, 7)  # type: ignore[arg-type]

        def site(findings: Any, name: str, *arguments: str, **variables: str) -> Run:
            network.done.append(f"site {name}")
            return said.pop(0)

        def verify(findings: Any, name: str, *arguments: str) -> Mapping[str, list[str]]:
            network.done.append(f"verify {name}")
            return told.pop(0)

        monkeypatch.setattr(found, "_site", site)
        monkeypatch.setattr(found, "_verify", verify)
        monkeypatch.setattr(found, "_all_of", lambda _case: ("hq-core",))
        monkeypatch.setattr(fault_lab, "Pinger", lambda *_arguments: SimpleNamespace(stream=lambda: Stream(100, lost, lost / 10)))
        monkeypatch.setattr(fault_lab, "CALM_SECONDS", 0)
        monkeypatch.setattr(fault_lab, "REGISTRY", tmp_path)
        monkeypatch.setattr("hybrid_network.POLL_SECONDS", 0)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        return found, network

    return made


Lab = Callable[..., tuple[FaultLab, Network]]


def test_a_fault_that_site_repairs_goes_its_way(lab: Lab) -> None:
    made, network = lab([a_run(hq_core=2), a_run()], [{"hq-core": ["Unit x"]}, {}], lost=5)
    outcome = made.perform((fault(),), "fault-000", 60)
    assert (outcome.verdict, outcome.seen) == (GOOD, "verify: 1 red; site: hq-core 2 changed")
    assert network.done == ["hq-core: true", "verify before", "site first", "site again", "verify after"]
    assert outcome.packets == {"ipv4": Stream(100, 5, 0.5), "ipv6": Stream(100, 5, 0.5)}


def test_what_verify_does_not_see_is_not_asked_before(lab: Lab) -> None:
    made, network = lab([a_run(hq_core=1), a_run()], [{}])
    assert made.perform((fault(verify="", unseen="so"),), "x", 60).verdict == GOOD
    assert network.done == ["hq-core: true", "site first", "site again", "verify after"]


def test_a_run_that_fails_is_not_repeated_and_verified(lab: Lab) -> None:
    made, network = lab([a_run(2, "fatal: [hq-core]: broken\n")], [{"hq-core": ["Unit x"]}])
    outcome = made.perform((fault(),), "x", 60)
    assert (outcome.verdict, network.done[-1]) == (BAD, "site first")
    assert "site ended with 2: [hq-core]: broken" in outcome.seen


def test_what_must_hold_meanwhile_is_looked_at_before_the_repair(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybrid.fault_lab.MEANWHILE_SECONDS", 0)
    made, _network = lab([a_run(hq_core=1), a_run()], [{"hq-core": ["Unit x"]}, {}], fails=("closed",))
    outcome = made.perform((fault(meanwhile="closed"),), "x", 60)
    assert outcome.verdict == BAD and "before the repair this failed on hq-core: closed" in outcome.seen


def test_what_heals_by_itself_is_waited_for_with_its_sessions(lab: Lab) -> None:
    made, network = lab(red=[{}], looks_until_up=3)
    outcome = made.perform((itself(),), "x", 60)
    assert outcome.verdict == GOOD and outcome.seen.startswith("healed after ")
    assert network.done == ["hq-core: true", "verify after"]
    assert network.looks < 0


@pytest.mark.parametrize("red", [{}, {"hq-core": ["Unit x"]}], ids=["whole", "broken by it"])
def test_what_is_undone_at_the_end_is_verified_once_more(lab: Lab, red: dict[str, list[str]]) -> None:
    """Until then it was judged with what was done still there."""
    made, network = lab(red=[{}, red])
    outcome = made.perform((itself(undo="undone"),), "x", 60)
    assert network.done == ["hq-core: true", "verify after", "hq-core: undone", "verify undone"]
    assert outcome.verdict == (BAD if red else GOOD)
    assert ("after undo: verify at the end: hq-core Unit x" in outcome.seen) == bool(red)


@pytest.mark.parametrize(
    ("named", "more", "words"),
    [
        ({"fails": ("true",)}, {}, "AssertionError: true"),
        ({"fails": ("up",)}, {"until": "up", "heals": 0.01}, "['hq-core'], expected [], after"),
        ({"looks_until_up": 10**9}, {"heals": 0.01}, "['hq-core 10.0.0.2'], expected [], after"),
        ({}, {"sessions_stay": True}, ""),
        ({}, {"gap": 0.1}, "ipv4: 0.5 s without an answer"),
    ],
)
def test_what_does_not_heal_is_bad(lab: Lab, named: dict[str, Any], more: dict[str, Any], words: str) -> None:
    made, _network = lab(red=[{}], lost=5, **named)
    outcome = made.perform((itself(**more),), "x", 60)
    assert (outcome.verdict == GOOD) == (words == "") and words in outcome.seen, outcome.seen


def test_a_session_that_was_reset_is_told(lab: Lab) -> None:
    made, network = lab(red=[{}])
    before = network.sessions
    network.sessions = lambda: {name: since + 50 * bool(network.done) for name, since in before().items()}  # type: ignore[method-assign]
    outcome = made.perform((itself(sessions_stay=True),), "x", 60)
    assert outcome.verdict == BAD and "sessions were reset: hq-core 10.0.0.2" in outcome.seen


def test_a_wire_is_right_again_whatever_comes(lab: Lab) -> None:
    wire = {"name": "internet", "conditions": {"loss_percent": 5, "drop_udp": [1, 2], "cut": True}, "seconds": 60}
    made, network = lab(red=[{"hq-core": ["BGP x"]}])
    outcome = made.perform((itself(do="", wire=wire),), "x", 60)
    assert outcome.verdict == BAD and "verify at the end: hq-core BGP x" in outcome.seen
    assert network.done[0] == "wire internet --loss-percent 5 --drop-udp 1 2 --cut"
    assert network.done[1:] == ["wire internet --clear", "verify after", "wire internet --clear"]


def test_after_a_refusal_its_reason_is_taken_away_and_all_is_repaired(lab: Lab) -> None:
    asked = fault(heals="refused", says="is full", undo="emptied")
    made, network = lab([a_run(2, "fatal: [hq-core]: the disk is full\n"), a_run(hq_core=1), a_run()], [{"hq-core": ["Unit x"]}, {}])
    assert made.perform((asked,), "x", 60).verdict == GOOD
    assert network.done == [
        "hq-core: true",
        "verify before",
        "site refused",
        "hq-core: emptied",
        "site first",
        "site again",
        "verify after",
    ]


def test_what_was_done_is_undone_though_it_went_wrong_before(lab: Lab) -> None:
    """Once; and an undoing that fails is told, and hides nothing."""
    asked = fault(heals="refused", says="is full", undo="emptied")
    made, network = lab(fails=("true", "emptied"))
    outcome = made.perform((asked,), "x", 60)
    assert network.done == ["hq-core: true", "hq-core: emptied"]
    assert outcome.seen.startswith("undo: AssertionError: emptied")
    assert "AssertionError: true" in outcome.seen


def test_a_registry_is_torn_or_emptied_on_the_controller(lab: Lab, tmp_path: Path) -> None:
    for then, text in (("empty registry", ""), ("tear registry", "wg1: \0")):
        (tmp_path / "hq-core.txt").write_text("wg1: KEY=\n", encoding="utf-8")
        made, _network = lab([a_run(hq_core=1), a_run()], [{"hq-core": ["Unit x"]}, {}])
        assert made.perform((fault(do="", controller={"then": then}),), "x", 60).verdict == GOOD
        assert (tmp_path / "hq-core.txt").read_text(encoding="utf-8") == text


KILLED = fault(verify="", heals="next run", controller={"then": "kill", "at": 0.5})


@pytest.mark.parametrize(
    ("met", "words"),
    [
        (a_run(-signal.SIGKILL, "at task 50, Make VRFs: kill\n"), ""),
        (a_run(0, "at task 50, Make VRFs: kill\n"), "the run was not killed: 0"),
        (a_run(0, "tasks begun: 40\n"), "the run had no task 50"),
    ],
)
def test_a_run_is_met_at_one_of_its_tasks(lab: Lab, monkeypatch: pytest.MonkeyPatch, met: Run, words: str) -> None:
    made, network = lab([met, a_run(hq_core=3), a_run()], [{}])
    made.tasks = 100
    monkeypatch.setattr("hybrid.fault_lab.moved", lambda at, _name, _seed: at)
    outcome = made.perform((KILLED,), "x", 60)
    assert (outcome.verdict == GOOD) == (words == "") and words in outcome.seen, outcome.seen
    assert network.done == ["hq-core: true", "site met", "site first", "site again", "verify after"]


def test_how_many_tasks_there_are_is_found_out_before_anything_is_done(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made, network = lab([a_run(), a_run(-signal.SIGKILL, "at task 1, x: kill\n"), a_run(), a_run()], [{}])
    site = made._site

    def counting(findings: Any, name: str, *arguments: str, **variables: str) -> Run:
        made.tasks = 2
        return site(findings, name, *arguments, **variables)

    monkeypatch.setattr(made, "_site", counting)
    monkeypatch.setattr("hybrid.fault_lab.moved", lambda at, _name, _seed: at)
    assert made.perform((KILLED,), "x", 60).verdict == GOOD
    assert network.done[:3] == ["site counted", "hq-core: true", "site met"]


def test_what_takes_too_long_is_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def forever(*_arguments: object) -> None:
        signal.raise_signal(signal.SIGALRM)

    made, _network = lab()
    monkeypatch.setattr(made, "_do", forever)
    outcome = made.perform((itself(),), "x", 5000)
    assert (outcome.verdict, outcome.seen) == (BAD, "no end within 5000 s")
    with pytest.raises(TooLong), limit(0.001):
        signal.pause()


# ---- the campaign ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "left"), [(GOOD, ["vm-hybrid-fault-010-first.log"]), (BAD, ["fault-001-state.log", "vm-hybrid-fault-001-first.log"])]
)
def test_what_runs_said_is_kept_where_it_was_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, left: list[str]) -> None:
    def perform(case: Case, label: str, seconds: float) -> Outcome:
        for name in (label, "fault-010"):
            (tmp_path / f"vm-hybrid-{name}-first.log").write_text("TASK", encoding="utf-8")
        return Outcome(case, verdict, "seen")

    monkeypatch.setattr("hybrid.runs.LOGS", tmp_path)
    monkeypatch.setattr(campaign, "LOGS", tmp_path)
    monkeypatch.setattr("hybrid.converged.state_of", lambda _network: "up")
    made = campaign.HybridLab(7)
    made.lab = SimpleNamespace(perform=perform, network=None)  # type: ignore[assignment]
    made.perform((fault(),), "fault-001", 60)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({*left, "vm-hybrid-fault-010-first.log"})


class Played:
    """A lab in which each fault has the verdict that is said of it."""

    def __init__(self, **verdicts: str | BaseException) -> None:
        self.verdicts = verdicts
        self.done: list[str] = []

    def perform(self, case: Case, label: str, seconds: float) -> Outcome:
        self.done.append(case[0].name)
        verdict = self.verdicts.get(case[0].name, GOOD)
        if isinstance(verdict, BaseException):
            raise verdict
        return Outcome(case, verdict, "seen", 12.0, {"ipv4": Stream(100, 5, 0.6), "ipv6": None})

    def restore(self) -> None:
        self.done.append("restore")
        if "restore" in self.verdicts:
            raise Unclean("no snapshot")


def campaign_of(lab: Played, path: Path, *names: str, seconds: float = 60, **more: Any) -> tuple[list[Outcome], bool]:
    cases: list[Case] = [(fault(name, **(more if name == "needs" else {})),) for name in names]
    return run(cases, lab, path, {"seed": 7}, seconds)


def test_the_lab_is_brought_back_only_after_what_was_bad_or_asks_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = Played(bad=BAD)
    found, interrupted = campaign_of(lab, tmp_path / "c.json", "a", "b", "bad", "c", "needs", "d", restore=True)
    assert lab.done == ["restore", "a", "b", "bad", "restore", "c", "needs", "restore", "d"]
    assert ([outcome.verdict for outcome in found], interrupted) == ([GOOD, GOOD, BAD, GOOD, GOOD, GOOD], False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[2] == "[3/6] hq-core: bad | one run of site repairs it | seen | 12 s | lost ipv4 5 of 100, 0.6 s | BAD"


def test_it_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has begun then is not judged by what somebody took away from it."""
    now = [0.0]
    lab = Played(b=BAD)
    perform = lab.perform

    def slow(case: Case, label: str, seconds: float) -> Outcome:
        assert seconds == min(900, 1000 - now[0])
        now[0] += min(600, seconds)
        return perform(case, label, seconds)

    monkeypatch.setattr(lab, "perform", slow)
    monkeypatch.setattr(campaign, "time", SimpleNamespace(monotonic=lambda: now[0]))
    found, _interrupted = campaign_of(lab, tmp_path / "c.json", "a", "b", "c", seconds=1000)
    assert [outcome.verdict for outcome in found] == [GOOD, NOT_DONE, NOT_DONE]
    assert found[1].seen == "the campaign has taken 17 minutes"
    assert outcomes.exit_status(found) == 1


@pytest.mark.parametrize(
    ("verdicts", "reason", "interrupted"),
    [
        ({"b": KeyboardInterrupt()}, "interrupted", True),
        ({"a": BAD, "restore": "fails"}, "the network could not be brought back: no snapshot", False),
    ],
)
def test_it_ends_with_what_it_has(tmp_path: Path, verdicts: dict[str, Any], reason: str, interrupted: bool) -> None:
    path = tmp_path / "c.json"
    found, was = campaign_of(Played(**verdicts), path, "a", "b", "c")
    assert (found[-1].verdict, found[-1].seen, was) == (NOT_DONE, reason, interrupted)
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert [outcome["verdict"] for outcome in kept["outcomes"]] == [outcome.verdict for outcome in found]
    assert path.with_suffix(".md").read_text(encoding="utf-8").startswith("# Fault campaign\n")


def test_the_files_are_whole_after_each_fault(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    lab = Played()
    seen: list[dict[str, int]] = []
    perform = lab.perform

    def look(case: Case, label: str, seconds: float) -> Outcome:
        seen.append(json.loads(path.read_text(encoding="utf-8"))["counts"] if path.exists() else {})
        return perform(case, label, seconds)

    lab.perform = look  # type: ignore[method-assign]
    campaign_of(lab, path, "a", "b", "c")
    assert seen == [{}, {GOOD: 1, BAD: 0, NOT_DONE: 2}, {GOOD: 2, BAD: 0, NOT_DONE: 1}]
    assert [file.name for file in tmp_path.iterdir() if file.name.endswith(".new")] == []


def some() -> list[Outcome]:
    streams = {"ipv4": Stream(100, 5, 0.6), "ipv6": Stream(100, 7, 4.2)}
    return [
        Outcome((fault("a"),), GOOD, "fine", 60, streams),
        Outcome((itself(kind="wire"),), BAD, "broken | so", 30.4, {"ipv4": None, "ipv6": None}),
        Outcome((fault("b"), fault("c", host="hq-nfv", kind="file")), GOOD, "fine", 90, streams),
        Outcome((fault("d"),), NOT_DONE, "interrupted"),
    ]


def test_the_table_counts_by_kind_and_ends_with_what_was_bad() -> None:
    lines = outcomes.table(some()).splitlines()
    rows = {line[:16].strip(): line[16:].split() for line in lines[1:5]}
    assert rows["unit"] == ["1", "0", "1", "12", "4.2", "60"]
    assert rows["wire"] == ["0", "1", "0", "0", "0.0", "30"]
    assert rows["several at once"] == ["1", "0", "0", "12", "4.2", "90"]
    assert lines[-2].startswith("hq-core: one | heals by itself within 60 s | broken | so | 30 s | lost no stream | BAD")
    assert lines[-1] == "2 good, 1 bad, 1 not done"


def test_the_json_has_all_of_it() -> None:
    whole = json.loads(outcomes.as_json(some(), {"seed": 7}))
    assert (whole["seed"], whole["counts"]) == (7, {GOOD: 2, BAD: 1, NOT_DONE: 1})
    first, second, third, _last = whole["outcomes"]
    assert first["packets"]["ipv6"] == {"sent": 100, "lost": 7, "gap": 4.2}
    assert second == {
        "faults": [{"name": "one", "hosts": ["hq-core"], "kind": "wire"}],
        "kind": "wire",
        "expected": "heals by itself within 60 s",
        "seen": "broken | so",
        "seconds": 30.4,
        "packets": {"ipv4": None, "ipv6": None},
        "verdict": "bad",
    }
    assert [item["name"] for item in third["faults"]] == ["b", "c"]


def test_the_markdown_is_two_tables() -> None:
    text = outcomes.as_markdown(some(), {"seed": 7, "commit": "abc"})
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {8}
    assert "| hq-core: one | wire | heals by itself within 60 s | broken \\| so | 30 | no stream | bad |" in rows
    assert "seed 7, commit abc" in text


@pytest.mark.parametrize(("verdicts", "status"), [([GOOD, GOOD], 0), ([GOOD, BAD], 1), ([GOOD, NOT_DONE], 1), ([], 1)])
def test_the_exit_status_is_0_only_when_all_that_was_asked_is_good(verdicts: list[str], status: int) -> None:
    assert outcomes.exit_status([Outcome((fault(),), verdict, "") for verdict in verdicts]) == status


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"XGN_FAULTS": "no such thing"}, "XGN_FAULTS=no such thing: no fault has that in its name, and no kind is called so"),
        ({"XGN_FAULTS_SEED": "x"}, "XGN_FAULTS_SEED or XGN_CAMPAIGN_MINUTES: invalid literal"),
        ({"XGN_CAMPAIGN_MINUTES": "soon"}, "XGN_FAULTS_SEED or XGN_CAMPAIGN_MINUTES: could not convert"),
    ],
)
def test_what_cannot_be_meant_is_told_before_a_lab_is_touched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(campaign, "signal", SimpleNamespace(signal=lambda *_arguments: None, SIGTERM=signal.SIGTERM))
    assert campaign.main() == campaign.WRONG_USE
    assert words in capsys.readouterr().out


def test_it_is_a_program() -> None:
    """It finds its parts, from wherever it is started."""
    environment = {**os.environ, "XGN_FAULTS": "no such thing"}
    command = [sys.executable, str(ROOT / "tests" / "vm" / "campaign.py")]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (campaign.WRONG_USE, ""), done.stdout


# ---- a task of a run -------------------------------------------------------------------------------------------------------------------------

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - {name: one, ansible.builtin.debug: {msg: a}}
    - {name: two, ansible.builtin.debug: {msg: b}, when: false}
    - {name: three, ansible.builtin.debug: {msg: c}}
"""


@pytest.mark.starts_ansible
@pytest.mark.parametrize(
    ("variables", "status", "said", "not_said"),
    [
        ({"XGN_AT_TASK": "3", "XGN_AT_COMMAND": "kill"}, -signal.SIGKILL, ["TASK [one]", "at task 3, three: kill"], "TASK [three]"),
        (
            {"XGN_AT_TASK": "3", "XGN_AT_COMMAND": "echo hello"},
            0,
            ["at task 3, three: echo hello\nhello\nat task 3: exit status 0", "TASK [three]"],
            "x",
        ),
        ({"XGN_AT_TASK": "9", "XGN_AT_COMMAND": "kill"}, 0, ["tasks begun: 3"], "at task"),
    ],
)
def test_something_is_done_when_a_task_begins(
    tmp_path: Path, variables: dict[str, str], status: int, said: list[str], not_said: str
) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    environment = {**os.environ, **variables, "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "vm" / "callbacks"), "ANSIBLE_NOCOLOR": "1"}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", "localhost,", "--connection", "local", str(playbook)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert [text for text in said if text not in done.stdout] == [], done.stdout
    assert not_said == "x" or not_said not in done.stdout
