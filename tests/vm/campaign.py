"""The fault campaign: does every fault of faults.yml to the running hybrid network, one after the other, and tells what came of each.

    python tests/vm/campaign.py

XGN_FAULTS=wire chooses those of a kind, XGN_FAULTS=renamed those with that in their name. XGN_FAULTS_SEED chooses what is done at once, and the tasks at
which runs are met. XGN_FAULTS_TOGETHER=1 does four at once, one a host, of those that one run of site repairs. XGN_CAMPAIGN_MINUTES ends it in time. XGN_HYBRID and XGN_TOPOLOGY are as for the tests of the hybrid network (docs/testing.md).

Each fault begins with the converged network: brought back from its snapshot, or as the former fault left it when that is proved to be clean. Ctrl-C
ends it with what it has. The table goes to the terminal, to build/campaign.json and to build/campaign.md; each of the two is there, whole, after each fault.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

# Where `controller` is, which says where the rest is.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from controller import LOGS
from faults import SEED, Case, FaultError, choose, in_order, load, name_of
from hybrid import converged
from hybrid.fault_lab import FaultLab
from hybrid.runs import log_of
from hybrid_network import ROOT, RUNNING, TOPOLOGY, Network
from outcomes import GOOD, NOT_DONE, Outcome, as_json, as_markdown, exit_status, table

RESULT = ROOT / "build" / "campaign.json"
# A fault that site repairs costs two runs of it and two of verify, four minutes on two cores without KVM.
MINUTES = 960.0
WRONG_USE, INTERRUPTED = 2, 130


class Lab(Protocol):
    """What a campaign needs of a lab."""

    def perform(self, case: Case, label: str, seconds: float) -> Outcome:
        """Do what is done at once, and judge it."""

    def restore(self) -> None:
        """Bring the converged network back. Raises Unclean when that is not possible."""


class Unclean(Exception):
    """The network is not as it was converged, and cannot be brought back."""


class HybridLab:
    """The lab of the hybrid network."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.lab: FaultLab | None = None

    def perform(self, case: Case, label: str, seconds: float) -> Outcome:
        """Do what is done at once. What the runs said, and the state of the machines, is kept where it was bad."""
        assert self.lab is not None
        outcome = self.lab.perform(case, label, seconds)
        if outcome.verdict == GOOD:
            for log in log_of(label).parent.glob(log_of(f"{label}-*").name):
                log.unlink()
        else:
            state = LOGS / f"{label}-state.log"
            state.write_text(f"{outcome.line()}\n{converged.state_of(self.lab.network)}", encoding="utf-8")
        return outcome

    def restore(self) -> None:
        """Bring the network back from its snapshot. One that somebody else has brought up is given one run of site. Raises Unclean."""
        tasks = 0
        if self.lab is not None:
            tasks = self.lab.tasks
            if RUNNING:
                if problems := self.lab.mend():
                    raise Unclean("; ".join(problems))
                return
            self.lab.network.close()
        try:
            network = Network() if RUNNING else converged.begin(boot=True)
        except converged.NotWhole as error:
            raise Unclean(str(error)) from error
        network.add_hosts()
        self.lab = FaultLab(network, self.seed)
        self.lab.tasks = tasks

    def close(self) -> None:
        """End all connections."""
        if self.lab is not None:
            self.lab.network.close()


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, flush=True)


