"""The hybrid network on its four virtual machines: commands over one kept ssh connection a host, hosts behind the routers, and measurements."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# Whether a lab is used that somebody else has brought up and converged, and which; molecule's scenario has a name of its own.
RUNNING = os.environ.get("XGN_HYBRID") == "running"
TOPOLOGY = os.environ.get("XGN_TOPOLOGY", "test_hybrid") if RUNNING else "test_hybrid"
CONNECTION = ROOT / "build" / "lab" / TOPOLOGY / "connection.yml"
HOSTS = ("hq-core", "hq-nfv", "cloud-edge", "cloud-node")
# The router in a container of cloud-node: a host of the inventory without a machine of its own.
CONTAINER = "igp"
COMMAND_SECONDS = 120
STOP_SECONDS = 20
# Emulated machines on a busy controller.
PATIENCE_SECONDS = 180
POLL_SECONDS = 1.0
UNFINISHED = (
    "systemctl is-system-running; systemctl list-units --failed --plain --no-legend | cut -d' ' -f1; "
    "systemctl list-jobs --plain --no-legend | sed 's/^ *[0-9]* *//; s/  */ /g'; cut -d' ' -f1 /proc/uptime"
)
# Sources of SSH come into a set of the filter and go from it: of sets only whom it trusts is shown, and that in order, as nft(8) has none.
# Tables stand in the order of their names: one that was loaded again comes last.
RULESET = (
    "nft list tables | sort | while read -r _table family name; do nft --stateless --terse list table $family $name; done; "
    'nft list set inet xgn trusted 2>/dev/null | grep -o \'"[^"]*"\' | sort'
)
CLOCK_SAMPLES = 10
# Of the packets sent last some may still be on their way.
IN_FLIGHT = 10
# Programs that run on the machines; two are those of a container scenario. In memory, so that nothing stays over a boot, and in a directory of this
# process: two people may look at one running lab.
REMOTE = f"/run/xgn-tests-{os.getpid()}"
PROBES = (
    ROOT / "tests" / "vm" / "hybrid" / "probes" / "ask.py",
    ROOT / "tests" / "vm" / "hybrid" / "probes" / "tcp.py",
    ROOT / "molecule" / "firewall" / "files" / "mss.py",
    ROOT / "molecule" / "firewall" / "files" / "scan.py",
)


class Shell:
    """A shell as root on one machine, over one ssh connection that stays."""

    def __init__(self, name: str, values: dict[str, Any], directory: str) -> None:
        options = ["-o", f"ControlPath={directory}/{name}", "-o", "ControlMaster=auto", "-o", "ControlPersist=600"]
        key = ["-i", values["ansible_ssh_private_key_file"], "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=60"]
        common = values["ansible_ssh_common_args"].split()
        self.name = name
        self.command = ["ssh", "-F", "none", "-p", str(values["ansible_port"]), *key, *common, *options, "root@127.0.0.1"]

    def run(self, command: str, seconds: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a command; the caller looks at its status."""
        return subprocess.run([*self.command, command], capture_output=True, text=True, timeout=seconds, check=False)

    def output(self, command: str, seconds: float = COMMAND_SECONDS) -> str:
        """Output of a command that must succeed."""
        run = self.run(command, seconds)
        assert run.returncode == 0, f"{self.name}: {command}: {run.stdout}{run.stderr}"
        return run.stdout

    def vtysh(self, command: str) -> Any:
        """What FRR answers to a show command, parsed."""
        return json.loads(self.output(f"vtysh -c '{command} json'"))

    def python(self, probe: str, *arguments: str, namespace: str = "", seconds: float = COMMAND_SECONDS) -> Any:
        """What a probe prints at the end, parsed."""
        return json.loads(self.output(probing(probe, *arguments, namespace=namespace), seconds).splitlines()[-1])

    def succeeds(self, command: str) -> bool:
        """Whether a command ends well."""
        return self.run(command).returncode == 0

    def close(self) -> None:
        """End the connection."""
        subprocess.run([*self.command[:-1], "-O", "exit", self.command[-1]], capture_output=True, check=False)


