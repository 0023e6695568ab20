"""Does a fault to the running network, waits for what is expected of it, and judges what came of it, while two streams of packets are counted."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType

from controller import CALLBACKS
from faults import IDLE, IN_A_RUN, NEXT_RUN, REFUSED, SITE, Case, Controller, Fault, moved
from hybrid_network import CONNECTION, CONTAINER, HOSTS, ROOT, TOPOLOGY, Network, Pinger, Stream, reset, wait_for
from outcomes import BAD, GOOD, Failed, Outcome, Run, converged, not_named, refused, repaired, still_failing, within_planned_time

from hybrid.runs import INVENTORY, PLAN, changed, log_of, play

# From a host behind hq-nfv to one behind cloud-node, over the path that has a reserve. Both are namespaces on these two machines.
SENDER, NAMESPACE = "hq-core", "office"
DESTINATIONS = {"ipv4": "10.40.0.10", "ipv6": "fd00:40::a"}
ENDS = (SENDER, "cloud-edge")
# A last look at the streams once everything is up again.
CALM_SECONDS = 2.0
# What is done to a host takes less.
DO_SECONDS = 300
BOOT_SECONDS = 240
# What must hold before a repair may come up with the boot.
MEANWHILE_SECONDS = 120
POWER_SECONDS = 300
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
# Beside those of every run on machines.
CALLBACK_PLUGINS = os.pathsep.join((str(CALLBACKS), str(ROOT / "tests" / "vm" / "callbacks")))
REGISTRY = CONNECTION.parent / "wireguard_keys"
# A run that works on the network tells another one, and that one stops.
HELD = r"is taken: .* has worked there since"
# Of every session, and not of what listens for others; a second later, so that it meets the task that begins.
CUT_SSH = "systemd-run --quiet --collect --on-active=1 pkill -KILL -f '^sshd(-session)?: root'"
# The lab's own verbs, in a process of their own as a person starts them.
LAB = [sys.executable, "-m", "lab"]


# What goes wrong on a machine that does not do as it should, and is a verdict.
TROUBLE = (AssertionError, subprocess.SubprocessError, OSError, ValueError, LookupError)


class TooLong(Exception):
    """A fault took longer than it may."""


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TooLong in what is done meanwhile, once so many seconds are over. Only in the main thread."""

    def over(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"no end within {seconds:.0f} s")

    former = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def told(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@dataclasses.dataclass
class Findings:
    """What is found on the way. seen: for people; problems: why it is bad; undone: names of the faults that were."""

    label: str
    seen: list[str] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    packets: dict[str, Stream | None] = dataclasses.field(default_factory=dict)
    undone: set[str] = dataclasses.field(default_factory=set)


class Streams:
    """The two streams of packets, or none where a fault takes the machines of its ends away."""

    def __init__(self, network: Network, case: Case) -> None:
        gone = any(fault.power and set(fault.hosts) & set(ENDS) for fault in case)
        gone = gone or any(
            fault.controller and fault.controller.then in ("power cut", "cut ssh") and set(fault.hosts) & set(ENDS) for fault in case
        )
        shell = network.on[SENDER]
        self.pingers = {} if gone else {family: Pinger(shell, NAMESPACE, address) for family, address in DESTINATIONS.items()}
        self.found: dict[str, Stream | None] = dict.fromkeys(DESTINATIONS)

    def end(self) -> dict[str, Stream | None]:
        """End them, once; returns what became of their packets."""
        while self.pingers:
            family, pinger = self.pingers.popitem()
            self.found[family] = pinger.stream()
        return self.found


class FaultLab:
    """The running network as faults meet it.

    Parameters:
        network: it.
        seed: moves the task at which a run is met.
        narrow: runs are for the hosts of a fault alone, which is quicker; otherwise for all.
    """

    def __init__(self, network: Network, seed: int, narrow: bool = False) -> None:
        self.network = network
        self.seed = seed
        self.narrow = narrow
        self.tasks = 0

    def perform(self, case: Case, label: str, seconds: float) -> Outcome:
        """Do what is done at once, and judge what comes of it, within so many seconds. label: of the runs, whose output is kept."""
        began, findings = time.monotonic(), Findings(label)
        try:
            with limit(seconds):
                self._live_through(case, findings)
        except TooLong as error:
            findings.problems.append(str(error))
        except TROUBLE as error:
            findings.problems.append(told(error))
        verdict = BAD if findings.problems else GOOD
        return Outcome(case, verdict, "; ".join([*findings.seen, *findings.problems]), time.monotonic() - began, findings.packets)

    def _live_through(self, case: Case, findings: Findings) -> None:
        if any(fault.controller and fault.controller.then in IN_A_RUN for fault in case) and not self.tasks:
            # Before anything is done that it would repair.
            self._site(findings, "counted")
        sessions = self.network.sessions()
        streams = Streams(self.network, case)
        judges = {SITE: self._by_site, REFUSED: self._refused, NEXT_RUN: self._next_run}
        try:
            began = time.monotonic()
            for fault in case:
                self._do(fault, findings)
            if isinstance(case[0].heals, str):
                judges[case[0].heals](case, streams, findings)
            else:
                self._by_itself(case[0], sessions, began, streams, findings)
        finally:
            findings.packets.update(streams.end())
            left = [fault for fault in case if fault.undo and fault.name not in findings.undone]
            for fault in case:
                try:
                    self._undo(fault, findings)
                except TROUBLE as error:
                    # Whatever ended it is worth more.
                    findings.problems.append(f"undo: {told(error)}")
        if left:
            # Until here it was judged with what was done still there.
            failing = still_failing(self._verify(findings, "undone", *self._limited(case[0].hosts)))
            findings.problems += [f"after undo: {problem}" for problem in failing]
        for fault in case:
            findings.problems += within_planned_time(fault, findings.packets)

    # ---- actions ----

    def _do(self, fault: Fault, findings: Findings) -> None:
        if fault.do:
            self._everywhere(fault, fault.do)
        if fault.power:
            self._power(fault)
        if fault.wire:
            changes = {key.replace("_", "-"): value for key, value in fault.wire.conditions.items()}
            words = [word for key, value in changes.items() for word in self._option(key, value)]
            self.network.wire(fault.wire.name, *words)
            time.sleep(fault.wire.seconds)
            self.network.wire(fault.wire.name, "--clear")
        if fault.controller:
            self._controller(fault, fault.controller, findings)

    @staticmethod
    def _option(key: str, value: object) -> list[str]:
        if key == "cut":
            return ["--cut" if value else "--restore"]
        return [f"--{key}", *(map(str, value) if isinstance(value, list) else [str(value)])]

    def _undo(self, fault: Fault, findings: Findings) -> None:
        if fault.undo and fault.name not in findings.undone:
            findings.undone.add(fault.name)
            self._everywhere(fault, fault.undo)
        if fault.wire:
            self.network.wire(fault.wire.name, "--clear")

    def _everywhere(self, fault: Fault, command: str) -> None:
        """Run a command on all hosts of a fault at the same time; it must succeed."""
        with ThreadPoolExecutor(len(fault.hosts)) as pool:
            list(pool.map(lambda host: self.network.on[host].output(command, DO_SECONDS), fault.hosts))

    def _power(self, fault: Fault) -> None:
        """Cut the power of the hosts, or reboot them, all at once; when it returns they have booted."""
        assert fault.power is not None
        before = {host: self.network.on[host].output(BOOT_ID) for host in fault.hosts}
        if fault.power.way == "reboot":
            for host in fault.hosts:
                self.network.on[host].run("systemctl --no-block reboot")
        else:
            for verb in ("off", "on"):
                for host in fault.hosts:
                    subprocess.run([*LAB, "power", TOPOLOGY, host, verb], cwd=ROOT, capture_output=True, check=True, timeout=POWER_SECONDS)
                time.sleep(fault.power.seconds if verb == "off" else 0)
        for host in fault.hosts:
            self._wait_for_boot(host, before[host])

    def _wait_for_boot(self, host: str, before: str) -> None:
        shell = self.network.on[host]

        def booted() -> bool:
            # The connection of before knows nothing of the boot.
            shell.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                done = shell.run(BOOT_ID, 20)
                return done.returncode == 0 and done.stdout != before
            return False

        wait_for(booted, True, BOOT_SECONDS)
        # A person, too, would wait until it has booted; whether all of it came up is for others to judge.
        with contextlib.suppress(subprocess.TimeoutExpired):
            shell.run("systemctl is-system-running --wait", BOOT_SECONDS)
        if host in ENDS:
            self.network.add_hosts()

    # ---- the controller ----

    def _controller(self, fault: Fault, action: Controller, findings: Findings) -> None:
        if action.then in IDLE:
            file = REGISTRY / f"{fault.hosts[0]}.txt"
            text = file.read_text(encoding="utf-8")
            file.write_text(text[: len(text) // 2] + "\0" if action.then == "tear registry" else "", encoding="utf-8")
            return
        assert action.at is not None
        assert self.tasks, "no run has told how many tasks it has begun"
        number = max(1, round(moved(action.at, fault.name, self.seed) * self.tasks))
        before = {host: self.network.on[host].output(BOOT_ID) for host in fault.hosts if action.then == "power cut"}
        second = log_of(f"{findings.label}-second-operator")
        with tempfile.TemporaryDirectory(prefix="xgn-") as directory:
            extra = Path(directory) / "variables.json"
            extra.write_text(json.dumps(action.variables), encoding="utf-8")
            command = self._command(fault, action.then, second)
            run = self._site(findings, "met", "--extra-vars", f"@{extra}", XGN_AT_TASK=str(number), XGN_AT_COMMAND=command)
        met = re.search(rf"^at task {number}, (.*?): ", run.output, re.MULTILINE)
        findings.seen.append(f"{action.then} at task {number}" + (f", {met[1]}" if met else ""))
        if not met:
            findings.problems.append(f"the run had no task {number}")
        elif action.then == "kill" and run.status != -signal.SIGKILL:
            findings.problems.append(f"the run was not killed: {run.status}")
        elif action.then != "kill" and f"at task {number}: exit status 0" not in run.output and action.then != "second run":
            findings.problems.append(f"{action.then} did not work")
        elif action.then == "second run":
            said = second.read_text(encoding="utf-8") if second.exists() else ""
            findings.problems += [] if re.search(HELD, " ".join(said.split())) else ["the second operator was not told who works there"]
            findings.problems += [f"the first run ended with {run.status}: {run.reason}"] if run.status else []
        for host, boot in before.items():
            self._wait_for_boot(host, boot)
        if action.then == "cut ssh":
            for host in fault.hosts:
                self.network.on[host].close()

    def _command(self, fault: Fault, then: str, second: Path) -> str:
        """What the run's shell does before a task."""
        if then == "cut ssh":
            return " && ".join(shlex.join([*self.network.on[host].command, CUT_SSH]) for host in fault.hosts)
        if then == "power cut":
            return " && ".join(shlex.join([*LAB, "power", TOPOLOGY, host, "reset"]) for host in fault.hosts)
        if then == "second run":
            inventories = ["--inventory", str(INVENTORY), "--inventory", str(CONNECTION)]
            plan = ["--extra-vars", f"xgn_plan_directory={PLAN}-second"]
            words = ["ansible-playbook", *inventories, "xuegao.net.site", *plan]
            return f"env -u XGN_AT_TASK -u XGN_AT_COMMAND {shlex.join(words)} >{shlex.quote(str(second))} 2>&1"
        return f"rm -r {shlex.quote(str(PLAN))}" if then == "remove plan" else then

    # ---- runs ----

    def _limited(self, hosts: Sequence[str]) -> list[str]:
        return ["--limit", ",".join(hosts)] if self.narrow else []

    def _site(self, findings: Findings, name: str, *arguments: str, **variables: str) -> Run:
        """Run site, and keep its output under a name."""
        run = play("site", f"{findings.label}-{name}", *arguments, ANSIBLE_CALLBACK_PLUGINS=CALLBACK_PLUGINS, **variables)
        output = run.stdout + run.stderr
        begun = re.search(r"^tasks begun: (\d+)$", output, re.MULTILINE)
        self.tasks = int(begun[1]) if begun and not arguments else self.tasks
        return Run(run.returncode, changed(run), output)

    def _verify(self, findings: Findings, name: str, *arguments: str) -> Failed:
        """Run verify; returns the names of the checks that fail, by host."""
        with tempfile.TemporaryDirectory(prefix="xgn-") as directory:
            run = play(
                "verify", f"{findings.label}-{name}", "--extra-vars", f"xgn_report_dir={directory} verify_boot_plot=false", *arguments
            )
            file = Path(directory) / "current" / "report.json"
            assert file.is_file(), f"verify wrote no report: {' '.join((run.stdout + run.stderr).split())[-300:]}"
            checks = json.loads(file.read_text(encoding="utf-8"))["checks"]
        failed: dict[str, list[str]] = {}
        for check in checks:
            if check["status"] == "failed":
                failed.setdefault(check["host"], []).append(check["name"])
        return failed

    def _twice(self, case: Case, findings: Findings) -> tuple[Run, Run, Failed]:
        """Run site, once more, and verify; all of it to be judged."""
        limited = self._limited(case[0].hosts)
        first = self._site(findings, "first", *limited)
        if first.status:
            return first, first, {}
        again = self._site(findings, "again", *limited)
        reached = again.changed.keys()
        findings.problems += [f"the second site did not reach {host}" for host in self._all_of(case) if host not in reached]
        return first, again, self._verify(findings, "after", *limited)

    def _all_of(self, case: Case) -> tuple[str, ...]:
        return case[0].hosts if self.narrow else (*HOSTS, CONTAINER)

    # ---- expectations ----

    def _by_itself(self, fault: Fault, sessions: dict[str, int], began: float, streams: Streams, findings: Findings) -> None:
        """Wait until it has healed: what it says succeeds on its hosts, and every BGP session that was up is up again."""
        assert fault.by_itself is not None

        def left() -> list[str]:
            missing = sorted(sessions.keys() - self.network.sessions().keys())
            return missing or [host for host in fault.hosts if not self.network.on[host].succeeds(fault.until)]

        # From the fault's beginning, or from the end of a wire's conditions, which last as long as they are to.
        counted = time.monotonic() if fault.wire else began
        rest = max(fault.by_itself - (time.monotonic() - counted), 1)
        wait_for(left, [], rest)
        findings.seen.append(f"healed after {time.monotonic() - counted:.0f} s")
        time.sleep(CALM_SECONDS)
        findings.packets.update(streams.end())
        if fault.sessions_stay:
            were = reset(sessions, self.network.sessions())
            findings.problems += [f"sessions were reset: {', '.join(were)}"] if were else []
        findings.problems += still_failing(self._verify(findings, "after", *self._limited(fault.hosts)))

    def _by_site(self, case: Case, streams: Streams, findings: Findings) -> None:
        """Let verify name it, and one run of site repair it."""
        self._see(case, findings)
        for fault in case:
            for host in fault.hosts if fault.meanwhile else ():
                try:
                    wait_for(partial(self.network.on[host].succeeds, fault.meanwhile), True, MEANWHILE_SECONDS)
                except AssertionError:
                    findings.problems.append(f"before the repair this failed on {host}: {fault.meanwhile}")
        first, again, failed = self._twice(case, findings)
        findings.packets.update(streams.end())
        told = {host: f"{host} {first.changed.get(host, 0)} changed" for fault in case for host in fault.hosts}
        findings.seen.append(f"site: {', '.join(told.values())}")
        findings.problems += repaired(case, first, again, failed)

    def _see(self, case: Case, findings: Findings) -> None:
        """Let verify name it, where it can."""
        if any(fault.verify for fault in case):
            hosts = sorted({host for fault in case for host in fault.hosts})
            failed = self._verify(findings, "before", "--extra-vars", "verify_wait=1", "--limit", ",".join(hosts))
            findings.seen.append(f"verify: {sum(map(len, failed.values()))} red")
            findings.problems += not_named(case, failed)

    def _refused(self, case: Case, streams: Streams, findings: Findings) -> None:
        """Let site refuse, take away what it refused for, and let it repair the rest."""
        (fault,) = case
        self._see(case, findings)
        first = self._site(findings, "refused", *self._limited(fault.hosts))
        findings.problems += refused(fault, first)
        findings.seen.append(f"site: {first.reason if first.status else 'did not refuse'}")
        self._undo(fault, findings)
        findings.problems += converged(*self._twice(case, findings))
        findings.packets.update(streams.end())

    def _next_run(self, case: Case, streams: Streams, findings: Findings) -> None:
        """Whatever a run has left: the next one converges."""
        self._see(case, findings)
        first, again, failed = self._twice(case, findings)
        findings.packets.update(streams.end())
        findings.seen.append(f"next run: {sum(first.changed.values())} changed")
        findings.problems += converged(first, again, failed)

    # ---- a lab without a snapshot ----

    def mend(self) -> list[str]:
        """Put a network right that nothing can bring back, by one run of site; returns what is wrong still."""
        findings = Findings("fault-mend")
        self.network.add_hosts()
        run = self._site(findings, "site")
        return [run.reason] if run.status else still_failing(self._verify(findings, "verify"))