def about(asked: str, seed: int) -> dict[str, Any]:
    """Return what is to be said of this campaign."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()
    except FileNotFoundError:
        commit = ""
    return {"began": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "commit": commit, "asked": asked or "all", "seed": seed}


def write(path: Path, outcomes: Sequence[Outcome], said: Mapping[str, Any]) -> None:
    """Write both files, each in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, text in ((path, as_json(outcomes, said)), (path.with_suffix(".md"), as_markdown(outcomes, said))):
        fresh = file.with_name(file.name + ".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)


def run(cases: Sequence[Case], lab: Lab, path: Path, said: Mapping[str, Any], seconds: float) -> tuple[list[Outcome], bool]:
    """Do all cases as long as there is time; returns what came of each, and whether somebody interrupted it.

    Parameters:
        cases: in their order.
        lab: where.
        path: of the JSON file.
        said: what is to be said of the campaign.
        seconds: how long it may take, all in all. What has begun is ended then, too.
    """
    deadline, over = time.monotonic() + seconds, f"the campaign has taken {seconds / 60:.0f} minutes"
    done: list[Outcome] = []
    reason, clean, interrupted = "", False, False

    def results() -> list[Outcome]:
        return [*done, *(Outcome(case, NOT_DONE, reason or "not yet") for case in cases[len(done) :])]

    try:
        for number, case in enumerate(cases):
            left = deadline - time.monotonic()
            if left <= 0:
                reason = over
                break
            if not clean:
                lab.restore()
            bound = max(fault.limit for fault in case)
            outcome = lab.perform(case, f"fault-{number:03}", min(bound, left))
            if left < bound and time.monotonic() >= deadline:
                # Not its own time was over.
                reason = over
                break
            clean = outcome.verdict == GOOD and not any(fault.restore for fault in case)
            done.append(outcome)
            say(f"[{number + 1}/{len(cases)}] {outcome.line()}")
            write(path, results(), said)
    except KeyboardInterrupt:
        reason, interrupted = "interrupted", True
    except Unclean as error:
        reason = f"the network could not be brought back: {error}"
    write(path, results(), said)
    return results(), interrupted


@contextmanager
def ready() -> Iterator[None]:
    """Have the converged network, and switch its machines off afterwards. Raises Unclean."""
    if RUNNING:
        yield
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        if os.environ.get("XGN_HYBRID") == "bare" or not converged.kept():
            say("no snapshot of the converged network as these files make it: it is made from bare hosts")
            status = converged.make()
            if status:
                raise Unclean(f"the scenario hybrid ended with {status}: {LOGS}/vm-hybrid-scenario.log")
        yield
    finally:
        converged.lab("down", TOPOLOGY, "--keep")


def interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends it as Ctrl-C does."""
    raise KeyboardInterrupt


def main() -> int:
    """Do what the environment asks for; returns the exit status: 0 only when all that was asked was done and is good."""
    signal.signal(signal.SIGTERM, interrupt)
    asked = os.environ.get("XGN_FAULTS", "")
    try:
        seed, minutes = int(os.environ.get("XGN_FAULTS_SEED", SEED)), float(os.environ.get("XGN_CAMPAIGN_MINUTES", MINUTES))
        cases = in_order(choose(load(), asked, seed, together=bool(os.environ.get("XGN_FAULTS_TOGETHER"))))
    except FaultError as error:
        say(f"tests/vm/faults.yml:\n{error}")
        return WRONG_USE
    except ValueError as error:
        say(f"XGN_FAULTS_SEED or XGN_CAMPAIGN_MINUTES: {error}")
        return WRONG_USE
    if not cases:
        say(f"XGN_FAULTS={asked}: no fault has that in its name, and no kind is called so")
        return WRONG_USE
    said = about(asked, seed)
    say(f"{len(cases)} faults, seed {seed}, {minutes:.0f} minutes at most; the first is {name_of(cases[0])}")
    lab = HybridLab(seed)
    try:
        with ready():
            outcomes, interrupted = run(cases, lab, RESULT, said, minutes * 60)
            lab.close()
    except Unclean as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted before the first fault")
        return INTERRUPTED
    say(f"\n{table(outcomes)}\n{RESULT.relative_to(ROOT)}, {RESULT.with_suffix('.md').relative_to(ROOT)}")
    return INTERRUPTED if interrupted else exit_status(outcomes)


if __name__ == "__main__":
    sys.exit(main())