def probing(probe: str, *arguments: str, namespace: str = "") -> str:
    """The command line of a probe, in a network namespace or outside of any."""
    return " ".join([*(["ip netns exec", namespace] if namespace else []), "python3", f"{REMOTE}/{probe}.py", *arguments])


class Background:
    """A command that runs on a machine until its standard input ends.

    ends_itself: it reads its input; any other is ended when there is no more of it, so that nothing is left on the machine.
    """

    def __init__(self, shell: Shell, command: str, ends_itself: bool = False) -> None:
        line = command if ends_itself else f"{command} & pid=$!; cat >/dev/null; kill $pid; wait $pid"
        self.command = f"{shell.name}: {command}"
        self.process = subprocess.Popen(
            [*shell.command, line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, pattern: str, seconds: float = COMMAND_SECONDS) -> re.Match[str]:
        """The first line that holds the pattern, now or later."""
        deadline = time.monotonic() + seconds
        while True:
            for line in self.lines:
                if match := re.search(pattern, line):
                    return match
            assert self.process.poll() is None and time.monotonic() < deadline, f"{self.command}: no {pattern} in {self.lines}"
            time.sleep(0.05)

    def stop(self, seconds: float = COMMAND_SECONDS) -> list[str]:
        """End it and return every line it printed."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.reader.join(5)
        return self.lines


@dataclasses.dataclass(frozen=True)
class Clock:
    """How far a machine's clock is ahead of the controller's, and how exactly that is known, both in seconds."""

    ahead: float
    error: float


@dataclasses.dataclass(frozen=True)
class Stream:
    """A stream of numbered packets: how many were sent, how many never answered, and the longest time without an answer, in seconds."""

    sent: int
    lost: int
    gap: float

    def __str__(self) -> str:
        return f"{self.lost} of {self.sent}, {self.gap:.1f} s"


def stream_of(lines: Sequence[str]) -> Stream | None:
    """Read what `ping -D -O` printed; None where nothing was answered.

    The time without an answer also counts when none comes any more.
    """
    answered: dict[int, float] = {}
    sent, ended = 0, 0.0
    for line in lines:
        match = re.match(r"\[([\d.]+)\] (.*)icmp_seq=(\d+)", line)
        if match:
            sent, ended = max(sent, int(match[3])), max(ended, float(match[1]))
            if "bytes from" in match[2]:
                answered.setdefault(int(match[3]), float(match[1]))
    if not answered:
        return None
    # The first packet is answered before anything is done.
    counted = max(max(answered), sent - IN_FLIGHT)
    times = [*sorted(answered.values()), ended]
    gap = max(after - before for before, after in itertools.pairwise(times))
    return Stream(counted, sum(number not in answered for number in range(1, counted + 1)), round(gap, 2))


# Of a stream that nothing is done to. A path that is cut loses ten packets in each second; a busy machine answers late, and answers.
LOST_AT_MOST = 10


class Pinger:
    """Sends a packet every tenth of a second from a namespace of a machine, and tells how long none was answered."""

    interval_seconds = 0.1

    def __init__(self, shell: Shell, namespace: str, destination: str) -> None:
        self.background = Background(shell, f"ip netns exec {namespace} ping -n -D -O -i {self.interval_seconds} {destination}")
        self.background.wait_for("bytes from")

    def lost(self) -> tuple[int, list[int]]:
        """End it. How many packets were sent, and the numbers of those that were never answered; the last few may still be on their way and do not count."""
        lines = self.background.stop()
        answered = {int(match[1]) for line in lines if (match := re.search(r"bytes from .* icmp_seq=(\d+) ", line))}
        last = max(answered)
        return last, [number for number in range(1, last + 1) if number not in answered]

    def stream(self) -> Stream | None:
        """End it. What became of its packets; None where its machine has gone, and what it counted with it."""
        try:
            return stream_of(self.background.stop(STOP_SECONDS))
        except subprocess.TimeoutExpired:
            return None

    def longest_gap(self) -> float:
        """End it. Seconds between two answers, at most, as the sending machine's clock saw them."""
        lines = self.background.stop()
        times = [float(match[1]) for line in lines if (match := re.match(r"\[([\d.]+)\] \d+ bytes from", line))]
        assert len(times) > 2, lines[-10:]
        return max(after - before for before, after in itertools.pairwise(times))


class Network:
    """The running network."""

    def __init__(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="xgn-")
        hosts = yaml.safe_load(CONNECTION.read_text(encoding="utf-8"))["all"]["hosts"]
        self.on = {name: Shell(name, hosts[name], self.directory.name) for name in HOSTS}

    def close(self) -> None:
        """Take the probes away and end all connections."""
        for shell in self.on.values():
            # One that does not answer is no reason to keep the others.
            with contextlib.suppress(subprocess.TimeoutExpired):
                shell.run(f"rm -rf {REMOTE}")
            shell.close()
        self.directory.cleanup()

    def stable(self) -> None:
        """Wait until every machine has booted, and no unit of it has failed."""
        with ThreadPoolExecutor(len(self.on)) as pool:
            states = pool.map(
                lambda shell: shell.run("systemctl is-system-running --wait", PATIENCE_SECONDS).stdout.strip(), self.on.values()
            )
            assert dict(zip(self.on, states)) == dict.fromkeys(self.on, "running")

    def unfinished(self) -> list[str]:
        """One line for each machine that has not booted whole: how long it is up, and which of its units have failed or are not done."""
        lines = []
        for name, shell in self.on.items():
            try:
                said = shell.run(UNFINISHED).stdout.split("\n")
            except subprocess.TimeoutExpired as error:
                said = [f"no answer within {error.timeout:.0f} s"]
            if said[0] != "running":
                lines.append(" ".join([f"{name}:", *said]).strip())
        return lines

    def wire(self, name: str, *change: str) -> None:
        """Change a wire's conditions."""
        subprocess.run([sys.executable, "-m", "lab", "wire", TOPOLOGY, name, *change], cwd=ROOT, capture_output=True, check=True)

    def add_probes(self) -> None:
        """Put the probes on all machines."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path in PROBES:
                tar.add(path, arcname=path.name)
        unpack = f"mkdir -p {REMOTE} && tar --extract --no-same-owner --directory={REMOTE}"

        def copy(shell: Shell) -> None:
            subprocess.run([*shell.command, unpack], input=archive.getvalue(), capture_output=True, check=True, timeout=COMMAND_SECONDS)

        # The first command on each machine: an ssh connection takes up to 10 s under emulation.
        with ThreadPoolExecutor(len(self.on)) as pool:
            list(pool.map(copy, self.on.values()))

    def add_hosts(self) -> None:
        """Put a host behind hq-nfv and one behind cloud-node, or leave those that are there.

        They are namespaces on machines that reach those networks by wire only.
        """
        places = (
            (
                "hq-core",
                "office",
                "ip link add link eth2 name v10 type vlan id 10",
                "v10",
                "10.10.0.10/24",
                "10.10.0.1",
                "fd00:10::a/64",
                "fd00:10::1",
            ),
            ("cloud-edge", "apps", "ip link set eth2 down", "eth2", "10.40.0.10/24", "10.40.0.1", "fd00:40::a/64", "fd00:40::1"),
        )
        for machine, namespace, make, device, address, gateway, address6, gateway6 in places:
            inside = f"ip -n {namespace}"
            self.on[machine].output(
                f"ip netns add {namespace} 2>/dev/null; set -e; "
                f"{inside} link show dev {device} >/dev/null 2>&1 || {{ {make}; ip link set {device} netns {namespace}; }}; "
                f"{inside} link set lo up; {inside} link set {device} up; "
                f"{inside} address replace {address} dev {device}; {inside} address replace {address6} dev {device} nodad; "
                f"{inside} route replace default via {gateway}; {inside} -6 route replace default via {gateway6}"
            )

    @contextlib.contextmanager
    def neighbor(self, machine: str, namespace: str, parent: str, addresses: Sequence[str]) -> Iterator[Shell]:
        """One more host, with a MAC of its own, on the network that an interface of a machine is on; the machine itself it does not see."""
        inside = f"ip -n {namespace}"
        more = "; ".join(f"{inside} address add {address} dev port {'nodad' if ':' in address else ''}" for address in addresses)
        shell = self.on[machine]
        try:
            shell.output(
                f"ip netns delete {namespace} 2>/dev/null; set -e; ip netns add {namespace}; "
                f"ip link add link {parent} name port netns {namespace} type macvlan mode bridge; "
                f"{inside} link set lo up; {inside} link set port up; {more}"
            )
            yield shell
        finally:
            shell.run(f"ip netns delete {namespace}")

    def clock(self, machine: str) -> Clock:
        """Compare a machine's clock with the controller's: the quickest of several questions is the most exact one."""
        background = Background(self.on[machine], "while read -r _; do echo $EPOCHREALTIME; done", ends_itself=True)
        found = []
        stdin = background.process.stdin
        assert stdin is not None
        for number in range(CLOCK_SAMPLES):
            asked = time.time()
            stdin.write("\n")
            stdin.flush()
            while len(background.lines) <= number:
                assert background.process.poll() is None, background.lines
                time.sleep(0.0005)
            answered = time.time()
            found.append(((answered - asked) / 2, float(background.lines[number]) - (asked + answered) / 2))
        background.stop()
        error, ahead = min(found)
        return Clock(ahead, error)

    def sessions(self) -> dict[str, int]:
        """Since when each BGP session of each machine is up, in seconds since 1970; one that is not up is missing.

        While FRR starts, vtysh fails or answers in words: none of that machine's is up then.
        """
        found: dict[str, int] = {}
        for name, shell in self.on.items():
            if "bgpd" not in shell.run("vtysh -c 'show daemons'").stdout.split():
                continue
            try:
                neighbors = json.loads(shell.run("vtysh -c 'show bgp vrf CORE neighbors json'").stdout)
            except json.JSONDecodeError:
                continue
            for address, peer in neighbors.items():
                if isinstance(peer, dict) and peer.get("bgpState") == "Established":
                    found[f"{name} {address}"] = int(peer["bgpTimerUpEstablishedEpoch"])
        return found

    def private_keys(self) -> set[str]:
        """The private keys of all WireGuard interfaces, none of which may be in any output."""
        return {key for name in ("hq-core", "cloud-edge") for key in self.on[name].output("cat /etc/wireguard/*.key").split()}

    def links(self) -> dict[str, set[str]]:
        """Index, name and lower device of every interface of each machine: one that was made anew has another index."""
        return {name: set(re.findall(r"^\d+: \S+(?=:)", shell.output("ip -o link show"), re.MULTILINE)) for name, shell in self.on.items()}

    def route(self, machine: str, prefix: str) -> dict[str, Any]:
        """The selected route of a machine's VRF CORE to a prefix; empty when there is none."""
        family = "ipv6" if ":" in prefix else "ip"
        entries = self.on[machine].vtysh(f"show {family} route vrf CORE {prefix}").get(prefix, [])
        return next((entry for entry in entries if entry.get("selected")), {})

    def leaves_by(self, machine: str, prefix: str) -> list[str]:
        """Interfaces a machine sends packets for a prefix to."""
        return [hop["interfaceName"] for hop in self.route(machine, prefix).get("nexthops", []) if hop.get("fib")]


def reset(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Sessions that are not up any more, or were reset. FRR counts from now backwards, so that a session's age may be a second off."""
    return [name for name, since in before.items() if abs(after.get(name, 0) - since) > 1]


def wait_for(question: Callable[[], Any], expected: Any, seconds: float = PATIENCE_SECONDS) -> float:
    """Ask until the answer is the expected one; returns the seconds it took. The assertion shows the last answer."""
    started = time.monotonic()
    while (found := question()) != expected:
        assert time.monotonic() - started < seconds, f"{found!r}, expected {expected!r}, after {seconds} s"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started
