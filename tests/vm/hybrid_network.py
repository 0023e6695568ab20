"""The hybrid network on its four virtual machines: commands over one kept ssh connection a host, hosts behind the routers, and measurements."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TOPOLOGY = "test_hybrid"
CONNECTION = ROOT / "build" / "lab" / TOPOLOGY / "connection.yml"
HOSTS = ("hq-core", "hq-nfv", "cloud-edge", "cloud-node")
COMMAND_SECONDS = 120
# Emulated machines on a busy controller.
PATIENCE_SECONDS = 180
POLL_SECONDS = 1.0


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

    def close(self) -> None:
        """End the connection."""
        subprocess.run([*self.command[:-1], "-O", "exit", self.command[-1]], capture_output=True, check=False)


class Pinger:
    """Sends a packet every tenth of a second from a namespace of a machine, and tells how many were lost."""

    interval_seconds = 0.1

    def __init__(self, shell: Shell, namespace: str, destination: str) -> None:
        self.shell = shell
        self.command = f"ip netns exec {namespace} ping -n -D -O -i {self.interval_seconds} {destination}"
        self.result = ""
        self.process = subprocess.Popen(
            [*shell.command, f"timeout --signal=INT 600 {self.command}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def stop(self) -> list[str]:
        """End it on the machine and return every line it printed."""
        self.shell.run(f"pkill -INT -f '^{self.command}'")
        self.process.wait(30)
        self.reader.join(5)
        return self.lines

    def longest_gap(self) -> float:
        """Seconds between two answers, at most, as the sending machine's clock saw them."""
        times = [float(match[1]) for line in self.stop() if (match := re.match(r"\[([\d.]+)\] \d+ bytes from", line))]
        assert len(times) > 2, self.lines[-10:]
        return max(after - before for before, after in zip(times, times[1:]))


class Network:
    """The running network."""

    def __init__(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="xgn-")
        hosts = yaml.safe_load(CONNECTION.read_text(encoding="utf-8"))["all"]["hosts"]
        self.on = {name: Shell(name, hosts[name], self.directory.name) for name in HOSTS}

    def close(self) -> None:
        """End all connections."""
        for shell in self.on.values():
            shell.close()
        self.directory.cleanup()

    def wire(self, name: str, *change: str) -> None:
        """Change a wire's conditions."""
        subprocess.run([sys.executable, "-m", "lab", "wire", TOPOLOGY, name, *change], cwd=ROOT, capture_output=True, check=True)

    def add_hosts(self) -> None:
        """Put a host behind hq-nfv and one behind cloud-node: namespaces on machines that reach those networks by wire only."""
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
                f"ip netns add {namespace}; {make}; ip link set {device} netns {namespace}; {inside} link set lo up; {inside} link set {device} up; "
                f"{inside} address add {address} dev {device}; {inside} address add {address6} dev {device} nodad; "
                f"{inside} route add default via {gateway}; {inside} -6 route add default via {gateway6}"
            )

    def sessions(self) -> dict[str, int]:
        """Since when each BGP session of each machine is up, in seconds since 1970; one that is not up is missing."""
        found: dict[str, int] = {}
        for name, shell in self.on.items():
            if "bgpd" not in shell.output("vtysh -c 'show daemons'").split():
                continue
            for address, peer in shell.vtysh("show bgp vrf CORE neighbors").items():
                if isinstance(peer, dict) and peer.get("bgpState") == "Established":
                    found[f"{name} {address}"] = int(peer["bgpTimerUpEstablishedEpoch"])
        return found

    def route(self, machine: str, prefix: str) -> dict[str, Any]:
        """The selected route of a machine's VRF CORE to a prefix; empty when there is none."""
        family = "ipv6" if ":" in prefix else "ip"
        entries = self.on[machine].vtysh(f"show {family} route vrf CORE {prefix}").get(prefix, [])
        return next((entry for entry in entries if entry.get("selected")), {})

    def leaves_by(self, machine: str, prefix: str) -> list[str]:
        """Interfaces a machine sends packets for a prefix to."""
        return [hop["interfaceName"] for hop in self.route(machine, prefix).get("nexthops", []) if hop.get("fib")]


def wait_for(question: Callable[[], Any], expected: Any, seconds: float = PATIENCE_SECONDS) -> float:
    """Ask until the answer is the expected one; returns the seconds it took. The assertion shows the last answer."""
    started = time.monotonic()
    while (found := question()) != expected:
        assert time.monotonic() - started < seconds, f"{found!r}, expected {expected!r}, after {seconds} s"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started
